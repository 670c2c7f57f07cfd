//! A model of the platform's token endpoint and of its API, as a transport: what it gave, and what it still takes.
//!
//! The rule (fact sheet, section 2): a refresh replaces both tokens; the refresh token before stays good until the
//! replacement is first used. What a second refresh with that one does to the replacement is not documented, so
//! there is a model for each way.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use lily_connect::error::{Effect, Error, ErrorKind, Result};
use lily_connect::testkit::FakeClock;
use lily_connect::testkit::random::SeededRandom;
use lily_connect::time::{Clock, Timestamp};
use lily_connect::transport::{AttemptLimits, HttpTransport};
use url::form_urlencoded;

pub const LIFE: Duration = Duration::from_secs(3600);
const REFRESH_LIFE: Duration = Duration::from_secs(90 * 24 * 3600);

/// What a second refresh with one refresh token brings, while its first replacement was not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// The same pair.
    SamePair,
    /// Another pair, and the first one is void.
    NewVoidsFirst,
    /// Another pair beside the first one, until one of the two is used.
    NewBesideFirst,
}

#[derive(Debug)]
struct Pair {
    access: String,
    refresh: String,
    ends: Timestamp,
    refresh_ends: Timestamp,
    parent: Option<usize>,
    /// Whether nothing of it is taken any more.
    dead: bool,
    used: bool,
}

/// How a request fares on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Well,
    NeverArrives,
    AnswerLost,
    ServerError,
    AnswerCut,
}

#[derive(Debug)]
pub struct Platform {
    clock: Arc<FakeClock>,
    again: Again,
    pairs: Mutex<Vec<Pair>>,
    faults: Mutex<Option<SeededRandom>>,
    pub refreshes: AtomicUsize,
    pub calls: AtomicUsize,
    pub refused_calls: AtomicUsize,
    /// An answer that the token endpoint gives instead of its own.
    pub says: Mutex<Option<(u16, String)>>,
    /// The refresh token that the token endpoint answers with this status.
    pub refuses: Mutex<Option<(String, u16)>>,
    /// What the API says to one token instead of its own answer.
    pub api_says: Mutex<Option<(String, u16, String)>>,
    /// The bodies of the token requests.
    pub asked: Mutex<Vec<String>>,
}

impl Platform {
    pub fn new(clock: Arc<FakeClock>, again: Again) -> Arc<Self> {
        Arc::new(Self {
            clock,
            again,
            pairs: Mutex::default(),
            faults: Mutex::default(),
            refreshes: AtomicUsize::default(),
            calls: AtomicUsize::default(),
            refused_calls: AtomicUsize::default(),
            says: Mutex::default(),
            refuses: Mutex::default(),
            api_says: Mutex::default(),
            asked: Mutex::default(),
        })
    }

    /// The first pair, as an authorisation gives it.
    pub fn authorise(&self) -> (String, String) {
        let mut pairs = self.pairs.lock().unwrap();
        let made = self.make(&mut pairs, None);
        (pairs[made].access.clone(), pairs[made].refresh.clone())
    }

    /// Makes some requests fail on their way from here on, or none.
    pub fn faults(&self, seed: Option<u64>) {
        *self.faults.lock().unwrap() = seed.map(SeededRandom::new);
    }

    /// Ends all access tokens, as an operator may.
    pub fn revoke_access(&self) {
        let now = self.clock.now();
        for pair in self.pairs.lock().unwrap().iter_mut() {
            pair.ends = pair.ends.min(now);
        }
    }

    /// Ends all tokens, as when the app is uninstalled.
    pub fn uninstall(&self) {
        for pair in self.pairs.lock().unwrap().iter_mut() {
            pair.dead = true;
        }
    }

    fn make(&self, pairs: &mut Vec<Pair>, parent: Option<usize>) -> usize {
        let number = pairs.len();
        let now = self.clock.now();
        pairs.push(Pair {
            access: format!("shpat_secret_{number}"),
            refresh: format!("shprt_secret_{number}"),
            ends: now.saturating_add(LIFE),
            refresh_ends: now.saturating_add(REFRESH_LIFE),
            parent,
            dead: false,
            used: false,
        });
        number
    }

    /// The first use of a replacement ends what it replaced, and what else replaced that.
    fn used(pairs: &mut [Pair], at: usize) {
        if pairs[at].used {
            return;
        }
        pairs[at].used = true;
        let Some(parent) = pairs[at].parent else { return };
        pairs[parent].dead = true;
        for (other, pair) in pairs.iter_mut().enumerate().skip(parent) {
            if pair.parent == Some(parent) && other != at {
                pair.dead = true;
            }
        }
    }

    fn call(&self, token: Option<&str>) -> (u16, String) {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if let Some((of, status, body)) = self.api_says.lock().unwrap().clone()
            && token == Some(&of)
        {
            return (status, body);
        }
        let mut pairs = self.pairs.lock().unwrap();
        let now = self.clock.now();
        let found = pairs
            .iter()
            .rposition(|pair| !pair.dead && now < pair.ends && Some(pair.access.as_str()) == token);
        match found {
            Some(at) => {
                Self::used(&mut pairs, at);
                (200, "{}".to_owned())
            }
            None => {
                self.refused_calls.fetch_add(1, Ordering::SeqCst);
                (401, r#"{"errors":"[API] Invalid API key or access token"}"#.to_owned())
            }
        }
    }

    fn refresh(&self, body: &[u8]) -> (u16, String) {
        self.refreshes.fetch_add(1, Ordering::SeqCst);
        self.asked.lock().unwrap().push(String::from_utf8_lossy(body).into_owned());
        if let Some(says) = self.says.lock().unwrap().clone() {
            return says;
        }
        let field = |name: &str| {
            form_urlencoded::parse(body).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
        };
        assert_eq!(field("client_id").as_deref(), Some("app-id"));
        assert_eq!(field("client_secret").as_deref(), Some("app_secret_never_seen"));
        assert_eq!(field("grant_type").as_deref(), Some("refresh_token"));
        let token = field("refresh_token").unwrap();
        if let Some((refused, status)) = self.refuses.lock().unwrap().clone()
            && refused == token
        {
            return (status, String::new());
        }
        let mut pairs = self.pairs.lock().unwrap();
        let now = self.clock.now();
        let Some(at) =
            pairs.iter().rposition(|pair| !pair.dead && now < pair.refresh_ends && pair.refresh == token)
        else {
            return (400, r#"{"error":"invalid_grant","error_description":"s"}"#.to_owned());
        };
        Self::used(&mut pairs, at);
        // What replaced it came after it.
        let later = pairs[at..].iter().position(|pair| pair.parent == Some(at) && !pair.dead);
        let first = later.map(|later| at + later);
        let given = match (first, self.again) {
            (Some(first), Again::SamePair) if now < pairs[first].ends => first,
            (Some(first), Again::SamePair | Again::NewVoidsFirst) => {
                pairs[first].dead = true;
                self.make(&mut pairs, Some(at))
            }
            (Some(_), Again::NewBesideFirst) | (None, _) => self.make(&mut pairs, Some(at)),
        };
        let pair = &pairs[given];
        let left = pair.ends.since(now).as_secs();
        let body = format!(
            r#"{{"access_token":"{}","scope":"read_products","expires_in":{left},"refresh_token":"{}","refresh_token_expires_in":{}}}"#,
            pair.access,
            pair.refresh,
            REFRESH_LIFE.as_secs()
        );
        (200, body)
    }

    fn way(&self) -> Way {
        let mut faults = self.faults.lock().unwrap();
        let Some(random) = faults.as_mut() else { return Way::Well };
        match random.below(10) {
            0 => Way::NeverArrives,
            1 => Way::AnswerLost,
            2 => Way::ServerError,
            3 => Way::AnswerCut,
            _ => Way::Well,
        }
    }
}

#[async_trait]
impl HttpTransport for Platform {
    async fn send(&self, request: http::Request<Bytes>, _: &AttemptLimits) -> Result<http::Response<Bytes>> {
        let lost =
            || Error::new(ErrorKind::Unavailable, "connection_lost", "lost").with_effect(Effect::Possible);
        let way = self.way();
        // A process can die before its request arrives,
        tokio::task::yield_now().await;
        if way == Way::NeverArrives {
            return Err(Error::new(ErrorKind::Unavailable, "connect_failed", "no connection"));
        }
        assert_eq!(request.uri().host(), Some("some-shop.myshopify.com"));
        let (status, mut body) = match request.uri().path() {
            "/admin/oauth/access_token" => self.refresh(request.body()),
            _ => {
                let token = request.headers().get("x-shopify-access-token");
                assert!(token.is_none_or(http::HeaderValue::is_sensitive));
                self.call(token.and_then(|token| token.to_str().ok()))
            }
        };
        // and after it did, before the answer comes.
        tokio::task::yield_now().await;
        match way {
            Way::AnswerLost => return Err(lost()),
            Way::ServerError => {
                return Ok(http::Response::builder().status(502).body(Bytes::new()).unwrap());
            }
            Way::AnswerCut => body.truncate(body.len() / 2),
            Way::Well | Way::NeverArrives => {}
        }
        Ok(http::Response::builder().status(status).body(Bytes::from(body)).unwrap())
    }
}
