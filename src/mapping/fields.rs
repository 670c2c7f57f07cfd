//! The canonical fields that a rule can name, listed once: how each is set.

mod performance;
mod taxon;

use std::mem::take;

use super::canon::{Canon, Kind};
use rust_decimal::prelude::ToPrimitive;

use crate::model::{
    Attribute, Availability, Dimensions, Entity, ExternalId, Field, Inventory, Length, OptionValue, Product,
    ProductStatus, Record, RecordRef, StockTracking, Term, Text, Variant,
};

/// A canonical field that holds one value: by name, kind, and the way to set it.
pub(super) struct FieldDef {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) put: fn(&mut Record, &mut Canon<'_>) -> bool,
}

/// A canonical list: by name, and the ways to begin it and to open an element.
pub(super) struct ListDef {
    pub(super) name: &'static str,
    pub(super) begin: fn(&mut Record),
    pub(super) open: fn(&mut Record),
}

pub(super) fn field(entity: Entity, name: &str) -> Option<&'static FieldDef> {
    tables(entity).iter().copied().flatten().find(|def| def.name == name)
}

pub(super) fn list(entity: Entity, name: &str) -> Option<&'static ListDef> {
    let table = match entity {
        Entity::Product => PRODUCT_LISTS,
        Entity::Variant => VARIANT_LISTS,
        Entity::Media | Entity::Performance => &[],
        _ => taxon::LISTS,
    };
    table.iter().find(|def| def.name == name)
}

/// The names of the fields of a kind of record that a rule can fill.
pub fn names(entity: Entity) -> impl Iterator<Item = &'static str> {
    tables(entity).iter().copied().flatten().map(|def| def.name)
}

static PRODUCT_TABLES: &[&[FieldDef]] =
    &[&PRODUCT_SHARED, PRODUCT, &PRODUCT_CATEGORIES, &PRODUCT_TAGS, &PRODUCT_BRANDS];
static VARIANT_TABLES: &[&[FieldDef]] = &[&VARIANT_SHARED, VARIANT];
static TAXON_TABLES: &[&[FieldDef]] = &[taxon::FIELDS];
static PERFORMANCE_TABLES: &[&[FieldDef]] = &[performance::FIELDS];

fn tables(entity: Entity) -> &'static [&'static [FieldDef]] {
    match entity {
        Entity::Product => PRODUCT_TABLES,
        Entity::Variant => VARIANT_TABLES,
        Entity::Media => &[],
        Entity::Performance => PERFORMANCE_TABLES,
        _ => TAXON_TABLES,
    }
}

fn product(record: &mut Record) -> Option<&mut Product> {
    match record {
        Record::Product(product) => Some(product),
        _ => None,
    }
}

fn variant(record: &mut Record) -> Option<&mut Variant> {
    match record {
        Record::Variant(variant) => Some(variant),
        _ => None,
    }
}

fn set<'c, T>(
    place: Option<&mut Field<T>>,
    value: &mut Canon<'c>,
    read: impl FnOnce(&mut Canon<'c>) -> Option<T>,
) -> bool {
    let Some(place) = place else { return false };
    if matches!(value, Canon::Null) {
        *place = Field::Null;
        return true;
    }
    read(value).is_some_and(|value| {
        *place = Field::Value(value);
        true
    })
}

fn set_option<'c, T>(
    place: Option<&mut Option<T>>,
    value: &mut Canon<'c>,
    read: impl FnOnce(&mut Canon<'c>) -> Option<T>,
) -> bool {
    let Some(place) = place else { return false };
    if matches!(value, Canon::Null) {
        *place = None;
        return true;
    }
    read(value).is_some_and(|value| {
        *place = Some(value);
        true
    })
}

fn set_plain<'c, T>(
    place: Option<&mut T>,
    value: &mut Canon<'c>,
    read: impl FnOnce(&mut Canon<'c>) -> Option<T>,
) -> bool {
    match (place, read(value)) {
        (Some(place), Some(value)) => {
            *place = value;
            true
        }
        _ => false,
    }
}

fn push<'c, T>(
    list: Option<&mut Vec<T>>,
    value: &mut Canon<'c>,
    read: impl FnOnce(&mut Canon<'c>) -> Option<T>,
) -> bool {
    match (list, read(value)) {
        (Some(list), Some(value)) => {
            list.push(value);
            true
        }
        _ => false,
    }
}

fn last<T: Default>(field: &mut Field<Vec<T>>) -> Option<&mut T> {
    field.get_or_default().last_mut()
}

fn begin<T>(field: Option<&mut Field<Vec<T>>>) {
    if let Some(field) = field {
        *field = Field::Value(Vec::new());
    }
}

fn open<T: Default>(field: Option<&mut Field<Vec<T>>>) {
    if let Some(field) = field {
        field.get_or_default().push(T::default());
    }
}

fn status(word: &str) -> ProductStatus {
    match word {
        "active" => ProductStatus::Active,
        "draft" => ProductStatus::Draft,
        "private" => ProductStatus::Private,
        "scheduled" => ProductStatus::Scheduled,
        "trashed" => ProductStatus::Trashed,
        "archived" => ProductStatus::Archived,
        "unlisted" => ProductStatus::Unlisted,
        other => ProductStatus::Other(other.into()),
    }
}

fn availability(word: &str) -> Option<Availability> {
    match word {
        "in_stock" => Some(Availability::InStock),
        "out_of_stock" => Some(Availability::OutOfStock),
        "on_backorder" => Some(Availability::OnBackorder),
        _ => None,
    }
}

fn tracking(word: &str) -> Option<StockTracking> {
    match word {
        "own" => Some(StockTracking::Own),
        "product" => Some(StockTracking::Product),
        "none" => Some(StockTracking::None),
        _ => None,
    }
}

fn stock(place: Option<&mut Field<Inventory>>) -> Option<&mut Inventory> {
    place.map(Field::get_or_default)
}

fn size(
    place: Option<&mut Field<Dimensions>>,
    value: &mut Canon<'_>,
    side: fn(&mut Dimensions) -> &mut Option<Length>,
) -> bool {
    // A side that is not given must not make dimensions of nothing.
    if matches!(value, Canon::Null) {
        return true;
    }
    set_option(place.map(|place| side(place.get_or_default())), value, Canon::length)
}

macro_rules! text_field {
    ($of:ident, $name:literal, $($place:ident).+) => {
        FieldDef { name: $name, kind: Kind::Text, put: |r, c| set($of(r).map(|x| &mut x.$($place).+), c, Canon::text) }
    };
}

macro_rules! version_field {
    ($name:literal, $of:literal) => {
        FieldDef {
            name: $name,
            kind: Kind::Text,
            put: |r, c| {
                let Some(product) = product(r) else { return false };
                match c {
                    Canon::Null => true,
                    c => c.text().is_some_and(|version| {
                        product.versions.insert($of.into(), version);
                        true
                    }),
                }
            },
        }
    };
}

macro_rules! shared_fields {
    ($of:ident) => {
        [
            FieldDef {
                name: "status",
                kind: Kind::Word,
                put: |r, c| set($of(r).map(|x| &mut x.status), c, |c| c.word().map(|word| status(&word))),
            },
            text_field!($of, "sku", sku),
            text_field!($of, "gtin", gtin),
            text_field!($of, "mpn", mpn),
            text_field!($of, "title", title),
            text_field!($of, "description", description),
            text_field!($of, "url", url),
            FieldDef {
                name: "price",
                kind: Kind::Money,
                put: |r, c| set($of(r).map(|x| &mut x.price), c, Canon::money),
            },
            FieldDef {
                name: "compare_at",
                kind: Kind::Money,
                put: |r, c| set($of(r).map(|x| &mut x.compare_at), c, Canon::money),
            },
            FieldDef {
                name: "weight",
                kind: Kind::Mass,
                put: |r, c| set($of(r).map(|x| &mut x.weight), c, Canon::mass),
            },
            FieldDef {
                name: "dimensions.length",
                kind: Kind::Length,
                put: |r, c| size($of(r).map(|x| &mut x.dimensions), c, |d| &mut d.length),
            },
            FieldDef {
                name: "dimensions.width",
                kind: Kind::Length,
                put: |r, c| size($of(r).map(|x| &mut x.dimensions), c, |d| &mut d.width),
            },
            FieldDef {
                name: "dimensions.height",
                kind: Kind::Length,
                put: |r, c| size($of(r).map(|x| &mut x.dimensions), c, |d| &mut d.height),
            },
            FieldDef {
                name: "inventory.tracking",
                kind: Kind::Word,
                put: |r, c| {
                    set_option(stock($of(r).map(|x| &mut x.inventory)).map(|i| &mut i.tracking), c, |c| {
                        c.word().and_then(|word| tracking(&word))
                    })
                },
            },
            FieldDef {
                name: "inventory.quantity",
                kind: Kind::Decimal,
                put: |r, c| {
                    set_option(
                        stock($of(r).map(|x| &mut x.inventory)).map(|i| &mut i.quantity),
                        c,
                        Canon::decimal,
                    )
                },
            },
            FieldDef {
                name: "inventory.availability",
                kind: Kind::Word,
                put: |r, c| {
                    set_option(stock($of(r).map(|x| &mut x.inventory)).map(|i| &mut i.availability), c, |c| {
                        c.word().and_then(|word| availability(&word))
                    })
                },
            },
            FieldDef {
                name: "media[].id",
                kind: Kind::Id,
                put: |r, c| {
                    set_option($of(r).and_then(|x| last(&mut x.media)).map(|m| &mut m.id), c, Canon::id)
                },
            },
            FieldDef {
                name: "media[].url",
                kind: Kind::Text,
                put: |r, c| {
                    set_option($of(r).and_then(|x| last(&mut x.media)).map(|m| &mut m.url), c, Canon::text)
                },
            },
            FieldDef {
                name: "media[].alt",
                kind: Kind::Text,
                put: |r, c| {
                    let Some(media) = $of(r).and_then(|x| last(&mut x.media)) else { return false };
                    media.raw_alt = c.raw();
                    set_option(Some(&mut media.alt), c, Canon::text)
                },
            },
            FieldDef {
                name: "media[].title",
                kind: Kind::Text,
                put: |r, c| {
                    set_option($of(r).and_then(|x| last(&mut x.media)).map(|m| &mut m.title), c, Canon::text)
                },
            },
            FieldDef {
                name: "created_at",
                kind: Kind::Time,
                put: |r, c| set($of(r).map(|x| &mut x.created_at), c, Canon::time),
            },
            FieldDef {
                name: "modified_at",
                kind: Kind::Time,
                put: |r, c| set($of(r).map(|x| &mut x.modified_at), c, Canon::time),
            },
            FieldDef {
                name: "ref.id",
                kind: Kind::Id,
                put: |r, c| set_plain(Some(&mut r.reference_mut().id), c, Canon::id),
            },
        ]
    };
}

macro_rules! term_fields {
    ($list:ident, $id:literal, $name:literal) => {
        [
            FieldDef {
                name: $id,
                kind: Kind::Id,
                put: |r, c| {
                    set_option(product(r).and_then(|p| last(&mut p.$list)).map(|t| &mut t.id), c, Canon::id)
                },
            },
            FieldDef {
                name: $name,
                kind: Kind::Text,
                put: |r, c| {
                    if let Canon::Names(names) = c {
                        return put_names(product(r).map(|p| &mut p.$list), take(names));
                    }
                    let Some(term) = product(r).and_then(|p| last(&mut p.$list)) else { return false };
                    term.raw_name = c.raw();
                    set_plain(Some(&mut term.name), c, Canon::text)
                },
            },
        ]
    };
}

fn put_names(place: Option<&mut Field<Vec<Term>>>, names: Vec<(Text, Option<Text>)>) -> bool {
    let Some(place) = place else { return false };
    *place =
        Field::Value(names.into_iter().map(|(name, raw_name)| Term { id: None, name, raw_name }).collect());
    true
}

static PRODUCT_SHARED: [FieldDef; 23] = shared_fields!(product);
static VARIANT_SHARED: [FieldDef; 23] = shared_fields!(variant);
static PRODUCT_CATEGORIES: [FieldDef; 2] = term_fields!(categories, "categories[].id", "categories[].name");
static PRODUCT_TAGS: [FieldDef; 2] = term_fields!(tags, "tags[].id", "tags[].name");
static PRODUCT_BRANDS: [FieldDef; 2] = term_fields!(brands, "brands[].id", "brands[].name");

fn put_values(attribute: &mut Attribute, value: &mut Canon<'_>) -> bool {
    match value {
        Canon::Texts { values, raw, of_type } => {
            let is_list = |word: &Text| word.starts_with(*of_type);
            if attribute.value_type.as_ref().is_none_or(is_list) {
                attribute.values.append(values);
                attribute.raw_list = Some(take(raw));
            } else {
                attribute.values.push(take(raw));
            }
            true
        }
        value => {
            if let (Some(raw), Ok(place)) = (value.raw(), u32::try_from(attribute.values.len())) {
                attribute.raw_values.insert(place, raw);
            }
            push(Some(&mut attribute.values), value, Canon::text)
        }
    }
}

fn attribute(record: &mut Record) -> Option<&mut Attribute> {
    product(record).and_then(|product| last(&mut product.attributes))
}

fn taxonomy(record: &mut Record) -> Option<&mut Term> {
    product(record).map(|product| product.taxonomy.get_or_default())
}

fn option(record: &mut Record) -> Option<&mut OptionValue> {
    variant(record).and_then(|variant| last(&mut variant.options))
}

static PRODUCT: &[FieldDef] = &[
    text_field!(product, "structure", structure),
    text_field!(product, "short_description", short_description),
    text_field!(product, "seo.title", seo.title),
    text_field!(product, "seo.description", seo.description),
    text_field!(product, "seo.focus_keyword", seo.focus_keyword),
    text_field!(product, "slug", slug),
    text_field!(product, "product_type", product_type),
    version_field!("versions.title", "title"),
    version_field!("versions.description", "description"),
    version_field!("versions.seo.title", "seo.title"),
    version_field!("versions.seo.description", "seo.description"),
    version_field!("versions.slug", "slug"),
    version_field!("versions.product_type", "product_type"),
    FieldDef {
        name: "taxonomy.id",
        kind: Kind::Id,
        put: |r, c| match c {
            Canon::Null => true,
            c => set_option(taxonomy(r).map(|term| &mut term.id), c, Canon::id),
        },
    },
    FieldDef {
        name: "taxonomy.name",
        kind: Kind::Text,
        put: |r, c| match c {
            Canon::Null => true,
            c => set_plain(taxonomy(r).map(|term| &mut term.name), c, Canon::text),
        },
    },
    FieldDef {
        name: "attributes[].id",
        kind: Kind::Id,
        // A platform's 0 says that the attribute belongs to this product alone.
        put: |r, c| {
            set_option(attribute(r).map(|a| &mut a.id), c, Canon::id)
                && attribute(r).is_some_and(|a| {
                    a.id.take_if(|id| id.as_str() == "0");
                    true
                })
        },
    },
    FieldDef {
        name: "attributes[].key",
        kind: Kind::Text,
        put: |r, c| set_option(attribute(r).map(|a| &mut a.key), c, Canon::text),
    },
    FieldDef {
        name: "attributes[].label",
        kind: Kind::Text,
        put: |r, c| {
            let Some(attribute) = attribute(r) else { return false };
            attribute.raw_label = c.raw();
            set_plain(Some(&mut attribute.label), c, Canon::text)
        },
    },
    FieldDef {
        name: "attributes[].values[]",
        kind: Kind::Text,
        put: |r, c| {
            let Some(attribute) = attribute(r) else { return false };
            put_values(attribute, c)
        },
    },
    FieldDef {
        name: "attributes[].values[].id",
        kind: Kind::Id,
        // An id stands before its value: one without the other would shift all that follow.
        put: |r, c| {
            let Some(attribute) = attribute(r) else { return false };
            let is_next = attribute.value_ids.len() == attribute.values.len();
            is_next && push(Some(&mut attribute.value_ids), c, Canon::id)
        },
    },
    FieldDef {
        name: "attributes[].linked",
        kind: Kind::Bool,
        put: |r, c| set_option(attribute(r).map(|a| &mut a.linked), c, Canon::truth),
    },
    FieldDef {
        name: "attributes[].namespace",
        kind: Kind::Text,
        put: |r, c| set_option(attribute(r).map(|a| &mut a.namespace), c, Canon::text),
    },
    FieldDef {
        name: "attributes[].value_type",
        kind: Kind::Text,
        put: |r, c| set_option(attribute(r).map(|a| &mut a.value_type), c, Canon::text),
    },
    FieldDef {
        name: "attributes[].version",
        kind: Kind::Text,
        put: |r, c| set_option(attribute(r).map(|a| &mut a.version), c, Canon::text),
    },
    FieldDef {
        name: "attributes[].position",
        kind: Kind::Decimal,
        put: |r, c| {
            set_option(attribute(r).map(|a| &mut a.position), c, |c| c.decimal().and_then(|d| d.to_u32()))
        },
    },
    FieldDef {
        name: "attributes[].visible",
        kind: Kind::Bool,
        put: |r, c| set_option(attribute(r).map(|a| &mut a.visible), c, Canon::truth),
    },
    FieldDef {
        name: "attributes[].distinguishes_variants",
        kind: Kind::Bool,
        put: |r, c| set_option(attribute(r).map(|a| &mut a.distinguishes_variants), c, Canon::truth),
    },
    FieldDef {
        name: "variants[]",
        kind: Kind::Id,
        put: |r, c| push(product(r).map(|p| p.variants.get_or_default()), c, Canon::id),
    },
    FieldDef {
        name: "channels[]",
        kind: Kind::Id,
        put: |r, c| push(product(r).map(|p| p.channels.get_or_default()), c, Canon::id),
    },
];

static VARIANT: &[FieldDef] = &[
    FieldDef {
        name: "product_ref.id",
        kind: Kind::Id,
        put: |r, c| {
            let platform = r.reference().platform.clone();
            let parent = |id: ExternalId| RecordRef { platform, kind: Entity::Product, id };
            set_option(variant(r).map(|v| &mut v.product_ref), c, |c| c.id().map(parent))
        },
    },
    FieldDef {
        name: "options[].id",
        kind: Kind::Id,
        put: |r, c| set_option(option(r).map(|o| &mut o.id), c, Canon::id),
    },
    FieldDef {
        name: "options[].key",
        kind: Kind::Text,
        put: |r, c| set_option(option(r).map(|o| &mut o.key), c, Canon::text),
    },
    FieldDef {
        name: "options[].name",
        kind: Kind::Text,
        put: |r, c| set_plain(option(r).map(|o| &mut o.name), c, Canon::text),
    },
    FieldDef {
        name: "options[].value",
        kind: Kind::Text,
        put: |r, c| set_plain(option(r).map(|o| &mut o.value), c, Canon::text),
    },
];

macro_rules! list {
    ($of:ident, $name:literal, $place:ident) => {
        ListDef {
            name: $name,
            begin: |r| begin($of(r).map(|x| &mut x.$place)),
            open: |r| open($of(r).map(|x| &mut x.$place)),
        }
    };
}

static PRODUCT_LISTS: &[ListDef] = &[
    list!(product, "media[]", media),
    list!(product, "categories[]", categories),
    list!(product, "tags[]", tags),
    list!(product, "brands[]", brands),
    list!(product, "attributes[]", attributes),
    ListDef {
        name: "attributes[].values[]",
        begin: |r| {
            if let Some(attribute) = attribute(r) {
                attribute.values.clear();
                attribute.value_ids.clear();
                attribute.raw_values.clear();
                attribute.raw_list = None;
            }
        },
        open: |_| {},
    },
    ListDef { name: "variants[]", begin: |r| begin(product(r).map(|p| &mut p.variants)), open: |_| {} },
    ListDef { name: "channels[]", begin: |r| begin(product(r).map(|p| &mut p.channels)), open: |_| {} },
];

static VARIANT_LISTS: &[ListDef] = &[list!(variant, "media[]", media), list!(variant, "options[]", options)];
