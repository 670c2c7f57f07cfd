//! `fields=items[sku,updated_at],total_count`: what an answer is trimmed to.

use crate::testkit::json::Json;

/// The names to keep, each with what to keep inside; nothing inside means all.
#[derive(Debug, PartialEq, Eq)]
struct Kept(Vec<(String, Option<Kept>)>);

/// Trims an answer; a selection that cannot be read leaves nothing, as on the platform.
pub(super) fn trim(body: Json, selection: &str) -> Json {
    match parse(selection) {
        Some(kept) => kept.of(body),
        None => Json::Array(Vec::new()),
    }
}

fn parse(text: &str) -> Option<Kept> {
    let mut rest = text;
    let kept = list(&mut rest, 0)?;
    rest.is_empty().then_some(kept)
}

/// How deep selections nest at most.
const DEPTH: usize = 16;

fn list(rest: &mut &str, depth: usize) -> Option<Kept> {
    if depth > DEPTH {
        return None;
    }
    let mut entries = Vec::new();
    loop {
        let end = rest.find([',', '[', ']']).unwrap_or(rest.len());
        let name = rest.get(..end)?.trim().to_owned();
        *rest = rest.get(end..)?;
        if name.is_empty() {
            return None;
        }
        let mut inside = None;
        if let Some(after) = rest.strip_prefix('[') {
            *rest = after;
            inside = Some(list(rest, depth + 1)?);
            *rest = rest.strip_prefix(']')?;
        }
        entries.push((name, inside));
        match rest.strip_prefix(',') {
            Some(after) => *rest = after,
            None => return Some(Kept(entries)),
        }
    }
}

impl Kept {
    fn of(&self, body: Json) -> Json {
        match body {
            Json::Array(items) => Json::Array(items.into_iter().map(|item| self.of(item)).collect()),
            Json::Object(entries) => Json::Object(
                entries
                    .into_iter()
                    .filter_map(|(name, value)| {
                        let (_, inside) = self.0.iter().find(|(kept, _)| *kept == name)?;
                        let value = match inside {
                            Some(inside) => inside.of(value),
                            None => value,
                        };
                        Some((name, value))
                    })
                    .collect(),
            ),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_named_stays_in_lists_and_objects() {
        let body =
            Json::parse(br#"{"items":[{"id":1,"sku":"a","x":{"y":1,"z":2}}],"total_count":1}"#).unwrap();
        let trimmed = trim(body, "items[sku,x[z]]");
        assert_eq!(trimmed.to_php(), r#"{"items":[{"sku":"a","x":{"z":2}}]}"#);
    }

    #[test]
    fn a_selection_that_cannot_be_read_leaves_nothing() {
        assert_eq!(trim(Json::object([("a", Json::from(1))]), "a[").to_php(), "[]");
    }
}
