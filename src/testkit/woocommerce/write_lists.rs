//! Saving the lists of a product: terms, attributes, images and meta data.

use super::errors::ApiError;
use super::product::{Attribute, Choice, Meta, Product, Taxonomy};
use super::text;
use super::write::{Body, Writer, cast_text, sent, sent_text};
use crate::testkit::json::Json;

/// The most rows that one list of a body may have; the rest is ignored.
const ROW_LIMIT: usize = 10_000;

/// Keys of meta data that the store keeps for itself and never shows.
const HIDDEN: [&str; 9] = [
    "_price",
    "_stock",
    "_stock_status",
    "_thumbnail_id",
    "_product_image_gallery",
    "_edit_lock",
    "_edit_last",
    "_product_attributes",
    "_product_version",
];

impl Writer<'_> {
    pub(super) fn apply_terms(&mut self, product: &mut Product, body: Body<'_>) {
        if let Some(list) = sent(body, "categories") {
            product.categories = self.known_terms(list, Taxonomy::Category);
            if product.categories.is_empty() {
                product.categories = vec![self.state.default_category];
            }
        }
        if let Some(list) = sent(body, "brands") {
            product.brands = self.known_terms(list, Taxonomy::Brand);
        }
        if let Some(list) = sent(body, "tags") {
            product.tags = self.tags(list);
        }
    }

    /// The ids of a list that are terms of that kind; all else is dropped in silence.
    fn known_terms(&self, list: &Json, taxonomy: Taxonomy) -> Vec<u64> {
        let mut ids = Vec::new();
        for item in list.as_array().unwrap_or_default().iter().take(ROW_LIMIT) {
            let id = item.get("id").and_then(Json::as_id).unwrap_or(0);
            let known = self.state.terms.get(&id).is_some_and(|term| term.taxonomy == taxonomy);
            if known && !ids.contains(&id) {
                ids.push(id);
            }
        }
        ids
    }

    fn tags(&mut self, list: &Json) -> Vec<u64> {
        let mut ids = Vec::new();
        for item in list.as_array().unwrap_or_default().iter().take(ROW_LIMIT) {
            let by_id = item.get("id").and_then(Json::as_id);
            let by_name = item.get("name").and_then(Json::as_str).filter(|name| !name.trim().is_empty());
            let id = match (by_id, by_name) {
                (Some(id), _) => {
                    let known = self.state.terms.get(&id).is_some_and(|term| term.taxonomy == Taxonomy::Tag);
                    if !known {
                        continue;
                    }
                    id
                }
                // A name finds a tag without regard to case, or makes it.
                (None, Some(name)) => self.state.add_term(Taxonomy::Tag, name, 0),
                (None, None) => continue,
            };
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        ids
    }

    pub(super) fn apply_attributes(&mut self, product: &mut Product, body: Body<'_>) {
        if let Some(list) = sent(body, "attributes") {
            let mut attributes: Vec<Attribute> = Vec::new();
            for item in list.as_array().unwrap_or_default().iter().take(ROW_LIMIT) {
                attributes.extend(self.attribute(item));
            }
            attributes.sort_by_key(|attribute| attribute.position);
            product.attributes = attributes;
        }
        if let Some(list) = sent(body, "default_attributes") {
            product.default_attributes = self.choices(list);
        }
    }

    fn attribute(&mut self, item: &Json) -> Option<Attribute> {
        let id = item.get("id").and_then(Json::as_id).unwrap_or(0);
        let name = item.get("name").and_then(Json::as_str).unwrap_or_default();
        if id > 0 && !self.state.attributes.contains_key(&id) {
            return None;
        }
        if id == 0 && name.trim().is_empty() {
            return None;
        }
        let mut options: Vec<String> = match item.get("options") {
            Some(Json::Array(items)) => items.iter().filter_map(|item| cast_text(item).ok()).collect(),
            Some(Json::String(text)) => vec![text.clone()],
            _ => Vec::new(),
        };
        // The bar separates values in the store, so it splits an option that holds one.
        options = options
            .iter()
            .flat_map(|option| option.split('|'))
            .map(text::clean_field)
            .filter(|option| !option.is_empty())
            .collect();
        if id > 0 {
            options = self.global_options(id, &options);
            if options.is_empty() {
                return None;
            }
        }
        let flag = |key| item.get(key).and_then(Json::as_bool).unwrap_or(false);
        Some(Attribute {
            id,
            name: if id > 0 { String::new() } else { text::clean_field(name) },
            // Without one the place is 0, whatever the order (the controller's source; not observed).
            position: item.get("position").and_then(Json::as_int).unwrap_or(0),
            visible: flag("visible"),
            variation: flag("variation"),
            options,
        })
    }

    /// The terms of a global attribute by name, made where they are missing, in the order of their names
    /// as the store lists them.
    fn global_options(&mut self, id: u64, options: &[String]) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for option in options {
            let term = self.state.add_term(Taxonomy::Attribute(id), option, 0);
            if let Some(term) = self.state.terms.get(&term).filter(|term| !names.contains(&term.name)) {
                names.push(term.name.clone());
            }
        }
        names.sort_by_key(|name| name.to_lowercase());
        names
    }

    fn choices(&self, list: &Json) -> Vec<Choice> {
        list.as_array()
            .unwrap_or_default()
            .iter()
            .take(ROW_LIMIT)
            .filter_map(|item| {
                let id = item.get("id").and_then(Json::as_id).unwrap_or(0);
                let name = item.get("name").and_then(Json::as_str).unwrap_or_default().to_owned();
                let option = item.get("option").and_then(Json::as_str).filter(|option| !option.is_empty())?;
                let known = if id > 0 { self.state.attributes.contains_key(&id) } else { !name.is_empty() };
                known.then(|| Choice { id, name, option: option.to_owned() })
            })
            .collect()
    }

    pub(super) fn apply_options(&mut self, product: &mut Product, body: Body<'_>) {
        if let Some(list) = sent(body, "attributes") {
            product.options = self.choices(list);
        }
    }

    pub(super) fn apply_images(&mut self, product: &mut Product, body: Body<'_>) -> Result<(), ApiError> {
        if product.is_variation() {
            if let Some(image) = sent(body, "image") {
                product.images = self.image(image)?.into_iter().collect();
            }
            return Ok(());
        }
        let Some(list) = sent(body, "images") else { return Ok(()) };
        let mut images = Vec::new();
        for item in list.as_array().unwrap_or_default().iter().take(ROW_LIMIT) {
            if let Some(id) = self.image(item)?.filter(|id| !images.contains(id)) {
                images.push(id);
            }
        }
        product.images = images;
        Ok(())
    }

    /// Finds an image by its id, or downloads its `src` into a new one; then sets its alt text and name.
    ///
    /// An alt text belongs to the image, so it shows on every product that has it. What was set stays set
    /// even where a later image of the list is refused.
    fn image(&mut self, item: &Json) -> Result<Option<u64>, ApiError> {
        let Some(entries) = item.as_object() else { return Ok(None) };
        let id = match (item.get("id").and_then(Json::as_id), sent_text(entries, "src")?) {
            (Some(id), _) => {
                if !self.state.media.contains_key(&id) {
                    return Err(ApiError::new(
                        400,
                        "woocommerce_product_invalid_image_id",
                        format!("#{id} is an invalid image ID."),
                    ));
                }
                id
            }
            (None, Some(src)) if !src.is_empty() => self.download(&src)?,
            (None, _) => return Ok(None),
        };
        let (alt, name) = (sent_text(entries, "alt")?, sent_text(entries, "name")?);
        if let Some(media) = self.state.media.get_mut(&id) {
            // An empty text is ignored: an alt text cannot be cleared this way.
            if let Some(alt) = alt.filter(|alt| !alt.is_empty()) {
                media.alt = text::clean_field(&text::strip_slashes(&alt));
            }
            if let Some(name) = name.filter(|name| !name.is_empty()) {
                media.name = text::clean_field(&name).replace('&', "&#038;").replace("&#038;lt;", "&lt;");
                media.modified = self.now;
            }
        }
        Ok(Some(id))
    }

    /// Stands for a download: an address whose file is called `none` or `missing` fails, as does one that
    /// names no image; each success adds a new image, also for an address of the store itself.
    fn download(&mut self, src: &str) -> Result<u64, ApiError> {
        let path = src.split(['?', '#']).next().unwrap_or_default();
        let file = path.rsplit('/').next().unwrap_or_default();
        let stem = file.rsplit_once('.').map(|(stem, extension)| (stem, extension.to_ascii_lowercase()));
        let image = stem.is_some_and(|(stem, extension)| {
            !matches!(stem, "none" | "missing")
                && matches!(extension.as_str(), "jpg" | "jpeg" | "png" | "gif" | "webp")
        });
        if !image || !src.starts_with("http") {
            return Err(ApiError::new(
                400,
                "woocommerce_product_image_upload_error",
                format!("Error getting remote image {src}. Error: Not Found"),
            ));
        }
        Ok(self.state.add_media(self.home, file, self.now))
    }

    pub(super) fn apply_meta(&mut self, product: &mut Product, body: Body<'_>) -> Result<(), ApiError> {
        let Some(list) = sent(body, "meta_data") else { return Ok(()) };
        for item in list.as_array().unwrap_or_default().iter().take(ROW_LIMIT) {
            let Some(key) = item.get("key").and_then(Json::as_str).filter(|key| !key.is_empty()) else {
                continue;
            };
            let value = item.get("value").cloned().unwrap_or(Json::Null);
            if self.apply_property(product, key, &value)? || HIDDEN.contains(&key) {
                continue;
            }
            let id = item.get("id").and_then(Json::as_id);
            let by_id = product.meta_data.iter().position(|meta| Some(meta.id) == id && meta.key == key);
            let at = by_id.or_else(|| product.meta_data.iter().position(|meta| meta.key == key));
            let kept = at.and_then(|at| product.meta_data.get(at)).map(|meta| meta.id);
            match (value, kept) {
                (Json::Null, Some(_)) => product.meta_data.retain(|meta| meta.key != key),
                (Json::Null, None) => {}
                (value, Some(kept)) => {
                    // A write by key alone also drops the key's other rows.
                    product.meta_data.retain(|meta| by_id.is_some() || meta.key != key || meta.id == kept);
                    if let Some(meta) = product.meta_data.iter_mut().find(|meta| meta.id == kept) {
                        meta.value = stored(value);
                    }
                }
                (value, None) => {
                    let id = self.state.take_meta_id();
                    product.meta_data.push(Meta { id, key: key.to_owned(), value: stored(value) });
                }
            }
        }
        Ok(())
    }

    /// Applies a core key that has a setter as the property that it stands for.
    fn apply_property(&mut self, product: &mut Product, key: &str, value: &Json) -> Result<bool, ApiError> {
        let field = match key {
            "_sku" => "sku",
            "_regular_price" => "regular_price",
            "_sale_price" => "sale_price",
            "_weight" => "weight",
            "_tax_class" => "tax_class",
            "_tax_status" => "tax_status",
            "_purchase_note" => "purchase_note",
            "_backorders" => "backorders",
            _ => return Ok(false),
        };
        let body = [(field.to_owned(), Json::String(cast_text(value)?))];
        self.apply_one(product, &body)?;
        Ok(true)
    }
}

/// A value as the database keeps it: a bare number or switch becomes text, and PHP knows no empty object.
fn stored(value: Json) -> Json {
    match value {
        Json::Int(number) => Json::text(number.to_string()),
        Json::Float(number) => Json::text(number.to_string()),
        Json::Bool(value) => Json::text(if value { "1" } else { "" }),
        other => without_empty_objects(other),
    }
}

fn without_empty_objects(value: Json) -> Json {
    match value {
        Json::Object(entries) if entries.is_empty() => Json::Array(Vec::new()),
        Json::Object(entries) => Json::Object(
            entries.into_iter().map(|(key, value)| (key, without_empty_objects(value))).collect(),
        ),
        Json::Array(items) => Json::Array(items.into_iter().map(without_empty_objects).collect()),
        other => other,
    }
}
