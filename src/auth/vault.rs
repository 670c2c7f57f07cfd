//! Where tokens are kept between two lives of a process, and between processes.

use std::fmt;

use async_trait::async_trait;

use super::{TokenSet, TokenSlot};
use crate::error::Result;
use crate::model::Text;
use crate::time::Timestamp;

/// How often a slot was written; it never goes back, also where its tokens are forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TokenVersion(pub u64);

/// What a slot holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenRecord {
    /// The tokens in use.
    pub current: TokenSet,
    /// The tokens that these replaced, until they were seen to work: a platform may still take them when the
    /// replacement never reached us whole.
    pub predecessor: Option<TokenSet>,
    /// A word of the connector about the slot, which every refresh keeps.
    pub mark: Option<Text>,
}

impl TokenRecord {
    /// Tokens without a past.
    #[must_use]
    pub fn new(current: TokenSet) -> Self {
        Self { current, predecessor: None, mark: None }
    }

    /// Sets the tokens that these replace.
    #[must_use]
    pub fn replacing(mut self, predecessor: Option<TokenSet>) -> Self {
        self.predecessor = predecessor;
        self
    }

    /// Sets the connector's word.
    #[must_use]
    pub fn marked(mut self, mark: Option<Text>) -> Self {
        self.mark = mark;
        self
    }
}

/// A slot as it was read: its version, and what it holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct StoredTokens {
    /// The version; zero where nothing was ever kept.
    pub version: TokenVersion,
    /// The record; none where nothing is kept (any more).
    pub record: Option<TokenRecord>,
}

impl StoredTokens {
    /// Describes what was read.
    #[must_use]
    pub fn new(version: TokenVersion, record: Option<TokenRecord>) -> Self {
        Self { version, record }
    }
}

/// What became of a [`TokenVault::replace`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replaced {
    /// It is kept, durably, as this version.
    Kept(TokenVersion),
    /// The slot has another version than the expected one by now: nothing was written.
    Moved,
}

/// Who refreshes a slot, and how long at most.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Claim {
    /// The holder, by a name that no other process has.
    pub holder: Text,
    /// Now, by our clock.
    pub now: Timestamp,
    /// When the claim ends by itself.
    pub until: Timestamp,
}

impl Claim {
    /// Describes a claim.
    #[must_use]
    pub fn new(holder: impl Into<Text>, now: Timestamp, until: Timestamp) -> Self {
        Self { holder: holder.into(), now, until }
    }
}

/// Keeps tokens durably, by slot: each write is a compare-and-swap on the slot's version.
#[async_trait]
pub trait TokenVault: fmt::Debug + Send + Sync + 'static {
    /// Reads a slot.
    ///
    /// # Errors
    /// `State` where it could not be read, `Config` where what is kept cannot be opened with the keys at hand.
    async fn load(&self, slot: &TokenSlot) -> Result<StoredTokens>;

    /// Writes a slot where it still has the expected version. When this answers, the record is durable.
    ///
    /// # Errors
    /// `State` where it could not be written, `Config` where there is no key to seal it with.
    async fn replace(
        &self,
        slot: &TokenSlot,
        expected: TokenVersion,
        record: TokenRecord,
    ) -> Result<Replaced>;

    /// Forgets what a slot holds, for good.
    ///
    /// # Errors
    /// `State` where it could not be written.
    async fn forget(&self, slot: &TokenSlot) -> Result<()>;

    /// Takes or renews the right to refresh a slot; `false` while another holder has it.
    ///
    /// It saves calls and is no guard: [`TokenVault::replace`] is. A vault without leases gives it to everybody.
    ///
    /// # Errors
    /// `State` where it could not be written.
    async fn claim(&self, slot: &TokenSlot, claim: &Claim) -> Result<bool> {
        let _ = (slot, claim);
        Ok(true)
    }

    /// Gives the right back, where the holder still has it.
    ///
    /// # Errors
    /// `State` where it could not be written.
    async fn unclaim(&self, slot: &TokenSlot, holder: &str) -> Result<()> {
        let _ = (slot, holder);
        Ok(())
    }
}
