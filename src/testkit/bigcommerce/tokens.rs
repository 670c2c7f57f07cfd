//! Who may call, and with which rights; the exchange of an app's code, and the signed callbacks.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::state::State;
use super::store::BigCommerceFake;
use crate::testkit::exchange::{Request, Response};
use crate::testkit::json::Json;

/// What a credential has by itself: all that a catalogue needs.
pub(super) const SCOPES: &[&str] = &[
    "store_v2_default",
    "store_v2_products",
    "store_v2_information",
    "store_inventory",
    "store_channel_settings",
    "store_sites",
    "store_v2_content",
    "store_translations",
];

/// The tokens and codes of a store.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    access: BTreeSet<String>,
    codes: BTreeMap<String, String>,
    scopes: Option<BTreeSet<String>>,
    issued: u64,
}

impl Tokens {
    pub(super) fn add(&mut self, token: &str) {
        self.access.insert(token.to_owned());
    }

    pub(super) fn revoke(&mut self, token: &str) {
        self.access.remove(token);
    }

    pub(super) fn knows(&self, token: &str) -> bool {
        self.access.contains(token)
    }

    pub(super) fn grant(&mut self, scopes: BTreeSet<String>) {
        self.scopes = Some(scopes);
    }

    /// Whether a right was granted. The right to write holds the right to read.
    pub(super) fn may(&self, scope: &str) -> bool {
        let has = |scope: &str| match &self.scopes {
            Some(scopes) => scopes.contains(scope),
            None => SCOPES.contains(&scope),
        };
        has(scope) || scope.strip_suffix("_read_only").is_some_and(has)
    }

    fn list(&self) -> String {
        match &self.scopes {
            Some(scopes) => scopes.iter().cloned().collect::<Vec<_>>().join(" "),
            None => SCOPES.join(" "),
        }
    }
}

/// What of a callback differs from a right one; for tests of what must be refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Callback {
    /// Another algorithm in the head, such as `none`; its signature is made all the same.
    pub algorithm: Option<String>,
    /// Another receiver than the app.
    pub audience: Option<String>,
    /// Another sender than `bc`.
    pub issuer: Option<String>,
    /// Another store.
    pub context: Option<String>,
    /// Another secret.
    pub secret: Option<String>,
    /// How many seconds ago it was made (default 0).
    pub age_seconds: i64,
}

impl BigCommerceFake {
    /// Issues a token whose text follows from `name`, with the rights that the store grants.
    #[must_use]
    pub fn issue_token(&self, name: &str) -> String {
        let token = format!("token-of-{name}-0123456789");
        self.state().tokens.add(&token);
        token
    }

    /// Withdraws a token.
    pub fn revoke_token(&self, token: &str) {
        self.state().tokens.revoke(token);
    }

    /// Sets the rights of all tokens, such as `store_v2_products_read_only`.
    pub fn grant_scopes<S: Into<String>>(&self, scopes: impl IntoIterator<Item = S>) {
        let scopes = scopes.into_iter().map(Into::into).collect();
        self.state().tokens.grant(scopes);
    }

    /// Lets the merchant uninstall the app: its subscribers are told, its tokens end, and its hooks are deleted. What
    /// waits is still delivered.
    pub fn uninstall(&self) {
        let mut state = self.state();
        let id = state.settings.store_id;
        state.fire_plain("store/app/uninstalled", "app", id);
        state.tokens.access.clear();
        let client = state.settings.client_id.clone();
        state.webhooks.all.retain(|_, hook| hook.client != client);
    }

    /// Lets a code be exchanged once, and gives the query of the call that brings it to the app.
    #[must_use]
    pub fn issue_code(&self, code: &str) -> String {
        let mut state = self.state();
        let scope = state.tokens.list();
        state.tokens.codes.insert(code.to_owned(), scope.clone());
        let context = format!("stores/{}", state.settings.store_hash);
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("code", code).append_pair("scope", &scope).append_pair("context", &context);
        query.append_pair("account_uuid", "8d4d492f-17a1-4d95-b396-e1c5720815a5");
        query.finish()
    }

    /// The token that a load, uninstall or remove-user callback carries as `signed_payload_jwt`.
    #[must_use]
    pub fn callback(&self, change: impl FnOnce(&mut Callback)) -> String {
        let mut how = Callback::default();
        change(&mut how);
        let state = self.state();
        let settings = &state.settings;
        let made = state.now.unix_seconds() - how.age_seconds;
        let context = how.context.unwrap_or_else(|| format!("stores/{}", settings.store_hash));
        let person = |id: i64, email: &str| {
            Json::object([
                ("id", Json::Int(id)),
                ("email", Json::text(email)),
                ("locale", Json::text("en-US")),
            ])
        };
        let mut owner = person(9_876_543, "owner@store.example");
        owner.remove("locale");
        let head = Json::object([
            ("alg", Json::text(how.algorithm.unwrap_or_else(|| "HS256".to_owned()))),
            ("typ", Json::text("JWT")),
        ]);
        let claims = Json::object([
            ("aud", Json::text(how.audience.unwrap_or_else(|| settings.client_id.clone()))),
            ("iss", Json::text(how.issuer.unwrap_or_else(|| "bc".to_owned()))),
            ("iat", Json::Int(made)),
            // The official example has it five seconds before `iat`, against the table beside it.
            ("nbf", Json::Int(made - 5)),
            ("exp", Json::Int(made - 5 + 86_400)),
            ("jti", Json::text(format!("jti-{made}"))),
            ("sub", Json::text(context)),
            ("user", person(9_128_127, "user@store.example")),
            ("owner", owner),
            ("url", Json::text("/")),
            ("channel_id", Json::Null),
        ]);
        let part = |json: &Json| URL_SAFE_NO_PAD.encode(serde_json::Value::from(json.clone()).to_string());
        let text = format!("{}.{}", part(&head), part(&claims));
        let secret = how.secret.unwrap_or_else(|| settings.client_secret.clone());
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(hmac(&secret, text.as_bytes())))
    }
}

/// HMAC-SHA256 with a secret's bytes as they are.
pub(super) fn hmac(secret: &str, bytes: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length, so no key is refused.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return Vec::new() };
    mac.update(bytes);
    mac.finalize().into_bytes().to_vec()
}

/// `POST /oauth2/token`, at the login host. JSON is documented; form encoding is what the old official client sends.
pub(super) fn exchange(state: &mut State, request: &Request) -> Response {
    let form = request.header("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form"));
    let given: BTreeMap<String, String> = if form {
        url::form_urlencoded::parse(&request.body).into_owned().collect()
    } else {
        let body = Json::parse(&request.body).unwrap_or(Json::Null);
        let entries = body.as_object().unwrap_or_default().iter();
        entries.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
    };
    let get = |name: &str| given.get(name).map(String::as_str).unwrap_or_default();
    let context = format!("stores/{}", state.settings.store_hash);
    let right = get("grant_type") == "authorization_code"
        && get("client_id") == state.settings.client_id
        && get("client_secret") == state.settings.client_secret
        && get("redirect_uri") == state.settings.redirect_uri
        && get("context") == context;
    let scope = if right { state.tokens.codes.remove(get("code")) } else { None };
    // The words of a refusal are not in the documents at hand.
    let Some(scope) = scope else {
        let body = Json::object([("error", Json::text("invalid_grant"))]);
        return Response::new(400).with_header("content-type", "application/json").with_body(body.to_php());
    };
    state.tokens.issued += 1;
    let token = format!("app-token-{}-0123456789", state.tokens.issued);
    state.tokens.add(&token);
    let person = |id: i64, name: &str| {
        Json::object([
            ("id", Json::Int(id)),
            ("username", Json::text(name)),
            ("email", Json::text(format!("{name}@store.example"))),
        ])
    };
    let mut body = Json::object([
        ("access_token", Json::text(token)),
        ("scope", Json::text(scope)),
        ("user", person(24_654, "user")),
        ("owner", person(24_655, "owner")),
        ("context", Json::text(context)),
        ("account_uuid", Json::text("8d4d492f-17a1-4d95-b396-e1c5720815a5")),
    ]);
    if state.conditions.old_token_answer {
        body.remove("owner");
        body.remove("account_uuid");
    }
    Response::new(200).with_header("content-type", "application/json").with_body(body.to_php())
}
