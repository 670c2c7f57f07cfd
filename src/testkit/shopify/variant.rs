//! Variants and their inventory items.

use super::connection::{self, Key, Page};
use super::errors::FieldError;
use super::metafield;
use super::product::Product;
use super::search;
use super::state::State;
use super::translation;
use super::value::{Args, Obj, Out, Read, gid, number_of};
use crate::time::Timestamp;

/// A variant as the shop keeps it, with its inventory item.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Variant {
    /// The number of its id.
    pub id: u64,
    /// Its product.
    pub product: u64,
    /// The number of its inventory item's id.
    pub inventory_item: u64,
    /// The place among the product's variants, from 1.
    pub position: u64,
    /// The value of each option, by the ids of both.
    pub values: Vec<(u64, u64)>,
    /// The merchant's number.
    pub sku: Option<String>,
    /// The barcode.
    pub barcode: Option<String>,
    /// The price, such as `19.99`.
    pub price: String,
    /// The price before a reduction.
    pub compare_at_price: Option<String>,
    /// How many there are.
    pub quantity: i64,
    /// Whether stock is counted.
    pub tracked: bool,
    /// `DENY` or `CONTINUE`.
    pub inventory_policy: String,
    /// Whether it is taxed.
    pub taxable: bool,
    /// The weight and its unit, such as `KILOGRAMS`.
    pub weight: Option<(f64, String)>,
    /// The image that it is shown with.
    pub media: Option<u64>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Variant {
    /// Makes a variant without option values.
    #[must_use]
    pub fn new(id: u64, inventory_item: u64, product: u64, position: u64, now: Timestamp) -> Self {
        Self {
            id,
            product,
            inventory_item,
            position,
            values: Vec::new(),
            sku: None,
            barcode: None,
            price: "10.00".to_owned(),
            compare_at_price: None,
            quantity: 0,
            tracked: true,
            inventory_policy: "DENY".to_owned(),
            taxable: true,
            weight: None,
            media: None,
            created_at: now,
            updated_at: now,
        }
    }

    /// The id as clients see it.
    #[must_use]
    pub fn gid(&self) -> String {
        gid("ProductVariant", self.id)
    }
}

pub(super) fn money(state: &State, amount: &str) -> Out {
    Out::record(
        "MoneyV2",
        vec![("amount", Out::text(amount)), ("currencyCode", Out::text(&state.shop.currency))],
    )
}

/// The option's name and value of each option of a variant.
pub(super) fn selected<'a>(
    product: &'a Product,
    variant: &'a Variant,
) -> impl Iterator<Item = (&'a str, &'a str, u64, u64)> {
    variant.values.iter().filter_map(|(option, value)| {
        let option = product.options.iter().find(|known| known.id == *option)?;
        let value = option.values.iter().find(|known| known.id == *value)?;
        Some((option.name.as_str(), value.name.as_str(), option.id, value.id))
    })
}

pub(super) fn title(product: &Product, variant: &Variant) -> String {
    let values: Vec<&str> = selected(product, variant).map(|(_, value, ..)| value).collect();
    if values.is_empty() { "Default Title".to_owned() } else { values.join(" / ") }
}

/// A field of a variant.
pub(super) fn field(state: &State, id: u64, name: &str, args: &Args) -> Result<Out, FieldError> {
    let Some(variant) = state.variants.get(&id) else { return Ok(Out::NULL) };
    let Some(product) = state.products.get(&variant.product) else { return Ok(Out::NULL) };
    Ok(match name {
        "id" => Out::text(variant.gid()),
        "legacyResourceId" => Out::text(id.to_string()),
        "title" => Out::text(title(product, variant)),
        "displayName" => Out::text(format!("{} - {}", product.title, title(product, variant))),
        "sku" => Out::maybe(variant.sku.as_ref()),
        "barcode" => Out::maybe(variant.barcode.as_ref()),
        "position" => Out::int(variant.position),
        "price" => Out::text(&variant.price),
        "compareAtPrice" => Out::maybe(variant.compare_at_price.as_ref()),
        "inventoryQuantity" | "sellableOnlineQuantity" => Out::int(variant.quantity),
        "inventoryPolicy" => Out::text(&variant.inventory_policy),
        "availableForSale" => {
            Out::bool(!variant.tracked || variant.quantity > 0 || variant.inventory_policy == "CONTINUE")
        }
        "taxable" => Out::bool(variant.taxable),
        "createdAt" => Out::time(variant.created_at),
        "updatedAt" => Out::time(variant.updated_at),
        "unitPriceMeasurement" => Out::NULL,
        "product" => Out::Object(Obj::Product(product.id)),
        "inventoryItem" => Out::Object(Obj::Item(id)),
        "selectedOptions" => Out::List(
            selected(product, variant)
                .map(|(option, value, option_id, value_id)| {
                    Out::record(
                        "SelectedOption",
                        vec![
                            ("name", Out::text(option)),
                            ("value", Out::text(value)),
                            ("optionValue", Out::Object(Obj::OptionValue(product.id, option_id, value_id))),
                        ],
                    )
                })
                .collect(),
        ),
        "media" => {
            let items = variant.media.iter().map(|id| (*id, Obj::Media(*id)));
            Out::Page(connection::page_in_order(items, args)?)
        }
        "metafield" | "metafields" => metafield::of_owner(state, metafield::Owner::Variant(id), name, args)?,
        "translations" => translation::published(state, &variant.gid(), args),
        _ => return Err(FieldError::undefined("ProductVariant", name)),
    })
}

/// A field of the inventory item of a variant.
pub(super) fn item_field(state: &State, id: u64, name: &str, args: &Args) -> Result<Out, FieldError> {
    let Some(variant) = state.variants.get(&id) else { return Ok(Out::NULL) };
    let item = variant.inventory_item;
    Ok(match name {
        "id" => Out::text(gid("InventoryItem", item)),
        "legacyResourceId" => Out::text(item.to_string()),
        "sku" => Out::maybe(variant.sku.as_ref()),
        "tracked" => Out::bool(variant.tracked),
        "requiresShipping" => Out::bool(true),
        "countryCodeOfOrigin" | "harmonizedSystemCode" | "unitCost" => Out::NULL,
        "createdAt" => Out::time(variant.created_at),
        "updatedAt" => Out::time(variant.updated_at),
        "measurement" => {
            let weight = variant.weight.as_ref().map_or(Out::NULL, |(value, unit)| {
                let value = Out::Json(crate::testkit::json::Json::Float(*value));
                Out::record("Weight", vec![("value", value), ("unit", Out::text(unit))])
            });
            let id = Out::text(gid("InventoryItemMeasurement", item));
            Out::record("InventoryItemMeasurement", vec![("id", id), ("weight", weight)])
        }
        "variants" => Out::Page(connection::page_in_order([(id, Obj::Variant(id))].into_iter(), args)?),
        "inventoryLevel" => match args.text("locationId").and_then(|id| number_of(id, "Location")) {
            Some(location) if location == super::shop::LOCATION => Out::Object(level(variant)),
            _ => Out::NULL,
        },
        "inventoryLevels" => {
            Out::Page(connection::page_in_order([(super::shop::LOCATION, level(variant))].into_iter(), args)?)
        }
        _ => return Err(FieldError::undefined("InventoryItem", name)),
    })
}

/// The stock of a variant at the shop's one place.
fn level(variant: &Variant) -> Obj {
    let id = format!(
        "gid://shopify/InventoryLevel/{}?inventory_item_id={}",
        super::shop::LOCATION,
        variant.inventory_item
    );
    let quantity = |name: &str| {
        Out::record(
            "InventoryQuantity",
            vec![
                (
                    "id",
                    Out::text(format!(
                        "gid://shopify/InventoryQuantity/{}?name={name}",
                        variant.inventory_item
                    )),
                ),
                ("name", Out::text(name)),
                ("quantity", Out::int(variant.quantity)),
                ("updatedAt", Out::time(variant.updated_at)),
            ],
        )
    };
    Obj::Record(
        "InventoryLevel",
        vec![
            ("id", Out::text(id)),
            ("item", Out::Object(Obj::Item(variant.id))),
            ("location", super::shop::location()),
            ("quantities", Out::List(vec![quantity("available"), quantity("on_hand")])),
            ("updatedAt", Out::time(variant.updated_at)),
        ],
    )
}

fn key(state: &State, variant: &Variant, args: &Args, default: &str) -> Key {
    match args.text("sortKey").unwrap_or(default) {
        "POSITION" => Key::Number(i64::try_from(variant.position).unwrap_or(i64::MAX)),
        "SKU" => Key::Text(variant.sku.clone().unwrap_or_default()),
        "TITLE" => {
            let product = state.products.get(&variant.product);
            Key::Text(product.map(|product| title(product, variant)).unwrap_or_default())
        }
        _ => Key::Number(i64::try_from(variant.id).unwrap_or(i64::MAX)),
    }
}

/// The variants of a product.
pub(super) fn of_product(state: &State, product: &Product, args: &Args) -> Result<Page, FieldError> {
    let items = product
        .variants
        .iter()
        .filter_map(|id| state.variants.get(id))
        .map(|variant| (key(state, variant, args, "POSITION"), variant.id, Obj::Variant(variant.id)));
    connection::page(items.collect(), args, 0)
}

/// `productVariants` of the root.
pub(super) fn list(state: &State, args: &Args, notes: &mut Vec<search::Note>) -> Result<Page, FieldError> {
    let items = found(state, "productVariants", args, notes)
        .map(|variant| (key(state, variant, args, "ID"), variant.id, Obj::Variant(variant.id)));
    connection::page(items.collect(), args, state.conditions.deep_paging_limit)
}

/// The variants that a query finds.
pub(super) fn found<'a>(
    state: &'a State,
    field: &'static str,
    args: &Args,
    notes: &mut Vec<search::Note>,
) -> impl Iterator<Item = &'a Variant> + use<'a> {
    let query = search::Query::parse(field, args.text("query"), search::VARIANT_FIELDS, notes);
    state
        .variants
        .values()
        .filter(move |variant| query.is_empty() || query.matches(&|field| searched(state, variant, field)))
}

fn searched(state: &State, variant: &Variant, field: &str) -> Vec<search::Value> {
    use search::Value;
    let product = state.products.get(&variant.product);
    match field {
        "id" => vec![Value::Number(variant.id)],
        "product_id" => vec![Value::Number(variant.product)],
        "product_ids" => vec![Value::Number(variant.product)],
        "updated_at" => vec![Value::Time(variant.updated_at)],
        "sku" => variant.sku.clone().map(Value::Text).into_iter().collect(),
        "barcode" => variant.barcode.clone().map(Value::Text).into_iter().collect(),
        "product_status" => product.map(|product| Value::Text(product.status.clone())).into_iter().collect(),
        "vendor" => product.map(|product| Value::Text(product.vendor.clone())).into_iter().collect(),
        "title" => product.map(|product| Value::Text(title(product, variant))).into_iter().collect(),
        _ => product.map(|product| Value::Words(product.title.clone())).into_iter().collect(),
    }
}
