//! Counts with their precision.

use super::value::{Args, Out, Read};

/// A count that is exact.
pub(super) fn exact(count: usize) -> Out {
    Out::record("Count", vec![("count", Out::int(count)), ("precision", Out::text("EXACT"))])
}

/// A count that stops at `limit`, and at how far lists reach.
pub(super) fn limited(count: usize, args: &Args, deep: usize) -> Out {
    let asked = args.int("limit").and_then(|limit| usize::try_from(limit).ok());
    let asked = if args.get("limit").is_some_and(serde_json::Value::is_null) { None } else { asked };
    let deep = if deep == 0 { usize::MAX } else { deep.saturating_add(1) };
    let limit = asked.unwrap_or(usize::MAX).min(deep);
    if count <= limit {
        return exact(count);
    }
    Out::record("Count", vec![("count", Out::int(limit)), ("precision", Out::text("AT_LEAST"))])
}
