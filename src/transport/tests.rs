//! The guards of the transport, over real sockets on loopback.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket};

use super::*;
use crate::error::{Effect, Error, ErrorKind, Retry};

/// 64 KiB of the digit 0 in gzip form.
const ZEROS_GZIP: &[u8] = &[
    31, 139, 8, 0, 0, 0, 0, 0, 2, 255, 237, 193, 129, 0, 0, 0, 0, 128, 32, 165, 253, 233, 22, 169, 10, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 106, 11, 81, 73, 104, 0, 0,
    1, 0,
];

/// A server that gives each connection the same answer and then closes it or stays silent.
struct Server {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

#[derive(Clone, Copy)]
enum Then {
    Close,
    StaySilent,
}

impl Server {
    async fn with(answer: impl Into<Vec<u8>>, then: Then) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let (answer, count) = (Arc::new(answer.into()), Arc::clone(&requests));
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, Arc::clone(&answer), Arc::clone(&count), then));
            }
        });
        Self { address, requests }
    }

    async fn answering(answer: impl Into<Vec<u8>>) -> Self {
        Self::with(answer, Then::Close).await
    }

    fn url(&self) -> String {
        format!("http://{}/x?secret=hidden", self.address)
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut socket: S,
    answer: Arc<Vec<u8>>,
    count: Arc<AtomicUsize>,
    then: Then,
) {
    let mut head = Vec::new();
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        match socket.read_buf(&mut head).await {
            Ok(read) if read > 0 => {}
            _ => return,
        }
    }
    count.fetch_add(1, Ordering::SeqCst);
    let _ = socket.write_all(&answer).await;
    let _ = socket.flush().await;
    if matches!(then, Then::StaySilent) {
        std::future::pending::<()>().await;
    }
    let _ = socket.shutdown().await;
}

fn private() -> AttemptLimits {
    AttemptLimits { private_hosts: true, ..AttemptLimits::default() }
}

async fn get(
    transport: &ReqwestTransport,
    url: &str,
    limits: AttemptLimits,
) -> Result<http::Response<Bytes>> {
    let request = http::Request::get(url).body(Bytes::new()).unwrap();
    transport.send(request, &limits).await
}

async fn fetch(url: &str, limits: AttemptLimits) -> Result<http::Response<Bytes>> {
    get(&ReqwestTransport::new(), url, limits).await
}

fn shown(error: &Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text += &format!(" {inner} {inner:?}");
        source = inner.source();
    }
    text
}

#[tokio::test]
async fn an_answer_of_any_status_comes_whole() {
    let body = "x".repeat(100_000);
    let server = Server::answering(format!(
        "HTTP/1.1 404 Not Found\r\ncontent-length: 100000\r\nx-a: b\r\nconnection: close\r\n\r\n{body}"
    ))
    .await;
    let answer = fetch(&server.url(), private()).await.unwrap();
    assert_eq!(answer.status(), 404);
    assert_eq!(answer.headers()["x-a"], "b");
    assert_eq!(answer.body().len(), 100_000);
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let other = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let server = Server::answering(format!(
        "HTTP/1.1 302 Found\r\nlocation: http://{}/\r\ncontent-length: 0\r\n\r\n",
        other.address
    ))
    .await;
    assert_eq!(fetch(&server.url(), private()).await.unwrap().status(), 302);
    assert_eq!((server.requests(), other.requests()), (1, 0));
}

#[tokio::test]
async fn private_addresses_are_refused_before_anything_is_sent() {
    let server = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let port = server.address.port();
    // The last one is a name: the resolver refuses it, not the check of literals.
    for host in ["127.0.0.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "localhost"] {
        let error = fetch(&format!("http://{host}:{port}/"), AttemptLimits::default()).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Config, "address_refused"), "{host}: {error}");
        assert_eq!((error.effect(), error.retry()), (Effect::None, Retry::Never), "{host}");
    }
    assert_eq!(server.requests(), 0);
    assert!(fetch(&format!("http://localhost:{port}/"), private()).await.is_ok());
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn one_transport_keeps_guarded_and_open_calls_apart() {
    let server = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let transport = ReqwestTransport::new();
    let url = format!("http://localhost:{}/", server.address.port());
    assert!(get(&transport, &url, private()).await.is_ok());
    assert!(get(&transport, &url, AttemptLimits::default()).await.is_err());
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn a_body_over_its_cap_is_refused_announced_chunked_or_compressed() {
    let cap = AttemptLimits { max_body_bytes: 1000, ..private() };
    let announced = "HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n".to_owned() + &"x".repeat(1001);
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_owned()
        + &format!("1f4\r\n{}\r\n", "x".repeat(500)).repeat(3)
        + "0\r\n\r\n";
    let mut gzip =
        format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", ZEROS_GZIP.len())
            .into_bytes();
    gzip.extend_from_slice(ZEROS_GZIP);
    for answer in [announced.into_bytes(), chunked.into_bytes(), gzip.clone()] {
        let server = Server::answering(answer).await;
        let error = fetch(&server.url(), cap).await.unwrap_err();
        assert_eq!((error.kind(), error.effect()), (ErrorKind::TooLarge, Effect::Possible));
    }
    let server = Server::answering(gzip).await;
    assert_eq!(fetch(&server.url(), private()).await.unwrap().body().len(), 65536);
}

#[tokio::test]
async fn an_announced_length_over_the_cap_is_refused_without_reading() {
    let server = Server::with("HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n", Then::StaySilent).await;
    let limits = AttemptLimits { max_body_bytes: 1000, ..private() };
    assert_eq!(fetch(&server.url(), limits).await.unwrap_err().kind(), ErrorKind::TooLarge);
}

/// The environment is read when a client is made, so the test runs itself in a process with a proxy set.
#[tokio::test]
async fn a_proxy_of_the_environment_is_not_used() {
    const CHILD: &str = "LILY_TEST_IN_PROXY_CHILD";
    if std::env::var_os(CHILD).is_some() {
        let server = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        assert!(fetch(&server.url(), private()).await.is_ok());
        return;
    }
    let child = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "transport::tests::a_proxy_of_the_environment_is_not_used"])
        .env(CHILD, "1")
        .env("http_proxy", "http://127.0.0.1:1")
        .env("all_proxy", "http://127.0.0.1:1")
        .env_remove("no_proxy")
        .env_remove("NO_PROXY")
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_a_fault_and_may_have_had_an_effect() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n12345\r\n",
        "",
    ] {
        let server = Server::answering(answer).await;
        let error = fetch(&server.url(), private()).await.unwrap_err();
        assert_eq!((error.kind(), error.effect()), (ErrorKind::Unavailable, Effect::Possible), "{error:?}");
        assert!(!shown(&error).contains("hidden"), "{}", shown(&error));
    }
}

#[tokio::test]
async fn no_connection_means_no_effect() {
    // The port is kept, so that nobody else comes to listen there.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let error = fetch(&format!("http://{address}/?secret=hidden"), private()).await.unwrap_err();
    assert_eq!((error.code(), error.effect()), ("connect_failed", Effect::None), "{error:?}");
    assert!(!shown(&error).contains("hidden"), "{}", shown(&error));
}

#[tokio::test]
async fn silence_ends_in_a_timeout_with_a_possible_effect() {
    let short = Duration::from_millis(40);
    for (answer, read, attempt, code) in [
        ("", short, Duration::from_secs(30), "read_timeout"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n1", short, Duration::from_secs(30), "read_timeout"),
        ("", Duration::from_secs(30), short, "attempt_timeout"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n1", Duration::from_secs(30), short, "attempt_timeout"),
    ] {
        let server = Server::with(answer, Then::StaySilent).await;
        let limits = AttemptLimits { read_timeout: read, attempt_timeout: attempt, ..private() };
        let error = fetch(&server.url(), limits).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Timeout, code));
        assert_eq!(error.effect(), Effect::Possible);
        assert!(!shown(&error).contains("hidden"), "{}", shown(&error));
    }
}

#[tokio::test]
async fn the_uri_counts_where_the_parsed_address_differs() {
    let server = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let mut request = http::Request::get(server.url()).body(Bytes::new()).unwrap();
    request.extensions_mut().insert(url::Url::parse("http://127.0.0.1:1/elsewhere").unwrap());
    assert!(ReqwestTransport::new().send(request, &private()).await.is_ok());
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn addresses_that_are_no_web_addresses_are_refused() {
    for url in ["ftp://shop.example/", "https://u:p@shop.example/", "/path"] {
        let error = fetch(url, AttemptLimits::default()).await.unwrap_err();
        assert_eq!(error.code(), "address_unusable", "{url}");
    }
}

#[test]
fn an_extra_authority_that_is_no_certificate_is_refused() {
    let error = ReqwestTransport::builder().extra_ca_pem(b"not a certificate").build().unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Config, "extra_ca_unreadable"));
}

#[cfg(not(any(feature = "rustls", feature = "rustls-no-provider")))]
#[tokio::test]
async fn without_tls_https_is_an_error() {
    let error = fetch("https://8.8.8.8/", AttemptLimits::default()).await.unwrap_err();
    assert_eq!((error.code(), error.effect()), ("tls_missing", Effect::None));
}

#[cfg(feature = "rustls")]
mod tls {
    use super::*;
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivateKeyDer};

    /// A server with a certificate of its own for `localhost`, and that certificate in PEM form.
    async fn server() -> (SocketAddr, Arc<AtomicUsize>, String) {
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                if let Ok(socket) = acceptor.accept(socket).await {
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]".to_vec();
                    tokio::spawn(serve(socket, Arc::new(answer), Arc::clone(&count), Then::Close));
                }
            }
        });
        (address, requests, own.cert.pem())
    }

    #[tokio::test]
    async fn an_extra_authority_is_trusted_and_an_unknown_one_is_not() {
        let (address, requests, pem) = server().await;
        let url = format!("https://localhost:{}/", address.port());
        let error = fetch(&url, private()).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Config, "certificate_refused"), "{error:?}");
        assert_eq!((error.effect(), error.retry()), (Effect::None, Retry::Never));
        assert_eq!(requests.load(Ordering::SeqCst), 0);

        let transport = ReqwestTransport::builder().extra_ca_pem(pem.as_bytes()).build().unwrap();
        let answer = get(&transport, &url, private()).await.unwrap();
        assert_eq!(answer.body().as_ref(), b"[]");
        // The name has to be the certificate's too.
        let error = get(&transport, &format!("https://{address}/"), private()).await.unwrap_err();
        assert_eq!(error.code(), "certificate_refused");
        assert_eq!(requests.load(Ordering::SeqCst), 1);
    }
}
