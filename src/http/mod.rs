//! The one pipeline that every call takes: the only room that sends.

mod request;

pub use request::{ApiRequest, Idempotency};
