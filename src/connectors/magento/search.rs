//! Searches: filters that all hold, an order, one page and the fields of its records.

use std::borrow::Cow;

use crate::http::ApiRequest;

/// A search of a list. Each filter stands in a group of its own, and all groups hold; within a group of several, one
/// does.
///
/// The parameters have the names of the official schema. Their order does not matter to us: a signature over them is
/// made in the platform's own order.
#[derive(Debug, Clone, Default)]
pub(super) struct Search {
    groups: Vec<Vec<Filter>>,
    sort: Vec<&'static str>,
    size: u32,
    number: u32,
    fields: Cow<'static, str>,
}

#[derive(Debug, Clone)]
struct Filter {
    field: &'static str,
    condition: &'static str,
    value: String,
}

impl Search {
    /// A page of so many records, ascending by a field.
    pub(super) fn page(sort: &'static str, size: u32) -> Self {
        Self { sort: vec![sort], size, number: 1, ..Self::default() }
    }

    /// Of records that are equal in the order before, by another field, so that no two are.
    pub(super) fn then(mut self, field: &'static str) -> Self {
        self.sort.push(field);
        self
    }

    /// Only what holds. Some stores take an empty value, and that of a zero, for no filter and refuse it: none is
    /// sent.
    pub(super) fn with(
        mut self,
        field: &'static str,
        condition: &'static str,
        value: impl Into<String>,
    ) -> Self {
        self.groups.push(vec![Filter { field, condition, value: value.into() }]);
        self
    }

    /// Only what has one of these values: those without a comma go in one filter.
    pub(super) fn one_of(mut self, field: &'static str, values: &[&str]) -> Self {
        let (lists, alone): (Vec<&str>, Vec<&str>) = values.iter().partition(|value| !value.contains(','));
        let mut group: Vec<Filter> = alone
            .into_iter()
            .map(|value| Filter { field, condition: "eq", value: value.to_owned() })
            .collect();
        if !lists.is_empty() {
            group.push(Filter { field, condition: "in", value: lists.join(",") });
        }
        self.groups.push(group);
        self
    }

    /// Behind the record with this number; from the start for none.
    pub(super) fn behind(self, field: &'static str, last: u64) -> Self {
        if last == 0 { self } else { self.with(field, "gt", last.to_string()) }
    }

    /// Another page than the first, of lists that cannot go on behind a record.
    pub(super) fn number(mut self, number: u32) -> Self {
        self.number = number;
        self
    }

    /// The records that the page may hold.
    pub(super) fn size(&self) -> u32 {
        self.size
    }

    /// A page of so many records instead.
    pub(super) fn sized(mut self, size: u32) -> Self {
        self.size = size;
        self
    }

    /// Only these fields of each record, and how many there are.
    pub(super) fn fields(mut self, of_items: &'static str) -> Self {
        self.fields = Cow::Owned(format!("items[{of_items}],total_count"));
        self
    }

    /// Adds the search to a request.
    pub(super) fn on(self, mut request: ApiRequest) -> ApiRequest {
        for (group, filters) in self.groups.into_iter().enumerate() {
            for (at, filter) in filters.into_iter().enumerate() {
                let name =
                    |part: &str| format!("searchCriteria[filterGroups][{group}][filters][{at}][{part}]");
                request = request
                    .query(name("field"), filter.field)
                    .query(name("value"), filter.value)
                    .query(name("conditionType"), filter.condition);
            }
        }
        for (at, field) in self.sort.into_iter().enumerate() {
            request = request
                .query(format!("searchCriteria[sortOrders][{at}][field]"), field)
                .query(format!("searchCriteria[sortOrders][{at}][direction]"), "ASC");
        }
        request = request
            .query("searchCriteria[pageSize]", self.size.to_string())
            .query("searchCriteria[currentPage]", self.number.to_string());
        if self.fields.is_empty() { request } else { request.query("fields", self.fields) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_has_the_names_of_the_schema() {
        let search = Search::page("entity_id", 50)
            .behind("entity_id", 7)
            .one_of("sku", &["a", "b,c", "d/e"])
            .fields("id");
        let request = search.on(ApiRequest::get("x"));
        let pairs: Vec<(&str, &str)> =
            request.query.iter().map(|(name, value)| (name.as_ref(), value.as_str())).collect();
        assert_eq!(
            pairs,
            [
                ("searchCriteria[filterGroups][0][filters][0][field]", "entity_id"),
                ("searchCriteria[filterGroups][0][filters][0][value]", "7"),
                ("searchCriteria[filterGroups][0][filters][0][conditionType]", "gt"),
                ("searchCriteria[filterGroups][1][filters][0][field]", "sku"),
                ("searchCriteria[filterGroups][1][filters][0][value]", "b,c"),
                ("searchCriteria[filterGroups][1][filters][0][conditionType]", "eq"),
                ("searchCriteria[filterGroups][1][filters][1][field]", "sku"),
                ("searchCriteria[filterGroups][1][filters][1][value]", "a,d/e"),
                ("searchCriteria[filterGroups][1][filters][1][conditionType]", "in"),
                ("searchCriteria[sortOrders][0][field]", "entity_id"),
                ("searchCriteria[sortOrders][0][direction]", "ASC"),
                ("searchCriteria[pageSize]", "50"),
                ("searchCriteria[currentPage]", "1"),
                ("fields", "items[id],total_count"),
            ]
        );
        let first = Search::page("entity_id", 2).behind("entity_id", 0).on(ApiRequest::get("x"));
        assert!(!first.query.iter().any(|(name, _)| name.contains("filterGroups")), "no filter by zero");
    }
}
