//! Canonical records of any kind.

use std::fmt;
use std::str::FromStr;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use twox_hash::XxHash3_128;

use super::{
    BaseToken, CellState, Entity, Field, FieldName, Performance, Product, RecordRef, StoreProfile, Taxon,
    Text, TokenDigest, Variant,
};
use crate::error::{Error, ErrorKind};
use crate::time::Timestamp;

/// A canonical record; in JSON the kind stands first, as `entity`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "entity", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Record {
    /// A product.
    Product(Box<Product>),
    /// A variant.
    Variant(Box<Variant>),
    /// A category.
    Category(Box<Taxon>),
    /// A tag.
    Tag(Box<Taxon>),
    /// A brand.
    Brand(Box<Taxon>),
    /// An attribute that products share.
    Attribute(Box<Taxon>),
    /// A value of a shared attribute.
    AttributeValue(Box<Taxon>),
    /// The numbers of a day for an item or page.
    Performance(Box<Performance>),
}

/// The taxon of any of its kinds, in a pattern.
macro_rules! of_taxon {
    ($taxon:ident) => {
        Self::Category($taxon)
            | Self::Tag($taxon)
            | Self::Brand($taxon)
            | Self::Attribute($taxon)
            | Self::AttributeValue($taxon)
    };
}

impl Record {
    /// A record of which nothing but its reference is known; `None` for a kind that is no record of its own.
    #[must_use]
    pub fn new(reference: RecordRef) -> Option<Self> {
        match reference.kind {
            Entity::Product => Some(Self::Product(Box::new(Product::new(reference)))),
            Entity::Variant => Some(Self::Variant(Box::new(Variant::new(reference)))),
            Entity::Category => Some(Self::Category(Box::new(Taxon::new(reference)))),
            Entity::Tag => Some(Self::Tag(Box::new(Taxon::new(reference)))),
            Entity::Brand => Some(Self::Brand(Box::new(Taxon::new(reference)))),
            Entity::Attribute => Some(Self::Attribute(Box::new(Taxon::new(reference)))),
            Entity::AttributeValue => Some(Self::AttributeValue(Box::new(Taxon::new(reference)))),
            Entity::Performance => Some(Self::Performance(Box::new(Performance::new(reference)))),
            Entity::Media => None,
        }
    }

    /// Which record it is.
    #[must_use]
    pub fn reference(&self) -> &RecordRef {
        match self {
            Self::Product(product) => &product.reference,
            Self::Variant(variant) => &variant.reference,
            of_taxon!(taxon) => &taxon.reference,
            Self::Performance(numbers) => &numbers.reference,
        }
    }

    pub(crate) fn reference_mut(&mut self) -> &mut RecordRef {
        match self {
            Self::Product(product) => &mut product.reference,
            Self::Variant(variant) => &mut variant.reference,
            of_taxon!(taxon) => &mut taxon.reference,
            Self::Performance(numbers) => &mut numbers.reference,
        }
    }

    /// Sets the store's locale and scope, and the platform's spellings.
    pub(crate) fn place(&mut self, profile: &StoreProfile, raws: Vec<(&'static str, Text)>) {
        let raws = raws.into_iter().map(|(field, raw)| (field.into(), raw));
        let (locale, scope) = match self {
            Self::Product(product) => {
                product.raw_spelling.extend(raws);
                (&mut product.locale, &mut product.scope)
            }
            Self::Variant(variant) => (&mut variant.locale, &mut variant.scope),
            of_taxon!(taxon) => {
                taxon.raw_spelling.extend(raws);
                (&mut taxon.locale, &mut taxon.scope)
            }
            // Numbers are of no language, and say themselves what they are of.
            Self::Performance(_) => return,
        };
        locale.clone_from(&profile.locale);
        scope.clone_from(&profile.scope);
    }

    /// Says what the record stands below, where its own bytes did not.
    pub(crate) fn put_below(&mut self, parent: &RecordRef) {
        match self {
            Self::Product(_) | Self::Performance(_) => {}
            Self::Variant(variant) => {
                variant.product_ref.get_or_insert_with(|| parent.clone());
            }
            of_taxon!(taxon) => {
                if taxon.parent_ref.is_absent() {
                    taxon.parent_ref = Field::Value(parent.clone());
                }
            }
        }
    }

    /// The entry of a taxonomy that it is, of whatever kind; none of a product or variant.
    #[must_use]
    pub fn taxon(&self) -> Option<&Taxon> {
        match self {
            Self::Product(_) | Self::Variant(_) | Self::Performance(_) => None,
            of_taxon!(taxon) => Some(taxon),
        }
    }

    /// The numbers that it is; none of another kind of record.
    #[must_use]
    pub fn performance(&self) -> Option<&Performance> {
        match self {
            Self::Performance(numbers) => Some(numbers),
            Self::Product(_) | Self::Variant(_) => None,
            of_taxon!(_taxon) => None,
        }
    }

    pub(crate) fn performance_mut(&mut self) -> Option<&mut Performance> {
        match self {
            Self::Performance(numbers) => Some(numbers),
            Self::Product(_) | Self::Variant(_) => None,
            of_taxon!(_taxon) => None,
        }
    }

    pub(crate) fn taxon_mut(&mut self) -> Option<&mut Taxon> {
        match self {
            Self::Product(_) | Self::Variant(_) | Self::Performance(_) => None,
            of_taxon!(taxon) => Some(taxon),
        }
    }

    /// The language of its content, and the view or channel that it belongs to.
    #[must_use]
    pub fn place_of(&self) -> (Option<&Text>, Option<&Text>) {
        let (locale, scope) = match self {
            Self::Product(product) => (&product.locale, &product.scope),
            Self::Variant(variant) => (&variant.locale, &variant.scope),
            of_taxon!(taxon) => (&taxon.locale, &taxon.scope),
            Self::Performance(_) => return (None, None),
        };
        (locale.as_ref(), scope.as_ref())
    }

    /// The platform's spelling of a field, where the canonical text does not lead back to it.
    #[must_use]
    pub fn raw_spelling(&self, field: &FieldName) -> Option<&Text> {
        match self {
            Self::Product(product) => product.raw_spelling.get(field.as_str()),
            Self::Variant(_) | Self::Performance(_) => None,
            of_taxon!(taxon) => taxon.raw_spelling.get(field.as_str()),
        }
    }

    /// The platform's mark of what a write of a field is bound to, where it has one.
    #[must_use]
    pub fn version(&self, field: &FieldName) -> Option<&Text> {
        match self {
            Self::Product(product) => product.versions.get(field.as_str()),
            _ => None,
        }
    }

    /// When the platform says that it was last changed: the record's change stamp.
    #[must_use]
    pub fn modified_at(&self) -> Option<Timestamp> {
        let field: &Field<Timestamp> = match self {
            Self::Product(product) => &product.modified_at,
            Self::Variant(variant) => &variant.modified_at,
            // Terms carry no time on any platform that we read.
            of_taxon!(_taxon) => return None,
            Self::Performance(_) => return None,
        };
        field.value().copied()
    }

    /// The base tokens of its cells.
    #[must_use]
    pub fn base(&self) -> &Tokens {
        match self {
            Self::Product(product) => &product.base,
            Self::Variant(variant) => &variant.base,
            of_taxon!(taxon) => &taxon.base,
            Self::Performance(numbers) => &numbers.base,
        }
    }

    pub(crate) fn base_mut(&mut self) -> &mut Tokens {
        match self {
            Self::Product(product) => &mut product.base,
            Self::Variant(variant) => &mut variant.base,
            of_taxon!(taxon) => &mut taxon.base,
            Self::Performance(numbers) => &mut numbers.base,
        }
    }

    /// The hash of all that it holds, the change stamp included: two reads of a record that nobody touched in
    /// between give the same one.
    ///
    /// It is taken of the serialised canonical form. What a platform makes anew for each answer must therefore
    /// stay out of a map. The base tokens do not count, since they follow from the rest.
    #[must_use]
    pub fn content_hash(&self) -> ContentHash {
        let mut plain = self.clone();
        *plain.base_mut() = Tokens::default();
        #[expect(
            clippy::expect_used,
            reason = "a record has text keys and no type that can fail to be written"
        )]
        let bytes = serde_json::to_vec(&plain).expect("a record can be written as JSON");
        ContentHash(XxHash3_128::oneshot(&bytes))
    }
}

/// The hash of a record's content: XXH3, 128 bits. It guards against accidents, not attackers.
///
/// In text it is 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentHash(u128);

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContentHash({self})")
    }
}

impl FromStr for ContentHash {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        hex.then(|| u128::from_str_radix(text, 16).ok()).flatten().map(Self).ok_or_else(|| {
            Error::new(ErrorKind::Rejected, "hash_unreadable", "a content hash has 32 hexadecimal digits")
        })
    }
}

/// The base tokens of a record: one a cell, or one a key of a list.
///
/// A list that was read whole has an entry even where it is empty: a key that is missing in it was absent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tokens(Vec<(FieldName, Entry)>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Entry {
    One(BaseToken),
    Keyed(Keyed),
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Keyed(Vec<(Text, BaseToken)>);

impl Tokens {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The token of a field of one value.
    #[must_use]
    pub fn get(&self, field: &FieldName) -> Option<&BaseToken> {
        match self.entry(field)? {
            Entry::One(token) => Some(token),
            Entry::Keyed(_) => None,
        }
    }

    /// The tokens of a list field's keys, where the list was read.
    #[must_use]
    pub fn keys(&self, field: &FieldName) -> Option<&[(Text, BaseToken)]> {
        match self.entry(field)? {
            Entry::Keyed(keys) => Some(&keys.0),
            Entry::One(_) => None,
        }
    }

    pub(crate) fn with_capacity(cells: usize) -> Self {
        Self(Vec::with_capacity(cells))
    }

    /// Sets the token of a field of one value.
    pub fn set(&mut self, field: FieldName, token: impl Into<BaseToken>) {
        self.0.push((field, Entry::One(token.into())));
    }

    /// Sets the tokens of a list's keys.
    pub fn set_keys(&mut self, field: FieldName, keys: Vec<(Text, BaseToken)>) {
        self.0.push((field, Entry::Keyed(Keyed(keys))));
    }

    /// Says that a value is shown from another language or view. A field or key without a token stays so.
    pub(crate) fn inherit(&mut self, field: &FieldName, key: Option<&str>) {
        let Some((_, entry)) = self.0.iter_mut().find(|(name, _)| name == field) else { return };
        let token = match (entry, key) {
            (Entry::One(token), None) => Some(token),
            (Entry::Keyed(keys), Some(key)) => {
                keys.0.iter_mut().find(|(known, _)| *known == key).map(|(_, token)| token)
            }
            _ => None,
        };
        if let Some(token) = token
            && let Some(digest) = token.read()
        {
            *token = TokenDigest { state: CellState::Inherited, ..digest }.into();
        }
    }

    /// Takes the token of a value away; that of no value stays.
    pub(crate) fn forget_value(&mut self, field: &FieldName) {
        let is_value = |entry: &Entry| match entry {
            Entry::One(token) => token.read().is_none_or(|digest| digest.state == CellState::Value),
            Entry::Keyed(_) => false,
        };
        self.0.retain(|(name, entry)| name != field || !is_value(entry));
    }

    fn entry(&self, field: &FieldName) -> Option<&Entry> {
        self.0.iter().find(|(name, _)| name == field).map(|(_, entry)| entry)
    }
}

impl Serialize for Tokens {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, entry)| (name, entry)))
    }
}

impl<'de> Deserialize<'de> for Tokens {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Pairs::default()).map(Self)
    }
}

impl Serialize for Keyed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, token) in &self.0 {
            map.serialize_entry(key, token)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Keyed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Pairs::default()).map(Self)
    }
}

struct Pairs<K, V>(std::marker::PhantomData<(K, V)>);

impl<K, V> Default for Pairs<K, V> {
    fn default() -> Self {
        Self(std::marker::PhantomData)
    }
}

impl<'de, K: Deserialize<'de>, V: Deserialize<'de>> Visitor<'de> for Pairs<K, V> {
    type Value = Vec<(K, V)>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object of base tokens")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{CellValue, Normaliser, Platform};
    use super::*;

    #[test]
    fn a_record_round_trips_with_its_kind_its_reference_and_its_tokens() {
        let mut product = Product::new(RecordRef::new(Platform::new("woocommerce"), Entity::Product, "11"));
        product.title = Field::Value("Cap".into());
        product.sku = Field::Null;
        product.base.set(FieldName::new("title"), CellValue::text("Cap").token(Normaliser::Trimmed1));
        product.base.set_keys(
            FieldName::new("tags"),
            vec![("sale".into(), CellValue::text("sale").token(Normaliser::Folded1))],
        );
        let record = Record::Product(Box::new(product));
        let json = serde_json::to_string(&record).unwrap();
        assert!(
            json.starts_with(
                r#"{"entity":"product","ref":{"platform":"woocommerce","kind":"product","id":"11"},"sku":null,"title":"Cap""#
            ),
            "{json}"
        );
        assert_eq!(serde_json::from_str::<Record>(&json).unwrap(), record);
    }

    #[test]
    fn h2_the_content_hash_tells_every_edit_and_no_repetition() {
        let mut product = Product::new(RecordRef::new(Platform::new("woocommerce"), Entity::Product, "11"));
        product.title = Field::Value("Cap".into());
        product.modified_at = Field::Value(Timestamp::UNIX_EPOCH);
        let hash = |product: &Product| Record::Product(Box::new(product.clone())).content_hash();
        let first = hash(&product);
        assert_eq!(first.to_string().parse::<ContentHash>().unwrap(), first);
        assert!("+0000000000000000000000000000001".parse::<ContentHash>().is_err());
        // It is kept in states: an update of this crate must not change it without need.
        assert_eq!(first.to_string(), "ac1ba6248a9b9d33571cd7614cdab2fc");

        let mut tokens = product.clone();
        tokens.base.set(FieldName::new("title"), CellValue::text("Cap").token(Normaliser::Trimmed1));
        assert_eq!(hash(&tokens), first);
        let edits: [&dyn Fn(&mut Product); 4] = [
            &|product| product.title = Field::Value("Hat".into()),
            &|product| product.sku = Field::Null,
            &|product| {
                let _ = product.raw_spelling.insert("title".into(), "Cap ".into());
            },
            &|product| product.modified_at = Field::Absent,
        ];
        for edit in edits {
            let mut edited = product.clone();
            edit(&mut edited);
            assert_ne!(hash(&edited), first);
        }
    }

    #[test]
    fn each_kind_of_taxon_round_trips_under_its_own_name() {
        for entity in Entity::ALL {
            let mut record = Record::new(RecordRef::new(Platform::new("woocommerce"), entity, "7")).unwrap();
            if let Some(taxon) = record.taxon_mut() {
                taxon.title = Field::Value("Salt & Pepper".into());
                taxon.parent_ref = Field::Null;
                taxon.product_count = Field::Value(3);
                taxon.position = Field::Value(-1);
            }
            let json = serde_json::to_string(&record).unwrap();
            assert!(json.starts_with(&format!(r#"{{"entity":"{entity}","ref":"#)), "{json}");
            assert_eq!(serde_json::from_str::<Record>(&json).unwrap(), record);
            assert_eq!(Entity::named(entity.as_str()), Some(entity));
        }
    }
}
