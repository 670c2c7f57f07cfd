//! A stateful fake of the Shopify Admin API: GraphQL of the versions 2026-01 to 2026-10.
//!
//! It was written from the platform's own documents and from what others saw it answer, and from no connector:
//! the two must be able to disagree. Where the documents leave a point open, a switch of [`Conditions`] sets it.
//!
//! Documents are executed, not looked up: any selection of the types that it serves works. With official
//! schemas ([`ShopifyFakeBuilder::schema`]) each document and its variables are validated against them, and
//! what they do not allow is kept in [`ShopifyFake::violations`].
//!
//! # Examples
//! ```
//! use std::sync::Arc;
//!
//! use lily_connect::testkit::faults::{Fault, FaultRule};
//! use lily_connect::testkit::server::Service;
//! use lily_connect::testkit::shopify::ShopifyFake;
//! use lily_connect::time::SystemClock;
//!
//! # async fn run() -> std::io::Result<()> {
//! let shop = ShopifyFake::builder(Arc::new(SystemClock::default())).seed(7).build();
//! shop.seed_products(100);
//! let token = shop.issue_token("main");
//! let server = Service::new(shop.clone()).start().await?;
//! let write = FaultRule::new(Fault::status_after(502)).matching(ShopifyFake::asks("productUpdate"));
//! server.faults().push(write);
//! // ... post to `{server.url()}/admin/api/2026-10/graphql.json` with the token, then:
//! assert!(shop.violations().is_empty());
//! # Ok(())
//! # }
//! ```

mod args;
mod authorize;
mod bucket;
mod bulk;
mod bulk_files;
mod bulk_lines;
mod bulk_rules;
mod bulk_run;
mod collection;
mod conditions;
mod connection;
mod cost;
mod count;
mod deliveries;
mod documents;
mod door;
mod errors;
mod event;
mod execute;
mod graphql;
mod media;
mod merchant;
mod metafield;
mod product;
mod resolve;
mod schema;
mod scopes;
mod search;
mod seed;
mod shop;
mod state;
mod store;
mod surface;
mod taxonomy;
mod tokens;
mod translation;
mod uploads;
mod value;
mod variant;
mod webhooks;
mod wire;
mod write_files;
mod write_metafields;
mod write_other;
mod write_product;
mod write_set;
mod write_tags;
mod write_translations;
mod write_variants;

pub use bucket::{Bucket, Plan};
pub use bulk::{BulkFault, BulkSettings};
pub use collection::Collection;
pub use conditions::Conditions;
pub use deliveries::Delivery;
pub use documents::Violation;
pub use graphql::{Call, GraphFault};
pub use media::{Media, MediaKind};
pub use metafield::{Metafield, Owner};
pub use product::{OptionValue, Product, ProductOption};
pub use schema::ValidatedSchema;
pub use shop::{Locale, ShopSettings};
pub use store::{ShopifyFake, ShopifyFakeBuilder};
pub use variant::Variant;
pub use webhooks::Subscription;
