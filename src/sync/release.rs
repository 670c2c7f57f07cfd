//! Release: the end of our claim on cells, so that later enrichments compare with what the merchant made of them.

use super::push::Push;
use super::verdict::head;
use crate::error::Result;
use crate::model::Cell;
use crate::state::{Op, Outcome, PushId, RowId, RowKind, Unit, WriteRow};

impl Push {
    /// Ends our claim on the cells, where we have one, and says how many ended. Nothing is sent to the store.
    ///
    /// After it, a later enrichment meets a cell that we wrote and the merchant edited as any other: without it,
    /// that is `Conflict(Claimed)`. What was written before a release cannot be undone any more.
    ///
    /// # Errors
    /// `State` where another writer holds the store, or the log could not be written.
    pub async fn release(&self, cells: &[Cell]) -> Result<usize> {
        let now = self.now();
        let push = PushId::new(now, &**self.runtime.entropy())?;
        let lease = self.take_lease().await?;
        let rows = self.release_rows(cells, push).await;
        let done = match rows {
            Ok(rows) => {
                let count = rows.len();
                let ops = rows.into_iter().map(|row| Op::Append(Box::new(row))).collect();
                self.state.commit(self.store(), Unit::fenced(lease.fence, ops)).await.map(|()| count)
            }
            Err(error) => Err(error),
        };
        self.state.release(self.store(), &lease.holder).await?;
        done
    }

    async fn release_rows(&self, cells: &[Cell], push: PushId) -> Result<Vec<WriteRow>> {
        let now = self.now();
        let mut released = Vec::new();
        for cell in cells {
            let rows: Vec<WriteRow> =
                self.rows(&cell.holder).await?.into_iter().filter(|row| row.cell == *cell).collect();
            let Some(head) = head(&rows) else { continue };
            released.push(WriteRow {
                id: RowId::new(now, &**self.runtime.entropy())?,
                push,
                kind: RowKind::Release,
                enrichment: None,
                // Nothing was sent: it never counts as landed.
                outcome: Outcome::Refused { code: "released".into(), at: now },
                at: now,
                send_by: now,
                ..head.clone()
            });
        }
        Ok(released)
    }
}
