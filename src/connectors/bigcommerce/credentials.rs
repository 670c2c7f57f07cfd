//! Where a store's token comes from: what the settings give, and the authenticator that a runtime makes of it.

use std::mem::discriminant;
use std::sync::Arc;

use super::auth::{Reinstall, TOKEN_HEADER, app_slot};
use super::config::StoreHash;
use crate::auth::{Authenticator, HeaderKey, Origin, TokenHeader, TokenSlot, TokenVault};
use crate::error::{Error, ErrorKind, Result};
use crate::http::{RefreshingToken, TokenClient};
use crate::model::Secret;
use crate::runtime::Runtime;

/// What a builder was given, at most one of each kind: the last.
#[derive(Debug, Clone, Default)]
pub(super) struct Given {
    ways: Vec<Way>,
}

/// One way to a token.
#[derive(Debug, Clone)]
pub(super) enum Way {
    /// A token that does not change.
    Token(Secret),
    /// An authenticator of the application's.
    Authenticator(Arc<dyn Authenticator>),
    /// The token of a vault.
    Installed(Arc<dyn TokenVault>),
}

impl Given {
    pub(super) fn way(&mut self, way: Way) {
        self.ways.retain(|known| discriminant(known) != discriminant(&way));
        self.ways.push(way);
    }

    /// The one way that was given.
    ///
    /// # Errors
    /// `Config` where none was, or several.
    pub(super) fn credentials(self, tenant: &str, hash: &StoreHash, origin: &Origin) -> Result<Credentials> {
        let mut ways = self.ways.into_iter();
        let way = ways.next().ok_or_else(missing)?;
        if ways.next().is_some() {
            return Err(Error::new(
                ErrorKind::Config,
                "settings_contradictory",
                "a store takes one kind of credentials, and the settings give several",
            )
            .with_remedy("leave out what is not meant"));
        }
        Ok(match way {
            Way::Token(token) if token.is_empty() => return Err(missing()),
            Way::Token(token) => {
                Credentials::Ready(Arc::new(HeaderKey::new(origin.clone(), TOKEN_HEADER, &token)?))
            }
            Way::Authenticator(authenticator) => Credentials::Ready(authenticator),
            Way::Installed(vault) => Credentials::Installed { slot: app_slot(tenant, hash), vault },
        })
    }
}

/// The one way to a token, with all that it needs but a runtime.
#[derive(Debug, Clone)]
pub(super) enum Credentials {
    /// It is ready, whatever runtime it is used with.
    Ready(Arc<dyn Authenticator>),
    /// The token of an app, which the vault got when the merchant installed it.
    Installed { slot: TokenSlot, vault: Arc<dyn TokenVault> },
}

impl Credentials {
    /// The authenticator; nothing is sent here.
    pub(super) fn open(
        &self,
        runtime: &Runtime,
        origin: &Origin,
        private_hosts: bool,
    ) -> Result<Arc<dyn Authenticator>> {
        match self {
            Self::Ready(authenticator) => Ok(Arc::clone(authenticator)),
            Self::Installed { slot, vault } => {
                let client = TokenClient::new(runtime.shared().clone(), slot.store.clone())
                    .private_hosts(private_hosts);
                let builder = RefreshingToken::builder(
                    client,
                    origin.clone(),
                    slot.clone(),
                    Arc::new(Reinstall),
                    Arc::clone(vault),
                );
                Ok(Arc::new(builder.header(TokenHeader::Named(TOKEN_HEADER)).build()?))
            }
        }
    }
}

fn missing() -> Error {
    Error::new(ErrorKind::Config, "setting_missing", "no credentials are set: access_token or installed")
        .with_remedy(
            "make an API account in the store's control panel under Settings, API, or install the app",
        )
}
