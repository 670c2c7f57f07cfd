//! How the store writes its objects: keys in the real server's order, links, prices and dates.

use super::product::{Attribute, Choice, ManageStock, Media, Product, Term};
use super::state::State;
use super::text::{Quotes, display};
use crate::testkit::json::Json;
use crate::time::Timestamp;

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Texts as displayed.
    View,
    /// Texts as stored.
    Edit,
}

/// What rendering needs beside the object: the state, the site's address and the moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Renderer<'a> {
    pub(super) state: &'a State,
    pub(super) home: &'a str,
    pub(super) now: Timestamp,
    pub(super) form: Form,
}

const ITEM_VERBS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

impl Renderer<'_> {
    fn local(&self, time: Timestamp, times: i64) -> Json {
        let seconds = time.unix_seconds() + times * self.state.settings.utc_offset_seconds;
        Timestamp::from_unix_seconds(seconds).map_or(Json::Null, |time| Json::text(time.to_utc_civil()))
    }

    pub(super) fn dates(&self, name: &str, time: Option<Timestamp>, times: i64) -> [(String, Json); 2] {
        let local = time.map_or(Json::Null, |time| self.local(time, times));
        let utc = time.map_or(Json::Null, |time| Json::text(time.to_utc_civil()));
        [(name.to_owned(), local), (format!("{name}_gmt"), utc)]
    }

    pub(super) fn api(&self, path: &str) -> String {
        format!("{}/wp-json/wc/v3/{path}", self.home)
    }

    pub(super) fn links(&self, path: &str, collection: &str, verbs: &[&str], up: Option<&str>) -> Json {
        let href = |path: &str| ("href", Json::text(self.api(path)));
        let mut this = vec![href(path)];
        if !verbs.is_empty() {
            let verbs = verbs.iter().map(|verb| Json::text(*verb)).collect();
            this.push(("targetHints", Json::object([("allow", Json::Array(verbs))])));
        }
        let mut links = vec![
            ("self", Json::Array(vec![Json::object(this)])),
            ("collection", Json::Array(vec![Json::object([href(collection)])])),
        ];
        if let Some(up) = up {
            links.push(("up", Json::Array(vec![Json::object([href(up)])])));
        }
        Json::object(links)
    }

    fn text(&self, text: &str, quotes: Quotes) -> Json {
        Json::text(if self.form == Form::View { display(text, quotes) } else { text.to_owned() })
    }

    fn permalink(&self, product: &Product) -> String {
        let home = self.home;
        if product.is_variation() {
            let Some(parent) = self.state.products.get(&product.parent_id) else {
                return format!("{home}/?post_type=product_variation&p={}", product.id);
            };
            let query: Vec<_> = product
                .options
                .iter()
                .map(|choice| {
                    let key = match self.state.attributes.get(&choice.id) {
                        Some(attribute) => attribute.slug.clone(),
                        None => choice.name.to_lowercase(),
                    };
                    format!("attribute_{key}={}", super::text::slug(&choice.option))
                })
                .collect();
            return format!("{}?{}", self.permalink(parent), query.join("&"));
        }
        if matches!(product.status.as_str(), "publish" | "private") && !product.slug.is_empty() {
            format!("{home}/product/{}/", product.slug)
        } else {
            format!("{home}/?post_type=product&p={}", product.id)
        }
    }

    /// The prices of a product: of itself, or of those that it is made of, lowest first.
    pub(super) fn prices(&self, product: &Product) -> Vec<String> {
        let own = |p: &Product| {
            if p.is_on_sale(self.now) { p.sale_price.clone() } else { p.regular_price.clone() }
        };
        let mut prices: Vec<String> = match product.kind.as_str() {
            "variable" => self
                .state
                .variations_of(product.id)
                .filter(|variation| variation.status == "publish")
                .map(own)
                .collect(),
            "grouped" => product
                .grouped_products
                .iter()
                .filter_map(|id| self.state.products.get(id))
                .flat_map(|child| self.prices(child).into_iter().next())
                .collect(),
            _ => vec![own(product)],
        };
        prices.retain(|price| !price.is_empty());
        prices.sort_by(|a, b| amount(a).total_cmp(&amount(b)));
        prices
    }

    fn price_html(&self, prices: &[String]) -> String {
        let one = |price: &String| {
            format!(
                "<span class=\"woocommerce-Price-amount amount\"><bdi>&#36;{:.2}</bdi></span>",
                amount(price)
            )
        };
        match prices {
            [] => String::new(),
            [only] => one(only),
            [first, .., last] if first == last => one(first),
            [first, .., last] => format!("{} &ndash; {}", one(first), one(last)),
        }
    }

    fn on_sale(&self, product: &Product) -> bool {
        match product.kind.as_str() {
            "variable" => self.state.variations_of(product.id).any(|child| child.is_on_sale(self.now)),
            "grouped" => product
                .grouped_products
                .iter()
                .filter_map(|id| self.state.products.get(id))
                .any(|child| self.on_sale(child)),
            _ => product.is_on_sale(self.now),
        }
    }

    fn stock(&self, product: &Product) -> (Json, Json) {
        let number = |stock: Option<i64>| stock.map_or(Json::Null, Json::Int);
        match product.manage_stock {
            ManageStock::No => {
                // A variation that counts nothing itself draws on a product that does.
                let parent = self.state.products.get(&product.parent_id).filter(|_| product.is_variation());
                match parent.filter(|parent| parent.manage_stock == ManageStock::Yes) {
                    Some(parent) => (Json::text("parent"), number(parent.stock_quantity)),
                    None => (Json::Bool(false), Json::Null),
                }
            }
            ManageStock::Yes => (Json::Bool(true), number(product.stock_quantity)),
            ManageStock::Parent => {
                let parent = self.state.products.get(&product.parent_id);
                (Json::text("parent"), number(parent.and_then(|parent| parent.stock_quantity)))
            }
        }
    }

    fn terms(&self, ids: &[u64]) -> Json {
        let mut terms: Vec<&Term> = ids.iter().filter_map(|id| self.state.terms.get(id)).collect();
        terms.sort_by_key(|term| term.name.to_lowercase());
        Json::Array(
            terms
                .into_iter()
                .map(|term| {
                    Json::object([
                        ("id", Json::from(term.id)),
                        ("name", Json::text(term.name.clone())),
                        ("slug", Json::text(term.slug.clone())),
                    ])
                })
                .collect(),
        )
    }

    fn image(&self, media: &Media, sizes: Sizes) -> Json {
        let mut entries = vec![("id".to_owned(), Json::from(media.id))];
        // The local dates of media carry the site's offset twice, as recorded.
        entries.extend(self.dates("date_created", Some(media.created), 2));
        entries.extend(self.dates("date_modified", Some(media.modified), 2));
        let mut push = |key: &str, value: String| entries.push((key.to_owned(), Json::String(value)));
        push("src", media.src.clone());
        push("name", media.name.clone());
        push("alt", media.alt.clone());
        if sizes == Sizes::All {
            let (stem, extension) = media.src.rsplit_once('.').unwrap_or((&media.src, "jpg"));
            let small = |px: u32| format!("{stem}-{px}x{px}.{extension}");
            let width = media.width;
            if width > 300 {
                let srcset: Vec<_> = std::iter::once(format!("{} {width}w", media.src))
                    .chain([300, 150, 100].map(|px| format!("{} {px}w", small(px))))
                    .collect();
                push("srcset", srcset.join(", "));
            } else {
                push("srcset", String::new());
            }
            push("sizes", format!("(max-width: {width}px) 100vw, {width}px"));
            push("thumbnail", if width > 300 { small(300) } else { media.src.clone() });
        }
        Json::Object(entries)
    }

    fn images(&self, product: &Product) -> Json {
        let found = product.images.iter().filter_map(|id| self.state.media.get(id));
        Json::Array(found.map(|media| self.image(media, Sizes::All)).collect())
    }

    fn attribute_names(&self, id: u64, name: &str) -> [(&'static str, Json); 3] {
        let (name, slug) = match self.state.attributes.get(&id) {
            Some(attribute) => (attribute.name.as_str(), attribute.slug.as_str()),
            None => (name, name),
        };
        [("id", Json::from(id)), ("name", Json::text(name)), ("slug", Json::text(slug))]
    }

    fn attributes(&self, attributes: &[Attribute]) -> Json {
        Json::Array(
            attributes
                .iter()
                .map(|attribute| {
                    let mut entries = self.attribute_names(attribute.id, &attribute.name).to_vec();
                    entries.push(("position", Json::Int(attribute.position)));
                    entries.push(("visible", Json::Bool(attribute.visible)));
                    entries.push(("variation", Json::Bool(attribute.variation)));
                    let options = attribute.options.iter().map(|option| Json::text(option.clone())).collect();
                    entries.push(("options", Json::Array(options)));
                    Json::object(entries)
                })
                .collect(),
        )
    }

    fn choices(&self, choices: &[Choice], slugs: bool) -> Json {
        Json::Array(
            choices
                .iter()
                .map(|choice| {
                    let mut entries = self.attribute_names(choice.id, &choice.name).to_vec();
                    if !slugs {
                        entries.retain(|(key, _)| *key != "slug");
                    }
                    entries.push(("option", Json::text(choice.option.clone())));
                    Json::object(entries)
                })
                .collect(),
        )
    }

    fn meta_data(product: &Product) -> Json {
        Json::Array(
            product
                .meta_data
                .iter()
                .map(|meta| {
                    Json::object([
                        ("id", Json::from(meta.id)),
                        ("key", Json::text(meta.key.clone())),
                        ("value", meta.value.clone()),
                    ])
                })
                .collect(),
        )
    }

    fn dimensions(product: &Product) -> Json {
        Json::object([
            ("length", Json::text(product.length.clone())),
            ("width", Json::text(product.width.clone())),
            ("height", Json::text(product.height.clone())),
        ])
    }

    fn shipping_class(&self, product: &Product) -> (Json, Json) {
        let slug = self.state.terms.get(&product.shipping_class).map(|term| term.slug.clone());
        (Json::text(slug.unwrap_or_default()), Json::from(product.shipping_class))
    }

    fn purchasable(&self, product: &Product, prices: &[String]) -> bool {
        let parent_live = !product.is_variation()
            || self.state.products.get(&product.parent_id).is_some_and(|parent| parent.status == "publish");
        // A key of a manager may buy drafts too; only the trash cannot be bought.
        !prices.is_empty()
            && !matches!(product.kind.as_str(), "grouped" | "external")
            && product.status != "trash"
            && parent_live
    }

    /// A product as `/products` answers it; also a variation that was asked for as a product.
    pub(super) fn product(&self, product: &Product, related: &[u64]) -> Json {
        let prices = self.prices(product);
        let price = prices.first().cloned().unwrap_or_default();
        let hides_own_prices = matches!(product.kind.as_str(), "variable" | "grouped");
        let own = |price: &String| Json::text(if hides_own_prices { "" } else { price.as_str() });
        let (manage_stock, stock_quantity) = self.stock(product);
        let (shipping_class, shipping_class_id) = self.shipping_class(product);
        let variation = product.is_variation();
        let name = if variation {
            let parent = self.state.products.get(&product.parent_id).map_or("", |parent| &parent.name);
            format!("{parent} - {}", product.options_name())
        } else {
            product.name.clone()
        };
        let parent_path = format!("products/{}", product.parent_id);
        let mut out = Entries::default();
        out.push("id", product.id);
        out.push("name", name);
        out.push("slug", product.slug.as_str());
        out.push("permalink", self.permalink(product));
        out.extend(self.dates("date_created", Some(product.created), 1));
        out.extend(self.dates("date_modified", Some(product.modified), 1));
        out.push("type", product.kind.as_str());
        out.push("status", product.status.as_str());
        out.push("featured", product.featured);
        out.push("catalog_visibility", product.catalog_visibility.as_str());
        out.push("description", self.text(&product.description, Quotes::Kept));
        out.push("short_description", self.text(&product.short_description, Quotes::Typographic));
        out.push("sku", product.sku.as_str());
        out.push("price", price);
        out.push("regular_price", own(&product.regular_price));
        out.push("sale_price", own(&product.sale_price));
        out.extend(self.dates("date_on_sale_from", product.sale_from, 1));
        out.extend(self.dates("date_on_sale_to", product.sale_to, 1));
        out.push("on_sale", self.on_sale(product));
        out.push("purchasable", self.purchasable(product, &prices));
        // The count of a variation is answered as text, as recorded.
        out.push(
            "total_sales",
            if variation {
                Json::text(product.total_sales.to_string())
            } else {
                Json::from(product.total_sales)
            },
        );
        out.push("virtual", product.is_virtual);
        out.push("downloadable", product.downloadable);
        out.push("downloads", product.downloads.clone());
        out.push("download_limit", -1);
        out.push("download_expiry", -1);
        out.push("external_url", product.external_url.as_str());
        out.push("button_text", product.button_text.as_str());
        out.push("tax_status", product.tax_status.as_str());
        out.push("tax_class", product.tax_class.as_str());
        out.push("manage_stock", manage_stock);
        out.push("stock_quantity", stock_quantity);
        out.push("backorders", product.backorders.as_str());
        out.push("backorders_allowed", product.backorders != "no");
        out.push("backordered", product.stock_status == "onbackorder");
        out.push("low_stock_amount", product.low_stock_amount.map_or(Json::Null, Json::Int));
        out.push("sold_individually", product.sold_individually);
        out.push("weight", product.weight.as_str());
        out.push("dimensions", Self::dimensions(product));
        out.push("shipping_required", !product.is_virtual);
        out.push("shipping_taxable", !product.is_virtual && product.tax_status == "taxable");
        out.push("shipping_class", shipping_class);
        out.push("shipping_class_id", shipping_class_id);
        out.push("reviews_allowed", product.reviews_allowed);
        let rating = product.average_rating.as_str();
        // The displayed average always has two digits.
        let rating =
            if self.form == Form::View { format!("{:.2}", amount(rating)) } else { rating.to_owned() };
        out.push("average_rating", rating);
        out.push("rating_count", product.rating_count);
        out.push("upsell_ids", Json::ids(&product.upsell_ids));
        out.push("cross_sell_ids", Json::ids(&product.cross_sell_ids));
        out.push("parent_id", product.parent_id);
        out.push("purchase_note", product.purchase_note.as_str());
        let default = [self.state.default_category];
        out.push("categories", self.terms(if variation { &default } else { &product.categories }));
        out.push("brands", self.terms(&product.brands));
        out.push("tags", self.terms(&product.tags));
        out.push("images", self.images(product));
        out.push(
            "attributes",
            if variation {
                self.choices(&product.options, true)
            } else {
                self.attributes(&product.attributes)
            },
        );
        out.push("default_attributes", self.choices(&product.default_attributes, false));
        let variations: Vec<u64> = match product.kind.as_str() {
            "variable" => self.variation_ids(product.id),
            _ => Vec::new(),
        };
        let has_options = !variations.is_empty();
        out.push("variations", Json::ids(&variations));
        out.push("grouped_products", Json::ids(&product.grouped_products));
        out.push("menu_order", product.menu_order);
        out.push("price_html", self.price_html(&prices));
        out.push("related_ids", Json::ids(related));
        out.push("meta_data", Self::meta_data(product));
        out.push("stock_status", product.stock_status.as_str());
        out.push("has_options", has_options);
        out.push("post_password", product.post_password.as_str());
        out.push("global_unique_id", product.global_unique_id.as_str());
        if self.form == Form::Edit {
            out.push("permalink_template", format!("{}/product/%pagename%/", self.home));
            // Made of the present name, in letters and not encoded.
            let slug = super::text::readable_slug(&product.name);
            out.push("generated_slug", slug);
        }
        let path = format!("products/{}", product.id);
        out.push(
            "_links",
            self.links(&path, "products", &ITEM_VERBS, variation.then_some(parent_path.as_str())),
        );
        Json::Object(out.0)
    }

    fn variation_ids(&self, parent: u64) -> Vec<u64> {
        let mut live: Vec<_> = self
            .state
            .variations_of(parent)
            .filter(|child| matches!(child.status.as_str(), "publish" | "private"))
            .map(|child| (child.menu_order, child.id))
            .collect();
        live.sort_unstable();
        live.into_iter().map(|(_, id)| id).collect()
    }

    /// A variation as `/products/{id}/variations` answers it, or the list over all products.
    pub(super) fn variation(&self, product: &Product, place: Place) -> Json {
        let prices = self.prices(product);
        let (manage_stock, stock_quantity) = self.stock(product);
        let (shipping_class, shipping_class_id) = self.shipping_class(product);
        let image = product.images.first().and_then(|id| self.state.media.get(id));
        let mut out = Entries::default();
        out.push("id", product.id);
        out.push("type", "variation");
        out.extend(self.dates("date_created", Some(product.created), 1));
        out.extend(self.dates("date_modified", Some(product.modified), 1));
        // Variations are displayed in both forms, as recorded from writes; by the filters of short texts (the source).
        out.push("description", display(&product.description, Quotes::Typographic));
        out.push("permalink", self.permalink(product));
        out.push("sku", product.sku.as_str());
        out.push("global_unique_id", product.global_unique_id.as_str());
        out.push("price", prices.first().cloned().unwrap_or_default());
        out.push("regular_price", product.regular_price.as_str());
        out.push("sale_price", product.sale_price.as_str());
        out.extend(self.dates("date_on_sale_from", product.sale_from, 1));
        out.extend(self.dates("date_on_sale_to", product.sale_to, 1));
        out.push("on_sale", self.on_sale(product));
        out.push("status", product.status.as_str());
        out.push("purchasable", self.purchasable(product, &prices));
        out.push("virtual", product.is_virtual);
        out.push("downloadable", product.downloadable);
        out.push("downloads", product.downloads.clone());
        out.push("download_limit", -1);
        out.push("download_expiry", -1);
        out.push("tax_status", product.tax_status.as_str());
        out.push("tax_class", product.tax_class.as_str());
        out.push("manage_stock", manage_stock);
        out.push("stock_quantity", stock_quantity);
        out.push("stock_status", product.stock_status.as_str());
        out.push("backorders", product.backorders.as_str());
        out.push("backorders_allowed", product.backorders != "no");
        out.push("backordered", product.stock_status == "onbackorder");
        out.push("low_stock_amount", product.low_stock_amount.map_or(Json::Null, Json::Int));
        out.push("weight", product.weight.as_str());
        out.push("dimensions", Self::dimensions(product));
        out.push("shipping_class", shipping_class);
        out.push("shipping_class_id", shipping_class_id);
        out.push("image", image.map_or(Json::Null, |media| self.image(media, Sizes::None)));
        out.push("attributes", self.choices(&product.options, true));
        out.push("menu_order", product.menu_order);
        out.push("meta_data", Self::meta_data(product));
        out.push("name", product.options_name());
        out.push("parent_id", product.parent_id);
        out.push(
            "_links",
            match place {
                Place::OfProduct => {
                    let up = format!("products/{}", product.parent_id);
                    let collection = format!("{up}/variations");
                    self.links(&format!("{collection}/{}", product.id), &collection, &ITEM_VERBS, Some(&up))
                }
                // The list over all products names no product above, as recorded.
                Place::OfAll => {
                    self.links(&format!("variations/{}", product.id), "variations", &[], Some("products/0"))
                }
            },
        );
        Json::Object(out.0)
    }
}

/// Where a variation is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    OfProduct,
    OfAll,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sizes {
    All,
    None,
}

#[derive(Default)]
struct Entries(Vec<(String, Json)>);

impl Entries {
    fn push(&mut self, key: &str, value: impl Into<Json>) {
        self.0.push((key.to_owned(), value.into()));
    }

    fn extend(&mut self, entries: impl IntoIterator<Item = (String, Json)>) {
        self.0.extend(entries);
    }
}

/// The number of a price, for comparing; zero where it is none.
pub(super) fn amount(price: &str) -> f64 {
    price.parse().unwrap_or(0.0)
}

/// Cuts an answer to the fields of `_fields`: names, or paths with dots that also reach into lists.
pub(super) fn cut(value: Json, fields: &[String]) -> Json {
    match value {
        Json::Array(items) => Json::Array(items.into_iter().map(|item| cut(item, fields)).collect()),
        Json::Object(entries) => {
            // The answer's keys follow the order that they were asked in, as recorded.
            let mut kept: Vec<(usize, String, Json)> = entries
                .into_iter()
                .filter_map(|(key, value)| {
                    if let Some(at) = fields.iter().position(|field| *field == key) {
                        return Some((at, key, value));
                    }
                    let inner_of = |field: &String| {
                        field.strip_prefix(&key).and_then(|rest| rest.strip_prefix('.')).map(str::to_owned)
                    };
                    let at = fields.iter().position(|field| inner_of(field).is_some())?;
                    let inner: Vec<String> = fields.iter().filter_map(inner_of).collect();
                    Some((at, key, cut(value, &inner)))
                })
                .collect();
            kept.sort_by_key(|(at, ..)| *at);
            let kept: Vec<_> = kept.into_iter().map(|(_, key, value)| (key, value)).collect();
            // PHP writes an empty object as a list.
            if kept.is_empty() { Json::Array(Vec::new()) } else { Json::Object(kept) }
        }
        other => other,
    }
}
