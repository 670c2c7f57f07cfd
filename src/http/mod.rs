//! The one pipeline that every call takes: the only room that sends.
//!
//! [`ApiClient::execute`] shows its order; each policy has a file of its own, and there is exactly one layer
//! that retries.

mod allowance;
mod backoff;
mod breaker;
mod budget;
mod classify;
mod client;
mod learned;
mod observe;
mod rate;
mod reading;
mod refresh;
mod request;
mod response;
mod retry;
mod settings;
mod shared;
mod stream;
#[cfg(test)]
#[cfg(feature = "testkit")]
mod tests;
mod token;
mod token_client;
mod window;

pub use allowance::ErrorAllowance;
pub use backoff::Backoff;
pub use breaker::BreakerSettings;
pub use budget::BudgetSettings;
pub use classify::{Classifier, Outcome, StatusTable};
pub use client::{ApiClient, Route};
pub use observe::{AttemptEvent, AttemptResult, Observer, WaitReason};
pub use rate::Rate;
pub use reading::{BudgetReading, WindowReading};
pub use request::{ApiRequest, Idempotency};
pub use response::{ApiResponse, BodyFault};
pub use settings::{ApiClientBuilder, ClientSettings};
pub use shared::Shared;
pub use stream::ApiStream;
pub use token::{RefreshingToken, RefreshingTokenBuilder};
pub use token_client::TokenClient;
pub use window::WindowSettings;
