//! GraphQL as a transport: documents with a predicted cost, and answers that are read without their data.
//!
//! A [`Document`] makes the request, [`Answer`] reads errors and extensions, [`PageInfo`] tells of the next
//! page, [`UserErrors`] are a mutation's own refusals.

mod answer;
mod cost;
mod document;
mod fault;
mod page_info;
mod syntax;
#[cfg(test)]
#[cfg(feature = "testkit")]
mod tests;
mod text;
mod user_error;

pub use answer::{Answer, Data};
pub use document::Document;
pub use fault::GraphqlError;
pub use page_info::PageInfo;
pub use user_error::{UserError, UserErrors};
