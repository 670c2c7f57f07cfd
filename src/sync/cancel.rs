//! Stopping on request, between two pages or two items.

use tokio_util::sync::CancellationToken;

use crate::error::{Error, ErrorKind};

/// A token that ends work at its next safe point. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Cancel(CancellationToken);

impl Cancel {
    /// Asks the work to end.
    pub fn cancel(&self) {
        self.0.cancel();
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    pub(super) async fn cancelled(&self) {
        self.0.cancelled().await;
    }

    pub(super) fn error(&self) -> Error {
        Error::new(ErrorKind::Cancelled, "cancelled", "the caller cancelled")
            .with_remedy("run it again: it goes on from its checkpoint")
    }
}
