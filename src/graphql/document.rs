//! A document: its text, and the requests that are made of it.

use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;

use http::Method;
use serde::Serialize;
use twox_hash::XxHash3_64;

use super::cost::{Given, cost};
use super::syntax::{Fault, Kind, Operation, parse};
use crate::error::{Error, ErrorKind, Result};
use crate::http::{ApiRequest, Idempotency};

/// A GraphQL document with one operation, from a file of the connector.
///
/// Keep it in a `static`: it is parsed once, when it is used first.
///
/// ```
/// use lily_connect::graphql::Document;
///
/// static SHOP: Document = Document::new("shop", "query Shop { shop { id name } }");
/// let request = SHOP.request("graphql.json", &serde_json::json!({}))?;
/// assert_eq!(request.cost, 1);
/// # Ok::<(), lily_connect::Error>(())
/// ```
pub struct Document {
    name: &'static str,
    text: &'static str,
    parsed: OnceLock<Result<Parsed, Fault>>,
}

struct Parsed {
    operation: Operation,
    hash: u64,
    /// The body of a request up to the variables, and from there on.
    head: String,
    tail: String,
}

impl Document {
    /// Names a document: the name is told in errors, the text is `include_str!` of its file.
    #[must_use]
    pub const fn new(name: &'static str, text: &'static str) -> Self {
        Self { name, text, parsed: OnceLock::new() }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &'static str {
        self.text
    }

    /// Makes the request: a POST of the document with its variables, its cost predicted. A query may be
    /// repeated, a mutation is sent once.
    ///
    /// # Errors
    /// `Config` where the document has not exactly one query or mutation that can be read, or the variables are
    /// no JSON object.
    pub fn request<V: Serialize + ?Sized>(
        &self,
        path: impl Into<Cow<'static, str>>,
        variables: &V,
    ) -> Result<ApiRequest> {
        let parsed = self.parsed()?;
        let mut body = Vec::with_capacity(parsed.head.len() + parsed.tail.len() + 256);
        body.extend_from_slice(parsed.head.as_bytes());
        serde_json::to_writer(&mut body, variables).map_err(|_| self.variables_unusable())?;
        let given = self.given(parsed, body.get(parsed.head.len()..).unwrap_or_default())?;
        body.extend_from_slice(parsed.tail.as_bytes());

        let idempotency = match parsed.operation.kind {
            Kind::Query => Idempotency::Safe,
            Kind::Mutation => Idempotency::Once,
        };
        Ok(ApiRequest::write(Method::POST, path, body)
            .idempotency(idempotency)
            .cost(cost(&parsed.operation, &given))
            .cost_key(given.key(parsed.hash)))
    }

    /// Predicts what a call costs, without making a request.
    ///
    /// # Errors
    /// As [`Document::request`].
    pub fn cost<V: Serialize + ?Sized>(&self, variables: &V) -> Result<u32> {
        let parsed = self.parsed()?;
        let variables = serde_json::to_vec(variables).map_err(|_| self.variables_unusable())?;
        Ok(cost(&parsed.operation, &self.given(parsed, &variables)?))
    }

    /// Whether the operation is a mutation.
    ///
    /// # Errors
    /// `Config` where the document cannot be read.
    pub fn is_mutation(&self) -> Result<bool> {
        Ok(self.parsed()?.operation.kind == Kind::Mutation)
    }

    fn given(&self, parsed: &Parsed, variables: &[u8]) -> Result<Given> {
        Given::read(&parsed.operation, variables).ok_or_else(|| self.variables_unusable())
    }

    fn parsed(&self) -> Result<&Parsed> {
        self.parsed
            .get_or_init(|| {
                let operation = parse(self.text)?;
                let quoted = |text: &str| serde_json::to_string(text).unwrap_or_default();
                let head = format!("{{\"query\":{},\"variables\":", quoted(self.text));
                let tail = match &operation.name {
                    Some(name) => format!(",\"operationName\":{}}}", quoted(name)),
                    None => "}".to_owned(),
                };
                Ok(Parsed { operation, hash: XxHash3_64::oneshot(self.text.as_bytes()), head, tail })
            })
            .as_ref()
            .map_err(|fault| {
                Error::new(ErrorKind::Config, "document_unreadable", "a GraphQL document cannot be read")
                    .with_context("document", self.name)
                    .with_context("line", fault.line.to_string())
                    .with_context("expected", fault.expected)
            })
    }

    fn variables_unusable(&self) -> Error {
        Error::new(
            ErrorKind::Config,
            "variables_unusable",
            "the variables of a document must be a JSON object",
        )
        .with_context("document", self.name)
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document").field("name", &self.name).finish_non_exhaustive()
    }
}
