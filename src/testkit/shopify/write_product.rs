//! `productUpdate`: only what is given changes.

use super::errors::FieldError;
use super::product::{Product, sanitised};
use super::state::{State, handle_of};
use super::value::{Args, Obj, Out, Read, number_of};
use super::{metafield, taxonomy, write_tags};

/// The longest title, as a shop takes it.
const TITLE_LIMIT: usize = 255;

/// A mistake of the caller: the place in the input, the message, and a code where the type has one.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mistake {
    pub(super) field: Vec<String>,
    pub(super) message: String,
    pub(super) code: Option<&'static str>,
    pub(super) element: Option<usize>,
}

impl Mistake {
    pub(super) fn new(field: &[&str], message: impl Into<String>) -> Self {
        Self {
            field: field.iter().map(|part| (*part).to_owned()).collect(),
            message: message.into(),
            code: None,
            element: None,
        }
    }

    pub(super) fn coded(field: &[&str], code: &'static str, message: impl Into<String>) -> Self {
        Self { code: Some(code), ..Self::new(field, message) }
    }

    pub(super) fn at(mut self, element: usize) -> Self {
        self.element = Some(element);
        self
    }

    pub(super) fn to_out(&self, type_name: &'static str) -> Out {
        let field = if self.field.is_empty() { Out::NULL } else { Out::texts(&self.field) };
        Out::record(
            type_name,
            vec![
                ("field", field),
                ("message", Out::text(&self.message)),
                ("code", Out::maybe(self.code)),
                ("elementIndex", self.element.map_or(Out::NULL, Out::int)),
            ],
        )
    }
}

/// The `userErrors` of a payload.
pub(super) fn user_errors(type_name: &'static str, mistakes: &[Mistake]) -> (&'static str, Out) {
    ("userErrors", Out::List(mistakes.iter().map(|mistake| mistake.to_out(type_name)).collect()))
}

/// A payload of a product.
fn payload(product: Option<u64>, mistakes: &[Mistake]) -> Out {
    Out::record(
        "ProductUpdatePayload",
        vec![("product", Out::object(product.map(Obj::Product))), user_errors("UserError", mistakes)],
    )
}

/// `productUpdate`.
pub(super) fn update(state: &mut State, args: &Args) -> Result<Out, FieldError> {
    let input = args.map("product").cloned().unwrap_or_default();
    let id = input.text("id").and_then(|id| number_of(id, "Product"));
    let Some(id) = id.filter(|id| state.products.contains_key(id)) else {
        return Ok(payload(None, &[Mistake::new(&["id"], "Product does not exist")]));
    };
    let mistakes = check(state, &input, id);
    if !mistakes.is_empty() {
        return Ok(payload(Some(id), &mistakes));
    }
    let handle = match input.given("handle") {
        Some(Some(handle)) if !handle.trim().is_empty() => Some(state.free_handle(&handle_of(&handle), id)),
        Some(_) => {
            let title = input.text("title").map(str::to_owned);
            let title = title.or_else(|| state.products.get(&id).map(|product| product.title.clone()));
            Some(state.free_handle(&handle_of(&title.unwrap_or_default()), id))
        }
        None => None,
    };
    state.change_product(id, |product| {
        apply(product, &input);
        if let Some(handle) = handle {
            product.handle = handle;
        }
    });
    for (key, join) in [("collectionsToJoin", true), ("collectionsToLeave", false)] {
        for collection in input.texts(key) {
            let collection =
                number_of(&collection, "Collection").and_then(|id| state.collections.get_mut(&id));
            if let Some(collection) = collection {
                collection.products.retain(|known| *known != id);
                if join {
                    collection.products.push(id);
                }
            }
        }
    }
    for entry in input.list("metafields").to_vec() {
        if let Some(entry) = entry.as_object() {
            super::write_metafields::put(state, metafield::Owner::Product(id), entry);
        }
    }
    Ok(payload(Some(id), &[]))
}

/// What is wrong with the fields that are given.
pub(super) fn check(state: &State, input: &Args, id: u64) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    if let Some(title) = input.given("title") {
        let title = title.unwrap_or_default();
        if title.trim().is_empty() {
            mistakes.push(Mistake::new(&["title"], "Title can't be blank"));
        } else if title.chars().count() > TITLE_LIMIT {
            mistakes.push(Mistake::new(&["title"], "Title is too long (maximum is 255 characters)"));
        }
    }
    if let Some(tags) = input.get("tags").and_then(serde_json::Value::as_array) {
        let tags: Vec<String> = tags.iter().filter_map(|tag| tag.as_str().map(str::to_owned)).collect();
        mistakes.extend(write_tags::problem(state, &write_tags::joined(&[], &tags), &["tags"]));
    }
    if let Some(Some(category)) = input.given("category")
        && !taxonomy::is_known(&category)
    {
        mistakes.push(Mistake::new(&["category"], "Invalid product_taxonomy_node_id"));
    }
    if let Some(Some(handle)) = input.given("handle") {
        let wanted = handle_of(&handle);
        if state.handles.get(&wanted).is_some_and(|other| *other != id) {
            let message = format!("Handle '{wanted}' already in use. Please provide a new handle.");
            mistakes.push(Mistake::new(&["handle"], message));
        }
    }
    mistakes
}

/// Applies the fields that are given.
pub(super) fn apply(product: &mut Product, input: &Args) {
    let put = |target: &mut String, name: &str| {
        if let Some(value) = input.given(name) {
            *target = value.unwrap_or_default();
        }
    };
    put(&mut product.title, "title");
    put(&mut product.vendor, "vendor");
    put(&mut product.product_type, "productType");
    if let Some(html) = input.given("descriptionHtml") {
        product.description_html = sanitised(&html.unwrap_or_default());
    }
    if let Some(Some(status)) = input.given("status") {
        product.status = status;
    }
    if input.contains_key("tags") {
        product.tags = write_tags::joined(&[], &input.texts("tags"));
    }
    if let Some(suffix) = input.given("templateSuffix") {
        product.template_suffix = suffix.filter(|suffix| !suffix.is_empty());
    }
    if let Some(category) = input.given("category") {
        product.category = category;
    }
    if let Some(seo) = input.map("seo") {
        let full = |text: Option<String>| text.filter(|text| !text.is_empty());
        if let Some(title) = seo.given("title") {
            product.seo_title = full(title);
        }
        if let Some(description) = seo.given("description") {
            product.seo_description = full(description);
        }
    }
}
