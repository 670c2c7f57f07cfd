//! Products, their options, and the fields that they answer.

use super::connection::{self, Key};
use super::errors::FieldError;
use super::metafield;
use super::search;
use super::state::State;
use super::translation;
use super::value::{Args, Obj, Out, Read, gid, number_of};
use crate::time::Timestamp;

/// A product as the shop keeps it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Product {
    /// The number of its id.
    pub id: u64,
    /// The title.
    pub title: String,
    /// The part of its address; each product has its own.
    pub handle: String,
    /// The description, as HTML.
    pub description_html: String,
    /// The vendor.
    pub vendor: String,
    /// The type, a free text.
    pub product_type: String,
    /// `ACTIVE`, `ARCHIVED`, `DRAFT` or `UNLISTED`.
    pub status: String,
    /// The tags, in alphabetical order.
    pub tags: Vec<String>,
    /// The title for search engines; `None` where the merchant left it empty.
    pub seo_title: Option<String>,
    /// The description for search engines; `None` where the merchant left it empty.
    pub seo_description: Option<String>,
    /// The id of its category, such as `gid://shopify/TaxonomyCategory/aa-1-13-8`.
    pub category: Option<String>,
    /// The suffix of its theme template.
    pub template_suffix: Option<String>,
    /// Whether it is a gift card.
    pub gift_card: bool,
    /// The options; one named `Title` where the product has no variants of its own.
    pub options: Vec<ProductOption>,
    /// The variants, in order.
    pub variants: Vec<u64>,
    /// The media, in order; the first is the featured one.
    pub media: Vec<u64>,
    /// The publications that it is published to.
    pub publications: Vec<u64>,
    /// When it was published; `None` where it is not.
    pub published_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// An option of a product.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProductOption {
    /// The number of its id.
    pub id: u64,
    /// The name, such as `Colour`.
    pub name: String,
    /// The values.
    pub values: Vec<OptionValue>,
    /// Namespace and key of the metafield that has its values, where it is linked to one.
    pub linked: Option<(String, String)>,
}

/// A value of an option.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OptionValue {
    /// The number of its id.
    pub id: u64,
    /// The name, such as `Red`.
    pub name: String,
}

impl ProductOption {
    /// Makes an option out of its name and values.
    #[must_use]
    pub fn new(id: u64, name: &str, values: Vec<OptionValue>) -> Self {
        Self { id, name: name.to_owned(), values, linked: None }
    }
}

impl OptionValue {
    /// Makes a value.
    #[must_use]
    pub fn new(id: u64, name: &str) -> Self {
        Self { id, name: name.to_owned() }
    }
}

impl Product {
    /// Makes an active product without variants and media.
    #[must_use]
    pub fn new(id: u64, title: &str, now: Timestamp) -> Self {
        Self {
            id,
            title: title.to_owned(),
            handle: super::state::handle_of(title),
            description_html: String::new(),
            vendor: String::new(),
            product_type: String::new(),
            status: "ACTIVE".to_owned(),
            tags: Vec::new(),
            seo_title: None,
            seo_description: None,
            category: None,
            template_suffix: None,
            gift_card: false,
            options: Vec::new(),
            variants: Vec::new(),
            media: Vec::new(),
            publications: vec![1],
            published_at: Some(now),
            created_at: now,
            updated_at: now,
        }
    }

    /// The id as clients see it.
    #[must_use]
    pub fn gid(&self) -> String {
        gid("Product", self.id)
    }

    /// Whether the only variant is the one that each product has.
    pub(super) fn has_only_default_variant(&self) -> bool {
        self.variants.len() <= 1 && self.options.iter().all(|option| option.name == "Title")
    }
}

/// Cleans a description as far as a shop does: scripts and their kind go.
pub(super) fn sanitised(html: &str) -> String {
    let mut out = html.to_owned();
    for tag in ["script", "style", "iframe", "object"] {
        while let Some(start) = find(&out, &format!("<{tag}")) {
            let close = format!("</{tag}>");
            let rest = out.get(start..).unwrap_or_default();
            let end = find(rest, &close).map_or(out.len(), |at| start + at + close.len());
            out.replace_range(start..end, "");
        }
    }
    out
}

fn find(text: &str, part: &str) -> Option<usize> {
    text.to_ascii_lowercase().find(part)
}

/// A field of a product.
pub(super) fn field(state: &State, id: u64, name: &str, args: &Args) -> Result<Out, FieldError> {
    let Some(product) = state.products.get(&id) else { return Ok(Out::NULL) };
    let variants = || product.variants.iter().filter_map(|id| state.variants.get(id));
    Ok(match name {
        "id" => Out::text(product.gid()),
        "legacyResourceId" => Out::text(id.to_string()),
        "title" => Out::text(&product.title),
        "handle" => Out::text(&product.handle),
        "description" => Out::text(plain_text(&product.description_html, args.int("truncateAt"))),
        "descriptionHtml" => Out::text(&product.description_html),
        "vendor" => Out::text(&product.vendor),
        "productType" => Out::text(&product.product_type),
        "status" => Out::text(&product.status),
        "tags" => Out::texts(&product.tags),
        "createdAt" => Out::time(product.created_at),
        "updatedAt" => Out::time(product.updated_at),
        "publishedAt" => Out::maybe_time(product.published_at),
        "templateSuffix" => Out::maybe(product.template_suffix.as_ref()),
        "isGiftCard" => Out::bool(product.gift_card),
        "requiresSellingPlan" => Out::bool(false),
        "defaultCursor" => Out::text(format!("cursor-{id}")),
        "hasOnlyDefaultVariant" => Out::bool(product.has_only_default_variant()),
        "hasOutOfStockVariants" => {
            Out::bool(variants().any(|variant| variant.tracked && variant.quantity <= 0))
        }
        "totalInventory" => {
            let tracked = variants().filter(|variant| variant.tracked);
            Out::int(tracked.map(|variant| variant.quantity).sum::<i64>())
        }
        "tracksInventory" => Out::bool(variants().any(|variant| variant.tracked)),
        "onlineStoreUrl" => match product.status.as_str() {
            "ACTIVE" | "UNLISTED" if product.published_at.is_some() => {
                Out::text(format!("https://{}/products/{}", state.shop.myshopify_domain, product.handle))
            }
            _ => Out::NULL,
        },
        "onlineStorePreviewUrl" => Out::text(format!(
            "https://{}/products/{}?preview=1",
            state.shop.myshopify_domain, product.handle
        )),
        "seo" => Out::record(
            "SEO",
            vec![
                ("title", Out::maybe(product.seo_title.as_ref())),
                ("description", Out::maybe(product.seo_description.as_ref())),
            ],
        ),
        "category" => product.category.as_deref().map_or(Out::NULL, super::taxonomy::category),
        "options" => {
            let bound = args.int("first").and_then(|first| usize::try_from(first).ok()).unwrap_or(usize::MAX);
            Out::list(product.options.iter().take(bound).map(|option| Obj::Option(id, option.id)))
        }
        "priceRangeV2" => {
            let prices = || variants().filter_map(|v| Some((v.price.parse::<f64>().ok()?, v.price.as_str())));
            let least = prices().min_by(|a, b| a.0.total_cmp(&b.0)).map_or("0.0", |price| price.1);
            let most = prices().max_by(|a, b| a.0.total_cmp(&b.0)).map_or("0.0", |price| price.1);
            let money = |amount: &str| super::variant::money(state, amount);
            Out::record(
                "ProductPriceRangeV2",
                vec![("minVariantPrice", money(least)), ("maxVariantPrice", money(most))],
            )
        }
        "variantsCount" => super::count::exact(product.variants.len()),
        "mediaCount" => super::count::exact(product.media.len()),
        "featuredMedia" => Out::object(product.media.first().map(|id| Obj::Media(*id))),
        "media" => {
            let wanted = args.text("query").and_then(|query| query.strip_prefix("media_type:"));
            let items = product
                .media
                .iter()
                .filter(|id| {
                    let kind = state.media.get(*id).map(|media| media.kind.content_type());
                    wanted.is_none_or(|wanted| kind == Some(wanted))
                })
                .map(|id| (*id, Obj::Media(*id)));
            Out::Page(connection::page_in_order(items, args)?)
        }
        "variants" => Out::Page(super::variant::of_product(state, product, args)?),
        "collections" => {
            let items = state
                .collections
                .values()
                .filter(|collection| collection.products.contains(&id))
                .map(|collection| super::collection::item(collection, args));
            Out::Page(connection::page(items.collect(), args, 0)?)
        }
        "metafield" | "metafields" => metafield::of_owner(state, metafield::Owner::Product(id), name, args)?,
        "publishedOnPublication" => {
            let publication = args.text("publicationId").and_then(|id| number_of(id, "Publication"));
            Out::bool(publication.is_some_and(|publication| product.publications.contains(&publication)))
        }
        "resourcePublicationsV2" => {
            let items = product.publications.iter().map(|publication| {
                let record = Obj::Record(
                    "ResourcePublicationV2",
                    vec![
                        ("isPublished", Out::bool(true)),
                        ("publication", super::shop::publication(*publication)),
                        ("publishDate", Out::maybe_time(product.published_at)),
                        ("publishable", Out::Object(Obj::Product(id))),
                    ],
                );
                (*publication, record)
            });
            Out::Page(connection::page_in_order(items, args)?)
        }
        "translations" => translation::published(state, &product.gid(), args),
        _ => return Err(FieldError::undefined("Product", name)),
    })
}

/// A field of an option.
pub(super) fn option_field(
    state: &State,
    product: u64,
    id: u64,
    name: &str,
    args: &Args,
) -> Result<Out, FieldError> {
    let found = state.products.get(&product).and_then(|product| {
        let at = product.options.iter().position(|option| option.id == id)?;
        Some((at, product.options.get(at)?))
    });
    let Some((at, option)) = found else { return Ok(Out::NULL) };
    Ok(match name {
        "id" => Out::text(gid("ProductOption", id)),
        "name" => Out::text(&option.name),
        "position" => Out::int(at + 1),
        "values" => Out::texts(option.values.iter().map(|value| &value.name)),
        "optionValues" => {
            Out::list(option.values.iter().map(|value| Obj::OptionValue(product, id, value.id)))
        }
        "linkedMetafield" => option.linked.as_ref().map_or(Out::NULL, |(namespace, key)| {
            let fields = vec![("namespace", Out::text(namespace)), ("key", Out::text(key))];
            Out::record("LinkedMetafield", fields)
        }),
        "translations" => translation::published(state, &gid("ProductOption", id), args),
        _ => return Err(FieldError::undefined("ProductOption", name)),
    })
}

/// A field of a value of an option.
pub(super) fn value_field(
    state: &State,
    (product, option, id): (u64, u64, u64),
    name: &str,
    args: &Args,
) -> Result<Out, FieldError> {
    let found = state.products.get(&product).and_then(|product| {
        let option = product.options.iter().find(|known| known.id == option)?;
        Some((product, option.values.iter().find(|value| value.id == id)?))
    });
    let Some((product, value)) = found else { return Ok(Out::NULL) };
    Ok(match name {
        "id" => Out::text(gid("ProductOptionValue", id)),
        "name" => Out::text(&value.name),
        "hasVariants" => {
            let mut variants = product.variants.iter().filter_map(|id| state.variants.get(id));
            Out::bool(variants.any(|variant| variant.values.contains(&(option, id))))
        }
        "linkedMetafieldValue" | "swatch" => Out::NULL,
        "translations" => translation::published(state, &gid("ProductOptionValue", id), args),
        _ => return Err(FieldError::undefined("ProductOptionValue", name)),
    })
}

/// `products` of the root and of a collection's own list.
pub(super) fn list(
    state: &State,
    args: &Args,
    notes: &mut Vec<search::Note>,
) -> Result<connection::Page, FieldError> {
    let query = search::Query::parse("products", args.text("query"), search::PRODUCT_FIELDS, notes);
    let items = state
        .products
        .values()
        .filter(|product| {
            query.is_empty()
                || state
                    .indexed(product.id)
                    .is_some_and(|known| query.matches(&|field| known.searched(field)))
        })
        .map(|product| {
            let key = match args.text("sortKey") {
                Some("UPDATED_AT") => Key::Number(product.updated_at.unix_millis()),
                Some("CREATED_AT") => Key::Number(product.created_at.unix_millis()),
                Some("PUBLISHED_AT") => Key::Number(product.published_at.map_or(0, Timestamp::unix_millis)),
                Some("TITLE") => Key::Text(product.title.to_lowercase()),
                Some("VENDOR") => Key::Text(product.vendor.to_lowercase()),
                Some("PRODUCT_TYPE") => Key::Text(product.product_type.to_lowercase()),
                _ => Key::Number(i64::try_from(product.id).unwrap_or(i64::MAX)),
            };
            (key, product.id, Obj::Product(product.id))
        });
    connection::page(items.collect(), args, state.conditions.deep_paging_limit)
}

impl Product {
    /// What a search compares; several values where any may match.
    pub(super) fn searched(&self, field: &str) -> Vec<search::Value> {
        use search::Value;
        match field {
            "id" => vec![Value::Number(self.id)],
            "updated_at" => vec![Value::Time(self.updated_at)],
            "created_at" => vec![Value::Time(self.created_at)],
            "published_at" => self.published_at.map(Value::Time).into_iter().collect(),
            "status" => vec![Value::Text(self.status.clone())],
            "title" => vec![Value::Text(self.title.clone())],
            "handle" => vec![Value::Text(self.handle.clone())],
            "vendor" => vec![Value::Text(self.vendor.clone())],
            "product_type" => vec![Value::Text(self.product_type.clone())],
            "tag" => self.tags.iter().cloned().map(Value::Text).collect(),
            "gift_card" => vec![Value::Text(self.gift_card.to_string())],
            "published_status" => {
                let text = if self.published_at.is_some() { "published" } else { "unpublished" };
                vec![Value::Text(text.to_owned())]
            }
            _ => vec![Value::Words(format!("{} {} {}", self.title, self.vendor, self.product_type))],
        }
    }
}

/// The text of HTML, without its tags.
pub(super) fn plain_text(html: &str, truncate: Option<i64>) -> String {
    let mut text = String::new();
    let mut inside = false;
    for letter in html.chars() {
        match letter {
            '<' => inside = true,
            '>' => inside = false,
            letter if !inside => text.push(letter),
            _ => {}
        }
    }
    let entities =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&nbsp;", " "), ("&amp;", "&")];
    for (entity, letter) in entities {
        text = text.replace(entity, letter);
    }
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match truncate.and_then(|bound| usize::try_from(bound).ok()) {
        Some(bound) if text.chars().count() > bound => {
            let cut: String = text.chars().take(bound.saturating_sub(3)).collect();
            format!("{cut}...")
        }
        _ => text,
    }
}
