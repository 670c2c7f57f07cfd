//! `productSet`: a list that is given takes the place of the old one, so what it leaves out is deleted.

use super::errors::FieldError;
use super::metafield::Owner;
use super::state::State;
use super::value::{Args, Obj, Out, Read, gid, number_of};
use super::write_product::{self, Mistake, user_errors};

/// `productSet` of a product that exists.
pub(super) fn set(state: &mut State, args: &Args) -> Result<Out, FieldError> {
    const PAYLOAD: &str = "ProductSetPayload";
    let payload = |product: Option<u64>, operation: Out, mistakes: &[Mistake]| {
        Ok(Out::record(
            PAYLOAD,
            vec![
                ("product", Out::object(product.map(Obj::Product))),
                ("productSetOperation", operation),
                user_errors("ProductSetUserError", mistakes),
            ],
        ))
    };
    let identifier = args.map("identifier").cloned().unwrap_or_default();
    let id = identifier.text("id").and_then(|id| number_of(id, "Product"));
    let id = id.or_else(|| state.handles.get(identifier.text("handle")?).copied());
    let Some(id) = id.filter(|id| state.products.contains_key(id)) else {
        let mistake = Mistake::coded(&["identifier"], "PRODUCT_DOES_NOT_EXIST", "Product does not exist");
        return payload(None, Out::NULL, &[mistake]);
    };
    let input = args.map("input").cloned().unwrap_or_default();
    let mut mistakes = write_product::check(state, &input, id);
    for mistake in &mut mistakes {
        mistake.code = Some("INVALID_INPUT");
    }
    if input.contains_key("variants") != input.contains_key("productOptions") {
        let code = if input.contains_key("variants") {
            "PRODUCT_OPTIONS_INPUT_MISSING"
        } else {
            "VARIANTS_INPUT_MISSING"
        };
        mistakes.push(Mistake::coded(&["input"], code, "Variants and options must be given together"));
    }
    if !mistakes.is_empty() {
        return payload(None, Out::NULL, &mistakes);
    }
    state.change_product(id, |product| write_product::apply(product, &input));
    if input.contains_key("variants") {
        variants(state, id, &input);
    }
    if input.contains_key("files") {
        let files: Vec<u64> = input
            .list("files")
            .iter()
            .filter_map(|file| number_of(file.get("id")?.as_str()?, "MediaImage"))
            .filter(|id| state.media.contains_key(id))
            .collect();
        state.change_product(id, |product| product.media = files);
    }
    if input.contains_key("metafields") {
        for old in state.metafields.remove(&Owner::Product(id)).unwrap_or_default() {
            state.metafield_owners.remove(&old.id);
        }
        for entry in input.list("metafields").to_vec() {
            if let Some(entry) = entry.as_object() {
                super::write_metafields::put(state, Owner::Product(id), entry);
            }
        }
    }
    if input.contains_key("collections") {
        let wanted = input.texts("collections");
        for collection in state.collections.values_mut() {
            collection.products.retain(|known| *known != id);
            if wanted.contains(&collection.gid()) {
                collection.products.push(id);
            }
        }
    }
    if args.get("synchronous").and_then(serde_json::Value::as_bool) == Some(false) {
        let operation = state.take_id();
        state.operations.insert(operation, (state.now, id));
        let started = operation_record(operation, "CREATED", None);
        return payload(None, started, &[]);
    }
    payload(Some(id), Out::NULL, &[])
}

/// Keeps the variants and options that are named by their ids, and deletes the others. New ones are not made:
/// no client of ours may call this at all.
fn variants(state: &mut State, id: u64, input: &Args) {
    let named = |list: &str, type_name: &str| -> Vec<u64> {
        let entries = input.list(list).iter();
        entries.filter_map(|entry| number_of(entry.get("id")?.as_str()?, type_name)).collect()
    };
    let (variants, options) = (named("variants", "ProductVariant"), named("productOptions", "ProductOption"));
    let old = state.products.get(&id).map(|product| product.variants.clone()).unwrap_or_default();
    for gone in old.iter().filter(|old| !variants.contains(old)) {
        state.remove_variant(*gone);
    }
    state.change_product(id, |product| {
        product.variants.retain(|known| variants.contains(known));
        product.options.retain(|option| options.contains(&option.id));
    });
}

fn operation_record(id: u64, status: &'static str, product: Option<u64>) -> Out {
    Out::record(
        "ProductSetOperation",
        vec![
            ("id", Out::text(gid("ProductSetOperation", id))),
            ("status", Out::text(status)),
            ("product", Out::object(product.map(Obj::Product))),
            ("userErrors", Out::List(Vec::new())),
        ],
    )
}

impl State {
    /// A job of `productSet` by its id; it is done two seconds after its start.
    pub(super) fn operation(&self, id: &str) -> Out {
        let Some(id) = number_of(id, "ProductSetOperation") else { return Out::NULL };
        let Some((at, product)) = self.operations.get(&id) else { return Out::NULL };
        if self.now.since(*at).as_secs() < 2 {
            return operation_record(id, "ACTIVE", None);
        }
        operation_record(id, "COMPLETE", Some(*product))
    }
}
