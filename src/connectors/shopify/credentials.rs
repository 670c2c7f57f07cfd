//! Where a store's tokens come from: what the settings give, and the authenticator that a runtime makes of it.

use std::mem::discriminant;
use std::sync::Arc;

use super::auth::{
    ClientCredentials, RefreshGrant, ShopApp, ShopDomain, app_slot, offline_slot, refreshing_token,
    static_token,
};
use crate::auth::{App, Authenticator, Origin, TokenGrant, TokenSlot, TokenVault};
use crate::error::{Error, ErrorKind, Result};
use crate::http::TokenClient;
use crate::model::Secret;
use crate::runtime::Runtime;
use crate::state::{MemoryState, StateVault};

/// What a builder was given, at most one of each kind: the last.
#[derive(Debug, Clone, Default)]
pub(super) struct Given {
    ways: Vec<Way>,
    vault: Option<Arc<dyn TokenVault>>,
}

/// One way to a token.
#[derive(Debug, Clone)]
pub(super) enum Way {
    /// A token that does not change.
    Token(Secret),
    /// An authenticator of the application's.
    Authenticator(Arc<dyn Authenticator>),
    /// The credentials of an app of the shop's own organisation.
    ClientCredentials(App),
    /// The tokens of a vault, refreshed by an app.
    Refreshed(App, Arc<dyn TokenVault>),
}

impl Given {
    pub(super) fn way(&mut self, way: Way) {
        self.ways.retain(|known| discriminant(known) != discriminant(&way));
        self.ways.push(way);
    }

    pub(super) fn vault(&mut self, vault: Arc<dyn TokenVault>) {
        self.vault = Some(vault);
    }

    /// The one way that was given.
    ///
    /// # Errors
    /// `Config` where none was, or several, or a vault that nothing would be kept in.
    pub(super) fn credentials(
        self,
        tenant: &str,
        shop: &ShopDomain,
        origin: &Origin,
        is_elsewhere: bool,
    ) -> Result<Credentials> {
        let mut ways = self.ways.into_iter();
        let way = ways.next().ok_or_else(missing)?;
        if ways.next().is_some() {
            return Err(contradictory(
                "a store takes one kind of credentials, and the settings give several",
            ));
        }
        let granted = |app: App, slot, grant: fn(ShopApp) -> Arc<dyn TokenGrant>, vault| {
            let app = ShopApp::new(app, shop.clone());
            let app = if is_elsewhere { app.at(origin.clone()) } else { app };
            Credentials::Granted(Box::new(Granted { grant: grant(app.clone()), app, slot, vault }))
        };
        Ok(match (way, self.vault) {
            (Way::ClientCredentials(app), vault) => {
                let vault = vault.unwrap_or_else(|| Arc::new(StateVault::new(Arc::new(MemoryState::new()))));
                let grant = |app| Arc::new(ClientCredentials::new(app)) as Arc<dyn TokenGrant>;
                granted(app, app_slot(tenant, shop), grant, vault)
            }
            (_, Some(_)) => {
                return Err(contradictory("the setting vault goes with the setting client_credentials"));
            }
            (Way::Token(token), None) if token.is_empty() => return Err(missing()),
            (Way::Token(token), None) => Credentials::Ready(Arc::new(static_token(origin.clone(), &token)?)),
            (Way::Authenticator(authenticator), None) => Credentials::Ready(authenticator),
            (Way::Refreshed(app, vault), None) => {
                let grant = |app| Arc::new(RefreshGrant::new(app)) as Arc<dyn TokenGrant>;
                granted(app, offline_slot(tenant, shop), grant, vault)
            }
        })
    }
}

/// The one way to a token, with all that it needs but a runtime.
#[derive(Debug, Clone)]
pub(super) enum Credentials {
    /// It is ready, whatever runtime it is used with.
    Ready(Arc<dyn Authenticator>),
    /// The tokens of an app, got by a grant and kept in a vault.
    Granted(Box<Granted>),
}

#[derive(Debug, Clone)]
pub(super) struct Granted {
    app: ShopApp,
    slot: TokenSlot,
    grant: Arc<dyn TokenGrant>,
    vault: Arc<dyn TokenVault>,
}

impl Credentials {
    /// The authenticator, which sends through the runtime what it must; nothing is sent here.
    pub(super) fn open(&self, runtime: &Runtime, private_hosts: bool) -> Result<Arc<dyn Authenticator>> {
        match self {
            Self::Ready(authenticator) => Ok(Arc::clone(authenticator)),
            Self::Granted(granted) => {
                let Granted { app, slot, grant, vault } = granted.as_ref();
                let client = TokenClient::new(runtime.shared().clone(), slot.store.clone())
                    .private_hosts(private_hosts);
                let token =
                    refreshing_token(app, client, slot.clone(), Arc::clone(grant), Arc::clone(vault))?;
                Ok(Arc::new(token.build()?))
            }
        }
    }
}

fn missing() -> Error {
    Error::new(
        ErrorKind::Config,
        "setting_missing",
        "no credentials are set: access_token, client_credentials or refreshed_tokens",
    )
    .with_remedy("install the app in the shop, or copy the Admin API token of a custom app")
}

fn contradictory(what: &'static str) -> Error {
    Error::new(ErrorKind::Config, "settings_contradictory", what).with_remedy("leave out what is not meant")
}
