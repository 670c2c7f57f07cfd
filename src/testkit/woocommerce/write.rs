//! Saving a product or variation: the rules by which the store changes what it was sent.

use super::errors::ApiError;
use super::product::{ManageStock, Product, Taxonomy};
use super::render::amount;
use super::state::State;
use super::text;
use super::webhooks::Event;
use crate::testkit::json::Json;
use crate::time::Timestamp;

/// A body: its entries in order.
pub(super) type Body<'a> = &'a [(String, Json)];

/// Saves bodies into the state. What a call created beside the product (terms, media) stays even where
/// the product itself was refused, as in the store.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    pub(super) state: &'a mut State,
    pub(super) home: &'a str,
    pub(super) now: Timestamp,
}

/// A value at a key; `null` means "not sent".
pub(super) fn sent<'a>(body: Body<'a>, key: &str) -> Option<&'a Json> {
    body.iter().find(|(name, _)| name == key).map(|(_, value)| value).filter(|value| **value != Json::Null)
}

/// A text at a key, cast as PHP casts it; a list or object there is a crash, as of a batch item.
pub(super) fn sent_text(body: Body<'_>, key: &str) -> Result<Option<String>, ApiError> {
    sent(body, key).map(cast_text).transpose()
}

/// A value cast to text as PHP does.
pub(super) fn cast_text(value: &Json) -> Result<String, ApiError> {
    match value {
        Json::String(text) => Ok(text.clone()),
        Json::Null | Json::Bool(false) => Ok(String::new()),
        Json::Bool(true) => Ok("1".to_owned()),
        Json::Int(number) => Ok(number.to_string()),
        Json::Float(number) => Ok(number.to_string()),
        Json::Array(_) | Json::Object(_) => Err(ApiError::php_fatal()),
    }
}

fn sent_flag(body: Body<'_>, key: &str) -> Option<bool> {
    sent(body, key).and_then(Json::as_bool)
}

/// What stays of a price: digits, dots and the sign; "" where that is no number.
///
/// The comma is a thousands separator here, so `12,50` becomes `1250`.
pub(super) fn format_decimal(text: &str) -> String {
    let kept: String = text.chars().filter(|c| c.is_ascii_digit() || matches!(c, '.' | '-')).collect();
    if kept.parse::<f64>().is_ok() { kept } else { String::new() }
}

impl Writer<'_> {
    /// Creates a product, or a variation of one.
    pub(super) fn create(&mut self, body: Body<'_>, parent: Option<u64>) -> Result<Product, ApiError> {
        // The id is taken once all is checked, but media that the body brings take theirs before.
        let mut product = match parent {
            Some(parent) => Product::new_variation(0, parent, self.now),
            None => {
                Product { categories: vec![self.state.default_category], ..Product::new(0, "", self.now) }
            }
        };
        self.apply(&mut product, body)?;
        product.id = self.state.take_post_id();
        if parent.is_none() && product.name.is_empty() {
            "Product".clone_into(&mut product.name);
        }
        if matches!(product.status.as_str(), "publish" | "private") && product.slug.is_empty() {
            let name = if product.is_variation() { product.options_name() } else { product.name.clone() };
            product.slug = self.state.unique_slug(&text::slug(&name), product.id);
        }
        self.keep(product.clone(), Some(Event::Created));
        Ok(product)
    }

    /// Updates a product or variation: absent fields stay, lists replace.
    ///
    /// `loaded` is what a slow save loaded before others saved `old`.
    pub(super) fn update(
        &mut self,
        old: &Product,
        loaded: Option<&Product>,
        body: Body<'_>,
    ) -> Result<Product, ApiError> {
        let mut product = old.clone();
        let touches_text = ["name", "description", "short_description", "slug", "status"]
            .iter()
            .any(|key| sent(body, key).is_some());
        if let Some(loaded) = loaded.filter(|_| touches_text && !old.is_variation()) {
            // These five are one row of the database, which is written whole: what others changed in it since
            // is lost.
            product.name.clone_from(&loaded.name);
            product.description.clone_from(&loaded.description);
            product.short_description.clone_from(&loaded.short_description);
            product.slug.clone_from(&loaded.slug);
            product.status.clone_from(&loaded.status);
        }
        self.apply(&mut product, body)?;
        product.modified = self.now;
        let empty = |product: &Product| {
            product.name.is_empty() && product.description.is_empty() && product.short_description.is_empty()
        };
        if touches_text && !product.is_variation() && empty(&product) {
            // WordPress refuses a post without title, text and excerpt; the store answers 200 all the same.
            self.state.webhooks.fire(Event::Updated, old.id);
            return Ok(old.clone());
        }
        if touches_text && !product.is_variation() {
            // A save that touches one of the texts stores all three anew from what it loaded, and takes one level
            // of backslashes off each.
            for (key, text) in [
                ("name", &mut product.name),
                ("description", &mut product.description),
                ("short_description", &mut product.short_description),
            ] {
                if sent(body, key).is_none() {
                    *text = text::strip_slashes(text);
                }
            }
        }
        if product.status == "publish" && product.slug.is_empty() && !product.is_variation() {
            product.slug = self.state.unique_slug(&text::slug(&product.name), product.id);
        }
        if old.status == "trash" && product.status != "trash" {
            product.status_before_trash = None;
            product.slug = product.slug.trim_end_matches("__trashed").to_owned();
        }
        self.keep(product.clone(), Some(Event::Updated));
        Ok(product)
    }

    fn keep(&mut self, product: Product, event: Option<Event>) {
        if self.state.conditions.lost_update {
            return;
        }
        if let Some(old) = self.state.products.get(&product.id).cloned() {
            self.state.previous.insert(product.id, old);
        }
        // Any change of a variation moves its product's date.
        if let Some(parent) = self.state.products.get_mut(&product.parent_id) {
            parent.modified = self.now;
        }
        if let Some(event) = event {
            self.state.webhooks.fire(event, product.id);
        }
        self.state.insert(product);
    }

    /// Moves a product to the trash; the answer still shows what it was.
    pub(super) fn trash(&mut self, old: &Product) -> Result<(), ApiError> {
        if old.status == "trash" {
            return Err(ApiError::new(
                410,
                "woocommerce_rest_already_trashed",
                "The product has already been deleted.",
            ));
        }
        let mut product = old.clone();
        product.status_before_trash = Some(std::mem::replace(&mut product.status, "trash".to_owned()));
        if !product.slug.is_empty() {
            product.slug.push_str("__trashed");
        }
        product.modified = self.now;
        // The deletion of a variation tells nobody, by an open issue of the platform.
        let event = (!product.is_variation()).then_some(Event::Trashed);
        self.keep(product, event);
        Ok(())
    }

    /// Deletes a product for good.
    pub(super) fn delete(&mut self, old: &Product) {
        if !self.state.conditions.lost_update {
            self.state.remove(old.id);
            if let Some(parent) = self.state.products.get_mut(&old.parent_id) {
                parent.modified = self.now;
            }
        }
    }

    fn apply(&mut self, product: &mut Product, body: Body<'_>) -> Result<(), ApiError> {
        let variation = product.is_variation();
        self.apply_texts(product, body)?;
        if let Some(sku) = sent_text(body, "sku")? {
            self.set_sku(product, &sku)?;
        }
        if let Some(number) = sent_text(body, "global_unique_id")? {
            self.set_item_number(product, &number)?;
        }
        self.apply_shop(product, body)?;
        self.apply_prices(product, body)?;
        self.apply_stock(product, body)?;
        self.apply_size(product, body)?;
        if variation {
            self.apply_options(product, body);
        } else {
            self.apply_terms(product, body);
            self.apply_attributes(product, body);
            for (key, list) in [
                ("upsell_ids", &mut product.upsell_ids),
                ("cross_sell_ids", &mut product.cross_sell_ids),
                ("grouped_products", &mut product.grouped_products),
            ] {
                if let Some(ids) = sent(body, key) {
                    *list = ids.as_array().unwrap_or_default().iter().filter_map(Json::as_id).collect();
                }
            }
        }
        self.apply_meta(product, body)?;
        self.apply_images(product, body)
    }

    /// Applies one field that stands for a key of meta data.
    pub(super) fn apply_one(&mut self, product: &mut Product, body: Body<'_>) -> Result<(), ApiError> {
        if let Some(sku) = sent_text(body, "sku")? {
            self.set_sku(product, &sku)?;
        }
        self.apply_texts(product, body)?;
        self.apply_shop(product, body)?;
        self.apply_prices(product, body)?;
        self.apply_size(product, body)
    }

    fn apply_texts(&mut self, product: &mut Product, body: Body<'_>) -> Result<(), ApiError> {
        if let Some(text) = sent_text(body, "description")? {
            product.description = text::filter_html(&text);
        }
        if !product.is_variation() {
            if let Some(text) = sent_text(body, "name")? {
                product.name = text::filter_name(&text);
            }
            if let Some(text) = sent_text(body, "short_description")? {
                product.short_description = text::filter_html(&text);
            }
            if let Some(text) = sent_text(body, "slug")? {
                product.slug = self.state.unique_slug(&text::slug(&text), product.id);
            }
            if let Some(kind) = sent_text(body, "type")? {
                product.kind = kind;
            }
            if let Some(text) = sent_text(body, "purchase_note")? {
                product.purchase_note = text::filter_html(&text);
            }
            if let Some(text) = sent_text(body, "post_password")? {
                product.post_password = text;
            }
        }
        if let Some(status) = sent_text(body, "status")? {
            let known = ["draft", "pending", "private", "publish", "future", "trash"];
            // Only a batch item can bring another one here, and it makes the product a draft.
            product.status = if known.contains(&status.as_str()) { status } else { "draft".to_owned() };
        }
        Ok(())
    }

    pub(super) fn set_sku(&mut self, product: &mut Product, sku: &str) -> Result<(), ApiError> {
        let sku = text::clean_field(sku);
        if let Some(owner) = self.state.sku_owner(&sku, product.id).filter(|_| !sku.is_empty()) {
            if owner.status == "trash" {
                return Err(ApiError::new(
                    400,
                    "woocommerce_rest_product_not_created",
                    format!("The product with SKU ({sku}) is already in the lookup table."),
                ));
            }
            let mut number = 1;
            while self.state.sku_owner(&format!("{sku}-{number}"), 0).is_some() {
                number += 1;
            }
            return Err(ApiError::new(400, "product_invalid_sku", "Invalid or duplicated SKU.")
                .with("resource_id", owner.id)
                .with("unique_sku", format!("{sku}-{number}")));
        }
        product.sku = sku;
        Ok(())
    }

    /// Keeps digits and hyphens of an item number, which no two products or variations share (the plugin's source,
    /// `WC_Product::set_global_unique_id`; that the rest goes was observed).
    fn set_item_number(&mut self, product: &mut Product, number: &str) -> Result<(), ApiError> {
        let number: String = number.chars().filter(|c| c.is_ascii_digit() || *c == '-').collect();
        if let Some(owner) = self.state.number_owner(&number, product.id).filter(|_| !number.is_empty()) {
            let message = "Invalid or duplicated GTIN, UPC, EAN or ISBN.";
            return Err(
                ApiError::new(400, "product_invalid_global_unique_id", message).with("resource_id", owner.id)
            );
        }
        product.global_unique_id = number;
        Ok(())
    }

    fn apply_shop(&mut self, product: &mut Product, body: Body<'_>) -> Result<(), ApiError> {
        for (key, flag) in [
            ("featured", &mut product.featured),
            ("virtual", &mut product.is_virtual),
            ("downloadable", &mut product.downloadable),
            ("sold_individually", &mut product.sold_individually),
            ("reviews_allowed", &mut product.reviews_allowed),
        ] {
            if let Some(value) = sent_flag(body, key) {
                *flag = value;
            }
        }
        for (key, slot) in [
            ("catalog_visibility", &mut product.catalog_visibility),
            ("tax_status", &mut product.tax_status),
            ("tax_class", &mut product.tax_class),
            ("external_url", &mut product.external_url),
            ("button_text", &mut product.button_text),
            ("backorders", &mut product.backorders),
        ] {
            if let Some(text) = sent_text(body, key)? {
                *slot = text;
            }
        }
        if let Some(order) = sent(body, "menu_order").and_then(Json::as_int) {
            product.menu_order = order;
        }
        if let Some(files) = sent(body, "downloads").and_then(Json::as_array) {
            product.downloads = files.to_vec();
        }
        for (key, offset) in
            [("date_created", self.state.settings.utc_offset_seconds), ("date_created_gmt", 0)]
        {
            if let Some(date) = sent_text(body, key)?.and_then(|text| Timestamp::parse_utc_civil(&text).ok())
            {
                product.created = Timestamp::from_unix_seconds(date.unix_seconds() - offset).unwrap_or(date);
            }
        }
        Ok(())
    }

    fn apply_prices(&mut self, product: &mut Product, body: Body<'_>) -> Result<(), ApiError> {
        if let Some(price) = sent_text(body, "regular_price")? {
            product.regular_price = format_decimal(&price);
        }
        if let Some(price) = sent_text(body, "sale_price")? {
            product.sale_price = format_decimal(&price);
        }
        let local = self.state.settings.utc_offset_seconds;
        for (key, offset, slot) in [
            ("date_on_sale_from", local, &mut product.sale_from),
            ("date_on_sale_to", local, &mut product.sale_to),
        ] {
            for (key, offset) in [(key.to_owned(), offset), (format!("{key}_gmt"), 0)] {
                let Some(text) = sent_text(body, &key)? else { continue };
                *slot = Timestamp::parse_utc_civil(&text)
                    .and_then(|date| Timestamp::from_unix_seconds(date.unix_seconds() - offset))
                    .ok();
            }
        }
        // A sale that is no bargain is dropped in silence.
        if !product.sale_price.is_empty() && amount(&product.sale_price) >= amount(&product.regular_price) {
            product.sale_price.clear();
        }
        Ok(())
    }

    fn apply_stock(&mut self, product: &mut Product, body: Body<'_>) -> Result<(), ApiError> {
        match sent(body, "manage_stock") {
            Some(Json::String(text)) if text == "parent" && product.is_variation() => {
                product.manage_stock = ManageStock::Parent;
            }
            Some(value) => {
                let on = value.as_bool().unwrap_or(true);
                product.manage_stock = if on { ManageStock::Yes } else { ManageStock::No };
            }
            None => {}
        }
        if let Some(status) = sent_text(body, "stock_status")? {
            // Only a batch item can bring another word here, and it means "in stock".
            let known = ["instock", "outofstock", "onbackorder"].contains(&status.as_str());
            product.stock_status = if known { status } else { "instock".to_owned() };
        }
        if let Some(amount) = sent(body, "low_stock_amount").and_then(Json::as_int) {
            product.low_stock_amount = Some(amount);
        }
        if product.manage_stock == ManageStock::Yes {
            let quantity = sent(body, "stock_quantity").and_then(Json::as_int).or(product.stock_quantity);
            product.stock_quantity = Some(quantity.unwrap_or(0));
            // A counted stock decides the status itself.
            let status = match (quantity.unwrap_or(0) > 0, product.backorders.as_str()) {
                (true, _) => "instock",
                (false, "no") => "outofstock",
                (false, _) => "onbackorder",
            };
            status.clone_into(&mut product.stock_status);
        } else {
            product.stock_quantity = None;
            if product.is_variation() {
                // Any write of one that counts no stock of its own (the controller's source; not observed).
                "no".clone_into(&mut product.backorders);
                product.low_stock_amount = None;
            }
        }
        Ok(())
    }

    fn apply_size(&mut self, product: &mut Product, body: Body<'_>) -> Result<(), ApiError> {
        if let Some(weight) = sent_text(body, "weight")? {
            product.weight = format_decimal(&weight);
        }
        if let Some(sizes) = sent(body, "dimensions").and_then(Json::as_object) {
            for (key, slot) in [
                ("length", &mut product.length),
                ("width", &mut product.width),
                ("height", &mut product.height),
            ] {
                if let Some(size) = sent_text(sizes, key)? {
                    *slot = format_decimal(&size);
                }
            }
        }
        if let Some(slug) = sent_text(body, "shipping_class")? {
            let class = self.state.terms.values().find(|term| {
                term.taxonomy == Taxonomy::ShippingClass && term.slug == slug && !slug.is_empty()
            });
            product.shipping_class = class.map_or(0, |term| term.id);
        }
        Ok(())
    }
}
