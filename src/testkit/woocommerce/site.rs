//! The site around the API: its broken states, and how an answer is put on the wire.

use super::Answer;
use super::errors::ApiError;
use super::render::cut;
use super::state::Conditions;
use crate::testkit::exchange::{Request, Response};
use crate::testkit::json::Json;
use crate::time::Timestamp;

const JSON_TYPE: &str = "application/json; charset=UTF-8";
const HTML_TYPE: &str = "text/html; charset=UTF-8";
const NO_CACHE: &str = "no-cache, must-revalidate, max-age=0, no-store, private";

/// What a plugin's warning looks like ahead of a body.
const NOISE: &str = "\n<br />\n<b>Warning</b>:  Undefined variable $x in <b>/srv/site/plugin.php</b> on line <b>7</b><br />\n";

/// The answer of a site that cannot reach its API at all.
pub(super) fn broken(conditions: &Conditions, request: &Request, now: Timestamp) -> Option<Response> {
    if conditions.bad_gateway {
        // The web server answers by itself, whatever the caller accepts.
        let page = html_page("502 Bad Gateway", "502 Bad Gateway");
        return Some(dated(Response::new(502), now).with_header("content-type", "text/html").with_body(page));
    }
    if conditions.maintenance {
        let text = "Briefly unavailable for scheduled maintenance. Check back in a minute.";
        return Some(
            died(request, now, 503, "wp_die", text, "Maintenance").with_header("retry-after", "600"),
        );
    }
    if conditions.database_down {
        let text = "<h1>Error establishing a database connection</h1>";
        return Some(died(request, now, 500, "wp_die", text, "Database Error"));
    }
    if conditions.php_fatal {
        let error = ApiError::php_fatal();
        return Some(died(request, now, 500, error.code, &error.message, "Error"));
    }
    None
}

/// The answer of a page that dies: JSON only where the caller accepts it by name.
fn died(
    request: &Request,
    now: Timestamp,
    status: u16,
    code: &'static str,
    text: &str,
    title: &str,
) -> Response {
    let response = no_cache(dated(Response::new(status), now));
    if request.header("accept").is_some_and(|accept| accept.contains("application/json")) {
        let error = ApiError { fatal: true, ..ApiError::new(status, code, text) };
        return response.with_header("content-type", JSON_TYPE).with_body(error.to_json().to_php());
    }
    response.with_header("content-type", HTML_TYPE).with_body(html_page(title, text))
}

/// The redirect of a site whose permalinks are Plain.
pub(super) fn plain_permalinks(request: &Request, home: &str, now: Timestamp) -> Response {
    let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
    let path = request.path.trim_end_matches('/');
    no_cache(dated(Response::new(301), now))
        .with_header("content-type", HTML_TYPE)
        .with_header("x-redirect-by", "WordPress")
        .with_header("location", &format!("{home}{path}/{query}"))
}

/// A redirect of a page, without a body.
pub(super) fn redirect(status: u16, to: &str, now: Timestamp) -> Response {
    dated(Response::new(status), now)
        .with_header("content-type", HTML_TYPE)
        .with_header("x-redirect-by", "WordPress")
        .with_header("location", to)
}

/// The page of somebody who may not be there.
pub(super) fn denied(problem: &str, now: Timestamp) -> Response {
    no_cache(dated(Response::new(401), now))
        .with_header("content-type", HTML_TYPE)
        .with_body(html_page("Access denied", &format!("Error: {problem}.")))
}

/// A page with a title and a text.
pub(super) fn page(title: &str, text: &str, now: Timestamp) -> Response {
    dated(Response::new(200), now).with_header("content-type", HTML_TYPE).with_body(html_page(title, text))
}

/// A page of the shop itself, which names the API's root.
pub(super) fn shop_page(request: &Request, home: &str, now: Timestamp) -> Response {
    let status = if matches!(request.path.as_str(), "" | "/") { 200 } else { 404 };
    dated(Response::new(status), now)
        .with_header("content-type", HTML_TYPE)
        .with_header("link", &root_link(home))
        .with_body(html_page("Fake Store", "A page of the shop."))
}

fn html_page(title: &str, text: &str) -> String {
    format!("<!DOCTYPE html>\n<html>\n<head><title>{title}</title></head>\n<body>{text}</body>\n</html>\n")
}

fn root_link(home: &str) -> String {
    format!("<{home}/wp-json/>; rel=\"https://api.w.org/\"")
}

/// The date comes from the store's clock, so that a test can set the two clocks apart.
fn dated(response: Response, now: Timestamp) -> Response {
    response.with_header("date", &now.to_http_date())
}

fn no_cache(response: Response) -> Response {
    response.with_header("expires", "Wed, 11 Jan 1984 05:00:00 GMT").with_header("cache-control", NO_CACHE)
}

/// What writing an answer needs beside it.
#[derive(Debug)]
pub(super) struct Wire<'a> {
    pub(super) conditions: &'a Conditions,
    pub(super) home: &'a str,
    pub(super) now: Timestamp,
    /// Whether the caller was identified.
    pub(super) known: bool,
    /// The fields of `_fields`, where it was sent.
    pub(super) fields: Option<Vec<String>>,
    pub(super) head_only: bool,
}

impl Wire<'_> {
    pub(super) fn write(&self, outcome: Result<Answer, (ApiError, Option<&'static str>)>) -> Response {
        let (status, body, totals, link, allow) = match outcome {
            Ok(answer) => {
                let body = match &self.fields {
                    Some(fields) => cut(answer.body, fields),
                    None => answer.body,
                };
                (answer.status, body, answer.totals, answer.link, answer.allow)
            }
            Err((error, allow)) => {
                if error.fatal {
                    let response = no_cache(dated(Response::new(500), self.now))
                        .with_header("x-robots-tag", "noindex")
                        .with_header("link", &root_link(self.home));
                    return self.body(response, &error.to_json());
                }
                // An unknown variation is answered without the header, an unknown product with it.
                let bare = error.code == "woocommerce_rest_product_variation_invalid_id";
                let allow = allow.filter(|_| !matches!(error.status, 401 | 403) && !bare);
                (error.status, error.to_json(), None, None, allow)
            }
        };
        let mut response = dated(Response::new(status), self.now)
            .with_header("x-robots-tag", "noindex")
            .with_header("x-content-type-options", "nosniff")
            .with_header("access-control-expose-headers", "X-WP-Total, X-WP-TotalPages, Link")
            .with_header("link", &link.unwrap_or_else(|| root_link(self.home)));
        if let Some((total, pages)) = totals.filter(|_| !self.conditions.totals_stripped) {
            response = response
                .with_header("x-wp-total", &total.to_string())
                .with_header("x-wp-totalpages", &pages.to_string());
        }
        let address =
            body.get("_links").and_then(|links| links.get("self")?.as_array()?.first()?.get("href"));
        if let Some(address) = address.and_then(Json::as_str).filter(|_| status == 201) {
            response = response.with_header("location", address);
        }
        if let Some(verbs) = allow {
            response = response.with_header("allow", verbs);
        }
        response = if self.known { no_cache(response) } else { response.with_header("vary", "Origin") };
        self.body(response, &body)
    }

    fn body(&self, response: Response, body: &Json) -> Response {
        let mut text = String::new();
        if self.conditions.byte_order_mark {
            text.push('\u{feff}');
        }
        if self.conditions.php_noise {
            text.push_str(NOISE);
        }
        text.push_str(&body.to_php());
        if self.head_only {
            text.clear();
        }
        response.with_header("content-type", JSON_TYPE).with_body(text)
    }
}
