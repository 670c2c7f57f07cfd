//! What resolvers give: leaves, objects, lists and pages.

use super::connection::Page;
use super::state::State;
use crate::testkit::json::Json;
use crate::time::Timestamp;

/// The coerced arguments of a field.
pub(super) type Args = serde_json::Map<String, serde_json::Value>;

/// The value of a field before its selection is applied.
#[derive(Debug, Clone)]
pub(super) enum Out {
    /// A scalar, or a list of scalars.
    Json(Json),
    Object(Obj),
    List(Vec<Out>),
    Page(Page),
}

impl Out {
    pub(super) const NULL: Self = Self::Json(Json::Null);

    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Json(Json::String(text.into()))
    }

    pub(super) fn maybe(text: Option<impl Into<String>>) -> Self {
        text.map_or(Self::NULL, Self::text)
    }

    pub(super) fn int(number: impl TryInto<i64>) -> Self {
        Self::Json(Json::Int(number.try_into().unwrap_or(i64::MAX)))
    }

    pub(super) fn bool(value: bool) -> Self {
        Self::Json(Json::Bool(value))
    }

    pub(super) fn time(at: Timestamp) -> Self {
        Self::text(at.to_string())
    }

    pub(super) fn maybe_time(at: Option<Timestamp>) -> Self {
        at.map_or(Self::NULL, Self::time)
    }

    pub(super) fn texts<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Self {
        Self::Json(Json::Array(texts.into_iter().map(|text| Json::text(text.as_ref())).collect()))
    }

    pub(super) fn object(found: Option<Obj>) -> Self {
        found.map_or(Self::NULL, Self::Object)
    }

    pub(super) fn list(objects: impl IntoIterator<Item = Obj>) -> Self {
        Self::List(objects.into_iter().map(Self::Object).collect())
    }

    /// An object whose fields are known already.
    pub(super) fn record(type_name: &'static str, fields: Vec<(&'static str, Out)>) -> Self {
        Self::Object(Obj::Record(type_name, fields))
    }
}

/// An object, by what finds it in the state.
#[derive(Debug, Clone)]
pub(super) enum Obj {
    Root,
    Shop,
    Product(u64),
    Variant(u64),
    /// The inventory item of a variant, by the variant's id.
    Item(u64),
    Media(u64),
    Metafield(u64),
    Collection(u64),
    /// An option of a product.
    Option(u64, u64),
    /// A value of an option of a product.
    OptionValue(u64, u64, u64),
    Webhook(u64),
    Bulk(u64),
    Event(u64),
    /// What can be translated, by its id.
    Translatable(String),
    /// An object whose fields are known already.
    Record(&'static str, Vec<(&'static str, Out)>),
}

impl Obj {
    pub(super) fn type_name(&self, state: &State) -> &'static str {
        match self {
            Self::Root => "QueryRoot",
            Self::Shop => "Shop",
            Self::Product(_) => "Product",
            Self::Variant(_) => "ProductVariant",
            Self::Item(_) => "InventoryItem",
            Self::Media(id) => state.media.get(id).map_or("MediaImage", |media| media.kind.type_name()),
            Self::Metafield(_) => "Metafield",
            Self::Collection(_) => "Collection",
            Self::Option(..) => "ProductOption",
            Self::OptionValue(..) => "ProductOptionValue",
            Self::Webhook(_) => "WebhookSubscription",
            Self::Bulk(_) => "BulkOperation",
            Self::Event(_) => "BasicEvent",
            Self::Translatable(_) => "TranslatableResource",
            Self::Record(name, _) => name,
        }
    }

    /// The id as clients see it; `None` for objects without one.
    pub(super) fn gid(&self, state: &State) -> Option<String> {
        let number = match self {
            Self::Root | Self::Translatable(_) => return None,
            Self::Record(_, fields) => {
                return fields.iter().find(|(name, _)| *name == "id").and_then(|(_, out)| match out {
                    Out::Json(json) => json.as_str().map(str::to_owned),
                    _ => None,
                });
            }
            Self::Shop => state.shop.id,
            Self::Item(variant) => state.variants.get(variant)?.inventory_item,
            Self::Product(id)
            | Self::Variant(id)
            | Self::Media(id)
            | Self::Metafield(id)
            | Self::Collection(id)
            | Self::Option(_, id)
            | Self::OptionValue(_, _, id)
            | Self::Webhook(id)
            | Self::Bulk(id)
            | Self::Event(id) => *id,
        };
        Some(gid(self.type_name(state), number))
    }
}

/// Writes an id as the platform does.
pub(super) fn gid(type_name: &str, number: u64) -> String {
    format!("gid://shopify/{type_name}/{number}")
}

/// The type and the number of an id; a query part is dropped.
pub(super) fn read_gid(text: &str) -> Option<(&str, u64)> {
    let (type_name, number) = text.strip_prefix("gid://shopify/")?.split_once('/')?;
    let number = number.split('?').next()?;
    Some((type_name, number.parse().ok()?))
}

/// The number of an id of a type, which may also be written as a bare number.
pub(super) fn number_of(text: &str, type_name: &str) -> Option<u64> {
    match read_gid(text) {
        Some((found, number)) => Some(number).filter(|_| found == type_name),
        None => text.parse().ok(),
    }
}

/// Reads arguments.
pub(super) trait Read {
    fn text(&self, name: &str) -> Option<&str>;
    fn int(&self, name: &str) -> Option<i64>;
    fn flag(&self, name: &str) -> bool;
    fn list(&self, name: &str) -> &[serde_json::Value];
    fn map(&self, name: &str) -> Option<&Args>;
    fn texts(&self, name: &str) -> Vec<String>;
    /// A text that was given: `Some(None)` where it was given as null.
    fn given(&self, name: &str) -> Option<Option<String>>;
}

impl Read for Args {
    fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(serde_json::Value::as_str)
    }

    fn int(&self, name: &str) -> Option<i64> {
        self.get(name).and_then(serde_json::Value::as_i64)
    }

    fn flag(&self, name: &str) -> bool {
        self.get(name).and_then(serde_json::Value::as_bool).unwrap_or(false)
    }

    fn list(&self, name: &str) -> &[serde_json::Value] {
        self.get(name).and_then(serde_json::Value::as_array).map_or(&[], Vec::as_slice)
    }

    fn map(&self, name: &str) -> Option<&Args> {
        self.get(name).and_then(serde_json::Value::as_object)
    }

    fn texts(&self, name: &str) -> Vec<String> {
        self.list(name).iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
    }

    fn given(&self, name: &str) -> Option<Option<String>> {
        self.get(name).map(|value| match value {
            serde_json::Value::String(text) => Some(text.clone()),
            serde_json::Value::Number(number) => Some(number.to_string()),
            _ => None,
        })
    }
}
