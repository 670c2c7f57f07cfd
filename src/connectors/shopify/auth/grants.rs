//! The ways in which an app in a shop gets its tokens anew.

use async_trait::async_trait;

use super::app::{ShopApp, read_answer};
use crate::auth::{TokenAnswer, TokenGrant, TokenRequest, TokenSet};
use crate::error::{Error, ErrorKind, Result};
use crate::time::Timestamp;

/// Gets a new pair with the refresh token, which is replaced each time.
///
/// Since 2026-08-28 Shopify takes the refresh token before the last one until the replacement is first used
/// (changelog, "More resilient refreshes for expiring offline access tokens", read 2026-11-22).
#[derive(Debug, Clone)]
pub struct RefreshGrant(ShopApp);

impl RefreshGrant {
    /// Refreshes the tokens of an app in a shop.
    #[must_use]
    pub fn new(app: ShopApp) -> Self {
        Self(app)
    }
}

#[async_trait]
impl TokenGrant for RefreshGrant {
    async fn request(&self, current: Option<&TokenSet>, _: Timestamp) -> Result<Option<TokenRequest>> {
        let current = current.ok_or_else(|| {
            Error::new(ErrorKind::Auth, "not_authorised", "there is no token of this shop")
                .with_context("shop", self.0.shop().as_str())
                .with_remedy("the merchant must open the app, so that it is authorised")
        })?;
        let Some(refresh) = current.refresh.clone() else { return Ok(None) };
        let request = self.0.signed()?.field("grant_type", "refresh_token").secret("refresh_token", refresh);
        Ok(Some(request))
    }

    fn read(&self, answer: &TokenAnswer, current: Option<&TokenSet>) -> Result<TokenSet> {
        read_answer(answer, current)
    }
}

/// Gets a token with the app's own credentials: for apps and stores of one organisation. It lives for a day and
/// has no refresh token, so the grant is asked for again.
#[derive(Debug, Clone)]
pub struct ClientCredentials(ShopApp);

impl ClientCredentials {
    /// Gets tokens for an app in a shop.
    #[must_use]
    pub fn new(app: ShopApp) -> Self {
        Self(app)
    }
}

#[async_trait]
impl TokenGrant for ClientCredentials {
    async fn request(&self, _: Option<&TokenSet>, _: Timestamp) -> Result<Option<TokenRequest>> {
        self.0.signed().map(|request| Some(request.field("grant_type", "client_credentials")))
    }

    fn read(&self, answer: &TokenAnswer, _: Option<&TokenSet>) -> Result<TokenSet> {
        read_answer(answer, None)
    }
}
