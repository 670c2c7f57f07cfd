//! JSON Web Tokens signed with RS256 (RFC 7515, RFC 7519), and the grant that takes one (RFC 7523).

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;
use serde_json::json;

use super::{
    GRANT_REFUSED, Origin, TOKEN_CLOCK_OFF, TokenAnswer, TokenGrant, TokenRequest, TokenSet,
    read_token_answer,
};
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::model::{Secret, Text};
use crate::time::Timestamp;

/// How long an assertion is good for, from when it says that it was made.
const LIFE: Duration = Duration::from_secs(3600);
/// How far an assertion says that it was made before now, for clocks that differ a little.
const BACK: Duration = Duration::from_secs(10);
/// From how many milliseconds on a difference of clocks may be why an assertion was refused.
const SKEW_MS: u64 = 30_000;

/// A private RSA key that signs. `Debug` does not show it.
pub struct Rs256 {
    key: EncodingKey,
    key_id: Option<Text>,
}

impl Rs256 {
    /// Reads a private key in PEM, PKCS#8 or PKCS#1, and names it in each header where it has a name.
    ///
    /// # Errors
    /// `Config` where the text is no such key. No error quotes it.
    pub fn new(pem: &Secret, key_id: Option<Text>) -> Result<Self> {
        let key = EncodingKey::from_rsa_pem(pem.expose().as_bytes()).map_err(|_| {
            Error::new(ErrorKind::Config, "private_key_unreadable", "the private key is no RSA key in PEM")
                .with_remedy("make a new key, and give its file as it was downloaded")
        })?;
        Ok(Self { key, key_id })
    }

    /// Signs claims.
    ///
    /// # Errors
    /// `Config` where the key cannot sign.
    pub fn sign(&self, claims: &impl Serialize) -> Result<Secret> {
        let header =
            Header { kid: self.key_id.as_deref().map(str::to_owned), ..Header::new(Algorithm::RS256) };
        // What a failure says may hold a part of the key.
        jsonwebtoken::encode(&header, claims, &self.key).map(Secret::new).map_err(|_| {
            Error::new(ErrorKind::Config, "private_key_unusable", "the private key cannot sign")
                .with_remedy("make a new RSA key of 2048 bits or more")
        })
    }
}

impl fmt::Debug for Rs256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rs256").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

/// Gets tokens for a signed assertion: that of a service account. There is no refresh token; each time a new
/// assertion is signed.
///
/// The assertion's times are those of our clock. Where the endpoint refuses it and its `Date` says that the clocks
/// differ, it is signed once more by the endpoint's time, and so are the later ones.
#[derive(Debug)]
pub struct JwtBearer {
    origin: Origin,
    path: Text,
    key: Rs256,
    issuer: Text,
    audience: Text,
    scope: Text,
    /// How far the endpoint's clock is ahead of ours, in milliseconds, as far as it was seen to matter.
    offset_ms: AtomicI64,
}

impl JwtBearer {
    /// Asks an endpoint, by its origin and its path below it, for tokens of an issuer. `audience` is the address
    /// that the endpoint knows itself by, `scope` what the token may do, in its words with blanks between them.
    #[must_use]
    pub fn new(
        origin: Origin,
        path: impl Into<Text>,
        key: Rs256,
        issuer: impl Into<Text>,
        audience: impl Into<Text>,
        scope: impl Into<Text>,
    ) -> Self {
        Self {
            origin,
            path: path.into(),
            key,
            issuer: issuer.into(),
            audience: audience.into(),
            scope: scope.into(),
            offset_ms: AtomicI64::new(0),
        }
    }

    fn endpoint_time(&self, now: Timestamp) -> Timestamp {
        let offset = self.offset_ms.load(Ordering::Relaxed);
        let by = Duration::from_millis(offset.unsigned_abs());
        if offset < 0 { now.saturating_sub(by) } else { now.saturating_add(by) }
    }

    /// Takes the endpoint's time over, where it is another one than was signed with.
    fn learn_clock(&self, answer: &TokenAnswer) -> bool {
        let Some(theirs) = answer.server_time else { return false };
        let offset = theirs.unix_millis().saturating_sub(answer.asked_at.unix_millis());
        let before = self.offset_ms.load(Ordering::Relaxed);
        let is_off = offset.abs_diff(before) > SKEW_MS;
        if is_off {
            self.offset_ms.store(offset, Ordering::Relaxed);
        }
        is_off
    }
}

#[async_trait]
impl TokenGrant for JwtBearer {
    async fn request(&self, _: Option<&TokenSet>, now: Timestamp) -> Result<Option<TokenRequest>> {
        let made = self.endpoint_time(now).saturating_sub(BACK);
        let claims = json!({
            "iss": self.issuer, "scope": self.scope, "aud": self.audience,
            "iat": made.unix_seconds(), "exp": made.saturating_add(LIFE).unix_seconds(),
        });
        let assertion = self.key.sign(&claims)?;
        let request = TokenRequest::new(self.origin.clone(), self.path.as_str().to_owned())
            .field("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
            .secret("assertion", assertion);
        Ok(Some(request))
    }

    fn read(&self, answer: &TokenAnswer, _: Option<&TokenSet>) -> Result<TokenSet> {
        // What the assertion's refusal has in common with a dead refresh token is its word alone.
        read_token_answer(answer, None).map_err(|error| {
            if error.code() != GRANT_REFUSED {
                return error;
            }
            if self.learn_clock(answer) {
                return Error::new(
                    ErrorKind::Auth,
                    TOKEN_CLOCK_OFF,
                    "the token endpoint's clock differs from ours",
                )
                .with_retry(Retry::Later)
                .with_remedy("set this machine's clock");
            }
            Error::new(ErrorKind::Auth, "assertion_refused", "the platform does not take the account's key")
                .with_remedy(
                    "see that the service account exists and the key was not deleted; else make a new key",
                )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_key_is_refused_and_never_quoted() {
        for text in ["", "s3cret", "-----BEGIN PRIVATE KEY-----\ns3cret\n-----END PRIVATE KEY-----\n"] {
            let error = Rs256::new(&Secret::new(text), None).unwrap_err();
            assert_eq!(error.code(), "private_key_unreadable");
            assert!(!format!("{error:?}").contains("s3cret"));
        }
    }
}
