//! The fields that the fake reports, and which of them go together (announcement of 2022-12-01, documents of
//! 2026-11-22).

use super::errors::Refusal;

/// What a field is counted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Any,
    Item,
    Event,
    Session,
    User,
}

/// A dimension or a metric.
#[derive(Debug, Clone, Copy)]
pub(super) struct FieldDef {
    pub(super) name: &'static str,
    pub(super) scope: Scope,
    /// The type of a metric; empty of a dimension.
    pub(super) kind: &'static str,
    /// A name that it had before, which is taken too.
    pub(super) old: Option<&'static str>,
}

const fn dimension(name: &'static str, scope: Scope) -> FieldDef {
    FieldDef { name, scope, kind: "", old: None }
}

const fn metric(name: &'static str, scope: Scope, kind: &'static str) -> FieldDef {
    FieldDef { name, scope, kind, old: None }
}

const fn renamed(name: &'static str, scope: Scope, kind: &'static str, old: &'static str) -> FieldDef {
    FieldDef { name, scope, kind, old: Some(old) }
}

pub(super) static DIMENSIONS: &[FieldDef] = &[
    dimension("date", Scope::Any),
    dimension("itemId", Scope::Item),
    dimension("itemName", Scope::Item),
    dimension("pagePath", Scope::Event),
    dimension("hostName", Scope::Event),
    dimension("landingPage", Scope::Session),
    dimension("sessionDefaultChannelGroup", Scope::Session),
    dimension("country", Scope::Event),
];

pub(super) static METRICS: &[FieldDef] = &[
    metric("itemsViewed", Scope::Item, "TYPE_INTEGER"),
    metric("itemsViewedInList", Scope::Item, "TYPE_INTEGER"),
    metric("itemsClickedInList", Scope::Item, "TYPE_INTEGER"),
    metric("itemsAddedToCart", Scope::Item, "TYPE_INTEGER"),
    metric("itemsCheckedOut", Scope::Item, "TYPE_INTEGER"),
    renamed("itemsPurchased", Scope::Item, "TYPE_INTEGER", "itemPurchaseQuantity"),
    metric("itemRevenue", Scope::Item, "TYPE_CURRENCY"),
    metric("eventCount", Scope::Event, "TYPE_INTEGER"),
    metric("screenPageViews", Scope::Event, "TYPE_INTEGER"),
    metric("userEngagementDuration", Scope::Event, "TYPE_SECONDS"),
    renamed("keyEvents", Scope::Event, "TYPE_FLOAT", "conversions"),
    metric("addToCarts", Scope::Event, "TYPE_INTEGER"),
    metric("totalRevenue", Scope::Event, "TYPE_CURRENCY"),
    metric("sessions", Scope::Session, "TYPE_INTEGER"),
    metric("engagedSessions", Scope::Session, "TYPE_INTEGER"),
    metric("engagementRate", Scope::Session, "TYPE_FLOAT"),
    metric("activeUsers", Scope::User, "TYPE_INTEGER"),
];

pub(super) fn find(table: &'static [FieldDef], name: &str) -> Option<&'static FieldDef> {
    table.iter().find(|field| field.name == name || field.old == Some(name))
}

/// Finds the fields of a request, or says which is unknown.
pub(super) fn known<'n>(
    table: &'static [FieldDef],
    names: impl Iterator<Item = &'n str>,
    what: &str,
    custom: &[String],
) -> Result<Vec<&'static FieldDef>, Refusal> {
    static CUSTOM: FieldDef = dimension("custom", Scope::Event);
    names
        .map(|name| {
            find(table, name)
                .or_else(|| custom.iter().any(|known| known == name).then_some(&CUSTOM))
                .ok_or_else(|| {
                    Refusal::invalid(format!(
                        "Did you mean something else? Field {name} is not a valid {what}."
                    ))
                })
        })
        .collect()
}

/// Whether two fields go together.
pub(super) fn fit(one: &FieldDef, other: &FieldDef) -> bool {
    let is_item = |field: &FieldDef| field.scope == Scope::Item;
    let is_event = |field: &FieldDef| field.scope == Scope::Event;
    !(is_item(one) && is_event(other) || is_event(one) && is_item(other))
}

/// Refuses fields that do not go together, by the name of the one to leave out.
pub(super) fn compatible(fields: &[&'static FieldDef]) -> Result<(), Refusal> {
    for (at, field) in fields.iter().enumerate() {
        if fields.iter().take(at).any(|before| !fit(before, field)) {
            return Err(Refusal::invalid(format!(
                "Please remove {} to make the request compatible. The request's dimensions & metrics are incompatible.",
                field.name
            )));
        }
    }
    Ok(())
}
