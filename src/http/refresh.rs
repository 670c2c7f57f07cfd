//! The refresh of a slot's tokens, so that nobody is ever locked out.
//!
//! Its order is the whole of its safety. What is stored is compared with what was refused before any call, since
//! another process may have been there. The new pair is durable before its first use, since a platform takes the
//! old refresh token until then and no longer; one that could not be kept is written again before the platform is
//! asked again. The old pair is kept until the new one was seen to work, since the
//! new one may be void when two got one at a time. A write of the vault is a compare-and-swap: who comes second
//! uses what the first one stored, and lets go of its own. The claim only saves calls.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderValue;

use super::token_client::TokenClient;
use crate::auth::{
    Claim, GRANT_REFUSED, Replaced, StoredTokens, TokenGrant, TokenHeader, TokenRecord, TokenSet, TokenSlot,
    TokenVault, TokenVersion,
};
use crate::error::{Effect, Error, ErrorKind, Result, Retry};
use crate::model::Text;
use crate::time::{Timestamp, within};

/// How long a process may refresh a slot before another one goes ahead: longer than [`EXCHANGE`] and the writes.
const CLAIM: Duration = Duration::from_secs(60);
/// How long the platform is asked within one claim, all attempts and the predecessor's turn included.
const EXCHANGE: Duration = Duration::from_secs(50);
/// The waits before a pair that could not be kept is written again, within the claim.
const WRITE_AGAIN: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];
/// How long a pair that could not be kept stands before a new question to the platform. Where a platform takes the
/// old refresh token no more, that pair is all there is.
const PENDING_HOLDS: Duration = Duration::from_secs(3600);
/// Between two looks at a slot that another process refreshes.
const LOOK: Duration = Duration::from_millis(500);
/// How long a token that still works is used after a failed early refresh.
const EARLY_AGAIN: Duration = Duration::from_secs(30);
/// How long a refusal for good is believed without asking again, while the vault holds the same tokens.
const REFUSAL_HOLDS: Duration = Duration::from_secs(300);
/// How often the slot may move under a refresh.
const ROUNDS: u32 = 4;

/// The code of the error that there is nothing to get other tokens with.
pub(super) const NOT_RENEWABLE: &str = "token_not_renewable";

/// What refreshes a slot, and what it knows of it.
pub(super) struct Refresher {
    pub(super) client: TokenClient,
    pub(super) slot: TokenSlot,
    pub(super) grant: Arc<dyn TokenGrant>,
    pub(super) vault: Arc<dyn TokenVault>,
    pub(super) header: TokenHeader,
    pub(super) early: Duration,
    /// A name that no other process has.
    pub(super) holder: Text,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    held: Option<Arc<Held>>,
    /// Until when nobody tries to refresh early again.
    early_again: Duration,
    /// What the platform refused for good: the version, why, and until when that is believed.
    refused: Option<(TokenVersion, Error, Duration)>,
    /// Until when nobody drops the predecessor again.
    confirm_again: Duration,
    /// What the platform gave and the vault has not taken yet. It is not used before the vault has it.
    pending: Option<Pending>,
}

/// A record that waits for its place in the vault.
#[derive(Clone)]
struct Pending {
    /// The version that it replaces.
    over: TokenVersion,
    record: TokenRecord,
    /// Until when it is written before the platform is asked.
    until: Duration,
}

/// Tokens in use.
pub(super) struct Held {
    pub(super) version: TokenVersion,
    pub(super) record: TokenRecord,
    pub(super) header: HeaderValue,
    /// Whether this process had them from the platform.
    pub(super) fetched: bool,
}

/// What a refresh is for.
#[derive(Clone)]
pub(super) enum Want {
    /// Tokens that are not due.
    Fresh,
    /// Other tokens than those of this header.
    Instead(HeaderValue),
}

impl Refresher {
    pub(super) fn new(
        client: TokenClient,
        slot: TokenSlot,
        grant: Arc<dyn TokenGrant>,
        vault: Arc<dyn TokenVault>,
        holder: Text,
    ) -> Self {
        let early = Duration::from_secs(300);
        let header = TokenHeader::Bearer;
        Self { client, slot, grant, vault, header, early, holder, known: Mutex::default() }
    }

    /// What can be used at once, without any wait.
    pub(super) fn at_hand(&self) -> Option<Arc<Held>> {
        let clock = self.client.shared().clock();
        let known = self.known();
        let held = known.held.as_ref()?;
        let fresh = !self.is_due(&held.record.current, clock.now());
        let waits = clock.elapsed() < known.early_again && !held.record.current.is_expired(clock.now());
        (fresh || waits).then(|| Arc::clone(held))
    }

    /// The tokens in use, due or not, while they have not ended.
    pub(super) fn unexpired(&self) -> Option<Arc<Held>> {
        let now = self.client.shared().clock().now();
        self.known().held.as_ref().filter(|held| !held.record.current.is_expired(now)).map(Arc::clone)
    }

    pub(super) fn held(&self) -> Option<Arc<Held>> {
        self.known().held.as_ref().map(Arc::clone)
    }

    /// Gets tokens that are wanted: from the vault, or from the platform and then through the vault.
    pub(super) async fn renew(&self, want: &Want) -> Result<Arc<Held>> {
        let elapsed = || self.client.shared().clock().elapsed();
        for _ in 0..ROUNDS {
            let stored = self.vault.load(&self.slot).await?;
            // Compare before call: another process may have been there.
            if let Some(held) = self.adopt_if_wanted(&stored, want)? {
                return Ok(held);
            }
            match self.write_pending(stored.version).await {
                // The slot moved: it is read again.
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => {
                    self.known().early_again = elapsed().saturating_add(EARLY_AGAIN);
                    return self.or_unexpired(&stored, want, error);
                }
            }
            if let Some(error) = self.still_refused(stored.version) {
                return self.or_unexpired(&stored, want, error);
            }
            let stored = match self.claimed(want).await? {
                Claimed::Ours(stored) => stored,
                Claimed::Done(held) => return Ok(held),
            };
            let done = self.exchange(&stored, want).await;
            // A claim that cannot be given back ends by itself.
            drop(self.vault.unclaim(&self.slot, &self.holder).await);
            match done {
                Ok(Some(held)) => return Ok(held),
                // The slot moved, and not to what is wanted.
                Ok(None) => {}
                Err(error) => {
                    self.known().early_again = elapsed().saturating_add(EARLY_AGAIN);
                    tracing::warn!(store = %self.slot.store, slot = %self.slot.name, code = error.code(), "tokens not refreshed");
                    return self.or_unexpired(&stored, want, error);
                }
            }
        }
        Err(Error::new(ErrorKind::State, "tokens_moved", "the slot's tokens were replaced over and over")
            .with_retry(Retry::Later))
    }

    /// Waits for the right to refresh, and looks whether the holder before did it. Who has waited for as long as
    /// a claim lasts goes ahead without: its holder is gone, or its clock is wrong.
    async fn claimed(&self, want: &Want) -> Result<Claimed> {
        let clock = self.client.shared().clock();
        let since = clock.elapsed();
        loop {
            let now = clock.now();
            let claim = Claim::new(self.holder.clone(), now, now.saturating_add(CLAIM));
            let ours = self.vault.claim(&self.slot, &claim).await?;
            let stored = self.vault.load(&self.slot).await?;
            if let Some(held) = self.adopt_if_wanted(&stored, want)? {
                if ours {
                    drop(self.vault.unclaim(&self.slot, &self.holder).await);
                }
                return Ok(Claimed::Done(held));
            }
            if ours || clock.elapsed().saturating_sub(since) >= CLAIM {
                return Ok(Claimed::Ours(Box::new(stored)));
            }
            if let Some(held) = self.usable(&stored, want)? {
                // It still works, so nobody has to wait for the other process.
                self.known().early_again = clock.elapsed().saturating_add(LOOK);
                return Ok(Claimed::Done(held));
            }
            clock.sleep(LOOK).await;
        }
    }

    /// Asks the platform, and keeps its answer; `None` where the slot moved to something that is not wanted.
    async fn exchange(&self, stored: &StoredTokens, want: &Want) -> Result<Option<Arc<Held>>> {
        let record = stored.record.as_ref();
        let current = record.map(|record| &record.current);
        let until = self.client.shared().clock().elapsed().saturating_add(EXCHANGE);
        let refused = match self.obtain(current, until).await {
            Ok(Some(tokens)) => return self.keep(stored, tokens, current, want).await,
            Ok(None) => return Err(not_renewable()),
            Err(error) if is_refusal(&error) => error,
            Err(error) => return Err(error),
        };
        // Another process may have used the token up meanwhile.
        let again = self.vault.load(&self.slot).await?;
        if again.version != stored.version {
            return self.adopt_if_wanted(&again, want);
        }
        let predecessor = record.and_then(|record| record.predecessor.as_ref());
        if let Some(predecessor) = predecessor {
            match self.obtain(Some(predecessor), until).await {
                Ok(Some(tokens)) => return self.keep(stored, tokens, Some(predecessor), want).await,
                Ok(None) => {}
                Err(error) if is_refusal(&error) => {}
                Err(error) => return Err(error),
            }
        }
        // What is about the app, or its way here, may be mended without new tokens.
        if refused.code() == GRANT_REFUSED {
            let until = self.client.shared().clock().elapsed().saturating_add(REFUSAL_HOLDS);
            self.known().refused = Some((stored.version, refused.copied(), until));
        }
        Err(refused)
    }

    /// Asks the platform, and waits for it until then.
    async fn obtain(&self, with: Option<&TokenSet>, until: Duration) -> Result<Option<TokenSet>> {
        let clock = self.client.shared().clock();
        let left = until.saturating_sub(clock.elapsed());
        let asked = self.client.obtain_until(self.grant.as_ref(), with, until);
        within(clock.as_ref(), left, asked).await.unwrap_or_else(|| {
            Err(Error::new(ErrorKind::Timeout, "token_exchange_over", "the token endpoint took too long")
                .with_effect(Effect::Possible)
                .with_retry(Retry::Later)
                .with_remedy("try again; see that the platform's token endpoint answers"))
        })
    }

    /// Persist, then use. `by` is what the new tokens were got with.
    async fn keep(
        &self,
        stored: &StoredTokens,
        tokens: TokenSet,
        by: Option<&TokenSet>,
        want: &Want,
    ) -> Result<Option<Arc<Held>>> {
        // What has the same refresh token, or none, opens nothing that the new one does not.
        let predecessor = by.filter(|by| by.refresh.is_some() && by.refresh != tokens.refresh).cloned();
        let mark = stored.record.as_ref().and_then(|record| record.mark.clone());
        let record = TokenRecord::new(tokens).replacing(predecessor).marked(mark);
        let clock = self.client.shared().clock();
        let until = clock.elapsed().saturating_add(PENDING_HOLDS);
        // Before the first wait: who is dropped in it leaves it to the next one.
        self.known().pending = Some(Pending { over: stored.version, record: record.clone(), until });
        let mut waits = WRITE_AGAIN.iter();
        let replaced = loop {
            let error = match self.vault.replace(&self.slot, stored.version, record.clone()).await {
                Ok(replaced) => break replaced,
                Err(error) => error,
            };
            match waits.next() {
                Some(wait) if error.kind() == ErrorKind::State => clock.sleep(*wait).await,
                _ => return Err(error),
            }
        };
        self.known().pending = None;
        match replaced {
            Replaced::Kept(version) => {
                tracing::debug!(store = %self.slot.store, slot = %self.slot.name, "tokens refreshed");
                self.adopt(version, record, true).map(Some)
            }
            // Ours were never used, so they go without harm.
            Replaced::Moved => {
                let stored = self.vault.load(&self.slot).await?;
                self.adopt_if_wanted(&stored, want)
            }
        }
    }

    /// Writes what could not be kept, where the slot has still the version that it replaces; whether it was
    /// written, or the slot moved meanwhile.
    async fn write_pending(&self, version: TokenVersion) -> Result<bool> {
        let elapsed = self.client.shared().clock().elapsed();
        let pending = self.known().pending.clone();
        let Some(pending) = pending else { return Ok(false) };
        let holds = pending.over == version && elapsed < pending.until;
        if holds {
            self.vault.replace(&self.slot, version, pending.record).await?;
        }
        self.known().pending = None;
        Ok(holds)
    }

    /// The platform took the tokens of this header: what they replaced is of no use any more.
    pub(super) async fn confirm(&self, sent: &HeaderValue) {
        let clock = self.client.shared().clock();
        let (version, record) = {
            let mut known = self.known();
            let Some(held) = known.held.as_ref() else { return };
            if held.record.predecessor.is_none()
                || held.header != *sent
                || clock.elapsed() < known.confirm_again
            {
                return;
            }
            let open = (held.version, held.record.clone().replacing(None));
            known.confirm_again = clock.elapsed().saturating_add(EARLY_AGAIN);
            open
        };
        // What fails here is done by a later success, or by nobody: it only saves a call that is refused.
        if let Ok(Replaced::Kept(next)) = self.vault.replace(&self.slot, version, record.clone()).await {
            let mut known = self.known();
            if let Some(held) = known.held.as_ref().filter(|held| held.version == version) {
                let header = held.header.clone();
                known.held = Some(Arc::new(Held { version: next, record, header, fetched: held.fetched }));
            }
        }
    }

    fn adopt_if_wanted(&self, stored: &StoredTokens, want: &Want) -> Result<Option<Arc<Held>>> {
        let Some(record) = &stored.record else { return Ok(None) };
        let now = self.client.shared().clock().now();
        let wanted = match want {
            Want::Fresh => !self.is_due(&record.current, now),
            Want::Instead(rejected) => {
                !record.current.is_expired(now) && self.header.value(&record.current.access)? != *rejected
            }
        };
        if wanted { self.adopt(stored.version, record.clone(), false).map(Some) } else { Ok(None) }
    }

    /// What is stored, where it is wanted for its newness alone and has not ended.
    fn usable(&self, stored: &StoredTokens, want: &Want) -> Result<Option<Arc<Held>>> {
        let now = self.client.shared().clock().now();
        match (want, &stored.record) {
            (Want::Fresh, Some(record)) if !record.current.is_expired(now) => {
                self.adopt(stored.version, record.clone(), false).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn or_unexpired(&self, stored: &StoredTokens, want: &Want, error: Error) -> Result<Arc<Held>> {
        self.usable(stored, want)?.ok_or(error)
    }

    fn adopt(&self, version: TokenVersion, record: TokenRecord, fetched: bool) -> Result<Arc<Held>> {
        let header = self.header.value(&record.current.access)?;
        let held = Arc::new(Held { version, record, header, fetched });
        self.known().held = Some(Arc::clone(&held));
        Ok(held)
    }

    fn still_refused(&self, version: TokenVersion) -> Option<Error> {
        let elapsed = self.client.shared().clock().elapsed();
        let known = self.known();
        let (refused, error, until) = known.refused.as_ref()?;
        (*refused == version && elapsed < *until).then(|| error.copied())
    }

    fn is_due(&self, tokens: &TokenSet, now: Timestamp) -> bool {
        tokens.due_at(self.early).is_some_and(|due| now >= due)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Refresher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refresher")
            .field("slot", &self.slot)
            .field("grant", &self.grant)
            .finish_non_exhaustive()
    }
}

/// Whether the platform refused for good what it was asked with: then other tokens may help, and a repetition does
/// not. Its errors of the way, of the server and of a limit are of other kinds.
fn is_refusal(error: &Error) -> bool {
    let kinds = [ErrorKind::Auth, ErrorKind::Forbidden, ErrorKind::NotFound, ErrorKind::Rejected];
    error.code() == GRANT_REFUSED || (kinds.contains(&error.kind()) && error.retry() == Retry::Never)
}

enum Claimed {
    /// The platform may be asked, for what is stored now.
    Ours(Box<StoredTokens>),
    /// It need not be.
    Done(Arc<Held>),
}

fn not_renewable() -> Error {
    Error::new(
        ErrorKind::Auth,
        NOT_RENEWABLE,
        "the token is refused or over, and there is no way to another one",
    )
    .with_remedy("authorise the app again, or give a new token")
}
