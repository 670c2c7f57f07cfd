//! Reports: rows out of a property's numbers, filtered, sorted, cut to a page and rendered.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::errors::Refusal;
use super::fields::{self, DIMENSIONS, FieldDef, METRICS, Scope};
use super::property::{Numbers, Property};
use super::request::{DateRange, Filter, Leaf, Report};
use crate::time::{Day, Timestamp};

/// The most rows of a page, and those of one that asks for none in particular.
const MAX_LIMIT: i64 = 250_000;
const DEFAULT_LIMIT: i64 = 10_000;

/// Words by their numbers, as the protocol has them.
const MATCH_TYPES: [&str; 5] = ["MATCH_TYPE_UNSPECIFIED", "EXACT", "BEGINS_WITH", "ENDS_WITH", "CONTAINS"];
const ORDER_TYPES: [&str; 2] = ["ORDER_TYPE_UNSPECIFIED", "ALPHANUMERIC"];

/// A row: its dimensions in the order asked for, and its numbers.
type Row = (Vec<String>, Numbers);

/// What a report came to.
pub(super) struct Done {
    pub(super) body: Map<String, Value>,
    pub(super) tokens: u64,
}

/// Runs a report.
pub(super) fn run(property: &Property, report: &Report, now: Timestamp) -> Result<Done, Refusal> {
    let custom: Vec<String> =
        property.custom.iter().map(super::property::CustomDimension::api_name).collect();
    let names =
        |named: &'_ [super::request::Named]| named.iter().map(|it| it.name.clone()).collect::<Vec<_>>();
    let (dimension_names, metric_names) = (names(&report.dimensions), names(&report.metrics));
    if dimension_names.len() > 9 || metric_names.len() > 10 || metric_names.is_empty() {
        return Err(Refusal::invalid("Requests take at most 9 dimensions and between 1 and 10 metrics."));
    }
    let dimensions =
        fields::known(DIMENSIONS, dimension_names.iter().map(String::as_str), "dimension", &custom)?;
    let metrics = fields::known(METRICS, metric_names.iter().map(String::as_str), "metric", &[])?;
    let leaves: Vec<&Leaf> = report.dimension_filter.iter().flat_map(leaves).collect();
    let filtered = leaves.iter().map(|leaf| leaf.field_name.as_str());
    let filtered = fields::known(DIMENSIONS, filtered, "dimension", &custom)?;
    // What is filtered by need not be a column: it is one until the rows are filtered.
    let mut wide = dimension_names.clone();
    wide.extend(
        leaves.iter().map(|leaf| leaf.field_name.clone()).filter(|name| !dimension_names.contains(name)),
    );
    let all: Vec<&FieldDef> = dimensions.iter().chain(&metrics).chain(&filtered).copied().collect();
    fields::compatible(&all)?;
    if report.metric_filter.is_some() || !report.metric_aggregations.is_empty() {
        return Err(Refusal::new(
            501,
            "UNIMPLEMENTED",
            "The stand-in has no metric filters and aggregations.",
        ));
    }
    let today = property.today(now);
    let [range] = report.date_ranges.as_slice() else {
        return Err(Refusal::invalid("The stand-in takes exactly one date range."));
    };
    let (first, last) = (day(&range.start_date, today)?, day(&range.end_date, today)?);
    check_name(range)?;
    if last < first {
        return Err(Refusal::invalid("start_date must not be after end_date."));
    }
    let limit = report.limit.as_ref().map_or(Some(DEFAULT_LIMIT), super::request::Whole::get);
    let offset = report.offset.as_ref().map_or(Some(0), super::request::Whole::get);
    let (Some(limit @ 1..=MAX_LIMIT), Some(offset @ 0..)) = (limit, offset) else {
        return Err(Refusal::invalid("limit must be between 1 and 250000 and offset 0 or more."));
    };
    let (limit, offset) = (limit.unsigned_abs(), offset.unsigned_abs());

    let is_item = all.iter().any(|field| field.scope == Scope::Item);
    let mut folded = false;
    let (count, mut rows) = match property.generated_of(first, last, offset, limit) {
        Some((total, part))
            if is_item && dimension_names == ["date", "itemId"] && report.dimension_filter.is_none() =>
        {
            let rows = part.into_iter().map(|(day, item, numbers)| (vec![day.compact(), item], numbers));
            (total, rows.collect::<Vec<Row>>())
        }
        _ => {
            let mut rows = gather(property, is_item, &wide, first, last, today, &mut folded);
            if let Some(filter) = &report.dimension_filter {
                rows.retain(|(values, _)| holds(filter, &wide, values));
            }
            let mut rows = narrowed(rows, dimension_names.len());
            if let Some(least) = property.conditions.threshold {
                let first_metric = metric_names.first().cloned().unwrap_or_default();
                rows.retain(|(_, numbers)| {
                    numbers.get(&first_metric).is_none_or(|number| *number >= Decimal::from(least))
                });
            }
            if !report.keep_empty_rows {
                rows.retain(|(_, numbers)| metrics.iter().any(|metric| !number(numbers, metric).is_zero()));
            }
            sort(&mut rows, report, &dimension_names)?;
            let count = rows.len() as u64;
            let skip = usize::try_from(offset).unwrap_or(usize::MAX);
            let rows = rows.into_iter().skip(skip).take(usize::try_from(limit).unwrap_or(usize::MAX));
            (count, rows.collect())
        }
    };
    let tokens = property.quotas.tokens_of_a_report + rows.len() as u64 / 1000;
    if property.conditions.not_a_number
        && is_item
        && offset == 0
        && let Some((_, numbers)) = rows.first_mut()
    {
        numbers.insert("NaN".to_owned(), Decimal::ONE);
    }
    Ok(Done {
        body: render(property, &dimension_names, &metrics, &metric_names, &rows, count, folded),
        tokens,
    })
}

/// Reads a day of a request.
fn day(text: &str, today: Day) -> Result<Day, Refusal> {
    let days_ago = |text: &str| text.strip_suffix("daysAgo")?.parse::<u32>().ok();
    match text {
        "today" => Ok(today),
        "yesterday" => Ok(today.saturating_sub(1)),
        _ => match days_ago(text) {
            Some(days) => Ok(today.saturating_sub(days)),
            None if text.len() == 10 => {
                Day::parse(text).map_err(|_| Refusal::invalid(format!("Invalid date: {text}")))
            }
            None => Err(Refusal::invalid(format!("Invalid date: {text}"))),
        },
    }
}

fn check_name(range: &DateRange) -> Result<(), Refusal> {
    let reserved = |name: &String| name.starts_with("date_range_") || name.starts_with("RESERVED_");
    match &range.name {
        Some(name) if reserved(name) => Err(Refusal::invalid("The name of the date range is reserved.")),
        _ => Ok(()),
    }
}

/// The rows of a range of days, one for each combination of the dimensions.
fn gather(
    property: &Property,
    is_item: bool,
    dimensions: &[String],
    first: Day,
    last: Day,
    today: Day,
    folded: &mut bool,
) -> Vec<Row> {
    let mut grouped: BTreeMap<Vec<String>, Numbers> = BTreeMap::new();
    // A row's dimensions, each by its name.
    let mut add = |day: Day, values: &[(&str, &str)], numbers: &Numbers| {
        let value = |name: &String| match values.iter().find(|(known, _)| known == name) {
            Some((_, value)) => (*value).to_owned(),
            None if name == "date" => day.compact(),
            None => "(not set)".to_owned(),
        };
        let sums = grouped.entry(dimensions.iter().map(value).collect()).or_default();
        for (name, number) in numbers {
            *sums.entry(name.clone()).or_default() += property.told(*number, day, today);
        }
    };
    if is_item {
        let mut seen: BTreeMap<Day, BTreeSet<String>> = BTreeMap::new();
        for (day, item, numbers) in property.items_of(first, last) {
            let of_day = seen.entry(day).or_default();
            let most = property.conditions.most_items_a_day.unwrap_or(usize::MAX);
            let is_over = of_day.len() >= most && dimensions.iter().any(|name| name.starts_with("item"));
            *folded |= is_over;
            let item = if is_over { "(other)".to_owned() } else { item };
            if !is_over {
                of_day.insert(item.clone());
            }
            add(day, &[("itemId", &item), ("itemName", &item)], &numbers);
        }
    } else if dimensions.iter().any(|name| name == "landingPage") {
        let range =
            (first, String::new(), String::new())..(last.saturating_add(1), String::new(), String::new());
        for ((day, path, channel), numbers) in property.landings.range(range) {
            add(*day, &[("landingPage", path), ("sessionDefaultChannelGroup", channel)], numbers);
        }
    } else {
        let range =
            (first, String::new(), String::new())..(last.saturating_add(1), String::new(), String::new());
        for ((day, host, path), numbers) in property.pages.range(range) {
            add(*day, &[("hostName", host), ("pagePath", path)], numbers);
        }
    }
    grouped.into_iter().collect()
}

/// The rows by their first columns alone.
fn narrowed(rows: Vec<Row>, columns: usize) -> Vec<Row> {
    let mut grouped: BTreeMap<Vec<String>, Numbers> = BTreeMap::new();
    for (mut values, numbers) in rows {
        values.truncate(columns);
        let sums = grouped.entry(values).or_default();
        for (name, number) in numbers {
            *sums.entry(name).or_default() += number;
        }
    }
    grouped.into_iter().collect()
}

/// All filters within one, however they are combined.
fn leaves(filter: &Filter) -> Vec<&Leaf> {
    let groups = filter.and_group.iter().chain(&filter.or_group).flat_map(|group| &group.expressions);
    let inner = groups.chain(filter.not_expression.as_deref()).flat_map(leaves);
    inner.chain(&filter.filter).collect()
}

fn holds(filter: &Filter, names: &[String], values: &[String]) -> bool {
    if let Some(group) = &filter.and_group {
        return group.expressions.iter().all(|inner| holds(inner, names, values));
    }
    if let Some(group) = &filter.or_group {
        return group.expressions.iter().any(|inner| holds(inner, names, values));
    }
    if let Some(inner) = &filter.not_expression {
        return !holds(inner, names, values);
    }
    let Some(leaf) = &filter.filter else { return true };
    let at = names.iter().position(|name| *name == leaf.field_name);
    let value = at.and_then(|at| values.get(at)).map_or("", String::as_str);
    let folded = |text: &str, exact: bool| if exact { text.to_owned() } else { text.to_lowercase() };
    if leaf.empty_filter.is_some() {
        return value.is_empty() || value == "(not set)";
    }
    if let Some(list) = &leaf.in_list_filter {
        let value = folded(value, list.case_sensitive);
        return list.values.iter().any(|one| folded(one, list.case_sensitive) == value);
    }
    let Some(text) = &leaf.string_filter else { return leaf.numeric_filter.is_none() };
    let (value, wanted) = (folded(value, text.case_sensitive), folded(&text.value, text.case_sensitive));
    match text.match_type.as_ref().map_or("EXACT", |word| word.name(&MATCH_TYPES)) {
        "EXACT" | "MATCH_TYPE_UNSPECIFIED" => value == wanted,
        "BEGINS_WITH" => value.starts_with(&wanted),
        "ENDS_WITH" => value.ends_with(&wanted),
        "CONTAINS" => value.contains(&wanted),
        _ => false,
    }
}

fn sort(rows: &mut [Row], report: &Report, names: &[String]) -> Result<(), Refusal> {
    // Without an order, pages may come in any: the stand-in gives the worst one.
    if report.order_bys.is_empty() {
        rows.reverse();
        return Ok(());
    }
    for order in report.order_bys.iter().rev() {
        if let Some(metric) = &order.metric {
            rows.sort_by_key(|(_, numbers)| numbers.get(&metric.metric_name).copied().unwrap_or_default());
        } else if let Some(dimension) = &order.dimension {
            let kind = dimension.order_type.as_ref().map_or("ALPHANUMERIC", |word| word.name(&ORDER_TYPES));
            if !matches!(kind, "ALPHANUMERIC" | "ORDER_TYPE_UNSPECIFIED") {
                return Err(Refusal::new(
                    501,
                    "UNIMPLEMENTED",
                    "The stand-in sorts by letters and digits alone.",
                ));
            }
            let at = names.iter().position(|name| *name == dimension.dimension_name);
            let at =
                at.ok_or_else(|| Refusal::invalid("Reports are ordered by fields that they ask for."))?;
            rows.sort_by(|(one, _), (other, _)| one.get(at).cmp(&other.get(at)));
        }
        if order.desc {
            rows.reverse();
        }
    }
    Ok(())
}

fn number(numbers: &Numbers, metric: &FieldDef) -> Decimal {
    let sum = |name: &str| numbers.get(name).copied().unwrap_or_default();
    match metric.name {
        "engagementRate" => sum("engagedSessions").checked_div(sum("sessions")).unwrap_or_default(),
        name => sum(name),
    }
}

fn render(
    property: &Property,
    dimensions: &[String],
    metrics: &[&'static FieldDef],
    metric_names: &[String],
    rows: &[Row],
    count: u64,
    folded: bool,
) -> Map<String, Value> {
    let conditions = &property.conditions;
    // The places of the columns in the answer.
    let order = |columns: usize| -> Vec<usize> {
        if conditions.shuffled { (0..columns).rev().collect() } else { (0..columns).collect() }
    };
    let (by_dimension, by_metric) = (order(dimensions.len()), order(metrics.len()));
    let text = |numbers: &Numbers, metric: &FieldDef, name: &String| {
        if numbers.contains_key("NaN") {
            return "NaN".to_owned();
        }
        if conditions.restricted.contains(name) {
            return "0".to_owned();
        }
        let number = number(numbers, metric);
        if metric.kind == "TYPE_INTEGER" { number.normalize().to_string() } else { number.to_string() }
    };
    let value = |text: String| json!({ "value": text });
    let rows: Vec<Value> = rows
        .iter()
        .map(|(values, numbers)| {
            let values = by_dimension.iter().filter_map(|at| values.get(*at).cloned()).map(value);
            let numbers = by_metric
                .iter()
                .filter_map(|at| Some(value(text(numbers, metrics.get(*at)?, metric_names.get(*at)?))));
            json!({
                "dimensionValues": values.collect::<Vec<_>>(), "metricValues": numbers.collect::<Vec<_>>(),
            })
        })
        .collect();
    let headers = by_metric
        .iter()
        .filter_map(|at| Some(json!({"name": metric_names.get(*at)?, "type": metrics.get(*at)?.kind})));
    let dimension_headers = by_dimension.iter().filter_map(|at| Some(json!({"name": dimensions.get(*at)?})));

    let mut metadata = json!({"currencyCode": property.currency, "timeZone": property.time_zone});
    if let Some(metadata) = metadata.as_object_mut() {
        let mut say = |name: &str, value: Value| drop(metadata.insert(name.to_owned(), value));
        if folded {
            say("dataLossFromOtherRow", json!(true));
        }
        if conditions.threshold.is_some() {
            say("subjectToThresholding", json!(true));
        }
        if let Some((read, space)) = conditions.sampled {
            let sampled =
                json!([{"samplesReadCount": read.to_string(), "samplingSpaceSize": space.to_string()}]);
            say("samplingMetadatas", sampled);
        }
        if let Some(reason) = conditions.truncation {
            say("dataTruncationReasons", json!([{"dataTruncationType": reason}]));
        }
        let hidden: Vec<Value> = metric_names
            .iter()
            .filter(|name| conditions.restricted.contains(name))
            .map(|name| json!({"metricName": name, "restrictedMetricTypes": ["REVENUE_DATA"]}))
            .collect();
        if !hidden.is_empty() {
            say("schemaRestrictionResponse", json!({ "activeMetricRestrictions": hidden }));
        }
        if count == 0 {
            say("emptyReason", json!("No data."));
        }
    }
    let mut body = Map::new();
    body.insert("dimensionHeaders".to_owned(), dimension_headers.collect());
    body.insert("metricHeaders".to_owned(), headers.collect());
    // What is empty, and what is zero, is left out.
    if !rows.is_empty() {
        body.insert("rows".to_owned(), rows.into());
    }
    if count > 0 {
        body.insert("rowCount".to_owned(), count.into());
    }
    body.insert("metadata".to_owned(), metadata);
    body.insert("kind".to_owned(), json!("analyticsData#runReport"));
    body
}
