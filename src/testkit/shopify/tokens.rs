//! Tokens: who may call, and the endpoint that gives them.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::graphql::json;
use super::state::State;
use crate::testkit::exchange::{Request, Response};
use crate::testkit::json::Json;
use crate::time::Timestamp;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
/// How long refresh tokens live.
const REFRESH_LIFE: Duration = Duration::from_secs(90 * 86_400);
/// How long after its first use a refresh token whose answer was lost may be used again.
const RETRY_LIFE: Duration = Duration::from_secs(30 * 86_400);
/// How long a migration whose answer was lost may be asked for again.
const MIGRATION_LIFE: Duration = Duration::from_secs(7 * 86_400);

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const OFFLINE: &str = "urn:shopify:params:oauth:token-type:offline-access-token";
const ONLINE: &str = "urn:shopify:params:oauth:token-type:online-access-token";

/// What a token is worth at the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Unknown,
    Permanent,
    Expiring,
}

/// An access token with its refresh token.
#[derive(Clone)]
struct Grant {
    access: String,
    /// `None` for a permanent one.
    expires: Option<Timestamp>,
    refresh: Option<String>,
    refresh_expires: Timestamp,
    /// The refresh token that this pair came from; it works again until this pair is used.
    predecessor: Option<String>,
    used: bool,
    dead: bool,
}

/// The tokens of the app at this shop.
#[derive(Default)]
pub(super) struct Tokens {
    grants: Vec<Grant>,
    /// When each refresh token was first used.
    first_use: BTreeMap<String, Timestamp>,
    codes: Vec<String>,
    /// What permanent tokens were migrated to, and when.
    migrated: BTreeMap<String, (Timestamp, Json)>,
    count: u64,
    /// How often the endpoint was asked for a refresh.
    pub(super) refreshes: u64,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("grants", &self.grants.len()).finish_non_exhaustive()
    }
}

impl Tokens {
    fn fresh(&mut self, prefix: &str) -> String {
        self.count += 1;
        format!("{prefix}_{:032x}", self.count)
    }

    /// Adds a permanent token.
    pub(super) fn add_permanent(&mut self, access: &str) {
        self.grants.push(Grant {
            access: access.to_owned(),
            expires: None,
            refresh: None,
            refresh_expires: Timestamp::UNIX_EPOCH,
            predecessor: None,
            used: true,
            dead: false,
        });
    }

    /// Gives out an expiring pair.
    pub(super) fn add_pair(&mut self, now: Timestamp, predecessor: Option<String>) -> (String, String) {
        let (access, refresh) = (self.fresh("shpat"), self.fresh("shprt"));
        self.grants.push(Grant {
            access: access.clone(),
            expires: Some(now.saturating_add(HOUR)),
            refresh: Some(refresh.clone()),
            refresh_expires: now.saturating_add(REFRESH_LIFE),
            predecessor,
            used: false,
            dead: false,
        });
        (access, refresh)
    }

    fn add_short(&mut self, now: Timestamp, life: Duration) -> String {
        let access = self.fresh("shpat");
        self.grants.push(Grant {
            access: access.clone(),
            expires: Some(now.saturating_add(life)),
            refresh: None,
            refresh_expires: Timestamp::UNIX_EPOCH,
            predecessor: None,
            used: true,
            dead: false,
        });
        access
    }

    pub(super) fn add_code(&mut self, code: &str) {
        self.codes.push(code.to_owned());
    }

    /// Withdraws all tokens, as an uninstall does.
    pub(super) fn revoke_all(&mut self) {
        self.grants.clear();
        self.migrated.clear();
    }

    /// Withdraws one access token; its refresh token goes on.
    pub(super) fn revoke(&mut self, access: &str) {
        for grant in self.grants.iter_mut().filter(|grant| grant.access == access) {
            grant.access = String::new();
        }
    }

    /// Looks a token up for a call of the API, which is a use of it.
    pub(super) fn check(&mut self, access: &str, now: Timestamp) -> Standing {
        let found = self.grants.iter().position(|grant| {
            !access.is_empty()
                && grant.access == access
                && !grant.dead
                && grant.expires.is_none_or(|end| now < end)
        });
        let Some(at) = found else { return Standing::Unknown };
        self.settle(at);
        match self.grants.get(at).and_then(|grant| grant.expires) {
            Some(_) => Standing::Expiring,
            None => Standing::Permanent,
        }
    }

    /// The first use of a pair ends the one that it came from.
    fn settle(&mut self, at: usize) {
        let Some(grant) = self.grants.get_mut(at) else { return };
        if std::mem::replace(&mut grant.used, true) {
            return;
        }
        let Some(predecessor) = grant.predecessor.clone() else { return };
        for (other, grant) in self.grants.iter_mut().enumerate() {
            let is_old = grant.refresh.as_ref() == Some(&predecessor);
            let is_rival = other != at && grant.predecessor.as_ref() == Some(&predecessor);
            if is_old || is_rival {
                grant.dead = true;
            }
        }
    }

    fn refresh(&mut self, token: &str, now: Timestamp, same: bool, strict: bool) -> Option<(String, String)> {
        let at = self.grants.iter().position(|grant| {
            grant.refresh.as_deref() == Some(token) && !grant.dead && now < grant.refresh_expires
        })?;
        if same {
            // The token stays, so no use of it is the last; only the access token is new.
            let (access, _) = self.add_pair(now, None);
            let old = self.grants.get(at).map(|grant| grant.refresh_expires);
            if let (Some(grant), Some(expires)) = (self.grants.last_mut(), old) {
                (grant.refresh, grant.refresh_expires) = (None, expires);
            }
            return Some((access, token.to_owned()));
        }
        let known = self.first_use.get(token).copied();
        if known.is_some_and(|first| strict || now.since(first) > RETRY_LIFE) {
            return None;
        }
        self.first_use.entry(token.to_owned()).or_insert(now);
        self.settle(at);
        // A lost pair that nobody used dies when another takes its place.
        for grant in &mut self.grants {
            if grant.predecessor.as_deref() == Some(token) && !grant.used {
                grant.dead = true;
            }
        }
        let (access, refresh) = self.add_pair(now, Some(token.to_owned()));
        Some((access, refresh))
    }
}

/// The fields of a request of the endpoint: JSON or a form.
fn fields(request: &Request) -> Option<BTreeMap<String, String>> {
    let content = request.header("content-type").unwrap_or_default();
    if content.starts_with("application/json") {
        let body: serde_json::Value = serde_json::from_slice(&request.body).ok()?;
        let entries = body.as_object()?.iter().map(|(name, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            (name.clone(), text)
        });
        return Some(entries.collect());
    }
    if content.starts_with("application/x-www-form-urlencoded") {
        return Some(url::form_urlencoded::parse(&request.body).into_owned().collect());
    }
    None
}

fn refused(status: u16, error: &str, description: &str) -> Response {
    json(
        status,
        &Json::object([("error", Json::text(error)), ("error_description", Json::text(description))]),
    )
}

fn invalid_grant(state: &State, description: &str) -> Response {
    refused(state.conditions.invalid_grant_status, "invalid_grant", description)
}

/// `POST /admin/oauth/access_token`.
pub(super) fn exchange(state: &mut State, request: &Request) -> Response {
    if request.method != http::Method::POST {
        return refused(405, "invalid_request", "Use POST");
    }
    let Some(fields) = fields(request) else {
        return refused(400, "invalid_request", "The body is neither JSON nor a form");
    };
    let field = |name: &str| fields.get(name).map_or("", String::as_str);
    if field("client_id") != state.shop.client_id || field("client_secret") != state.shop.client_secret {
        return refused(400, "invalid_client", "The client is unknown, or its secret is wrong");
    }
    let expiring = match field("expiring") {
        "1" => true,
        "" | "0" => false,
        _ => return refused(400, "invalid_request", "expiring must be 0 or 1"),
    };
    let now = state.now;
    match field("grant_type") {
        "refresh_token" => {
            state.tokens.refreshes += 1;
            let (same, strict) = (state.conditions.same_refresh_token, state.conditions.strict_rotation);
            match state.tokens.refresh(field("refresh_token"), now, same, strict) {
                Some((access, refresh)) => pair(state, &access, &refresh),
                None => invalid_grant(state, "This request requires an active refresh_token"),
            }
        }
        "client_credentials" => {
            let access = state.tokens.add_short(now, DAY);
            let body = body(state, &access, Some(86_399), None);
            json(200, &Json::object(body))
        }
        EXCHANGE => exchange_token(state, &fields, expiring),
        "" => {
            let code = field("code");
            let Some(at) = state.tokens.codes.iter().position(|known| known == code) else {
                return refused(
                    400,
                    "invalid_request",
                    "The authorization code was not found or was already used",
                );
            };
            state.tokens.codes.remove(at);
            offline(state, expiring)
        }
        _ => refused(400, "unsupported_grant_type", "The grant type is not supported"),
    }
}

fn offline(state: &mut State, expiring: bool) -> Response {
    if expiring {
        let (access, refresh) = state.tokens.add_pair(state.now, None);
        return pair(state, &access, &refresh);
    }
    let access = state.tokens.fresh("shpat");
    state.tokens.add_permanent(&access);
    let body = body(state, &access, None, None);
    json(200, &Json::object(body))
}

fn exchange_token(state: &mut State, fields: &BTreeMap<String, String>, expiring: bool) -> Response {
    let field = |name: &str| fields.get(name).map_or("", String::as_str);
    let subject = field("subject_token");
    match (field("subject_token_type"), field("requested_token_type")) {
        (OFFLINE, OFFLINE) if expiring => migrate(state, subject),
        (ID_TOKEN, OFFLINE) if is_session(state, subject) => offline(state, expiring),
        (ID_TOKEN, ONLINE) if is_session(state, subject) => {
            let access = state.tokens.add_short(state.now, DAY);
            let mut body = body(state, &access, Some(86_399), None);
            let scope = state.scopes.iter().cloned().collect::<Vec<_>>().join(",");
            body.push(("associated_user_scope", Json::text(scope)));
            let user = Json::object([("id", Json::Int(902_541_635)), ("locale", Json::text("en"))]);
            body.push(("associated_user", user));
            json(200, &Json::object(body))
        }
        (ID_TOKEN, OFFLINE | ONLINE) => {
            refused(400, "invalid_subject_token", "The session token is not valid")
        }
        _ => refused(400, "invalid_request", "The token types do not fit"),
    }
}

fn migrate(state: &mut State, subject: &str) -> Response {
    if let Some((at, body)) = state.tokens.migrated.get(subject)
        && state.now.since(*at) <= MIGRATION_LIFE
    {
        return json(200, body);
    }
    if state.tokens.check(subject, state.now) != Standing::Permanent {
        return refused(400, "invalid_subject_token", "The token is not an active permanent token");
    }
    state.tokens.revoke(subject);
    let (access, refresh) = state.tokens.add_pair(state.now, None);
    let seconds = Some(3_600);
    let body = Json::object(body(state, &access, seconds, Some(&refresh)));
    state.tokens.migrated.insert(subject.to_owned(), (state.now, body.clone()));
    json(200, &body)
}

fn pair(state: &State, access: &str, refresh: &str) -> Response {
    json(200, &Json::object(body(state, access, Some(3_600), Some(refresh))))
}

fn body(
    state: &State,
    access: &str,
    seconds: Option<i64>,
    refresh: Option<&str>,
) -> Vec<(&'static str, Json)> {
    let scope = state.scopes.iter().cloned().collect::<Vec<_>>().join(",");
    let mut body = vec![("access_token", Json::text(access)), ("scope", Json::text(scope))];
    if let Some(seconds) = seconds.filter(|_| !state.conditions.without_expiry) {
        body.push(("expires_in", Json::Int(seconds)));
    }
    if let Some(refresh) = refresh {
        body.push(("refresh_token", Json::text(refresh)));
        body.push(("refresh_token_expires_in", Json::Int(7_776_000)));
    }
    body
}

/// The HMAC-SHA256 of a text with the app's secret.
pub(super) fn signed(secret: &str, text: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length, so no key is refused.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return Vec::new() };
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

/// A session token for this app and shop, good for a minute from now.
pub(super) fn session_token(state: &State) -> String {
    let now = state.now.unix_seconds();
    let shop = &state.shop.myshopify_domain;
    let claims = Json::object([
        ("iss", Json::text(format!("https://{shop}/admin"))),
        ("dest", Json::text(format!("https://{shop}"))),
        ("aud", Json::text(state.shop.client_id.clone())),
        ("sub", Json::text("902541635")),
        ("exp", Json::Int(now + 60)),
        ("nbf", Json::Int(now)),
        ("iat", Json::Int(now)),
        ("jti", Json::text("f8912129-1af6-4cad-9ca3-76b0f7621087")),
        ("sid", Json::text("aaea182f2732d44c23057c0fea584021a4485b2bd25d3eb7fd349313ad24c685")),
    ]);
    let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let text = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims.to_php()));
    let signature = URL_SAFE_NO_PAD.encode(signed(&state.shop.client_secret, text.as_bytes()));
    format!("{text}.{signature}")
}

fn is_session(state: &State, token: &str) -> bool {
    let Some((text, signature)) = token.rsplit_once('.') else { return false };
    if URL_SAFE_NO_PAD.encode(signed(&state.shop.client_secret, text.as_bytes())) != signature {
        return false;
    }
    let claims = text.split_once('.').and_then(|(_, claims)| URL_SAFE_NO_PAD.decode(claims).ok());
    let Some(Ok(claims)) = claims.map(|claims| Json::parse(&claims)) else { return false };
    let now = state.now.unix_seconds();
    let number = |name: &str| claims.get(name).and_then(Json::as_int).unwrap_or_default();
    claims.get("aud").and_then(Json::as_str) == Some(state.shop.client_id.as_str())
        && number("exp") + 10 > now
        && number("nbf") - 10 < now
}
