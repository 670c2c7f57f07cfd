//! The installation of an app: what the merchant's browser brings, and the token for it.
//!
//! The platform sends no `state` back, so nothing ties the browser to a request of ours: the store is that of the token's
//! answer, and never that of the query alone.

use std::fmt;

use serde::Deserialize;

use super::super::config::StoreHash;
use crate::auth::{
    App, CallbackQuery, Origin, TokenAnswer, TokenEncoding, TokenRepeat, TokenRequest, TokenSet,
    read_token_answer,
};
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::http::TokenClient;
use crate::model::{Secret, Text};

/// Where the platform gives tokens.
const LOGIN: &str = "https://login.bigcommerce.com";
const TOKEN_PATH: &str = "oauth2/token";
/// The most rights that are compared.
const MAX_SCOPES: usize = 100;
/// The longest word of an answer that is kept.
const MAX_WORD: usize = 200;

/// An app, the address that it is called back at, and the rights that it needs.
#[derive(Debug, Clone)]
pub struct StoreApp {
    app: App,
    redirect: Text,
    scopes: Vec<Text>,
    login: Origin,
}

/// What a merchant's browser brought to the app's address for installations.
#[derive(Clone)]
pub struct InstallRequest {
    code: Secret,
    scope: Text,
    store: StoreHash,
}

/// An app that was installed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Installed {
    /// The store, as the answer with the token names it.
    pub store: StoreHash,
    /// The token, with the rights that it has: keep it under [`app_slot`](super::app_slot).
    pub tokens: TokenSet,
    /// The rights that the app needs and the token does not have: its profile was changed. None otherwise, since a
    /// merchant allows all or nothing.
    pub missing_scopes: Vec<Text>,
    /// The merchant's account, where the platform says it.
    pub account: Option<Text>,
}

impl StoreApp {
    /// An app that is called back at an address, which must be the one that its settings have.
    ///
    /// # Errors
    /// `Config` where the address is not https.
    pub fn new(app: App, redirect: impl Into<Text>, scopes: &[&str]) -> Result<Self> {
        let redirect = redirect.into();
        let local = redirect.starts_with("http://localhost") || redirect.starts_with("http://127.0.0.1");
        if !redirect.starts_with("https://") && !local {
            return Err(Error::new(
                ErrorKind::Config,
                "redirect_unusable",
                "the merchant comes back to an address that begins with https://",
            )
            .with_remedy("give the auth callback of the app's technical settings"));
        }
        let scopes = scopes.iter().map(|scope| Text::from(*scope)).collect();
        Ok(Self { app, redirect, scopes, login: Origin::https(LOGIN)? })
    }

    /// Asks another address for tokens, such as a fake on this machine. The credentials go there.
    #[must_use]
    pub fn at(mut self, login: Origin) -> Self {
        self.login = login;
        self
    }

    /// The app.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Gets the token for what the browser brought. The code is used up by the first request that arrives.
    ///
    /// # Errors
    /// `Auth` where the platform refuses the code or the app, and with code `install_store_mismatch` where the token
    /// is of another store than the query said; what the transport gave.
    pub async fn install(&self, client: &TokenClient, request: &InstallRequest) -> Result<Installed> {
        let asked = self.request(request);
        client.send(&asked, |answer| self.read(request, answer)).await
    }

    fn request(&self, request: &InstallRequest) -> TokenRequest {
        TokenRequest::new(self.login.clone(), TOKEN_PATH)
            .encoding(TokenEncoding::Json)
            .repeat(TokenRepeat::Once)
            .field("client_id", self.app.client_id())
            .secret("client_secret", self.app.secret().clone())
            .secret("code", request.code.clone())
            .field("context", request.store.context())
            .field("scope", request.scope.to_string())
            .field("grant_type", "authorization_code")
            .field("redirect_uri", self.redirect.to_string())
    }

    fn read(&self, request: &InstallRequest, answer: &TokenAnswer) -> Result<Installed> {
        #[derive(Deserialize)]
        struct Said {
            context: String,
            #[serde(default)]
            account_uuid: Option<String>,
        }
        let tokens = read_token_answer(answer, None)?;
        let said: Said = serde_json::from_slice(&answer.body).map_err(|_| {
            Error::new(ErrorKind::Protocol, "token_answer_unreadable", "the answer names no store")
                .with_effect(Effect::Possible)
        })?;
        let store = StoreHash::new(&said.context)?;
        if store != request.store {
            return Err(Error::new(
                ErrorKind::Auth,
                "install_store_mismatch",
                "the token is of another store than the browser came from",
            )
            .with_context("expected", request.store.as_str().to_owned())
            .with_context("found", store.as_str().to_owned())
            .with_remedy("answer 403, and keep nothing"));
        }
        let missing_scopes =
            self.scopes.iter().filter(|scope| !tokens.scopes.contains(scope)).cloned().collect();
        let account = said.account_uuid.filter(|text| text.len() <= MAX_WORD).map(Text::from);
        Ok(Installed { store, tokens, missing_scopes, account })
    }
}

impl InstallRequest {
    /// Reads the query of the app's address for installations, as it came: still encoded, without the question mark.
    ///
    /// # Errors
    /// `Auth` with code `callback_malformed` where it is no such query; `Config` where its store is none.
    pub fn parse(query: &str) -> Result<Self> {
        let query = CallbackQuery::parse(query, &["code", "scope", "context"])?;
        let scope = query.required("scope")?;
        let store = StoreHash::new(query.required("context")?)?;
        if scope.split_ascii_whitespace().count() > MAX_SCOPES {
            return Err(Error::new(
                ErrorKind::Auth,
                "callback_malformed",
                "the request asks for too many rights",
            ));
        }
        Ok(Self { code: Secret::new(query.required("code")?), scope: scope.into(), store })
    }

    /// The store that the query names: nothing proves it before the token is there.
    #[must_use]
    pub fn claimed_store(&self) -> &StoreHash {
        &self.store
    }
}

impl fmt::Debug for InstallRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InstallRequest").field("store", &self.store).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::StatusCode;

    use super::*;
    use crate::time::Timestamp;

    fn app() -> StoreApp {
        let app = App::new("id", Secret::new("hush")).unwrap();
        StoreApp::new(app, "https://app.example/auth", &["store_v2_products", "store_v2_information"])
            .unwrap()
    }

    const QUERY: &str =
        "code=c0de&scope=store_v2_products+store_v2_information&context=stores%2Fabc123&account_uuid=1";

    fn read(body: &str) -> Result<Installed> {
        let request = InstallRequest::parse(QUERY)?;
        let body = Bytes::copy_from_slice(body.as_bytes());
        app().read(&request, &TokenAnswer::new(StatusCode::OK, body, Timestamp::UNIX_EPOCH))
    }

    #[test]
    fn an_installation_asks_once_for_a_token_with_all_that_the_platform_wants() {
        let request = InstallRequest::parse(QUERY).unwrap();
        let asked = app().request(&request);
        let names: Vec<&str> = asked.fields.iter().map(|(name, _)| name.as_ref()).collect();
        let wanted = ["client_id", "client_secret", "code", "context", "scope", "grant_type", "redirect_uri"];
        assert_eq!(names, wanted);
        let value = |at: usize| asked.fields[at].1.expose().to_owned();
        assert_eq!(
            (value(3), value(4)),
            ("stores/abc123".to_owned(), "store_v2_products store_v2_information".to_owned())
        );
        assert_eq!((asked.repeat, asked.encoding), (TokenRepeat::Once, TokenEncoding::Json));
        assert!(!format!("{request:?} {asked:?}").contains("c0de"));
    }

    #[test]
    fn the_store_is_that_of_the_answer_and_a_changed_profile_is_told() {
        let good =
            r#"{"access_token":"t0k","scope":"store_v2_products","context":"stores/abc123","user":{"id":1}}"#;
        let installed = read(good).unwrap();
        assert_eq!(installed.store.as_str(), "abc123");
        assert_eq!(installed.tokens.access, Secret::new("t0k"));
        assert_eq!(installed.missing_scopes, ["store_v2_information"]);
        assert_eq!(installed.account, None);
        let other = read(&good.replace("abc123", "xyz")).unwrap_err();
        assert_eq!((other.kind(), other.code()), (ErrorKind::Auth, "install_store_mismatch"));
        assert!(!format!("{other:?}").contains("t0k"));
        assert!(read(&good.replace("stores/abc123", "../x")).is_err());
        assert!(read(r#"{"access_token":"t0k"}"#).is_err());
    }

    #[test]
    fn what_is_no_installation_is_refused() {
        for wrong in [
            "",
            "code=1",
            "code=1&scope=a",
            "code=&scope=a&context=stores/x",
            "code=1&code=2&scope=a&context=stores/x",
        ] {
            assert_eq!(InstallRequest::parse(wrong).unwrap_err().code(), "callback_malformed", "{wrong}");
        }
        assert_eq!(
            InstallRequest::parse("code=1&scope=a&context=X").unwrap_err().code(),
            "store_hash_unusable"
        );
        let app = App::new("id", Secret::new("hush")).unwrap();
        assert_eq!(
            StoreApp::new(app, "http://app.example/auth", &[]).unwrap_err().code(),
            "redirect_unusable"
        );
    }
}
