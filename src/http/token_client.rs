//! Sends token requests: through the transport with its guards, past the limiter of the store's API.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Method};
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::classify::retry_after;
use super::client::observe;
use super::observe::{AttemptEvent, AttemptResult};
use super::shared::Shared;
use super::{ApiResponse, Backoff};
use crate::auth::{
    TOKEN_CLOCK_OFF, TokenAnswer, TokenEncoding, TokenGrant, TokenRepeat, TokenRequest, TokenSet,
    must_be_private,
};
use crate::error::{Effect, Error, ErrorKind, Result, Retry};
use crate::model::StoreKey;
use crate::transport::AttemptLimits;

/// The longest wait that a token endpoint may ask for.
const RETRY_AFTER_CAP: Duration = Duration::from_secs(10);

/// Sends token requests of one store, each up to three times within its bounds.
///
/// It has no part in the store's limiter, since the calls that wait for a token hold their places there. It
/// follows no redirect, and sends to https alone, or to this machine.
#[derive(Clone)]
pub struct TokenClient {
    shared: Shared,
    store: StoreKey,
    attempts: u32,
    backoff: Backoff,
    limits: AttemptLimits,
}

impl TokenClient {
    /// Makes a client.
    #[must_use]
    pub fn new(shared: Shared, store: StoreKey) -> Self {
        let limits = AttemptLimits {
            read_timeout: Duration::from_secs(10),
            attempt_timeout: Duration::from_secs(15),
            max_body_bytes: 64 * 1024,
            private_hosts: false,
        };
        let backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(4));
        Self { shared, store, attempts: 3, backoff, limits }
    }

    /// Allows or forbids loopback and private addresses (default forbidden).
    #[must_use]
    pub fn private_hosts(mut self, allowed: bool) -> Self {
        self.limits.private_hosts = allowed;
        self
    }

    /// Sets the most attempts of a request, the first included (default 3); zero counts as one.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Gets new tokens by a grant in place of these; `None` where the grant has no way to get any.
    ///
    /// The caller keeps them durably before they are used.
    ///
    /// # Errors
    /// What the grant made of the last answer, and what the transport gave.
    pub async fn obtain(
        &self,
        grant: &dyn TokenGrant,
        current: Option<&TokenSet>,
    ) -> Result<Option<TokenSet>> {
        self.obtain_until(grant, current, Duration::MAX).await
    }

    /// As [`TokenClient::obtain`], without a repetition that would begin later.
    pub(super) async fn obtain_until(
        &self,
        grant: &dyn TokenGrant,
        current: Option<&TokenSet>,
        until: Duration,
    ) -> Result<Option<TokenSet>> {
        let mut clock_learned = false;
        loop {
            let Some(request) = grant.request(current, self.shared.clock().now()).await? else {
                return Ok(None);
            };
            match self.send_until(&request, |answer| grant.read(answer, current), until).await {
                // The grant makes another request by the platform's time.
                Err(error) if error.code() == TOKEN_CLOCK_OFF && !clock_learned => clock_learned = true,
                obtained => return obtained.map(Some),
            }
        }
    }

    /// Sends a token request, and reads its answer.
    ///
    /// An attempt is repeated where that may help: after a fault of the way or of the server, and after an
    /// answer that could not be read. A request that is used up by its first arrival is repeated only where it
    /// certainly did not arrive.
    ///
    /// # Errors
    /// `Config` where the endpoint may not be used; what `read` made of the last answer, and what the transport
    /// gave.
    pub async fn send<T>(
        &self,
        request: &TokenRequest,
        read: impl Fn(&TokenAnswer) -> Result<T> + Send + Sync,
    ) -> Result<T> {
        self.send_until(request, read, Duration::MAX).await
    }

    async fn send_until<T>(
        &self,
        request: &TokenRequest,
        read: impl Fn(&TokenAnswer) -> Result<T> + Send + Sync,
        until: Duration,
    ) -> Result<T> {
        must_be_private(&request.origin)?;
        let url = request.origin.join(&request.path)?;
        let mut attempt = 1;
        loop {
            let (error, after) = match self.attempt(request, &url, attempt, &read).await {
                Ok(read) => return Ok(read),
                Err(failed) => failed,
            };
            let unreadable = error.kind() == ErrorKind::Protocol && error.effect() == Effect::Possible;
            let may_help = (unreadable || error.retry() != Retry::Never) && error.code() != TOKEN_CLOCK_OFF;
            let may_repeat = request.repeat == TokenRepeat::Safe || error.effect() == Effect::None;
            if attempt >= self.attempts || !may_help || !may_repeat {
                return Err(error.with_context("attempts", attempt.to_string()));
            }
            let wait = match after {
                Some(after) => after.min(RETRY_AFTER_CAP),
                None => self.backoff.wait(attempt, self.shared.entropy().as_ref())?,
            };
            if self.shared.clock().elapsed().saturating_add(wait) >= until {
                return Err(error.with_context("attempts", attempt.to_string()));
            }
            self.shared.clock().sleep(wait).await;
            attempt += 1;
        }
    }

    async fn attempt<T>(
        &self,
        request: &TokenRequest,
        url: &url::Url,
        attempt: u32,
        read: impl Fn(&TokenAnswer) -> Result<T> + Send + Sync,
    ) -> Result<T, (Error, Option<Duration>)> {
        let clock = self.shared.clock();
        let outgoing = outgoing(request, url).map_err(|error| (error, None))?;
        let (asked_at, began) = (clock.now(), clock.elapsed());
        let sent = self.shared.transport().send(outgoing, &self.limits).await;
        let took = clock.elapsed().saturating_sub(began);
        let (mut status, mut body_bytes, mut after) = (None, 0, None);
        let done = match sent {
            Err(error) => Err(error),
            Ok(response) => {
                let response = ApiResponse::new(response, clock.now(), attempt);
                status = Some(response.status());
                body_bytes = response.body().len();
                after = retry_after(&response);
                let server_time = response.server_time();
                read(&TokenAnswer::new(response.status(), response.into_body(), asked_at).at(server_time))
            }
        };
        let event = AttemptEvent {
            store: &self.store,
            method: &Method::POST,
            path: url.path(),
            attempt,
            status,
            body_bytes,
            took,
            result: match &done {
                Ok(_) => AttemptResult::Success,
                Err(error) if error.retry() == Retry::Never => AttemptResult::Failed,
                Err(_) => AttemptResult::Retryable,
            },
        };
        observe(&self.shared, &event);
        done.map_err(|error| (error, after))
    }
}

impl fmt::Debug for TokenClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenClient").field("store", &self.store).finish_non_exhaustive()
    }
}

fn outgoing(request: &TokenRequest, url: &url::Url) -> Result<http::Request<Bytes>> {
    let (kind, body) = match request.encoding {
        TokenEncoding::Form => {
            let mut form = form_urlencoded::Serializer::new(String::new());
            for (name, value) in &request.fields {
                form.append_pair(name, value.expose());
            }
            ("application/x-www-form-urlencoded", form.finish())
        }
        TokenEncoding::Json => {
            let fields: Map<String, Value> = request
                .fields
                .iter()
                .map(|(name, value)| (name.to_string(), Value::from(value.expose())))
                .collect();
            ("application/json", Value::Object(fields).to_string())
        }
    };
    let agent = concat!("lily-connect/", env!("CARGO_PKG_VERSION"));
    let mut outgoing = http::Request::post(url.as_str())
        .header(ACCEPT, HeaderValue::from_static("application/json"))
        .header(CONTENT_TYPE, HeaderValue::from_static(kind))
        .header(USER_AGENT, HeaderValue::from_static(agent))
        .body(Bytes::from(body))
        .map_err(|_| Error::new(ErrorKind::Config, "origin_invalid", "the token endpoint cannot be a URI"))?;
    outgoing.extensions_mut().insert(url.clone());
    Ok(outgoing)
}
