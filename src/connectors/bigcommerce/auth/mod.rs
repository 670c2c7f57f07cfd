//! BigCommerce's ways to a token, and the checks of what it sends a merchant's browser with.
//!
//! A store-level API account has a token that never changes. An app gets one for each store that installs it
//! ([`StoreApp::install`]), and is told by signed tokens who opens it, removes it or leaves it ([`SignedCallback`]). A
//! token does not end with time; it is over when the merchant allows the app anew, after which the platform sends the
//! browser to the app again.
//!
//! Facts: bigcommerce/docs at 24f580ca (2026-04-01), "Single-click apps: auth" and "callbacks", read 2026-11-22.

mod install;
mod signed;

use async_trait::async_trait;
use http::HeaderName;

pub use install::{InstallRequest, Installed, StoreApp};
pub use signed::SignedCallback;

use super::config::StoreHash;
use crate::auth::{TokenAnswer, TokenGrant, TokenRequest, TokenSet, TokenSlot, read_token_answer};
use crate::error::{Error, ErrorKind, Result};
use crate::model::StoreKey;
use crate::time::Timestamp;

/// The header that a token goes in.
pub const TOKEN_HEADER: HeaderName = HeaderName::from_static("x-auth-token");

/// Where a vault keeps the token of an app in a tenant's store.
#[must_use]
pub fn app_slot(tenant: &str, store: &StoreHash) -> TokenSlot {
    TokenSlot::new(StoreKey::new(tenant, super::PLATFORM, store.as_str()), "app")
}

/// The way to another token that is none: only the merchant can give one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reinstall;

#[async_trait]
impl TokenGrant for Reinstall {
    async fn request(&self, current: Option<&TokenSet>, _: Timestamp) -> Result<Option<TokenRequest>> {
        match current {
            Some(_) => Ok(None),
            None => Err(Error::new(ErrorKind::Auth, "not_installed", "there is no token of this store")
                .with_remedy("the merchant must install the app, or open it again")),
        }
    }

    fn read(&self, answer: &TokenAnswer, current: Option<&TokenSet>) -> Result<TokenSet> {
        read_token_answer(answer, current)
    }
}
