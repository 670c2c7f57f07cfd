//! The transport over reqwest, with every guard that a call with credentials needs.

use std::error::Error as StdError;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Position, Url};

use super::address::{NotPublic, check_literal, is_public};
use super::buffers::Buffers;
use super::{AttemptLimits, Chunks, HttpTransport, StreamedBody};
use crate::error::{Effect, Error, ErrorKind, Result, Retry};
use crate::time::{SystemClock, within};

/// The bodies whose memory is kept for others: less is not worth it, more is given back.
const KEPT_BYTES: RangeInclusive<usize> = 64 << 10..=4 << 20;

/// Sends over the network: no redirects, no proxy, no cookies, no retries, and only to public addresses
/// unless [`AttemptLimits::private_hosts`] says otherwise.
///
/// It is meant to be shared by all stores of a process. Its connection pools are made when they are first
/// needed, one for https and one for plain http, each guarded or open to private addresses.
/// With the feature `rustls-no-provider` and no provider installed by the application, each request is a
/// `Config` error, one over plain http too.
pub struct ReqwestTransport {
    connect_timeout: Duration,
    idle_timeout: Duration,
    #[cfg(any(feature = "rustls", feature = "rustls-no-provider"))]
    extra_roots: Vec<reqwest::Certificate>,
    clock: SystemClock,
    building: Mutex<()>,
    /// The memory of bodies that came in pieces.
    buffers: Mutex<Buffers>,
    clients: [OnceLock<reqwest::Client>; 4],
}

impl ReqwestTransport {
    /// A transport with the default settings.
    #[must_use]
    pub fn new() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(4),
            #[cfg(any(feature = "rustls", feature = "rustls-no-provider"))]
            extra_roots: Vec::new(),
            clock: SystemClock::default(),
            building: Mutex::new(()),
            buffers: Mutex::default(),
            clients: [const { OnceLock::new() }; 4],
        }
    }

    /// Begins a transport with settings of its own.
    #[must_use]
    pub fn builder() -> ReqwestTransportBuilder {
        ReqwestTransportBuilder { transport: Self::new(), extra_ca_pem: Vec::new() }
    }

    /// The pool for a kind of address, made at its first use.
    fn client(&self, secure: Secure, reach: Reach) -> Result<&reqwest::Client> {
        let [https_public, https_any, http_public, http_any] = &self.clients;
        let slot = match (secure, reach) {
            (Secure::Yes, Reach::Public) => https_public,
            (Secure::Yes, Reach::Any) => https_any,
            (Secure::No, Reach::Public) => http_public,
            (Secure::No, Reach::Any) => http_any,
        };
        if let Some(client) = slot.get() {
            return Ok(client);
        }
        let _alone = self.building.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = slot.get() {
            return Ok(client);
        }
        let client = self.build(secure, reach)?;
        Ok(slot.get_or_init(|| client))
    }

    fn build(&self, secure: Secure, reach: Reach) -> Result<reqwest::Client> {
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .connect_timeout(self.connect_timeout)
            .pool_idle_timeout(self.idle_timeout)
            .pool_max_idle_per_host(16)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(Duration::from_secs(20))
            .http2_keep_alive_timeout(Duration::from_secs(10));
        if matches!(reach, Reach::Public) {
            builder = builder.dns_resolver(PublicOnly);
        }
        builder = self.tls(builder, secure)?;
        builder.build().map_err(|error| {
            Error::new(ErrorKind::Config, "transport_setup", "the transport could not be set up")
                .with_remedy("check the certificate store of the machine and the extra certificates")
                .with_source(error.without_url())
        })
    }

    /// Even a client for plain http sets TLS up, and so needs a provider; it is spared the root certificates.
    #[cfg(any(feature = "rustls", feature = "rustls-no-provider"))]
    fn tls(&self, builder: reqwest::ClientBuilder, secure: Secure) -> Result<reqwest::ClientBuilder> {
        provider_is_there()?;
        Ok(match secure {
            Secure::Yes => builder
                .https_only(true)
                .tls_version_min(reqwest::tls::Version::TLS_1_2)
                .tls_certs_merge(self.extra_roots.iter().cloned()),
            Secure::No => builder.tls_certs_only([]),
        })
    }

    #[cfg(not(any(feature = "rustls", feature = "rustls-no-provider")))]
    fn tls(&self, builder: reqwest::ClientBuilder, secure: Secure) -> Result<reqwest::ClientBuilder> {
        match secure {
            Secure::No => Ok(builder),
            Secure::Yes => Err(Error::new(
                ErrorKind::Config,
                "tls_missing",
                "this build has no TLS, so https cannot be spoken",
            )
            .with_remedy("turn on the feature rustls")),
        }
    }
}

/// reqwest panics where no provider is installed, so it is asked for first.
#[cfg(all(feature = "rustls-no-provider", not(feature = "rustls")))]
fn provider_is_there() -> Result<()> {
    if rustls::crypto::CryptoProvider::get_default().is_some() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Config,
        "crypto_provider_missing",
        "no crypto provider is installed in this process, and the HTTP client needs one",
    )
    .with_remedy("install a rustls CryptoProvider before the first call, or turn on the feature rustls"))
}

#[cfg(feature = "rustls")]
#[expect(clippy::unnecessary_wraps, reason = "the other feature's version can fail")]
fn provider_is_there() -> Result<()> {
    Ok(())
}

impl Default for ReqwestTransport {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ReqwestTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReqwestTransport")
            .field("connect_timeout", &self.connect_timeout)
            .field("idle_timeout", &self.idle_timeout)
            .finish_non_exhaustive()
    }
}

/// Settings of a [`ReqwestTransport`].
#[derive(Debug)]
pub struct ReqwestTransportBuilder {
    transport: ReqwestTransport,
    extra_ca_pem: Vec<u8>,
}

impl ReqwestTransportBuilder {
    /// Trusts the certificate authorities of a PEM text besides those of the machine.
    #[must_use]
    pub fn extra_ca_pem(mut self, pem: &[u8]) -> Self {
        self.extra_ca_pem.extend_from_slice(pem);
        self.extra_ca_pem.push(b'\n');
        self
    }

    /// Sets the longest time for a connection to be made, TLS included (default 5 s).
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.transport.connect_timeout = timeout;
        self
    }

    /// Sets how long an unused connection is kept (default 4 s).
    ///
    /// It should stay below the idle limit of the servers (Apache's default is 5 s): a write on a connection
    /// that the server is about to close has an unknown outcome.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.transport.idle_timeout = timeout;
        self
    }

    /// Makes the transport; nothing is sent.
    ///
    /// # Errors
    /// `Config` where the PEM text holds no certificate, or this build has no TLS to use it.
    #[cfg(any(feature = "rustls", feature = "rustls-no-provider"))]
    pub fn build(mut self) -> Result<ReqwestTransport> {
        if !self.extra_ca_pem.is_empty() {
            self.transport.extra_roots = reqwest::Certificate::from_pem_bundle(&self.extra_ca_pem)
                .ok()
                .filter(|roots| !roots.is_empty())
                .ok_or_else(no_certificate)?;
        }
        Ok(self.transport)
    }

    /// Makes the transport; nothing is sent.
    ///
    /// # Errors
    /// `Config` where the PEM text holds no certificate, or this build has no TLS to use it.
    #[cfg(not(any(feature = "rustls", feature = "rustls-no-provider")))]
    pub fn build(self) -> Result<ReqwestTransport> {
        if self.extra_ca_pem.is_empty() { Ok(self.transport) } else { Err(no_certificate()) }
    }
}

fn no_certificate() -> Error {
    Error::new(ErrorKind::Config, "extra_ca_unreadable", "the extra certificate authority cannot be used")
        .with_remedy("give one or more certificates in PEM form, and turn on the feature rustls")
}

#[derive(Clone, Copy)]
enum Secure {
    Yes,
    No,
}

#[derive(Clone, Copy)]
enum Reach {
    Public,
    Any,
}

/// Resolves names, and refuses a name of whose addresses one is not public.
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if found.iter().all(|address| is_public(address.ip())) {
                Ok(Box::new(found.into_iter()) as Addrs)
            } else {
                Err(Box::new(NotPublic) as Box<dyn StdError + Send + Sync>)
            }
        })
    }
}

#[async_trait]
impl HttpTransport for ReqwestTransport {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        limits: &AttemptLimits,
    ) -> Result<http::Response<Bytes>> {
        let mut response = self.begin(request, limits, Some(limits.attempt_timeout)).await?;
        let body = self.read(&mut response, limits).await?;
        Ok(head(&mut response).map(|()| body))
    }

    async fn open(
        &self,
        request: http::Request<Bytes>,
        limits: &AttemptLimits,
    ) -> Result<http::Response<StreamedBody>> {
        // The client's own time-out would go on through the body.
        let begun = self.begin(request, limits, None);
        let mut response =
            within(&self.clock, limits.attempt_timeout, begun).await.ok_or_else(attempt_over)??;
        let head = head(&mut response);
        let body = Streamed {
            response,
            clock: SystemClock::default(),
            read_timeout: limits.read_timeout,
            left: limits.max_body_bytes,
            cap: limits.max_body_bytes,
        };
        Ok(head.map(|()| StreamedBody::new(body)))
    }
}

/// Status, version and headers of an answer.
fn head(response: &mut reqwest::Response) -> http::Response<()> {
    let mut answer = http::Response::new(());
    *answer.status_mut() = response.status();
    *answer.version_mut() = response.version();
    *answer.headers_mut() = std::mem::take(response.headers_mut());
    answer
}

/// A body that is read as it comes, with a bound on its length and on each silence.
struct Streamed {
    response: reqwest::Response,
    clock: SystemClock,
    read_timeout: Duration,
    left: usize,
    cap: usize,
}

#[async_trait]
impl Chunks for Streamed {
    async fn chunk(&mut self) -> Result<Option<Bytes>> {
        let chunk = within(&self.clock, self.read_timeout, self.response.chunk());
        let Some(chunk) = chunk.await.ok_or_else(silent)?.map_err(fault)? else { return Ok(None) };
        self.left = self.left.checked_sub(chunk.len()).ok_or_else(|| too_large(self.cap))?;
        Ok(Some(chunk))
    }
}

impl fmt::Debug for Streamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streamed").field("left", &self.left).finish_non_exhaustive()
    }
}

impl ReqwestTransport {
    /// Sends a request, and gives the answer with its body unread.
    async fn begin(
        &self,
        mut request: http::Request<Bytes>,
        limits: &AttemptLimits,
        timeout: Option<Duration>,
    ) -> Result<reqwest::Response> {
        let url = address(&mut request)?;
        let secure = match url.scheme() {
            "https" => Secure::Yes,
            "http" => Secure::No,
            _ => return Err(unusable()),
        };
        let reach = if limits.private_hosts { Reach::Any } else { Reach::Public };
        if matches!(reach, Reach::Public) {
            check_literal(&url).map_err(|source| not_public(source, Effect::None))?;
        }
        let client = self.client(secure, reach)?;

        let (parts, body) = request.into_parts();
        let mut outgoing = reqwest::Request::new(parts.method, url);
        *outgoing.headers_mut() = parts.headers;
        if !body.is_empty() {
            *outgoing.body_mut() = Some(body.into());
        }
        *outgoing.timeout_mut() = timeout;

        let response = within(&self.clock, limits.read_timeout, client.execute(outgoing))
            .await
            .ok_or_else(silent)?
            .map_err(fault)?;
        if matches!(reach, Reach::Public)
            && response.remote_addr().is_some_and(|address| !is_public(address.ip()))
        {
            return Err(not_public(NotPublic, Effect::Possible));
        }
        Ok(response)
    }

    /// Reads the body up to its cap, which counts what comes out of the decompression.
    async fn read(&self, response: &mut reqwest::Response, limits: &AttemptLimits) -> Result<Bytes> {
        let cap = limits.max_body_bytes;
        let announced =
            response.content_length().map_or(0, |length| usize::try_from(length).unwrap_or(usize::MAX));
        if announced > cap {
            return Err(too_large(cap));
        }
        let mut first = Bytes::new();
        let mut whole = Vec::new();
        while let Some(chunk) = within(&self.clock, limits.read_timeout, response.chunk())
            .await
            .ok_or_else(silent)?
            .map_err(fault)?
        {
            if first.len() + whole.len() + chunk.len() > cap {
                return Err(too_large(cap));
            }
            if whole.is_empty() && first.is_empty() {
                // Most small bodies are one piece: they are passed on as they came.
                first = chunk;
                continue;
            }
            if whole.is_empty() {
                whole = self.buffers().take().unwrap_or_default();
                whole.reserve(announced.max(first.len() + chunk.len()));
                whole.extend_from_slice(&std::mem::take(&mut first));
            }
            whole.extend_from_slice(&chunk);
        }
        if whole.is_empty() {
            return Ok(first);
        }
        if whole.len() < whole.capacity() / 4 {
            whole.shrink_to_fit();
        }
        let whole = Bytes::from(whole);
        if KEPT_BYTES.contains(&whole.len()) {
            self.buffers().lend(whole.clone());
        }
        Ok(whole)
    }

    fn buffers(&self) -> MutexGuard<'_, Buffers> {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The parsed address of a request: the one that the pipeline left, where it is that of the URI.
fn address(request: &mut http::Request<Bytes>) -> Result<Url> {
    let parsed = request.extensions_mut().remove::<Url>();
    let uri = request.uri();
    if let Some(url) = parsed
        && uri.scheme_str() == Some(url.scheme())
        && uri.authority().is_some_and(|own| own.as_str() == &url[Position::BeforeHost..Position::AfterPort])
        && uri.path_and_query().is_some_and(|own| own == &url[Position::BeforePath..Position::AfterQuery])
    {
        return Ok(url);
    }
    let url = Url::parse(&uri.to_string()).map_err(|_| unusable())?;
    if url.username().is_empty() && url.password().is_none() { Ok(url) } else { Err(unusable()) }
}

fn unusable() -> Error {
    Error::new(
        ErrorKind::Config,
        "address_unusable",
        "the address must be an http or https URL without credentials",
    )
}

fn not_public(source: NotPublic, effect: Effect) -> Error {
    Error::new(ErrorKind::Config, "address_refused", "the host has an address that is not public")
        .with_remedy("allow private hosts in the settings where the store is meant to be in this network")
        .with_effect(effect)
        .with_source(source)
}

fn too_large(cap: usize) -> Error {
    Error::new(
        ErrorKind::TooLarge,
        "body_too_large",
        format!("the answer is over its bound of {cap} bytes after decompression"),
    )
    .with_remedy("ask for smaller pages or fewer fields")
    .with_effect(Effect::Possible)
}

fn attempt_over() -> Error {
    Error::new(ErrorKind::Timeout, "attempt_timeout", "the store did not answer in time")
        .with_remedy("raise the attempt time-out")
        .with_effect(Effect::Possible)
}

fn silent() -> Error {
    Error::new(ErrorKind::Timeout, "read_timeout", "the store was silent for longer than the read time-out")
        .with_remedy("ask for smaller pages, or raise the read time-out")
        .with_effect(Effect::Possible)
}

/// Names a fault. Its address never goes along: it holds the query.
fn fault(error: reqwest::Error) -> Error {
    let error = error.without_url();
    let mut cause: Option<&(dyn StdError + 'static)> = Some(&error);
    let mut certificate = false;
    while let Some(inner) = cause {
        if let Some(refused) = inner.downcast_ref::<NotPublic>() {
            return not_public(*refused, Effect::None);
        }
        // The type of a TLS error is not ours to name without a dependency; its text is stable enough for
        // a hint, and nothing but the hint and the retry depend on it.
        certificate |= error.is_connect() && inner.source().is_none() && certificate_fault(inner);
        cause = inner.source();
    }
    let (kind, code, message, remedy, effect) = if certificate {
        (
            ErrorKind::Config,
            "certificate_refused",
            "the store's certificate is not trusted",
            "have the certificate corrected, or give its authority as an extra one",
            Effect::None,
        )
    } else if error.is_connect() && error.is_timeout() {
        (
            ErrorKind::Timeout,
            "connect_timeout",
            "no connection could be made in time",
            "check the address and whether the store is up",
            Effect::None,
        )
    } else if error.is_connect() {
        (
            ErrorKind::Unavailable,
            "connect_failed",
            "no connection could be made",
            "check the address and whether the store is up",
            Effect::None,
        )
    } else if error.is_timeout() {
        (
            ErrorKind::Timeout,
            "attempt_timeout",
            "the store did not answer in time",
            "ask for smaller pages, or raise the attempt time-out",
            Effect::Possible,
        )
    } else if error.is_builder() {
        (ErrorKind::Config, "request_unusable", "the request cannot be sent as it is", "", Effect::None)
    } else if error.is_body() || error.is_decode() {
        (ErrorKind::Unavailable, "answer_cut", "the answer broke off", "", Effect::Possible)
    } else {
        (ErrorKind::Unavailable, "connection_lost", "the connection was lost", "", Effect::Possible)
    };
    let retry = if certificate || error.is_builder() { Retry::Never } else { Retry::Later };
    Error::new(kind, code, message)
        .with_remedy(remedy)
        .with_retry(retry)
        .with_effect(effect)
        .with_source(error)
}

fn certificate_fault(error: &(dyn StdError + 'static)) -> bool {
    error.to_string().contains("certificate")
}

#[cfg(test)]
#[cfg(all(feature = "rustls-no-provider", not(feature = "rustls")))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_a_provider_a_call_is_an_error_and_no_panic() {
        for url in ["https://8.8.8.8/", "http://8.8.8.8/"] {
            let request = http::Request::get(url).body(Bytes::new()).unwrap();
            let error = ReqwestTransport::new().send(request, &AttemptLimits::default()).await.unwrap_err();
            assert_eq!((error.code(), error.effect()), ("crypto_provider_missing", Effect::None));
        }
    }
}

#[cfg(test)]
#[cfg(any(feature = "rustls", not(feature = "rustls-no-provider")))]
mod remote_tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    /// Stands for a name that was resolved by another way than ours: the guarded pool is given a client
    /// without the guard.
    #[tokio::test]
    async fn an_answer_from_an_address_that_is_not_public_is_refused() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let _ = socket.read_buf(&mut Vec::new()).await;
                let _ = socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
            }
        });
        let transport = ReqwestTransport::new();
        let open = transport.build(Secure::No, Reach::Any).unwrap();
        transport.clients[2].set(open).unwrap();
        let request = http::Request::get(format!("http://localhost:{port}/")).body(Bytes::new()).unwrap();
        let error = transport.send(request, &AttemptLimits::default()).await.unwrap_err();
        assert_eq!((error.code(), error.effect()), ("address_refused", Effect::Possible));
    }
}
