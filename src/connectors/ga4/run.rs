//! Reports of the caller's own, the fields that there are, and which of them go together.

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::classify;
use super::connector::Ga4;
use super::discover::post;
use super::report::{MAX_BATCH, Report};
use super::rows::{self, Row};
use crate::error::{Error, ErrorKind, Result};
use crate::http::{ApiRequest, ApiResponse, BodyFault};
use crate::model::Text;
use crate::model::performance::Quality;

/// A page of a report.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ReportPage {
    /// The names of the columns as they came: the dimensions, and the metrics behind them.
    pub columns: Vec<Text>,
    /// The rows: each a value a column, as the platform spells it. Numbers are texts.
    pub rows: Vec<Vec<Text>>,
    /// How many rows the whole report has, whatever page of it this is.
    pub row_count: u64,
    /// The currency of its amounts.
    pub currency: Option<Text>,
    /// The time zone of its days.
    pub time_zone: Option<Text>,
    /// What the platform says of the quality of its numbers; how old they are, it does not say.
    pub quality: Quality,
    /// What is left of the quotas.
    pub quota: QuotaLeft,
}

impl ReportPage {
    /// The place of a column; none where the report has none of that name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.as_str() == name)
    }
}

/// What is left of a property's tokens, where an answer said it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct QuotaLeft {
    /// Of this project in this hour.
    pub project_hour: Option<u64>,
    /// Of the property in this hour.
    pub hour: Option<u64>,
    /// Of the property in this day, which turns at midnight, Pacific time.
    pub day: Option<u64>,
}

/// The fields that a property has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Fields {
    /// The dimensions, custom ones too.
    pub dimensions: Vec<Field>,
    /// The metrics.
    pub metrics: Vec<Field>,
}

/// A dimension or a metric.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[non_exhaustive]
pub struct Field {
    /// The name in requests.
    pub api_name: Text,
    /// Names that it had before, and that are taken, too.
    pub deprecated_api_names: Vec<Text>,
    /// Whether it is the property's own.
    pub custom_definition: bool,
    /// Why the credential may not see a metric: it reads 0 then. Empty where it may.
    pub blocked_reasons: Vec<Text>,
}

/// What goes together with the fields of a report.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Compatibility {
    /// Whether the fields themselves go together.
    pub is_compatible: bool,
    /// The fields that could be added; empty where they do not.
    pub addable: Vec<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct MetadataAnswer {
    dimensions: Vec<Field>,
    metrics: Vec<Field>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct CompatibilityAnswer {
    dimension_compatibilities: Vec<Fits>,
    metric_compatibilities: Vec<Fits>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Fits {
    compatibility: String,
    dimension_metadata: Field,
    metric_metadata: Field,
}

impl Ga4 {
    /// Runs a report, and gives the page that it asks for.
    ///
    /// # Errors
    /// `Rejected` where it is not one that can be ([`Report::check`]), with nothing sent, or the platform refuses its
    /// fields; `RateLimited` with the time where a quota is used up; else what the pipeline says.
    pub async fn run_report(&self, report: &Report) -> Result<ReportPage> {
        report.check()?;
        let call = post(self.property, "runReport", report.body().to_string());
        self.data.execute_with(call, |response| broken(page(text(&response)?, report))).await
    }

    /// Runs up to five reports in one call. Each is charged by itself.
    ///
    /// # Errors
    /// As [`Ga4::run_report`]; `Rejected` for more than five, or none.
    pub async fn batch_run_reports(&self, reports: &[Report]) -> Result<Vec<ReportPage>> {
        if reports.is_empty() || reports.len() > MAX_BATCH {
            return Err(Error::new(
                ErrorKind::Rejected,
                "batch_unusable",
                format!("a batch has between 1 and {MAX_BATCH} reports, got {}", reports.len()),
            ));
        }
        reports.iter().try_for_each(Report::check)?;
        let bodies: Vec<_> = reports.iter().map(Report::body).collect();
        let call = post(self.property, "batchRunReports", json!({ "requests": bodies }).to_string());
        let read = |response: ApiResponse| {
            // A batch of one is a batch all the same.
            let texts = broken(of_batch(text(&response)?, reports.len()))?;
            broken(texts.into_iter().zip(reports).map(|(text, report)| page(text, report)).collect())
        };
        self.data.execute_with(call, read).await
    }

    /// The fields that the property has, with the names that they had before and those that are hidden.
    ///
    /// # Errors
    /// What the pipeline says.
    pub async fn metadata(&self) -> Result<Fields> {
        let call = ApiRequest::get(format!("v1beta/properties/{}/metadata", self.property));
        let read: MetadataAnswer = self.data.execute_with(call, parse).await?;
        Ok(Fields { dimensions: read.dimensions, metrics: read.metrics })
    }

    /// Asks which fields go together with those of a report.
    ///
    /// # Errors
    /// What the pipeline says; that they do not go together is no error.
    pub async fn check_compatibility(&self, report: &Report) -> Result<Compatibility> {
        let call = post(self.property, "checkCompatibility", report.compatibility_body().to_string());
        let read: CompatibilityAnswer = match self.data.execute_with(call, parse).await {
            // Which is how the platform says that they do not.
            Err(error) if error.code() == "request_refused" => return Ok(Compatibility::default()),
            read => read?,
        };
        let fits = read.dimension_compatibilities.into_iter().chain(read.metric_compatibilities);
        let name = |fits: Fits| {
            let dimension = fits.dimension_metadata.api_name;
            if dimension.is_empty() { fits.metric_metadata.api_name } else { dimension }
        };
        let addable = fits.filter(|fits| fits.compatibility == "COMPATIBLE").map(name).collect();
        Ok(Compatibility { is_compatible: true, addable })
    }
}

/// The reports of an answer: one, or those of a batch.
pub(super) fn reports(text: &str, wanted: usize) -> Result<Vec<&str>> {
    if wanted == 1 { Ok(vec![text]) } else { of_batch(text, wanted) }
}

fn of_batch(text: &str, wanted: usize) -> Result<Vec<&str>> {
    #[derive(Deserialize)]
    struct Batch<'a> {
        #[serde(borrow, default)]
        reports: Vec<&'a RawValue>,
    }
    let batch: Batch<'_> = serde_json::from_str(text).map_err(|_| rows::unreadable("no batch of reports"))?;
    if batch.reports.len() != wanted {
        return Err(rows::unreadable("a batch of another number of reports than were asked for"));
    }
    Ok(batch.reports.into_iter().map(RawValue::get).collect())
}

fn text(response: &ApiResponse) -> Result<&str, BodyFault> {
    broken(std::str::from_utf8(response.body()).map_err(|_| rows::unreadable("not UTF-8")))
}

fn broken<T>(read: Result<T>) -> Result<T, BodyFault> {
    read.map_err(BodyFault::Broken)
}

fn parse<T: serde::de::DeserializeOwned>(response: ApiResponse) -> Result<T, BodyFault> {
    serde_json::from_slice(response.body())
        .map_err(|_| BodyFault::Broken(rows::unreadable("none that is known")))
}

fn page(text: &str, report: &Report) -> Result<ReportPage> {
    let envelope = rows::envelope(text)?;
    let (dimensions, metrics) = (&envelope.dimension_headers, &envelope.metric_headers);
    let columns = dimensions.iter().chain(metrics).map(|header| Text::from(header.name.as_ref())).collect();
    let rows: Vec<Row<'_>> = match envelope.rows {
        Some(rows) => serde_json::from_str(rows.get()).map_err(|_| rows::unreadable("without rows"))?,
        None => Vec::new(),
    };
    // A row that lacks a value would have the others under wrong names.
    let fits = |row: &Row<'_>| {
        (row.dimension_values.len(), row.metric_values.len()) == (dimensions.len(), metrics.len())
    };
    if rows.len() as u64 > report.limit || !rows.iter().all(fits) {
        return Err(rows::unreadable("of other rows than were asked for"));
    }
    let cells = |row: Row<'_>| {
        let cells = row.dimension_values.into_iter().chain(row.metric_values);
        cells.map(|cell| Text::from(cell.value.as_ref())).collect()
    };
    let quota = classify::quota(text.as_bytes()).unwrap_or_default();
    let left = |bucket: Option<classify::Bucket>| bucket.map(|bucket| bucket.remaining);
    let said = |text: &str| Some(text).filter(|text| !text.is_empty()).map(Text::from);
    Ok(ReportPage {
        columns,
        rows: rows.into_iter().map(cells).collect(),
        row_count: envelope.row_count,
        currency: said(&envelope.metadata.currency_code),
        time_zone: said(&envelope.metadata.time_zone),
        quality: Quality { empty_filtered: report.without_empty.is_some(), ..envelope.metadata.quality() },
        quota: QuotaLeft {
            project_hour: left(quota.tokens_per_project_per_hour),
            hour: left(quota.tokens_per_hour),
            day: left(quota.tokens_per_day),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_of_another_number_of_reports_is_told() {
        let batch =
            |reports: &str| format!(r#"{{"reports":[{reports}],"kind":"analyticsData#batchRunReports"}}"#);
        assert_eq!(reports(&batch("{},{\"rowCount\":1}"), 2).unwrap(), ["{}", "{\"rowCount\":1}"]);
        for few in ["", "{}", "{},{},{}"] {
            assert_eq!(reports(&batch(few), 2).unwrap_err().code(), "answer_unreadable", "{few}");
        }
    }

    #[test]
    fn a_row_that_lacks_a_value_and_one_too_many_are_told() {
        let answer = |row: &str| {
            format!(
                r#"{{"dimensionHeaders":[{{"name":"date"}}],"metricHeaders":[{{"name":"sessions"}}],"rows":[{row}]}}"#
            )
        };
        let day = "2026-11-20".parse().unwrap();
        let report = |limit| Report::new(crate::time::Days::new(day, day).unwrap()).rows(0, limit);
        let whole = r#"{"dimensionValues":[{"value":"20261120"}],"metricValues":[{"value":"1"}]}"#;
        assert_eq!(page(&answer(whole), &report(1)).unwrap().rows, [["20261120", "1"].map(Text::from)]);
        let two = format!("{whole},{whole}");
        for rows in [r#"{"metricValues":[{"value":"1"}]}"#, two.as_str()] {
            assert_eq!(page(&answer(rows), &report(1)).unwrap_err().code(), "answer_unreadable", "{rows}");
        }
        assert!(page(&answer(&two), &report(2)).is_ok());
    }
}
