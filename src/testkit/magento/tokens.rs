//! Where tokens come from: the admin's routes, the handshake of an integration, and the identity service.

use std::time::Duration;

use sha2::{Digest, Sha256};

use super::auth::{Handshake, Integration, Issued, TimedToken, token};
use super::errors::ApiError;
use super::oauth;
use super::state::State;
use crate::testkit::exchange::{Request, Response};
use crate::testkit::json::Json;
use crate::time::Timestamp;

/// How long a token of the identity service lives, in seconds.
const IMS_LIFE: u64 = 86_399;
/// The scope that the cloud service asks for.
const IMS_SCOPE: &str = "commerce.accs";

/// The second factor of the moment: six digits that change each half minute.
pub(super) fn one_time_password(username: &str, now: Timestamp) -> String {
    let step = now.unix_seconds().div_euclid(30);
    let digest = Sha256::digest(format!("otp:{username}:{step}"));
    let number = digest.iter().take(4).fold(0u32, |sum, byte| (sum << 8) | u32::from(*byte));
    format!("{:06}", number % 1_000_000)
}

/// `POST /V1/integration/admin/token` and, with a second factor, `POST /V1/tfa/provider/google/authenticate`.
pub(super) fn admin_token(state: &mut State, body: &Json, with_factor: bool) -> Result<Json, ApiError> {
    let text = |name: &str| body.get(name).and_then(Json::as_str).map(str::to_owned);
    let username = text("username").ok_or_else(|| ApiError::required("username"))?;
    let password = text("password").ok_or_else(|| ApiError::required("password"))?;
    let known = state.callers.admins.iter().any(|a| a.username == username && a.password == password);
    let refused = "The account sign-in was incorrect or your account is disabled temporarily. Please wait and \
                   try again later.";
    if !known {
        return Err(ApiError::new(401, refused));
    }
    if with_factor {
        let given = text("otp").ok_or_else(|| ApiError::required("otp"))?;
        if given != one_time_password(&username, state.now) {
            return Err(ApiError::new(401, "Invalid code."));
        }
    } else if state.conditions.two_factor {
        return Err(ApiError::new(401, "Please use the 2fa provider-specific endpoints to obtain a token.")
            .with_errors(vec![ApiError::new(401, "google")]));
    }
    let token = state.jwt(&username);
    let until = state.now.saturating_add(state.conditions.admin_token_life);
    state.callers.admin_tokens.push(TimedToken { token: token.clone(), until });
    Ok(Json::String(token))
}

impl State {
    /// A token that looks like the platform's own, and follows from its number.
    fn jwt(&mut self, name: &str) -> String {
        self.callers.issued += 1;
        format!(
            "eyJraWQiOiIxIiwiYWxnIjoiSFMyNTYifQ.{}.{}",
            token(name),
            token(&format!("jwt:{}", self.callers.issued))
        )
    }

    /// Makes an integration that is not active yet.
    pub(super) fn start_handshake(&mut self, name: &str) -> Integration {
        let keys = Integration::named(name);
        let id = self.take_id();
        let text = |part: &str| token(&format!("{part}:{name}"));
        self.callers.integrations.push(Issued {
            id,
            keys: keys.clone(),
            nonces: Vec::new(),
            revoked: false,
            handshake: Some(Handshake {
                verifier: text("verifier"),
                request_token: text("request"),
                request_secret: text("request-secret"),
                asked: false,
                done: false,
            }),
        });
        keys
    }
}

/// `POST /oauth/token/request` and `/oauth/token/access`, below the root of the web and not below `/rest`.
pub(super) fn handshake(state: &mut State, request: &Request, access: bool) -> Response {
    match exchange(state, request, access) {
        Ok(form) => Response::new(200)
            .with_header("content-type", "application/x-www-form-urlencoded")
            .with_body(form),
        Err(error) => error.oauth_problem().response(None),
    }
}

fn exchange(state: &mut State, request: &Request, access: bool) -> Result<String, ApiError> {
    let params = oauth::parameters(request).unwrap_or_default();
    let also: &[&str] = if access { &["oauth_token", "oauth_verifier"] } else { &[] };
    oauth::check_parameters(&params, also)?;
    let (conditions, now) = (state.conditions.clone(), state.now.unix_seconds());
    let issued = state.callers.consumer(&params)?;
    oauth::check_nonce(&params, &mut issued.nonces, issued.id, now, conditions.timestamp_window)?;
    let keys = issued.keys.clone();
    let Some(handshake) = issued.handshake.as_mut() else {
        return Err(ApiError::new(401, "Request token is already associated with another consumer."));
    };
    let secret = if access { handshake.request_secret.clone() } else { String::new() };
    if access {
        if params.get("oauth_token") != Some(&handshake.request_token) || !handshake.asked {
            return Err(ApiError::new(401, "Specified token does not exist"));
        }
        if handshake.done {
            return Err(ApiError::new(401, "Request token is not associated with the specified consumer."));
        }
        if params.get("oauth_verifier") != Some(&handshake.verifier) {
            return Err(ApiError::new(401, "Verifier is invalid or does not match"));
        }
    }
    oauth::check_signature(request, &params, &conditions, &keys.consumer_secret, &secret)?;
    if access {
        handshake.done = true;
        return Ok(form(&keys.access_token, &keys.access_token_secret));
    }
    handshake.asked = true;
    Ok(form(&handshake.request_token, &handshake.request_secret))
}

fn form(token: &str, secret: &str) -> String {
    format!("oauth_token={token}&oauth_token_secret={secret}")
}

/// `POST /ims/token/v3` of the identity service.
pub(super) fn ims(state: &mut State, request: &Request) -> Response {
    let mut fields = std::collections::BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(&request.body) {
        fields.insert(name.into_owned(), value.into_owned());
    }
    let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    let json = |status: u16, body: &Json| {
        Response::new(status)
            .with_header("content-type", "application/json;charset=UTF-8")
            .with_body(body.to_php())
    };
    let error = |status: u16, code: &str| json(status, &Json::object([("error", Json::text(code))]));
    if field("grant_type") != "client_credentials" {
        return error(400, "unsupported_grant_type");
    }
    let known = state.callers.ims.as_ref().is_some_and(|client| {
        field("client_id") == client.client_id && field("client_secret") == client.client_secret
    });
    if !known {
        return error(400, "invalid_client");
    }
    if !field("scope").split(',').any(|scope| scope.trim() == IMS_SCOPE) {
        return error(400, "invalid_scope");
    }
    let token = state.jwt("ims");
    let until = state.now.saturating_add(Duration::from_secs(IMS_LIFE));
    state.callers.ims_tokens.push(TimedToken { token: token.clone(), until });
    json(
        200,
        &Json::object([
            ("access_token", Json::String(token)),
            ("token_type", Json::text("bearer")),
            ("expires_in", Json::from(IMS_LIFE)),
        ]),
    )
}
