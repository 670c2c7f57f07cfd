//! Shopify's ways to a token, and the checks of what it sends with them.
//!
//! A connector that works for months takes [`RefreshGrant`], whose first tokens come from
//! [`ShopApp::exchange_session`] (apps inside the admin) or [`ShopApp::exchange_code`] (others). An app of the
//! store's own organisation takes [`ClientCredentials`]. Who has a permanent token of an old custom app uses
//! [`static_token`], and [`ShopApp::migrate`] leads away from one.
//!
//! Facts: shopify.dev, "Authentication and authorization", and the code of shopify-app-js, read 2026-11-22.

mod app;
mod assertion;
mod callback;
mod domain;
mod exchange;
mod grants;
mod migrate;
mod refusal;
mod session;

use std::sync::Arc;

use http::HeaderName;

use crate::auth::{HeaderKey, Origin, TokenGrant, TokenHeader, TokenSlot, TokenVault};
use crate::error::{Error, ErrorKind, Result};
use crate::http::{RefreshingToken, RefreshingTokenBuilder, TokenClient};
use crate::model::{Secret, StoreKey};

pub use app::ShopApp;
pub use assertion::{AssertionSource, ClientAssertion};
pub use callback::{Authorised, Callback, authorise_url, new_state};
pub use domain::ShopDomain;
pub use exchange::Access;
pub use grants::{ClientCredentials, RefreshGrant};
pub use migrate::MigrateForGood;
pub use refusal::permanent_token_refused;
pub use session::SessionToken;

/// The header that a token goes in.
pub const TOKEN_HEADER: HeaderName = HeaderName::from_static("x-shopify-access-token");

/// The slot of a shop's offline tokens.
const OFFLINE_SLOT: &str = "offline";
/// The slot of what the app's own credentials got.
const APP_SLOT: &str = "app";

/// Where a vault keeps the offline tokens of a tenant's shop.
#[must_use]
pub fn offline_slot(tenant: &str, shop: &ShopDomain) -> TokenSlot {
    TokenSlot::new(StoreKey::new(tenant, super::PLATFORM, shop.as_str()), OFFLINE_SLOT)
}

/// Where a vault keeps what [`ClientCredentials`] got for a tenant's shop: apart from offline tokens, whose refresh
/// token it would overwrite.
#[must_use]
pub fn app_slot(tenant: &str, shop: &ShopDomain) -> TokenSlot {
    TokenSlot::new(StoreKey::new(tenant, super::PLATFORM, shop.as_str()), APP_SLOT)
}

/// An authenticator with a token that does not change. It needs no vault.
///
/// # Errors
/// `Config` where the token cannot be a header, or the origin is plain http to another machine.
pub fn static_token(origin: Origin, token: &Secret) -> Result<HeaderKey> {
    HeaderKey::new(origin, TOKEN_HEADER, token)
}

/// An authenticator whose tokens are got by a grant and kept in a vault.
///
/// # Errors
/// `Config` where the shop's domain is none, and with code `shop_mismatch` where the slot is another shop's.
pub fn refreshing_token(
    app: &ShopApp,
    client: TokenClient,
    slot: TokenSlot,
    grant: Arc<dyn TokenGrant>,
    vault: Arc<dyn TokenVault>,
) -> Result<RefreshingTokenBuilder> {
    if slot.store.account.as_str() != app.shop().as_str() {
        return Err(Error::new(ErrorKind::Config, "shop_mismatch", "the slot is that of another shop")
            .with_context("expected", app.shop().as_str())
            .with_context("found", slot.store.account.as_str())
            .with_remedy("take offline_slot() of the app's own shop"));
    }
    let builder = RefreshingToken::builder(client, app.origin()?, slot, grant, vault);
    Ok(builder.header(TokenHeader::Named(TOKEN_HEADER)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::App;
    use crate::runtime::Runtime;
    use crate::state::{MemoryState, StateVault};

    #[test]
    fn the_tokens_of_another_shop_are_not_taken() {
        let shop = |name: &str| ShopDomain::new(name).unwrap();
        let app = ShopApp::new(App::new("id", Secret::new("s")).unwrap(), shop("a.myshopify.com"));
        let runtime = Runtime::new();
        let open = |slot: TokenSlot| {
            let client = TokenClient::new(runtime.shared().clone(), slot.store.clone());
            let vault = Arc::new(StateVault::new(Arc::new(MemoryState::new())));
            let grant = Arc::new(RefreshGrant::new(app.clone()));
            refreshing_token(&app, client, slot, grant, vault).map(drop)
        };
        open(offline_slot("tenant", &shop("a.myshopify.com"))).unwrap();
        let error = open(offline_slot("tenant", &shop("b.myshopify.com"))).unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Config, "shop_mismatch"));
    }
}
