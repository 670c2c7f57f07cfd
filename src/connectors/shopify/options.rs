//! Options: the names that they and their values have, and nothing else of them.

use serde_json::{Value, json};

use super::documents;
use super::wire;
use super::write::Step;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Attribute, ExternalId, FieldName};

/// The most values that one mutation names: no list of an input may be longer (2026-11-22).
const MAX_AT_ONCE: usize = 250;

/// The mutations that give options other names. Variants are left as they are, but for the names that they show.
pub(super) fn of_names(
    product: &str,
    before: &[Attribute],
    after: &[Attribute],
    field: &FieldName,
) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    for (was, option) in pairs(before, after)? {
        if was.label != option.label {
            must_be_written(was)?;
            let named = json!({ "id": gid("ProductOption", option.id.as_ref())?, "name": option.label });
            steps.push(step(product, named, &[], field));
        }
    }
    Ok(steps)
}

/// The mutations that give the values of options other names.
pub(super) fn of_values(
    product: &str,
    before: &[Attribute],
    after: &[Attribute],
    field: &FieldName,
) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    for (was, option) in pairs(before, after)? {
        let names = was.values.iter().zip(&option.values).zip(&option.value_ids);
        let renamed = names
            .filter(|((was, name), _)| was != name)
            .map(|((_, name), id)| Ok(json!({ "id": gid("ProductOptionValue", Some(id))?, "name": name })));
        let renamed = renamed.collect::<Result<Vec<Value>>>()?;
        if renamed.is_empty() {
            continue;
        }
        must_be_written(was)?;
        let named = json!({ "id": gid("ProductOption", option.id.as_ref())? });
        steps.extend(renamed.chunks(MAX_AT_ONCE).map(|some| step(product, named.clone(), some, field)));
    }
    Ok(steps)
}

fn step(product: &str, option: Value, values: &[Value], field: &FieldName) -> Step {
    let variables = json!({ "product": product, "option": option, "values": values });
    Step::new(&documents::UPDATE_OPTION, "productOptionUpdate", variables, field)
}

/// The options as they were and as they shall be: the same ones, in the same order.
fn pairs<'a>(
    before: &'a [Attribute],
    after: &'a [Attribute],
) -> Result<impl Iterator<Item = (&'a Attribute, &'a Attribute)>> {
    let is_same = |(was, option): (&Attribute, &Attribute)| {
        was.id == option.id && was.value_ids == option.value_ids && was.values.len() == option.values.len()
    };
    if before.len() != after.len() || !before.iter().zip(after).all(is_same) {
        return Err(refused("options_differ", "which options and values there are is not written")
            .with_remedy("give names to options and values that are there, by their ids"));
    }
    Ok(before.iter().zip(after))
}

/// What a metafield names, and what the platform itself names, is not given a name here.
fn must_be_written(option: &Attribute) -> Result<()> {
    if option.linked == Some(true) {
        return Err(refused("option_linked", "the option is linked to a metafield, which has its names")
            .with_remedy("change the entries of the metafield in the shop"));
    }
    // A product without options of its own has this one; what a rename would make of it is UNVERIFIED.
    if option.label == "Title" && matches!(option.values.as_slice(), [only] if only == "Default Title") {
        return Err(refused("option_default", "the product has no options of its own")
            .with_remedy("give the product an option in the shop first"));
    }
    Ok(())
}

fn gid(kind: &str, id: Option<&ExternalId>) -> Result<String> {
    match id.filter(|id| wire::is_id(id)) {
        Some(id) => Ok(format!("gid://shopify/{kind}/{id}")),
        None => Err(refused("option_unknown", "an option or a value has no id")
            .with_remedy("plan again, so that the product's options are read")),
    }
}

fn refused(code: &'static str, message: &str) -> Error {
    Error::new(ErrorKind::Rejected, code, message.to_owned())
}
