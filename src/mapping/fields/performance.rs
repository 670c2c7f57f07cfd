//! The canonical fields of numbers by day.

use rust_decimal::prelude::ToPrimitive;

use super::super::canon::{Canon, Kind};
use super::{FieldDef, set, set_option, set_plain};
use crate::model::performance::{Remainder, SubjectKind};
use crate::model::{Performance, Record};

fn numbers(record: &mut Record) -> Option<&mut Performance> {
    record.performance_mut()
}

macro_rules! count {
    ($name:literal, $place:ident) => {
        FieldDef {
            name: $name,
            kind: Kind::Decimal,
            put: |r, c| set(numbers(r).map(|n| &mut n.counts.$place), c, Canon::decimal),
        }
    };
}

macro_rules! flag {
    ($name:literal, $place:ident) => {
        FieldDef {
            name: $name,
            kind: Kind::Bool,
            put: |r, c| set_plain(numbers(r).map(|n| &mut n.quality.$place), c, Canon::truth),
        }
    };
}

pub(super) static FIELDS: &[FieldDef] = &[
    FieldDef {
        name: "ref.id",
        kind: Kind::Id,
        put: |r, c| set_plain(Some(&mut r.reference_mut().id), c, Canon::id),
    },
    FieldDef { name: "day", kind: Kind::Day, put: |r, c| set(numbers(r).map(|n| &mut n.day), c, Canon::day) },
    FieldDef {
        name: "time_zone",
        kind: Kind::Text,
        put: |r, c| set(numbers(r).map(|n| &mut n.time_zone), c, Canon::text),
    },
    FieldDef {
        name: "subject.kind",
        kind: Kind::Word,
        put: |r, c| {
            set_option(numbers(r).map(|n| &mut n.subject.kind), c, |c| {
                c.word().and_then(|word| SubjectKind::named(&word))
            })
        },
    },
    FieldDef {
        name: "subject.key",
        kind: Kind::Text,
        put: |r, c| set(numbers(r).map(|n| &mut n.subject.key), c, Canon::text),
    },
    FieldDef {
        name: "subject.remainder",
        kind: Kind::Word,
        put: |r, c| {
            set_option(numbers(r).map(|n| &mut n.subject.remainder), c, |c| {
                c.word().and_then(|word| Remainder::named(&word))
            })
        },
    },
    FieldDef {
        name: "subject.host",
        kind: Kind::Text,
        put: |r, c| set(numbers(r).map(|n| &mut n.subject.host), c, Canon::text),
    },
    FieldDef {
        name: "subject.identity.sku",
        kind: Kind::Text,
        put: |r, c| set_option(numbers(r).map(|n| &mut n.subject.identity.sku), c, Canon::text),
    },
    FieldDef {
        name: "subject.identity.product_id",
        kind: Kind::Id,
        put: |r, c| set_option(numbers(r).map(|n| &mut n.subject.identity.product_id), c, Canon::id),
    },
    FieldDef {
        name: "subject.identity.variant_id",
        kind: Kind::Id,
        put: |r, c| set_option(numbers(r).map(|n| &mut n.subject.identity.variant_id), c, Canon::id),
    },
    FieldDef {
        name: "subject.identity.slug",
        kind: Kind::Text,
        put: |r, c| set_option(numbers(r).map(|n| &mut n.subject.identity.slug), c, Canon::text),
    },
    FieldDef {
        name: "subject.identity.is_known",
        kind: Kind::Bool,
        put: |r, c| set_option(numbers(r).map(|n| &mut n.subject.identity.is_known), c, Canon::truth),
    },
    count!("counts.items_viewed", items_viewed),
    count!("counts.items_listed", items_listed),
    count!("counts.items_clicked", items_clicked),
    count!("counts.items_carted", items_carted),
    count!("counts.items_checked_out", items_checked_out),
    count!("counts.items_purchased", items_purchased),
    count!("counts.page_views", page_views),
    count!("counts.sessions", sessions),
    count!("counts.engaged_sessions", engaged_sessions),
    count!("counts.active_users", active_users),
    count!("counts.engagement_seconds", engagement_seconds),
    count!("counts.conversions", conversions),
    FieldDef {
        name: "revenue",
        kind: Kind::Money,
        put: |r, c| set(numbers(r).map(|n| &mut n.revenue), c, Canon::money),
    },
    FieldDef {
        name: "quality.sampled_share",
        kind: Kind::Decimal,
        put: |r, c| set_option(numbers(r).map(|n| &mut n.quality.sampled_share), c, Canon::decimal),
    },
    flag!("quality.sampled", sampled),
    flag!("quality.thresholded", thresholded),
    flag!("quality.other_row", other_row),
    flag!("quality.truncated", truncated),
    flag!("quality.empty_filtered", empty_filtered),
    flag!("quality.restricted", restricted),
    FieldDef {
        name: "quality.age_days",
        kind: Kind::Decimal,
        put: |r, c| {
            set_option(numbers(r).map(|n| &mut n.quality.age_days), c, |c| {
                c.decimal().and_then(|days| days.to_u32())
            })
        },
    },
    flag!("quality.provisional", provisional),
];
