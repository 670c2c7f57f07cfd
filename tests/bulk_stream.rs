//! Bodies that come piece by piece, over a socket: bounds, ranges, silences, and no credentials.
#![cfg(feature = "testkit")]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test over a real socket")]

use std::sync::Arc;
use std::time::Duration;

use lily_connect::auth::{NoCredentials, Origin};
use lily_connect::error::ErrorKind;
use lily_connect::http::{ApiClient, ApiRequest, ApiStream};
use lily_connect::model::{Platform, StoreKey};
use lily_connect::runtime::Runtime;
use lily_connect::transport::Chunks as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// Answers one connection after the other with these texts; what came is given back.
async fn serve(answers: Vec<&'static str>) -> (String, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/files", listener.local_addr().unwrap());
    let seen = tokio::spawn(async move {
        let mut seen = Vec::new();
        for answer in answers {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                assert!(socket.read_buf(&mut request).await.unwrap() > 0);
            }
            seen.push(String::from_utf8(request).unwrap());
            socket.write_all(answer.as_bytes()).await.unwrap();
            if answer.ends_with('~') {
                // Silent, and open.
                std::future::pending::<()>().await;
            }
        }
        seen
    });
    (address, seen)
}

fn client(address: &str) -> ApiClient {
    let store = StoreKey::new("tenant", Platform::new("test"), "shop");
    let origin = Origin::http(address).unwrap();
    Runtime::new().client(store, origin, Arc::new(NoCredentials)).private_hosts(true).build().unwrap()
}

async fn all(mut stream: ApiStream) -> lily_connect::Result<String> {
    let mut whole = Vec::new();
    while let Some(chunk) = stream.chunk().await? {
        whole.extend_from_slice(&chunk);
    }
    Ok(String::from_utf8(whole).unwrap())
}

#[tokio::test]
async fn a_body_is_streamed_from_a_byte_on_without_credentials() {
    let (address, seen) = serve(vec![
        "HTTP/1.1 206 Partial Content\r\ncontent-range: bytes 3-9/10\r\ncontent-length: 7\r\nconnection: close\r\n\r\ndefghij",
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\nconnection: close\r\n\r\nabcdefghij",
    ])
    .await;
    let client = client(&address);
    let request = || ApiRequest::get("a.jsonl?signature=s%2Fx").from_byte(3);
    let part = client.open(request(), 100).await.unwrap();
    assert_eq!((part.from(), part.whole()), (3, Some(10)));
    assert_eq!(all(part).await.unwrap(), "defghij");
    // A server that knows no ranges answers with the whole.
    let whole = client.open(request(), 100).await.unwrap();
    assert_eq!((whole.from(), whole.whole()), (0, Some(10)));
    assert_eq!(all(whole).await.unwrap(), "abcdefghij");
    for request in seen.await.unwrap() {
        let request = request.to_lowercase();
        assert!(request.starts_with("get /files/a.jsonl?signature=s%2fx http/1.1"), "{request}");
        assert!(request.contains("range: bytes=3-") && request.contains("accept: */*"), "{request}");
        assert!(request.contains("accept-encoding: identity"), "{request}");
        assert!(!request.contains("authorization") && !request.contains("cookie"), "{request}");
    }
}

#[tokio::test]
async fn a_body_over_its_bound_cut_short_or_silent_is_an_error_and_no_end() {
    const TEN: &str = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\nconnection: close\r\n\r\nabcdefghij";
    let (address, _) = serve(vec![
        TEN,
        TEN,
        "HTTP/1.1 200 OK\r\ncontent-length: 20\r\nconnection: close\r\n\r\nabcdefghij",
        "HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\nabcdefghij~",
    ])
    .await;
    let client = client(&address);
    let open = |bound| client.open(ApiRequest::get("a"), bound);
    assert_eq!(all(open(10).await.unwrap()).await.unwrap().len(), 10);
    assert_eq!(all(open(9).await.unwrap()).await.unwrap_err().kind(), ErrorKind::TooLarge);
    assert_eq!(all(open(100).await.unwrap()).await.unwrap_err().code(), "answer_cut");
    let patient = ApiRequest::get("a").attempt_limits(Duration::from_secs(20), Duration::from_secs(30));
    let silent = client.open(patient, 100).await.unwrap();
    // From here on time goes to the next limit as soon as nothing comes.
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    let ended = tokio::time::timeout(Duration::from_secs(3600), all(silent)).await;
    assert_eq!(ended.unwrap().unwrap_err().code(), "read_timeout");
    assert_eq!(begun.elapsed().as_secs(), 20);
}

#[tokio::test]
async fn an_answer_that_is_no_success_is_told_as_for_any_call() {
    let (address, _) =
        serve(vec!["HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\nconnection: close\r\n\r\ngone"]).await;
    let error = client(&address).open(ApiRequest::get("a"), 100).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_part_that_does_not_say_which_one_is_an_error() {
    const PARTS: [&str; 3] = [
        "HTTP/1.1 206 Partial Content\r\ncontent-length: 7\r\nconnection: close\r\n\r\ndefghij",
        "HTTP/1.1 206 Partial Content\r\ncontent-range: 3-9\r\ncontent-length: 7\r\nconnection: close\r\n\r\ndefghij",
        "HTTP/1.1 206 Partial Content\r\ncontent-range: bytes 3-9/10\r\ncontent-encoding: br\r\ncontent-length: 7\r\nconnection: close\r\n\r\ndefghij",
    ];
    let (address, _) = serve(PARTS.to_vec()).await;
    let client = client(&address);
    for part in PARTS {
        let error = client.open(ApiRequest::get("a").from_byte(3), 100).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Protocol, "range_unreadable"), "{part}");
    }
}
