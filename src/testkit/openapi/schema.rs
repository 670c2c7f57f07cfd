//! One schema of a document, made ready: references gathered, what is not followed left out, and bodies held
//! against it, properties that no branch declares included.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value, json};

use super::check::Check;
use super::document::Document;

/// Which way a body goes: what is read-only is not sent, what is write-only is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Way {
    Request,
    Response,
}

/// How deep a schema or a body is followed.
const DEPTH_LIMIT: usize = 64;

/// The keywords that stay. All others (examples, titles) say nothing of a body.
const KEPT: [&str; 17] = [
    "type",
    "enum",
    "format",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "uniqueItems",
    "readOnly",
    "minProperties",
    "maxProperties",
];

/// Keywords that are kept to be told, and not checked: the official documents hold one pattern in all.
const UNCHECKED: [&str; 5] = ["pattern", "multipleOf", "minProperties", "maxProperties", "not"];

/// What is wrong at a place of a body: a pointer, and what was expected there.
pub(super) type Wrong = (String, String);

/// A schema with all that it refers to.
pub(super) struct Schema {
    root: Value,
    way: Way,
}

impl Schema {
    /// Makes a schema of a document ready.
    pub(super) fn new(document: &Document, node: &Value, way: Way) -> Self {
        let mut gather = Gather { document, way, names: HashMap::new(), waiting: Vec::new() };
        let mut root = gather.schema(node, 0);
        let mut definitions = Map::new();
        while let Some((name, pointer)) = gather.waiting.pop() {
            let target = document.root().pointer(&pointer).unwrap_or(&Value::Null);
            let schema = gather.schema(target, 0);
            definitions.insert(name, schema);
        }
        // A reference stands alone, so the root becomes a branch beside the definitions.
        if root.get("$ref").is_some() {
            root = json!({"allOf": [root]});
        }
        if let Some(root) = root.as_object_mut() {
            root.insert("definitions".to_owned(), Value::Object(definitions));
        }
        Self { root, way }
    }

    /// The keywords and their values that are not checked, such as `pattern`.
    pub(super) fn unchecked(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        unchecked(&self.root, &mut found);
        found
    }

    /// What of a body the schema does not allow.
    pub(super) fn wrong(&self, body: &Value) -> Vec<Wrong> {
        let mut wrong: BTreeSet<Wrong> = Check::new(&self.root).wrong(body).into_iter().collect();
        self.undeclared(&[&self.root], body, &mut String::new(), 0, &mut wrong);
        wrong.into_iter().collect()
    }

    /// Finds properties that no branch declares. All branches of `oneOf` and `anyOf` count: which one holds
    /// is for the validator to say.
    fn undeclared(
        &self,
        schemas: &[&Value],
        body: &Value,
        pointer: &mut String,
        depth: usize,
        wrong: &mut BTreeSet<Wrong>,
    ) {
        if depth > DEPTH_LIMIT {
            return;
        }
        let mut branches = Vec::new();
        for schema in schemas {
            self.branches(schema, 0, &mut branches);
        }
        let length = pointer.len();
        match body {
            Value::Object(properties) => {
                let declares = branches.iter().any(|branch| branch.get("properties").is_some());
                let extra = branches.iter().filter_map(|branch| branch.get("additionalProperties"));
                let extra: Vec<&Value> = extra.filter(|extra| **extra != Value::Bool(false)).collect();
                for (name, value) in properties {
                    let mut children: Vec<&Value> =
                        branches.iter().filter_map(|branch| branch.get("properties")?.get(name)).collect();
                    pointer.push('/');
                    pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
                    if children.is_empty() {
                        children = extra.clone();
                        if declares && extra.is_empty() {
                            wrong.insert((pointer.clone(), "a declared property".to_owned()));
                        }
                    }
                    if self.way == Way::Request && self.is_read_only(&children, &branches, name) {
                        wrong.insert((pointer.clone(), "not sent, since it is read-only".to_owned()));
                    }
                    self.undeclared(&children, value, pointer, depth + 1, wrong);
                    pointer.truncate(length);
                }
            }
            Value::Array(items) => {
                let children: Vec<&Value> =
                    branches.iter().filter_map(|branch| branch.get("items")).collect();
                for (index, item) in items.iter().enumerate() {
                    pointer.push_str(&format!("/{index}"));
                    self.undeclared(&children, item, pointer, depth + 1, wrong);
                    pointer.truncate(length);
                }
            }
            _ => {}
        }
    }

    /// Whether every branch that declares a property says that it is read-only. One that is asked for is
    /// not: the batches of BigCommerce need ids that their document calls read-only.
    fn is_read_only(&self, children: &[&Value], branches: &[&Value], name: &str) -> bool {
        let read_only = |schema: &&Value| {
            let mut parts = Vec::new();
            self.branches(schema, 0, &mut parts);
            parts.iter().any(|part| part.get("readOnly") == Some(&Value::Bool(true)))
        };
        let asked = |branch: &&Value| {
            let required = branch.get("x-required").and_then(Value::as_array);
            required.is_some_and(|required| required.iter().any(|asked| asked == name))
        };
        !children.is_empty() && children.iter().all(read_only) && !branches.iter().any(asked)
    }

    /// A schema and all the branches that it is made of.
    fn branches<'a>(&'a self, schema: &'a Value, depth: usize, found: &mut Vec<&'a Value>) {
        if depth > DEPTH_LIMIT {
            return;
        }
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            let pointer = target.strip_prefix('#').unwrap_or(target);
            if let Some(schema) = self.root.pointer(pointer) {
                self.branches(schema, depth + 1, found);
            }
            return;
        }
        found.push(schema);
        for keyword in ["allOf", "oneOf", "anyOf"] {
            for branch in schema.get(keyword).and_then(Value::as_array).into_iter().flatten() {
                self.branches(branch, depth + 1, found);
            }
        }
    }
}

impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Schema").field("way", &self.way).finish_non_exhaustive()
    }
}

/// Finds what is not checked. A property can have any name, so names are not taken for keywords.
fn unchecked(schema: &Value, found: &mut BTreeSet<String>) {
    for keyword in UNCHECKED {
        if let Some(value) = schema.get(keyword) {
            found.insert(format!("{keyword} {value}"));
        }
    }
    for keyword in ["properties", "definitions"] {
        for (_, inner) in schema.get(keyword).and_then(Value::as_object).into_iter().flatten() {
            unchecked(inner, found);
        }
    }
    for keyword in ["allOf", "oneOf", "anyOf"] {
        for inner in schema.get(keyword).and_then(Value::as_array).into_iter().flatten() {
            unchecked(inner, found);
        }
    }
    for keyword in ["items", "additionalProperties"] {
        schema.get(keyword).into_iter().for_each(|inner| unchecked(inner, found));
    }
}

/// Copies schemas out of a document, with what they say of one way.
struct Gather<'a> {
    document: &'a Document,
    way: Way,
    names: HashMap<String, String>,
    waiting: Vec<(String, String)>,
}

impl Gather<'_> {
    fn schema(&mut self, node: &Value, depth: usize) -> Value {
        let Some(node) = node.as_object().filter(|_| depth <= DEPTH_LIMIT) else { return json!({}) };
        if let Some(target) = node.get("$ref").and_then(Value::as_str) {
            return self.reference(target);
        }
        let mut schema = Map::new();
        for keyword in KEPT {
            if let Some(value) = node.get(keyword) {
                schema.insert(keyword.to_owned(), value.clone());
            }
        }
        for keyword in ["allOf", "oneOf", "anyOf"] {
            if let Some(branches) =
                node.get(keyword).and_then(Value::as_array).filter(|list| !list.is_empty())
            {
                let branches = branches.iter().map(|branch| self.schema(branch, depth + 1)).collect();
                schema.insert(keyword.to_owned(), Value::Array(branches));
            }
        }
        for keyword in ["items", "not"] {
            if let Some(inner) = node.get(keyword) {
                schema.insert(keyword.to_owned(), self.schema(inner, depth + 1));
            }
        }
        match node.get("additionalProperties") {
            Some(Value::Bool(allowed)) => {
                schema.insert("additionalProperties".to_owned(), Value::Bool(*allowed));
            }
            Some(inner) => {
                schema.insert("additionalProperties".to_owned(), self.schema(inner, depth + 1));
            }
            None => {}
        }
        self.properties(node, &mut schema, depth);
        nullable(node, &mut schema);
        Value::Object(schema)
    }

    /// Properties, and which of them a body must have: what is read-only is not asked of a request.
    fn properties(&mut self, node: &Map<String, Value>, schema: &mut Map<String, Value>, depth: usize) {
        let declared = node.get("properties").and_then(Value::as_object);
        if let Some(declared) = declared {
            let properties =
                declared.iter().map(|(name, inner)| (name.clone(), self.schema(inner, depth + 1))).collect();
            schema.insert("properties".to_owned(), Value::Object(properties));
        }
        let Some(required) = node.get("required").and_then(Value::as_array) else { return };
        let keyword = match self.way {
            Way::Request => "readOnly",
            Way::Response => "writeOnly",
        };
        let other_way = |name: &Value| {
            let property = name.as_str().and_then(|name| declared?.get(name));
            let property = property.map(|property| self.document.resolve(property));
            property.and_then(|property| property.get(keyword)) == Some(&Value::Bool(true))
        };
        let asked: Vec<Value> = required.iter().filter(|name| !other_way(name)).cloned().collect();
        if !asked.is_empty() {
            schema.insert("required".to_owned(), Value::Array(asked));
        }
        schema.insert("x-required".to_owned(), Value::Array(required.clone()));
    }

    fn reference(&mut self, target: &str) -> Value {
        let Some(pointer) = target.strip_prefix('#') else { return json!({}) };
        let count = self.names.len();
        let name = self.names.entry(pointer.to_owned()).or_insert_with(|| {
            let name = format!("d{count}");
            self.waiting.push((name.clone(), pointer.to_owned()));
            name
        });
        json!({"$ref": format!("#/definitions/{name}")})
    }
}

/// `nullable` adds null to a type and to what may be chosen from; without a type it says nothing
/// (OpenAPI 3.0.3, Schema Object, fixed fields).
fn nullable(node: &Map<String, Value>, schema: &mut Map<String, Value>) {
    if node.get("nullable") != Some(&Value::Bool(true)) {
        return;
    }
    let Some(kind) = schema.get("type").cloned().filter(Value::is_string) else { return };
    schema.insert("type".to_owned(), json!([kind, "null"]));
    if let Some(Value::Array(options)) = schema.get_mut("enum")
        && !options.contains(&Value::Null)
    {
        options.push(Value::Null);
    }
}
