//! A vault on top of the state.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Op, StateStore, Unit};
use crate::auth::{Claim, Replaced, StoredTokens, TokenRecord, TokenSlot, TokenVault, TokenVersion};
use crate::error::Result;

/// Keeps tokens in a [`StateStore`], one unit a write.
///
/// What is durable seals them: `SqliteState` takes its keys by `with_keys`, and refuses tokens without any.
#[derive(Debug, Clone)]
pub struct StateVault(Arc<dyn StateStore>);

impl StateVault {
    /// Keeps tokens in this state.
    #[must_use]
    pub fn new(state: Arc<dyn StateStore>) -> Self {
        Self(state)
    }

    async fn commit(&self, slot: &TokenSlot, op: Op) -> Result<()> {
        self.0.commit(&slot.store, Unit::new(vec![op])).await
    }

    /// `false` where the state refuses it with this code.
    async fn unless(&self, slot: &TokenSlot, op: Op, code: &str) -> Result<bool> {
        match self.commit(slot, op).await {
            Ok(()) => Ok(true),
            Err(error) if error.code() == code => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl TokenVault for StateVault {
    async fn load(&self, slot: &TokenSlot) -> Result<StoredTokens> {
        self.0.tokens(&slot.store, &slot.name).await
    }

    async fn replace(
        &self,
        slot: &TokenSlot,
        expected: TokenVersion,
        record: TokenRecord,
    ) -> Result<Replaced> {
        let op = Op::ReplaceTokens { slot: slot.name.clone(), expected, record: Box::new(record) };
        let kept = self.unless(slot, op, "tokens_moved").await?;
        Ok(if kept { Replaced::Kept(TokenVersion(expected.0 + 1)) } else { Replaced::Moved })
    }

    async fn forget(&self, slot: &TokenSlot) -> Result<()> {
        self.commit(slot, Op::ForgetTokens { slot: Some(slot.name.clone()) }).await
    }

    async fn claim(&self, slot: &TokenSlot, claim: &Claim) -> Result<bool> {
        let op = Op::ClaimTokens { slot: slot.name.clone(), claim: claim.clone() };
        self.unless(slot, op, "tokens_claimed").await
    }

    async fn unclaim(&self, slot: &TokenSlot, holder: &str) -> Result<()> {
        self.commit(slot, Op::UnclaimTokens { slot: slot.name.clone(), holder: holder.into() }).await
    }
}
