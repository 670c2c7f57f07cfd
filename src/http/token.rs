//! The authenticator whose token is refreshed: early, once, and without locking anybody out.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared as SharedFuture, WeakShared};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::refresh::{Held, NOT_RENEWABLE, Refresher, Want};
use super::token_client::TokenClient;
use crate::auth::{
    Authenticator, Origin, Refreshed, RequestToSign, TokenGrant, TokenHeader, TokenSlot, TokenVault, belongs,
    must_be_private,
};
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::model::Text;
use crate::time::within;

/// How often a caller looks again when what it waited for is not what it needs.
const LOOKS: u32 = 3;

type Refreshing = BoxFuture<'static, Result<Arc<Held>, Arc<Error>>>;

/// Puts a slot's current access token in a header, and gets a new one in time.
///
/// A refresh begins five minutes before the token ends (settable, and never before half of its life). All who
/// need it wait for one refresh, each for a bounded time; whoever of them is dropped leaves it to the others. No
/// task runs behind their backs: when all are dropped it ends with them, at any point without harm. A token that
/// still works is used on while a new one cannot be had.
///
/// Processes that share the vault share the tokens.
pub struct RefreshingToken {
    origin: Origin,
    header: TokenHeader,
    wait: Duration,
    refresher: Arc<Refresher>,
    flight: Mutex<Option<WeakShared<Refreshing>>>,
}

impl RefreshingToken {
    /// Begins an authenticator for requests to an origin, with the tokens of a slot.
    #[must_use]
    pub fn builder(
        client: TokenClient,
        origin: Origin,
        slot: TokenSlot,
        grant: Arc<dyn TokenGrant>,
        vault: Arc<dyn TokenVault>,
    ) -> RefreshingTokenBuilder {
        RefreshingTokenBuilder {
            client,
            origin,
            slot,
            grant,
            vault,
            header: TokenHeader::Bearer,
            early: Duration::from_secs(300),
            wait: Duration::from_secs(90),
        }
    }

    /// What the current token may do, in the platform's words.
    ///
    /// # Errors
    /// As a request that needs the token.
    pub async fn scopes(&self) -> Result<Vec<Text>> {
        self.current().await.map(|held| held.record.current.scopes.clone())
    }

    /// Gets new tokens where the refresh token ends within this time: for stores that are idle for long.
    ///
    /// # Errors
    /// As a request that needs the token.
    pub async fn keep_alive(&self, within: Duration) -> Result<()> {
        let held = self.current().await?;
        let now = self.refresher.client.shared().clock().now();
        let ends = held.record.current.refresh_expires_at;
        if ends.is_some_and(|end| end <= now.saturating_add(within)) {
            self.refreshed(Want::Instead(held.header.clone())).await?;
        }
        Ok(())
    }

    async fn current(&self) -> Result<Arc<Held>> {
        match self.refresher.at_hand() {
            Some(held) => Ok(held),
            None => self.refreshed(Want::Fresh).await,
        }
    }

    /// Joins the refresh that is under way, or begins one.
    async fn refreshed(&self, want: Want) -> Result<Arc<Held>> {
        let mut last = None;
        for _ in 0..LOOKS {
            let done = self.join(&want).await;
            let fits = |held: &Held| match &want {
                Want::Fresh => true,
                Want::Instead(rejected) => held.header != *rejected,
            };
            match done {
                Ok(held) if fits(&held) => return Ok(held),
                // It was for those whose token was only due.
                Ok(held) => last = Some(held),
                Err(error) => {
                    let unexpired = self.refresher.unexpired().filter(|held| fits(held));
                    return match (&want, unexpired) {
                        (Want::Fresh, Some(held)) => Ok(held),
                        _ => Err(error),
                    };
                }
            }
        }
        last.ok_or_else(too_long)
    }

    async fn join(&self, want: &Want) -> Result<Arc<Held>> {
        let flight = {
            let mut slot = self.flight.lock().unwrap_or_else(PoisonError::into_inner);
            let under_way =
                slot.as_ref().and_then(WeakShared::upgrade).filter(|flight| flight.peek().is_none());
            match under_way {
                Some(flight) => flight,
                None => {
                    // Who comes just after its end finds what it brought.
                    if let Some(held) = self.refresher.at_hand()
                        && !matches!(want, Want::Instead(rejected) if held.header == *rejected)
                    {
                        return Ok(held);
                    }
                    let flight = self.begin(want.clone());
                    *slot = flight.downgrade();
                    flight
                }
            }
        };
        let clock = self.refresher.client.shared().clock();
        match within(clock.as_ref(), self.wait, flight).await {
            Some(done) => done.map_err(|error| error.copied().with_source(error)),
            None => Err(too_long()),
        }
    }

    fn begin(&self, want: Want) -> SharedFuture<Refreshing> {
        let refresher = Arc::clone(&self.refresher);
        let refreshing: Refreshing = Box::pin(async move { refresher.renew(&want).await.map_err(Arc::new) });
        refreshing.shared()
    }
}

#[async_trait]
impl Authenticator for RefreshingToken {
    async fn headers(&self, request: &RequestToSign<'_>) -> Result<Vec<(HeaderName, HeaderValue)>> {
        belongs(&self.origin, request.url)?;
        let held = self.current().await?;
        Ok(vec![(self.header.name(), held.header.clone())])
    }

    async fn refresh(&self, rejected: &HeaderMap) -> Result<Refreshed> {
        let Some(rejected) = rejected.get(self.header.name()) else { return Ok(Refreshed::Nothing) };
        // A late refusal of a token that was replaced since needs nothing.
        if self.refresher.unexpired().is_some_and(|held| held.header != *rejected) {
            return Ok(Refreshed::Found);
        }
        match self.refreshed(Want::Instead(rejected.clone())).await {
            Ok(held) if held.header == *rejected => Ok(Refreshed::Nothing),
            Ok(held) => Ok(if held.fetched { Refreshed::Fetched } else { Refreshed::Found }),
            Err(error) if error.code() == NOT_RENEWABLE => Ok(Refreshed::Nothing),
            Err(error) => Err(error),
        }
    }

    async fn accepted(&self, sent: &HeaderMap) {
        if self.refresher.held().is_some_and(|held| held.record.predecessor.is_some())
            && let Some(sent) = sent.get(self.header.name())
        {
            self.refresher.confirm(sent).await;
        }
    }
}

impl fmt::Debug for RefreshingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefreshingToken")
            .field("origin", &self.origin)
            .field("header", &self.header)
            .field("refresher", &self.refresher)
            .finish_non_exhaustive()
    }
}

/// Settings of a [`RefreshingToken`].
#[derive(Debug)]
pub struct RefreshingTokenBuilder {
    client: TokenClient,
    origin: Origin,
    slot: TokenSlot,
    grant: Arc<dyn TokenGrant>,
    vault: Arc<dyn TokenVault>,
    header: TokenHeader,
    early: Duration,
    wait: Duration,
}

impl RefreshingTokenBuilder {
    /// Sets how the token goes along (default: as a bearer).
    #[must_use]
    pub fn header(mut self, header: TokenHeader) -> Self {
        self.header = header;
        self
    }

    /// Sets how long before its end a token is replaced (default 5 min); never before half of its life.
    #[must_use]
    pub fn early(mut self, early: Duration) -> Self {
        self.early = early;
        self
    }

    /// Sets how long one caller waits for a refresh (default 90 s).
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Makes the authenticator; nothing is read or sent.
    ///
    /// # Errors
    /// `Config` where the origin is plain http to another machine; `State` where there are no random bytes.
    pub fn build(self) -> Result<RefreshingToken> {
        must_be_private(&self.origin)?;
        let mut name = [0; 16];
        self.client.shared().entropy().fill(&mut name)?;
        let holder = Text::from(format!("{:032x}", u128::from_le_bytes(name)));
        let mut refresher = Refresher::new(self.client, self.slot, self.grant, self.vault, holder);
        refresher.header = self.header.clone();
        refresher.early = self.early;
        Ok(RefreshingToken {
            origin: self.origin,
            header: self.header,
            wait: self.wait,
            refresher: Arc::new(refresher),
            flight: Mutex::new(None),
        })
    }
}

fn too_long() -> Error {
    Error::new(ErrorKind::Timeout, "token_wait_over", "a new token did not come in time")
        .with_remedy("try again; see that the platform's token endpoint answers")
        .with_retry(Retry::Later)
}
