//! An answer, read without its data.
//!
//! A page's body has megabytes, and the map reads it anyway. So what stands around the data is found from the
//! body's ends, and the whole is parsed only where the ends do not fit exactly.

use memchr::memmem;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::fault::{self, GraphqlError};
use crate::error::{Error, ErrorKind, Result};

const HEAD: &[u8] = b"{\"data\":{";
const ERRORS: &[u8] = b"\"errors\"";
const EXTENSIONS: &[u8] = b"\"extensions\"";

/// Whether an answer has data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Data {
    /// There is some, which may be part of what was asked for where there are errors too.
    Present,
    /// It says that there is none.
    Null,
    /// It says nothing of data: the operation was not begun.
    Absent,
}

/// What stands around the data of an answer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Answer<'a> {
    /// Whether there is data.
    pub data: Data,
    /// What went wrong, at most 20.
    pub errors: Vec<GraphqlError>,
    /// How many more errors there were.
    pub errors_left_out: usize,
    /// The extensions' own text, an object.
    extensions: Option<&'a RawValue>,
}

impl<'a> Answer<'a> {
    /// Reads a body.
    ///
    /// The data of an answer in good order is passed over unread: where it is broken inside, whoever reads it
    /// finds out.
    ///
    /// # Errors
    /// `Protocol` where the body is no JSON object.
    pub fn read(body: &'a [u8]) -> Result<Self> {
        match Self::from_ends(body) {
            Some(answer) => Ok(answer),
            None => Self::whole(body),
        }
    }

    /// The extensions of a body as a type, without a look at its errors: for what is read of each answer beside
    /// them, such as its cost. `None` where there are none or they are not of it.
    #[must_use]
    pub fn extensions_of<T: DeserializeOwned>(body: &'a [u8]) -> Option<T> {
        match split(body) {
            Some((_, extensions)) => serde_json::from_str(extensions?.get()).ok(),
            None => Self::whole(body).ok()?.extensions(),
        }
    }

    /// The first error of a code.
    #[must_use]
    pub fn error(&self, code: &str) -> Option<&GraphqlError> {
        self.errors.iter().find(|error| error.code.as_deref() == Some(code))
    }

    /// The extensions as a type; `None` where there are none or they are not of it.
    #[must_use]
    pub fn extensions<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(self.extensions?.get()).ok()
    }

    /// The fast way, for `{"data":{…}}` with or without extensions behind the data, and with no member `errors`
    /// anywhere.
    pub(super) fn from_ends(body: &'a [u8]) -> Option<Self> {
        let (_, extensions) = ends(body)?;
        Some(Self { data: Data::Present, errors: Vec::new(), errors_left_out: 0, extensions })
    }

    /// The slow way: the whole body.
    pub(super) fn whole(body: &'a [u8]) -> Result<Self> {
        // A list would be read as the members in their order.
        if !body.trim_ascii_start().starts_with(b"{") {
            return Err(unreadable());
        }
        let wire: Wire<'a> = serde_json::from_slice(body).map_err(|_| unreadable())?;
        let (errors, errors_left_out) = wire.errors.map(fault::read).unwrap_or_default();
        let extensions = wire.extensions.filter(|extensions| extensions.get().starts_with('{'));
        Ok(Self { data: wire.data, errors, errors_left_out, extensions })
    }
}

/// Cuts a body in good order into all before the last brace of the data's object, and the extensions.
///
/// In JSON, a quote that no backslash stands before is never inside a text, and the name between two such
/// quotes is whole. So `"extensions"` behind `},` and before a colon is a member of some object, and one object
/// and one brace from there to the end make it a member of the outermost.
pub(super) fn ends(body: &[u8]) -> Option<(&[u8], Option<&RawValue>)> {
    let parts = split(body)?;
    memmem::find(body, ERRORS).is_none().then_some(parts)
}

/// The same, whatever members stand between data and extensions.
fn split(body: &[u8]) -> Option<(&[u8], Option<&RawValue>)> {
    if !body.starts_with(HEAD) {
        return None;
    }
    let inner = body.strip_suffix(b"}")?;
    let Some(at) = memmem::rfind(body, EXTENSIONS) else {
        return inner.ends_with(b"}").then_some((inner, None));
    };
    let data = body.get(..at)?.strip_suffix(b",")?;
    let tail = inner.get(at + EXTENSIONS.len()..)?.strip_prefix(b":")?;
    if !data.ends_with(b"}") || !tail.starts_with(b"{") {
        return None;
    }
    Some((data, Some(serde_json::from_slice(tail).ok()?)))
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(default = "absent", deserialize_with = "data")]
    data: Data,
    #[serde(borrow, default)]
    errors: Option<&'a RawValue>,
    #[serde(borrow, default)]
    extensions: Option<&'a RawValue>,
}

fn absent() -> Data {
    Data::Absent
}

fn data<'de, D: Deserializer<'de>>(from: D) -> Result<Data, D::Error> {
    Ok(Option::<IgnoredAny>::deserialize(from)?.map_or(Data::Null, |_| Data::Present))
}

fn unreadable() -> Error {
    Error::new(ErrorKind::Protocol, "answer_unreadable", "the answer is no JSON object of a GraphQL server")
}
