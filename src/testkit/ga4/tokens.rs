//! The token endpoint: assertions of service accounts and refresh tokens of users.

use std::collections::BTreeMap;
use std::fmt;

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Validation};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::errors::answer;
use crate::error::{Error, ErrorKind, Result};
use crate::testkit::exchange::{Request, Response};
use crate::time::Timestamp;

/// How far an assertion's times may be off.
const LEEWAY: i64 = 60;
/// How long an access token lives, in seconds.
const LIFE: i64 = 3599;
/// The address that the endpoint knows itself by.
pub(super) const AUDIENCE: &str = "https://oauth2.googleapis.com/token";

/// Accounts, and the tokens that they got.
#[derive(Default)]
pub(super) struct Tokens {
    accounts: BTreeMap<String, DecodingKey>,
    /// Refresh tokens, each with its client's id and secret.
    users: BTreeMap<String, (String, String)>,
    access: BTreeMap<String, Access>,
    issued: u64,
    /// How often the endpoint was asked.
    pub(super) asked: u64,
    /// Whether everything is refused.
    pub(super) withdrawn: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Access {
    pub(super) scopes: Vec<String>,
    until: i64,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("issued", &self.issued).finish_non_exhaustive()
    }
}

impl Tokens {
    pub(super) fn add_account(&mut self, email: &str, pem: &str) -> Result<()> {
        let unusable =
            |_| Error::new(ErrorKind::Config, "private_key_unreadable", "that is no RSA key in PEM");
        let key = EncodingKey::from_rsa_pem(pem.as_bytes()).map_err(unusable)?;
        let jwk = Jwk::from_encoding_key(&key, Algorithm::RS256).map_err(unusable)?;
        self.accounts.insert(email.to_owned(), DecodingKey::from_jwk(&jwk).map_err(unusable)?);
        Ok(())
    }

    pub(super) fn add_user(&mut self, refresh: &str, client: &str, secret: &str) {
        self.users.insert(refresh.to_owned(), (client.to_owned(), secret.to_owned()));
    }

    pub(super) fn forget_users(&mut self) {
        self.users.clear();
    }

    pub(super) fn expire(&mut self) {
        self.access.clear();
    }

    /// What a token may do; none where it is unknown or over. A service account may also sign one itself, without the
    /// token endpoint, as Google's own clients do.
    pub(super) fn access(&self, token: &str, now: Timestamp) -> Option<Access> {
        if self.withdrawn {
            return None;
        }
        let own = || {
            let claims = self.signed(token)?.1;
            let time = |name: &str| claims.get(name).and_then(Value::as_i64);
            let (made, until) = (time("iat")?, time("exp")?);
            let scopes = claims.get("scope").and_then(Value::as_str)?.split_whitespace();
            let is_short = until - made <= 3600 && made <= now.unix_seconds() + LEEWAY;
            is_short.then(|| Access { scopes: scopes.map(str::to_owned).collect(), until })
        };
        let access = self.access.get(token).cloned().or_else(own);
        access.filter(|access| now.unix_seconds() < access.until)
    }

    /// The account that signed a text, and its claims.
    fn signed(&self, text: &str) -> Option<(&str, Value)> {
        let mut validation = Validation::new(Algorithm::RS256);
        (validation.validate_exp, validation.validate_nbf, validation.validate_aud) = (false, false, false);
        validation.required_spec_claims.clear();
        let read = |key: &DecodingKey| jsonwebtoken::decode::<Value>(text, key, &validation).ok();
        let found =
            self.accounts.iter().find_map(|(email, key)| Some((email.as_str(), read(key)?.claims)))?;
        (found.1.get("iss").and_then(Value::as_str) == Some(found.0)).then_some(found)
    }

    /// Answers the endpoint.
    pub(super) fn answer(&mut self, request: &Request, own_url: &str, now: Timestamp) -> Response {
        self.asked += 1;
        let fields: BTreeMap<String, String> = form_urlencoded::parse(&request.body).into_owned().collect();
        let field = |name: &str| fields.get(name).map_or("", String::as_str);
        let refused = |status: u16, word: &str, text: &str| {
            answer(status, &json!({"error": word, "error_description": text}))
        };
        if request.method.as_str() != "POST" {
            return refused(400, "invalid_request", "Only POST.");
        }
        if self.withdrawn {
            return refused(400, "invalid_grant", "Token has been expired or revoked.");
        }
        let scopes = match field("grant_type") {
            "urn:ietf:params:oauth:grant-type:jwt-bearer" => {
                match self.assertion(field("assertion"), own_url, now) {
                    Ok(scope) => scope,
                    Err(why) => return refused(400, "invalid_grant", why),
                }
            }
            "refresh_token" => match self.users.get(field("refresh_token")) {
                None => return refused(400, "invalid_grant", "Token has been expired or revoked."),
                Some((client, secret))
                    if client != field("client_id") || secret != field("client_secret") =>
                {
                    return refused(401, "invalid_client", "The OAuth client was not found.");
                }
                // What the user agreed to, whatever is asked for now.
                Some(_) => vec!["https://www.googleapis.com/auth/analytics.readonly".to_owned()],
            },
            _ => return refused(400, "unsupported_grant_type", "Invalid grant_type."),
        };
        self.issued += 1;
        let token = format!("ya29.fake-{}", self.issued);
        let scope = scopes.join(" ");
        self.access.insert(token.clone(), Access { scopes, until: now.unix_seconds() + LIFE });
        answer(
            200,
            &json!({"access_token": token, "expires_in": LIFE, "token_type": "Bearer", "scope": scope}),
        )
    }

    /// The scopes that a signed assertion asks for.
    fn assertion(
        &self,
        text: &str,
        own_url: &str,
        now: Timestamp,
    ) -> std::result::Result<Vec<String>, &'static str> {
        let (_, claims) = self.signed(text).ok_or("Invalid JWT Signature.")?;
        let said = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
        if said("aud") != AUDIENCE && said("aud") != own_url {
            return Err("Invalid JWT: aud is not this endpoint.");
        }
        let time = |name: &str| claims.get(name).and_then(Value::as_i64);
        let (Some(made), Some(end)) = (time("iat"), time("exp")) else {
            return Err("Invalid JWT: iat and exp must be given.");
        };
        let now = now.unix_seconds();
        if end - made > 3600 || made > now + LEEWAY || end < now - LEEWAY {
            return Err(
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.",
            );
        }
        let scopes: Vec<String> = said("scope").split_whitespace().map(str::to_owned).collect();
        if scopes.is_empty() { Err("Invalid JWT: no scope.") } else { Ok(scopes) }
    }
}
