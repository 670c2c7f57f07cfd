//! Every distinct request to a fake Shopify, Google Analytics, BigCommerce or Magento, written down for a validator that
//! we did not write.
//!
//! Where `LILY_RECORD_REQUESTS` names a file, each call of Shopify's API is a line of JSON there, with `query`,
//! `variables` and `operationName` as they were sent and the `version` that was asked for; each staged file is a line
//! with `upload`, the form as it was sent; each call of Google's that has a body is a line with `google`, its path, and
//! `body`, the text as it was sent. Each call of BigCommerce's or Magento's API is a line with `rest`, its verb, and
//! `target`, `headers` and `body`; of credentials the name alone.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test support: no test uses all of it"
)]

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::sync::{Arc, Mutex, OnceLock};

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;
use lily_connect::error::Result;
use lily_connect::testkit::faults::{Fault, FaultRule, Faults};
use lily_connect::transport::{AttemptLimits, HttpTransport, ReqwestTransport, StreamedBody};
use serde_json::{Value, json};

/// The transport of a test's connector: what it sends is written down, whatever becomes of it.
pub fn transport() -> Arc<dyn HttpTransport> {
    match record() {
        Some(record) => Arc::new(Recording { record, inner: ReqwestTransport::new() }),
        None => Arc::new(ReqwestTransport::new()),
    }
}

/// Writes down what comes to a server, where the connector is in a process of its own. The rule stays among those
/// that are pending.
pub fn received(faults: &Faults) {
    let Some(record) = record() else { return };
    // It strikes nothing, and sees each request.
    faults.push(FaultRule::new(Fault::status(500)).matching(|request| {
        let mut target = request.path.clone();
        if !request.query.is_empty() {
            target = format!("{target}?{}", request.query);
        }
        let mut call = http::Request::builder().method(&request.method).uri(target);
        *call.headers_mut().unwrap() = request.headers.clone();
        record.take("", &call.body(request.body.clone().into()).unwrap());
        false
    }));
}

/// The file, and what this process has written to it.
#[derive(Debug)]
struct Record {
    file: File,
    written: Mutex<HashSet<String>>,
}

fn record() -> Option<&'static Record> {
    static RECORD: OnceLock<Option<Record>> = OnceLock::new();
    let open = || {
        let path = std::env::var_os("LILY_RECORD_REQUESTS")?;
        let file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        Some(Record { file, written: Mutex::default() })
    };
    RECORD.get_or_init(open).as_ref()
}

impl Record {
    /// Each shop numbers its staged files anew: those and the jobs that run them say at which one they are.
    fn take(&self, at: &str, request: &http::Request<Bytes>) {
        let (path, body) = (request.uri().path(), request.body());
        let line = if let Some(rest) = path.strip_prefix("/admin/api/") {
            let Some((version, _)) = rest.split_once("/graphql.json") else { return };
            let mut call: Value = serde_json::from_slice(body).unwrap();
            call["version"] = json!(version);
            if String::from_utf8_lossy(body).contains("stagedUploadPath") {
                call["at"] = json!(at);
            }
            call
        } else if path.starts_with("/staged-uploads/") {
            json!({"upload": String::from_utf8_lossy(body), "at": at})
        } else if let Some(call) = path.strip_prefix("/v1beta/")
            && !body.is_empty()
        {
            json!({"google": call, "body": String::from_utf8_lossy(body)})
        } else if path.starts_with("/stores/") || path.contains("/V1/") {
            let target = request.uri().path_and_query().map(http::uri::PathAndQuery::as_str);
            let (method, headers) = (request.method().as_str(), headers(request.headers()));
            json!({"rest": method, "target": target, "headers": headers, "body": String::from_utf8_lossy(body)})
        } else {
            return;
        };
        let line = format!("{line}\n");
        if self.written.lock().unwrap().insert(line.clone()) {
            // One write, since other processes append to the same file.
            (&self.file).write_all(line.as_bytes()).unwrap();
        }
    }
}

/// The headers, without the values of credentials: those differ from call to call.
fn headers(headers: &HeaderMap) -> Value {
    let shown = |name: &http::HeaderName, value: &http::HeaderValue| match name.as_str() {
        "authorization" | "x-auth-token" => "given".to_owned(),
        _ => String::from_utf8_lossy(value.as_bytes()).into_owned(),
    };
    headers
        .iter()
        .filter(|(name, _)| *name != http::header::HOST)
        .map(|(name, value)| (name.to_string(), Value::String(shown(name, value))))
        .collect()
}

fn authority(request: &http::Request<Bytes>) -> &str {
    request.uri().authority().map_or("", http::uri::Authority::as_str)
}

#[derive(Debug)]
struct Recording {
    record: &'static Record,
    inner: ReqwestTransport,
}

#[async_trait]
impl HttpTransport for Recording {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        limits: &AttemptLimits,
    ) -> Result<http::Response<Bytes>> {
        self.record.take(authority(&request), &request);
        self.inner.send(request, limits).await
    }

    async fn open(
        &self,
        request: http::Request<Bytes>,
        limits: &AttemptLimits,
    ) -> Result<http::Response<StreamedBody>> {
        self.record.take(authority(&request), &request);
        self.inner.open(request, limits).await
    }
}
