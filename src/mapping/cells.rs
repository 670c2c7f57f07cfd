//! The canonical fields that are cells: what an enrichment can be made from and written to.

use std::collections::HashSet;

use crate::model::{
    Attribute, BaseToken, CellState, CellValue, Entity, ExternalId, Field, FieldName, Media, Normaliser,
    Product, Record, Term, Text, TokenDigest, Variant,
};

/// A field whose value is a cell, or a list of cells.
pub(super) struct CellDef {
    pub(super) field: FieldName,
    /// The field whose rule says how its values are read.
    pub(super) rule: &'static str,
    /// What the fields of its rules begin with; for a field of one value, its name.
    pub(super) part_of: &'static str,
    pub(super) access: CellAccess,
}

/// The way to read a cell, or a list of them.
#[derive(Clone, Copy)]
pub(super) enum CellAccess {
    /// A text.
    Text(fn(&Record) -> &Field<Text>),
    /// The id of one term, as a text.
    TermId(fn(&Record) -> &Field<Term>),
    /// A set of terms, keyed by their folded names.
    Terms(fn(&Record) -> &Field<Vec<Term>>),
    /// Attributes with their values, keyed by [`Attribute::list_key`].
    Attributes(fn(&Record) -> &Field<Vec<Attribute>>),
    /// The names of the attributes that variants differ by, keyed by the attributes' ids.
    OptionNames(fn(&Record) -> &Field<Vec<Attribute>>),
    /// The names of the values of such attributes, keyed by the values' ids.
    OptionValues(fn(&Record) -> &Field<Vec<Attribute>>),
    /// The alternative texts of pictures, keyed by the pictures' ids.
    Alts(fn(&Record) -> &Field<Vec<Media>>),
}

impl CellAccess {
    /// Whether it is a list of cells.
    pub(super) const fn is_list(self) -> bool {
        !matches!(self, Self::Text(_) | Self::TermId(_))
    }

    /// Whether it is a list whose entries are there, each with an id, and only take other texts.
    const fn is_fixed(self) -> bool {
        matches!(self, Self::Alts(_) | Self::OptionNames(_) | Self::OptionValues(_))
    }
}

/// One entry of a list field, as its cell.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Entry {
    /// The key within the list.
    pub key: Text,
    /// The value.
    pub value: CellValue,
    /// The platform's spelling where the value alone does not lead back to it; of an attribute, all of it.
    pub raw: Option<Text>,
    /// The platform's id of what the key names.
    pub id: Option<ExternalId>,
    /// Whether variants differ by it: then it is never written.
    pub is_option: bool,
    /// Whether its names are kept somewhere else on the platform: then they are not written here.
    pub is_linked: bool,
}

/// The cells of a kind of record.
pub(super) fn of(entity: Entity) -> &'static [CellDef] {
    match entity {
        Entity::Product => PRODUCT,
        Entity::Variant => VARIANT,
        Entity::Media | Entity::Performance => &[],
        _ => TAXON,
    }
}

fn access(record: &Record, field: &FieldName) -> Option<CellAccess> {
    of(record.reference().kind).iter().find(|def| def.field == *field).map(|def| def.access)
}

/// Whether a field of a record is a list whose entries only take other texts: none is made, and none taken out.
#[must_use]
pub fn is_fixed(record: &Record, field: &FieldName) -> bool {
    access(record, field).is_some_and(CellAccess::is_fixed)
}

/// Reads the cell of a field from a record; for a list, of one key.
///
/// `None` where the field is no cell of this kind of record, or where it could not be read: a record that was
/// mapped has a base token for each cell that was. Of a fixed list also where it has no such entry.
#[must_use]
pub fn value(record: &Record, field: &FieldName, key: Option<&str>) -> Option<CellValue> {
    match (access(record, field)?, key) {
        (CellAccess::Text(get), None) => {
            let token = record.base().get(field)?;
            Some(match get(record) {
                Field::Value(text) if is_inherited(token) => CellValue::Inherited(text.as_str().into()),
                Field::Value(text) => CellValue::text(text),
                Field::Absent | Field::Null => CellValue::Absent,
            })
        }
        (CellAccess::TermId(get), None) => {
            record.base().get(field)?;
            Some(id_of(get(record)).map_or(CellValue::Absent, CellValue::text))
        }
        (CellAccess::Text(_) | CellAccess::TermId(_), Some(_)) | (_, None) => None,
        (access, Some(key)) => {
            let found = entries(record, field)?.into_iter().find(|entry| entry.key == key);
            if found.is_none() && access.is_fixed() {
                return None;
            }
            Some(found.map_or(CellValue::Absent, |entry| entry.value))
        }
    }
}

/// The entries of a list field of a record, in its order, where the list was read whole.
#[must_use]
pub fn entries(record: &Record, field: &FieldName) -> Option<Vec<Entry>> {
    let access = access(record, field)?;
    let tokens = record.base().keys(field)?;
    match access {
        CellAccess::Text(_) | CellAccess::TermId(_) => None,
        CellAccess::Terms(get) => Some(get(record).value()?.iter().map(of_term).collect()),
        CellAccess::Attributes(get) => Some(get(record).value()?.iter().map(of_attribute).collect()),
        CellAccess::OptionNames(get) => option_names(get(record)),
        CellAccess::OptionValues(get) => option_values(get(record)),
        CellAccess::Alts(get) => {
            let mut entries: Vec<Entry> = Vec::new();
            for media in get(record).value()? {
                let mut entry = of_media(media)?;
                let token = tokens.iter().find(|(key, _)| *key == entry.key).map(|(_, token)| token);
                if let (Some(alt), true) = (&media.alt, token.is_some_and(is_inherited)) {
                    entry.value = CellValue::Inherited(alt.as_str().into());
                }
                // A picture that is shown twice is one cell.
                if !entries.iter().any(|known| known.key == entry.key) {
                    entries.push(entry);
                }
            }
            Some(entries)
        }
    }
}

/// Whether a value is shown from another language or view: its token says so.
fn is_inherited(token: &BaseToken) -> bool {
    token.read().is_some_and(|digest| digest.state == CellState::Inherited)
}

fn id_of(term: &Field<Term>) -> Option<&str> {
    term.value()?.id.as_ref().map(ExternalId::as_str)
}

/// The base token of a cell of one value; `None` for a list.
pub(super) fn token(access: CellAccess, record: &Record, normaliser: Normaliser) -> Option<TokenDigest> {
    let text = match access {
        CellAccess::Text(get) => get(record).value().map(Text::as_str),
        CellAccess::TermId(get) => id_of(get(record)),
        _ => return None,
    };
    Some(match text {
        Some(text) => TokenDigest::of_text(text, normaliser),
        None => TokenDigest::absent(normaliser),
    })
}

fn of_term(term: &Term) -> Entry {
    Entry {
        key: Normaliser::Folded1.apply(&term.name).into(),
        value: CellValue::text(&term.name),
        raw: term.raw_name.clone(),
        id: term.id.clone(),
        is_option: false,
        is_linked: false,
    }
}

fn of_attribute(attribute: &Attribute) -> Entry {
    let values: Vec<&str> = attribute.values.iter().map(Text::as_str).collect();
    Entry {
        key: attribute.list_key(),
        value: if values.is_empty() { CellValue::Empty } else { CellValue::Value(values.into()) },
        // What an undo needs to put an attribute back as it was: its flags, its place, its spelling.
        raw: serde_json::to_string(attribute).ok().map(Text::from),
        id: attribute.id.clone(),
        is_option: attribute.distinguishes_variants == Some(true),
        is_linked: false,
    }
}

/// The attributes that variants differ by.
fn options(attributes: &Field<Vec<Attribute>>) -> Option<impl Iterator<Item = &Attribute>> {
    Some(attributes.value()?.iter().filter(|attribute| attribute.distinguishes_variants == Some(true)))
}

/// The names of options; nothing where one has no id.
fn option_names(attributes: &Field<Vec<Attribute>>) -> Option<Vec<Entry>> {
    options(attributes)?.map(|option| Some(named(option.id.as_ref()?, &option.label, option))).collect()
}

/// The values of options; nothing where one has no id.
fn option_values(attributes: &Field<Vec<Attribute>>) -> Option<Vec<Entry>> {
    let mut entries = Vec::new();
    for option in options(attributes)? {
        if option.value_ids.len() != option.values.len() {
            return None;
        }
        let values = option.value_ids.iter().zip(&option.values);
        entries.extend(values.map(|(id, name)| named(id, name, option)));
    }
    Some(entries)
}

fn tokens_of(entries: &[Entry], normaliser: Normaliser) -> Vec<(Text, BaseToken)> {
    entries.iter().map(|entry| (entry.key.clone(), entry.value.token(normaliser))).collect()
}

fn named(id: &ExternalId, name: &Text, option: &Attribute) -> Entry {
    Entry {
        key: id.as_str().into(),
        value: CellValue::text(name),
        raw: None,
        id: Some(id.clone()),
        is_option: false,
        is_linked: option.linked == Some(true),
    }
}

fn of_media(media: &Media) -> Option<Entry> {
    let id = media.id.clone()?;
    Some(Entry {
        key: id.as_str().into(),
        value: media.alt.as_ref().map_or(CellValue::Absent, |alt| CellValue::text(alt)),
        raw: media.raw_alt.clone(),
        id: Some(id),
        is_option: false,
        is_linked: false,
    })
}

/// How many pictures are told apart one by one.
const MANY: usize = 16;

/// The base tokens of a list's keys; `None` where the list has no keys to tell its entries apart by.
pub(super) fn tokens(
    access: CellAccess,
    record: &Record,
    normaliser: Normaliser,
) -> Option<Vec<(Text, BaseToken)>> {
    match access {
        CellAccess::Text(_) | CellAccess::TermId(_) => None,
        CellAccess::Terms(get) => {
            let token = |term: &Term| {
                let key = Normaliser::Folded1.apply(&term.name);
                let token = TokenDigest::of_text(&key, Normaliser::Exact1);
                (Text::from(key), TokenDigest { normaliser: Normaliser::Folded1, ..token }.into())
            };
            Some(get(record).value()?.iter().map(token).collect())
        }
        CellAccess::Attributes(get) => {
            let token = |attribute: &Attribute| {
                let key = attribute.list_key();
                (key, TokenDigest::of_values(attribute.values.iter().map(Text::as_str)).into())
            };
            Some(get(record).value()?.iter().map(token).collect())
        }
        CellAccess::OptionNames(get) => Some(tokens_of(&option_names(get(record))?, normaliser)),
        CellAccess::OptionValues(get) => Some(tokens_of(&option_values(get(record))?, normaliser)),
        CellAccess::Alts(get) => {
            let media = get(record).value()?;
            let mut tokens: Vec<(Text, BaseToken)> = Vec::with_capacity(media.len());
            let mut seen = (media.len() > MANY).then(HashSet::new);
            for media in media {
                let key = media.id.as_ref()?.as_str();
                // A picture that is shown twice is one cell.
                let is_known = match &mut seen {
                    Some(seen) => !seen.insert(key),
                    None => tokens.iter().any(|(known, _)| known == key),
                };
                if is_known {
                    continue;
                }
                let token = match &media.alt {
                    Some(alt) => TokenDigest::of_text(alt, normaliser),
                    None => TokenDigest::absent(normaliser),
                };
                tokens.push((key.into(), token.into()));
            }
            Some(tokens)
        }
    }
}

macro_rules! text_cell {
    ($name:literal, $get:expr) => {
        CellDef { field: FieldName::new($name), rule: $name, part_of: $name, access: CellAccess::Text($get) }
    };
}

macro_rules! terms_cell {
    ($name:literal, $rule:literal, $list:literal, $place:ident) => {
        CellDef {
            field: FieldName::new($name),
            rule: $rule,
            part_of: $list,
            access: CellAccess::Terms(|r| product(r).map_or(&NO_TERMS, |p| &p.$place)),
        }
    };
}

static PRODUCT: &[CellDef] = &[
    text_cell!("title", |r| text_of(r, |p| &p.title, |v| &v.title)),
    text_cell!("short_description", |r| text_of(r, |p| &p.short_description, |_| &NONE)),
    text_cell!("description", |r| text_of(r, |p| &p.description, |v| &v.description)),
    text_cell!("seo.title", |r| text_of(r, |p| &p.seo.title, |_| &NONE)),
    text_cell!("seo.description", |r| text_of(r, |p| &p.seo.description, |_| &NONE)),
    text_cell!("seo.focus_keyword", |r| text_of(r, |p| &p.seo.focus_keyword, |_| &NONE)),
    text_cell!("slug", |r| text_of(r, |p| &p.slug, |_| &NONE)),
    text_cell!("gtin", |r| text_of(r, |p| &p.gtin, |v| &v.gtin)),
    text_cell!("mpn", |r| text_of(r, |p| &p.mpn, |v| &v.mpn)),
    text_cell!("product_type", |r| text_of(r, |p| &p.product_type, |_| &NONE)),
    CellDef {
        field: FieldName::new("taxonomy"),
        rule: "taxonomy.id",
        part_of: "taxonomy.id",
        access: CellAccess::TermId(|r| product(r).map_or(&NO_TERM, |p| &p.taxonomy)),
    },
    terms_cell!("tags", "tags[].name", "tags[]", tags),
    terms_cell!("categories", "categories[].name", "categories[]", categories),
    terms_cell!("brands", "brands[].name", "brands[]", brands),
    CellDef {
        field: FieldName::new("attributes"),
        rule: "attributes[].values[]",
        part_of: "attributes[]",
        access: CellAccess::Attributes(|r| product(r).map_or(&NO_ATTRIBUTES, |p| &p.attributes)),
    },
    CellDef {
        field: FieldName::new("options"),
        rule: "attributes[].values[].id",
        part_of: "attributes[].values[].id",
        access: CellAccess::OptionNames(|r| product(r).map_or(&NO_ATTRIBUTES, |p| &p.attributes)),
    },
    CellDef {
        field: FieldName::new("options.values"),
        rule: "attributes[].values[].id",
        part_of: "attributes[].values[].id",
        access: CellAccess::OptionValues(|r| product(r).map_or(&NO_ATTRIBUTES, |p| &p.attributes)),
    },
    CellDef {
        field: FieldName::new("media.alt"),
        rule: "media[].alt",
        part_of: "media[]",
        access: CellAccess::Alts(|r| match r {
            Record::Product(product) => &product.media,
            Record::Variant(variant) => &variant.media,
            _ => &NO_MEDIA,
        }),
    },
];

static VARIANT: &[CellDef] = &[
    text_cell!("description", |r| text_of(r, |p| &p.description, |v| &v.description)),
    text_cell!("gtin", |r| text_of(r, |p| &p.gtin, |v| &v.gtin)),
    text_cell!("mpn", |r| text_of(r, |p| &p.mpn, |v| &v.mpn)),
];

static TAXON: &[CellDef] = &[
    text_cell!("title", |r| r.taxon().map_or(&NONE, |taxon| &taxon.title)),
    text_cell!("description", |r| r.taxon().map_or(&NONE, |taxon| &taxon.description)),
];

static NONE: Field<Text> = Field::Absent;
static NO_TERM: Field<Term> = Field::Absent;
static NO_TERMS: Field<Vec<Term>> = Field::Absent;
static NO_MEDIA: Field<Vec<Media>> = Field::Absent;
static NO_ATTRIBUTES: Field<Vec<Attribute>> = Field::Absent;

fn product(record: &Record) -> Option<&Product> {
    match record {
        Record::Product(product) => Some(product),
        _ => None,
    }
}

fn text_of(
    record: &Record,
    of_product: fn(&Product) -> &Field<Text>,
    of_variant: fn(&Variant) -> &Field<Text>,
) -> &Field<Text> {
    match record {
        Record::Product(product) => of_product(product),
        Record::Variant(variant) => of_variant(variant),
        _ => &NONE,
    }
}
