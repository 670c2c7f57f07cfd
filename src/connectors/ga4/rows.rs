//! A report's answer as rows with named members.
//!
//! A report has its columns in headers and its values in arrays, in an order that is not promised. Rules of a map name
//! members, so the rows are written anew with their columns' names, in one pass over their bytes
//! (`docs/architecture.md`). Beside the columns stands what the report says of all of its rows.

use std::borrow::Cow;
use std::fmt;
use std::io::Write as _;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::{DeserializeSeed, SeqAccess, Visitor};
use serde_json::value::RawValue;
use twox_hash::XxHash3_128;

use super::identity::Identities;
use crate::error::{Error, ErrorKind, Result};
use crate::model::Currency;
use crate::model::performance::{Identity, Quality, SubjectKind};
use crate::time::Day;

/// The most bytes that rows may become.
const MAX_BYTES: usize = 64 << 20;
/// The longest key that stands whole in an id.
const MAX_KEY: usize = 180;

/// What a report says beside its rows.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Envelope<'a> {
    pub(super) dimension_headers: Vec<Header<'a>>,
    pub(super) metric_headers: Vec<Header<'a>>,
    /// Absent where there is no row.
    #[serde(borrow)]
    pub(super) rows: Option<&'a RawValue>,
    pub(super) row_count: u64,
    pub(super) metadata: Metadata<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Header<'a> {
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
    #[serde(rename = "type", borrow)]
    pub(super) kind: Cow<'a, str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Metadata<'a> {
    #[serde(borrow)]
    pub(super) currency_code: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) time_zone: Cow<'a, str>,
    pub(super) data_loss_from_other_row: bool,
    pub(super) subject_to_thresholding: bool,
    pub(super) sampling_metadatas: Vec<Sampling>,
    pub(super) schema_restriction_response: Restrictions,
    /// Reasons of kinds that are not known yet count, too.
    pub(super) data_truncation_reasons: Vec<serde::de::IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Sampling {
    samples_read_count: String,
    sampling_space_size: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Restrictions {
    active_metric_restrictions: Vec<Restriction>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Restriction {
    metric_name: String,
}

/// Reads the report of an answer.
pub(super) fn envelope(text: &str) -> Result<Envelope<'_>> {
    serde_json::from_str(text).map_err(|_| unreadable("no report"))
}

/// What stands of a row.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row<'a> {
    #[serde(borrow, default)]
    pub(super) dimension_values: Vec<Cell<'a>>,
    #[serde(borrow, default)]
    pub(super) metric_values: Vec<Cell<'a>>,
}

/// A value: always a text, and left out where it is empty.
#[derive(Deserialize)]
pub(super) struct Cell<'a> {
    #[serde(borrow, default)]
    pub(super) value: Cow<'a, str>,
}

/// How rows are to be written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'s> {
    pub(super) subject: SubjectKind,
    pub(super) identities: &'s Identities,
    /// The property's currency and time zone as they were when it was connected, where the report says none.
    pub(super) currency: Option<Currency>,
    pub(super) time_zone: Option<&'s str>,
    /// The day that it is at the property.
    pub(super) today: Day,
    /// For how many days behind a day its numbers may still move.
    pub(super) settles_after_days: u32,
    pub(super) skips_empty: bool,
    /// The most rows that were asked for.
    pub(super) most: u64,
}

/// Rows with named members, as a JSON array, and how many they are.
pub(super) fn named(envelope: &Envelope<'_>, frame: Frame<'_>) -> Result<(Bytes, u64)> {
    let columns = Columns::of(envelope, frame)?;
    let mut out = Vec::with_capacity(envelope.rows.map_or(2, |rows| rows.get().len() * 2));
    out.push(b'[');
    let mut count = 0;
    if let Some(rows) = envelope.rows {
        let mut writer = Writer { out: &mut out, columns: &columns, frame, count: 0 };
        let mut json = serde_json::Deserializer::from_str(rows.get());
        let written = Rows(&mut writer).deserialize(&mut json);
        count = writer.count;
        written.map_err(|_| unreadable("no rows, or more than were asked for"))?;
    }
    out.push(b']');
    Ok((Bytes::from(out), count))
}

/// Where each column stands, and what is said of all rows.
struct Columns<'a> {
    date: usize,
    key: usize,
    host: Option<usize>,
    metrics: Vec<Metric<'a>>,
    /// What every row carries, as members, ready to be written.
    shared: Vec<u8>,
    currency: Option<Cow<'a, str>>,
}

struct Metric<'a> {
    at: usize,
    name: &'a str,
    is_money: bool,
    is_hidden: bool,
}

impl<'a> Columns<'a> {
    fn of(envelope: &'a Envelope<'_>, frame: Frame<'_>) -> Result<Self> {
        let dimension = |name: &str| {
            envelope.dimension_headers.iter().position(|header| header.name == name).ok_or_else(|| {
                Error::new(
                    ErrorKind::Protocol,
                    "column_missing",
                    "the report lacks a column that was asked for",
                )
                .with_context("column", name.to_owned())
            })
        };
        let (key, host) = match frame.subject {
            SubjectKind::Item => (dimension("itemId")?, None),
            SubjectKind::Page => (dimension("pagePath")?, Some(dimension("hostName")?)),
            SubjectKind::SearchLanding => (dimension("landingPage")?, None),
        };
        let wanted = super::map::metrics(frame.subject);
        let meta = &envelope.metadata;
        let hidden = &meta.schema_restriction_response.active_metric_restrictions;
        let mut metrics = Vec::with_capacity(wanted.len());
        for name in wanted {
            let found = envelope.metric_headers.iter().position(|header| header.name == *name);
            let at = found.ok_or_else(|| {
                Error::new(
                    ErrorKind::Protocol,
                    "column_missing",
                    "the report lacks a column that was asked for",
                )
                .with_context("column", (*name).to_owned())
            })?;
            let kind = envelope.metric_headers.get(at).map_or("", |header| header.kind.as_ref());
            let is_hidden = hidden.iter().any(|restriction| restriction.metric_name == *name);
            metrics.push(Metric { at, name, is_money: kind == "TYPE_CURRENCY", is_hidden });
        }
        let currency = match (meta.currency_code.is_empty(), frame.currency) {
            (false, _) => Some(Cow::Borrowed(meta.currency_code.as_ref())),
            (true, known) => known.map(|known| Cow::Owned(known.as_str().to_owned())),
        };
        let is_restricted = metrics.iter().any(|metric| metric.is_hidden);
        let shared = shared(meta, frame, is_restricted);
        Ok(Self { date: dimension("date")?, key, host, metrics, shared, currency })
    }
}

/// The members that all rows of a report have.
fn shared(meta: &Metadata<'_>, frame: Frame<'_>, is_restricted: bool) -> Vec<u8> {
    let mut members = serde_json::Map::new();
    members.insert("subject".to_owned(), frame.subject.as_str().into());
    let zone = Some(meta.time_zone.as_ref()).filter(|zone| !zone.is_empty()).or(frame.time_zone);
    if let Some(zone) = zone {
        members.insert("timeZone".to_owned(), zone.into());
    }
    let quality = meta.quality();
    if let Some(share) = quality.sampled_share {
        members.insert("sampledShare".to_owned(), share.to_string().into());
    }
    for (name, holds) in [
        ("sampled", quality.sampled),
        ("thresholded", quality.thresholded),
        ("otherRow", quality.other_row),
        ("truncated", quality.truncated),
        ("emptyFiltered", frame.skips_empty),
        ("restricted", is_restricted),
    ] {
        if holds {
            members.insert(name.to_owned(), true.into());
        }
    }
    let text = serde_json::Value::Object(members).to_string();
    text.trim_start_matches('{').trim_end_matches('}').as_bytes().to_vec()
}

impl Metadata<'_> {
    /// What a report says of the quality of all of its rows.
    pub(super) fn quality(&self) -> Quality {
        let share = self.sampling_metadatas.iter().filter_map(Sampling::share).min_by(f64::total_cmp);
        Quality {
            sampled: !self.sampling_metadatas.is_empty(),
            sampled_share: share.and_then(|share| format!("{share:.6}").parse().ok()),
            thresholded: self.subject_to_thresholding,
            other_row: self.data_loss_from_other_row,
            truncated: !self.data_truncation_reasons.is_empty(),
            restricted: !self.schema_restriction_response.active_metric_restrictions.is_empty(),
            ..Quality::default()
        }
    }
}

impl Sampling {
    /// The part of the events that was read.
    fn share(&self) -> Option<f64> {
        let number =
            |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
        let (read, space) = (number(&self.samples_read_count)?, number(&self.sampling_space_size)?);
        (space > 0.0).then(|| (read / space).min(1.0))
    }
}

struct Writer<'w> {
    out: &'w mut Vec<u8>,
    columns: &'w Columns<'w>,
    frame: Frame<'w>,
    count: u64,
}

struct Rows<'w, 'x>(&'x mut Writer<'w>);

impl<'de> DeserializeSeed<'de> for Rows<'_, '_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        while let Some(row) = rows.next_element::<Row<'de>>()? {
            let writer = &mut *self.0;
            if writer.count >= writer.frame.most || writer.out.len() > MAX_BYTES {
                return Err(serde::de::Error::custom("more rows than were asked for"));
            }
            if writer.count > 0 {
                writer.out.push(b',');
            }
            writer.count += 1;
            writer.row(&row);
        }
        Ok(())
    }
}

impl Writer<'_> {
    fn row(&mut self, row: &Row<'_>) {
        let columns = self.columns;
        let dimension = |at: usize| row.dimension_values.get(at).map(|cell| cell.value.as_ref());
        let is_whole = columns.metrics.iter().all(|metric| metric.at < row.metric_values.len());
        let (Some(date), Some(key), true) = (dimension(columns.date), dimension(columns.key), is_whole)
        else {
            // A row without its columns has no id, and is rejected alone.
            self.out.extend_from_slice(b"{}");
            return;
        };
        let host = columns.host.and_then(dimension);
        self.out.extend_from_slice(b"{\"id\":");
        self.text(&id(self.frame.subject, date, host, key));
        self.member("date", date);
        self.out.push(b',');
        self.out.extend_from_slice(&columns.shared);
        if let Some(host) = host {
            self.member("hostName", host);
        }
        match remainder(key) {
            Some(word) => {
                self.out.extend_from_slice(b",\"key\":null");
                self.member("remainder", word);
            }
            None => {
                self.member("key", key);
                let identity = match self.frame.subject {
                    SubjectKind::Item => self.frame.identities.of_item(key),
                    SubjectKind::Page | SubjectKind::SearchLanding => self.frame.identities.of_page(key),
                };
                self.identity(&identity);
            }
        }
        for metric in &columns.metrics {
            let text = row.metric_values.get(metric.at).map_or("", |cell| cell.value.as_ref());
            self.metric(metric, text);
        }
        if let Ok(day) = Day::parse(date) {
            let age = self.frame.today.days_since(day).max(0);
            let _ = write!(self.out, ",\"ageDays\":{age}");
            if age <= i64::from(self.frame.settles_after_days) {
                self.out.extend_from_slice(b",\"provisional\":true");
            }
        }
        self.out.push(b'}');
    }

    fn metric(&mut self, metric: &Metric<'_>, text: &str) {
        // `NaN` and a number that nobody may see are no number, and no zero.
        let is_number = !metric.is_hidden && text.bytes().any(|byte| byte.is_ascii_digit());
        if !is_number {
            let _ = write!(self.out, ",\"{}\":null", metric.name);
        } else if !metric.is_money {
            self.member(metric.name, text);
        } else if let Some(currency) = &self.columns.currency {
            let _ = write!(self.out, ",\"{}\":{{\"amount\":", metric.name);
            self.text(text);
            self.member("currency", currency);
            self.out.push(b'}');
        }
    }

    fn identity(&mut self, identity: &Identity) {
        for (name, text) in [
            ("sku", identity.sku.as_deref()),
            ("slug", identity.slug.as_deref()),
            ("productId", identity.product_id.as_ref().map(|id| id.as_str())),
            ("variantId", identity.variant_id.as_ref().map(|id| id.as_str())),
        ] {
            if let Some(text) = text {
                self.member(name, text);
            }
        }
        if let Some(known) = identity.is_known {
            let _ = write!(self.out, ",\"isKnown\":{known}");
        }
    }

    fn member(&mut self, name: &str, text: &str) {
        let _ = write!(self.out, ",\"{name}\":");
        self.text(text);
    }

    fn text(&mut self, text: &str) {
        // A text can be written to memory.
        let _ = serde_json::to_writer(&mut *self.out, text);
    }
}

/// What a value stands for that is no key of one item or page (documents of 2026-11-22; not known to be all).
fn remainder(key: &str) -> Option<&'static str> {
    match key {
        "(other)" => Some("other"),
        "(not set)" => Some("not_set"),
        "" => Some("empty"),
        "(data not available)" => Some("not_available"),
        _ => None,
    }
}

/// The id of a row: the same for each read of the same day. A long key stands with its begin and a hash.
pub(super) fn id(subject: SubjectKind, date: &str, host: Option<&str>, key: &str) -> String {
    let subject = subject.as_str();
    let day = Day::parse(date).map_or_else(|_| date.chars().take(20).collect(), |day| day.to_string());
    let host = host.map(|host| format!("{host}/")).unwrap_or_default();
    let whole = format!("{host}{key}");
    if whole.len() <= MAX_KEY {
        return format!("{subject}/{day}/{whole}");
    }
    let begin: String = whole.chars().take(MAX_KEY / 4).collect();
    format!("{subject}/{day}/{begin}~{:032x}", XxHash3_128::oneshot(whole.as_bytes()))
}

pub(super) fn unreadable(what: &'static str) -> Error {
    Error::new(ErrorKind::Protocol, "answer_unreadable", format!("Google's answer is {what}"))
        .with_remedy("try again; report it where it stays so")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn frame(identities: &Identities) -> Frame<'_> {
        Frame {
            subject: SubjectKind::Item,
            identities,
            currency: None,
            time_zone: None,
            today: "2026-11-22".parse().unwrap(),
            settles_after_days: 3,
            skips_empty: false,
            most: 100,
        }
    }

    fn report(rows: &Value, metadata: &Value) -> String {
        let metric = |name: &&str| json!({"name": name, "type": if *name == "itemRevenue" { "TYPE_CURRENCY" } else { "TYPE_INTEGER" }});
        let metrics: Vec<Value> =
            super::super::map::metrics(SubjectKind::Item).iter().rev().map(metric).collect();
        json!({
            "dimensionHeaders": [{"name": "itemId"}, {"name": "date"}], "metricHeaders": metrics, "rows": rows,
            "rowCount": 1, "metadata": metadata, "kind": "analyticsData#runReport",
        })
        .to_string()
    }

    fn row(item: &Value, metrics: [&str; 7]) -> Value {
        let metrics: Vec<Value> = metrics.iter().map(|text| json!({"value": text})).collect();
        json!({"dimensionValues": [item, {"value": "20261120"}], "metricValues": metrics})
    }

    fn rows(text: &str) -> Vec<Value> {
        let identities = Identities::default();
        let read = envelope(text).unwrap();
        let (body, count) = named(&read, frame(&identities)).unwrap();
        let rows: Vec<Value> = serde_json::from_slice(&body).unwrap();
        assert_eq!(rows.len() as u64, count);
        rows
    }

    const NUMBERS: [&str; 7] = ["1.5E1", "2", "3", "4", "5", "6", "5000000000"];

    #[test]
    fn columns_are_found_by_their_names_in_whatever_order_they_come() {
        let text = report(&json!([row(&json!({"value": "CAP"}), NUMBERS)]), &json!({"currencyCode": "EUR"}));
        let row = &rows(&text)[0];
        assert_eq!((&row["id"], &row["key"]), (&json!("item/2026-11-20/CAP"), &json!("CAP")));
        assert_eq!(row["itemsViewed"], "5000000000");
        assert_eq!(row["itemRevenue"], json!({"amount": "1.5E1", "currency": "EUR"}));
        assert_eq!((&row["ageDays"], &row["provisional"]), (&json!(2), &json!(true)));
    }

    #[test]
    fn what_is_no_key_is_no_product_and_what_is_no_number_is_no_zero() {
        for (item, word) in [
            (json!({"value": "(other)"}), "other"),
            (json!({"value": "(not set)"}), "not_set"),
            (json!({"value": ""}), "empty"),
            (json!({}), "empty"),
            (json!({"value": "(data not available)"}), "not_available"),
        ] {
            let text = report(&json!([row(&item, ["NaN", "Infinity", "", "4", "5", "6", "7"])]), &json!({}));
            let row = &rows(&text)[0];
            assert_eq!((&row["key"], &row["remainder"]), (&Value::Null, &json!(word)));
            assert!(row.get("sku").is_none());
            let hidden = ["itemRevenue", "itemsPurchased", "itemsCheckedOut"].map(|name| row[name].clone());
            assert_eq!(hidden, [Value::Null, Value::Null, Value::Null]);
        }
    }

    #[test]
    fn what_a_report_says_of_all_rows_stands_in_each() {
        let metadata = json!({
            "currencyCode": "EUR", "timeZone": "Europe/Vienna", "dataLossFromOtherRow": true,
            "subjectToThresholding": true, "dataTruncationReasons": [{"dataTruncationType": "OF_LATER"}],
            "samplingMetadatas": [{"samplesReadCount": "250", "samplingSpaceSize": "1000"}],
            "schemaRestrictionResponse": {"activeMetricRestrictions": [{"metricName": "itemRevenue"}]},
        });
        let text = report(&json!([row(&json!({"value": "CAP"}), NUMBERS)]), &metadata);
        let row = &rows(&text)[0];
        for flag in ["sampled", "thresholded", "otherRow", "truncated", "restricted"] {
            assert_eq!(row[flag], true, "{flag}");
        }
        assert_eq!((&row["sampledShare"], &row["timeZone"]), (&json!("0.250000"), &json!("Europe/Vienna")));
        assert_eq!(row["itemRevenue"], Value::Null);
    }

    #[test]
    fn an_answer_without_rows_is_empty_and_a_row_without_its_columns_is_rejected_alone() {
        let mut empty: Value = serde_json::from_str(&report(&json!([]), &json!({}))).unwrap();
        empty.as_object_mut().unwrap().remove("rows");
        empty.as_object_mut().unwrap().remove("rowCount");
        assert_eq!(rows(&empty.to_string()), Vec::<Value>::new());
        let cut = json!([{"dimensionValues": [{"value": "CAP"}]}, row(&json!({"value": "CAP"}), NUMBERS)]);
        let rows = rows(&report(&cut, &json!({})));
        assert_eq!((&rows[0], rows.len()), (&json!({}), 2));
    }

    #[test]
    fn a_missing_column_and_too_many_rows_are_told() {
        let identities = Identities::default();
        let text = report(&json!([]), &json!({})).replace("itemsViewed\"", "itemsSeen\"");
        let error = named(&envelope(&text).unwrap(), frame(&identities)).unwrap_err();
        assert_eq!(error.code(), "column_missing");
        let two = json!([row(&json!({"value": "A"}), NUMBERS), row(&json!({"value": "B"}), NUMBERS)]);
        let text = report(&two, &json!({}));
        let bound = Frame { most: 1, ..frame(&identities) };
        assert_eq!(named(&envelope(&text).unwrap(), bound).unwrap_err().code(), "answer_unreadable");
        assert!(envelope("<html>").is_err());
    }

    #[test]
    fn a_long_key_has_a_short_id_of_its_own() {
        let long = |end: &str| {
            id(SubjectKind::Page, "20261120", Some("shop.example"), &format!("/{}{end}", "é".repeat(300)))
        };
        assert!(long("a").len() <= 255);
        assert_ne!(long("a"), long("b"));
        assert_eq!(id(SubjectKind::Page, "20261120", Some("h"), "/p"), "page/2026-11-20/h//p");
    }
}
