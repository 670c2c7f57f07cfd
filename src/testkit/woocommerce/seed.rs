//! Filling a store from JSON: a catalogue file, or objects as the API answers them.

use super::product::{Attribute, Choice, GlobalAttribute, ManageStock, Media, Meta, Product, Taxonomy, Term};
use super::store::WooStore;
use super::write::format_decimal;
use crate::error::{Error, ErrorKind, Result};
use crate::testkit::json::Json;
use crate::time::Timestamp;

/// The most objects that one file may hold.
const FILE_LIMIT: usize = 1_000_000;

impl WooStore {
    /// Adds the products of a JSON list, each an object with the API's field names; gives their ids.
    ///
    /// All fields may be missing. An `id` is kept where it is free; `categories`, `tags` and `brands` may be
    /// names or objects; an image may be a file name or an object; `variations` may hold whole objects.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] where the text is no JSON list of objects, with the place of the first fault.
    pub fn seed_catalog(&self, json: &[u8]) -> Result<Vec<u64>> {
        let wrong = |message: String| Error::new(ErrorKind::Config, "catalog_unreadable", message);
        let json = Json::parse(json).map_err(|error| {
            wrong(format!("the catalogue is not JSON at line {} column {}", error.line(), error.column()))
        })?;
        let Json::Array(items) = json else {
            return Err(wrong("the catalogue must be a JSON list of product objects".to_owned()));
        };
        if items.len() > FILE_LIMIT {
            return Err(wrong(format!("the catalogue must hold at most {FILE_LIMIT} products")));
        }
        let mut ids = Vec::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            if item.as_object().is_none() {
                return Err(wrong(format!("entry {at} of the catalogue is not an object")));
            }
            ids.push(self.seed_object(item, None));
        }
        Ok(ids)
    }

    /// Adds one product or variation from an object as the API answers it, with its images and terms;
    /// gives its id.
    pub fn seed_object(&self, item: &Json, parent: Option<u64>) -> u64 {
        let now = self.now();
        let mut product = self.read_object(item, parent, now);
        let children: Vec<Json> =
            list(item, "variations").iter().filter(|v| v.as_object().is_some()).cloned().collect();
        if product.id == 0 {
            product.id = self.state().take_post_id();
        }
        let id = product.id;
        self.insert(product);
        for child in &children {
            self.seed_object(child, Some(id));
        }
        id
    }

    fn read_object(&self, item: &Json, parent: Option<u64>, now: Timestamp) -> Product {
        let text = |key: &str| item.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
        let text_or = |key: &str, default: &str| {
            Some(text(key)).filter(|text| !text.is_empty()).unwrap_or_else(|| default.to_owned())
        };
        let flag = |key: &str| item.get(key).and_then(Json::as_bool).unwrap_or(false);
        let number = |key: &str| item.get(key).and_then(Json::as_int);
        let ids = |key: &str| list(item, key).iter().filter_map(Json::as_id).collect::<Vec<_>>();
        let date =
            |key: &str| item.get(key).and_then(Json::as_str).and_then(|t| Timestamp::parse_utc_civil(t).ok());
        let id = item.get("id").and_then(Json::as_id).filter(|id| self.product(*id).is_none()).unwrap_or(0);
        let parent = parent.or_else(|| item.get("parent_id").and_then(Json::as_id)).unwrap_or(0);
        let variation = parent > 0 || item.get("type").and_then(Json::as_str) == Some("variation");
        let dimensions = item.get("dimensions").cloned().unwrap_or(Json::Null);
        let size = |key: &str| dimensions.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
        let name = text("name");
        let images = match item.get("image") {
            Some(image) if *image != Json::Null => vec![image.clone()],
            _ => list(item, "images").to_vec(),
        };
        let mut product =
            if variation { Product::new_variation(id, parent, now) } else { Product::new(id, "", now) };
        product.slug = match item.get("slug") {
            Some(slug) => slug.as_str().unwrap_or_default().to_owned(),
            None => super::text::slug(&name),
        };
        if !variation {
            product.kind = text_or("type", "simple");
            product.name = name;
            product.attributes =
                list(item, "attributes").iter().enumerate().map(|(at, a)| self.attribute(a, at)).collect();
        } else {
            product.options = list(item, "attributes").iter().map(|a| self.choice(a)).collect();
        }
        product.status = text_or("status", "publish");
        product.created = date("date_created_gmt").unwrap_or(now);
        product.modified = date("date_modified_gmt").unwrap_or(now);
        product.featured = flag("featured");
        product.catalog_visibility = text_or("catalog_visibility", "visible");
        product.description = text("description");
        product.short_description = text("short_description");
        product.sku = text("sku");
        product.global_unique_id = text("global_unique_id");
        product.regular_price = format_decimal(&text("regular_price"));
        product.sale_price = format_decimal(&text("sale_price"));
        product.sale_from = date("date_on_sale_from_gmt");
        product.sale_to = date("date_on_sale_to_gmt");
        product.total_sales = number("total_sales").and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
        product.is_virtual = flag("virtual");
        product.downloadable = flag("downloadable");
        product.downloads = list(item, "downloads").to_vec();
        product.external_url = text("external_url");
        product.button_text = text("button_text");
        product.tax_status = text_or("tax_status", "taxable");
        product.tax_class = text("tax_class");
        product.manage_stock = match item.get("manage_stock") {
            Some(Json::String(word)) if word == "parent" => ManageStock::Parent,
            Some(value) if value.as_bool() == Some(true) => ManageStock::Yes,
            _ => ManageStock::No,
        };
        product.stock_quantity =
            number("stock_quantity").filter(|_| product.manage_stock == ManageStock::Yes);
        product.stock_status = text_or("stock_status", "instock");
        product.backorders = text_or("backorders", "no");
        product.low_stock_amount = number("low_stock_amount");
        product.sold_individually = flag("sold_individually");
        product.weight = text("weight");
        (product.length, product.width, product.height) = (size("length"), size("width"), size("height"));
        product.shipping_class =
            match (text("shipping_class"), item.get("shipping_class_id").and_then(Json::as_id)) {
                (_, Some(id)) => id,
                (slug, None) if slug.is_empty() => 0,
                (slug, None) => self.add_term(Taxonomy::ShippingClass, &slug),
            };
        product.reviews_allowed = item.get("reviews_allowed").and_then(Json::as_bool).unwrap_or(!variation);
        product.average_rating = text_or("average_rating", "0");
        product.rating_count = number("rating_count").and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
        product.upsell_ids = ids("upsell_ids");
        product.cross_sell_ids = ids("cross_sell_ids");
        product.grouped_products = ids("grouped_products");
        product.purchase_note = text("purchase_note");
        if !variation {
            product.categories = self.terms(item, "categories", Taxonomy::Category);
            if product.categories.is_empty() {
                product.categories = vec![self.state().default_category];
            }
            product.brands = self.terms(item, "brands", Taxonomy::Brand);
            product.tags = self.terms(item, "tags", Taxonomy::Tag);
        }
        product.images = images.iter().filter_map(|image| self.image(image, now)).collect();
        product.default_attributes =
            list(item, "default_attributes").iter().map(|a| self.choice(a)).collect();
        product.menu_order = number("menu_order").unwrap_or(0);
        product.post_password = text("post_password");
        product.meta_data = list(item, "meta_data")
            .iter()
            .map(|row| {
                let id = row.get("id").and_then(Json::as_id);
                let id = id.unwrap_or_else(|| self.state().take_meta_id());
                let key = row.get("key").and_then(Json::as_str).unwrap_or_default().to_owned();
                Meta { id, key, value: row.get("value").cloned().unwrap_or(Json::Null) }
            })
            .collect();
        product
    }

    fn terms(&self, item: &Json, key: &str, taxonomy: Taxonomy) -> Vec<u64> {
        list(item, key).iter().filter_map(|term| self.seed_term(term, taxonomy)).collect()
    }

    /// Adds a term from its name, or from an object with its id; gives its id.
    pub fn seed_term(&self, term: &Json, taxonomy: Taxonomy) -> Option<u64> {
        if let Some(name) = term.as_str() {
            return Some(self.add_term(taxonomy, name));
        }
        let name = term.get("name").and_then(Json::as_str)?.to_owned();
        let Some(id) = term.get("id").and_then(Json::as_id) else {
            return Some(self.add_term(taxonomy, &name));
        };
        let slug =
            term.get("slug").and_then(Json::as_str).map_or_else(|| super::text::slug(&name), str::to_owned);
        if name == "Uncategorized" {
            let mut state = self.state();
            let old = state.default_category;
            state.terms.remove(&old);
            state.default_category = id;
        }
        self.insert_term(Term {
            id,
            taxonomy,
            name,
            slug,
            parent: term.get("parent").and_then(Json::as_id).unwrap_or(0),
            description: term.get("description").and_then(Json::as_str).unwrap_or_default().to_owned(),
            menu_order: term.get("menu_order").and_then(Json::as_int).unwrap_or(0),
            display: term.get("display").and_then(Json::as_str).unwrap_or("default").to_owned(),
        });
        Some(id)
    }

    fn image(&self, image: &Json, now: Timestamp) -> Option<u64> {
        if let Some(file) = image.as_str() {
            // One file name is one image, so that products can share it.
            let known = self.state().media.values().find(|media| media.name == file).map(|media| media.id);
            return Some(known.unwrap_or_else(|| self.add_media(file)));
        }
        let Some(id) = image.get("id").and_then(Json::as_id) else {
            let src = image.get("src").and_then(Json::as_str)?;
            let id = self.add_media(src.rsplit('/').next().unwrap_or(src));
            let alt = image.get("alt").and_then(Json::as_str).unwrap_or_default().to_owned();
            self.edit_media(id, |media| media.alt = alt);
            return Some(id);
        };
        let text = |key: &str| image.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
        let date = |key: &str| Timestamp::parse_utc_civil(&text(key)).unwrap_or(now);
        let sizes = text("sizes");
        let width =
            sizes.rsplit(' ').next().and_then(|px| px.strip_suffix("px")).and_then(|px| px.parse().ok());
        // The image of a variation shows no sizes; what is known of it stays.
        let known = self.media(id).map(|media| media.width);
        self.insert_media(Media {
            id,
            created: date("date_created_gmt"),
            modified: date("date_modified_gmt"),
            src: text("src"),
            name: text("name"),
            alt: text("alt"),
            width: width.or(known).unwrap_or(400),
        });
        Some(id)
    }

    fn attribute_id(&self, item: &Json) -> (u64, String) {
        let id = item.get("id").and_then(Json::as_id).unwrap_or(0);
        let name = item.get("name").and_then(Json::as_str).unwrap_or_default().to_owned();
        if id > 0 {
            let slug = item.get("slug").and_then(Json::as_str);
            let slug = slug.map_or_else(|| format!("pa_{}", super::text::slug(&name)), str::to_owned);
            self.insert_attribute(GlobalAttribute { id, name: name.clone(), slug });
        }
        (id, name)
    }

    fn attribute(&self, item: &Json, at: usize) -> Attribute {
        let (id, name) = self.attribute_id(item);
        let options: Vec<String> =
            list(item, "options").iter().filter_map(Json::as_str).map(str::to_owned).collect();
        if id > 0 {
            for option in &options {
                self.add_term(Taxonomy::Attribute(id), option);
            }
        }
        Attribute {
            id,
            name: if id > 0 { String::new() } else { name },
            position: item
                .get("position")
                .and_then(Json::as_int)
                .unwrap_or_else(|| i64::try_from(at).unwrap_or(0)),
            visible: item.get("visible").and_then(Json::as_bool).unwrap_or(true),
            variation: item.get("variation").and_then(Json::as_bool).unwrap_or(false),
            options,
        }
    }

    fn choice(&self, item: &Json) -> Choice {
        let (id, name) = self.attribute_id(item);
        let option = item.get("option").and_then(Json::as_str).unwrap_or_default().to_owned();
        Choice { id, name: if id > 0 { String::new() } else { name }, option }
    }
}

fn list<'a>(item: &'a Json, key: &str) -> &'a [Json] {
    item.get(key).and_then(Json::as_array).unwrap_or_default()
}
