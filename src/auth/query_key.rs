//! Key and secret as query parameters: over TLS only, for hosts that drop the `Authorization` header.

use std::fmt;

use async_trait::async_trait;
use http::{HeaderName, HeaderValue};

use super::{Authenticator, Origin, RequestToSign, belongs};
use crate::error::{Error, ErrorKind, Result};
use crate::model::Secret;

/// A key and a secret that go along in each request's query.
///
/// They end up in the access logs of the server and of everything that ends TLS before it, and servers echo
/// them in addresses that they answer with. Use it only where no header arrives.
pub struct QueryKey {
    origin: Origin,
    pairs: Vec<(&'static str, Secret)>,
}

impl QueryKey {
    /// Binds parameters, each a name and its value, to an origin.
    ///
    /// # Errors
    /// `Config` where the origin is plain http, loopback too, or a name or value is missing.
    pub fn new(origin: Origin, pairs: Vec<(&'static str, Secret)>) -> Result<Self> {
        if !origin.is_https() {
            return Err(Error::new(
                ErrorKind::Config,
                "query_key_over_http",
                "a key in the query transmits the secret, so the address must begin with https://",
            )
            .with_remedy("use https, or sign with OAuth 1.0a, which never transmits the secret"));
        }
        if pairs.is_empty() || pairs.iter().any(|(name, value)| name.is_empty() || value.is_empty()) {
            return Err(Error::new(
                ErrorKind::Config,
                "query_key_unusable",
                "a key and a secret must be given",
            ));
        }
        Ok(Self { origin, pairs })
    }
}

#[async_trait]
impl Authenticator for QueryKey {
    async fn headers(&self, request: &RequestToSign<'_>) -> Result<Vec<(HeaderName, HeaderValue)>> {
        belongs(&self.origin, request.url)?;
        Ok(Vec::new())
    }

    fn query(&self, request: &RequestToSign<'_>) -> Result<Vec<(&'static str, Secret)>> {
        belongs(&self.origin, request.url)?;
        Ok(self.pairs.clone())
    }
}

impl fmt::Debug for QueryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryKey").field("origin", &self.origin).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{SystemEntropy, Timestamp};

    fn pairs() -> Vec<(&'static str, Secret)> {
        vec![("key", Secret::new("ck_1")), ("secret", Secret::new("cs_1234"))]
    }

    #[test]
    fn the_pairs_go_to_their_own_origin_and_are_not_shown() {
        let key = QueryKey::new(Origin::https("https://shop.example/a").unwrap(), pairs()).unwrap();
        let query = |address: &str| {
            let url = url::Url::parse(address).unwrap();
            let request = RequestToSign::new(&http::Method::GET, &url, Timestamp::UNIX_EPOCH, &SystemEntropy);
            key.query(&request)
        };
        let given = query("https://shop.example/a/x").unwrap();
        assert_eq!((given[0].0, given[1].1.expose()), ("key", "cs_1234"));
        for other in ["https://evil.example/a/", "http://shop.example/a/", "https://shop.example/b/"] {
            assert_eq!(query(other).unwrap_err().code(), "origin_mismatch", "{other}");
        }
        let shown = format!("{key:?} {given:?}");
        assert!(!shown.contains("cs_1234") && !shown.contains("ck_1"), "{shown}");
    }

    #[test]
    fn plain_http_and_empty_secrets_are_refused() {
        let http = Origin::http("http://127.0.0.1:8080").unwrap();
        let error = QueryKey::new(http, pairs()).unwrap_err();
        assert_eq!(error.code(), "query_key_over_http");
        assert!(error.remedy().contains("OAuth 1.0a"));
        let https = || Origin::https("https://shop.example").unwrap();
        let empty = vec![("key", Secret::new(""))];
        assert_eq!(QueryKey::new(https(), empty).unwrap_err().code(), "query_key_unusable");
        assert_eq!(QueryKey::new(https(), Vec::new()).unwrap_err().code(), "query_key_unusable");
    }
}
