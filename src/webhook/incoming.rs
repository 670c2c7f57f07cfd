//! A request of a platform, as it came.

use std::fmt;

use bytes::Bytes;
use http::HeaderMap;

use crate::error::{Error, ErrorKind, Result};
use crate::time::Timestamp;

/// The largest body that is taken, unless another bound is set (1 MiB).
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

/// A request of a platform: headers and the raw body, whose size is within its bound.
///
/// The body must be the very bytes that came: a body that was parsed and written again verifies no more.
/// `Debug` shows neither body nor headers.
#[derive(Clone)]
pub struct Incoming {
    headers: HeaderMap,
    body: Bytes,
    received: Timestamp,
}

impl Incoming {
    /// Takes a request of at most [`MAX_BODY_BYTES`], received at a time of our clock.
    ///
    /// A server should stop reading at that bound itself; this is the last guard.
    ///
    /// # Errors
    /// `TooLarge` with code `webhook_too_large`.
    pub fn new(headers: HeaderMap, body: impl Into<Bytes>, received: Timestamp) -> Result<Self> {
        Self::within(headers, body, received, MAX_BODY_BYTES)
    }

    /// The same with another bound, for stores whose records are larger.
    ///
    /// # Errors
    /// `TooLarge` with code `webhook_too_large`.
    pub fn within(
        headers: HeaderMap,
        body: impl Into<Bytes>,
        received: Timestamp,
        max_bytes: usize,
    ) -> Result<Self> {
        let body = body.into();
        if body.len() > max_bytes {
            return Err(Error::new(
                ErrorKind::TooLarge,
                "webhook_too_large",
                "the delivery's body is over its bound",
            )
            .with_context("bytes", body.len().to_string())
            .with_context("bound", max_bytes.to_string())
            .with_remedy("answer 413; raise the bound where the store's records are that large"));
        }
        Ok(Self { headers, body, received })
    }

    /// The headers as they came.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The text of a header; `None` where it is missing, no text, or there more than once.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next()?;
        if values.next().is_some() { None } else { value.to_str().ok() }
    }

    /// Whether a header is there, readable or not.
    #[must_use]
    pub fn has_header(&self, name: &str) -> bool {
        self.headers.contains_key(name)
    }

    /// The raw body.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// When it came, by our clock.
    #[must_use]
    pub fn received(&self) -> Timestamp {
        self.received
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming")
            .field("body_bytes", &self.body.len())
            .field("received", &self.received)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn h1_a_body_over_the_bound_is_refused_and_never_shown() {
        let now = Timestamp::UNIX_EPOCH;
        let full = vec![b'x'; MAX_BODY_BYTES];
        assert!(Incoming::new(HeaderMap::new(), full.clone(), now).is_ok());
        let over = Incoming::new(HeaderMap::new(), [full, b"x".to_vec()].concat(), now).unwrap_err();
        assert_eq!((over.kind(), over.code()), (ErrorKind::TooLarge, "webhook_too_large"));
        let small = Incoming::within(HeaderMap::new(), "private", now, 7).unwrap();
        assert!(!format!("{small:?}").contains("private"));
        assert!(Incoming::within(HeaderMap::new(), "privates", now, 7).is_err());
    }

    #[test]
    fn a_header_that_is_there_twice_is_not_read() {
        let mut headers = HeaderMap::new();
        headers.append("x-sign", HeaderValue::from_static("a"));
        let once = Incoming::new(headers.clone(), "", Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(once.header("X-Sign"), Some("a"));
        headers.append("x-sign", HeaderValue::from_static("b"));
        let twice = Incoming::new(headers, "", Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!((twice.header("x-sign"), twice.has_header("x-sign")), (None, true));
    }
}
