//! Who a request comes from: integrations by OAuth 1.0a and by bearer token, admins, and IMS tokens.

use std::collections::BTreeSet;
use std::fmt;

use sha2::{Digest, Sha256};

use super::errors::ApiError;
use super::oauth;
use super::settings::{Conditions, Edition};
use crate::testkit::exchange::Request;
use crate::time::Timestamp;

/// The four credentials of an integration, each of 32 characters.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Integration {
    /// The consumer key.
    pub consumer_key: String,
    /// The consumer secret.
    pub consumer_secret: String,
    /// The access token.
    pub access_token: String,
    /// The access token's secret.
    pub access_token_secret: String,
}

impl fmt::Debug for Integration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Integration").finish_non_exhaustive()
    }
}

impl Integration {
    /// Makes an integration whose credentials follow from a name, so that a test gets the same each time.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let text = |part: &str| token(&format!("{part}:{name}"));
        Self {
            consumer_key: text("consumer"),
            consumer_secret: text("consumer-secret"),
            access_token: text("access"),
            access_token_secret: text("access-secret"),
        }
    }
}

/// A credential of 32 characters that follows from a text.
pub(super) fn token(text: &str) -> String {
    Sha256::digest(text).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// The credentials of a project at Adobe's identity service, for the cloud service.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImsClient {
    /// The client id, which is sent with each call too.
    pub client_id: String,
    /// The client secret.
    pub client_secret: String,
    /// The organisation, which is sent with each call.
    pub organization: String,
}

impl fmt::Debug for ImsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImsClient").finish_non_exhaustive()
    }
}

/// An integration with what the store remembers of it.
#[derive(Debug, Clone)]
pub(super) struct Issued {
    pub(super) id: u64,
    pub(super) keys: Integration,
    pub(super) nonces: Vec<String>,
    pub(super) revoked: bool,
    /// The handshake: none where the integration was activated at once.
    pub(super) handshake: Option<Handshake>,
}

/// How far the activation of an integration has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Handshake {
    pub(super) verifier: String,
    pub(super) request_token: String,
    pub(super) request_secret: String,
    pub(super) asked: bool,
    pub(super) done: bool,
}

/// An admin's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Admin {
    pub(super) username: String,
    pub(super) password: String,
}

/// A token that ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TimedToken {
    pub(super) token: String,
    pub(super) until: Timestamp,
}

/// All that the store knows of its callers.
#[derive(Debug, Default)]
pub(super) struct Callers {
    pub(super) integrations: Vec<Issued>,
    pub(super) admins: Vec<Admin>,
    pub(super) admin_tokens: Vec<TimedToken>,
    pub(super) ims: Option<ImsClient>,
    pub(super) ims_tokens: Vec<TimedToken>,
    /// The rights of all callers; all where `None`.
    pub(super) rights: Option<BTreeSet<String>>,
    pub(super) issued: u64,
}

impl Callers {
    /// Whether callers have a right.
    pub(super) fn may(&self, resource: &str) -> bool {
        let Some(rights) = &self.rights else { return true };
        rights.contains(resource) || rights.contains("Magento_Backend::all")
    }

    /// Finds out that the caller is somebody; whether it may, is another question.
    pub(super) fn identify(
        &mut self,
        request: &Request,
        conditions: &Conditions,
        edition: Edition,
        resource: &str,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        let bearer = bearer(request);
        if edition == Edition::CloudService {
            return self.by_ims(request, bearer, now);
        }
        if let Some(token) = bearer {
            let admin = self.admin_tokens.iter().any(|known| known.token == token && known.until > now);
            let of_integration = self
                .integrations
                .iter()
                .any(|known| !known.revoked && known.keys.access_token == token && known.is_active());
            if admin || (of_integration && conditions.bearer_tokens) {
                return Ok(());
            }
            return Err(ApiError::unauthorized(resource));
        }
        match oauth::parameters(request) {
            Some(params) => self.by_signature(request, &params, conditions, now),
            None => Err(ApiError::unauthorized(resource)),
        }
    }

    fn by_signature(
        &mut self,
        request: &Request,
        params: &oauth::Parameters,
        conditions: &Conditions,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        oauth::check_parameters(params, &["oauth_token"])?;
        let issued = self.consumer(params)?;
        oauth::check_nonce(
            params,
            &mut issued.nonces,
            issued.id,
            now.unix_seconds(),
            conditions.timestamp_window,
        )?;
        if params.get("oauth_token") != Some(&issued.keys.access_token) || !issued.is_active() {
            return Err(ApiError::new(401, "Specified token does not exist"));
        }
        if issued.revoked {
            return Err(ApiError::new(401, "Access token has been revoked"));
        }
        let keys = &issued.keys;
        oauth::check_signature(request, params, conditions, &keys.consumer_secret, &keys.access_token_secret)
    }

    /// The integration of a consumer key.
    pub(super) fn consumer(&mut self, params: &oauth::Parameters) -> Result<&mut Issued, ApiError> {
        let key = params.get("oauth_consumer_key").cloned().unwrap_or_default();
        self.integrations
            .iter_mut()
            .find(|known| known.keys.consumer_key == key)
            .ok_or_else(|| ApiError::new(401, "A consumer having the specified key does not exist"))
    }

    /// The cloud service's gateway asks for token, client id and organisation. The bodies of its refusals are
    /// not documented.
    fn by_ims(&self, request: &Request, bearer: Option<&str>, now: Timestamp) -> Result<(), ApiError> {
        let refused = |message: &str| Err(ApiError::new(401, message));
        let Some(client) = &self.ims else { return refused("Oauth token is not valid") };
        let known = bearer.is_some_and(|token| {
            self.ims_tokens.iter().any(|known| known.token == token && known.until > now)
        });
        if !known {
            return refused("Oauth token is not valid");
        }
        if request.header("x-api-key") != Some(client.client_id.as_str()) {
            return refused("Api Key is required");
        }
        if request.header("x-gw-ims-org-id") != Some(client.organization.as_str()) {
            return refused("Organization is missing");
        }
        Ok(())
    }
}

impl Issued {
    fn is_active(&self) -> bool {
        self.handshake.as_ref().is_none_or(|handshake| handshake.done)
    }
}

fn bearer(request: &Request) -> Option<&str> {
    let (scheme, token) = request.header("authorization")?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
