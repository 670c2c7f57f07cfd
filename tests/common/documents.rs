//! The official documents of platforms, for tests that hold requests against them.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "test support: no test uses all of it")]

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use lily_connect::testkit::bigcommerce::BigCommerceFake;
use lily_connect::testkit::openapi::Rulebook;

/// The folder of the official documents; none where it is not given, which is said aloud.
pub fn specs() -> Option<PathBuf> {
    let specs = std::env::var_os("LILY_SPECS_DIR").map(PathBuf::from);
    if specs.is_none() {
        assert!(std::env::var_os("CI").is_none(), "LILY_SPECS_DIR is not set");
        eprintln!("SKIPPED: without LILY_SPECS_DIR, nothing is held against official documents");
    }
    specs
}

/// The documents of BigCommerce, read once.
pub fn bigcommerce() -> Option<Arc<Rulebook>> {
    static BOOK: OnceLock<Option<Arc<Rulebook>>> = OnceLock::new();
    BOOK.get_or_init(|| Some(Arc::new(BigCommerceFake::rulebook(specs()?).unwrap()))).clone()
}
