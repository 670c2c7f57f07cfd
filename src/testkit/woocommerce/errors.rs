//! The errors of the API, with the codes and statuses that were recorded.

use crate::testkit::json::Json;

/// An error as WordPress answers it: `{code, message, data: {status, ..}}`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ApiError {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) message: String,
    /// What `data` holds beside the status.
    pub(super) data: Vec<(&'static str, Json)>,
    /// A crash of PHP, which is answered in another shape and without the usual headers.
    pub(super) fatal: bool,
}

impl ApiError {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), data: Vec::new(), fatal: false }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<Json>) -> Self {
        self.data.push((name, value.into()));
        self
    }

    /// The body of the answer.
    pub(super) fn to_json(&self) -> Json {
        let mut data = vec![("status", Json::Int(i64::from(self.status)))];
        data.extend(self.data.iter().cloned());
        let mut entries = vec![
            ("code", Json::text(self.code)),
            ("message", Json::text(self.message.clone())),
            ("data", Json::object(data)),
        ];
        if self.fatal {
            entries.push(("additional_errors", Json::Array(Vec::new())));
        }
        Json::object(entries)
    }

    pub(super) fn no_route() -> Self {
        Self::new(404, "rest_no_route", "No route was found matching the URL and request method.")
    }

    /// A deletion without `force` of what cannot go to the trash.
    pub(super) fn no_trash() -> Self {
        Self::new(501, "woocommerce_rest_trash_not_supported", "Resource does not support trashing.")
    }

    /// A required parameter that was not sent.
    pub(super) fn missing(name: &'static str) -> Self {
        Self::new(400, "rest_missing_callback_param", format!("Missing parameter(s): {name}"))
            .with("params", Json::Array(vec![Json::text(name)]))
    }

    pub(super) fn invalid_product(status: u16) -> Self {
        Self::new(status, "woocommerce_rest_product_invalid_id", "Invalid ID.")
    }

    pub(super) fn invalid_variation() -> Self {
        Self::new(404, "woocommerce_rest_product_variation_invalid_id", "Invalid ID.")
    }

    pub(super) fn is_a_variation() -> Self {
        Self::new(
            404,
            "woocommerce_rest_invalid_product_id",
            "To manipulate product variations you should use the /products/&lt;product_id&gt;/variations/&lt;id&gt; endpoint.",
        )
    }

    pub(super) fn authentication(message: &str) -> Self {
        Self::new(401, "woocommerce_rest_authentication_error", message)
    }

    pub(super) fn php_fatal() -> Self {
        Self {
            fatal: true,
            ..Self::new(
                500,
                "internal_server_error",
                "<p>There has been a critical error on this website.</p>",
            )
        }
    }
}

/// One parameter that failed its check.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct BadParam {
    pub(super) name: String,
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) data: Json,
}

impl BadParam {
    pub(super) fn wrong_type(name: &str, path: &str, expected: &str) -> Self {
        Self {
            name: name.to_owned(),
            code: "rest_invalid_type",
            message: format!("{path} is not of type {expected}."),
            data: Json::object([("param", Json::text(path))]),
        }
    }

    pub(super) fn not_in_enum(name: &str, values: &[&str]) -> Self {
        let list = match values {
            [] => String::new(),
            [only] => (*only).to_owned(),
            [first, second] => format!("{first} and {second}"),
            [first @ .., last] => format!("{}, and {last}", first.join(", ")),
        };
        Self {
            name: name.to_owned(),
            code: "rest_not_in_enum",
            message: format!("{name} is not one of {list}."),
            data: Json::Null,
        }
    }

    pub(super) fn out_of_bounds(name: &str, message: String) -> Self {
        Self { name: name.to_owned(), code: "rest_out_of_bounds", message, data: Json::Null }
    }

    pub(super) fn bad_date(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            code: "rest_invalid_date",
            message: "Invalid date.".to_owned(),
            data: Json::Null,
        }
    }
}

/// Puts all bad parameters into the one error that answers them.
pub(super) fn invalid_params(bad: &[BadParam]) -> ApiError {
    let names = bad.iter().map(|param| param.name.as_str()).collect::<Vec<_>>().join(", ");
    ApiError::new(400, "rest_invalid_param", format!("Invalid parameter(s): {names}"))
        .with("params", Json::object(bad.iter().map(|p| (p.name.clone(), Json::text(p.message.clone())))))
        .with(
            "details",
            Json::object(bad.iter().map(|p| {
                let detail = Json::object([
                    ("code", Json::text(p.code)),
                    ("message", Json::text(p.message.clone())),
                    ("data", p.data.clone()),
                ]);
                (p.name.clone(), detail)
            })),
        )
}
