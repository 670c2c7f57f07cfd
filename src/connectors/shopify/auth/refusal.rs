//! Which refusals of the API are about the token.

use http::StatusCode;
use serde_json::Value;

use crate::error::{Error, ErrorKind};

/// What Shopify says to a permanent token that it takes no more (seen in public reports, 2026-11-22).
const NON_EXPIRING: &str = "Non-expiring access tokens are no longer accepted";

/// The error of an answer that refuses a permanent token for being one; `None` for any other answer.
///
/// Its status is that of a missing scope, 403, so only the text tells them apart. A classifier makes it
/// `Outcome::Refresh`: another process may have put a pair that expires in the vault.
#[must_use]
pub fn permanent_token_refused(status: StatusCode, body: &[u8]) -> Option<Error> {
    if status != StatusCode::FORBIDDEN {
        return None;
    }
    let body: Value = serde_json::from_slice(body).ok()?;
    let errors = body.get("errors")?;
    let says = |text: &str| text.contains(NON_EXPIRING);
    let told = match errors {
        Value::String(text) => says(text),
        Value::Array(several) => {
            several.iter().any(|one| one.as_str().or_else(|| one.get("message")?.as_str()).is_some_and(says))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    };
    told.then(|| {
        Error::new(
            ErrorKind::Auth,
            "permanent_token_refused",
            "Shopify takes no permanent token of this app any more",
        )
        .with_context("status", "403")
        .with_remedy("migrate the shop's token, or let the merchant open the app again")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_that_text_with_that_status_is_about_the_token() {
        let text = r#"{"errors":"[API] Non-expiring access tokens are no longer accepted for the Admin API. See x"}"#;
        let list = format!(r#"{{"errors":[{{"message":"{NON_EXPIRING}"}}]}}"#);
        let refused = |status: u16, body: &str| {
            permanent_token_refused(StatusCode::from_u16(status).unwrap(), body.as_bytes())
        };
        for body in [text, list.as_str()] {
            let error = refused(403, body).unwrap();
            assert_eq!((error.kind(), error.code()), (ErrorKind::Auth, "permanent_token_refused"));
        }
        for (status, body) in [
            (401, text),
            (200, text),
            (403, r#"{"errors":"[API] This action requires merchant approval for read_products scope."}"#),
            (403, r#"{"errors":{"x":"Non-expiring access tokens are no longer accepted"}}"#),
            (403, NON_EXPIRING),
            (403, ""),
        ] {
            assert!(refused(status, body).is_none(), "{status} {body}");
        }
    }
}
