//! The official documents of Magento's API.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "test support: no test uses all of it")]

use std::path::Path;
use std::sync::{Arc, OnceLock};

use lily_connect::testkit::magento::{Edition, MagentoFake, MagentoFakeBuilder};
use lily_connect::testkit::openapi::{Document, Rulebook};

/// The rules of a document; none where the specifications are not at hand, which is said aloud.
fn load(name: &str) -> Option<Arc<Rulebook>> {
    let Some(specs) = std::env::var_os("LILY_SPECS_DIR") else {
        assert!(std::env::var_os("CI").is_none(), "LILY_SPECS_DIR is not set");
        eprintln!("SKIPPED: without LILY_SPECS_DIR, requests are not held against the official document");
        return None;
    };
    let document = Document::load(Path::new(&specs).join("magento/openapi").join(name)).unwrap();
    Some(Arc::new(MagentoFake::rulebook(Arc::new(document))))
}

/// The rules of 2.4.9, or of the cloud service.
pub fn rulebook(edition: Edition) -> Option<Arc<Rulebook>> {
    static ADMIN: OnceLock<Option<Arc<Rulebook>>> = OnceLock::new();
    static CLOUD: OnceLock<Option<Arc<Rulebook>>> = OnceLock::new();
    match edition {
        Edition::CloudService => CLOUD.get_or_init(|| load("accs-2026-07-catalog-subset.json")).clone(),
        _ => ADMIN.get_or_init(|| load("admin-2.4.9-catalog-subset.json")).clone(),
    }
}

/// A store that holds every request and answer against the document of its edition.
pub fn official(builder: MagentoFakeBuilder) -> MagentoFakeBuilder {
    match rulebook(builder.which_edition()) {
        Some(rulebook) => builder.official(rulebook),
        None => builder,
    }
}
