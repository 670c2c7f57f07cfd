//! Refusals, as `google.rpc.Status` has them.

use serde_json::{Value, json};

use crate::testkit::exchange::Response;

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refusal {
    pub(super) code: u16,
    pub(super) status: &'static str,
    pub(super) message: String,
    pub(super) details: Vec<Value>,
}

impl Refusal {
    pub(super) fn new(code: u16, status: &'static str, message: impl Into<String>) -> Self {
        Self { code, status, message: message.into(), details: Vec::new() }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "INVALID_ARGUMENT", message)
    }

    pub(super) fn exhausted(message: impl Into<String>) -> Self {
        Self::new(429, "RESOURCE_EXHAUSTED", message)
    }

    pub(super) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(403, "PERMISSION_DENIED", message)
    }

    /// Adds the reason that a program can read.
    pub(super) fn reason(mut self, reason: &str) -> Self {
        self.details.push(json!({
            "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com",
            "metadata": {"service": "analyticsdata.googleapis.com"},
        }));
        self
    }

    pub(super) fn response(&self) -> Response {
        let mut error = json!({"code": self.code, "message": self.message, "status": self.status});
        if !self.details.is_empty()
            && let Some(members) = error.as_object_mut()
        {
            members.insert("details".to_owned(), self.details.clone().into());
        }
        answer(self.code, &json!({ "error": error }))
    }
}

/// An answer of JSON.
pub(super) fn answer(status: u16, body: &Value) -> Response {
    Response::new(status)
        .with_header("content-type", "application/json; charset=UTF-8")
        .with_body(body.to_string())
}
