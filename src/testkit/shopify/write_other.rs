//! `publishablePublish` and `inventorySetQuantities`.

use std::time::Duration;

use super::args::IDEMPOTENT;
use super::errors::FieldError;
use super::resolve;
use super::state::State;
use super::value::{Args, Obj, Out, Read, gid, number_of};
use super::write_product::{Mistake, user_errors};
use twox_hash::XxHash3_64;

/// How long keys of `@idempotent` are kept.
const KEY_LIFE: Duration = Duration::from_secs(86_400);

/// `publishablePublish`.
pub(super) fn publish(state: &mut State, args: &Args) -> Result<Out, FieldError> {
    let payload = |found: Option<Obj>, mistakes: &[Mistake]| {
        Ok(Out::record(
            "PublishablePublishPayload",
            vec![
                ("publishable", Out::object(found)),
                ("shop", Out::Object(Obj::Shop)),
                user_errors("UserError", mistakes),
            ],
        ))
    };
    let Some(Obj::Product(id)) = resolve::node(state, args.text("id").unwrap_or_default()) else {
        return payload(None, &[Mistake::new(&["id"], "Resource does not exist")]);
    };
    let mut wanted = Vec::new();
    for entry in args.list("input").iter().filter_map(|it| it.as_object()) {
        match entry.text("publicationId").and_then(|id| number_of(id, "Publication")) {
            Some(publication) if publication <= 2 => wanted.push(publication),
            _ => {
                return payload(
                    None,
                    &[Mistake::new(&["input", "0", "publicationId"], "Publication does not exist")],
                );
            }
        }
    }
    let now = state.now;
    state.change_product(id, |product| {
        product.publications.extend(wanted);
        product.publications.sort_unstable();
        product.publications.dedup();
        product.published_at.get_or_insert(now);
    });
    payload(Some(Obj::Product(id)), &[])
}

/// `inventorySetQuantities`, which needs `@idempotent` though the schema does not say so.
pub(super) fn set_quantities(state: &mut State, args: &Args) -> Result<Out, FieldError> {
    let payload = |group: Out, mistakes: &[Mistake]| {
        Out::record(
            "InventorySetQuantitiesPayload",
            vec![
                ("inventoryAdjustmentGroup", group),
                user_errors("InventorySetQuantitiesUserError", mistakes),
            ],
        )
    };
    let Some(key) = args.text(IDEMPOTENT).map(str::to_owned) else {
        return Err(FieldError::coded(
            "The @idempotent directive is required for this mutation.",
            "BAD_REQUEST",
        ));
    };
    let input = args.map("input").cloned().unwrap_or_default();
    let hash = XxHash3_64::oneshot(serde_json::Value::Object(input.clone()).to_string().as_bytes());
    if let Some((at, known, out)) = state.idempotent.get(&key)
        && state.now.since(*at) < KEY_LIFE
    {
        if *known == hash {
            return Ok(out.clone());
        }
        let message = "The same idempotency key cannot be used with different operation parameters.";
        let mistake = Mistake::coded(&[], "IDEMPOTENCY_KEY_PARAMETER_MISMATCH", message);
        return Ok(payload(Out::NULL, &[mistake]));
    }
    let mut changes = Vec::new();
    let mut mistakes = Vec::new();
    for (at, entry) in input.list("quantities").iter().filter_map(|it| it.as_object()).enumerate() {
        let index = at.to_string();
        let mut wrong = |name: &str, code: &'static str, message: &str| {
            mistakes.push(Mistake::coded(&["input", "quantities", &index, name], code, message));
        };
        let item = entry.text("inventoryItemId").and_then(|id| number_of(id, "InventoryItem"));
        let variant = item.and_then(|item| state.items.get(&item)).and_then(|id| state.variants.get(id));
        let Some(variant) = variant else {
            wrong(
                "inventoryItemId",
                "INVALID_INVENTORY_ITEM",
                "The specified inventory item could not be found.",
            );
            continue;
        };
        if entry.text("locationId").and_then(|id| number_of(id, "Location")) != Some(super::shop::LOCATION) {
            wrong("locationId", "INVALID_LOCATION", "The specified location could not be found.");
        } else if !entry.contains_key("changeFromQuantity") {
            return Err(FieldError::coded(
                "changeFromQuantity must be given, null for no check.",
                "BAD_REQUEST",
            ));
        } else if entry.int("changeFromQuantity").is_some_and(|known| known != variant.quantity) {
            wrong(
                "changeFromQuantity",
                "CHANGE_FROM_QUANTITY_STALE",
                "The quantity has changed since it was read.",
            );
        } else if entry.int("quantity").is_none_or(|quantity| quantity < 0) {
            wrong("quantity", "INVALID_QUANTITY_NEGATIVE", "The quantity can't be negative.");
        }
        changes.push((variant.id, entry.int("quantity").unwrap_or_default()));
    }
    if !mistakes.is_empty() {
        return Ok(payload(Out::NULL, &mistakes));
    }
    let now = state.now;
    for (id, quantity) in changes {
        if let Some(variant) = state.variants.get_mut(&id) {
            variant.quantity = quantity;
            variant.updated_at = now;
            let product = variant.product;
            state.change_product(product, |_| ());
        }
    }
    let group = Out::record(
        "InventoryAdjustmentGroup",
        vec![
            ("id", Out::text(gid("InventoryAdjustmentGroup", state.take_id()))),
            ("createdAt", Out::time(now)),
            ("reason", Out::text(input.text("reason").unwrap_or_default())),
            ("referenceDocumentUri", Out::maybe(input.text("referenceDocumentUri"))),
        ],
    );
    let out = payload(group, &[]);
    state.idempotent.insert(key, (now, hash, out.clone()));
    Ok(out)
}
