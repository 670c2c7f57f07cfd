//! A stateful fake of BigCommerce: REST V3 and the parts of V2 that a catalogue needs, as of 2026-04.
//!
//! It was written from the vendor's documents, their examples and a fact sheet, and from no connector: the two must be
//! able to disagree. Every request is held against the official OpenAPI documents where they are given, and so is
//! every answer of the fake itself.
//!
//! # What a test holds
//! - [`BigCommerceFake::builder`]: clock, plan, store hash, API account, seed, rulebook.
//! - Seed: [`BigCommerceFake::seed_products`]; one by one, [`BigCommerceFake::create_product`],
//!   [`add_option`](BigCommerceFake::add_option), [`add_image`](BigCommerceFake::add_image),
//!   [`add_custom_field`](BigCommerceFake::add_custom_field), [`add_metafield`](BigCommerceFake::add_metafield),
//!   [`create_brand`](BigCommerceFake::create_brand), [`create_category`](BigCommerceFake::create_category),
//!   [`create_channel`](BigCommerceFake::create_channel), [`add_locale`](BigCommerceFake::add_locale),
//!   [`translate`](BigCommerceFake::translate), [`set_channel_value`](BigCommerceFake::set_channel_value).
//! - The merchant's hand: [`edit_product`](BigCommerceFake::edit_product),
//!   [`edit_in_silence`](BigCommerceFake::edit_in_silence), [`delete_product`](BigCommerceFake::delete_product),
//!   [`set_stock`](BigCommerceFake::set_stock), [`set_alt`](BigCommerceFake::set_alt),
//!   [`remove_image`](BigCommerceFake::remove_image), [`rename_brand`](BigCommerceFake::rename_brand),
//!   [`rename_category`](BigCommerceFake::rename_category), and between two requests
//!   [`before_request`](BigCommerceFake::before_request), [`after_request`](BigCommerceFake::after_request).
//! - Rights: [`issue_token`](BigCommerceFake::issue_token), [`revoke_token`](BigCommerceFake::revoke_token),
//!   [`grant_scopes`](BigCommerceFake::grant_scopes), [`issue_code`](BigCommerceFake::issue_code),
//!   [`callback`](BigCommerceFake::callback).
//! - The quota: [`set_plan`](BigCommerceFake::set_plan), [`set_foreign_rate`](BigCommerceFake::set_foreign_rate),
//!   [`take_foreign`](BigCommerceFake::take_foreign), [`windows`](BigCommerceFake::windows).
//! - Habits and defects: [`Conditions`], by [`BigCommerceFake::set_conditions`].
//! - Hooks: [`deliver`](BigCommerceFake::deliver), [`deliver_through`](BigCommerceFake::deliver_through),
//!   [`take_deliveries`](BigCommerceFake::take_deliveries), [`hooks`](BigCommerceFake::hooks),
//!   [`deactivate_hook`](BigCommerceFake::deactivate_hook).
//! - What was seen: [`violations`](BigCommerceFake::violations), [`unexpected`](BigCommerceFake::unexpected),
//!   [`snapshot`](BigCommerceFake::snapshot), [`raw`](BigCommerceFake::raw), and without what moves by itself
//!   [`content`](BigCommerceFake::content).
//!
//! # What it does not model
//! Of GraphQL Admin, anything but translations of products and a channel's own texts of products. Uploads of files, inventory routes, price lists, complex rules, redirects, the rule that no two
//! assignments of one product come at once.
//! Where the sources are silent, the stand-in has one habit and a condition for the other: what a batch does with a
//! refused item, which changes move `date_modified`, how long an alternative text may be. The words of a 409, of a 403,
//! and of a refused code are guesses; the statuses and shapes are not.
//!
//! # Examples
//! ```
//! use std::sync::Arc;
//!
//! use lily_connect::testkit::bigcommerce::{BigCommerceFake, Plan};
//! use lily_connect::testkit::exchange::{Handler, Request, Transport};
//! use lily_connect::time::SystemClock;
//!
//! let store = BigCommerceFake::builder(Arc::new(SystemClock::default())).plan(Plan::Pro).build();
//! let ids = store.seed_products(25);
//! let token = store.issue_token("main");
//! store.set_conditions(|conditions| conditions.past_the_end_repeats = true);
//! store.edit_product(ids[0], |product| product.set("name", "Renamed"));
//! let target = "/stores/abc123/v3/catalog/products?limit=10&page=4";
//! let request = Request::new(http::Method::GET, target, Transport::Plain)
//!     .with_header("x-auth-token".parse().unwrap(), &token);
//! let answer = store.handle(&request);
//! assert_eq!(answer.header("x-rate-limit-requests-left"), Some("449"));
//! ```

mod brands;
mod categories;
mod channel_values;
mod conditions;
mod deliveries;
mod documents;
mod errors;
mod fields;
mod graphql;
mod limits;
mod merchant;
mod metafields;
mod parts;
mod product;
mod product_writes;
mod products;
mod query;
mod routes;
mod seed;
mod settings;
mod state;
mod store;
mod tokens;
mod variants;
mod webhooks;

pub use conditions::{Area, BatchHabit, Conditions, IncludeHabit};
pub use deliveries::Delivery;
pub use limits::{Plan, WindowUse};
pub use product::Product;
pub use settings::Settings;
pub use store::{BigCommerceFake, BigCommerceFakeBuilder};
pub use tokens::Callback;
pub use webhooks::Hook;
