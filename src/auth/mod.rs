//! Credentials: bound to an origin, and turned into headers or query parameters; tokens, and ways to get them.
//! Nothing here sends.

mod answer;
mod app;
mod basic;
mod grant;
mod header_key;
mod jwt;
mod none;
mod oauth1;
mod origin;
mod percent;
mod query;
mod query_key;
#[cfg(feature = "jwt")]
mod rs256;
mod tokens;
mod vault;

use std::fmt;

use async_trait::async_trait;

use crate::error::{Error, ErrorKind, Result};
use crate::model::Secret;
use crate::time::{Entropy, Timestamp};

pub use answer::read_token_answer;
pub use app::App;
pub use basic::Basic;
pub use grant::{
    GRANT_REFUSED, TOKEN_CLOCK_OFF, TokenAnswer, TokenEncoding, TokenGrant, TokenRepeat, TokenRequest,
};
pub use header_key::{HeaderKey, TokenHeader};
pub use jwt::{Claims, Hs256};
pub use none::NoCredentials;
pub use oauth1::{OAuth1, ParameterOrder};
pub use origin::Origin;
pub use query::CallbackQuery;
pub use query_key::QueryKey;
#[cfg(feature = "jwt")]
pub use rs256::{JwtBearer, Rs256};
pub use tokens::{TokenSet, TokenSlot};
pub use vault::{Claim, Replaced, StoredTokens, TokenRecord, TokenVault, TokenVersion};

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

/// What a refresh of credentials brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refreshed {
    /// Nothing: there are no other ones to get.
    Nothing,
    /// Others that were at hand, such as those that another process stored. They may be over, too.
    Found,
    /// Others that the platform gave just now.
    Fetched,
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

    /// Gets other credentials than those that the platform refused, which are given as they were sent. Whoever
    /// has other ones by now makes no call.
    ///
    /// # Errors
    /// `Auth` where the refresh was refused, and what getting them gave.
    async fn refresh(&self, rejected: &http::HeaderMap) -> Result<Refreshed> {
        let _ = rejected;
        Ok(Refreshed::Nothing)
    }

    /// Hears that the platform took these credentials, as they were sent. It is told of each success, so it must
    /// be quick where nothing is new.
    async fn accepted(&self, sent: &http::HeaderMap) {
        let _ = sent;
    }
}

/// Refuses to sign for an address that is not the credentials' own.
pub(crate) fn belongs(origin: &Origin, url: &url::Url) -> Result<()> {
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

/// Refuses to send a token over an open line: https, or plain http that does not leave this machine.
pub(crate) fn must_be_private(origin: &Origin) -> Result<()> {
    if origin.is_https() || origin.is_loopback() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Config,
        "token_over_http",
        "a token is transmitted with each request, so the address must begin with https://",
    )
    .with_remedy("use https; plain http is for a server on this machine only"))
}
