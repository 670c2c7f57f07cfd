//! One official document: how it is read, and what it says of a path.

use std::fmt;
use std::io::Read as _;
use std::path::Path;

use serde_json::{Map, Value};

use crate::error::{Error, ErrorKind, Result};

/// The largest text of a document that is read, after it was unpacked.
const DOCUMENT_LIMIT: u64 = 64 << 20;

/// The verbs that an entry of `paths` can have.
const VERBS: [&str; 7] = ["get", "put", "post", "delete", "options", "head", "patch"];

/// An OpenAPI 3.0 or Swagger 2.0 document.
pub struct Document {
    name: String,
    root: Value,
    operations: Vec<Operation>,
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document").field("name", &self.name).finish_non_exhaustive()
    }
}

/// One verb of one path.
#[derive(Debug)]
pub(super) struct Operation {
    /// In capitals.
    pub(super) verb: String,
    /// As the document writes it, such as `/catalog/products/{product_id}`.
    pub(super) path: String,
}

impl Document {
    /// Reads a document from a file: JSON where its name says `.json`, else YAML; a name that ends in `.gz`
    /// is unpacked first. It takes some tenths of a second, so share one.
    ///
    /// # Errors
    /// `Config` where the file cannot be read, or holds no OpenAPI 3.0 or Swagger 2.0 document.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let file = std::fs::File::open(path).map_err(|_| unreadable(&name, "the file cannot be opened"))?;
        let mut text = String::new();
        let read = if name.ends_with(".gz") {
            flate2::read::GzDecoder::new(file).take(DOCUMENT_LIMIT).read_to_string(&mut text)
        } else {
            file.take(DOCUMENT_LIMIT).read_to_string(&mut text)
        };
        read.map_err(|_| unreadable(&name, "the file cannot be read"))?;
        Self::parse(&name, &text)
    }

    /// Reads a document from its text; the name decides, as in [`Document::load`], how.
    ///
    /// # Errors
    /// `Config` where the text holds no OpenAPI 3.0 or Swagger 2.0 document.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        let bare = name.strip_suffix(".gz").unwrap_or(name);
        let root: Value = if bare.ends_with(".json") {
            serde_json::from_str(text).map_err(|_| unreadable(name, "it is no JSON"))?
        } else {
            serde_saphyr::from_str(text).map_err(|_| unreadable(name, "it is no YAML"))?
        };
        let version = root.get("openapi").or_else(|| root.get("swagger")).and_then(Value::as_str);
        if !version.is_some_and(|version| version.starts_with("3.0") || version == "2.0") {
            return Err(unreadable(name, "it is neither OpenAPI 3.0 nor Swagger 2.0"));
        }
        let Some(paths) = root.get("paths").and_then(Value::as_object) else {
            return Err(unreadable(name, "it has no paths"));
        };
        let operations = paths
            .iter()
            .flat_map(|(path, entry)| {
                let verbs = VERBS.iter().filter(|verb| entry.get(**verb).is_some());
                verbs.map(|verb| Operation { verb: verb.to_ascii_uppercase(), path: path.clone() })
            })
            .collect();
        Ok(Self { name: name.to_owned(), root, operations })
    }

    /// The file that it came from.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its operations, such as `GET /catalog/products`.
    #[must_use]
    pub fn operations(&self) -> Vec<String> {
        self.operations.iter().map(|operation| format!("{} {}", operation.verb, operation.path)).collect()
    }

    pub(super) fn all(&self) -> &[Operation] {
        &self.operations
    }

    pub(super) fn root(&self) -> &Value {
        &self.root
    }

    pub(super) fn is_swagger(&self) -> bool {
        self.root.get("swagger").is_some()
    }

    /// The operations that a path fits, the most literal first. `path` is still percent-encoded, so a `%2F`
    /// in a segment does not cut it.
    pub(super) fn matching(&self, verb: &str, path: &str) -> Vec<(usize, &Operation)> {
        let operations = self.operations.iter().filter(|operation| operation.verb == verb);
        let mut found: Vec<_> = operations
            .filter_map(|operation| Some((templates_in(&operation.path, path)?, operation)))
            .collect();
        found.sort_by_key(|(templates, _)| *templates);
        found
    }

    /// Whether any verb of the document has that path.
    pub(super) fn knows(&self, path: &str) -> bool {
        self.operations.iter().any(|operation| templates_in(&operation.path, path).is_some())
    }

    /// The node of an operation.
    pub(super) fn node(&self, operation: &Operation) -> &Value {
        let entry = self.root.get("paths").and_then(|paths| paths.get(&operation.path));
        entry.and_then(|entry| entry.get(operation.verb.to_ascii_lowercase())).unwrap_or(&Value::Null)
    }

    /// The parameters of an operation: its own, and those of its path that it does not name anew.
    pub(super) fn parameters(&self, operation: &Operation) -> Vec<&Value> {
        let own = self.node(operation).get("parameters");
        let shared = self
            .root
            .get("paths")
            .and_then(|paths| paths.get(&operation.path))
            .and_then(|entry| entry.get("parameters"));
        let mut found: Vec<&Value> = Vec::new();
        for parameter in own.into_iter().chain(shared).filter_map(Value::as_array).flatten() {
            let parameter = self.resolve(parameter);
            let same = |other: &&Value| {
                other.get("name") == parameter.get("name") && other.get("in") == parameter.get("in")
            };
            if !found.iter().any(same) {
                found.push(parameter);
            }
        }
        found
    }

    /// The names of headers that carry a key, by alternative; empty where the operation asks for none.
    pub(super) fn key_headers(&self, operation: &Operation) -> Vec<Vec<&str>> {
        let asked = self.node(operation).get("security").or_else(|| self.root.get("security"));
        let schemes = self
            .root
            .get("components")
            .and_then(|components| components.get("securitySchemes"))
            .or_else(|| self.root.get("securityDefinitions"));
        let header = |name: &String| {
            let scheme = self.resolve(schemes?.get(name)?);
            (scheme.get("in")?.as_str()? == "header").then(|| scheme.get("name")?.as_str())?
        };
        let alternatives = asked.and_then(Value::as_array).into_iter().flatten();
        alternatives
            .filter_map(Value::as_object)
            .map(|alternative: &Map<String, Value>| alternative.keys().filter_map(header).collect())
            .collect()
    }

    /// Follows `$ref` to what it names; a node without one is its own.
    pub(super) fn resolve<'a>(&'a self, node: &'a Value) -> &'a Value {
        let mut node = node;
        // A chain of references in a document is short; a ring of them ends here.
        for _ in 0..16 {
            let Some(target) = node.get("$ref").and_then(Value::as_str) else { return node };
            let Some(found) = target.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer)) else {
                return &Value::Null;
            };
            node = found;
        }
        &Value::Null
    }
}

/// How many segments of a path are templates; none where the path does not fit.
fn templates_in(template: &str, path: &str) -> Option<usize> {
    let mut templates = 0;
    let mut given = path.split('/');
    for segment in template.split('/') {
        let text = given.next()?;
        if segment.starts_with('{') && segment.ends_with('}') {
            if text.is_empty() {
                return None;
            }
            templates += 1;
        } else if segment != text {
            return None;
        }
    }
    given.next().is_none().then_some(templates)
}

fn unreadable(name: &str, why: &str) -> Error {
    Error::new(ErrorKind::Config, "openapi_unreadable", format!("the document {name:?} is unusable: {why}"))
        .with_remedy("give an OpenAPI 3.0 or Swagger 2.0 document, in YAML or JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_path_comes_before_a_template_and_an_encoded_slash_stays_in_its_segment() {
        let text = r#"{"openapi": "3.0.3", "paths": {
            "/p/{id}": {"get": {}}, "/p/assignments": {"get": {}}, "/p/{id}/x": {"get": {}}}}"#;
        let document = Document::parse("a.json", text).unwrap();
        let paths = |path: &str| {
            document.matching("GET", path).iter().map(|(_, it)| it.path.clone()).collect::<Vec<_>>()
        };
        assert_eq!(paths("/p/assignments"), ["/p/assignments", "/p/{id}"]);
        assert_eq!(paths("/p/a%2Fb/x"), ["/p/{id}/x"]);
        assert!(paths("/p/").is_empty() && paths("/p/1/x/").is_empty());
        assert!(document.matching("PUT", "/p/1").is_empty() && document.knows("/p/1"));
    }

    #[test]
    fn what_is_no_document_is_refused_with_its_name() {
        for (name, text) in [
            ("a.json", "{"),
            ("a.yml", "a: [1"),
            ("a.yml", "openapi: 3.1.0\npaths: {}"),
            ("a.yml", "openapi: 3.0.0"),
        ] {
            let error = Document::parse(name, text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.message().contains(name), "{error}");
        }
    }
}
