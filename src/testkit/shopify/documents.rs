//! Documents that came in: parsed once each, and held against the official schemas.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use apollo_compiler::Schema;
use apollo_compiler::executable::ExecutableDocument;
use apollo_compiler::validation::Valid;

use super::errors::place;
use super::schema::{ValidatedSchema, told};
use super::surface;
use super::value::Args;
use crate::testkit::json::Json;

/// The most documents that are remembered; then all are forgotten at once.
const DOCUMENT_LIMIT: usize = 512;
/// The most violations that are kept.
const VIOLATION_LIMIT: usize = 1_000;

/// Something in a request that an official schema does not allow.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// The schema's file.
    pub schema: String,
    /// The operation, where it had a name.
    pub operation: Option<String>,
    /// What is wrong.
    pub message: String,
    /// The document.
    pub document: String,
}

/// A document as a schema reads it, or what that says against it.
type Read = Result<Valid<ExecutableDocument>, Vec<String>>;

/// A document with what is known of it.
#[derive(Debug)]
pub(super) struct Known {
    /// The document, or the errors that are answered.
    pub(super) parsed: Result<Valid<ExecutableDocument>, Vec<Json>>,
    /// The document by each official schema, or what that says against it.
    official: Vec<(Arc<ValidatedSchema>, Read)>,
}

/// All documents and schemas of a shop.
#[derive(Debug)]
pub(super) struct Documents {
    pub(super) surface: Valid<Schema>,
    schemas: Vec<Arc<ValidatedSchema>>,
    known: Mutex<HashMap<String, Arc<Known>>>,
    violations: Mutex<Vec<Violation>>,
    deprecated: Mutex<BTreeSet<String>>,
}

impl Documents {
    pub(super) fn new(schemas: Vec<Arc<ValidatedSchema>>) -> Self {
        Self {
            surface: surface::schema(),
            schemas,
            known: Mutex::default(),
            violations: Mutex::default(),
            deprecated: Mutex::default(),
        }
    }

    /// A document by its text, with the errors of official schemas noted.
    pub(super) fn get(&self, text: &str, operation: Option<&str>) -> Arc<Known> {
        let found = lock(&self.known).get(text).map(Arc::clone);
        let known = found.unwrap_or_else(|| {
            let known = Arc::new(self.read(text));
            let mut all = lock(&self.known);
            if all.len() >= DOCUMENT_LIMIT {
                all.clear();
            }
            all.insert(text.to_owned(), Arc::clone(&known));
            known
        });
        for (schema, read) in &known.official {
            for message in read.as_ref().err().into_iter().flatten() {
                self.note(schema.name(), operation, message, text);
            }
        }
        known
    }

    fn read(&self, text: &str) -> Known {
        let official = self.schemas.iter().map(|schema| (Arc::clone(schema), schema.read(text))).collect();
        let parsed = ExecutableDocument::parse_and_validate(&self.surface, text, "document.graphql").map_err(
            |errors| {
                let told = told(&errors.errors).into_iter().take(25);
                told.map(|(message, place)| shaped(&message, place)).collect()
            },
        );
        Known { parsed, official }
    }

    /// Checks variables against the official schemas, and gives the deprecated members in use.
    pub(super) fn check_variables(
        &self,
        known: &Known,
        text: &str,
        operation: Option<&str>,
        variables: &Args,
    ) -> Vec<String> {
        let mut all = Vec::new();
        let json = serde_json::Value::Object(variables.clone());
        for (schema, read) in &known.official {
            let Ok(document) = read else { continue };
            if let Some(message) = schema.variable_problem(document, operation, variables) {
                self.note(schema.name(), operation, &message, text);
            }
            for member in schema.deprecated_in(document, &json) {
                lock(&self.deprecated).insert(format!("{}: {member}", schema.name()));
                if !all.contains(&member) {
                    all.push(member);
                }
            }
        }
        all
    }

    pub(super) fn note(&self, schema: &str, operation: Option<&str>, message: &str, document: &str) {
        let mut violations = lock(&self.violations);
        if violations.len() < VIOLATION_LIMIT {
            violations.push(Violation {
                schema: schema.to_owned(),
                operation: operation.map(str::to_owned),
                message: message.to_owned(),
                document: document.to_owned(),
            });
        }
    }

    pub(super) fn violations(&self) -> Vec<Violation> {
        lock(&self.violations).clone()
    }

    pub(super) fn deprecated(&self) -> Vec<String> {
        lock(&self.deprecated).iter().cloned().collect()
    }

    /// Whether official schemas found the document wrong.
    pub(super) fn official_errors(known: &Known) -> Vec<Json> {
        let all = known.official.iter().filter_map(|(_, read)| read.as_ref().err()).flatten();
        all.take(25).map(|message| shaped(message, None)).collect()
    }
}

/// An error of a document, in the words of the platform where they are known.
fn shaped(message: &str, location: Option<(usize, usize)>) -> Json {
    let unknown = message
        .strip_prefix("type `")
        .and_then(|rest| rest.split_once("` does not have a field `"))
        .and_then(|(type_name, rest)| Some((type_name, rest.strip_suffix('`')?)));
    let mut entries = Vec::new();
    match unknown {
        Some((type_name, field)) => {
            let text = format!("Field '{field}' doesn't exist on type '{type_name}'");
            entries.push(("message", Json::text(text)));
            let extensions = [
                ("code", Json::text("undefinedField")),
                ("typeName", Json::text(type_name)),
                ("fieldName", Json::text(field)),
            ];
            entries.push(("extensions", Json::object(extensions)));
        }
        None => entries.push(("message", Json::text(message))),
    }
    if let Some(location) = location {
        entries.insert(1, ("locations", Json::Array(vec![place(location)])));
    }
    Json::object(entries)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
