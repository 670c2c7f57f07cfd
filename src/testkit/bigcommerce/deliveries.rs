//! Deliveries of hooks: what is sent, how it is signed, when it is tried again, and who is left alone.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use url::Url;

use super::state::State;
use super::store::BigCommerceFake;
use super::tokens::hmac;
use super::webhooks::Hook;
use crate::error::{Error, ErrorKind, Result};
use crate::testkit::json::Json;
use crate::testkit::outbound::loopback;
use crate::time::Timestamp;
use crate::transport::{AttemptLimits, HttpTransport};

/// After each failure in a row the next try comes so many seconds later; after the last the hook is switched off
/// (fact sheet 7.5).
const RETRIES: [u64; 11] = [60, 180, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 50_400, 86_400];
/// Of so many tries in two minutes nine of ten must succeed, or the domain is left alone for three.
const ENOUGH: usize = 100;
const MEASURED: Duration = Duration::from_secs(120);
const BLOCKED: Duration = Duration::from_secs(180);
/// The longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A delivery that waits. Its body and its id never change.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Job {
    hook: u64,
    scope: String,
    destination: String,
    headers: Vec<(String, String)>,
    body: String,
    id: String,
    due: Timestamp,
    tries: usize,
}

impl Job {
    pub(super) fn new(hook: &Hook, scope: &str, body: String, hash: &str, now: Timestamp) -> Self {
        Self {
            hook: hook.id,
            scope: scope.to_owned(),
            destination: hook.destination.clone(),
            headers: hook.headers.clone(),
            body,
            id: format!("msg_{}_{hash}", hook.id),
            due: now,
            tries: 0,
        }
    }
}

/// What a domain answered of late.
#[derive(Debug, Clone, Default)]
pub(super) struct Attempts {
    recent: VecDeque<(Timestamp, bool)>,
    blocked_until: Option<Timestamp>,
}

impl Attempts {
    pub(super) fn blocked_for(&self, now: Timestamp) -> Option<Duration> {
        self.blocked_until.filter(|until| *until > now).map(|until| until.since(now))
    }

    /// Counts a try; true where it makes the domain blocked.
    fn count(&mut self, now: Timestamp, success: bool) -> bool {
        self.recent.push_back((now, success));
        while self.recent.front().is_some_and(|(at, _)| now.since(*at) > MEASURED) {
            self.recent.pop_front();
        }
        let good = self.recent.iter().filter(|(_, success)| *success).count();
        if self.recent.len() < ENOUGH || good * 10 >= self.recent.len() * 9 {
            return false;
        }
        self.recent.clear();
        self.blocked_until = Some(now.saturating_add(BLOCKED));
        true
    }
}

/// A delivery as it is sent, and after [`BigCommerceFake::deliver`] what came of it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivery {
    /// The hook's id.
    pub hook: u64,
    /// What happened, such as `store/product/updated`.
    pub scope: String,
    /// Where it goes.
    pub destination: String,
    /// The body.
    pub body: String,
    /// The headers: those of Standard Webhooks, and those that the hook was made with.
    pub headers: Vec<(String, String)>,
    /// How often it was tried before.
    pub tries: usize,
    /// The status that was answered; `None` where no answer came.
    pub status: Option<u16>,
    /// Why no answer came.
    pub problem: Option<String>,
}

impl Delivery {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("hook", &self.hook)
            .field("scope", &self.scope)
            .field("tries", &self.tries)
            .field("status", &self.status)
            .field("problem", &self.problem)
            .finish_non_exhaustive()
    }
}

/// Signs a body per Standard Webhooks: the id, the moment and the body, with dots between, under the bytes of the
/// secret as they are.
fn signature(secret: &str, id: &str, moment: i64, body: &str) -> String {
    let text = format!("{id}.{moment}.{body}");
    format!("v1,{}", STANDARD.encode(hmac(secret, text.as_bytes())))
}

fn delivery(state: &State, job: &Job) -> Delivery {
    let moment = state.now.unix_seconds();
    let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    if !state.conditions.unsigned_deliveries {
        headers.push(("webhook-id".to_owned(), job.id.clone()));
        headers.push(("webhook-timestamp".to_owned(), moment.to_string()));
        let signed = signature(&state.settings.client_secret, &job.id, moment, &job.body);
        headers.push(("webhook-signature".to_owned(), signed));
    }
    headers.extend(job.headers.iter().cloned());
    Delivery {
        hook: job.hook,
        scope: job.scope.clone(),
        destination: job.destination.clone(),
        body: job.body.clone(),
        headers,
        tries: job.tries,
        status: None,
        problem: None,
    }
}

fn domain(address: &str) -> String {
    Url::parse(address).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}

impl BigCommerceFake {
    /// Sends what is due and gives each with its answer. What fails waits for its next try.
    ///
    /// Deliveries go to this machine only: to the address of [`BigCommerceFake::deliver_through`], or to destinations
    /// that are here; any other counts as a failure.
    pub async fn deliver(&self) -> Vec<Delivery> {
        let _alone = self.0.delivering.lock().await;
        let mut done = Vec::new();
        for job in self.take_due() {
            let (mut sent, blocked) = {
                let state = self.state();
                let blocked = state.webhooks.attempts.get(&domain(&job.destination));
                (delivery(&state, &job), blocked.and_then(|it| it.blocked_for(state.now)).is_some())
            };
            if blocked {
                // What happens while a domain is blocked is tried again like a failure, without a try.
                self.state().again(job, None);
                continue;
            }
            match self.send(&sent).await {
                Ok(status) => sent.status = Some(status),
                Err(error) => sent.problem = Some(error.to_string()),
            }
            let success = sent.status.is_some_and(|status| (200..300).contains(&status));
            self.settle(job, success);
            done.push(sent);
        }
        done
    }

    /// Takes what is due out of the queue, as it would be sent, and counts it as delivered; for tests that hand it on
    /// themselves.
    #[must_use]
    pub fn take_deliveries(&self) -> Vec<Delivery> {
        let jobs = self.take_due();
        let state = self.state();
        jobs.iter().map(|job| delivery(&state, job)).collect()
    }

    /// How many deliveries wait, those for a later try included.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.state().webhooks.queue.len()
    }

    /// How many deliveries were lost because too many waited.
    #[must_use]
    pub fn lost_deliveries(&self) -> u64 {
        self.state().webhooks.lost
    }

    /// Sends all deliveries to this address, with the path and query of their destination, since the platform takes
    /// https destinations only.
    pub fn deliver_through(&self, base: &str) {
        self.state().webhooks.through = Some(base.trim_end_matches('/').to_owned());
    }

    /// Sends deliveries by another transport, such as one that trusts a certificate of a test.
    pub fn deliver_over(&self, transport: Arc<dyn HttpTransport>) {
        *self.0.transport.lock().unwrap_or_else(PoisonError::into_inner) = transport;
    }

    fn take_due(&self) -> Vec<Job> {
        let mut state = self.state();
        let now = state.now;
        let (due, later) =
            std::mem::take(&mut state.webhooks.queue).into_iter().partition(|job| job.due <= now);
        state.webhooks.queue = later;
        let due: VecDeque<Job> = due;
        due.into_iter().collect()
    }

    fn settle(&self, job: Job, success: bool) {
        let mut state = self.state();
        let now = state.now;
        let domain = domain(&job.destination);
        if state.webhooks.attempts.entry(domain).or_default().count(now, success) {
            state.tell_exception(job.hook, 90_003);
        }
        if !success {
            let hook = job.hook;
            let code = if state.again(job, Some(hook)) { 90_001 } else { 90_002 };
            state.tell_exception(hook, code);
        }
    }

    async fn send(&self, sent: &Delivery) -> Result<u16> {
        let through = self.state().webhooks.through.clone();
        let url = match through {
            Some(base) => {
                let to = Url::parse(&sent.destination).map_err(|_| unsendable())?;
                let query = to.query().map(|query| format!("?{query}")).unwrap_or_default();
                loopback(&format!("{base}{}{query}", to.path()))?
            }
            None => loopback(&sent.destination)?,
        };
        let mut request = http::Request::post(url.as_str());
        for (name, value) in &sent.headers {
            request = request.header(name.as_str(), value.as_str());
        }
        let request = request.body(Bytes::from(sent.body.clone().into_bytes())).map_err(|_| unsendable())?;
        let transport = Arc::clone(&*self.0.transport.lock().unwrap_or_else(PoisonError::into_inner));
        let limits = AttemptLimits {
            read_timeout: TIMEOUT,
            attempt_timeout: TIMEOUT,
            max_body_bytes: 1 << 20,
            private_hosts: true,
        };
        Ok(transport.send(request, &limits).await?.status().as_u16())
    }
}

impl State {
    /// Puts a delivery back for its next try; false where it was the last one, and its hook, if one is named, is
    /// switched off.
    fn again(&mut self, mut job: Job, hook: Option<u64>) -> bool {
        let Some(wait) = RETRIES.get(job.tries) else {
            if let Some(hook) = hook.and_then(|id| self.webhooks.all.get_mut(&id)) {
                hook.is_active = false;
            }
            return false;
        };
        job.due = self.now.saturating_add(Duration::from_secs(*wait));
        job.tries += 1;
        self.webhooks.queue.push_back(job);
        true
    }

    /// Tells of a delivery that failed; not of one that told so itself.
    fn tell_exception(&mut self, hook: u64, code: i64) {
        let scope = self.webhooks.all.get(&hook).map(|hook| hook.scope.clone());
        if scope.as_deref() == Some("store/hook/deliveryException") {
            return;
        }
        let data = Json::object([
            ("type", Json::text("webhook")),
            ("id", Json::from(hook)),
            ("error_code", Json::Int(code)),
        ]);
        self.fire("store/hook/deliveryException", data);
    }
}

fn unsendable() -> Error {
    Error::new(ErrorKind::Config, "delivery_unsendable", "the delivery makes no request")
        .with_remedy("check the destination of the hook")
}
