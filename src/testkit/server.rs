//! A small HTTP/1.1 server on loopback that plays faults and counts what it received.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use super::exchange::{Handler, Request, Response, Transport};
use super::faults::{Fault, Faults, When};
use super::traffic::Traffic;

/// The largest body that a request may have; a larger one is answered 413.
const BODY_LIMIT: usize = 32 << 20;
/// The most bytes that the head of a request may have, and the most header lines.
const HEAD_LIMIT: usize = 64 << 10;
const HEADER_LIMIT: usize = 100;
/// The most connections at one time; the next ones wait to be accepted.
const CONNECTION_LIMIT: usize = 1024;

/// A handler with its faults and its log, not yet bound to an address. Clones share all of it.
#[derive(Clone)]
pub struct Service {
    handler: Arc<dyn Handler>,
    faults: Faults,
    traffic: Traffic,
}

impl Service {
    /// Wraps a handler.
    pub fn new(handler: impl Handler) -> Self {
        Self { handler: Arc::new(handler), faults: Faults::default(), traffic: Traffic::default() }
    }

    /// The faults that it plays.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// What it received.
    #[must_use]
    pub fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// Serves one connection until the peer closes it.
    ///
    /// A test that wants TLS accepts the connection itself, shakes hands with the TLS crate of its choice
    /// and passes the stream with [`Transport::Tls`].
    pub async fn serve_connection<S>(&self, stream: S, transport: Transport)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = hyper::service::service_fn(move |request| self.clone().answer(request, transport));
        // A connection that ends in an error is what faults are for: the peer sees it, nobody else needs to.
        let _ = hyper::server::conn::http1::Builder::new()
            .max_headers(HEADER_LIMIT)
            .max_buf_size(HEAD_LIMIT)
            .serve_connection(TokioIo::new(stream), service)
            .await;
    }

    async fn answer(
        self,
        request: http::Request<Incoming>,
        transport: Transport,
    ) -> Result<http::Response<Reply>, Cut> {
        let (head, body) = request.into_parts();
        let body = match Limited::new(body, BODY_LIMIT).collect().await {
            Ok(body) => body.to_bytes().to_vec(),
            Err(_) => return Ok(reply(Response::new(413), Sending::Whole)),
        };
        let request = Request {
            method: head.method,
            path: head.uri.path().to_owned(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            headers: head.headers,
            body,
            transport,
        };
        let _in_flight = self.traffic.enter(&request);
        let Some(fault) = self.faults.next_for(&request) else {
            return Ok(reply(self.handler.respond(&request).await, Sending::Whole));
        };
        self.traffic.count_fault();
        match fault {
            Fault::Reset(When::Before) => Err(Cut),
            Fault::Reset(When::After) => {
                self.handler.respond(&request).await;
                Err(Cut)
            }
            Fault::Hang(time) => {
                wait(time).await;
                Err(Cut)
            }
            Fault::Truncate => Ok(reply(self.handler.respond(&request).await, Sending::Half)),
            Fault::Malformed => {
                let mut response = self.handler.respond(&request).await;
                response.body.truncate(response.body.len() / 2);
                Ok(reply(response, Sending::Whole))
            }
            Fault::Html200 => Ok(reply(page(200, "Please log in"), Sending::Whole)),
            Fault::Status { code, retry_after, when } => {
                if when == When::After {
                    self.handler.respond(&request).await;
                }
                Ok(reply(with_retry_after(page(code, "The server has a fault"), retry_after), Sending::Whole))
            }
            Fault::TooMany { retry_after } => {
                Ok(reply(with_retry_after(page(429, "Too many requests"), retry_after), Sending::Whole))
            }
            Fault::Delay(time) => {
                wait(time).await;
                Ok(reply(self.handler.respond(&request).await, Sending::Whole))
            }
        }
    }

    /// Listens on a free port of 127.0.0.1 without TLS.
    ///
    /// It spawns one task on the current tokio runtime, which accepts connections and serves each in a task
    /// of its own; all of them end when the [`Server`] is dropped.
    ///
    /// # Errors
    /// The operating system's error where it gives no port.
    pub async fn start(self) -> io::Result<Server> {
        self.start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), Transport::Plain).await
    }

    /// Listens like [`Service::start`], but lets the handler believe that requests came by TLS, as a proxy
    /// does that ends TLS and forwards in the clear.
    ///
    /// # Errors
    /// The operating system's error where it gives no port.
    pub async fn start_behind_tls_proxy(self) -> io::Result<Server> {
        self.start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), Transport::Tls).await
    }

    /// Listens like [`Service::start`] at an address of the loopback network.
    ///
    /// # Errors
    /// `InvalidInput` where the address is not loopback; the operating system's error where it is taken.
    pub async fn start_at(self, address: SocketAddr, transport: Transport) -> io::Result<Server> {
        if !address.ip().is_loopback() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("the test server listens on loopback only, got {}", address.ip()),
            ));
        }
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(accept(listener, self.clone(), transport));
        Ok(Server { service: self, address, task })
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("faults", &self.faults).finish_non_exhaustive()
    }
}

async fn accept(listener: TcpListener, service: Service, transport: Transport) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < CONNECTION_LIMIT => {
                // An error of accept is the peer's: it left before the handshake ended.
                if let Ok((stream, _)) = accepted {
                    let service = service.clone();
                    connections.spawn(async move { service.serve_connection(stream, transport).await });
                }
            }
            _ = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

/// A running server. It stops, and drops its connections, when it is dropped.
#[derive(Debug)]
pub struct Server {
    service: Service,
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    /// Starts a handler on a free port of 127.0.0.1; see [`Service::start`].
    ///
    /// # Errors
    /// The operating system's error where it gives no port.
    pub async fn start(handler: impl Handler) -> io::Result<Self> {
        Service::new(handler).start().await
    }

    /// The address that it listens at.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The address as the start of a URL, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The faults that it plays.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.service.faults
    }

    /// What it received.
    #[must_use]
    pub fn traffic(&self) -> &Traffic {
        &self.service.traffic
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The wait is real, since the caller under test waits on a real socket.
#[expect(clippy::disallowed_methods, reason = "a fault of the network takes real time")]
async fn wait(time: Duration) {
    tokio::time::sleep(time).await;
}

fn page(status: u16, title: &str) -> Response {
    Response::new(status).with_header("content-type", "text/html; charset=UTF-8").with_body(format!(
        "<!DOCTYPE html>\n<html><head><title>{title}</title></head><body>{title}</body></html>\n"
    ))
}

fn with_retry_after(response: Response, seconds: Option<u64>) -> Response {
    match seconds {
        Some(seconds) => response.with_header("retry-after", &seconds.to_string()),
        None => response,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sending {
    Whole,
    Half,
}

fn reply(response: Response, sending: Sending) -> http::Response<Reply> {
    let declared = response.body.len();
    let mut body = response.body;
    if sending == Sending::Half {
        body.truncate(declared / 2);
    }
    let mut reply = http::Response::new(Reply {
        bytes: Some(Bytes::from(body)),
        rest: if sending == Sending::Half { Rest::Flush } else { Rest::End },
        declared: u64::try_from(declared).unwrap_or(u64::MAX),
    });
    *reply.status_mut() = response.status;
    *reply.headers_mut() = response.headers;
    if declared > 0 && response.status != StatusCode::NO_CONTENT {
        reply.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(declared));
    }
    reply
}

/// The error that makes hyper close a connection.
#[derive(Debug)]
struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection was cut on purpose")
    }
}

impl std::error::Error for Cut {}

impl From<Infallible> for Cut {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    End,
    /// One pending turn lets hyper flush the first half, so that the peer sees it before the cut.
    Flush,
    Fail,
}

#[derive(Debug)]
struct Reply {
    bytes: Option<Bytes>,
    rest: Rest,
    declared: u64,
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if let Some(bytes) = self.bytes.take().filter(|bytes| !bytes.is_empty()) {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        match self.rest {
            Rest::End => Poll::Ready(None),
            Rest::Flush => {
                self.rest = Rest::Fail;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Rest::Fail => Poll::Ready(Some(Err(Cut))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest == Rest::End && self.bytes.as_ref().is_none_or(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.declared)
    }
}
