//! No credentials.

use async_trait::async_trait;
use http::{HeaderName, HeaderValue};

use super::{Authenticator, RequestToSign};
use crate::error::Result;

/// Adds nothing: for an address that lets in whoever knows it, such as a signed one on a foreign host.
///
/// A client of its own with this authenticator keeps the store's credentials away from that host.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoCredentials;

#[async_trait]
impl Authenticator for NoCredentials {
    async fn headers(&self, _: &RequestToSign<'_>) -> Result<Vec<(HeaderName, HeaderValue)>> {
        Ok(Vec::new())
    }
}
