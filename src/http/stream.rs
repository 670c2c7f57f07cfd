//! Answers whose body comes piece by piece.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};

use super::{ApiClient, ApiRequest, ApiResponse};
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::transport::{AttemptLimits, Chunks, HttpTransport, StreamedBody};

/// How much is read of an answer that is no success, to tell why.
const ERROR_BODY_BYTES: usize = 64 * 1024;

/// The answer to a call: status, headers, and a body of which no more than a piece is in memory.
pub struct ApiStream {
    status: StatusCode,
    headers: HeaderMap,
    body: StreamedBody,
    left: u64,
    bound: u64,
}

impl ApiStream {
    pub(super) fn new(response: &ApiResponse, body: StreamedBody, bound: u64) -> Result<Self> {
        let (status, headers) = (response.status(), response.headers().clone());
        let stream = Self { status, headers, body, left: bound, bound };
        if status == StatusCode::PARTIAL_CONTENT && (stream.range().is_none() || stream.is_packed()) {
            // Taken for the whole, or put in another place, it would be another file. A range of what is packed
            // counts packed bytes.
            return Err(Error::new(
                ErrorKind::Protocol,
                "range_unreadable",
                "the answer is a part of a body, and does not say which part",
            )
            .with_remedy("fetch the whole: the server does not answer ranges as HTTP has them"));
        }
        Ok(stream)
    }

    fn is_packed(&self) -> bool {
        self.headers.get(header::CONTENT_ENCODING).is_some_and(|packed| packed != "identity")
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Where in the whole body this one begins: not at the start only where a part was asked for and given.
    #[must_use]
    pub fn from(&self) -> u64 {
        self.range().map_or(0, |(from, _)| from)
    }

    /// The length of the whole body, where the answer says it.
    #[must_use]
    pub fn whole(&self) -> Option<u64> {
        if let Some((_, whole)) = self.range() {
            return whole;
        }
        // What is unpacked on the way has another length.
        let is_packed = self.is_packed();
        let length = self.headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()?;
        (!is_packed).then_some(length)
    }

    /// First byte and whole length of `Content-Range: bytes 5-9/10`.
    fn range(&self) -> Option<(u64, Option<u64>)> {
        if self.status != StatusCode::PARTIAL_CONTENT {
            return None;
        }
        let range = self.headers.get(header::CONTENT_RANGE)?.to_str().ok()?;
        let (range, whole) = range.strip_prefix("bytes ")?.split_once('/')?;
        let (from, _) = range.split_once('-')?;
        Some((from.parse().ok()?, whole.parse().ok()))
    }
}

#[async_trait]
impl Chunks for ApiStream {
    async fn chunk(&mut self) -> Result<Option<Bytes>> {
        let Some(chunk) = self.body.chunk().await? else { return Ok(None) };
        match self.left.checked_sub(chunk.len() as u64) {
            Some(left) => {
                self.left = left;
                Ok(Some(chunk))
            }
            None => Err(Error::new(
                ErrorKind::TooLarge,
                "body_too_large",
                format!("the answer is over its bound of {} bytes", self.bound),
            )
            .with_remedy("raise the bound where so much is meant to come")
            .with_effect(Effect::Possible)),
        }
    }
}

impl fmt::Debug for ApiStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiStream").field("status", &self.status).finish_non_exhaustive()
    }
}

impl ApiClient {
    /// Sends a request, and gives the body of the answer piece by piece, `max_bytes` at most.
    ///
    /// Limiter, breaker, observer and retries are those of [`ApiClient::execute`], up to the head of the answer:
    /// a body that breaks off is told by the stream, and who reads it goes on with [`ApiRequest::from_byte`]. The
    /// place among the calls in flight is given up with the head. Each piece has the read time-out.
    ///
    /// # Errors
    /// As [`ApiClient::execute`]; `Protocol` with code `range_unreadable` where the answer is a part that does not say
    /// where it belongs.
    pub async fn open(&self, request: ApiRequest, max_bytes: u64) -> Result<ApiStream> {
        self.stream(request, max_bytes).await
    }
}

/// Sends a request whose success is streamed. What is no success is read, so that it can be told why.
pub(super) async fn send(
    transport: &dyn HttpTransport,
    request: http::Request<Bytes>,
    limits: &AttemptLimits,
    stream: &mut Option<StreamedBody>,
) -> Result<http::Response<Bytes>> {
    let (head, mut body) = transport.open(request, limits).await?.into_parts();
    if head.status.is_success() {
        *stream = Some(body);
        return Ok(http::Response::from_parts(head, Bytes::new()));
    }
    let mut whole = Vec::new();
    while let Ok(Some(chunk)) = body.chunk().await {
        let room = ERROR_BODY_BYTES.saturating_sub(whole.len());
        whole.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
        if room <= chunk.len() {
            break;
        }
    }
    Ok(http::Response::from_parts(head, whole.into()))
}
