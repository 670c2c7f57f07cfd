//! One request, one response: the seam below everything that sends.

mod address;
mod body;
mod buffers;
mod reqwest;
// Without a crypto provider there is nothing to test but that it is missing, which `reqwest` does.
#[cfg(test)]
#[cfg(any(feature = "rustls", not(feature = "rustls-no-provider")))]
mod tests;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::Result;

pub use self::body::{Chunks, StreamedBody};
pub(crate) use self::buffers::Buffers;
pub use self::reqwest::{ReqwestTransport, ReqwestTransportBuilder};

/// Sends one request and reads one response, without retries, redirects, cookies or credentials of its own.
///
/// A response of any status is `Ok`. An `Err` says by [`crate::Error::effect`] whether the request may have
/// reached the other side.
#[async_trait]
pub trait HttpTransport: fmt::Debug + Send + Sync + 'static {
    /// Sends the request.
    ///
    /// The pipeline leaves the parsed [`url::Url`] among the request's extensions, which saves a second
    /// parse; the URI is what counts where the two differ.
    ///
    /// # Errors
    /// `Unavailable` for a fault on the way, `Timeout` where a limit passed, `TooLarge` where the body is over
    /// its cap, `Config` where the address may not be used.
    async fn send(
        &self,
        request: http::Request<Bytes>,
        limits: &AttemptLimits,
    ) -> Result<http::Response<Bytes>>;

    /// Sends the request, and gives the answer's body piece by piece, with no more than a piece in memory.
    ///
    /// The time of the attempt bounds the way up to the body; each piece of it has the read time-out, and the
    /// whole has `max_body_bytes`. A transport that cannot do so reads the body whole, within the same bound.
    ///
    /// # Errors
    /// As [`HttpTransport::send`]; what comes after the head is told by the body.
    async fn open(
        &self,
        request: http::Request<Bytes>,
        limits: &AttemptLimits,
    ) -> Result<http::Response<StreamedBody>> {
        Ok(self.send(request, limits).await?.map(StreamedBody::whole))
    }
}

/// The bounds of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttemptLimits {
    /// The longest silence between two pieces of the answer (default 15 s).
    pub read_timeout: Duration,
    /// The longest time for the whole attempt (default 60 s).
    pub attempt_timeout: Duration,
    /// The largest body, counted after decompression (default 32 MiB).
    pub max_body_bytes: usize,
    /// Whether loopback and private addresses may be reached (default no).
    pub private_hosts: bool,
}

impl Default for AttemptLimits {
    fn default() -> Self {
        Self {
            read_timeout: Duration::from_secs(15),
            attempt_timeout: Duration::from_secs(60),
            max_body_bytes: 32 * 1024 * 1024,
            private_hosts: false,
        }
    }
}
