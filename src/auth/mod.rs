//! Credentials: bound to an origin, and turned into headers or query parameters. Nothing here sends.

mod basic;
mod none;
mod oauth1;
mod origin;
mod percent;
mod query_key;

use std::fmt;

use async_trait::async_trait;

use crate::error::{Error, ErrorKind, Result};
use crate::model::Secret;
use crate::time::{Entropy, Timestamp};

pub use basic::Basic;
pub use none::NoCredentials;
pub use oauth1::OAuth1;
pub use origin::Origin;
pub use query_key::QueryKey;

pub(crate) use percent::percent_encode;

/// What an authenticator may read of a request before it is sent.
#[derive(Debug)]
#[non_exhaustive]
pub struct RequestToSign<'a> {
    /// The method that goes over the wire.
    pub method: &'a http::Method,
    /// The whole address, query included.
    pub url: &'a url::Url,
    /// The time that the platform's clock should have: ours, corrected by the skew that was seen.
    pub now: Timestamp,
    /// Random bytes for nonces.
    pub entropy: &'a dyn Entropy,
}

impl<'a> RequestToSign<'a> {
    /// Describes a request.
    #[must_use]
    pub fn new(
        method: &'a http::Method,
        url: &'a url::Url,
        now: Timestamp,
        entropy: &'a dyn Entropy,
    ) -> Self {
        Self { method, url, now, entropy }
    }
}

/// Turns credentials into what a request needs. One belongs to one [`Origin`] and signs for no other.
#[async_trait]
pub trait Authenticator: fmt::Debug + Send + Sync + 'static {
    /// Gives the headers to add; each is marked sensitive.
    ///
    /// # Errors
    /// `Auth` where the credentials cannot be used, `Config` where the request's origin is not its own.
    async fn headers(
        &self,
        request: &RequestToSign<'_>,
    ) -> Result<Vec<(http::HeaderName, http::HeaderValue)>>;

    /// Gives query parameters to add, not yet encoded: they go into the sent address alone, which no log,
    /// error, observer or classifier sees.
    ///
    /// # Errors
    /// As [`Authenticator::headers`].
    fn query(&self, request: &RequestToSign<'_>) -> Result<Vec<(&'static str, Secret)>> {
        let _ = request;
        Ok(Vec::new())
    }

    /// Gets new credentials after the platform refused the old ones; `false` where it has none to get.
    ///
    /// # Errors
    /// `Auth` where the refresh was refused.
    async fn refresh(&self) -> Result<bool> {
        Ok(false)
    }
}

/// Refuses to sign for an address that is not the credentials' own.
fn belongs(origin: &Origin, url: &url::Url) -> Result<()> {
    if origin.holds(url) {
        Ok(())
    } else {
        Err(Error::new(
            ErrorKind::Config,
            "origin_mismatch",
            "these credentials belong to another address and are not sent there",
        )
        .with_remedy("make an authenticator for that address"))
    }
}

/// Marks a header's value as a credential, so that nobody prints it.
fn credential(text: &str) -> Result<http::HeaderValue> {
    let mut value = http::HeaderValue::from_str(text).map_err(|_| {
        Error::new(
            ErrorKind::Config,
            "credential_unusable",
            "a credential has bytes that no header can carry",
        )
        .with_remedy("copy the credential again, without line breaks")
    })?;
    value.set_sensitive(true);
    Ok(value)
}
