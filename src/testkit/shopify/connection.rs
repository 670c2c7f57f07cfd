//! Pages of connections: `first`, `last`, `after`, `before`, and cursors that are bound to sort and filter.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use twox_hash::XxHash3_64;

use super::errors::FieldError;
use super::value::{Args, Obj, Read};
use crate::testkit::json::Json;

/// The most items of a page.
pub(super) const PAGE_LIMIT: i64 = 250;

/// What items are sorted by; the id breaks ties.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Number(i64),
    Text(String),
}

/// An item of a list, with what it is sorted by.
pub(super) type Item = (Key, u64, Obj);

/// A page of a connection.
#[derive(Debug, Clone)]
pub(super) struct Page {
    pub(super) items: Vec<(String, Obj)>,
    pub(super) has_next: bool,
    pub(super) has_previous: bool,
}

/// The bounds that a page was asked with.
#[derive(Debug, Clone, Copy)]
pub(super) enum Count {
    First(usize),
    Last(usize),
}

/// Set among the arguments in a bulk job, in which pages have no bounds; no argument has that name.
pub(super) const UNBOUND: &str = "@unbound";

/// Reads `first` and `last`, of which one is needed.
pub(super) fn count(args: &Args) -> Result<Count, FieldError> {
    if args.contains_key(UNBOUND) {
        return Ok(Count::First(usize::MAX));
    }
    let bound = |name: &str, number: i64| {
        if number > PAGE_LIMIT {
            return Err(FieldError::new(format!("{name} cannot exceed {PAGE_LIMIT}")));
        }
        usize::try_from(number).map_err(|_| FieldError::new(format!("{name} must be a positive number")))
    };
    match (args.int("first"), args.int("last")) {
        (Some(_), Some(_)) => Err(FieldError::new("providing both first and last is not supported")),
        (Some(first), None) => bound("first", first).map(Count::First),
        (None, Some(last)) => bound("last", last).map(Count::Last),
        (None, None) => Err(FieldError::new("you must provide one of first or last")),
    }
}

/// Where a list goes on, in the order of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) key: Key,
    pub(super) id: u64,
}

/// Cuts a page out of all items, which come in the order of their keys and ids, or backwards where
/// `reverse` is set. `deep` is how far into a list pages reach.
pub(super) fn page(mut items: Vec<Item>, args: &Args, deep: usize) -> Result<Page, FieldError> {
    let count = count(args)?;
    let reverse = args.flag("reverse");
    items.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
    if reverse {
        items.reverse();
    }
    let bound = binding(args);
    let passed = |position: &Position, item: &Item| {
        let order = (&item.0, item.1).cmp(&(&position.key, position.id));
        if reverse { order.reverse() } else { order }
    };
    let mut start = 0;
    let mut end = items.len();
    if let Some(cursor) = args.text("after") {
        let position = read_cursor(cursor, bound)?;
        start = items.partition_point(|item| passed(&position, item).is_le());
    }
    if let Some(cursor) = args.text("before") {
        let position = read_cursor(cursor, bound)?;
        end = items.partition_point(|item| passed(&position, item).is_lt()).max(start);
    }
    if start >= deep && deep > 0 && args.text("after").is_some() {
        return Err(FieldError::coded(
            format!("Pagination is limited to {deep} objects. Use a filter or a bulk operation for more."),
            "PAGINATION_LIMIT_EXCEEDED",
        ));
    }
    let total = items.len();
    let (from, to) = match count {
        Count::First(count) => (start, start.saturating_add(count).min(end)),
        Count::Last(count) => (end.saturating_sub(count).max(start), end),
    };
    let items = items
        .into_iter()
        .skip(from)
        .take(to.saturating_sub(from))
        .map(|(key, id, obj)| (write_cursor(&key, id, bound), obj))
        .collect();
    Ok(Page { items, has_next: to < total, has_previous: from > 0 })
}

/// A page of a list in its own order.
pub(super) fn page_in_order(
    items: impl Iterator<Item = (u64, Obj)>,
    args: &Args,
) -> Result<Page, FieldError> {
    let items = items
        .enumerate()
        .map(|(at, (id, obj))| (Key::Number(i64::try_from(at).unwrap_or(i64::MAX)), id, obj));
    page(items.collect(), args, 0)
}

/// What a cursor is bound to: all arguments but the page's own.
fn binding(args: &Args) -> u64 {
    let rest: Vec<_> = args
        .iter()
        .filter(|(name, value)| {
            !["first", "last", "after", "before"].contains(&name.as_str()) && !value.is_null()
        })
        .collect();
    XxHash3_64::oneshot(format!("{rest:?}").as_bytes())
}

fn write_cursor(key: &Key, id: u64, bound: u64) -> String {
    let value = match key {
        Key::Number(number) => Json::Int(*number),
        Key::Text(text) => Json::text(text.clone()),
    };
    let bound = format!("{bound:016x}");
    let json = Json::object([
        ("last_id", Json::text(id.to_string())),
        ("last_value", value),
        ("sort", Json::text(bound)),
    ]);
    STANDARD.encode(json.to_php())
}

fn read_cursor(text: &str, bound: u64) -> Result<Position, FieldError> {
    let invalid = || FieldError::new("Invalid cursor for current pagination sort.");
    let bytes = STANDARD.decode(text).map_err(|_| invalid())?;
    let json = Json::parse(&bytes).map_err(|_| invalid())?;
    if json.get("sort").and_then(Json::as_str) != Some(format!("{bound:016x}").as_str()) {
        return Err(invalid());
    }
    let key = match json.get("last_value") {
        Some(Json::Int(number)) => Key::Number(*number),
        Some(Json::String(text)) => Key::Text(text.clone()),
        _ => return Err(invalid()),
    };
    let id = json.get("last_id").and_then(Json::as_id).ok_or_else(invalid)?;
    Ok(Position { key, id })
}
