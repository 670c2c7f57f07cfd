//! `metafieldsSet` and `metafieldsDelete`.

use std::collections::BTreeSet;

use super::errors::FieldError;
use super::metafield::{self, Metafield, Owner, namespace};
use super::state::State;
use super::value::{Args, Obj, Out, Read};
use super::write_product::{Mistake, user_errors};

/// The most metafields of one call, and the most bytes of all values.
const SET_LIMIT: usize = 25;
const SET_BYTES: usize = 10 << 20;

/// Puts a metafield in, over one of the same namespace and key; gives its id.
pub(super) fn put(state: &mut State, owner: Owner, entry: &Args) -> u64 {
    let namespace = namespace(state, entry.text("namespace"));
    let key = entry.text("key").unwrap_or_default().to_owned();
    let value = entry.text("value").unwrap_or_default().to_owned();
    let now = state.now;
    let fresh = state.take_id();
    let all = state.metafields.entry(owner).or_default();
    if let Some(known) = all.iter_mut().find(|known| known.namespace == namespace && known.key == key) {
        if let Some(kind) = entry.text("type") {
            kind.clone_into(&mut known.kind);
        }
        if known.value != value {
            known.value = value;
            known.updated_at = now;
        }
        return known.id;
    }
    let kind = entry.text("type").unwrap_or("single_line_text_field");
    all.push(Metafield::new(fresh, &namespace, &key, kind, &value, now));
    state.metafield_owners.insert(fresh, owner);
    fresh
}

fn known<'a>(state: &'a State, owner: Owner, entry: &Args) -> Option<&'a Metafield> {
    let namespace = namespace(state, entry.text("namespace"));
    let key = entry.text("key").unwrap_or_default();
    let all = state.metafields.get(&owner)?;
    all.iter().find(|metafield| metafield.namespace == namespace && metafield.key == key)
}

fn entries(args: &Args) -> Vec<Args> {
    args.list("metafields").iter().filter_map(|entry| entry.as_object().cloned()).collect()
}

/// Owners that are products move when their metafields do.
fn touch(state: &mut State, owners: BTreeSet<Owner>) {
    let mut products = BTreeSet::new();
    let now = state.now;
    for owner in owners {
        match owner {
            Owner::Product(id) => {
                products.insert(id);
            }
            Owner::Variant(id) => {
                if let Some(variant) = state.variants.get_mut(&id) {
                    variant.updated_at = now;
                    products.insert(variant.product);
                }
            }
            Owner::Collection(_) | Owner::Shop => {}
        }
    }
    for id in products {
        state.change_product(id, |_| ());
    }
}

/// `metafieldsSet`: all or nothing.
pub(super) fn set(state: &mut State, args: &Args) -> Result<Out, FieldError> {
    let entries = entries(args);
    let payload = |metafields: Out, mistakes: &[Mistake]| {
        Out::record(
            "MetafieldsSetPayload",
            vec![("metafields", metafields), user_errors("MetafieldsSetUserError", mistakes)],
        )
    };
    if entries.len() > SET_LIMIT {
        let message = "Exceeded the maximum metafields input limit of 25.";
        let mistake = Mistake::coded(&["metafields"], "LESS_THAN_OR_EQUAL_TO", message);
        return Ok(payload(Out::NULL, &[mistake]));
    }
    let bytes: usize = entries.iter().filter_map(|entry| entry.text("value")).map(str::len).sum();
    if bytes > SET_BYTES {
        let mistake = Mistake::coded(&["metafields"], "TOO_LONG", "The input is larger than 10 MB.");
        return Ok(payload(Out::NULL, &[mistake]));
    }
    let mut mistakes = Vec::new();
    let mut owners = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        match check(state, entry, at) {
            Ok(owner) => owners.push(owner),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    if !mistakes.is_empty() {
        return Ok(payload(Out::NULL, &mistakes));
    }
    let mut done = Vec::new();
    let mut moved = BTreeSet::new();
    for (owner, entry) in owners.into_iter().zip(&entries) {
        let before = known(state, owner, entry).cloned();
        let id = put(state, owner, entry);
        if before.as_ref() != metafield::find(state, id).map(|(_, metafield)| metafield) {
            moved.insert(owner);
        }
        done.push(Obj::Metafield(id));
    }
    touch(state, moved);
    Ok(payload(Out::list(done), &[]))
}

fn check(state: &State, entry: &Args, at: usize) -> Result<Owner, Mistake> {
    let index = at.to_string();
    let wrong = |name: &str, code: &'static str, message: &str| {
        Err(Mistake::coded(&["metafields", &index, name], code, message).at(at))
    };
    let Some(owner) = Owner::of(state, entry.text("ownerId").unwrap_or_default()) else {
        return wrong("ownerId", "INVALID", "Owner does not exist.");
    };
    let key = entry.text("key").unwrap_or_default();
    if key.chars().count() < 2 {
        return wrong("key", "TOO_SHORT", "Key is too short (minimum is 2 characters)");
    }
    if key.chars().count() > 64 {
        return wrong("key", "TOO_LONG", "Key is too long (maximum is 64 characters)");
    }
    let current = known(state, owner, entry);
    let kind = entry.text("type").or(current.map(|metafield| metafield.kind.as_str()));
    let Some(kind) = kind else {
        return wrong("type", "BLANK", "Type can't be blank");
    };
    if current.is_some_and(|metafield| metafield.kind != kind) && kind != "json" {
        return wrong("type", "INVALID_TYPE", "Type can't be changed by a value of another type.");
    }
    let value = entry.text("value").unwrap_or_default();
    if let Some((code, message)) = metafield::problem(kind, value) {
        let name = if code == "INVALID_TYPE" { "type" } else { "value" };
        return Err(Mistake::coded(&["metafields", &index, name], code, message).at(at));
    }
    // Absent and null are two things: without it nothing is checked, with null the metafield must be new.
    match (entry.given("compareDigest"), current) {
        (None, _) | (Some(None), None) => Ok(owner),
        (Some(Some(digest)), _)
            if digest.len() != 64 || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) =>
        {
            wrong("compareDigest", "INVALID_COMPARE_DIGEST", "The compareDigest is invalid.")
        }
        (Some(Some(digest)), Some(metafield)) if digest == metafield.compare_digest() => Ok(owner),
        (Some(_), _) => wrong(
            "compareDigest",
            "STALE_OBJECT",
            "The resource has been updated since it was loaded. Try again with an updated `compareDigest` value.",
        ),
    }
}

/// `metafieldsDelete`: what is not there is null in the answer.
pub(super) fn delete(state: &mut State, args: &Args) -> Result<Out, FieldError> {
    let mut done = Vec::new();
    let mut moved = BTreeSet::new();
    let mut mistakes = Vec::new();
    for (at, entry) in entries(args).iter().enumerate() {
        let index = at.to_string();
        let Some(owner) = Owner::of(state, entry.text("ownerId").unwrap_or_default()) else {
            mistakes.push(Mistake::new(&["metafields", &index, "ownerId"], "Owner does not exist"));
            done.push(Out::NULL);
            continue;
        };
        let Some(found) = known(state, owner, entry).map(|metafield| metafield.id) else {
            done.push(Out::NULL);
            continue;
        };
        if let Some(all) = state.metafields.get_mut(&owner) {
            all.retain(|metafield| metafield.id != found);
        }
        state.metafield_owners.remove(&found);
        moved.insert(owner);
        let text = |name: &str| Out::text(entry.text(name).unwrap_or_default());
        done.push(Out::record(
            "MetafieldIdentifier",
            vec![("ownerId", text("ownerId")), ("namespace", text("namespace")), ("key", text("key"))],
        ));
    }
    touch(state, moved);
    Ok(Out::record(
        "MetafieldsDeletePayload",
        vec![("deletedMetafields", Out::List(done)), user_errors("UserError", &mistakes)],
    ))
}
