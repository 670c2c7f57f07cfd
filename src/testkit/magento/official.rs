//! Requests and answers held against the official document of the API.

use std::sync::Arc;

use super::oauth::rfc3986;
use super::settings::{Edition, Settings};
use crate::testkit::exchange::{Request, Response};
use crate::testkit::json::Json;
use crate::testkit::openapi::{Document, Exemption, Ledger, Rulebook};

const FIELDS: &str = "the guide on filtered responses gives it to every call, and no operation declares it";
const BARE: &str =
    "a list asks for the name even without a filter, and the operations declare only longer names";
const NULLS: &str = "the tutorial on images and store views sends null for the default value";
/// `AttributeInterface::getValue` gives `mixed`, and the list of simple types in `Webapi/Model/Rest/Swagger/Generator.php`
/// makes a text of that (magento/magento2, read 2026-11-30).
const VALUES: &str =
    "the generator declares `mixed` as a text, and lists (category_ids, multiselect) and null occur";
const PARAMETERS: &str = "declared as a list of objects; the platform sends a list of texts, or an object";
const EMPTY: &str = "PHP writes an empty object as a list";
const NO_LABEL: &str = "a picture that nobody labelled has null";
const NO_DATE: &str = "a product whose stock was never low has null";
const VOID: &str = "the document has no answer of success, and the platform sends an empty list";
const PARTIAL: &str = "the tutorial on simple products sends a few of its fields, with texts for numbers";

/// Where the document is not followed, as operation, place and reason.
pub(super) const EXCEPTIONS: [(&str, &str, &str); 42] = [
    ("*", "query fields", FIELDS),
    ("*", "query searchCriteria", BARE),
    (
        "GET /V1/store/storeConfigs",
        "query storeCodes[]",
        "PHP reads a list by brackets behind its name, and the document names it without",
    ),
    ("*", "answer /parameters", PARAMETERS),
    ("*", "answer /parameters/*", PARAMETERS),
    ("*", "answer /errors/*/parameters", PARAMETERS),
    ("*", "answer /errors/*/parameters/*", PARAMETERS),
    ("*", "answer /custom_attributes/*/value", VALUES),
    ("*", "answer /*/custom_attributes/*/value", VALUES),
    ("*", "answer /items/*/custom_attributes/*/value", VALUES),
    ("*", "answer /extension_attributes", EMPTY),
    ("*", "answer /*/extension_attributes", EMPTY),
    ("*", "answer /items/*/extension_attributes", EMPTY),
    ("*", "answer /label", NO_LABEL),
    ("*", "answer /*/label", NO_LABEL),
    ("*", "answer /media_gallery_entries/*/label", NO_LABEL),
    ("*", "answer /*/media_gallery_entries/*/label", NO_LABEL),
    ("*", "answer /items/*/media_gallery_entries/*/label", NO_LABEL),
    ("*", "answer /low_stock_date", NO_DATE),
    ("*", "answer /extension_attributes/stock_item/low_stock_date", NO_DATE),
    ("*", "answer /*/extension_attributes/stock_item/low_stock_date", NO_DATE),
    ("*", "answer /items/*/extension_attributes/stock_item/low_stock_date", NO_DATE),
    ("*", "body /product/custom_attributes/*/value", VALUES),
    ("*", "body /product/media_gallery_entries", NULLS),
    ("*", "body /product/media_gallery_entries/*/label", NULLS),
    ("*", "body /product/media_gallery_entries/*/position", NULLS),
    ("*", "body /product/media_gallery_entries/*/disabled", NULLS),
    ("PUT /V1/products/{sku}/media/{entryId}", "body /entry/label", NULLS),
    ("PUT /V1/products/{sku}/media/{entryId}", "body /entry/position", NULLS),
    ("PUT /V1/products/{sku}/media/{entryId}", "body /entry/disabled", NULLS),
    ("POST /V1/products", "body /product/extension_attributes/stock_item/**", PARTIAL),
    ("POST /V1/products", "body /product/extension_attributes/stock_item", PARTIAL),
    ("POST /V1/products", "body /product/weight", PARTIAL),
    (
        "POST /V1/products/attributes/{attributeCode}/options",
        "body /option",
        "a new option has no value yet, which is its id",
    ),
    ("POST /V1/inventory/source-items", "answer ", VOID),
    ("POST /V1/eventing/eventSubscribe", "answer ", VOID),
    ("POST /V1/eventing/eventUnsubscribe/{name}", "answer ", VOID),
    ("POST /V1/webhooks/subscribe", "answer ", VOID),
    ("POST /V1/webhooks/unsubscribe", "answer ", VOID),
    (
        "GET /V1/bulk/{bulkUuid}/detailed-status",
        "answer /operations_list/**",
        "an operation that nobody did yet has null for message, code and result",
    ),
    (
        "GET /V1/bulk/{bulkUuid}/status",
        "answer /operations_list/**",
        "an operation that nobody did yet has null for message and code",
    ),
    (
        "GET /V1/bulk",
        "answer /items/**",
        "an operation that nobody did yet has null for message, code and result",
    ),
];

/// The rulebook of a document of the API, with the places where it is not followed.
pub(super) fn rulebook(document: Arc<Document>) -> Rulebook {
    let mut builder = Rulebook::builder().document("", document).bracketed_names();
    for (operation, place, reason) in EXCEPTIONS {
        builder = builder.exempt(Exemption::new(operation, place, reason));
    }
    let subset = "the cut of the document that tests read has only the first provider, and the whole has all";
    builder.unlisted("POST", "/V1/tfa/provider/authy/authenticate", subset).build()
}

/// Holds a request and its answer against the document. Asynchronous calls are not in it: each of their
/// operations is held as the plain call that it stands for.
pub(super) fn hold(ledger: &Ledger, settings: &Settings, request: &Request, response: &Response) {
    let Some((plain, later)) = plain(settings, request) else { return };
    for one in &plain {
        ledger.request(one);
    }
    // A trimmed answer lacks what the document requires.
    let trimmed = request.query.split('&').any(|pair| pair.starts_with("fields="));
    let json = response.header("content-type").is_some_and(|kind| kind.starts_with("application/json"));
    // Crashes have a shape of their own.
    let crashed = response.status.is_server_error();
    if let (Some(one), false, true) = (plain.first(), later || trimmed || crashed, json) {
        ledger.response(one, response);
    }
}

/// A request as the document knows it, its path from `/V1` on, and whether it is asynchronous; none where it is
/// no call of the API.
fn plain(settings: &Settings, request: &Request) -> Option<(Vec<Request>, bool)> {
    let path = request.path.strip_prefix(settings.base_path.as_str())?;
    let mut rest: Vec<&str> = path.trim_matches('/').split('/').collect();
    let mut take = |word: &str| {
        let found = rest.first() == Some(&word);
        if found {
            rest.remove(0);
        }
        found
    };
    take("index.php");
    let (mut later, mut many) = (false, false);
    if settings.edition == Edition::CloudService {
        if !take(&settings.tenant) || !take("V1") {
            return None;
        }
        if take("async") {
            (later, many) = (true, take("bulk"));
        }
    } else {
        if !take("rest") {
            return None;
        }
        if !matches!(rest.first(), Some(&"V1" | &"async")) && !rest.is_empty() {
            rest.remove(0);
        }
        let mut take = |word: &str| {
            let found = rest.first() == Some(&word);
            if found {
                rest.remove(0);
            }
            found
        };
        if take("async") {
            (later, many) = (true, take("bulk"));
        }
        if !take("V1") {
            return None;
        }
    }
    let with = |path: String, body: Vec<u8>| Request { path, body, ..request.clone() };
    let path = format!("/V1/{}", rest.join("/"));
    if !many {
        return Some((vec![with(path, request.body.clone())], later));
    }
    let items = match Json::parse(&request.body) {
        Ok(Json::Array(items)) => items,
        _ => return Some((Vec::new(), true)),
    };
    let one = |item: &Json| {
        let named = |word: &&str| segment(word, item).unwrap_or_else(|| (*word).to_owned());
        let path = rest.iter().map(named).collect::<Vec<_>>().join("/");
        with(format!("/V1/{path}"), item.to_php().into_bytes())
    };
    Some((items.iter().map(one).collect(), true))
}

/// A segment of a bulk's path; `bySku` is the item's SKU. None where the item has none.
fn segment(word: &str, item: &Json) -> Option<String> {
    let name = word.strip_prefix("by").filter(|name| name.starts_with(|c: char| c.is_ascii_uppercase()));
    let Some(name) = name else { return Some(word.to_owned()) };
    let name = format!("{}{}", name.get(..1)?.to_ascii_lowercase(), name.get(1..)?);
    let inside = item.as_object().into_iter().flatten().find_map(|(_, value)| value.get(&name));
    match item.get(&name).or(inside)? {
        Json::String(text) => Some(rfc3986(text)),
        Json::Int(number) => Some(number.to_string()),
        _ => None,
    }
}
