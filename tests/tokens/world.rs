//! What the tests of tokens share: a platform, a vault, and processes over them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::HeaderMap;
use lily_connect::auth::{
    App, Authenticator, Claim, Origin, Replaced, StoredTokens, TokenGrant, TokenRecord, TokenSet, TokenSlot,
    TokenVault, TokenVersion,
};
use lily_connect::connectors::shopify::auth::{
    RefreshGrant, ShopApp, ShopDomain, offline_slot, permanent_token_refused, refreshing_token,
};
use lily_connect::error::Result;
use lily_connect::http::{
    ApiClient, ApiRequest, ApiResponse, Classifier, Outcome, RefreshingToken, TokenClient,
};
use lily_connect::model::Secret;
use lily_connect::runtime::Runtime;
use lily_connect::state::{FixedKeys, KeyId, MemoryState, StateStore, StateVault, VaultKey};
use lily_connect::testkit::{FakeClock, SeededEntropy};
use lily_connect::time::{Clock, SystemEntropy};

use crate::platform::{Again, LIFE, Platform};

/// A vault at each of whose steps a process can die: before it, and after it.
#[derive(Debug)]
pub struct Steps(pub StateVault);

#[async_trait]
impl TokenVault for Steps {
    async fn load(&self, slot: &TokenSlot) -> Result<StoredTokens> {
        tokio::task::yield_now().await;
        let loaded = self.0.load(slot).await;
        tokio::task::yield_now().await;
        loaded
    }
    async fn replace(
        &self,
        slot: &TokenSlot,
        expected: TokenVersion,
        record: TokenRecord,
    ) -> Result<Replaced> {
        tokio::task::yield_now().await;
        let replaced = self.0.replace(slot, expected, record).await;
        tokio::task::yield_now().await;
        replaced
    }
    async fn forget(&self, slot: &TokenSlot) -> Result<()> {
        self.0.forget(slot).await
    }
    async fn claim(&self, slot: &TokenSlot, claim: &Claim) -> Result<bool> {
        tokio::task::yield_now().await;
        self.0.claim(slot, claim).await
    }
    async fn unclaim(&self, slot: &TokenSlot, holder: &str) -> Result<()> {
        tokio::task::yield_now().await;
        self.0.unclaim(slot, holder).await
    }
}

pub struct World {
    pub clock: Arc<FakeClock>,
    pub platform: Arc<Platform>,
    pub runtime: Runtime,
    pub vault: Arc<dyn TokenVault>,
    pub slot: TokenSlot,
}

impl World {
    pub fn new(again: Again, state: Arc<dyn StateStore>) -> Self {
        Self::at(Arc::new(FakeClock::automatic()), again, state)
    }

    pub fn at(clock: Arc<FakeClock>, again: Again, state: Arc<dyn StateStore>) -> Self {
        let platform = Platform::new(clock.clone(), again);
        let runtime = Runtime::with_parts(platform.clone(), clock.clone(), Arc::new(SeededEntropy::new(11)));
        let vault = Arc::new(Steps(StateVault::new(state)));
        Self { clock, platform, runtime, vault, slot: offline_slot("tenant", &shop()) }
    }

    pub fn memory() -> Self {
        Self::new(Again::NewVoidsFirst, Arc::new(MemoryState::new()))
    }

    /// Authorises the app, and keeps what that gave.
    pub async fn authorised(self) -> Self {
        let (access, refresh) = self.platform.authorise();
        self.keep(TokenRecord::new(self.pair(&access, &refresh))).await;
        self
    }

    pub fn pair(&self, access: &str, refresh: &str) -> TokenSet {
        let now = self.clock.now();
        let mut pair = TokenSet::permanent(Secret::new(access), now);
        pair.refresh = Some(Secret::new(refresh));
        pair.expires_at = Some(now.saturating_add(LIFE));
        pair
    }

    pub async fn keep(&self, record: TokenRecord) {
        let stored = self.vault.load(&self.slot).await.unwrap();
        let kept = self.vault.replace(&self.slot, stored.version, record).await.unwrap();
        assert!(matches!(kept, Replaced::Kept(_)));
    }

    pub async fn record(&self) -> TokenRecord {
        self.vault.load(&self.slot).await.unwrap().record.unwrap()
    }

    /// A process: an authenticator that knows nothing yet.
    pub fn process(&self) -> Process {
        self.process_with(Arc::new(RefreshGrant::new(app())))
    }

    pub fn process_with(&self, grant: Arc<dyn TokenGrant>) -> Process {
        let token = refreshing_token(&app(), self.tokens(), self.slot.clone(), grant, self.vault.clone());
        self.process_of(token.unwrap().build().unwrap())
    }

    pub fn process_of(&self, token: RefreshingToken) -> Process {
        let token = Arc::new(token);
        let client = self
            .runtime
            .client(self.slot.store.clone(), origin(), token.clone() as Arc<dyn Authenticator>)
            .classifier(Arc::new(TokenProblems))
            .max_in_flight(1000.try_into().unwrap())
            .build()
            .unwrap();
        Process { token, client }
    }

    pub fn tokens(&self) -> TokenClient {
        TokenClient::new(self.runtime.shared().clone(), self.slot.store.clone())
    }

    pub fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }
}

/// The part of a connector's classifier that is about tokens.
#[derive(Debug)]
struct TokenProblems;

impl Classifier for TokenProblems {
    fn classify(&self, _: &ApiRequest, response: &ApiResponse, by_status: Outcome) -> Outcome {
        permanent_token_refused(response.status(), response.body()).map_or(by_status, Outcome::Refresh)
    }
}

pub struct Process {
    pub token: Arc<RefreshingToken>,
    pub client: ApiClient,
}

impl Process {
    pub async fn call(&self) -> Result<()> {
        self.client.execute(ApiRequest::get("admin/api/2026-10/x.json")).await.map(drop)
    }

    /// The headers of a request, as they would be sent.
    pub async fn headers(&self) -> Result<HeaderMap> {
        let url = url::Url::parse("https://some-shop.myshopify.com/admin/api").unwrap();
        let now = lily_connect::time::Timestamp::UNIX_EPOCH;
        let request = lily_connect::auth::RequestToSign::new(&http::Method::GET, &url, now, &SystemEntropy);
        Ok(self.token.headers(&request).await?.into_iter().collect())
    }
}

pub fn shop() -> ShopDomain {
    ShopDomain::new("some-shop.myshopify.com").unwrap()
}

pub fn app() -> ShopApp {
    ShopApp::new(App::new("app-id", Secret::new("app_secret_never_seen")).unwrap(), shop())
}

pub fn origin() -> Origin {
    shop().origin().unwrap()
}

pub fn keys() -> Arc<FixedKeys> {
    Arc::new(FixedKeys::new(KeyId::new("k1").unwrap(), VaultKey::new(*b"0123456789abcdef0123456789abcdef")))
}
