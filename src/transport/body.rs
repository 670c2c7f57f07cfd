//! A body that comes piece by piece.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::Result;

/// Pieces of bytes, one after the other.
#[async_trait]
pub trait Chunks: fmt::Debug + Send + Sync {
    /// The next piece; none at the end.
    ///
    /// # Errors
    /// What the way says. A body that breaks off before its end is an error.
    async fn chunk(&mut self) -> Result<Option<Bytes>>;
}

/// The body of an answer, of which no more than a piece is in memory.
#[derive(Debug)]
pub struct StreamedBody(Box<dyn Chunks>);

impl StreamedBody {
    /// A body that is read by these.
    #[must_use]
    pub fn new(chunks: impl Chunks + 'static) -> Self {
        Self(Box::new(chunks))
    }

    /// A body that is here already.
    #[must_use]
    pub fn whole(body: Bytes) -> Self {
        Self::new(Whole(Some(body)))
    }
}

#[async_trait]
impl Chunks for StreamedBody {
    async fn chunk(&mut self) -> Result<Option<Bytes>> {
        self.0.chunk().await
    }
}

struct Whole(Option<Bytes>);

#[async_trait]
impl Chunks for Whole {
    async fn chunk(&mut self) -> Result<Option<Bytes>> {
        Ok(self.0.take().filter(|body| !body.is_empty()))
    }
}

impl fmt::Debug for Whole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Whole").field(&self.0.as_ref().map(Bytes::len)).finish()
    }
}
