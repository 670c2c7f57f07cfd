//! First tokens: for a code, or for a session token.

use super::app::{ShopApp, read_answer};
use super::callback::Authorised;
use super::session::SessionToken;
use crate::auth::{TokenRepeat, TokenRequest, TokenSet};
use crate::error::{Error, ErrorKind, Result};
use crate::http::TokenClient;
use crate::model::Secret;

pub(super) const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
pub(super) const OFFLINE: &str = "urn:shopify:params:oauth:token-type:offline-access-token";
const ONLINE: &str = "urn:shopify:params:oauth:token-type:online-access-token";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";

/// For whom a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// For the app itself, with a refresh token: what a connector works with.
    Offline,
    /// For one person who uses the app, as long as the session lasts.
    Online,
}

impl ShopApp {
    /// Gets tokens for the code of a callback that was verified.
    ///
    /// The code is used up by the first request that arrives, so a lost answer means to authorise again.
    ///
    /// # Errors
    /// `Config` where the callback is of another shop; `Auth` where Shopify refuses the code or the app; what the
    /// transport gave.
    pub async fn exchange_code(&self, client: &TokenClient, authorised: &Authorised) -> Result<TokenSet> {
        self.must_be(authorised.shop())?;
        let request = self.code_request(authorised.code())?;
        client.send(&request, |answer| read_answer(answer, None)).await
    }

    /// Gets tokens for a session token that was verified.
    ///
    /// # Errors
    /// `Config` where the session is of another shop; `Auth` where Shopify refuses the session token or the app;
    /// what the transport gave.
    pub async fn exchange_session(
        &self,
        client: &TokenClient,
        session: &SessionToken,
        access: Access,
    ) -> Result<TokenSet> {
        self.must_be(session.shop())?;
        let request = self.session_request(session.secret(), access)?;
        client.send(&request, |answer| read_answer(answer, None)).await
    }

    fn code_request(&self, code: &Secret) -> Result<TokenRequest> {
        let request = self.signed()?.secret("code", code.clone()).field("expiring", "1");
        Ok(request.repeat(TokenRepeat::Once))
    }

    fn session_request(&self, session: &Secret, access: Access) -> Result<TokenRequest> {
        let kind = match access {
            Access::Offline => OFFLINE,
            Access::Online => ONLINE,
        };
        let request = self
            .signed()?
            .field("grant_type", EXCHANGE)
            .secret("subject_token", session.clone())
            .field("subject_token_type", ID_TOKEN)
            .field("requested_token_type", kind);
        // What an online token lives for is the session's own.
        Ok(match access {
            Access::Offline => request.field("expiring", "1"),
            Access::Online => request,
        })
    }

    fn must_be(&self, shop: &super::ShopDomain) -> Result<()> {
        if shop == self.shop() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Config, "shop_mismatch", "this is for another shop")
            .with_context("expected", self.shop().as_str())
            .with_context("found", shop.as_str()))
    }
}
