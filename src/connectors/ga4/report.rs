//! Reports: what is asked, checked before it is sent.

use serde_json::{Map, Value, json};

use super::map;
use crate::error::{Error, ErrorKind, Result};
use crate::model::Text;
use crate::model::performance::SubjectKind;
use crate::time::Days;

/// The most dimensions, metrics and rows of a report, and the most reports of a batch (documents of 2026-11-22).
const MAX_DIMENSIONS: usize = 9;
const MAX_METRICS: usize = 10;
const MAX_LIMIT: u64 = 250_000;
pub(super) const MAX_BATCH: usize = 5;

/// What a field is counted on, as far as it matters for what goes together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    Item,
    Event,
}

/// Metrics of items that are not told by their name, and metrics of events (announcement of 2022-12-01).
const ITEM_METRICS: &[&str] = &["grossItemRevenue"];
const EVENT_METRICS: &[&str] = &[
    "eventCount",
    "addToCarts",
    "checkouts",
    "ecommercePurchases",
    "itemViewEvents",
    "itemListViewEvents",
    "itemListClickEvents",
    // Their names before.
    "itemViews",
    "itemListViews",
    "itemListClicks",
    "keyEvents",
    "conversions",
    "screenPageViews",
    "userEngagementDuration",
];
const EVENT_DIMENSIONS: &[&str] =
    &["pagePath", "pageTitle", "pagePathPlusQueryString", "hostName", "eventName", "unifiedPagePathScreen"];

/// The scope of a field, where it is known to keep it from others.
fn scope(name: &str) -> Option<Scope> {
    if EVENT_METRICS.contains(&name) || EVENT_DIMENSIONS.contains(&name) {
        return Some(Scope::Event);
    }
    let is_item = name.starts_with("item") || name.starts_with("customItem:") || ITEM_METRICS.contains(&name);
    is_item.then_some(Scope::Item)
}

/// One report of the Data API.
///
/// It is ordered by all of its dimensions, so that pages of it neither skip nor repeat a row while the data stands
/// still.
///
/// ```
/// # use lily_connect::connectors::ga4::Report;
/// # use lily_connect::time::Days;
/// let days = Days::new("2026-11-01".parse()?, "2026-11-07".parse()?)?;
/// let report = Report::new(days).dimension("date").dimension("itemId").metric("itemsViewed");
/// assert!(report.check().is_ok());
/// // What is counted on items and what is counted on events stands in two reports.
/// assert!(report.metric("eventCount").check().is_err());
/// # Ok::<(), lily_connect::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The days, as the property's time zone has them.
    pub days: Days,
    /// The names of the dimensions, at most 9.
    pub dimensions: Vec<Text>,
    /// The names of the metrics, at most 10.
    pub metrics: Vec<Text>,
    /// A dimension of which rows without a value are left out.
    pub without_empty: Option<Text>,
    /// A dimension, of which only what has exactly that value counts.
    pub only: Option<(Text, Text)>,
    /// The most rows of a page (default 10,000, at most 250,000).
    pub limit: u64,
    /// The rows that are left out before the first.
    pub offset: u64,
}

impl Report {
    /// A report of a range of days, without a field.
    #[must_use]
    pub fn new(days: Days) -> Self {
        Self {
            days,
            dimensions: Vec::new(),
            metrics: Vec::new(),
            without_empty: None,
            only: None,
            limit: 10_000,
            offset: 0,
        }
    }

    /// Adds a dimension.
    #[must_use]
    pub fn dimension(mut self, name: impl Into<Text>) -> Self {
        self.dimensions.push(name.into());
        self
    }

    /// Adds a metric.
    #[must_use]
    pub fn metric(mut self, name: impl Into<Text>) -> Self {
        self.metrics.push(name.into());
        self
    }

    /// Leaves out rows without a value of a dimension.
    #[must_use]
    pub fn without_empty(mut self, dimension: Option<Text>) -> Self {
        self.without_empty = dimension;
        self
    }

    /// Counts only what has exactly that value of a dimension, which need not be a column.
    #[must_use]
    pub fn only(mut self, dimension: impl Into<Text>, value: impl Into<Text>) -> Self {
        self.only = Some((dimension.into(), value.into()));
        self
    }

    /// Sets which rows are asked for.
    #[must_use]
    pub fn rows(mut self, offset: u64, limit: u64) -> Self {
        (self.offset, self.limit) = (offset, limit);
        self
    }

    /// Checks it without a call: how much it asks for, and that no field of items stands beside one of events.
    ///
    /// # Errors
    /// `Rejected` with the code `report_invalid` or `scopes_mixed`.
    pub fn check(&self) -> Result<()> {
        let invalid = |what: String| Err(Error::new(ErrorKind::Rejected, "report_invalid", what));
        if self.dimensions.len() > MAX_DIMENSIONS {
            return invalid(format!("a report has at most {MAX_DIMENSIONS} dimensions"));
        }
        if self.metrics.is_empty() || self.metrics.len() > MAX_METRICS {
            return invalid(format!("a report has between 1 and {MAX_METRICS} metrics"));
        }
        if self.limit == 0 || self.limit > MAX_LIMIT {
            return invalid(format!("a page of a report has between 1 and {MAX_LIMIT} rows"));
        }
        let fields = || self.dimensions.iter().chain(&self.metrics);
        if let Some(twice) = fields().enumerate().find(|(at, name)| fields().take(*at).any(|it| it == *name))
        {
            return invalid(format!("the field {} occurs twice", twice.1));
        }
        let filtered = self.only.iter().map(|(dimension, _)| dimension).chain(&self.without_empty);
        let all: Vec<&Text> = fields().chain(filtered).collect();
        let first = |wanted| all.iter().find(|name| scope(name) == Some(wanted));
        if let (Some(item), Some(event)) = (first(Scope::Item), first(Scope::Event)) {
            return Err(Error::new(
                ErrorKind::Rejected,
                "scopes_mixed",
                format!("{item} is counted on items and {event} on events, which no report has both of"),
            )
            .with_remedy("run two reports, and join them by day and product"));
        }
        Ok(())
    }

    /// The body of a request; the property stands in the address.
    pub(super) fn body(&self) -> Value {
        let named = |names: &[Text]| names.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>();
        let order = |name: &Text| json!({"dimension": {"dimensionName": name}});
        let mut body = Map::new();
        let mut put = |name: &str, value: Value| drop(body.insert(name.to_owned(), value));
        put("dimensions", named(&self.dimensions).into());
        put("metrics", named(&self.metrics).into());
        let (first, last) = (self.days.first(), self.days.last());
        put("dateRanges", json!([{"startDate": first.to_string(), "endDate": last.to_string()}]));
        if let Some(filter) = self.filter() {
            put("dimensionFilter", filter);
        }
        put("orderBys", self.dimensions.iter().map(order).collect::<Vec<_>>().into());
        // Whole numbers of 64 bits are texts.
        put("limit", json!(self.limit.to_string()));
        put("offset", json!(self.offset.to_string()));
        put("returnPropertyQuota", json!(true));
        Value::Object(body)
    }

    fn filter(&self) -> Option<Value> {
        let empty = self.without_empty.as_ref().map(|field| {
            let empty = json!({"filter": {"fieldName": field, "emptyFilter": {}}});
            json!({ "notExpression": empty })
        });
        let only = self.only.as_ref().map(|(field, value)| {
            let exact = json!({"matchType": "EXACT", "value": value, "caseSensitive": true});
            json!({"filter": {"fieldName": field, "stringFilter": exact}})
        });
        match (empty, only) {
            (Some(empty), Some(only)) => Some(json!({"andGroup": {"expressions": [empty, only]}})),
            (one, other) => one.or(other),
        }
    }

    /// The body of a question which fields go together.
    pub(super) fn compatibility_body(&self) -> Value {
        let named = |names: &[Text]| names.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>();
        let mut body = json!({"dimensions": named(&self.dimensions), "metrics": named(&self.metrics)});
        if let (Some(filter), Some(members)) = (self.filter(), body.as_object_mut()) {
            members.insert("dimensionFilter".to_owned(), filter);
        }
        body
    }
}

/// The report on subjects of a kind by day.
pub(super) fn of(kind: SubjectKind, days: Days, skip_empty: bool) -> Report {
    let keys: &[&'static str] = match kind {
        SubjectKind::Item => &["itemId"],
        SubjectKind::Page => &["hostName", "pagePath"],
        SubjectKind::SearchLanding => &["landingPage"],
    };
    let report = keys.iter().fold(Report::new(days).dimension("date"), |report, key| report.dimension(*key));
    let report = map::metrics(kind).iter().fold(report, |report, name| report.metric(*name));
    let report = match kind {
        SubjectKind::SearchLanding => report.only("sessionDefaultChannelGroup", "Organic Search"),
        SubjectKind::Item | SubjectKind::Page => report,
    };
    report.without_empty(keys.last().filter(|_| skip_empty).map(|key| (*key).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days() -> Days {
        Days::new("2026-11-01".parse().unwrap(), "2026-11-07".parse().unwrap()).unwrap()
    }

    #[test]
    fn fields_of_items_and_of_events_are_never_asked_for_together() {
        let mixed = Report::new(days()).dimension("itemId").metric("itemsViewed").metric("eventCount");
        assert_eq!(mixed.check().unwrap_err().code(), "scopes_mixed");
        let mixed = Report::new(days()).dimension("pagePath").metric("itemRevenue");
        assert_eq!(mixed.check().unwrap_err().code(), "scopes_mixed");
        // The names of today and those before: two of them begin like one of items.
        for name in EVENT_METRICS {
            let mixed = Report::new(days()).dimension("itemId").metric(*name);
            assert_eq!(mixed.check().unwrap_err().code(), "scopes_mixed", "{name}");
        }
        let sessions = Report::new(days()).dimension("itemId").metric("itemsViewed").metric("sessions");
        assert!(sessions.check().is_ok());
        let filtered = sessions.only("pagePath", "/cap");
        assert_eq!(filtered.check().unwrap_err().code(), "scopes_mixed");
        for kind in SubjectKind::ALL {
            let report = of(kind, days(), true);
            assert!(report.check().is_ok(), "{report:?}");
        }
    }

    #[test]
    fn whole_numbers_are_texts_and_the_property_is_not_in_the_body() {
        let body = of(SubjectKind::Item, days(), true).rows(20, 10).body();
        assert_eq!((&body["limit"], &body["offset"]), (&json!("10"), &json!("20")));
        assert_eq!(body["dateRanges"][0], json!({"startDate": "2026-11-01", "endDate": "2026-11-07"}));
        assert_eq!(body["orderBys"][1]["dimension"]["dimensionName"], "itemId");
        assert_eq!(body["dimensionFilter"]["notExpression"]["filter"]["fieldName"], "itemId");
        assert!(body.get("property").is_none());
        let body = of(SubjectKind::SearchLanding, days(), true).body();
        let both = &body["dimensionFilter"]["andGroup"]["expressions"];
        assert_eq!(both[0]["notExpression"]["filter"]["fieldName"], "landingPage");
        assert_eq!(both[1]["filter"]["stringFilter"]["value"], "Organic Search");
    }

    #[test]
    fn what_is_too_much_is_told_before_a_token_is_spent() {
        let many = (0..11).fold(Report::new(days()), |report, n| report.metric(format!("m{n}")));
        assert_eq!(many.check().unwrap_err().code(), "report_invalid");
        let none = Report::new(days()).dimension("date");
        assert_eq!(none.check().unwrap_err().code(), "report_invalid");
        let twice = Report::new(days()).metric("sessions").metric("sessions");
        assert_eq!(twice.check().unwrap_err().code(), "report_invalid");
        let wide = Report::new(days()).metric("sessions").rows(0, 250_001);
        assert_eq!(wide.check().unwrap_err().code(), "report_invalid");
    }
}
