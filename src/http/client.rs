//! The pipeline: one call, from the deadline to the answer.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, RANGE, USER_AGENT};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use url::{Position, Url};

use super::budget::Ask;
use super::classify::{Classifier, Outcome, by_status};
use super::observe::{AttemptEvent, AttemptResult, WaitReason};
use super::rate::{Gate, Permit};
use super::retry::may_repeat;
use super::shared::{Host, Shared};
use super::{ApiRequest, ApiResponse, ApiStream, BodyFault, ClientSettings, Idempotency, stream};
use crate::auth::{Authenticator, Origin, Refreshed, RequestToSign, percent_encode};
use crate::error::{Effect, Error, ErrorKind, Result, Retry};
use crate::model::{Secret, StoreKey};
use crate::time::Timestamp;
use crate::transport::{AttemptLimits, StreamedBody};

/// Turns a request's path into the one that is sent: percent-encoded, below the base, and with what belongs
/// to it in the query, which is sent as it is given.
pub type Route = fn(&str) -> Cow<'_, str>;

/// Sends the calls of one connector to one store: the only way out.
pub struct ApiClient {
    pub(super) shared: Shared,
    pub(super) store: StoreKey,
    pub(super) origin: Origin,
    pub(super) authenticator: Arc<dyn Authenticator>,
    pub(super) classifier: Arc<dyn Classifier>,
    pub(super) settings: ClientSettings,
    pub(super) user_agent: HeaderValue,
    /// Scheme and authority of the origin.
    pub(super) base_uri: (Scheme, Authority),
    pub(super) gate: Arc<Gate>,
    pub(super) host: Arc<Host>,
    /// Where a request's path goes, at a store that does not take it as it is.
    pub(super) route: Option<Route>,
    /// How far the platform's clock is ahead of ours, as it was last seen to matter.
    pub(super) clock_offset_ms: AtomicI64,
}

impl ApiClient {
    /// Sends a request, and repeats it where that is safe and may help.
    ///
    /// # Errors
    /// What the last attempt gave: the error's effect says whether it may have taken effect. `RateLimited`,
    /// `Timeout` or `CircuitOpen` where no attempt could be made in the call's time.
    pub async fn execute(&self, request: ApiRequest) -> Result<ApiResponse> {
        Call::new(self, &request)?.next().await
    }

    /// The same, and reads the answer: a read whose body is broken is repeated within the same bounds.
    ///
    /// # Errors
    /// As [`ApiClient::execute`], and what `read` gave. A broken answer to a write is an error with
    /// [`Effect::Possible`].
    pub async fn execute_with<T, F>(&self, request: ApiRequest, mut read: F) -> Result<T>
    where
        F: FnMut(ApiResponse) -> Result<T, BodyFault> + Send,
        T: Send,
    {
        let mut call = Call::new(self, &request)?;
        loop {
            let fault = match read(call.next().await?) {
                Ok(read) => return Ok(read),
                Err(fault) => fault,
            };
            call.body_fault(fault).await?;
        }
    }

    /// As [`ApiClient::execute`], with the body of a success left to be read.
    pub(super) async fn stream(&self, request: ApiRequest, max_bytes: u64) -> Result<ApiStream> {
        let mut call = Call::new(self, &request)?;
        call.limits.max_body_bytes = usize::try_from(max_bytes).unwrap_or(usize::MAX);
        call.is_streamed = true;
        let response = call.next().await?;
        let body = call.stream.take().unwrap_or_else(|| StreamedBody::whole(Bytes::new()));
        ApiStream::new(&response, body, max_bytes)
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &StoreKey {
        &self.store
    }

    /// Where the calls go.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The whole address of a request, below the origin's base.
    ///
    /// What the base says of it is not parsed again: half of the work of a call was that.
    fn address(&self, request: &ApiRequest) -> Result<(Url, Uri)> {
        let base = self.origin.base();
        let routed = self.route.map_or(Cow::Borrowed(&*request.path), |route| route(&request.path));
        let (path, given) =
            routed.split_once('?').map_or((&*routed, None), |(path, query)| (path, Some(query)));
        let mut text = String::with_capacity(base.path().len() + path.len() + 32 * request.query.len());
        text.push_str(base.path());
        text.push_str(path.trim_start_matches('/'));
        let mut url = base.clone();
        url.set_path(&text);

        if given.is_some() || !request.query.is_empty() {
            text.clear();
            text.push_str(given.unwrap_or_default());
            for (name, value) in &request.query {
                if !text.is_empty() {
                    text.push('&');
                }
                percent_encode(name, &mut text);
                text.push('=');
                percent_encode(value, &mut text);
            }
            url.set_query(Some(&text));
        }

        // The origin's own check, since a path may lead upwards.
        if request.path.contains('#') || !self.origin.holds(&url) {
            return Err(path_unusable());
        }
        let uri = self.uri(&url)?;
        Ok((url, uri))
    }

    fn uri(&self, url: &Url) -> Result<Uri> {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.base_uri.0.clone());
        parts.authority = Some(self.base_uri.1.clone());
        parts.path_and_query = PathAndQuery::try_from(&url[Position::BeforePath..]).ok();
        Uri::from_parts(parts).map_err(|_| path_unusable())
    }

    /// The platform's time, as far as we know it.
    fn platform_now(&self) -> Timestamp {
        let now = self.shared.clock().now();
        let offset = self.clock_offset_ms.load(Ordering::Relaxed);
        let by = Duration::from_millis(offset.unsigned_abs());
        if offset < 0 { now.saturating_sub(by) } else { now.saturating_add(by) }
    }

    /// Takes the platform's `Date` for the time from now on; `false` where it gave none.
    fn learn_clock(&self, response: &ApiResponse) -> bool {
        let Some(theirs) = response.server_time() else {
            return false;
        };
        let offset = theirs.unix_millis().saturating_sub(response.received_at().unix_millis());
        self.clock_offset_ms.store(offset, Ordering::Relaxed);
        true
    }
}

impl fmt::Debug for ApiClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiClient")
            .field("store", &self.store)
            .field("origin", &self.origin)
            .field("authenticator", &self.authenticator)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// A call under way: its deadline, and what it has used up.
struct Call<'a> {
    client: &'a ApiClient,
    request: &'a ApiRequest,
    url: Url,
    uri: Uri,
    limits: AttemptLimits,
    deadline: Duration,
    attempt: u32,
    /// Whether other credentials were at hand, and whether new ones were fetched: each helps once.
    found: bool,
    refreshed: bool,
    clock_learned: bool,
    /// Why there is another attempt.
    last: Option<Error>,
    /// Whether the body of a success is left to be read, and that body.
    is_streamed: bool,
    stream: Option<StreamedBody>,
}

/// How an attempt ended.
enum Ended {
    Success(ApiResponse),
    /// New credentials were fetched, or the clock was corrected: once more, at once.
    Again,
    /// Another attempt may help.
    Retry {
        error: Error,
        after: Option<Duration>,
    },
    Failed(Error),
}

impl<'a> Call<'a> {
    fn new(client: &'a ApiClient, request: &'a ApiRequest) -> Result<Self> {
        let (url, uri) = client.address(request)?;
        let mut limits = client.settings.limits;
        limits.read_timeout = request.read_timeout.unwrap_or(limits.read_timeout);
        limits.attempt_timeout = request.attempt_timeout.unwrap_or(limits.attempt_timeout);
        let deadline = client.shared.clock().elapsed().saturating_add(request.timeout);
        client.host.budget.deposit();
        Ok(Self {
            client,
            request,
            url,
            uri,
            limits,
            deadline,
            attempt: 0,
            found: false,
            refreshed: false,
            clock_learned: false,
            last: None,
            is_streamed: false,
            stream: None,
        })
    }

    /// Makes attempts until one succeeds.
    async fn next(&mut self) -> Result<ApiResponse> {
        loop {
            let ended = match self.try_once().await {
                Ok(ended) => ended,
                Err(error) => {
                    return Err(match self.last.take() {
                        Some(last) => error.with_source(last),
                        None => error,
                    });
                }
            };
            match ended {
                Ended::Success(response) => return Ok(response),
                Ended::Again => {}
                Ended::Retry { error, after } => self.before_retry(error, after).await?,
                Ended::Failed(error) => return Err(error),
            }
        }
    }

    /// The answer was read, and was no good.
    async fn body_fault(&mut self, fault: BodyFault) -> Result<()> {
        let once = self.request.idempotency == Idempotency::Once;
        let marked = |error: Error| if once { error.with_effect(Effect::Possible) } else { error };
        match fault {
            BodyFault::Broken(error) => self.before_retry(marked(error), None).await,
            BodyFault::Final(error) => Err(marked(error)),
        }
    }

    /// One attempt: admitted, in turn, signed, sent, learned from, classified. An `Err` is one of ours, made
    /// before anything was sent.
    async fn try_once(&mut self) -> Result<Ended> {
        let client = self.client;
        let clock = client.shared.clock();

        // A call that would be refused anyway does not queue.
        let asked_at = clock.elapsed();
        client.host.breaker.check(asked_at)?;
        let until = self.request.not_after.map_or(self.deadline, |instant| instant.min(self.deadline));
        let ask = client.settings.budget.map(|_| Ask {
            cost: self.request.cost,
            key: self.request.cost_key,
            told_to_wait: self.last.as_ref().is_some_and(|last| last.kind() == ErrorKind::RateLimited),
        });
        let mut permit = client
            .gate
            .acquire(self.request.lane, self.request.cost, ask, asked_at, until)
            .await
            .map_err(|error| self.not_in_time(error))?;
        if let Some(observer) = client.shared.observer() {
            let waited = clock.elapsed().saturating_sub(asked_at);
            if !waited.is_zero() {
                observer.waited(&client.store, WaitReason::Limiter, waited);
            }
        }

        let (headers, query, credentials) = self.credentials().await?;
        let outgoing = self.outgoing(headers, &query)?;

        // Whatever it waited for, nothing leaves past the guard's window or the deadline.
        let sent_at = clock.elapsed();
        self.still_in_time(sent_at)?;
        let admitted = client.host.breaker.admit(sent_at)?;
        let mut limits = self.limits;
        limits.attempt_timeout = limits.attempt_timeout.min(self.deadline.saturating_sub(sent_at));

        self.attempt += 1;
        permit.sent();
        let transport = client.shared.transport();
        let sent = if self.is_streamed {
            stream::send(transport.as_ref(), outgoing, &limits, &mut self.stream).await
        } else {
            transport.send(outgoing, &limits).await
        };
        let ended_at = clock.elapsed();

        let response = match sent {
            Ok(answer) => {
                let took = ended_at.saturating_sub(sent_at);
                Ok(ApiResponse::new(answer, clock.now(), self.attempt).with_took(took))
            }
            Err(error) => Err(error),
        };
        let (status, body_bytes) = match &response {
            Ok(response) => (Some(response.status()), response.body().len()),
            Err(_) => (None, 0),
        };

        let opened = match &response {
            Ok(response) if response.status().is_server_error() => admitted.failed(ended_at),
            Err(error) if matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout) => {
                admitted.failed(ended_at)
            }
            // A refusal by our own guards says nothing about the store.
            Err(error) if error.kind() == ErrorKind::Config => {
                drop(admitted);
                false
            }
            Ok(_) | Err(_) => {
                admitted.answered();
                false
            }
        };
        if opened {
            tracing::warn!(store = %client.store, "circuit opened");
            if let Some(observer) = client.shared.observer() {
                observer.circuit_opened(&client.store);
            }
        }
        let overloaded = matches!(&response, Err(error) if error.kind() == ErrorKind::Timeout)
            || status
                .is_some_and(|status| status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error());
        if status.is_some_and(|status| status.is_server_error()) {
            client.gate.server_error();
        }
        if overloaded {
            client.gate.overloaded(sent_at);
        } else if status.is_some_and(|status| status.is_success()) {
            client.gate.succeeded();
        }

        if matches!(&response, Err(error) if error.effect() == Effect::None) {
            permit.not_sent();
        }
        let ended = self.classify(response, &credentials, &mut permit).await;
        drop(permit);

        let result = match &ended {
            Ok(Ended::Success(_)) => AttemptResult::Success,
            Ok(Ended::Again | Ended::Retry { .. }) => AttemptResult::Retryable,
            Ok(Ended::Failed(_)) | Err(_) => AttemptResult::Failed,
        };
        let event = AttemptEvent {
            store: &client.store,
            method: &self.request.method,
            path: self.url.path(),
            attempt: self.attempt,
            status,
            body_bytes,
            took: ended_at.saturating_sub(sent_at),
            result,
        };
        observe(&client.shared, &event);
        ended
    }

    /// The headers of an attempt, what its credentials add to the query, and those of the headers that are
    /// credentials: a signature is new each time.
    async fn credentials(&self) -> Result<(HeaderMap, Vec<(&'static str, Secret)>, HeaderMap)> {
        const JSON: HeaderValue = HeaderValue::from_static("application/json");
        const ANY: HeaderValue = HeaderValue::from_static("*/*");
        let client = self.client;
        let to_sign = RequestToSign::new(
            &self.request.method,
            &self.url,
            client.platform_now(),
            client.shared.entropy().as_ref(),
        );
        let credentials = client.authenticator.headers(&to_sign).await?;
        let query = client.authenticator.query(&to_sign)?;
        let mut headers = HeaderMap::with_capacity(8);
        headers.extend(self.request.headers.iter().cloned());
        headers.insert(ACCEPT, if self.is_streamed { ANY } else { JSON });
        if let Some(from) = self.request.from_byte.and_then(|from| format!("bytes={from}-").try_into().ok()) {
            headers.insert(RANGE, from);
            // A range of a packed body counts packed bytes.
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        headers.insert(USER_AGENT, client.user_agent.clone());
        if self.request.body.is_some() {
            headers.insert(CONTENT_TYPE, self.request.content_type.clone().unwrap_or(JSON));
        }
        let mut sent = HeaderMap::with_capacity(credentials.len());
        for (name, mut value) in credentials {
            value.set_sensitive(true);
            sent.insert(name.clone(), value.clone());
            headers.insert(name, value);
        }
        Ok((headers, query, sent))
    }

    fn outgoing(
        &self,
        headers: HeaderMap,
        secrets: &[(&'static str, Secret)],
    ) -> Result<http::Request<Bytes>> {
        let mut outgoing = http::Request::new(self.request.body.clone().unwrap_or_default());
        *outgoing.method_mut() = self.request.method.clone();
        *outgoing.headers_mut() = headers;
        // The call's own address stays without secrets: only what is sent has them.
        let (url, uri) = if secrets.is_empty() {
            (self.url.clone(), self.uri.clone())
        } else {
            let mut url = self.url.clone();
            let mut query = url.query().unwrap_or_default().to_owned();
            for (name, secret) in secrets {
                if !query.is_empty() {
                    query.push('&');
                }
                percent_encode(name, &mut query);
                query.push('=');
                percent_encode(secret.expose(), &mut query);
            }
            url.set_query(Some(&query));
            let uri = self.client.uri(&url)?;
            (url, uri)
        };
        *outgoing.uri_mut() = uri;
        outgoing.extensions_mut().insert(url);
        Ok(outgoing)
    }

    /// Says what an attempt's end means, and fetches what the next one needs.
    async fn classify(
        &mut self,
        response: Result<ApiResponse>,
        credentials: &HeaderMap,
        permit: &mut Permit<'_>,
    ) -> Result<Ended> {
        let client = self.client;
        let response = match response {
            Ok(response) => response,
            Err(error) => {
                return Ok(if matches!(error.retry(), Retry::Never) {
                    Ended::Failed(error)
                } else {
                    Ended::Retry { error, after: None }
                });
            }
        };
        let outcome = client.classifier.classify(self.request, &response, by_status(&response));
        if let Some(rest) = client.classifier.rest(self.request, &response) {
            client.gate.pause(client.shared.clock().elapsed().saturating_add(rest));
        }
        if permit.is_counted() {
            permit.counted(client.classifier.window(self.request, &response).unwrap_or_default());
        }
        if permit.is_metered() {
            let reading = client.classifier.budget(self.request, &response).unwrap_or_default();
            let refused =
                matches!(&outcome, Outcome::Retry { error, .. } if error.kind() == ErrorKind::RateLimited);
            permit.answered(reading, refused);
        }
        Ok(match outcome {
            Outcome::Success => {
                client.authenticator.accepted(credentials).await;
                Ended::Success(response)
            }
            Outcome::Refresh(error) if self.refreshed => Ended::Failed(error),
            Outcome::Refresh(error) => match client.authenticator.refresh(credentials).await? {
                Refreshed::Fetched => {
                    self.refreshed = true;
                    Ended::Again
                }
                Refreshed::Found if !self.found => {
                    self.found = true;
                    Ended::Again
                }
                Refreshed::Found | Refreshed::Nothing => Ended::Failed(error),
            },
            Outcome::ClockOff(error) => {
                if !self.clock_learned && client.learn_clock(&response) {
                    self.clock_learned = true;
                    Ended::Again
                } else {
                    Ended::Failed(error)
                }
            }
            Outcome::Retry { error, after } => Ended::Retry { error, after },
            Outcome::Fail(error) => Ended::Failed(error),
        })
    }

    /// Waits before the next attempt, or gives the error where there is none.
    async fn before_retry(&mut self, error: Error, after: Option<Duration>) -> Result<()> {
        let client = self.client;
        let clock = client.shared.clock();
        let now = clock.elapsed();
        let asked = after.map(|after| after.min(client.settings.retry_after_cap));
        let wait = match asked {
            Some(asked) => asked,
            None => client.settings.backoff.wait(self.attempt, client.shared.entropy().as_ref())?,
        };
        // The others of the store wait too where it said so, whether or not this call goes on.
        if asked.is_some() || error.kind() == ErrorKind::RateLimited {
            client.gate.pause(now.saturating_add(wait));
        }
        let attempts = |error: Error| error.with_context("attempts", self.attempt.to_string());
        if !may_repeat(self.request.idempotency, &error) {
            return Err(error);
        }
        if self.attempt >= client.settings.attempts {
            return Err(attempts(error));
        }
        let at = now.saturating_add(wait);
        if self.request.not_after.is_some_and(|instant| at > instant) {
            return Err(window_passed().with_source(error));
        }
        if at >= self.deadline {
            return Err(attempts(error).with_retry(Retry::After(wait)));
        }
        if !client.host.budget.withdraw(now) {
            return Err(attempts(error).with_context("retries", "budget spent"));
        }
        tracing::debug!(store = %client.store, attempt = self.attempt, code = error.code(), "retrying");
        clock.sleep(wait).await;
        if let Some(observer) = client.shared.observer() {
            observer.waited(&client.store, WaitReason::Backoff, wait);
        }
        self.last = Some(error);
        Ok(())
    }

    /// Nothing is sent past the guard's window or the deadline.
    fn still_in_time(&self, now: Duration) -> Result<()> {
        if self.request.not_after.is_some_and(|instant| now > instant) {
            return Err(window_passed());
        }
        if now >= self.deadline {
            return Err(Error::new(ErrorKind::Timeout, "deadline_passed", "the time of the call is over")
                .with_remedy("give the call more time"));
        }
        Ok(())
    }

    /// The limiter's turn would come too late: past the guard's window, where that is the nearer bound.
    fn not_in_time(&self, error: Error) -> Error {
        let window = self.request.not_after.is_some_and(|instant| instant < self.deadline);
        if window && error.kind() == ErrorKind::RateLimited {
            window_passed().with_source(error)
        } else {
            error
        }
    }
}

fn path_unusable() -> Error {
    Error::new(ErrorKind::Config, "path_unusable", "a path must be percent-encoded and stay below the base")
}

fn window_passed() -> Error {
    Error::new(
        ErrorKind::Timeout,
        "guard_window_passed",
        "the guard read is too old by now, so the write was not sent",
    )
    .with_remedy("read and merge again")
}

/// Tells the observer and the log of an attempt.
pub(super) fn observe(shared: &Shared, event: &AttemptEvent<'_>) {
    if let Some(observer) = shared.observer() {
        observer.attempt(event);
    }
    tracing::debug!(
        store = %event.store,
        method = event.method.as_str(),
        path = event.path,
        attempt = event.attempt,
        status = event.status.map(|status| status.as_u16()),
        took = ?event.took,
        "attempt"
    );
}
