//! `tagsAdd` and `tagsRemove`: tags are told apart without case, and kept in alphabetical order.

use super::errors::FieldError;
use super::resolve;
use super::state::State;
use super::value::{Args, Obj, Out, Read};
use super::write_product::{Mistake, user_errors};

/// The most tags of a product below the large plan, and the longest tag.
const TAG_LIMIT: usize = 250;
const TAG_LENGTH: usize = 255;

/// Tags with others added; of tags that differ in case only the first stays.
pub(super) fn joined(tags: &[String], more: &[String]) -> Vec<String> {
    let mut all: Vec<String> = Vec::with_capacity(tags.len() + more.len());
    // A tag may come as several, with commas between them.
    let more = more.iter().flat_map(|tag| tag.split(','));
    for tag in tags.iter().map(String::as_str).chain(more).map(str::trim).filter(|tag| !tag.is_empty()) {
        if !all.iter().any(|known| known.to_lowercase() == tag.to_lowercase()) {
            all.push(tag.to_owned());
        }
    }
    all.sort_by_key(|tag| tag.to_lowercase());
    all
}

/// What is wrong with a list of tags.
pub(super) fn problem(state: &State, tags: &[String], field: &[&str]) -> Option<Mistake> {
    if tags.iter().any(|tag| tag.chars().count() > TAG_LENGTH) {
        return Some(Mistake::new(field, "Tags exceed 255 characters"));
    }
    if tags.len() > TAG_LIMIT && !state.shop.plus {
        return Some(Mistake::new(field, "Product tags cannot exceed 250"));
    }
    None
}

/// `tagsAdd` and `tagsRemove`.
pub(super) fn change(state: &mut State, name: &str, args: &Args) -> Result<Out, FieldError> {
    let (adds, type_name) =
        if name == "tagsAdd" { (true, "TagsAddPayload") } else { (false, "TagsRemovePayload") };
    let payload = |node: Option<Obj>, mistakes: &[Mistake]| {
        Ok(Out::record(type_name, vec![("node", Out::object(node)), user_errors("UserError", mistakes)]))
    };
    let id = args.text("id").unwrap_or_default();
    let found = match resolve::node(state, id) {
        Some(Obj::Product(id)) => state.products.get(&id).map(|product| (id, product.tags.clone())),
        _ => None,
    };
    let Some((id, tags)) = found else {
        return payload(None, &[Mistake::new(&["id"], "Product does not exist")]);
    };
    let given = joined(&[], &args.texts("tags"));
    let changed = if adds {
        joined(&tags, &given)
    } else {
        let gone = |tag: &String| given.iter().any(|other| other.to_lowercase() == tag.to_lowercase());
        tags.iter().filter(|tag| !gone(tag)).cloned().collect()
    };
    if adds && let Some(mistake) = problem(state, &changed, &["tags"]) {
        return payload(None, &[mistake]);
    }
    if changed != tags {
        state.change_product(id, |product| product.tags = changed);
    }
    payload(Some(Obj::Product(id)), &[])
}
