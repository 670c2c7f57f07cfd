//! Staged uploads: targets that are given out, and the forms that bring the files.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::errors::FieldError;
use super::state::State;
use super::value::{Args, Out, Read};
use super::write_product::user_errors;
use crate::testkit::exchange::{Request, Response};

/// Where files are sent.
pub(super) const PATH: &str = "/staged-uploads/";
/// The largest file.
const FILE_LIMIT: usize = 100 << 20;

#[derive(Debug, Default)]
pub(super) struct Uploads {
    /// The files that came, by their key.
    pub(super) files: BTreeMap<String, Arc<Vec<u8>>>,
    /// What a form must carry, by the number of the target.
    targets: BTreeMap<u64, Vec<(String, String)>>,
    /// Another address that is told for them.
    pub(super) at: Option<String>,
}

/// `stagedUploadsCreate`.
pub(super) fn create(state: &mut State, args: &Args) -> Result<Out, FieldError> {
    let mut targets = Vec::new();
    for input in args.list("input").iter().filter_map(|it| it.as_object()) {
        let number = state.take_id();
        let unique = state.random.next_u64();
        let name = input.text("filename").unwrap_or("file");
        let date = state.now.to_string().replace(['-', ':'], "");
        let parameters: Vec<(String, String)> = [
            ("key", format!("tmp/{}/bulk/{unique:016x}/{name}", state.shop.id)),
            ("x-goog-credential", "uploads@example.test/auto/storage/goog4_request".to_owned()),
            ("x-goog-algorithm", "GOOG4-RSA-SHA256".to_owned()),
            ("x-goog-date", date),
            ("x-goog-signature", format!("{unique:032x}")),
            ("policy", "eyJ9".to_owned()),
            ("acl", "private".to_owned()),
            ("Content-Type", input.text("mimeType").unwrap_or("text/jsonl").to_owned()),
            ("success_action_status", "201".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec();
        let told = parameters.iter().map(|(name, value)| {
            Out::record("StagedUploadParameter", vec![("name", Out::text(name)), ("value", Out::text(value))])
        });
        targets.push(Out::record(
            "StagedMediaUploadTarget",
            vec![
                (
                    "url",
                    Out::text(
                        state.uploads.at.clone().unwrap_or_else(|| format!("{}{PATH}{number}", state.base)),
                    ),
                ),
                ("resourceUrl", Out::NULL),
                ("parameters", Out::List(told.collect())),
            ],
        ));
        state.uploads.targets.insert(number, parameters);
    }
    Ok(Out::record(
        "StagedUploadsCreatePayload",
        vec![("stagedTargets", Out::List(targets)), user_errors("UserError", &[])],
    ))
}

/// Takes a file: the parameters in the order in which they were given, then the file.
pub(super) fn receive(state: &mut State, request: &Request, name: &str) -> Response {
    let refused = |state: &State, status: u16, code: &str, what: &str| {
        state.documents.note("staged upload", None, what, &request.path);
        Response::new(status)
            .with_header("content-type", "application/xml; charset=UTF-8")
            .with_body(format!("<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code></Error>"))
    };
    let expected = name.parse::<u64>().ok().and_then(|number| state.uploads.targets.get(&number)).cloned();
    let Some(expected) = expected.filter(|_| request.method == http::Method::POST) else {
        return refused(state, 404, "NoSuchBucket", "the target was not given out, or the verb is not POST");
    };
    if request.header("x-shopify-access-token").is_some() || request.header("authorization").is_some() {
        return refused(state, 400, "InvalidArgument", "a token was sent to the address of an upload");
    }
    let content = request.header("content-type").unwrap_or_default();
    let boundary = content.split_once("boundary=").map(|(_, rest)| rest.trim_matches('"').to_owned());
    let parts =
        boundary.filter(|_| content.starts_with("multipart/form-data")).map(|it| parts(&request.body, &it));
    let Some(mut parts) = parts else {
        return refused(state, 400, "MalformedPOSTRequest", "the body is no form of parts");
    };
    let Some((last, file)) = parts.pop() else {
        return refused(state, 400, "MalformedPOSTRequest", "the form has no parts");
    };
    let given: Vec<(String, String)> =
        parts.into_iter().map(|(name, value)| (name, String::from_utf8_lossy(&value).into_owned())).collect();
    if last != "file" {
        return refused(state, 400, "MalformedPOSTRequest", "the file is not the last part");
    }
    if given != expected {
        return refused(
            state,
            403,
            "AccessDenied",
            "the parameters are not those that were given, in their order",
        );
    }
    if file.len() > FILE_LIMIT {
        return refused(state, 400, "EntityTooLarge", "the file is larger than 100 MB");
    }
    let key = expected.first().map(|(_, key)| key.clone()).unwrap_or_default();
    let body = format!("<?xml version='1.0' encoding='UTF-8'?><PostResponse><Key>{key}</Key></PostResponse>");
    state.uploads.files.insert(key, Arc::new(file));
    Response::new(201).with_header("content-type", "application/xml; charset=UTF-8").with_body(body)
}

/// The named parts of a form, in order.
fn parts(body: &[u8], boundary: &str) -> Vec<(String, Vec<u8>)> {
    let mark = format!("--{boundary}").into_bytes();
    let mut found = Vec::new();
    let mut rest = body;
    while let Some(at) = position(rest, &mark) {
        rest = rest.get(at + mark.len()..).unwrap_or_default();
        if rest.starts_with(b"--") {
            break;
        }
        let rest_of = rest.strip_prefix(b"\r\n").unwrap_or(rest);
        let Some(end) = position(rest_of, &mark) else { break };
        let part = rest_of.get(..end).unwrap_or_default();
        let part = part.strip_suffix(b"\r\n").unwrap_or(part);
        if let Some(split) = position(part, b"\r\n\r\n") {
            let head = String::from_utf8_lossy(part.get(..split).unwrap_or_default()).into_owned();
            let name =
                head.split_once("name=\"").and_then(|(_, rest)| rest.split('"').next()).unwrap_or_default();
            found.push((name.to_owned(), part.get(split + 4..).unwrap_or_default().to_vec()));
        }
        rest = rest_of;
    }
    found
}

fn position(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len().max(1)).position(|window| window == part)
}
