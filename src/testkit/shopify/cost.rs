//! What a document is predicted to cost, from its text and variables alone.
//!
//! A scalar is free, an object costs 1, a connection 2 and for each node it may give 1 and the node's children,
//! an interface as much as its dearest branch, a mutation 10 and what its input adds.

use apollo_compiler::Schema;
use apollo_compiler::executable::{ExecutableDocument, Field, Operation, Selection, SelectionSet};
use apollo_compiler::schema::ExtendedType;

use super::args;
use super::execute::{applies, included};
use super::value::{Args, Read, read_gid};
use crate::testkit::json::Json;

/// The cost of one field, as the debug header asks for it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FieldCost {
    path: Vec<String>,
    defined: u64,
    total: u64,
    children: u64,
}

impl FieldCost {
    pub(super) fn to_json(&self) -> Json {
        let number = |number: u64| Json::from(number);
        Json::object([
            ("path", Json::Array(self.path.iter().cloned().map(Json::String).collect())),
            ("definedCost", number(self.defined)),
            ("requestedTotalCost", number(self.total)),
            ("requestedChildrenCost", number(self.children)),
        ])
    }
}

/// The cost of an operation, and of each of its fields.
pub(super) struct Estimate<'a> {
    schema: &'a Schema,
    document: &'a ExecutableDocument,
    variables: &'a Args,
    path: Vec<String>,
    pub(super) fields: Vec<FieldCost>,
}

impl<'a> Estimate<'a> {
    pub(super) fn new(schema: &'a Schema, document: &'a ExecutableDocument, variables: &'a Args) -> Self {
        Self { schema, document, variables, path: Vec::new(), fields: Vec::new() }
    }

    pub(super) fn operation(&mut self, operation: &Operation) -> u64 {
        if !operation.is_mutation() {
            return self.set(&operation.selection_set, None, false);
        }
        let mut total = 0_u64;
        for field in operation.selection_set.root_fields(self.document) {
            if !included(field.directives.iter().map(|it| &**it), self.variables) {
                continue;
            }
            let args = args::coerce(self.schema, field, self.variables);
            let defined = 10 + dynamic(&field.name, &args);
            self.path.push(field.response_key().to_string());
            let children = self.set(&field.selection_set, None, true);
            self.note(defined, children);
            self.path.pop();
            total = total.saturating_add(defined).saturating_add(children);
        }
        total
    }

    /// The cost of a selection on a type: what all branches share, and the dearest branch.
    fn set(&mut self, set: &SelectionSet, on: Option<&str>, free: bool) -> u64 {
        let ty = on.unwrap_or(set.ty.as_str());
        let branches: Vec<String> = match self.schema.types.get(ty) {
            Some(ExtendedType::Interface(_) | ExtendedType::Union(_)) => self
                .schema
                .types
                .keys()
                .filter(|name| self.schema.get_object(name).is_some() && self.schema.is_subtype(ty, name))
                .map(ToString::to_string)
                .collect(),
            _ => vec![ty.to_owned()],
        };
        let mut dearest = 0;
        for branch in branches {
            let mut total = 0;
            self.branch(set, &branch, free, &mut Vec::new(), &mut total);
            dearest = dearest.max(total);
        }
        dearest
    }

    fn branch(&mut self, set: &SelectionSet, ty: &str, free: bool, seen: &mut Vec<String>, total: &mut u64) {
        for selection in &set.selections {
            if !included(selection.directives().iter().map(|it| &**it), self.variables) {
                continue;
            }
            match selection {
                Selection::Field(field) => {
                    let cost = self.field(field, free);
                    if !seen.iter().any(|key| key == field.response_key().as_str()) {
                        seen.push(field.response_key().to_string());
                        *total = total.saturating_add(cost);
                    }
                }
                Selection::InlineFragment(fragment) => {
                    if fragment.type_condition.as_ref().is_none_or(|name| applies(self.schema, name, ty)) {
                        self.branch(&fragment.selection_set, ty, free, seen, total);
                    }
                }
                Selection::FragmentSpread(spread) => {
                    let document = self.document;
                    if let Some(fragment) = document.fragments.get(&spread.fragment_name)
                        && applies(self.schema, fragment.type_condition(), ty)
                    {
                        self.branch(&fragment.selection_set, ty, free, seen, total);
                    }
                }
            }
        }
    }

    fn field(&mut self, field: &Field, free: bool) -> u64 {
        if field.selection_set.selections.is_empty() {
            return 0;
        }
        self.path.push(field.response_key().to_string());
        let name = field.definition.ty.inner_named_type().as_str();
        let (defined, children) = if name == "PageInfo" {
            (0, 0)
        } else if name.ends_with("Connection") {
            let args = args::coerce(self.schema, field, self.variables);
            let bound = args.int("first").or(args.int("last")).unwrap_or(0);
            let bound = u64::try_from(bound).unwrap_or(0);
            let node = self.nodes(&field.selection_set);
            (2, bound.saturating_mul(1 + node))
        } else {
            let children = self.set(&field.selection_set, None, free);
            let own = u64::from(!free);
            match field.name.as_str() {
                "nodes" => {
                    let args = args::coerce(self.schema, field, self.variables);
                    let ids = u64::try_from(args.list("ids").len()).unwrap_or(u64::MAX);
                    (0, ids.saturating_mul(own + children))
                }
                _ => (own, children),
            }
        };
        self.note(defined, children);
        self.path.pop();
        defined.saturating_add(children)
    }

    /// The cost of one node of a connection.
    fn nodes(&mut self, set: &SelectionSet) -> u64 {
        let document = self.document;
        let mut total = 0_u64;
        for field in set.all_fields(document) {
            match field.name.as_str() {
                "nodes" | "node" => total = total.max(self.set(&field.selection_set, None, false)),
                _ => {}
            }
        }
        total
    }

    fn note(&mut self, defined: u64, children: u64) {
        if self.fields.len() < 1_000 {
            let total = defined.saturating_add(children);
            self.fields.push(FieldCost { path: self.path.clone(), defined, total, children });
        }
    }
}

/// What the input of a mutation adds, rounded up to whole points.
fn dynamic(name: &str, args: &Args) -> u64 {
    let tenths = match name {
        "productSet" => {
            let input = args.map("input").cloned().unwrap_or_default();
            let variants = input.list("variants");
            let metafields: usize =
                variants.iter().filter_map(|it| it.get("metafields")?.as_array()).map(Vec::len).sum();
            2 * variants.len()
                + 4 * metafields
                + 4 * input.list("metafields").len()
                + 19 * input.list("files").len()
        }
        "productUpdate" => 4 * args.map("product").map_or(0, |product| product.list("metafields").len()),
        "productVariantsBulkUpdate" => 2 * args.list("variants").len(),
        "metafieldsSet" => 10 * owners(args),
        _ => 0,
    };
    u64::try_from(tenths.div_ceil(10)).unwrap_or(u64::MAX)
}

/// The points for each distinct owner of metafields.
fn owners(args: &Args) -> usize {
    let mut owners: Vec<&str> =
        args.list("metafields").iter().filter_map(|it| it.get("ownerId")?.as_str()).collect();
    owners.sort_unstable();
    owners.dedup();
    let cost = |id: &str| match read_gid(id) {
        Some(("Product", _)) => 4,
        Some(("ProductVariant", _)) => 2,
        Some(("Collection" | "Customer" | "Shop", _)) => 1,
        Some(("Order", _)) => 10,
        _ => 0,
    };
    owners.into_iter().map(cost).sum()
}
