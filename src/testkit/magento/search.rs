//! `searchCriteria`: read from a query, played over records, and echoed in the answer.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::errors::ApiError;
use super::query::Query;
use super::settings::Conditions;
use crate::testkit::json::Json;
use crate::testkit::random::SeededRandom;

/// One condition on one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) field: String,
    value: String,
    condition: String,
}

/// What a list was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Criteria {
    /// All groups must hold; of a group one filter.
    pub(super) groups: Vec<Vec<Filter>>,
    /// Fields, and whether ascending.
    pub(super) orders: Vec<(String, bool)>,
    pub(super) page_size: Option<u64>,
    pub(super) page: u64,
    asked_page: Option<u64>,
}

const CONDITIONS: [&str; 17] = [
    "eq", "finset", "from", "gt", "gteq", "in", "like", "lt", "lteq", "moreq", "neq", "nfinset", "nin",
    "nlike", "notnull", "null", "to",
];

impl Criteria {
    /// Reads the criteria of a query.
    ///
    /// Both spellings of each name are taken: `filter_groups` and `filterGroups`, and so on.
    pub(super) fn read(query: &Query, conditions: &Conditions) -> Result<Self, ApiError> {
        if !query.has("searchCriteria") && !query.has("search_criteria") {
            return Err(ApiError::required("searchCriteria"));
        }
        let mut filters: BTreeMap<(u64, u64), BTreeMap<&str, &str>> = BTreeMap::new();
        let mut orders: BTreeMap<u64, BTreeMap<&str, &str>> = BTreeMap::new();
        let (mut page_size, mut page) = (None, None);
        let number = |text: &str| text.parse::<u64>().map_err(|_| ApiError::wrong_type(text, "int"));
        for (path, value) in query.under(&["searchCriteria", "search_criteria"]) {
            let names: Vec<&str> = path.iter().map(String::as_str).collect();
            match names.as_slice() {
                ["filter_groups" | "filterGroups", group, "filters", at, name] => {
                    let place = (number(group)?, number(at)?);
                    let name = if *name == "conditionType" { "condition_type" } else { name };
                    filters.entry(place).or_default().insert(name, value);
                }
                ["sort_orders" | "sortOrders", at, name] => {
                    orders.entry(number(at)?).or_default().insert(name, value);
                }
                ["page_size" | "pageSize"] => page_size = Some(number(value)?),
                ["current_page" | "currentPage"] => page = Some(number(value)?),
                [] => {}
                // A name that nobody knows is an unknown setter of the platform's data object.
                _ => return Err(ApiError::new(500, internal_error(&path.join("/")))),
            }
        }
        let mut groups: BTreeMap<u64, Vec<Filter>> = BTreeMap::new();
        for ((group, _), parts) in filters {
            groups.entry(group).or_default().push(filter(&parts, conditions)?);
        }
        let mut sorted = Vec::new();
        for parts in orders.values() {
            let field = parts.get("field").copied().unwrap_or_default();
            let direction = parts.get("direction").copied().unwrap_or("DESC").to_ascii_uppercase();
            if !matches!(direction.as_str(), "ASC" | "DESC") {
                return Err(ApiError::bad("Invalid sort order direction: %1").list([direction]));
            }
            sorted.push((field.to_owned(), direction == "ASC"));
        }
        let page_size = page_size.filter(|size| *size > 0).or(conditions.default_page_size);
        if let (Some(size), Some(limit)) = (page_size, conditions.page_size_limit)
            && size > limit
        {
            let error =
                ApiError::bad("Maximum SearchCriteria pageSize is %max").named([("max", limit.to_string())]);
            return Err(if conditions.limits_filled_in { error.filled() } else { error });
        }
        Ok(Self {
            groups: groups.into_values().collect(),
            orders: sorted,
            page_size,
            page: page.unwrap_or(1).max(1),
            asked_page: page,
        })
    }

    /// The fields that filters and orders name.
    pub(super) fn fields(&self) -> impl Iterator<Item = &str> {
        let filters = self.groups.iter().flatten().map(|filter| filter.field.as_str());
        filters.chain(self.orders.iter().map(|(field, _)| field.as_str()))
    }

    /// The places of the records of the page that was asked for, and how many match.
    ///
    /// A record's field has several values where it is in several lists, and none where it is not set.
    pub(super) fn play(
        &self,
        count: usize,
        conditions: &Conditions,
        mut random: SeededRandom,
        value: impl Fn(usize, &str) -> Vec<String>,
    ) -> (Vec<usize>, u64) {
        let holds = |at: usize, filter: &Filter| filter.holds(&value(at, &filter.field));
        let mut found: Vec<usize> = (0..count)
            .filter(|at| self.groups.iter().all(|group| group.iter().any(|filter| holds(*at, filter))))
            .collect();
        if conditions.unstable_ties {
            // The order of records that compare equal is the database's, and it changes from call to call.
            let mut keyed: Vec<(u64, usize)> = found.iter().map(|at| (random.next_u64(), *at)).collect();
            keyed.sort_unstable();
            found = keyed.into_iter().map(|(_, at)| at).collect();
        }
        if !self.orders.is_empty() {
            let keys: BTreeMap<usize, Vec<Option<String>>> = found
                .iter()
                .map(|at| {
                    (*at, self.orders.iter().map(|(field, _)| value(*at, field).into_iter().next()).collect())
                })
                .collect();
            found.sort_by(|a, b| {
                let (a, b) = (keys.get(a), keys.get(b));
                let pairs = a.into_iter().flatten().zip(b.into_iter().flatten());
                pairs.zip(&self.orders).fold(Ordering::Equal, |order, ((a, b), (_, ascending))| {
                    let next = match (a, b) {
                        (Some(a), Some(b)) => compare(a, b),
                        (a, b) => a.is_some().cmp(&b.is_some()),
                    };
                    order.then(if *ascending { next } else { next.reverse() })
                })
            });
        }
        let total = u64::try_from(found.len()).unwrap_or(u64::MAX);
        let Some(size) = self.page_size else { return (found, total) };
        let last = total.div_ceil(size).max(1);
        let page = if conditions.repeats_last_page { self.page.min(last) } else { self.page };
        let from = usize::try_from((page - 1).saturating_mul(size)).unwrap_or(usize::MAX);
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        (found.into_iter().skip(from).take(size).collect(), total)
    }

    /// The answer of a list.
    pub(super) fn answer(&self, items: Vec<Json>, total: u64) -> Json {
        Json::object([
            ("items", Json::Array(items)),
            ("search_criteria", self.json()),
            ("total_count", Json::from(total)),
        ])
    }

    fn json(&self) -> Json {
        let groups = self.groups.iter().map(|group| {
            let filters = group.iter().map(|filter| {
                Json::object([
                    ("field", Json::text(filter.field.clone())),
                    ("value", Json::text(filter.value.clone())),
                    ("condition_type", Json::text(filter.condition.clone())),
                ])
            });
            Json::object([("filters", Json::Array(filters.collect()))])
        });
        let mut entries = vec![("filter_groups", Json::Array(groups.collect()))];
        if !self.orders.is_empty() {
            let orders = self.orders.iter().map(|(field, ascending)| {
                Json::object([
                    ("field", Json::text(field.clone())),
                    ("direction", Json::text(if *ascending { "ASC" } else { "DESC" })),
                ])
            });
            entries.push(("sort_orders", Json::Array(orders.collect())));
        }
        entries.extend(self.page_size.map(|size| ("page_size", Json::from(size))));
        entries.extend(self.asked_page.map(|page| ("current_page", Json::from(page))));
        Json::object(entries)
    }
}

/// The text of an error that the platform keeps to its own log.
pub(super) fn internal_error(of: &str) -> String {
    let digest = super::auth::token(of);
    let id = digest.get(..13).unwrap_or_default();
    format!("Internal Error. Details are available in Magento log file. Report ID: webapi-{id}")
}

fn filter(parts: &BTreeMap<&str, &str>, conditions: &Conditions) -> Result<Filter, ApiError> {
    let part = |name: &str| parts.get(name).copied().unwrap_or_default();
    // What PHP calls empty: nothing, and the text of zero.
    let empty = |text: &str| text.is_empty() || text == "0";
    if conditions.refuses_empty_filters {
        if empty(part("field")) {
            return Err(ApiError::bad("Invalid search filter: field cannot be empty."));
        }
        if empty(part("value")) {
            return Err(ApiError::bad("Invalid search filter: value cannot be empty."));
        }
    }
    let condition = Some(part("condition_type")).filter(|text| !text.is_empty()).unwrap_or("eq");
    if !CONDITIONS.contains(&condition) {
        return Err(ApiError::new(500, internal_error(condition)));
    }
    Ok(Filter {
        field: part("field").to_owned(),
        value: part("value").to_owned(),
        condition: condition.to_owned(),
    })
}

impl Filter {
    /// Whether a field with those values passes. As in SQL, a field without a value passes only `null`.
    fn holds(&self, values: &[String]) -> bool {
        let any = |test: &dyn Fn(&str) -> bool| values.iter().any(|value| test(value));
        let order = |wanted: &[Ordering]| any(&|value| wanted.contains(&compare(value, &self.value)));
        let listed = || self.value.split(',').map(str::trim);
        match self.condition.as_str() {
            "null" => values.is_empty(),
            "notnull" => !values.is_empty(),
            "neq" => !values.is_empty() && !order(&[Ordering::Equal]),
            "gt" => order(&[Ordering::Greater]),
            "gteq" | "from" | "moreq" => order(&[Ordering::Greater, Ordering::Equal]),
            "lt" => order(&[Ordering::Less]),
            "lteq" | "to" => order(&[Ordering::Less, Ordering::Equal]),
            "in" => any(&|value| listed().any(|one| compare(value, one) == Ordering::Equal)),
            "nin" => {
                !values.is_empty()
                    && !any(&|value| listed().any(|one| compare(value, one) == Ordering::Equal))
            }
            "like" => any(&|value| like(value, &self.value)),
            "nlike" => !values.is_empty() && !any(&|value| like(value, &self.value)),
            "finset" => any(&|value| value.split(',').any(|one| one == self.value)),
            "nfinset" => !any(&|value| value.split(',').any(|one| one == self.value)),
            _ => order(&[Ordering::Equal]),
        }
    }
}

/// Numbers by size, all else as the database does: without regard to case.
fn compare(a: &str, b: &str) -> Ordering {
    if let (Ok(a), Ok(b)) = (a.parse::<f64>(), b.parse::<f64>())
        && let Some(order) = a.partial_cmp(&b)
    {
        return order;
    }
    a.to_lowercase().cmp(&b.to_lowercase())
}

/// SQL's `LIKE`: `%` is any text, `_` any one letter; without regard to case.
fn like(text: &str, pattern: &str) -> bool {
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let pattern: Vec<char> = pattern.to_lowercase().chars().collect();
    // The places of the text that the pattern so far may end at.
    let mut ends = vec![true];
    ends.resize(text.len() + 1, false);
    for wanted in pattern {
        let mut next = vec![false; text.len() + 1];
        let mut open = false;
        for at in 0..=text.len() {
            let here = ends.get(at).copied().unwrap_or(false);
            open |= here;
            let fits = |at: usize| text.get(at).is_some_and(|letter| wanted == '_' || *letter == wanted);
            let reached = match (wanted, at.checked_sub(1)) {
                ('%', _) => open,
                (_, Some(before)) => ends.get(before).copied().unwrap_or(false) && fits(before),
                (_, None) => false,
            };
            if let Some(place) = next.get_mut(at) {
                *place = reached;
            }
        }
        ends = next;
    }
    ends.last().copied().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::super::settings::{Edition, Release};
    use super::*;

    fn criteria(query: &str) -> Criteria {
        let conditions = Conditions::of(Release::V2_4_8, Edition::OpenSource);
        Criteria::read(&Query::parse(query), &conditions).unwrap()
    }

    #[test]
    fn groups_are_anded_filters_ored_and_both_spellings_read() {
        let criteria = criteria(
            "searchCriteria[filterGroups][0][filters][0][field]=a&searchCriteria[filterGroups][0][filters][0][value]=1\
             &searchCriteria[filter_groups][0][filters][1][field]=a\
             &searchCriteria[filter_groups][0][filters][1][value]=3\
             &searchCriteria%5Bfilter_groups%5D%5B1%5D%5Bfilters%5D%5B0%5D%5Bfield%5D=a\
             &searchCriteria[filter_groups][1][filters][0][value]=2\
             &searchCriteria[filter_groups][1][filters][0][conditionType]=gt",
        );
        let conditions = Conditions::of(Release::V2_4_8, Edition::OpenSource);
        let found = criteria.play(5, &conditions, SeededRandom::new(1), |at, _| vec![at.to_string()]);
        assert_eq!(found, (vec![3], 1));
    }

    #[test]
    fn like_knows_its_wildcards() {
        for (pattern, fits) in [("%bag%", true), ("b_g%", true), ("bag", false), ("%s", true), ("%", true)] {
            assert_eq!(like("Bags", pattern), fits, "{pattern}");
        }
    }
}
