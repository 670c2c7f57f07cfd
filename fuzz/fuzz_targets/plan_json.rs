//! A plan as it was reviewed: what was read is written and read as the same, and approvals name it.
#![no_main]

use lily_connect::Plan;
use lily_connect_fuzz::again;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(plan) = serde_json::from_slice::<Plan>(data) {
        let once = again(&plan);
        assert_eq!(again(&once), once);
        assert_eq!(once.hash, plan.hash);
        assert_eq!(plan.approve_all().len(), plan.to_apply().count());
        assert!(plan.approve_all().iter().all(|approval| approval.plan == plan.hash));
    }
});
