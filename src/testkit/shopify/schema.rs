//! An official schema, and what it says of a document and its variables.

use std::collections::BTreeSet;
use std::fmt;
use std::io::Read as _;
use std::path::Path;

use apollo_compiler::Schema;
use apollo_compiler::ast::{Directive, InputValueDefinition, Type, Value};
use apollo_compiler::executable::{ExecutableDocument, Operation, Selection, SelectionSet};
use apollo_compiler::request::coerce_variable_values;
use apollo_compiler::response::JsonMap;
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::validation::{DiagnosticList, Valid};
use serde_json::Value as Plain;

use super::value::Args;
use crate::error::{Error, ErrorKind, Result};

/// The largest text of a schema that is read.
const SCHEMA_LIMIT: u64 = 64 << 20;

/// An official schema, parsed and validated. It takes seconds to load, so share one.
pub struct ValidatedSchema {
    name: String,
    schema: Valid<Schema>,
}

impl fmt::Debug for ValidatedSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValidatedSchema").field("name", &self.name).finish_non_exhaustive()
    }
}

impl ValidatedSchema {
    /// Reads a schema from a file, such as `admin_2026-10.graphql.gz`; one whose name ends in `.gz` is
    /// decompressed.
    ///
    /// # Errors
    /// `Config` where the file cannot be read, or holds no valid schema.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let file = std::fs::File::open(path).map_err(|_| unreadable(&name, "the file cannot be opened"))?;
        let mut text = String::new();
        let read = if name.ends_with(".gz") {
            flate2::read::GzDecoder::new(file).take(SCHEMA_LIMIT).read_to_string(&mut text)
        } else {
            file.take(SCHEMA_LIMIT).read_to_string(&mut text)
        };
        read.map_err(|_| unreadable(&name, "the file cannot be read"))?;
        Self::parse(&name, &text)
    }

    /// Reads a schema from its text.
    ///
    /// # Errors
    /// `Config` where the text is no valid schema.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        // The parser does not know this directive by itself, and the official files use it undeclared.
        let declared =
            if text.contains("directive @oneOf") { "" } else { "\ndirective @oneOf on INPUT_OBJECT\n" };
        let schema = Schema::parse_and_validate(format!("{text}{declared}"), name).map_err(|errors| {
            let first = errors.errors.iter().next().map(|error| error.error.to_string());
            unreadable(name, &format!("it is no valid schema: {}", first.unwrap_or_default()))
        })?;
        Ok(Self { name: name.to_owned(), schema })
    }

    /// The file that it came from.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is wrong with a document; empty where it is valid. Uses of deprecated members are not wrong.
    #[must_use]
    pub fn problems(&self, document: &str) -> Vec<String> {
        self.read(document).err().unwrap_or_default()
    }

    /// The deprecated members that a valid document uses, such as `Shop.products`; those in its variables
    /// too.
    #[must_use]
    pub fn deprecated(&self, document: &str, variables: &Plain) -> Vec<String> {
        self.read(document).map(|document| self.deprecated_in(&document, variables)).unwrap_or_default()
    }

    pub(super) fn read(&self, document: &str) -> std::result::Result<Valid<ExecutableDocument>, Vec<String>> {
        ExecutableDocument::parse_and_validate(&self.schema, document, "document.graphql")
            .map_err(|errors| told(&errors.errors).into_iter().map(|(message, _)| message).collect())
    }

    pub(super) fn deprecated_in(&self, document: &ExecutableDocument, variables: &Plain) -> Vec<String> {
        let mut found = BTreeSet::new();
        for operation in document.operations.iter() {
            let walk = Walk { schema: &self.schema, document };
            walk.set(&operation.selection_set, &mut found);
            for variable in &operation.variables {
                if let Some(value) = variables.get(variable.name.as_str()) {
                    walk.json(value, &variable.ty, &mut found);
                }
            }
        }
        found.into_iter().collect()
    }

    /// What is wrong with the variables of an operation of a valid document.
    pub(super) fn variable_problem(
        &self,
        document: &ExecutableDocument,
        name: Option<&str>,
        variables: &Args,
    ) -> Option<String> {
        let operation = document.operations.get(name).ok()?;
        let wrong = operation.variables.iter().find_map(|variable| {
            let value = variables.get(variable.name.as_str())?;
            one_of(&self.schema, value, &variable.ty)
        });
        coerce(&self.schema, operation, variables).err().or(wrong)
    }
}

/// What is wrong with a document, each with its place. Where a field is unknown, the parser drops it and then
/// finds its parent empty; that is not told.
pub(super) fn told(errors: &DiagnosticList) -> Vec<(String, Option<(usize, usize)>)> {
    let all: Vec<_> = errors
        .iter()
        .map(|error| {
            let range = error.line_column_range();
            (error.error.to_string(), range.map(|range| (range.start.line, range.start.column)))
        })
        .collect();
    let is_unknown = |message: &str| message.contains("` does not have a field `");
    let is_empty = |message: &str| message.ends_with("must have a subselection set");
    let any_unknown = all.iter().any(|(message, _)| is_unknown(message));
    all.into_iter().filter(|(message, _)| !(any_unknown && is_empty(message))).collect()
}

fn unreadable(name: &str, what: &str) -> Error {
    Error::new(ErrorKind::Config, "schema_unreadable", format!("the schema {name} is not usable: {what}"))
        .with_remedy("give the path of an official schema, such as admin_2026-10.graphql.gz")
}

/// Coerces variables by a schema; defaults are filled in.
pub(super) fn coerce(
    schema: &Valid<Schema>,
    operation: &Operation,
    given: &Args,
) -> std::result::Result<Args, String> {
    let text = serde_json::to_string(given).map_err(|error| error.to_string())?;
    let given: JsonMap = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let coerced =
        coerce_variable_values(schema, operation, &given).map_err(|error| error.message().to_string())?;
    match serde_json::to_value(&*coerced) {
        Ok(Plain::Object(entries)) => Ok(entries),
        _ => Ok(Args::new()),
    }
}

/// What is wrong with a value whose type takes exactly one of its fields.
fn one_of(schema: &Schema, value: &Plain, ty: &Type) -> Option<String> {
    match (value, schema.types.get(ty.inner_named_type())) {
        (Plain::Array(items), _) => items.iter().find_map(|item| one_of(schema, item, ty)),
        (Plain::Object(entries), Some(ExtendedType::InputObject(input))) => {
            let given = entries.values().filter(|value| !value.is_null()).count();
            if input.directives.has("oneOf") && (entries.len() != 1 || given != 1) {
                return Some(format!(
                    "{} takes exactly one of its fields, got {}",
                    input.name,
                    entries.len()
                ));
            }
            entries
                .iter()
                .find_map(|(name, value)| one_of(schema, value, &input.fields.get(name.as_str())?.ty))
        }
        _ => None,
    }
}

struct Walk<'a> {
    schema: &'a Schema,
    document: &'a ExecutableDocument,
}

impl Walk<'_> {
    fn set(&self, set: &SelectionSet, found: &mut BTreeSet<String>) {
        for selection in &set.selections {
            match selection {
                Selection::Field(field) => {
                    if is_deprecated(field.definition.directives.iter().map(|it| &**it)) {
                        found.insert(format!("{}.{}", set.ty, field.name));
                    }
                    for argument in &field.arguments {
                        let definition =
                            field.definition.arguments.iter().find(|it| it.name == argument.name);
                        if let Some(definition) = definition {
                            let owner = format!("{}.{}", set.ty, field.name);
                            self.input(&owner, definition, found);
                            self.literal(&argument.value, &definition.ty, found);
                        }
                    }
                    self.set(&field.selection_set, found);
                }
                Selection::InlineFragment(fragment) => self.set(&fragment.selection_set, found),
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = self.document.fragments.get(&spread.fragment_name) {
                        self.set(&fragment.selection_set, found);
                    }
                }
            }
        }
    }

    fn input(&self, owner: &str, definition: &InputValueDefinition, found: &mut BTreeSet<String>) {
        if is_deprecated(definition.directives.iter().map(|it| &**it)) {
            found.insert(format!("{owner}.{}", definition.name));
        }
    }

    fn literal(&self, value: &Value, ty: &Type, found: &mut BTreeSet<String>) {
        match value {
            Value::List(items) => items.iter().for_each(|item| self.literal(item, ty, found)),
            Value::Enum(name) => self.member(name, ty, found),
            Value::Object(entries) => {
                if let Some(ExtendedType::InputObject(input)) = self.schema.types.get(ty.inner_named_type()) {
                    for (name, value) in entries {
                        if let Some(field) = input.fields.get(name) {
                            self.input(&input.name, field, found);
                            self.literal(value, &field.ty, found);
                        }
                    }
                }
            }
            _ => {}
        }
    }

    fn json(&self, value: &Plain, ty: &Type, found: &mut BTreeSet<String>) {
        match value {
            Plain::Array(items) => items.iter().for_each(|item| self.json(item, ty, found)),
            Plain::String(text) => self.member(text, ty, found),
            Plain::Object(entries) => {
                if let Some(ExtendedType::InputObject(input)) = self.schema.types.get(ty.inner_named_type()) {
                    for (name, value) in entries {
                        if let Some(field) = input.fields.get(name.as_str()) {
                            self.input(&input.name, field, found);
                            self.json(value, &field.ty, found);
                        }
                    }
                }
            }
            _ => {}
        }
    }

    fn member(&self, name: &str, ty: &Type, found: &mut BTreeSet<String>) {
        if let Some(ExtendedType::Enum(definition)) = self.schema.types.get(ty.inner_named_type())
            && let Some(value) = definition.values.get(name)
            && is_deprecated(value.directives.iter().map(|it| &**it))
        {
            found.insert(format!("{}.{name}", definition.name));
        }
    }
}

fn is_deprecated<'d>(mut directives: impl Iterator<Item = &'d Directive>) -> bool {
    directives.any(|directive| directive.name == "deprecated")
}
