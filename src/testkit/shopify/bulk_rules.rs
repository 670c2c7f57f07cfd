//! What a bulk job may run.

use apollo_compiler::Schema;
use apollo_compiler::executable::{ExecutableDocument, Selection, SelectionSet};

use super::bulk::BulkSettings;
use super::documents::Documents;
use crate::testkit::json::Json;

/// Checks a query: one connection at the root, not too many, not too deep, of nodes that have ids.
pub(super) fn check_query(documents: &Documents, text: &str, settings: &BulkSettings) -> Result<(), String> {
    let known = documents.get(text, None);
    let document = known.parsed.as_ref().map_err(|errors| invalid(errors))?;
    let operation =
        document.operations.get(None).map_err(|_| "There must be exactly one operation.".to_owned())?;
    if !operation.is_query() {
        return Err("Bulk queries must be queries.".to_owned());
    }
    let roots: Vec<_> = operation.root_fields(document).collect();
    let [root] = roots.as_slice() else {
        return Err("Bulk queries must have exactly one field at the top level.".to_owned());
    };
    if matches!(root.name.as_str(), "node" | "nodes") {
        return Err("Bulk queries cannot contain `node` or `nodes` at the top level.".to_owned());
    }
    let mut seen = Seen { connections: 0, deepest: 0, without_id: None };
    walk(&documents.surface, document, &operation.selection_set, 0, &mut seen);
    if seen.connections == 0 {
        return Err("Bulk queries must contain at least one connection.".to_owned());
    }
    if seen.connections > settings.connections {
        return Err(format!("Bulk queries cannot contain more than {} connections.", settings.connections));
    }
    if seen.deepest > settings.nesting {
        return Err(format!(
            "Bulk queries cannot contain connections with a nesting depth greater than {}.",
            settings.nesting
        ));
    }
    if let Some(name) = seen.without_id {
        return Err(format!(
            "The parent field for a nested connection must select nodes that are Node types: {name}."
        ));
    }
    Ok(())
}

/// Checks a mutation: one field, with variables.
pub(super) fn check_mutation(documents: &Documents, text: &str) -> Result<(), String> {
    let known = documents.get(text, None);
    let document = known.parsed.as_ref().map_err(|errors| invalid(errors))?;
    let operation =
        document.operations.get(None).map_err(|_| "There must be exactly one operation.".to_owned())?;
    if !operation.is_mutation() || operation.root_fields(document).count() != 1 {
        return Err("The mutation must have exactly one field.".to_owned());
    }
    Ok(())
}

fn invalid(errors: &[Json]) -> String {
    let message = errors.first().and_then(|error| error.get("message")).and_then(Json::as_str);
    format!("Invalid bulk query: {}", message.unwrap_or("it cannot be read"))
}

struct Seen {
    connections: usize,
    deepest: usize,
    without_id: Option<String>,
}

fn walk(schema: &Schema, document: &ExecutableDocument, set: &SelectionSet, depth: usize, seen: &mut Seen) {
    for selection in &set.selections {
        match selection {
            Selection::Field(field) => {
                let name = field.definition.ty.inner_named_type().as_str();
                let node = name.strip_suffix("Connection");
                if let Some(node) = node {
                    seen.connections += 1;
                    seen.deepest = seen.deepest.max(depth + 1);
                    let is_node =
                        schema.is_subtype("Node", node) || matches!(node, "Media" | "File" | "Event");
                    if !is_node {
                        seen.without_id = Some(node.to_owned());
                    }
                }
                walk(schema, document, &field.selection_set, depth + usize::from(node.is_some()), seen);
            }
            Selection::InlineFragment(fragment) => {
                walk(schema, document, &fragment.selection_set, depth, seen)
            }
            Selection::FragmentSpread(spread) => {
                if let Some(fragment) = document.fragments.get(&spread.fragment_name) {
                    walk(schema, document, &fragment.selection_set, depth, seen);
                }
            }
        }
    }
}
