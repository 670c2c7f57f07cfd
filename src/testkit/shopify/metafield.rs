//! Metafields, and whose they are.

use sha2::{Digest, Sha256};

use super::connection;
use super::errors::FieldError;
use super::state::State;
use super::translation;
use super::value::{Args, Obj, Out, Read, gid, read_gid};
use crate::testkit::json::Json;
use crate::time::Timestamp;

/// Whose a metafield is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Owner {
    /// A product.
    Product(u64),
    /// A variant.
    Variant(u64),
    /// A collection.
    Collection(u64),
    /// The shop itself.
    Shop,
}

impl Owner {
    /// The owner that an id names, where the shop has it.
    pub(super) fn of(state: &State, id: &str) -> Option<Self> {
        let owner = match read_gid(id)? {
            ("Product", id) => Self::Product(id),
            ("ProductVariant", id) => Self::Variant(id),
            ("Collection", id) => Self::Collection(id),
            ("Shop", id) if id == state.shop.id => Self::Shop,
            _ => return None,
        };
        let known = match owner {
            Self::Product(id) => state.products.contains_key(&id),
            Self::Variant(id) => state.variants.contains_key(&id),
            Self::Collection(id) => state.collections.contains_key(&id),
            Self::Shop => true,
        };
        known.then_some(owner)
    }

    pub(super) fn obj(self) -> Obj {
        match self {
            Self::Product(id) => Obj::Product(id),
            Self::Variant(id) => Obj::Variant(id),
            Self::Collection(id) => Obj::Collection(id),
            Self::Shop => Obj::Shop,
        }
    }

    fn type_text(self) -> &'static str {
        match self {
            Self::Product(_) => "PRODUCT",
            Self::Variant(_) => "PRODUCTVARIANT",
            Self::Collection(_) => "COLLECTION",
            Self::Shop => "SHOP",
        }
    }
}

/// A metafield as the shop keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metafield {
    /// The number of its id.
    pub id: u64,
    /// The namespace.
    pub namespace: String,
    /// The key within the namespace.
    pub key: String,
    /// The type, such as `single_line_text_field`.
    pub kind: String,
    /// The value as text.
    pub value: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Metafield {
    /// Makes a metafield.
    #[must_use]
    pub fn new(id: u64, namespace: &str, key: &str, kind: &str, value: &str, now: Timestamp) -> Self {
        Self {
            id,
            namespace: namespace.to_owned(),
            key: key.to_owned(),
            kind: kind.to_owned(),
            value: value.to_owned(),
            created_at: now,
            updated_at: now,
        }
    }

    /// The id as clients see it.
    #[must_use]
    pub fn gid(&self) -> String {
        gid("Metafield", self.id)
    }

    /// What follows from the value, and guards a change of it.
    #[must_use]
    pub fn compare_digest(&self) -> String {
        hex(&Sha256::digest(format!("{}\n{}", self.kind, self.value)))
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The namespace as it is stored: `$app` is the app's own.
pub(super) fn namespace(state: &State, given: Option<&str>) -> String {
    let own = format!("app--{}", state.shop.app_id);
    match given {
        None | Some("$app") => own,
        Some(given) => match given.strip_prefix("$app:") {
            Some(rest) => format!("{own}--{rest}"),
            None => given.to_owned(),
        },
    }
}

/// `metafield` and `metafields` of an owner.
pub(super) fn of_owner(state: &State, owner: Owner, field: &str, args: &Args) -> Result<Out, FieldError> {
    let all = state.metafields.get(&owner).map_or(&[] as &[Metafield], Vec::as_slice);
    if field == "metafield" {
        let namespace = namespace(state, args.text("namespace"));
        let key = args.text("key").unwrap_or_default();
        let found = all.iter().find(|metafield| metafield.namespace == namespace && metafield.key == key);
        return Ok(Out::object(found.map(|metafield| Obj::Metafield(metafield.id))));
    }
    let wanted = args.text("namespace").map(|given| namespace(state, Some(given)));
    let keys: Vec<String> = args
        .texts("keys")
        .into_iter()
        .map(|key| match key.rsplit_once('.') {
            Some((given, key)) => format!("{}.{key}", namespace(state, Some(given))),
            None => key,
        })
        .collect();
    let items = all
        .iter()
        .filter(|metafield| wanted.as_ref().is_none_or(|wanted| *wanted == metafield.namespace))
        .filter(|metafield| {
            let full = format!("{}.{}", metafield.namespace, metafield.key);
            keys.is_empty() || keys.contains(&full) || keys.contains(&metafield.key)
        })
        .map(|metafield| (metafield.id, Obj::Metafield(metafield.id)));
    Ok(Out::Page(connection::page_in_order(items, args)?))
}

pub(super) fn find(state: &State, id: u64) -> Option<(Owner, &Metafield)> {
    let owner = *state.metafield_owners.get(&id)?;
    let metafield = state.metafields.get(&owner)?.iter().find(|metafield| metafield.id == id)?;
    Some((owner, metafield))
}

/// A field of a metafield.
pub(super) fn field(state: &State, id: u64, name: &str, args: &Args) -> Result<Out, FieldError> {
    let Some((owner, metafield)) = find(state, id) else { return Ok(Out::NULL) };
    Ok(match name {
        "id" => Out::text(metafield.gid()),
        "legacyResourceId" => Out::text(id.to_string()),
        "namespace" => Out::text(&metafield.namespace),
        "key" => Out::text(&metafield.key),
        "type" => Out::text(&metafield.kind),
        "value" => Out::text(&metafield.value),
        "jsonValue" => Out::Json(json_value(metafield)),
        "compareDigest" => Out::text(metafield.compare_digest()),
        "sizeInBytes" => Out::int(metafield.value.len()),
        "createdAt" => Out::time(metafield.created_at),
        "updatedAt" => Out::time(metafield.updated_at),
        "owner" => Out::Object(owner.obj()),
        "ownerType" => Out::text(owner.type_text()),
        "definition" => Out::NULL,
        "translations" => translation::published(state, &metafield.gid(), args),
        _ => return Err(FieldError::undefined("Metafield", name)),
    })
}

fn json_value(metafield: &Metafield) -> Json {
    let kind = metafield.kind.as_str();
    let is_json = kind.starts_with("list.")
        || matches!(
            kind,
            "json"
                | "boolean"
                | "number_integer"
                | "rating"
                | "dimension"
                | "volume"
                | "weight"
                | "money"
                | "rich_text_field"
                | "link"
        );
    let parsed = is_json.then(|| Json::parse(metafield.value.as_bytes()).ok()).flatten();
    parsed.unwrap_or_else(|| Json::text(metafield.value.clone()))
}

/// What is wrong with a value of a type; light, and only for the types that clients get wrong.
pub(super) fn problem(kind: &str, value: &str) -> Option<(&'static str, String)> {
    let invalid = |what: &str| Some(("INVALID_VALUE", format!("Value {what}.")));
    if value.is_empty() {
        return Some(("BLANK", "Value can't be blank.".to_owned()));
    }
    let limit = match kind {
        "url" | "id" => 2_048,
        "json" => 131_072,
        _ => 65_536,
    };
    if value.len() > limit {
        return Some(("TOO_LONG", format!("Value is too long (maximum is {limit} characters).")));
    }
    if let Some(inner) = kind.strip_prefix("list.") {
        return match Json::parse(value.as_bytes()) {
            Ok(Json::Array(items)) if items.len() > 128 => invalid("has more than 128 entries"),
            Ok(Json::Array(_)) if is_known(inner) => None,
            Ok(Json::Array(_)) => Some(("INVALID_TYPE", "Type must be one of the known types.".to_owned())),
            _ => invalid("is invalid JSON"),
        };
    }
    match kind {
        "number_integer" if value.parse::<i64>().is_err() => invalid("must be an integer"),
        "number_decimal" if value.parse::<f64>().is_err() => invalid("must be a decimal"),
        "boolean" if !matches!(value, "true" | "false") => invalid("must be true or false"),
        "json" | "rich_text_field" | "dimension" | "weight" | "volume" | "rating" | "money" | "link"
            if Json::parse(value.as_bytes()).is_err() =>
        {
            invalid("is invalid JSON")
        }
        "single_line_text_field" if value.contains('\n') => invalid("must be a single line text string"),
        "url" if url::Url::parse(value).is_err() => invalid("must be a valid URL"),
        "color" if !value.starts_with('#') || value.len() != 7 => invalid("must be a hex code"),
        kind if is_known(kind) => None,
        _ => Some(("INVALID_TYPE", "Type must be one of the known types.".to_owned())),
    }
}

fn is_known(kind: &str) -> bool {
    matches!(
        kind,
        "single_line_text_field"
            | "multi_line_text_field"
            | "rich_text_field"
            | "number_integer"
            | "number_decimal"
            | "boolean"
            | "json"
            | "url"
            | "color"
            | "date"
            | "date_time"
            | "dimension"
            | "weight"
            | "volume"
            | "rating"
            | "money"
            | "link"
            | "id"
            | "product_reference"
            | "variant_reference"
            | "collection_reference"
            | "file_reference"
            | "metaobject_reference"
            | "mixed_reference"
            | "page_reference"
    )
}

/// The definitions of products' metafields: each that some product has is defined.
pub(super) fn definitions(state: &State) -> impl Iterator<Item = (u64, Obj)> {
    let mut known: std::collections::BTreeMap<(String, String), String> = std::collections::BTreeMap::new();
    for (owner, metafields) in &state.metafields {
        if !matches!(owner, Owner::Product(_)) {
            continue;
        }
        for it in metafields {
            known.entry((it.namespace.clone(), it.key.clone())).or_insert_with(|| it.kind.clone());
        }
    }
    known.into_iter().enumerate().map(|(at, ((namespace, key), kind))| {
        let id = at as u64 + 1;
        let kind = Out::record("MetafieldDefinitionType", vec![("name", Out::text(kind))]);
        let fields = vec![
            ("id", Out::text(super::value::gid("MetafieldDefinition", id))),
            ("name", Out::text(&key)),
            ("namespace", Out::text(namespace)),
            ("key", Out::text(key)),
            ("type", kind),
        ];
        (id, Obj::Record("MetafieldDefinition", fields))
    })
}
