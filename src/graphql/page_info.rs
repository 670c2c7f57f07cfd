//! Whether a list goes on, and where.

use std::fmt;

use memchr::memmem;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::answer::ends;
use crate::error::{Error, ErrorKind, Result};

const HEAD: &[u8] = b"{\"data\":{";
const KEY: &[u8] = b"\"pageInfo\":";
/// The longest cursor.
const MAX_CURSOR: usize = 8 * 1024;

/// The end of a page, forwards.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PageInfo {
    /// Whether there is another page.
    pub has_next_page: bool,
    /// What to ask it with.
    #[serde(default)]
    pub end_cursor: Option<String>,
}

impl PageInfo {
    /// Reads the end of the list at a path below `data`, such as `["product", "variants"]`; `None` where the
    /// list, or what holds it, is null.
    ///
    /// Where `pageInfo` is the first that the document selects on the way and in the list, only the body's head
    /// is read. Otherwise the whole body is.
    ///
    /// # Errors
    /// `Protocol` where the body has no such list, or its cursor is over 8 KiB.
    pub fn read(body: &[u8], path: &[&str]) -> Result<Option<Self>> {
        match from_head(body, path) {
            Some(info) => bounded(Some(info)),
            None => bounded(whole(body, path)?),
        }
    }

    /// The same for a document that selects nothing beside the path: one root field, and one field in each
    /// object down to the list. Then `pageInfo` may be the list's last field too, and only the body's tail is
    /// read.
    ///
    /// # Errors
    /// As [`PageInfo::read`].
    pub fn read_sole(body: &[u8], path: &[&str]) -> Result<Option<Self>> {
        match from_head(body, path).or_else(|| from_tail(body, path)) {
            Some(info) => bounded(Some(info)),
            None => bounded(whole(body, path)?),
        }
    }

    /// The cursor of the next page; `None` where this one is the last.
    ///
    /// # Errors
    /// `Protocol` where there is a next page and no cursor to ask it with.
    pub fn next(self) -> Result<Option<String>> {
        match (self.has_next_page, self.end_cursor) {
            (false, _) => Ok(None),
            (true, Some(cursor)) if !cursor.is_empty() => Ok(Some(cursor)),
            (true, _) => Err(Error::new(
                ErrorKind::Protocol,
                "cursor_missing",
                "the answer says that there is another page, and not where",
            )),
        }
    }
}

fn bounded(info: Option<PageInfo>) -> Result<Option<PageInfo>> {
    let length = info.as_ref().and_then(|info| info.end_cursor.as_ref()).map_or(0, String::len);
    if length > MAX_CURSOR {
        return Err(Error::new(ErrorKind::Protocol, "cursor_too_long", "a cursor must have at most 8 KiB")
            .with_context("bytes", length.to_string()));
    }
    Ok(info)
}

/// What stands behind `{"data":{"a":{"b":{`.
fn behind<'a>(body: &'a [u8], path: &[&str]) -> Option<&'a [u8]> {
    let mut rest = body.strip_prefix(HEAD)?;
    for name in path {
        rest = rest.strip_prefix(b"\"")?.strip_prefix(name.as_bytes())?.strip_prefix(b"\":{")?;
    }
    Some(rest)
}

pub(super) fn from_head(body: &[u8], path: &[&str]) -> Option<PageInfo> {
    let rest = behind(body, path)?.strip_prefix(KEY)?;
    PageInfo::deserialize(&mut serde_json::Deserializer::from_slice(rest)).ok()
}

pub(super) fn from_tail(body: &[u8], path: &[&str]) -> Option<PageInfo> {
    behind(body, path)?;
    let (data, _) = ends(body)?;
    // One brace for each object on the way, and that of the data.
    let closed = data.len().checked_sub(path.len() + 1)?;
    let (list, braces) = data.split_at_checked(closed)?;
    if braces.iter().any(|byte| *byte != b'}') {
        return None;
    }
    let at = memmem::rfind(list, KEY)?;
    let before = list.get(at.checked_sub(1)?)?;
    if !matches!(before, b',' | b'{') {
        return None;
    }
    serde_json::from_slice(list.get(at + KEY.len()..)?).ok()
}

pub(super) fn whole(body: &[u8], path: &[&str]) -> Result<Option<PageInfo>> {
    let mut from = serde_json::Deserializer::from_slice(body);
    let way: Vec<&str> = std::iter::once("data").chain(path.iter().copied()).chain(["pageInfo"]).collect();
    let found = Walk { way: &way }.deserialize(&mut from).and_then(|found| from.end().map(|()| found));
    match found {
        Ok(Found::Info(info)) => Ok(Some(info)),
        Ok(Found::Null) => Ok(None),
        Ok(Found::Nothing) | Err(_) => Err(Error::new(
            ErrorKind::Protocol,
            "page_info_missing",
            "the answer does not tell whether its list goes on",
        )
        .with_context("list", path.join("."))),
    }
}

enum Found {
    Info(PageInfo),
    Null,
    Nothing,
}

/// Goes down a way of members, and passes over all others.
struct Walk<'w> {
    way: &'w [&'w str],
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = Found;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Found, D::Error> {
        if self.way.is_empty() {
            return Ok(Option::<PageInfo>::deserialize(from)?.map_or(Found::Null, Found::Info));
        }
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or null")
    }

    fn visit_unit<E>(self) -> Result<Found, E> {
        Ok(Found::Null)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Found, A::Error> {
        let Some((name, rest)) = self.way.split_first() else {
            return Ok(Found::Nothing);
        };
        let mut found = Found::Nothing;
        while let Some(key) = from.next_key::<std::borrow::Cow<'de, str>>()? {
            if key == *name && matches!(found, Found::Nothing) {
                found = from.next_value_seed(Walk { way: rest })?;
            } else {
                from.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}
