//! The lease of a store's writers: taken, renewed while work goes on, held for what takes long.

use std::time::Duration;

use super::push::Push;
use crate::error::Result;
use crate::state::{Fence, PushId};

/// The lease of the store's writers while a plan is applied.
pub(super) struct Lease {
    pub(super) holder: String,
    pub(super) fence: Fence,
    renew_after: Duration,
}

impl Push {
    pub(super) async fn take_lease(&self) -> Result<Lease> {
        let holder = PushId::new(self.now(), &**self.runtime.entropy())?.to_string();
        let now = self.now();
        let until = now.saturating_add(self.settings.lease);
        let fence = self.state.lease(self.store(), &holder, now, until).await?;
        Ok(Lease { holder, fence, renew_after: self.runtime.clock().elapsed() + self.settings.lease / 4 })
    }

    pub(super) async fn renew(&self, lease: &mut Lease) -> Result<()> {
        if self.runtime.clock().elapsed() >= lease.renew_after {
            self.hold(lease, Duration::ZERO).await?;
        }
        Ok(())
    }

    /// Takes the lease for what is about to take so long.
    pub(super) async fn hold(&self, lease: &mut Lease, time: Duration) -> Result<()> {
        let now = self.now();
        let until = now.saturating_add(time).saturating_add(self.settings.lease);
        lease.fence = self.state.lease(self.store(), &lease.holder, now, until).await?;
        lease.renew_after = self.runtime.clock().elapsed() + self.settings.lease / 4;
        Ok(())
    }

    /// Waits until what was lost up to now can be settled.
    pub(super) async fn wait_to_settle(&self, lease: &mut Lease) -> Result<()> {
        let until = self.runtime.clock().elapsed() + self.connector.capabilities().settle_after;
        loop {
            let left = until.saturating_sub(self.runtime.clock().elapsed());
            if left.is_zero() {
                return Ok(());
            }
            self.runtime.clock().sleep((self.settings.lease / 4).min(left)).await;
            self.renew(lease).await?;
        }
    }
}
