//! What the store keeps of a product, a variation, an image and a term.

use crate::testkit::json::Json;
use crate::time::Timestamp;

/// A product, or a variation of one (`kind` is `variation` then).
///
/// Texts are kept as WordPress stores them, so HTML-escaped where it escapes them.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Product {
    /// The id; ids of products, variations and media come from one sequence.
    pub id: u64,
    /// The id of a variation's product; 0 for products.
    pub parent_id: u64,
    /// `simple`, `variable`, `grouped`, `external`, `variation`, or a plugin's own type.
    pub kind: String,
    /// The name; empty for variations, whose name is made of their options.
    pub name: String,
    /// The slug; empty for drafts that never had one.
    pub slug: String,
    /// `publish`, `draft`, `pending`, `private`, `future` or `trash`.
    pub status: String,
    /// The status before the product went to the trash.
    pub status_before_trash: Option<String>,
    /// When it was made, to the second.
    pub created: Timestamp,
    /// When it was last saved, to the second.
    pub modified: Timestamp,
    /// Whether it is featured.
    pub featured: bool,
    /// `visible`, `catalog`, `search` or `hidden`.
    pub catalog_visibility: String,
    /// The long text, as HTML.
    pub description: String,
    /// The short text, as HTML.
    pub short_description: String,
    /// The SKU; empty where there is none.
    pub sku: String,
    /// The GTIN, EAN, UPC or ISBN; empty where there is none.
    pub global_unique_id: String,
    /// The price; empty where there is none.
    pub regular_price: String,
    /// The sale price; empty where there is none.
    pub sale_price: String,
    /// The start of the sale.
    pub sale_from: Option<Timestamp>,
    /// The end of the sale.
    pub sale_to: Option<Timestamp>,
    /// How many were sold.
    pub total_sales: u64,
    /// Whether nothing is shipped.
    pub is_virtual: bool,
    /// Whether it is downloaded.
    pub downloadable: bool,
    /// The files, as answered.
    pub downloads: Vec<Json>,
    /// The address of an external product.
    pub external_url: String,
    /// The button of an external product.
    pub button_text: String,
    /// `taxable`, `shipping` or `none`.
    pub tax_status: String,
    /// The tax class; empty for the standard one.
    pub tax_class: String,
    /// Whether stock is counted, and where.
    pub manage_stock: ManageStock,
    /// The stock; `None` where it is not counted.
    pub stock_quantity: Option<i64>,
    /// `instock`, `outofstock` or `onbackorder`.
    pub stock_status: String,
    /// `no`, `notify` or `yes`.
    pub backorders: String,
    /// The stock at which the merchant is warned.
    pub low_stock_amount: Option<i64>,
    /// Whether one order may hold only one.
    pub sold_individually: bool,
    /// The weight in the store's unit; empty where there is none.
    pub weight: String,
    /// The length in the store's unit; empty where there is none.
    pub length: String,
    /// The width in the store's unit; empty where there is none.
    pub width: String,
    /// The height in the store's unit; empty where there is none.
    pub height: String,
    /// The term id of the shipping class; 0 where there is none.
    pub shipping_class: u64,
    /// Whether reviews may be written.
    pub reviews_allowed: bool,
    /// The average rating, as text.
    pub average_rating: String,
    /// How many ratings there are.
    pub rating_count: u64,
    /// The products to sell up to.
    pub upsell_ids: Vec<u64>,
    /// The products to sell beside.
    pub cross_sell_ids: Vec<u64>,
    /// The products of a grouped product.
    pub grouped_products: Vec<u64>,
    /// The note that buyers get.
    pub purchase_note: String,
    /// The term ids of the categories.
    pub categories: Vec<u64>,
    /// The term ids of the brands.
    pub brands: Vec<u64>,
    /// The term ids of the tags.
    pub tags: Vec<u64>,
    /// The media ids: the featured image first, then the gallery.
    pub images: Vec<u64>,
    /// The attributes of a product.
    pub attributes: Vec<Attribute>,
    /// The options of a variation.
    pub options: Vec<Choice>,
    /// The options that a variable product starts with.
    pub default_attributes: Vec<Choice>,
    /// The place in menus.
    pub menu_order: i64,
    /// The rows of meta data, in order.
    pub meta_data: Vec<Meta>,
    /// The password of the page; empty where there is none.
    pub post_password: String,
}

impl Product {
    /// Makes a simple, published product without any content.
    #[must_use]
    pub fn new(id: u64, name: impl Into<String>, now: Timestamp) -> Self {
        Self {
            id,
            parent_id: 0,
            kind: "simple".to_owned(),
            name: name.into(),
            slug: String::new(),
            status: "publish".to_owned(),
            status_before_trash: None,
            created: now,
            modified: now,
            featured: false,
            catalog_visibility: "visible".to_owned(),
            description: String::new(),
            short_description: String::new(),
            sku: String::new(),
            global_unique_id: String::new(),
            regular_price: String::new(),
            sale_price: String::new(),
            sale_from: None,
            sale_to: None,
            total_sales: 0,
            is_virtual: false,
            downloadable: false,
            downloads: Vec::new(),
            external_url: String::new(),
            button_text: String::new(),
            tax_status: "taxable".to_owned(),
            tax_class: String::new(),
            manage_stock: ManageStock::No,
            stock_quantity: None,
            stock_status: "instock".to_owned(),
            backorders: "no".to_owned(),
            low_stock_amount: None,
            sold_individually: false,
            weight: String::new(),
            length: String::new(),
            width: String::new(),
            height: String::new(),
            shipping_class: 0,
            reviews_allowed: true,
            average_rating: "0".to_owned(),
            rating_count: 0,
            upsell_ids: Vec::new(),
            cross_sell_ids: Vec::new(),
            grouped_products: Vec::new(),
            purchase_note: String::new(),
            categories: Vec::new(),
            brands: Vec::new(),
            tags: Vec::new(),
            images: Vec::new(),
            attributes: Vec::new(),
            options: Vec::new(),
            default_attributes: Vec::new(),
            menu_order: 0,
            meta_data: Vec::new(),
            post_password: String::new(),
        }
    }

    /// Makes a published variation of a product, without options.
    #[must_use]
    pub fn new_variation(id: u64, parent_id: u64, now: Timestamp) -> Self {
        Self {
            parent_id,
            kind: "variation".to_owned(),
            reviews_allowed: false,
            ..Self::new(id, String::new(), now)
        }
    }

    /// Whether this is a variation.
    #[must_use]
    pub fn is_variation(&self) -> bool {
        self.kind == "variation"
    }

    /// Whether the sale price is the price at that moment.
    #[must_use]
    pub fn is_on_sale(&self, now: Timestamp) -> bool {
        !self.sale_price.is_empty()
            && self.sale_from.is_none_or(|from| from <= now)
            && self.sale_to.is_none_or(|to| to >= now)
    }

    /// The name of a variation: its options, as `Blue, M`.
    #[must_use]
    pub fn options_name(&self) -> String {
        self.options.iter().map(|choice| choice.option.as_str()).collect::<Vec<_>>().join(", ")
    }
}

/// Whether stock is counted, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManageStock {
    /// It is not counted.
    No,
    /// It is counted here.
    Yes,
    /// The variation draws on its product's stock.
    Parent,
}

/// An attribute of a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// The id of a global attribute; 0 for a local one.
    pub id: u64,
    /// The name of a local attribute; global ones are named by their definition.
    pub name: String,
    /// The place among the attributes.
    pub position: i64,
    /// Whether it shows on the product's page.
    pub visible: bool,
    /// Whether variations differ by it.
    pub variation: bool,
    /// The values.
    pub options: Vec<String>,
}

/// One value of one attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The id of a global attribute; 0 for a local one.
    pub id: u64,
    /// The name of a local attribute; global ones are named by their definition.
    pub name: String,
    /// The value.
    pub option: String,
}

/// One row of meta data.
#[derive(Debug, Clone, PartialEq)]
pub struct Meta {
    /// The id of the row.
    pub id: u64,
    /// The key, which may occur in several rows.
    pub key: String,
    /// The value, of any type.
    pub value: Json,
}

/// An image of the media library, which many products may show.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Media {
    /// The id.
    pub id: u64,
    /// When it was made.
    pub created: Timestamp,
    /// When its name was last changed; a new alt text does not move it.
    pub modified: Timestamp,
    /// The address of the file.
    pub src: String,
    /// The title, as displayed.
    pub name: String,
    /// The alternative text.
    pub alt: String,
    /// The width in pixels, which decides how many smaller sizes there are.
    pub width: u32,
}

/// What a term belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Taxonomy {
    /// Product categories.
    Category,
    /// Product tags.
    Tag,
    /// Brands.
    Brand,
    /// Shipping classes.
    ShippingClass,
    /// The terms of the global attribute with that id.
    Attribute(u64),
}

/// A category, tag, brand, shipping class or attribute term.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Term {
    /// The id, from one sequence over all taxonomies.
    pub id: u64,
    /// What it belongs to.
    pub taxonomy: Taxonomy,
    /// The name, HTML-escaped.
    pub name: String,
    /// The slug.
    pub slug: String,
    /// The parent's id; 0 where there is none.
    pub parent: u64,
    /// The description.
    pub description: String,
    /// The place in menus.
    pub menu_order: i64,
    /// How the page of a category or brand looks: `default`, `products`, `subcategories` or `both`.
    pub display: String,
}

/// The definition of a global attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GlobalAttribute {
    /// The id.
    pub id: u64,
    /// The name.
    pub name: String,
    /// The slug, such as `pa_color`.
    pub slug: String,
}
