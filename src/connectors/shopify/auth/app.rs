//! An app as Shopify knows it, and the requests that its credentials go into.

use std::fmt;

use crate::auth::{Origin, TokenAnswer, TokenRequest, TokenSet, read_token_answer};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Secret, Text};

use super::ShopDomain;

/// Where a shop gives tokens, for every grant.
const TOKEN_PATH: &str = "admin/oauth/access_token";

/// An app: its client id, its client secret, and the secret before that one while Shopify still signs with it.
#[derive(Clone)]
pub struct App {
    client_id: Text,
    secret: Secret,
    old_secret: Option<Secret>,
}

impl App {
    /// Names an app.
    ///
    /// # Errors
    /// `Config` where the id or the secret is empty, or the id is no word.
    pub fn new(client_id: impl Into<Text>, secret: Secret) -> Result<Self> {
        let client_id = client_id.into();
        let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if client_id.is_empty() || client_id.len() > 128 || !client_id.bytes().all(word) || secret.is_empty()
        {
            return Err(Error::new(
                ErrorKind::Config,
                "app_unusable",
                "an app is given by its client id and its client secret",
            )
            .with_remedy("copy both from the app's settings"));
        }
        Ok(Self { client_id, secret, old_secret: None })
    }

    /// Also takes what the secret before a rotation signed.
    #[must_use]
    pub fn old_secret(mut self, secret: Secret) -> Self {
        self.old_secret = Some(secret).filter(|secret| !secret.is_empty());
        self
    }

    /// The client id.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The secrets that signatures are verified with.
    pub(super) fn secrets(&self) -> Vec<Secret> {
        std::iter::once(&self.secret).chain(&self.old_secret).cloned().collect()
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

/// An app in a shop: what token requests are made of.
#[derive(Debug, Clone)]
pub struct ShopApp {
    app: App,
    shop: ShopDomain,
    /// Where requests go instead of the shop, for a server that stands in for it.
    instead: Option<Origin>,
}

impl ShopApp {
    /// An app in a shop.
    #[must_use]
    pub fn new(app: App, shop: ShopDomain) -> Self {
        Self { app, shop, instead: None }
    }

    /// Sends the shop's requests to another address, such as a fake on this machine. The credentials go there.
    #[must_use]
    pub fn at(mut self, origin: Origin) -> Self {
        self.instead = Some(origin);
        self
    }

    /// The app.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.app
    }

    /// The shop.
    #[must_use]
    pub fn shop(&self) -> &ShopDomain {
        &self.shop
    }

    /// Where the shop's admin stands; its domain is checked anew each time.
    ///
    /// # Errors
    /// `Config` where the domain is none.
    pub fn origin(&self) -> Result<Origin> {
        let shop = self.shop.origin()?;
        Ok(self.instead.clone().unwrap_or(shop))
    }

    /// A request with the app's id, and without its secret.
    pub(super) fn unsigned(&self) -> Result<TokenRequest> {
        Ok(TokenRequest::new(self.origin()?, TOKEN_PATH).field("client_id", self.app.client_id.as_str()))
    }

    /// A request with the app's id and secret.
    pub(super) fn signed(&self) -> Result<TokenRequest> {
        Ok(self.unsigned()?.secret("client_secret", self.app.secret.clone()))
    }
}

/// Reads an answer of the token endpoint.
///
/// What Shopify says of a session token that it does not take is a word of its own, beside those of OAuth.
pub(super) fn read_answer(answer: &TokenAnswer, current: Option<&TokenSet>) -> Result<TokenSet> {
    read_token_answer(answer, current).map_err(|error| {
        let said: Option<Said> = serde_json::from_slice(&answer.body).ok();
        if answer.status.is_client_error()
            && said.is_some_and(|said| said.error.as_deref() == Some("invalid_subject_token"))
        {
            Error::new(
                ErrorKind::Auth,
                "session_token_refused",
                "Shopify did not take the session token, or the old token, that others were asked for with",
            )
            .with_context("status", answer.status.as_str())
            .with_remedy("get a fresh session token from the app's page in the admin; it lives for a minute")
        } else {
            error
        }
    })
}

#[derive(serde::Deserialize)]
struct Said {
    error: Option<String>,
}
