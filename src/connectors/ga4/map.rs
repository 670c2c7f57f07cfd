//! Where a report has each canonical field (Data API v1beta, documents of 2026-11-22).
//!
//! Places are those of the rows that [`super::rows`] makes of a report: its columns by their API names, and beside them
//! what a report says of all its rows.

use crate::mapping::{Direction, Rule, Transform, rule};
use crate::model::performance::SubjectKind;

use Direction::Read;
use Transform::{Bool, Day, Decimal, Id, MoneyWith, Text, Word};

/// The metrics of the report on items.
const ITEM_METRICS: &[&str] = &[
    "itemsViewed",
    "itemsViewedInList",
    "itemsClickedInList",
    "itemsAddedToCart",
    "itemsCheckedOut",
    "itemsPurchased",
    "itemRevenue",
];

/// The metrics of the report on pages.
const PAGE_METRICS: &[&str] =
    &["screenPageViews", "sessions", "engagedSessions", "activeUsers", "userEngagementDuration", "keyEvents"];

/// The metrics of the report on visits from search.
const LANDING_METRICS: &[&str] = &["sessions", "engagedSessions", "keyEvents", "totalRevenue"];

/// The metrics of the report on subjects of a kind.
pub(super) fn metrics(kind: SubjectKind) -> &'static [&'static str] {
    match kind {
        SubjectKind::Item => ITEM_METRICS,
        SubjectKind::Page => PAGE_METRICS,
        SubjectKind::SearchLanding => LANDING_METRICS,
    }
}

pub(super) static PERFORMANCE: &[Rule] = &[
    rule("/id", "ref.id", Id, Read),
    rule("/date", "day", Day, Read),
    rule("/timeZone", "time_zone", Text, Read),
    rule("/subject", "subject.kind", Word(&[]), Read),
    rule("/key", "subject.key", Text, Read),
    rule("/remainder", "subject.remainder", Word(&[]), Read),
    rule("/hostName", "subject.host", Text, Read),
    rule("/sku", "subject.identity.sku", Text, Read),
    rule("/productId", "subject.identity.product_id", Id, Read),
    rule("/variantId", "subject.identity.variant_id", Id, Read),
    rule("/slug", "subject.identity.slug", Text, Read),
    rule("/isKnown", "subject.identity.is_known", Bool, Read),
    rule("/itemsViewed", "counts.items_viewed", Decimal, Read),
    rule("/itemsViewedInList", "counts.items_listed", Decimal, Read),
    rule("/itemsClickedInList", "counts.items_clicked", Decimal, Read),
    rule("/itemsAddedToCart", "counts.items_carted", Decimal, Read),
    rule("/itemsCheckedOut", "counts.items_checked_out", Decimal, Read),
    rule("/itemsPurchased", "counts.items_purchased", Decimal, Read),
    rule("/itemRevenue", "revenue", MoneyWith { amount: "amount", currency: "currency" }, Read),
    // A row has one of the two.
    rule("/totalRevenue", "revenue", MoneyWith { amount: "amount", currency: "currency" }, Read).rank(1),
    rule("/screenPageViews", "counts.page_views", Decimal, Read),
    rule("/sessions", "counts.sessions", Decimal, Read),
    rule("/engagedSessions", "counts.engaged_sessions", Decimal, Read),
    rule("/activeUsers", "counts.active_users", Decimal, Read),
    rule("/userEngagementDuration", "counts.engagement_seconds", Decimal, Read),
    rule("/keyEvents", "counts.conversions", Decimal, Read),
    rule("/sampledShare", "quality.sampled_share", Decimal, Read),
    rule("/sampled", "quality.sampled", Bool, Read),
    rule("/thresholded", "quality.thresholded", Bool, Read),
    rule("/otherRow", "quality.other_row", Bool, Read),
    rule("/truncated", "quality.truncated", Bool, Read),
    rule("/emptyFiltered", "quality.empty_filtered", Bool, Read),
    rule("/restricted", "quality.restricted", Bool, Read),
    rule("/ageDays", "quality.age_days", Decimal, Read),
    rule("/provisional", "quality.provisional", Bool, Read),
];
