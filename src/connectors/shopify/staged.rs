//! Staged uploads: a file goes to storage of the platform's choice, as a form whose fields the platform gave.
//!
//! Facts: the platform's fact sheet of 2026-11-22, section 7: all parameters first, in the order in which they were
//! given, then the file; the path that a job is started with is the parameter `key`.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method};
use serde::Deserialize;
use serde_json::json;
use twox_hash::XxHash3_64;

use super::connector::Shopify;
use super::{client, documents, wire};
use crate::connector::{JobPart, StagedFile};
use crate::error::{Error, ErrorKind, Result};
use crate::graphql::UserErrors;
use crate::http::{ApiRequest, Idempotency};

/// The most fields of a form, and the most bytes of one: the platform's own have some hundred.
const MAX_FIELDS: usize = 64;
const MAX_FIELD_BYTES: usize = 16 * 1024;

const FILE_NAME: &str = "lily-connect.jsonl";
const FILE_TYPE: &str = "text/jsonl";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Staged {
    #[serde(default)]
    staged_targets: Option<Vec<Target>>,
    #[serde(default)]
    user_errors: UserErrors,
}

#[derive(Deserialize)]
struct Target {
    url: String,
    parameters: Vec<Field>,
}

#[derive(Deserialize)]
struct Field {
    name: String,
    value: String,
}

// Its values are a signature that whoever has it can upload by.
impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target").field("parameters", &self.parameters.len()).finish_non_exhaustive()
    }
}

impl Shopify {
    /// Has a target given out, and sends the file there. Nothing of the shop changes by it.
    pub(super) async fn stage(&self, part: &JobPart, timeout: Duration) -> Result<StagedFile> {
        let input = json!({ "input": [{
            "resource": "BULK_MUTATION_VARIABLES", "filename": FILE_NAME, "mimeType": FILE_TYPE, "httpMethod": "POST",
        }]});
        let call = documents::STAGE_UPLOADS
            .request(self.version.path(), &input)?
            // A target that nobody uses is nothing.
            .idempotency(Idempotency::Safe)
            .attempt_limits(wire::READ_TIMEOUT, wire::ATTEMPT_TIMEOUT);
        let staged: Staged = client::member(&self.client, call, &["stagedUploadsCreate"]).await?;
        if let Some(error) = staged.user_errors.list.first() {
            return Err(refused().with_context("platform_says", error.message.clone()));
        }
        let target = staged.staged_targets.and_then(|targets| targets.into_iter().next());
        let target = target.ok_or_else(unusable)?;
        let key = target.parameters.iter().find(|field| field.name == "key").ok_or_else(unusable)?;
        let path = StagedFile(key.value.as_str().into());

        let (host, address) = self.storage(&target.url)?;
        let (content_type, body) = form(&target.parameters, part)?;
        let call = ApiRequest::write(Method::POST, address, body)
            .content_type(content_type)
            // The same file at the same place.
            .idempotency(Idempotency::Safe)
            .timeout(timeout)
            .attempt_limits(timeout, timeout);
        match host.execute(call).await {
            Ok(_) => Ok(path),
            // What storage says of credentials is not of the shop's.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::Auth
                        | ErrorKind::Forbidden
                        | ErrorKind::NotFound
                        | ErrorKind::Rejected
                        | ErrorKind::TooLarge
                ) =>
            {
                Err(refused().with_source(error))
            }
            Err(error) => Err(error),
        }
    }
}

/// The form: its content type, and its bytes. The file is copied once, into it.
fn form(fields: &[Field], part: &JobPart) -> Result<(HeaderValue, Bytes)> {
    let is_plain = |field: &Field| {
        let breaks = |text: &str| text.contains(['\r', '\n', '\0']);
        !field.name.is_empty()
            && field.name.len() + field.value.len() <= MAX_FIELD_BYTES
            && !breaks(&field.name)
            && !field.name.contains('"')
            && !breaks(&field.value)
    };
    if fields.len() > MAX_FIELDS || !fields.iter().all(is_plain) {
        return Err(unusable());
    }
    // No value has a line break, and each line of the file begins with a bracket: nothing within looks like it.
    let key = fields.iter().map(|field| field.value.as_str()).collect::<String>();
    let boundary = format!("lily-connect-{:016x}", XxHash3_64::oneshot(key.as_bytes()));
    let file: usize = part.lines.iter().map(|line| line.json.len() + 1).sum();
    let mut body = Vec::with_capacity(file + 4096);
    for Field { name, value } in fields {
        let head = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
        for text in [head.as_str(), value, "\r\n"] {
            body.extend_from_slice(text.as_bytes());
        }
    }
    body.extend_from_slice(
        format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{FILE_NAME}\"\r\n\
             Content-Type: {FILE_TYPE}\r\n\r\n"
        )
        .as_bytes(),
    );
    for line in &part.lines {
        body.extend_from_slice(&line.json);
        body.push(b'\n');
    }
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    let content_type = HeaderValue::try_from(format!("multipart/form-data; boundary={boundary}"));
    Ok((content_type.map_err(|_| unusable())?, body.into()))
}

fn unusable() -> Error {
    Error::new(
        ErrorKind::Protocol,
        "staged_target_unreadable",
        "the store gave no target for an upload that can be used",
    )
    .with_remedy("report it: the platform may have changed its answers")
}

fn refused() -> Error {
    Error::new(ErrorKind::Rejected, "staged_upload_refused", "the file of a write job was not taken")
        .with_remedy("apply again; without write jobs where it stays so")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connector::JobLine;

    fn field(name: &str, value: &str) -> Field {
        Field { name: name.to_owned(), value: value.to_owned() }
    }

    #[test]
    fn the_form_has_the_parameters_in_their_order_and_then_the_file() {
        let lines = [&b"{\"a\":1}"[..], b"{\"b\":\"\\r\\n\"}"]
            .map(|json| JobLine::new(0, Vec::new(), Bytes::from_static(json), false));
        let part = JobPart::new("x", lines.to_vec());
        let (content_type, body) =
            form(&[field("key", "tmp/1/vars"), field("acl", "private")], &part).unwrap();
        let content_type = content_type.to_str().unwrap();
        let boundary = content_type.strip_prefix("multipart/form-data; boundary=").unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert_eq!(
            text,
            format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\ntmp/1/vars\r\n\
                 --{boundary}\r\nContent-Disposition: form-data; name=\"acl\"\r\n\r\nprivate\r\n\
                 --{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"lily-connect.jsonl\"\r\n\
                 Content-Type: text/jsonl\r\n\r\n{{\"a\":1}}\n{{\"b\":\"\\r\\n\"}}\n\r\n--{boundary}--\r\n"
            )
        );
    }

    #[test]
    fn a_target_that_would_break_the_form_is_refused() {
        let part = JobPart::new("x", Vec::new());
        let many: Vec<Field> = (0..65).map(|n| field(&format!("n{n}"), "v")).collect();
        for fields in [
            vec![field("ke\"y", "v")],
            vec![field("", "v")],
            vec![field("key", "v\r\n--boundary")],
            vec![field("key\r\n", "v")],
            vec![field("key", &"v".repeat(17_000))],
            many,
        ] {
            let error = form(&fields, &part).unwrap_err();
            assert_eq!((error.kind(), error.code()), (ErrorKind::Protocol, "staged_target_unreadable"));
        }
    }
}
