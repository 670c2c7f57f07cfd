//! A stateful fake of WooCommerce 10.5.0, API version `wc/v3`.
//!
//! It was written from what a real store was seen to answer and from the platform's own documents, and from
//! no connector: the two must be able to disagree. The recorded answers are replayed against it by a test.
//!
//! # Examples
//! A store behind a proxy that ends TLS, with a fault on the first write and a merchant who edits in between:
//! ```
//! use std::sync::Arc;
//!
//! use lily_connect::testkit::faults::{Fault, FaultRule};
//! use lily_connect::testkit::server::Service;
//! use lily_connect::testkit::woocommerce::{Permissions, Role, WooStore};
//! use lily_connect::time::SystemClock;
//!
//! # async fn run() -> std::io::Result<()> {
//! let store = WooStore::new(Arc::new(SystemClock::default()));
//! let key = store.issue_key("main", Permissions::ReadWrite, Role::Manager);
//! store.seed_generated(100, 40, 7);
//! let server = Service::new(store.clone()).start_behind_tls_proxy().await?;
//! server.faults().push(FaultRule::new(Fault::status_after(502)).on_method("PUT"));
//! store.before_request(1, |request| request.method == "PUT", |store| {
//!     for id in store.ids().first() {
//!         store.edit(*id, |product| product.name.push('!'));
//!     }
//! });
//! // ... connect to `server.url()` with `key.consumer_key` and `key.consumer_secret`, then:
//! assert_eq!(server.traffic().writes(), 0);
//! # Ok(())
//! # }
//! ```

mod attributes;
mod auth;
mod batch;
mod deliveries;
mod errors;
mod generate;
mod items;
mod lists;
mod product;
mod provisioning;
mod query;
mod render;
mod routes;
mod sample;
mod schema;
mod seed;
mod settings;
mod site;
mod state;
mod store;
mod taxonomies;
mod text;
mod webhooks;
mod write;
mod write_lists;

pub use auth::{ApiKey, Permissions, Role, signature_base_string};
pub use deliveries::Delivered;
pub use product::{Attribute, Choice, GlobalAttribute, ManageStock, Media, Meta, Product, Taxonomy, Term};
pub use state::{Conditions, Settings};
pub use store::WooStore;
pub use webhooks::Webhook;

use errors::ApiError;
use query::{Arg, Params};

use std::collections::BTreeMap;

use super::json::Json;
use super::random::SeededRandom;
use crate::time::Timestamp;

/// An answer before it is written: a status, a body, and the headers that routes decide.
#[derive(Debug)]
struct Answer {
    status: u16,
    body: Json,
    totals: Option<(u64, u64)>,
    link: Option<String>,
    allow: Option<&'static str>,
}

impl Answer {
    fn ok(body: Json) -> Self {
        Self { status: 200, body, totals: None, link: None, allow: None }
    }

    fn created(body: Json) -> Self {
        Self { status: 201, ..Self::ok(body) }
    }

    fn allowing(mut self, verbs: &'static str) -> Self {
        self.allow = Some(verbs);
        self
    }

    fn paged(mut self, total: u64, pages: u64, link: Option<String>) -> Self {
        self.totals = Some((total, pages));
        self.link = link;
        self
    }
}

/// One call of the API after its caller was identified.
#[derive(Debug)]
struct Call<'a> {
    /// The verb, after overrides.
    method: &'a str,
    params: Params,
    /// The body's object, where it had one.
    body: Vec<(String, Json)>,
    caller: Option<(Permissions, Role)>,
    home: &'a str,
    /// The path below the API's root, such as `/wc/v3/products`.
    route: &'a str,
    /// Whether the call came in by `?rest_route=`.
    by_rest_route: bool,
    now: Timestamp,
    /// Some ids of products, of which related ones are drawn.
    pool: &'a [u64],
    draw: u64,
    /// What slow saves loaded when they arrived.
    loaded: &'a BTreeMap<u64, Product>,
}

impl Call<'_> {
    /// Checks that the caller may work with the catalogue.
    fn may(&self, action: &str, message: &'static str) -> Result<(), ApiError> {
        let status = match self.caller {
            Some((_, Role::Manager)) => return Ok(()),
            Some((_, Role::Customer)) => 403,
            None => 401,
        };
        let code = match action {
            "cannot_edit" => "woocommerce_rest_cannot_edit",
            "cannot_create" => "woocommerce_rest_cannot_create",
            "cannot_delete" => "woocommerce_rest_cannot_delete",
            "cannot_batch" => "woocommerce_rest_cannot_batch",
            _ => "woocommerce_rest_cannot_view",
        };
        Err(ApiError::new(status, code, message))
    }

    /// Some ids, drawn anew for each call as the store draws them.
    fn related(&self, id: u64) -> Vec<u64> {
        let mut random = SeededRandom::new(self.draw ^ id);
        let mut related: Vec<u64> = Vec::new();
        for _ in 0..5 {
            if let Some(other) =
                random.pick(self.pool).filter(|other| **other != id && !related.contains(other))
            {
                related.push(*other);
            }
        }
        related
    }

    /// The `Link` header of a list: it echoes the request's query, credentials included.
    fn paging_links(&self, args: &[Arg], page: u64, pages: u64) -> Option<String> {
        let mut links = Vec::new();
        let base = if self.by_rest_route {
            format!("{}/index.php", self.home)
        } else {
            format!("{}/wp-json{}", self.home, self.route)
        };
        let mut link = |page: u64, rel: &str| {
            links.push(format!("<{base}?{}>; rel=\"{rel}\"", self.params.link_query(args, page)));
        };
        if page > 1 {
            link((page - 1).min(pages).max(1), "prev");
        }
        if page < pages {
            link(page + 1, "next");
        }
        if links.is_empty() { None } else { Some(links.join(", ")) }
    }
}
