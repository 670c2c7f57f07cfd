//! Report requests, as the Data API has them: a member that it does not know is refused.

use serde::Deserialize;

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Report {
    /// Read and not used: the property comes with the address.
    pub(super) property: Option<String>,
    pub(super) dimensions: Vec<Named>,
    pub(super) metrics: Vec<Named>,
    pub(super) date_ranges: Vec<DateRange>,
    pub(super) dimension_filter: Option<Filter>,
    pub(super) metric_filter: Option<Filter>,
    pub(super) offset: Option<Whole>,
    pub(super) limit: Option<Whole>,
    pub(super) order_bys: Vec<OrderBy>,
    pub(super) currency_code: Option<String>,
    pub(super) keep_empty_rows: bool,
    pub(super) return_property_quota: bool,
    pub(super) metric_aggregations: Vec<Word>,
}

/// A number of 64 bits: the API takes a text, and a number too.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Whole {
    Text(String),
    Number(i64),
}

impl Whole {
    pub(super) fn get(&self) -> Option<i64> {
        match self {
            Self::Text(text) => text.parse().ok(),
            Self::Number(number) => Some(*number),
        }
    }
}

/// A word of an enumeration: by its name, or by its number as Google's own clients send it.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Word {
    Name(String),
    Number(usize),
}

impl Word {
    /// Its name, out of the names in the order of their numbers; empty where there is none of that number.
    pub(super) fn name<'w>(&'w self, names: &[&'w str]) -> &'w str {
        match self {
            Self::Name(name) => name,
            Self::Number(number) => names.get(*number).copied().unwrap_or_default(),
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    pub(super) name: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct DateRange {
    pub(super) start_date: String,
    pub(super) end_date: String,
    #[serde(default)]
    pub(super) name: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Filter {
    pub(super) and_group: Option<Group>,
    pub(super) or_group: Option<Group>,
    pub(super) not_expression: Option<Box<Filter>>,
    pub(super) filter: Option<Leaf>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Group {
    pub(super) expressions: Vec<Filter>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Leaf {
    pub(super) field_name: String,
    pub(super) string_filter: Option<StringFilter>,
    pub(super) in_list_filter: Option<InList>,
    pub(super) empty_filter: Option<Empty>,
    pub(super) numeric_filter: Option<Numeric>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct StringFilter {
    pub(super) match_type: Option<Word>,
    pub(super) value: String,
    pub(super) case_sensitive: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct InList {
    pub(super) values: Vec<String>,
    pub(super) case_sensitive: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Empty {}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Numeric {
    pub(super) operation: String,
    pub(super) value: NumericValue,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct NumericValue {
    pub(super) int64_value: Option<Whole>,
    pub(super) double_value: Option<f64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct OrderBy {
    pub(super) desc: bool,
    pub(super) metric: Option<OrderMetric>,
    pub(super) dimension: Option<OrderDimension>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct OrderMetric {
    pub(super) metric_name: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct OrderDimension {
    pub(super) dimension_name: String,
    #[serde(default)]
    pub(super) order_type: Option<Word>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Batch {
    pub(super) requests: Vec<Report>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Compatibility {
    pub(super) dimensions: Vec<Named>,
    pub(super) metrics: Vec<Named>,
    pub(super) dimension_filter: Option<Filter>,
    pub(super) metric_filter: Option<Filter>,
    pub(super) compatibility_filter: Option<Word>,
}
