//! The sample catalogue: 18 products with 7 variations.

use super::product::Taxonomy;
use super::store::WooStore;

/// The facts (names, SKUs, prices, categories, attributes, sizes) are those of the catalogue that ships
/// with the platform, version 10.5.0; the texts are our own.
const CATALOG: &str = include_str!("sample_catalog.json");

impl WooStore {
    /// Adds the sample catalogue; gives the ids of its 18 products.
    #[must_use]
    pub fn seed_sample(&self) -> Vec<u64> {
        for category in ["Clothing", "Tshirts", "Hoodies", "Accessories", "Music", "Decor"] {
            self.add_term(Taxonomy::Category, category);
        }
        // The file is part of the build, so it reads; a test holds it to that.
        self.seed_catalog(CATALOG.as_bytes()).unwrap_or_default()
    }
}
