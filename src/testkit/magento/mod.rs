//! A stateful fake of Magento 2.4, Mage-OS and Adobe Commerce as a Cloud Service: the REST API of catalogues.
//!
//! It was written from the platform's own documents, its source and what others saw it answer, and from no
//! connector: the two must be able to disagree. Where the documents leave a point open, or releases differ, a
//! switch of [`Conditions`] sets it; [`Conditions::of`] has those of a release.
//!
//! | what | how |
//! |---|---|
//! | make | [`MagentoFake::builder`]: edition, release, seed, views, base path |
//! | addresses | `/rest/{code, default or all}/V1/...`, `/rest/V1/...`, both also below `/index.php`; the cloud service: `/{tenant}/V1/...` with the header `Store` |
//! | callers | [`MagentoFake::issue_integration`] (OAuth 1.0a; bearer only with [`Conditions::bearer_tokens`]), [`MagentoFake::activate_integration`], [`MagentoFake::add_admin`], [`MagentoFake::issue_ims_client`] with `POST /ims/token/v3`; [`MagentoFake::allow_only`], [`MagentoFake::revoke`] |
//! | catalogue | [`MagentoFake::seed_products`], [`MagentoFake::create`] |
//! | the merchant | [`MagentoFake::edit`], [`MagentoFake::set_value`], [`MagentoFake::set_view_value`], [`MagentoFake::use_default`], [`MagentoFake::delete`], [`MagentoFake::set_stock`], [`MagentoFake::add_image`], [`MagentoFake::set_label`], [`MagentoFake::mass_update`], [`MagentoFake::add_option`], ... |
//! | what is wrong | [`MagentoFake::set_conditions`], [`MagentoFake::refuse`], [`MagentoFake::refuse_operation`], and the faults of the server |
//! | what is stored | [`MagentoFake::product`], [`MagentoFake::raw`], [`MagentoFake::rows`], [`MagentoFake::snapshot`] |
//! | deliveries | [`MagentoFake::take_events`], [`MagentoFake::sign_event`], [`MagentoFake::sign_webhook`] |
//! | requests it does not know | 404, and kept in [`MagentoFake::unexpected`] |
//! | what the official document does not allow | [`MagentoFakeBuilder::official`], [`MagentoFake::violations`] |
//!
//! # Examples
//! ```
//! use std::sync::Arc;
//!
//! use lily_connect::testkit::magento::MagentoFake;
//! use lily_connect::testkit::server::Service;
//! use lily_connect::time::SystemClock;
//!
//! # async fn run() -> std::io::Result<()> {
//! let store = MagentoFake::builder(Arc::new(SystemClock::default())).seed(7).build();
//! store.seed_products(100);
//! store.set_conditions(|conditions| conditions.bearer_tokens = true);
//! let keys = store.issue_integration("main");
//! let server = Service::new(store.clone()).start().await?;
//! // ... get `{server.url()}/rest/all/V1/products?searchCriteria` with `keys.access_token`, then:
//! assert!(store.unexpected().is_empty());
//! # Ok(())
//! # }
//! ```

mod attribute;
mod auth;
mod bulk;
mod catalog;
mod category;
mod errors;
mod events;
mod fields;
mod inventory;
mod merchant;
mod natural;
mod oauth;
mod official;
mod product;
mod query;
mod render;
mod routes;
mod search;
mod seed;
mod settings;
mod state;
mod store;
mod tokens;
mod views;
mod write;
mod write_media;

pub use attribute::{Attribute, AttributeOption, AttributeSet, Scope};
pub use auth::{ImsClient, Integration};
pub use category::Category;
pub use events::{EventForm, SignedDelivery};
pub use natural::strnatcmp;
pub use oauth::base_string;
pub use product::{CategoryLink, ConfigurableOption, GLOBAL, MediaEntry, MediaRow, Product, Stock};
pub use settings::{Conditions, Consumer, Edition, OperationIds, Release, Settings};
pub use state::Refusal;
pub use store::{MagentoFake, MagentoFakeBuilder};
pub use views::{StoreView, Website};
