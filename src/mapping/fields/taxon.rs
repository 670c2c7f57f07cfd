//! The canonical fields of categories, tags, brands, attributes and their values: one table for all five.

use std::mem::take;

use rust_decimal::prelude::ToPrimitive;

use super::super::canon::{Canon, Kind};
use super::{FieldDef, ListDef, begin, last, open, set, set_option, set_plain};
use crate::model::{Field, Media, Record, RecordRef, Taxon};

fn taxon(record: &mut Record) -> Option<&mut Taxon> {
    record.taxon_mut()
}

fn picture(record: &mut Record) -> Option<&mut Media> {
    taxon(record).and_then(|taxon| last(&mut taxon.media))
}

/// An id of nothing but zeros is how platforms say that there is no parent.
fn put_parent(record: &mut Record, value: &mut Canon<'_>) -> bool {
    let platform = record.reference().platform.clone();
    let Some(kind) = record.reference().kind.parent() else { return false };
    let Some(place) = taxon(record).map(|taxon| &mut taxon.parent_ref) else { return false };
    *place = match value {
        Canon::Null => Field::Null,
        Canon::Id(id) if id.as_str().bytes().all(|byte| byte == b'0') => Field::Null,
        Canon::Id(id) => Field::Value(RecordRef::new(platform, kind, take(id))),
        _ => return false,
    };
    true
}

macro_rules! text {
    ($name:literal, $place:ident) => {
        FieldDef {
            name: $name,
            kind: Kind::Text,
            put: |r, c| set(taxon(r).map(|t| &mut t.$place), c, Canon::text),
        }
    };
}

macro_rules! picture_text {
    ($name:literal, $place:ident) => {
        FieldDef {
            name: $name,
            kind: Kind::Text,
            put: |r, c| set_option(picture(r).map(|m| &mut m.$place), c, Canon::text),
        }
    };
}

pub(super) static FIELDS: &[FieldDef] = &[
    text!("title", title),
    text!("slug", slug),
    text!("description", description),
    FieldDef { name: "parent_ref.id", kind: Kind::Id, put: put_parent },
    FieldDef {
        name: "product_count",
        kind: Kind::Decimal,
        put: |r, c| {
            set(taxon(r).map(|t| &mut t.product_count), c, |c| c.decimal().and_then(|count| count.to_u64()))
        },
    },
    FieldDef {
        name: "position",
        kind: Kind::Decimal,
        put: |r, c| {
            set(taxon(r).map(|t| &mut t.position), c, |c| c.decimal().and_then(|place| place.to_i64()))
        },
    },
    FieldDef {
        name: "media[].id",
        kind: Kind::Id,
        put: |r, c| set_option(picture(r).map(|m| &mut m.id), c, Canon::id),
    },
    picture_text!("media[].url", url),
    picture_text!("media[].alt", alt),
    picture_text!("media[].title", title),
    FieldDef {
        name: "ref.id",
        kind: Kind::Id,
        put: |r, c| set_plain(Some(&mut r.reference_mut().id), c, Canon::id),
    },
];

pub(super) static LISTS: &[ListDef] = &[ListDef {
    name: "media[]",
    begin: |r| begin(taxon(r).map(|t| &mut t.media)),
    open: |r| open(taxon(r).map(|t| &mut t.media)),
}];
