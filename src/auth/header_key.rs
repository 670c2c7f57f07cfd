//! A token that does not change, in a named header or as a bearer.

use std::fmt;

use async_trait::async_trait;
use http::{HeaderName, HeaderValue, header};

use super::{Authenticator, Origin, RequestToSign, belongs, credential, must_be_private};
use crate::error::{Error, ErrorKind, Result};
use crate::model::Secret;

/// A static token in a header: it goes over the wire with each request, so the origin has to be https, or plain
/// http on this machine itself.
///
/// It needs no vault and refreshes nothing.
pub struct HeaderKey {
    origin: Origin,
    header: TokenHeader,
    value: HeaderValue,
}

impl HeaderKey {
    /// Binds a token in a named header to an origin.
    ///
    /// # Errors
    /// `Config` where the origin is plain http to another machine, or the token is empty or cannot be a header.
    pub fn new(origin: Origin, name: HeaderName, token: &Secret) -> Result<Self> {
        Self::with(origin, TokenHeader::Named(name), token)
    }

    /// Binds a bearer token to an origin.
    ///
    /// # Errors
    /// As [`HeaderKey::new`].
    pub fn bearer(origin: Origin, token: &Secret) -> Result<Self> {
        Self::with(origin, TokenHeader::Bearer, token)
    }

    fn with(origin: Origin, header: TokenHeader, token: &Secret) -> Result<Self> {
        must_be_private(&origin)?;
        let value = header.value(token)?;
        Ok(Self { origin, header, value })
    }
}

#[async_trait]
impl Authenticator for HeaderKey {
    async fn headers(&self, request: &RequestToSign<'_>) -> Result<Vec<(HeaderName, HeaderValue)>> {
        belongs(&self.origin, request.url)?;
        Ok(vec![(self.header.name(), self.value.clone())])
    }
}

impl fmt::Debug for HeaderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeaderKey")
            .field("origin", &self.origin)
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

/// How a platform wants a token.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenHeader {
    /// Alone in a header of that name.
    Named(HeaderName),
    /// As `Authorization: Bearer`.
    Bearer,
}

impl TokenHeader {
    /// The header's name.
    #[must_use]
    pub fn name(&self) -> HeaderName {
        match self {
            Self::Named(name) => name.clone(),
            Self::Bearer => header::AUTHORIZATION,
        }
    }

    /// The header's value for a token, marked sensitive.
    ///
    /// # Errors
    /// `Config` where the token is empty or has bytes that no header can carry.
    pub fn value(&self, token: &Secret) -> Result<HeaderValue> {
        if token.is_empty() {
            return Err(Error::new(ErrorKind::Config, "token_empty", "a token must be given")
                .with_remedy("copy the token again"));
        }
        match self {
            Self::Named(_) => credential(token.expose()),
            Self::Bearer => {
                let text = Secret::new(format!("Bearer {}", token.expose()));
                credential(text.expose())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{SystemEntropy, Timestamp};

    async fn headers(key: &HeaderKey, address: &str) -> Result<Vec<(HeaderName, HeaderValue)>> {
        let url = url::Url::parse(address).unwrap();
        let request = RequestToSign::new(&http::Method::GET, &url, Timestamp::UNIX_EPOCH, &SystemEntropy);
        key.headers(&request).await
    }

    #[tokio::test]
    async fn the_token_goes_in_its_header_to_its_origin_alone() {
        let origin = Origin::https("https://shop.example").unwrap();
        let token = Secret::new("shpat_never_seen");
        let name = HeaderName::from_static("x-access-token");
        let named = HeaderKey::new(origin.clone(), name.clone(), &token).unwrap();
        let sent = headers(&named, "https://shop.example/x").await.unwrap();
        assert_eq!((&sent[0].0, sent[0].1.as_bytes()), (&name, b"shpat_never_seen".as_slice()));
        assert!(sent[0].1.is_sensitive());
        let bearer = HeaderKey::bearer(origin, &token).unwrap();
        let sent = headers(&bearer, "https://shop.example/x").await.unwrap();
        assert_eq!(
            (&sent[0].0, sent[0].1.as_bytes()),
            (&header::AUTHORIZATION, b"Bearer shpat_never_seen".as_slice())
        );
        for key in [named, bearer] {
            assert_eq!(headers(&key, "https://evil.example/x").await.unwrap_err().code(), "origin_mismatch");
            assert!(!format!("{key:?}").contains("never_seen"));
        }
    }

    #[test]
    fn plain_http_is_for_this_machine_alone() {
        let token = Secret::new("t");
        let make = |origin| HeaderKey::bearer(origin, &token);
        assert!(make(Origin::http("http://127.0.0.1:8080").unwrap()).is_ok());
        let error = make(Origin::http("http://shop.example").unwrap()).unwrap_err();
        assert_eq!(error.code(), "token_over_http");
        let origin = Origin::https("https://shop.example").unwrap();
        assert_eq!(HeaderKey::bearer(origin.clone(), &Secret::new("")).unwrap_err().code(), "token_empty");
        assert_eq!(
            HeaderKey::bearer(origin, &Secret::new("a\nb")).unwrap_err().code(),
            "credential_unusable"
        );
    }
}
