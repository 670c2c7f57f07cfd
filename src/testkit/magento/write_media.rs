//! Saving pictures: one by one, and as the list of a product.
//!
//! By `Catalog/Model/Product/Gallery/GalleryManagement.php` and `ProductRepository/MediaGalleryProcessor.php` of
//! magento/magento2 (read 2026-11-30), and by the tutorial on images and store views.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::errors::ApiError;
use super::product::{GLOBAL, MediaEntry, MediaRow, Product};
use super::render::{self, ROLES};
use super::state::State;
use crate::testkit::json::Json;

/// What a field of an entry says.
enum Said<T> {
    Nothing,
    Null,
    Value(T),
}

fn said<T>(entry: &Json, name: &str, read: impl Fn(&Json) -> Option<T>) -> Said<T> {
    match entry.get(name) {
        None => Said::Nothing,
        Some(Json::Null) => Said::Null,
        Some(value) => read(value).map_or(Said::Nothing, Said::Value),
    }
}

/// `PUT /V1/products/{sku}/media/{entryId}`: the id of the body decides, not that of the path.
pub(super) fn update(state: &mut State, sku: &str, body: &Json, view: u64) -> Result<Json, ApiError> {
    let id = state.id_of(sku)?;
    let entry = body.get("entry").filter(|entry| entry.as_object().is_some());
    let entry = entry.ok_or_else(|| ApiError::required("entry"))?.clone();
    check_required(state, &entry)?;
    let mut product = state.products.get(&id).cloned().ok_or_else(ApiError::no_product)?;
    let entry_id = entry.get("id").and_then(Json::as_id).unwrap_or(0);
    if product.picture(entry_id).is_none() {
        return Err(ApiError::new(
            404,
            "No image with the provided ID was found. Verify the ID and try again.",
        ));
    }
    change(state, &mut product, entry_id, &entry, view);
    finish(state, product, view);
    Ok(Json::Bool(true))
}

/// `POST /V1/products/{sku}/media`.
pub(super) fn add(state: &mut State, sku: &str, body: &Json, view: u64) -> Result<Json, ApiError> {
    let id = state.id_of(sku)?;
    let entry = body.get("entry").filter(|entry| entry.as_object().is_some());
    let entry = entry.ok_or_else(|| ApiError::required("entry"))?.clone();
    check_required(state, &entry)?;
    let mut product = state.products.get(&id).cloned().ok_or_else(ApiError::no_product)?;
    let new = insert(state, &mut product, &entry, view)?;
    finish(state, product, view);
    Ok(Json::from(new))
}

/// `DELETE /V1/products/{sku}/media/{entryId}`: the picture goes in all views.
pub(super) fn remove(state: &mut State, sku: &str, entry: u64) -> Result<Json, ApiError> {
    let id = state.id_of(sku)?;
    let mut product = state.products.get(&id).cloned().ok_or_else(ApiError::no_product)?;
    if product.picture(entry).is_none() {
        return Err(ApiError::new(
            404,
            "No image with the provided ID was found. Verify the ID and try again.",
        ));
    }
    drop_entry(&mut product, entry);
    finish(state, product, GLOBAL);
    Ok(Json::Bool(true))
}

/// Keeps the product. Its date moves with pictures only where a condition says so.
fn finish(state: &mut State, mut product: Product, view: u64) {
    if state.conditions.media_moves_clock {
        product.updated = state.now;
    }
    let id = product.id;
    state.products.insert(id, product);
    state.happened("save", id, false, view);
}

fn check_required(state: &State, entry: &Json) -> Result<(), ApiError> {
    if !state.conditions.media_fields_required {
        return Ok(());
    }
    let missing = ["media_type", "label", "position", "disabled", "types"]
        .into_iter()
        .find(|name| entry.get(name).is_none());
    missing.map_or(Ok(()), |name| Err(ApiError::required(name)))
}

fn change(state: &State, product: &mut Product, id: u64, entry: &Json, view: u64) {
    let nulls_inherit = !state.conditions.copies_media;
    if let Some(known) = product.media.iter_mut().find(|known| known.id == id) {
        let row = known.rows.entry(view).or_default();
        let text = |value: &Json| value.as_str().map(str::to_owned);
        // A field that is null, or that is not sent, is back at the default, from 2.4.9 on.
        match said(entry, "label", text) {
            Said::Value(label) => row.label = Some(label),
            Said::Null | Said::Nothing if nulls_inherit || view == GLOBAL => row.label = None,
            Said::Null | Said::Nothing => row.label = Some(String::new()),
        }
        match said(entry, "position", Json::as_int) {
            Said::Value(position) => row.position = Some(position),
            Said::Null | Said::Nothing if nulls_inherit && view != GLOBAL => row.position = None,
            Said::Null | Said::Nothing => row.position = Some(0),
        }
        match said(entry, "disabled", Json::as_bool) {
            Said::Value(disabled) => row.disabled = Some(disabled),
            Said::Null | Said::Nothing if nulls_inherit && view != GLOBAL => row.disabled = None,
            Said::Null | Said::Nothing => row.disabled = Some(false),
        }
        if let Some(file) = entry.get("file").and_then(Json::as_str).filter(|file| !file.is_empty()) {
            file.clone_into(&mut known.file);
        }
    }
    set_roles(product, id, entry, view);
}

/// Gives a picture the roles that are sent, and takes the others; nothing sent means none.
fn set_roles(product: &mut Product, id: u64, entry: &Json, view: u64) {
    let types: Vec<String> = entry
        .get("types")
        .and_then(Json::as_array)
        .unwrap_or_default()
        .iter()
        .filter_map(|role| role.as_str().map(str::to_owned))
        .collect();
    let Some(picture) = product.picture(id).cloned() else { return };
    let has = render::roles(product, &picture, view);
    for role in ROLES {
        match (types.iter().any(|kind| kind == role), has.contains(&role)) {
            (true, false) => product.set(view, role, picture.file.clone()),
            (false, true) => product.set(view, role, "no_selection"),
            _ => {}
        }
    }
}

/// Adds a picture from its bytes.
fn insert(state: &mut State, product: &mut Product, entry: &Json, view: u64) -> Result<u64, ApiError> {
    let content = entry.get("content");
    let text = |name: &str| content.and_then(|c| c.get(name)).and_then(Json::as_str).unwrap_or_default();
    let data = text("base64_encoded_data");
    if data.is_empty() || STANDARD.decode(data).is_err() || !text("type").starts_with("image/") {
        return Err(ApiError::bad("The image content is invalid. Verify the content and try again."));
    }
    let name: String = text("name").to_lowercase().replace(' ', "_");
    let mut letters = name.chars();
    let (first, second) = (letters.next().unwrap_or('_'), letters.next().unwrap_or('_'));
    let id = state.take_id();
    let place = i64::try_from(product.media.len()).unwrap_or(0) + 1;
    product.media.push(MediaEntry::new(id, &format!("/{first}/{second}/{name}"), place));
    change(state, product, id, entry, GLOBAL);
    if view != GLOBAL {
        // A picture that is added at a view has its label there alone.
        if let Some(known) = product.media.iter_mut().find(|known| known.id == id) {
            let label = known.rows.get_mut(&GLOBAL).and_then(|row| row.label.take());
            known.rows.insert(view, MediaRow { label, ..MediaRow::default() });
        }
    }
    Ok(id)
}

fn drop_entry(product: &mut Product, id: u64) {
    let Some(at) = product.media.iter().position(|entry| entry.id == id) else { return };
    let gone = product.media.remove(at);
    for values in product.values.values_mut() {
        for role in ROLES {
            if let Some(value) = values.get_mut(role).filter(|value| **value == gone.file) {
                "no_selection".clone_into(value);
            }
        }
    }
}

/// `media_gallery_entries` of a product's save: what the list lacks is removed, in all views.
pub(super) fn save_gallery(
    state: &mut State,
    product: &mut Product,
    entries: Option<&Json>,
    view: u64,
) -> Result<(), ApiError> {
    let entries = match entries {
        Some(Json::Array(entries)) => Some(entries),
        _ => None,
    };
    let Some(entries) = entries else {
        // Before 2.4.9, any save at a view wrote the view's labels, places and switches down.
        if state.conditions.copies_media && view != GLOBAL {
            for entry in &mut product.media {
                let row = MediaRow {
                    label: entry.label(view),
                    position: Some(entry.position(view)),
                    disabled: Some(entry.disabled(view)),
                };
                entry.rows.insert(view, row);
            }
        }
        return Ok(());
    };
    let sent: Vec<u64> = entries.iter().filter_map(|entry| entry.get("id").and_then(Json::as_id)).collect();
    let gone: Vec<u64> = product.media.iter().map(|entry| entry.id).filter(|id| !sent.contains(id)).collect();
    for id in gone {
        drop_entry(product, id);
    }
    for entry in entries {
        match entry.get("id").and_then(Json::as_id).filter(|id| product.picture(*id).is_some()) {
            Some(id) => change(state, product, id, entry, view),
            None => {
                insert(state, product, entry, view)?;
            }
        }
    }
    Ok(())
}
