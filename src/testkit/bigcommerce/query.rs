//! Query parameters, pages, and which fields are answered.

use super::errors::{Answer, Outcome, Problem};
use super::state::State;
use crate::testkit::json::Json;

/// The largest page, and the size of one that nobody asked for.
const LIMIT: u64 = 250;
const DEFAULT: u64 = 50;
/// The most parameters that are read.
const PARAM_LIMIT: usize = 200;

/// The parameters of a query.
#[derive(Debug, Clone, Default)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    pub(super) fn parse(query: &str) -> Self {
        let pairs = url::form_urlencoded::parse(query.as_bytes()).take(PARAM_LIMIT);
        Self(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The names that none of these are.
    pub(super) fn unknown(&self, known: &[&str]) -> Option<&str> {
        self.0.iter().map(|(name, _)| name.as_str()).find(|name| !known.contains(name))
    }

    /// The parts of a list with commas; `None` where the parameter is missing.
    pub(super) fn list(&self, name: &str) -> Option<Vec<&str>> {
        Some(self.get(name)?.split(',').map(str::trim).filter(|part| !part.is_empty()).collect())
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, Problem> {
        let Some(text) = self.get(name) else { return Ok(None) };
        text.trim().parse().map(Some).map_err(|_| wrong(name))
    }

    pub(super) fn numbers(&self, name: &str) -> Result<Option<Vec<u64>>, Problem> {
        let Some(parts) = self.list(name) else { return Ok(None) };
        let numbers: Result<Vec<u64>, _> = parts.iter().map(|part| part.parse()).collect();
        numbers.map(Some).map_err(|_| wrong(name))
    }

    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Problem> {
        match self.get(name) {
            None => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(_) => Err(wrong(name)),
        }
    }

    /// The query of another page: what was asked, with the page and its size at the end.
    fn link(&self, page: u64, limit: u64) -> Json {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in self.0.iter().filter(|(name, _)| name != "page" && name != "limit") {
            query.append_pair(name, value);
        }
        query.append_pair("page", &page.to_string()).append_pair("limit", &limit.to_string());
        Json::text(format!("?{}", query.finish()))
    }
}

pub(super) fn wrong(name: &str) -> Problem {
    Problem::new(422, "The query is invalid.").at(name, format!("{name} is invalid"))
}

/// Which page is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paging {
    page: u64,
    limit: u64,
}

impl Paging {
    /// Reads the page; `most` bounds its size silently, as includes of options do.
    pub(super) fn read(state: &State, params: &Params, most: Option<u64>) -> Result<Self, Problem> {
        let page = params.number("page")?.unwrap_or(1);
        let limit = params.number("limit")?.unwrap_or(DEFAULT);
        if page == 0 {
            return Err(wrong("page"));
        }
        // A size over the largest is an error, not cut, and its title names the largest (fact sheet 4 and 6).
        if limit > LIMIT {
            return Err(Problem::new(413, format!("The maximum limit allowed is {LIMIT}.")).with(Vec::new()));
        }
        if limit == 0 {
            return Err(wrong("limit"));
        }
        let caps = [most, state.conditions.page_cap];
        let limit = caps.into_iter().flatten().fold(limit, u64::min).max(1);
        Ok(Self { page, limit })
    }

    /// Answers a page of rows. `rows` are all that match, in order.
    pub(super) fn answer<T>(
        self,
        state: &State,
        params: &Params,
        rows: Vec<T>,
        render: impl Fn(T) -> Json,
    ) -> Outcome {
        let total = rows.len() as u64;
        let pages = total.div_ceil(self.limit);
        let mut shown = self.page;
        if state.conditions.past_the_end_repeats && self.page > pages {
            shown = pages.max(1);
        }
        let skip = usize::try_from((shown - 1).saturating_mul(self.limit)).unwrap_or(usize::MAX);
        let take = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let data: Vec<Json> = rows.into_iter().skip(skip).take(take).map(render).collect();
        let mut links = Vec::new();
        if self.page > 1 {
            links.push(("previous", params.link(self.page - 1, self.limit)));
        }
        if self.page < pages {
            links.push(("next", params.link(self.page + 1, self.limit)));
        }
        links.push(("current", params.link(self.page, self.limit)));
        let told = [
            ("total", Json::from(total)),
            ("count", Json::from(data.len() as u64)),
            ("per_page", Json::from(self.limit)),
            ("current_page", Json::from(self.page)),
            ("total_pages", Json::from(pages)),
            ("links", Json::object(links)),
        ];
        let pagination =
            Json::object(told.into_iter().filter(|(name, _)| !state.conditions.untold.contains(*name)));
        Ok(Answer::with_meta(Json::Array(data), Json::object([("pagination", pagination)])))
    }
}

/// Which fields of an object are answered. The id always is.
#[derive(Debug, Clone, Default)]
pub(super) struct Picked {
    only: Option<Vec<String>>,
    without: Vec<String>,
}

impl Picked {
    pub(super) fn read(params: &Params) -> Self {
        let names = |name: &str| -> Option<Vec<String>> {
            Some(params.list(name)?.into_iter().map(str::to_owned).collect())
        };
        Self { only: names("include_fields"), without: names("exclude_fields").unwrap_or_default() }
    }

    pub(super) fn of(&self, row: &Json, always: &[&str]) -> Json {
        let kept = row.as_object().unwrap_or_default().iter().filter(|(name, _)| {
            let wanted = self.only.as_ref().is_none_or(|only| only.contains(name));
            always.contains(&name.as_str()) || (wanted && !self.without.contains(name))
        });
        Json::Object(kept.cloned().collect())
    }
}
