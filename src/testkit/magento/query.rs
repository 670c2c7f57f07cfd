//! Queries as PHP reads them: names with brackets are places in a tree.

use super::oauth::form_decode;

/// The parameters of a query, in order; of a name that occurs twice the last counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query(Vec<(Vec<String>, String)>);

impl Query {
    pub(super) fn parse(text: &str) -> Self {
        let mut found: Vec<(Vec<String>, String)> = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = form_decode(name);
            let mut path: Vec<String> = Vec::new();
            let (first, rest) = name.split_once('[').unwrap_or((&name, ""));
            path.push(first.to_owned());
            path.extend(rest.split('[').filter_map(|part| part.strip_suffix(']')).map(str::to_owned));
            let value = form_decode(value);
            match found.iter_mut().find(|(known, _)| *known == path) {
                Some((_, old)) => *old = value,
                None => found.push((path, value)),
            }
        }
        Self(found)
    }

    /// The value of a plain name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let fits = |path: &[String]| matches!(path, [only] if only == name);
        self.0.iter().find(|(path, _)| fits(path)).map(|(_, value)| value.as_str())
    }

    /// Whether a name occurs, alone or with brackets.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(path, _)| path.first().is_some_and(|first| first == name))
    }

    /// The values below any of some names, with the rest of their places.
    pub(super) fn under<'a>(&'a self, names: &'a [&str]) -> impl Iterator<Item = (&'a [String], &'a str)> {
        self.0.iter().filter_map(|(path, value)| {
            let (first, rest) = path.split_first()?;
            names.contains(&first.as_str()).then_some((rest, value.as_str()))
        })
    }
}
