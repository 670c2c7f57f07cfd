//! Ways to get tokens: what is asked of a token endpoint, and what its answer says. Nothing here sends.

use std::borrow::Cow;
use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use http::StatusCode;

use super::{Origin, TokenSet};
use crate::error::Result;
use crate::model::Secret;
use crate::time::Timestamp;

/// A way to get new tokens for a slot, such as a refresh token or the client's own credentials.
///
/// It builds token requests and reads their answers; [`crate::http::TokenClient`] sends them.
#[async_trait]
pub trait TokenGrant: fmt::Debug + Send + Sync + 'static {
    /// The request for new tokens in place of these; `None` where this grant has no way to get others.
    ///
    /// # Errors
    /// `Auth` where only somebody else can help, such as the merchant, with the remedy.
    async fn request(&self, current: Option<&TokenSet>, now: Timestamp) -> Result<Option<TokenRequest>>;

    /// Reads an answer, whatever its status. What the platform left out of it and keeps as it was comes from
    /// `current`.
    ///
    /// # Errors
    /// `Auth` with code [`GRANT_REFUSED`] where the token that was sent is over, `Auth` with another code where
    /// the client's own credentials are wrong, `RateLimited` and `Unavailable` where a repetition may help, and
    /// `Protocol` where it is no token answer.
    fn read(&self, answer: &TokenAnswer, current: Option<&TokenSet>) -> Result<TokenSet>;
}

/// The code of the error that a platform takes this refresh token, or code, no more: no repetition helps.
pub const GRANT_REFUSED: &str = "token_grant_refused";

/// The code of the error that a grant refused by its times was made by another clock than the platform's: the grant
/// knows that clock by now, and is asked for another request, once.
pub const TOKEN_CLOCK_OFF: &str = "token_clock_off";

/// How a token endpoint wants its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenEncoding {
    /// As `application/x-www-form-urlencoded`, as OAuth 2.0 has it.
    Form,
    /// As a JSON object of texts.
    Json,
}

/// Whether a token request may be sent again when its answer was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenRepeat {
    /// The platform answers it again.
    Safe,
    /// What it carries is used up by the first one that arrives, such as a code.
    Once,
}

/// One POST to a token endpoint. `Debug` shows the names of its fields only.
#[derive(Clone)]
#[non_exhaustive]
pub struct TokenRequest {
    /// Where the endpoint stands.
    pub origin: Origin,
    /// Its path below the origin's base, percent-encoded.
    pub path: Cow<'static, str>,
    /// How the fields go.
    pub encoding: TokenEncoding,
    /// The fields.
    pub fields: Vec<(Cow<'static, str>, Secret)>,
    /// Whether it may be sent again when its answer was lost.
    pub repeat: TokenRepeat,
}

impl TokenRequest {
    /// A form for an endpoint, which may be sent again when its answer was lost.
    #[must_use]
    pub fn new(origin: Origin, path: impl Into<Cow<'static, str>>) -> Self {
        Self {
            origin,
            path: path.into(),
            encoding: TokenEncoding::Form,
            fields: Vec::new(),
            repeat: TokenRepeat::Safe,
        }
    }

    /// Adds a field that is no secret.
    #[must_use]
    pub fn field(self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.secret(name, Secret::new(value))
    }

    /// Adds a field that is a secret.
    #[must_use]
    pub fn secret(mut self, name: impl Into<Cow<'static, str>>, value: Secret) -> Self {
        self.fields.push((name.into(), value));
        self
    }

    /// Sets how the fields go.
    #[must_use]
    pub fn encoding(mut self, encoding: TokenEncoding) -> Self {
        self.encoding = encoding;
        self
    }

    /// Sets whether it may be sent again when its answer was lost.
    #[must_use]
    pub fn repeat(mut self, repeat: TokenRepeat) -> Self {
        self.repeat = repeat;
        self
    }
}

impl fmt::Debug for TokenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.fields.iter().map(|(name, _)| name.as_ref()).collect();
        f.debug_struct("TokenRequest")
            .field("origin", &self.origin)
            .field("path", &self.path)
            .field("fields", &names)
            .field("repeat", &self.repeat)
            .finish_non_exhaustive()
    }
}

/// What a token endpoint answered. `Debug` shows no body.
#[derive(Clone)]
#[non_exhaustive]
pub struct TokenAnswer {
    /// The status.
    pub status: StatusCode,
    /// The body.
    pub body: Bytes,
    /// When the request was sent, by our clock: a token's life is counted from there, so never too long.
    pub asked_at: Timestamp,
    /// The platform's own time when it answered, where it said one.
    pub server_time: Option<Timestamp>,
}

impl TokenAnswer {
    /// Describes an answer.
    #[must_use]
    pub fn new(status: StatusCode, body: Bytes, asked_at: Timestamp) -> Self {
        Self { status, body, asked_at, server_time: None }
    }

    /// Sets the platform's own time.
    #[must_use]
    pub fn at(mut self, server_time: Option<Timestamp>) -> Self {
        self.server_time = server_time;
        self
    }
}

impl fmt::Debug for TokenAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenAnswer")
            .field("status", &self.status)
            .field("body_bytes", &self.body.len())
            .field("asked_at", &self.asked_at)
            .finish()
    }
}
