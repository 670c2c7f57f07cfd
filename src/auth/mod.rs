//! Credentials: bound to an origin, and turned into headers. Nothing here sends.

mod origin;

use std::fmt;

use async_trait::async_trait;

use crate::error::Result;
use crate::time::{Entropy, Timestamp};

pub use origin::Origin;

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

    /// Gets new credentials after the platform refused the old ones; `false` where it has none to get.
    ///
    /// # Errors
    /// `Auth` where the refresh was refused.
    async fn refresh(&self) -> Result<bool> {
        Ok(false)
    }
}
