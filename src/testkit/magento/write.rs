//! Saving a product, with what a save at a view does to values that the view inherits.
//!
//! By `Catalog/Model/ProductRepository.php` of mage-os/mageos-magento2, `Eav/Model/ResourceModel/UpdateHandler.php`
//! and `Webapi/Controller/Rest/ParamsOverrider.php` of magento/magento2 (read 2026-11-30).

use super::attribute::{Attribute, Scope};
use super::errors::ApiError;
use super::inventory;
use super::product::{CategoryLink, ConfigurableOption, GLOBAL, Product};
use super::render::ROLES;
use super::settings::Conditions;
use super::state::{State, url_key};
use super::write_media;
use crate::testkit::json::Json;

/// The most characters of a SKU, and of a value of a `varchar` attribute.
const SKU_LENGTH: usize = 64;
const VARCHAR_LENGTH: usize = 255;

/// What a call says of one attribute.
#[derive(Debug, Clone, PartialEq)]
struct Sent {
    code: String,
    /// `None` for `null`.
    value: Option<String>,
    /// Whether it came as a number, which is never identical to what the database holds.
    typed: bool,
}

/// `POST /V1/products` and `PUT /V1/products/{sku}`: makes or changes a product; gives its id.
///
/// `sku` is the path's. It takes the place of the body's where `product` is all that the body has.
pub(super) fn save(state: &mut State, view: u64, body: &Json, sku: Option<&str>) -> Result<u64, ApiError> {
    let item = body.get("product").filter(|item| item.as_object().is_some());
    let item = item.ok_or_else(|| ApiError::required("product"))?;
    check_lists(item, &state.conditions)?;
    let alone = body.as_object().is_some_and(|entries| entries.len() == 1);
    let of_body = item.get("sku").and_then(Json::as_str).filter(|sku| !sku.is_empty());
    let sku = sku.filter(|_| alone).or(of_body);
    let sku = sku.ok_or_else(|| {
        ApiError::bad("The \"%1\" attribute value is empty. Set the attribute and try again.").list(["sku"])
    })?;
    if sku.chars().count() > SKU_LENGTH {
        return Err(ApiError::bad("SKU length should be %1 characters maximum.").list(["64"]));
    }
    let by_id = item.get("id").and_then(Json::as_id).filter(|id| state.products.contains_key(id));
    let twin = state.twins.contains(&sku.to_lowercase());
    let found = by_id.or_else(|| state.by_sku(sku).map(|product| product.id).filter(|_| !twin));
    let mut product = match found {
        Some(id) => state.products.get(&id).cloned().ok_or_else(ApiError::no_product)?,
        None => new_product(state, view, item)?,
    };
    let new = found.is_none();
    let old_sku = std::mem::replace(&mut product.sku, sku.to_owned());
    let mut sent = sent(state, &product, item)?;
    if new {
        complete(&mut sent);
    }
    let scope = if new { GLOBAL } else { view };
    check_values(state, &product, &sent, scope)?;
    check_required(state, &product, &sent, scope)?;
    let before = product.clone();
    if view != GLOBAL && !new {
        settle_inherited(state, &mut product, &before, &sent, view);
    }
    for one in &sent {
        store(state, &mut product, &before, one, scope);
    }
    if let Some(extension) = item.get("extension_attributes") {
        extend(state, &mut product, extension)?;
    }
    let lists = [
        ("product_links", &mut product.links),
        ("options", &mut product.options),
        ("tier_prices", &mut product.tier_prices),
    ];
    for (name, list) in lists {
        // A list that is sent takes the place of the old one.
        if let Some(items) = item.get(name).and_then(Json::as_array) {
            *list = items.to_vec();
        }
    }
    write_media::save_gallery(state, &mut product, item.get("media_gallery_entries"), view)?;
    product.updated = state.now;
    let id = product.id;
    if product.sku != old_sku {
        state.inventory.forget(&old_sku);
    }
    state.inventory.set(&product.sku, "default", product.stock.qty, product.stock.in_stock);
    state.products.insert(id, product);
    state.happened("save", id, new, view);
    Ok(id)
}

/// A list of a body may be limited.
fn check_lists(item: &Json, conditions: &Conditions) -> Result<(), ApiError> {
    let Some(limit) = conditions.input_limit else { return Ok(()) };
    let types = [
        ("custom_attributes", "Magento\\Framework\\Api\\AttributeInterface[]"),
        (
            "media_gallery_entries",
            "Magento\\Catalog\\Api\\Data\\ProductAttributeMediaGalleryEntryInterface[]",
        ),
        ("product_links", "Magento\\Catalog\\Api\\Data\\ProductLinkInterface[]"),
    ];
    for (name, kind) in types {
        if item.get(name).and_then(Json::as_array).is_some_and(|items| items.len() > limit) {
            let error = ApiError::bad("Maximum items of type \"%type\" is %max")
                .named([("type", kind.to_owned()), ("max", limit.to_string())]);
            return Err(if conditions.limits_filled_in { error.filled() } else { error });
        }
    }
    Ok(())
}

fn new_product(state: &mut State, view: u64, item: &Json) -> Result<Product, ApiError> {
    let set = item.get("attribute_set_id").and_then(Json::as_id);
    let set = set.filter(|set| state.sets.iter().any(|known| known.id == *set)).ok_or_else(|| {
        ApiError::bad("Invalid product data: %1").list(["Invalid attribute set entity type"])
    })?;
    let id = state.take_product_id();
    let mut product = Product::new(id, "", state.now);
    product.attribute_set_id = set;
    let kind = item.get("type_id").and_then(Json::as_str).unwrap_or("simple");
    kind.clone_into(&mut product.type_id);
    product.websites = match state.views.iter().find(|known| known.id == view) {
        Some(view) => vec![view.website],
        None => state.websites.iter().map(|website| website.id).collect(),
    };
    Ok(product)
}

/// What a call says of attributes. Those that nobody knows, or that the product's set lacks, are passed over.
fn sent(state: &State, product: &Product, item: &Json) -> Result<Vec<Sent>, ApiError> {
    let mut pairs: Vec<(String, &Json, bool)> = Vec::new();
    for code in ["name", "price", "status", "visibility", "weight"] {
        // A field that is null is as one that was not sent.
        if let Some(value) = item.get(code).filter(|value| **value != Json::Null) {
            pairs.push((code.to_owned(), value, code != "name"));
        }
    }
    for entry in item.get("custom_attributes").and_then(Json::as_array).unwrap_or_default() {
        let code = entry.get("attribute_code").and_then(Json::as_str);
        let code = code.ok_or_else(|| ApiError::required("attribute_code"))?;
        let value =
            entry.get("value").filter(|value| **value != Json::Null || !state.conditions.refuses_null);
        let value =
            value.ok_or_else(|| ApiError::bad("Value is not set for attribute code \"%1\"").list([code]))?;
        pairs.push((code.to_owned(), value, false));
    }
    let mut sent: Vec<Sent> = Vec::new();
    for (code, value, typed) in pairs {
        let Some(attribute) = state.attribute(&code).filter(|a| state.set_has(product.attribute_set_id, a))
        else {
            continue;
        };
        let value = text(attribute, value)?;
        sent.retain(|known| known.code != code);
        sent.push(Sent { code, value, typed });
    }
    Ok(sent)
}

/// A value as the database holds it.
fn text(attribute: &Attribute, value: &Json) -> Result<Option<String>, ApiError> {
    let text = match value {
        Json::Null => return Ok(None),
        Json::Array(_) => return Err(ApiError::wrong_type("array", "string")),
        Json::Object(_) => return Err(ApiError::wrong_type("array", "string")),
        Json::Bool(on) => String::from(if *on { "1" } else { "0" }),
        Json::Int(number) => number.to_string(),
        Json::Float(number) => number.to_string(),
        Json::String(text) => text.clone(),
    };
    Ok(Some(match attribute.backend.as_str() {
        _ if attribute.code == "url_key" => url_key(&text),
        "decimal" => text.trim().parse::<f64>().map_or(text, |number| format!("{number:.6}")),
        _ => text,
    }))
}

/// What a new product gets where the call does not say.
fn complete(sent: &mut Vec<Sent>) {
    let mut add = |code: &str, value: String| {
        if !sent.iter().any(|known| known.code == code) {
            sent.push(Sent { code: code.to_owned(), value: Some(value), typed: false });
        }
    };
    add("status", "1".to_owned());
    add("visibility", "4".to_owned());
    add("tax_class_id", "2".to_owned());
    add("options_container", "container2".to_owned());
    let name = sent.iter().find(|one| one.code == "name").and_then(|one| one.value.clone());
    if let Some(name) = name
        && !sent.iter().any(|one| one.code == "url_key")
    {
        sent.push(Sent { code: "url_key".to_owned(), value: Some(url_key(&name)), typed: false });
    }
}

/// A product must have all that its set requires, also what the call does not name.
fn check_required(state: &State, product: &Product, sent: &[Sent], view: u64) -> Result<(), ApiError> {
    let optional = |code: &str| code == "sku" || (code == "price" && product.type_id == "configurable");
    for attribute in state.attributes.iter().filter(|a| a.required && !optional(&a.code)) {
        if !state.set_has(product.attribute_set_id, attribute) {
            continue;
        }
        let code = attribute.code.as_str();
        let value = match sent.iter().find(|one| one.code == code) {
            Some(Sent { value: Some(value), .. }) => Some(value.as_str()),
            // Without its own value, a view has the global one.
            Some(_) if view != GLOBAL => product.own(GLOBAL, code),
            Some(_) => None,
            None => product.value(view, code),
        };
        if value.is_none_or(str::is_empty) {
            return Err(ApiError::bad("The value of attribute \"%1\" must be set.").list([code]));
        }
    }
    Ok(())
}

fn check_values(state: &State, product: &Product, sent: &[Sent], view: u64) -> Result<(), ApiError> {
    // What the database refuses comes without a reason.
    let refused = || ApiError::bad("The product was unable to be saved. Please try again.");
    for one in sent {
        let Some(attribute) = state.attribute(&one.code) else { continue };
        let value = one.value.as_deref().unwrap_or_default();
        let number = !value.is_empty() && value.parse::<f64>().is_err();
        if matches!(attribute.backend.as_str(), "int" | "decimal") && number {
            return Err(refused());
        }
        if attribute.backend == "varchar" && value.chars().count() > VARCHAR_LENGTH {
            return Err(refused());
        }
        let twin = state.twins.contains(&product.sku.to_lowercase());
        let keyed = one.code == "url_key" && !value.is_empty() && !twin;
        if keyed && state.url_key_taken(value, &[view], product.id) {
            return Err(ApiError::bad("URL key for specified store already exists."));
        }
        if keyed && state.address_taken(value, &[view]) {
            return Err(ApiError::bad(
                "The value specified in the URL Key field would generate a URL that already exists.",
            ));
        }
    }
    Ok(())
}

/// What a save at a view does to the values that were not sent.
///
/// Newer releases put back to "Use Default Value" what the call did not change, but only where the product is
/// in more than one view or in exactly one website, and never lists. Older ones write all of it into the view.
fn settle_inherited(state: &State, product: &mut Product, before: &Product, sent: &[Sent], view: u64) {
    let stores: usize = before.websites.iter().map(|website| state.views_of(*website).count()).sum();
    let resets = !state.conditions.copies_inherited && (stores > 1 || before.websites.len() == 1);
    for attribute in &state.attributes {
        let of_view = attribute.scope != Scope::Global && attribute.backend != "static";
        let list = attribute.input == "multiselect" && state.conditions.multiselect_lists;
        if !of_view || before.is_overridden(view, &attribute.code) || (resets && !list) {
            continue;
        }
        if sent.iter().any(|one| one.code == attribute.code) {
            continue;
        }
        let Some(inherited) = before.value(view, &attribute.code).map(str::to_owned) else { continue };
        for scope in state.scopes_of_save(attribute.scope, view) {
            product.set(scope, &attribute.code, inherited.clone());
        }
    }
}

/// Writes one value at a scope.
fn store(state: &State, product: &mut Product, before: &Product, one: &Sent, view: u64) {
    let Some(attribute) = state.attribute(&one.code).filter(|attribute| attribute.backend != "static") else {
        return;
    };
    let stores: usize = before.websites.iter().map(|website| state.views_of(*website).count()).sum();
    let resets = !state.conditions.copies_inherited && (stores > 1 || before.websites.len() == 1);
    let scoped = view != GLOBAL && attribute.scope != Scope::Global;
    let same = before.value(view, &one.code) == one.value.as_deref() && !one.typed;
    // Image roles that are sent are kept, and all else that is as inherited stays inherited.
    let role = ROLES.contains(&one.code.as_str()) && one.code != "swatch_image";
    if scoped && resets && same && !role && !before.is_overridden(view, &one.code) {
        return;
    }
    for scope in state.scopes_of_save(attribute.scope, view) {
        match one.value.as_deref() {
            Some("") if attribute.keeps_empty_text() => product.set(scope, &one.code, ""),
            None | Some("") => product.unset(scope, &one.code),
            Some(value) => product.set(scope, &one.code, value),
        }
    }
}

/// What stands in `extension_attributes`.
fn extend(state: &mut State, product: &mut Product, extension: &Json) -> Result<(), ApiError> {
    if let Some(ids) = extension.get("website_ids").and_then(Json::as_array) {
        product.websites = ids.iter().filter_map(Json::as_id).collect();
    }
    if let Some(links) = extension.get("category_links").and_then(Json::as_array) {
        let mut new =
            if state.conditions.merges_categories { product.categories.clone() } else { Vec::new() };
        for link in links {
            let id =
                link.get("category_id").and_then(Json::as_id).filter(|id| state.categories.contains_key(id));
            let category = id.ok_or_else(|| {
                let asked = link.get("category_id").and_then(Json::as_str).unwrap_or_default();
                ApiError::no_entity("id", asked)
            })?;
            let position = link.get("position").and_then(Json::as_int).unwrap_or(0);
            new.retain(|known: &CategoryLink| known.category != category);
            new.push(CategoryLink { category, position });
        }
        product.categories = new;
    }
    if let Some(item) = extension.get("stock_item") {
        inventory::apply(product, item);
    }
    if let Some(options) = extension.get("configurable_product_options").and_then(Json::as_array) {
        let mut new = Vec::new();
        for option in options {
            let id = option.get("id").and_then(Json::as_id);
            new.push(read_option(option, id.unwrap_or_else(|| state.take_id())));
        }
        product.configurable = new;
    }
    if let Some(children) = extension.get("configurable_product_links").and_then(Json::as_array) {
        product.children = children.iter().filter_map(Json::as_id).collect();
    }
    Ok(())
}

/// An option of a configurable product as a call brings it.
pub(super) fn read_option(option: &Json, id: u64) -> ConfigurableOption {
    let values = option.get("values").and_then(Json::as_array).unwrap_or_default();
    ConfigurableOption {
        id,
        attribute_id: option.get("attribute_id").and_then(Json::as_id).unwrap_or(0),
        label: option.get("label").and_then(Json::as_str).unwrap_or_default().to_owned(),
        position: option.get("position").and_then(Json::as_int).unwrap_or(0),
        values: values.iter().filter_map(|value| value.get("value_index").and_then(Json::as_id)).collect(),
    }
}
