//! OAuth 1.0a (RFC 5849) without a token: a signature proves the secret, which is never transmitted.

use std::fmt::{self, Write as _};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderName, HeaderValue, Method, header};
use sha2::Sha256;
use url::Url;

use super::{Authenticator, Origin, RequestToSign, belongs, credential, percent_encode};
use crate::error::{Error, ErrorKind, Result};
use crate::model::Secret;

/// One-legged OAuth 1.0a with HMAC-SHA256, sent as an `Authorization` header.
///
/// It may be used over plain http. The body of a request is not signed: bodies here are JSON, and the
/// standard signs only those of forms. A list in the query has to be in its comma form, since some servers
/// rewrite `name[]` before they check the signature.
pub struct OAuth1 {
    origin: Origin,
    signing_base: Url,
    consumer_key: String,
    signing_key: Secret,
}

impl OAuth1 {
    /// Binds a consumer key and its secret to an origin.
    ///
    /// # Errors
    /// `Config` where one of the two is empty.
    pub fn new(origin: Origin, consumer_key: &str, consumer_secret: &Secret) -> Result<Self> {
        if consumer_key.is_empty() || consumer_secret.is_empty() {
            return Err(Error::new(
                ErrorKind::Config,
                "oauth1_unusable",
                "a consumer key and its secret must be given",
            ));
        }
        // The token's secret after the `&` is empty: there is no token.
        let mut key = String::with_capacity(consumer_secret.expose().len() * 3 + 1);
        percent_encode(consumer_secret.expose(), &mut key);
        key.push('&');
        let signing_base = origin.base().clone();
        Ok(Self {
            origin,
            signing_base,
            consumer_key: consumer_key.to_owned(),
            signing_key: Secret::new(key),
        })
    }

    /// Signs as if the origin's base were this address: for a site that is reached by another address than
    /// the one that it believes to have, since the server builds the signed address from the latter.
    ///
    /// # Errors
    /// `Config` where the address is not http or https, or has credentials, a query or a fragment.
    pub fn signing_base(mut self, address: &str) -> Result<Self> {
        let base = Origin::https(address).or_else(|_| Origin::http(address))?;
        self.signing_base = base.base().clone();
        Ok(self)
    }

    fn authorization(&self, request: &RequestToSign<'_>, nonce: &str, timestamp: i64) -> Result<Secret> {
        let base = self.base_string(request.method, request.url, nonce, timestamp);
        let signature = self.sign(&base)?;
        let mut header = String::with_capacity(320);
        header.push_str("OAuth oauth_consumer_key=\"");
        percent_encode(&self.consumer_key, &mut header);
        let _ = write!(
            header,
            "\", oauth_nonce=\"{nonce}\", oauth_signature_method=\"HMAC-SHA256\", \
             oauth_timestamp=\"{timestamp}\", oauth_signature=\""
        );
        percent_encode(&signature, &mut header);
        header.push('"');
        Ok(Secret::new(header))
    }

    /// The signature base string of RFC 5849, section 3.4.1.
    fn base_string(&self, method: &Method, url: &Url, nonce: &str, timestamp: i64) -> String {
        let encoded = |text: &str| {
            let mut out = String::with_capacity(text.len() + 8);
            percent_encode(text, &mut out);
            out
        };
        let mut pairs: Vec<(String, String)> =
            url.query_pairs().map(|(name, value)| (encoded(&name), encoded(&value))).collect();
        let own = [
            ("oauth_consumer_key", encoded(&self.consumer_key)),
            ("oauth_nonce", nonce.to_owned()),
            ("oauth_signature_method", "HMAC-SHA256".to_owned()),
            ("oauth_timestamp", timestamp.to_string()),
        ];
        pairs.extend(own.map(|(name, value)| (name.to_owned(), value)));
        pairs.sort_unstable();

        let mut joined = String::with_capacity(256);
        for (index, (name, value)) in pairs.iter().enumerate() {
            if index > 0 {
                joined.push('&');
            }
            joined.push_str(name);
            joined.push('=');
            joined.push_str(value);
        }

        let mut signed = self.signing_base.clone();
        let below = url.path().get(self.origin.base().path().len()..).unwrap_or_default();
        let path = format!("{}{below}", signed.path());
        signed.set_path(&path);

        let mut base = String::with_capacity(joined.len() * 2 + 128);
        base.push_str(method.as_str());
        base.push('&');
        percent_encode(signed.as_str(), &mut base);
        base.push('&');
        percent_encode(&joined, &mut base);
        base
    }

    fn sign(&self, base_string: &str) -> Result<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.signing_key.expose().as_bytes())
            .map_err(|_| Error::new(ErrorKind::Config, "oauth1_unusable", "the secret cannot be a key"))?;
        mac.update(base_string.as_bytes());
        Ok(STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[async_trait]
impl Authenticator for OAuth1 {
    async fn headers(&self, request: &RequestToSign<'_>) -> Result<Vec<(HeaderName, HeaderValue)>> {
        belongs(&self.origin, request.url)?;
        let mut random = [0; 16];
        request.entropy.fill(&mut random)?;
        let nonce = format!("{:032x}", u128::from_be_bytes(random));
        let header = self.authorization(request, &nonce, request.now.unix_seconds())?;
        Ok(vec![(header::AUTHORIZATION, credential(header.expose())?)])
    }
}

impl fmt::Debug for OAuth1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuth1")
            .field("origin", &self.origin)
            .field("signing_base", &self.signing_base.as_str())
            .finish_non_exhaustive()
    }
}
