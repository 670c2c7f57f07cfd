//! An app in a shop, and the requests that its credentials go into.

use crate::auth::{App, Origin, TokenAnswer, TokenRequest, TokenSet, read_token_answer};
use crate::error::{Error, ErrorKind, Result};

use super::ShopDomain;

/// Where a shop gives tokens, for every grant.
const TOKEN_PATH: &str = "admin/oauth/access_token";

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
        Ok(TokenRequest::new(self.origin()?, TOKEN_PATH).field("client_id", self.app.client_id()))
    }

    /// A request with the app's id and secret.
    pub(super) fn signed(&self) -> Result<TokenRequest> {
        Ok(self.unsigned()?.secret("client_secret", self.app.secret().clone()))
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
