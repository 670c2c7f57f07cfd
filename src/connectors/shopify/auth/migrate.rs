//! From a permanent token to one that expires: once a shop, and never back.

use super::app::{ShopApp, read_answer};
use super::exchange::{EXCHANGE, OFFLINE};
use crate::auth::{Replaced, StoredTokens, TokenRecord, TokenRequest, TokenSet, TokenSlot, TokenVault};
use crate::error::{Error, ErrorKind, Result};
use crate::http::TokenClient;
use crate::model::Secret;

use super::ShopDomain;

/// The mark of a slot whose migration was begun, and that of one where it was done.
const BEGUN: &str = "migration_begun";
const DONE: &str = "migrated";

/// Says that somebody knows what a migration does to one shop: its permanent token stops working for good.
#[derive(Debug)]
pub struct MigrateForGood {
    shop: ShopDomain,
}

impl MigrateForGood {
    /// Confirms that this shop's permanent token may be given up.
    #[must_use]
    pub fn confirmed_for(shop: ShopDomain) -> Self {
        Self { shop }
    }
}

impl ShopApp {
    /// Exchanges the permanent token in a slot for a pair that expires, and keeps the pair there.
    ///
    /// That it was begun is durable before Shopify is asked, and that it was done is durable with the pair. So it
    /// is done once a shop; and where the answer was lost, the same call asks for it again: Shopify gives the same
    /// pair to the old token for seven days (changelog, "More resilient token exchanges when migrating tokens
    /// without a user session", read 2026-11-22).
    ///
    /// # Errors
    /// `Config` with code `migration_done` where it was done before, `migration_nothing` where the slot holds no
    /// permanent token, and `shop_mismatch` where another shop was confirmed; `State` where the vault fails or
    /// another process was faster; `Auth` where Shopify refuses the token; what the transport gave.
    pub async fn migrate(
        &self,
        client: &TokenClient,
        vault: &dyn TokenVault,
        slot: &TokenSlot,
        confirmed: MigrateForGood,
    ) -> Result<TokenSet> {
        if confirmed.shop != *self.shop() || slot.store.account.as_str() != self.shop().as_str() {
            return Err(Error::new(ErrorKind::Config, "shop_mismatch", "another shop was confirmed")
                .with_context("expected", self.shop().as_str())
                .with_context("found", confirmed.shop.as_str()));
        }
        let stored = vault.load(slot).await?;
        let permanent = permanent_of(&stored)?.clone();
        let begun = TokenRecord::new(permanent.clone()).marked(Some(BEGUN.into()));
        let version = match vault.replace(slot, stored.version, begun).await? {
            Replaced::Kept(version) => version,
            Replaced::Moved => return Err(moved()),
        };
        let request = self.migration_request(&permanent.access)?;
        let tokens = client.send(&request, |answer| read_answer(answer, None)).await?;
        if tokens.refresh.is_none() || tokens.expires_at.is_none() {
            return Err(Error::new(
                ErrorKind::Protocol,
                "migration_unfinished",
                "Shopify answered the migration with a token that does not expire",
            )
            .with_remedy("call it again; nothing was lost"));
        }
        let done = TokenRecord::new(tokens.clone()).replacing(Some(permanent)).marked(Some(DONE.into()));
        match vault.replace(slot, version, done).await? {
            Replaced::Kept(_) => Ok(tokens),
            Replaced::Moved => Err(moved()),
        }
    }

    fn migration_request(&self, permanent: &Secret) -> Result<TokenRequest> {
        Ok(self
            .signed()?
            .field("grant_type", EXCHANGE)
            .secret("subject_token", permanent.clone())
            .field("subject_token_type", OFFLINE)
            .field("requested_token_type", OFFLINE)
            .field("expiring", "1"))
    }
}

fn permanent_of(stored: &StoredTokens) -> Result<&TokenSet> {
    match &stored.record {
        Some(record) if record.mark.as_deref() == Some(DONE) => {
            Err(Error::new(ErrorKind::Config, "migration_done", "the shop's token was migrated already")
                .with_remedy("use the tokens that are kept; they are refreshed by themselves"))
        }
        Some(record) if record.current.refresh.is_none() && record.current.expires_at.is_none() => {
            Ok(&record.current)
        }
        _ => Err(Error::new(ErrorKind::Config, "migration_nothing", "the slot holds no permanent token")
            .with_remedy("keep the permanent token in the slot first")),
    }
}

fn moved() -> Error {
    Error::new(ErrorKind::State, "tokens_moved", "the slot's tokens were replaced meanwhile")
        .with_remedy("read the slot again: another process may have migrated it")
}
