//! User name and secret in a header, as HTTP has it: over TLS only.

use std::fmt;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue, header};

use super::{Authenticator, Origin, RequestToSign, belongs, credential};
use crate::error::{Error, ErrorKind, Result};
use crate::model::Secret;

/// HTTP Basic: the secret goes over the wire with each request, so the origin has to be https.
pub struct Basic {
    origin: Origin,
    header: HeaderValue,
}

impl Basic {
    /// Binds a user name (or key) and its secret to an origin.
    ///
    /// # Errors
    /// `Config` where the origin is plain http, loopback too, or the user name has a colon.
    pub fn new(origin: Origin, user: &str, secret: &Secret) -> Result<Self> {
        if !origin.is_https() {
            return Err(Error::new(
                ErrorKind::Config,
                "basic_over_http",
                "Basic transmits the secret, so the address must begin with https://",
            )
            .with_remedy("use https, or sign with OAuth 1.0a, which never transmits the secret"));
        }
        if user.is_empty() || user.contains(':') || secret.is_empty() {
            return Err(Error::new(
                ErrorKind::Config,
                "basic_unusable",
                "a user name without a colon and a secret must be given",
            ));
        }
        let pair = Secret::new(format!("{user}:{}", secret.expose()));
        let text = Secret::new(format!("Basic {}", STANDARD.encode(pair.expose())));
        Ok(Self { origin, header: credential(text.expose())? })
    }
}

#[async_trait]
impl Authenticator for Basic {
    async fn headers(&self, request: &RequestToSign<'_>) -> Result<Vec<(HeaderName, HeaderValue)>> {
        belongs(&self.origin, request.url)?;
        Ok(vec![(header::AUTHORIZATION, self.header.clone())])
    }
}

impl fmt::Debug for Basic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Basic").field("origin", &self.origin).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{SystemEntropy, Timestamp};

    async fn header_for(basic: &Basic, address: &str) -> Result<HeaderValue> {
        let url = url::Url::parse(address).unwrap();
        let request = RequestToSign::new(&http::Method::GET, &url, Timestamp::UNIX_EPOCH, &SystemEntropy);
        basic.headers(&request).await.map(|mut headers| headers.remove(0).1)
    }

    #[tokio::test]
    async fn the_header_is_that_of_the_standard_and_marked_sensitive() {
        // The example of RFC 7617, section 2.
        let basic = Basic::new(
            Origin::https("https://shop.example").unwrap(),
            "Aladdin",
            &Secret::new("open sesame"),
        )
        .unwrap();
        let header = header_for(&basic, "https://shop.example/x").await.unwrap();
        assert_eq!(header.as_bytes(), b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert!(header.is_sensitive());
        let shown = format!("{basic:?} {header:?}");
        assert!(!shown.contains("sesame") && !shown.contains("QWxh"), "{shown}");
    }

    #[tokio::test]
    async fn plain_http_and_other_origins_never_see_the_secret() {
        let secret = Secret::new("cs_1234");
        for plain in ["http://shop.example", "http://127.0.0.1:8080"] {
            let error = Basic::new(Origin::http(plain).unwrap(), "ck", &secret).unwrap_err();
            assert_eq!(error.code(), "basic_over_http");
            assert!(error.remedy().contains("OAuth 1.0a"));
            assert!(!format!("{error} {error:?}").contains("cs_1234"));
        }
        let basic = Basic::new(Origin::https("https://shop.example/a").unwrap(), "ck", &secret).unwrap();
        for other in [
            "https://evil.example/a/",
            "http://shop.example/a/",
            "https://shop.example:444/a/",
            "https://shop.example/b/",
            "https://u@shop.example/a/",
        ] {
            assert_eq!(header_for(&basic, other).await.unwrap_err().code(), "origin_mismatch", "{other}");
        }
    }
}
