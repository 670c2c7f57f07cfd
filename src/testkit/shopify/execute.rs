//! Runs a document over the shop's objects.

use apollo_compiler::Schema;
use apollo_compiler::ast::Directive;
use apollo_compiler::executable::{ExecutableDocument, Field, Operation, Selection, SelectionSet};

use super::args;
use super::bulk_lines::Lines;
use super::connection::Page;
use super::errors::FieldError;
use super::resolve;
use super::scopes;
use super::state::State;
use super::value::{Args, Obj, Out};
use crate::testkit::json::Json;

/// A null that is not allowed where it is; it moves up to where one is.
#[derive(Debug)]
pub(super) struct Nulled;

/// One run of an operation.
pub(super) struct Run<'a> {
    pub(super) schema: &'a Schema,
    pub(super) document: &'a ExecutableDocument,
    pub(super) variables: &'a Args,
    pub(super) state: &'a mut State,
    pub(super) errors: Vec<Json>,
    /// The points that were really used.
    pub(super) actual: u64,
    /// Whether objects cost nothing, as in what a mutation gives back.
    pub(super) free: bool,
    /// Where nodes of connections go in a bulk job, in which they are lines of their own.
    pub(super) lines: Option<Lines>,
    pub(super) path: Vec<Json>,
}

/// The fields of one response key.
type Merged<'a> = Vec<&'a Field>;

impl<'a> Run<'a> {
    pub(super) fn new(
        schema: &'a Schema,
        document: &'a ExecutableDocument,
        variables: &'a Args,
        state: &'a mut State,
    ) -> Self {
        Self {
            schema,
            document,
            variables,
            state,
            errors: Vec::new(),
            actual: 0,
            free: false,
            lines: None,
            path: Vec::new(),
        }
    }

    /// Runs an operation; `None` is a null of the whole answer.
    pub(super) fn operation(&mut self, operation: &'a Operation) -> Option<Json> {
        if operation.is_mutation() {
            return self.mutation(operation).ok();
        }
        self.object(&Obj::Root, &[&operation.selection_set]).ok()
    }

    fn mutation(&mut self, operation: &'a Operation) -> Result<Json, Nulled> {
        let mut entries = Vec::new();
        self.free = true;
        for (key, fields) in self.collect("Mutation", &[&operation.selection_set]) {
            let Some(field) = fields.first() else { continue };
            if field.name == "__typename" {
                entries.push((key, Json::text("Mutation")));
                continue;
            }
            self.actual += 10;
            let args = args::coerce(self.schema, field, self.variables);
            self.path.push(Json::text(key.clone()));
            let out = scopes::check_mutation(self.state, &field.name, &args)
                .and_then(|()| resolve::mutate(self.state, &field.name, &args));
            let value = self.complete_field(out, &fields);
            self.path.pop();
            entries.push((key, value.unwrap_or(Json::Null)));
        }
        Ok(Json::Object(entries))
    }

    fn complete_field(&mut self, out: Result<Out, FieldError>, fields: &Merged<'a>) -> Result<Json, Nulled> {
        match out {
            Ok(out) => self.complete(out, fields),
            Err(error) => {
                self.fail(&error, fields.first().copied());
                Err(Nulled)
            }
        }
    }

    fn fail(&mut self, error: &FieldError, field: Option<&Field>) {
        let location = field
            .and_then(|field| field.name.location())
            .and_then(|span| span.line_column(&self.document.sources))
            .map(|place| (place.line, place.column));
        self.errors.push(error.to_json(location, &self.path));
    }

    /// The selected fields of an object.
    pub(super) fn object(&mut self, obj: &Obj, sets: &[&'a SelectionSet]) -> Result<Json, Nulled> {
        let type_name = obj.type_name(self.state);
        let mut entries = Vec::new();
        for (key, fields) in self.collect(type_name, sets) {
            let Some(field) = fields.first() else { continue };
            if field.name == "__typename" {
                entries.push((key, Json::text(type_name)));
                continue;
            }
            self.path.push(Json::text(key.clone()));
            let args = args::coerce(self.schema, field, self.variables);
            let out = scopes::check_field(self.state, type_name, &field.name)
                .and_then(|()| resolve::field(self.state, obj, &field.name, &self.page_args(field, &args)));
            let is_page = matches!(out, Ok(Out::Page(_)));
            let value = match (out, self.lines.is_some()) {
                (Ok(Out::Page(page)), true) => self.emit(obj, page, &fields).map(|()| Json::Null),
                (out, _) => self.complete_field(out, &fields),
            };
            self.path.pop();
            match value {
                Ok(_) if is_page && self.lines.is_some() => {}
                Ok(value) => entries.push((key, value)),
                Err(Nulled) if field.definition.ty.is_non_null() => return Err(Nulled),
                Err(Nulled) => entries.push((key, Json::Null)),
            }
        }
        Ok(Json::Object(entries))
    }

    /// In a bulk job a connection has no bounds.
    fn page_args<'b>(&self, field: &Field, args: &'b Args) -> std::borrow::Cow<'b, Args> {
        let is_page = field.definition.ty.inner_named_type().ends_with("Connection");
        if self.lines.is_none() || !is_page {
            return std::borrow::Cow::Borrowed(args);
        }
        let mut args = args.clone();
        for bound in ["first", "last", "after", "before"] {
            args.remove(bound);
        }
        args.insert(super::connection::UNBOUND.to_owned(), serde_json::Value::Bool(true));
        std::borrow::Cow::Owned(args)
    }

    fn complete(&mut self, out: Out, fields: &Merged<'a>) -> Result<Json, Nulled> {
        match out {
            Out::Json(json) => Ok(json),
            Out::Object(obj) => {
                self.actual += u64::from(!self.free);
                let sets: Vec<_> = fields.iter().map(|field| &field.selection_set).collect();
                self.object(&obj, &sets)
            }
            Out::List(items) => {
                let mut done = Vec::with_capacity(items.len());
                for (at, item) in items.into_iter().enumerate() {
                    self.path.push(Json::Int(i64::try_from(at).unwrap_or(i64::MAX)));
                    let item = self.complete(item, fields);
                    self.path.pop();
                    done.push(item.unwrap_or(Json::Null));
                }
                Ok(Json::Array(done))
            }
            Out::Page(page) => {
                let free = std::mem::replace(&mut self.free, false);
                self.actual += 2;
                let page = self.page(page, fields);
                self.free = free;
                page
            }
        }
    }

    fn page(&mut self, page: Page, fields: &Merged<'a>) -> Result<Json, Nulled> {
        let sets: Vec<_> = fields.iter().map(|field| &field.selection_set).collect();
        let type_name = self.page_type(fields);
        self.actual += u64::try_from(page.items.len()).unwrap_or(u64::MAX);
        let mut entries = Vec::new();
        for (key, fields) in self.collect(&type_name, &sets) {
            let Some(field) = fields.first() else { continue };
            let inner: Vec<_> = fields.iter().map(|field| &field.selection_set).collect();
            self.path.push(Json::text(key.clone()));
            let value = match field.name.as_str() {
                "__typename" => Ok(Json::text(type_name.clone())),
                "nodes" => self.each(&page, |run, (_, obj)| run.object(obj, &inner)),
                "edges" => self.each(&page, |run, (cursor, obj)| run.edge(cursor, obj, &inner)),
                _ => Ok(self.page_info(&page, &inner)),
            };
            self.path.pop();
            entries.push((key, value?));
        }
        Ok(Json::Object(entries))
    }

    fn page_type(&self, fields: &Merged<'a>) -> String {
        fields.first().map(|field| field.definition.ty.inner_named_type().to_string()).unwrap_or_default()
    }

    fn each(
        &mut self,
        page: &Page,
        mut one: impl FnMut(&mut Self, &(String, Obj)) -> Result<Json, Nulled>,
    ) -> Result<Json, Nulled> {
        let mut done = Vec::with_capacity(page.items.len());
        for (at, item) in page.items.iter().enumerate() {
            self.path.push(Json::Int(i64::try_from(at).unwrap_or(i64::MAX)));
            let item = one(self, item);
            self.path.pop();
            done.push(item?);
        }
        Ok(Json::Array(done))
    }

    fn edge(&mut self, cursor: &str, obj: &Obj, sets: &[&'a SelectionSet]) -> Result<Json, Nulled> {
        let type_name = sets.first().map(|set| set.ty.to_string()).unwrap_or_default();
        let mut entries = Vec::new();
        for (key, fields) in self.collect(&type_name, sets) {
            let Some(field) = fields.first() else { continue };
            let value = match field.name.as_str() {
                "__typename" => Json::text(type_name.clone()),
                "cursor" => Json::text(cursor),
                _ => {
                    let inner: Vec<_> = fields.iter().map(|field| &field.selection_set).collect();
                    self.path.push(Json::text(key.clone()));
                    let node = self.object(obj, &inner);
                    self.path.pop();
                    node?
                }
            };
            entries.push((key, value));
        }
        Ok(Json::Object(entries))
    }

    fn page_info(&mut self, page: &Page, sets: &[&'a SelectionSet]) -> Json {
        let cursor =
            |item: Option<&(String, Obj)>| item.map_or(Json::Null, |(cursor, _)| Json::text(cursor.clone()));
        let entries = self.collect("PageInfo", sets).into_iter().filter_map(|(key, fields)| {
            let value = match fields.first()?.name.as_str() {
                "__typename" => Json::text("PageInfo"),
                "hasNextPage" => Json::Bool(page.has_next),
                "hasPreviousPage" => Json::Bool(page.has_previous),
                "startCursor" => cursor(page.items.first()),
                _ => cursor(page.items.last()),
            };
            Some((key, value))
        });
        Json::Object(entries.collect())
    }

    /// Makes the nodes of a connection lines of their own.
    fn emit(&mut self, parent: &Obj, page: Page, fields: &Merged<'a>) -> Result<(), Nulled> {
        let type_name = self.page_type(fields);
        let sets: Vec<_> = fields.iter().map(|field| &field.selection_set).collect();
        let mut node_sets = Vec::new();
        for (_, fields) in self.collect(&type_name, &sets) {
            for field in fields {
                match field.name.as_str() {
                    "nodes" => node_sets.push(&field.selection_set),
                    "edges" => {
                        let edges = self.collect(&field.selection_set.ty, &[&field.selection_set]);
                        let nodes = edges.into_iter().flat_map(|(_, fields)| fields);
                        node_sets.extend(
                            nodes.filter(|field| field.name == "node").map(|field| &field.selection_set),
                        );
                    }
                    _ => {}
                }
            }
        }
        let parent_id = parent.gid(self.state);
        let Some(stream) = self.lines.as_mut().map(|lines| lines.open(parent_id)) else { return Ok(()) };
        for (_, obj) in &page.items {
            let Some(at) = self.lines.as_mut().map(|lines| lines.reserve(stream)) else { break };
            let json = self.object(obj, &node_sets)?;
            if let Some(lines) = &mut self.lines {
                lines.fill(at, json);
            }
        }
        Ok(())
    }

    /// The fields that apply to a type, by response key, in the order of the document.
    fn collect(&self, type_name: &str, sets: &[&'a SelectionSet]) -> Vec<(String, Merged<'a>)> {
        let mut found: Vec<(String, Merged<'a>)> = Vec::new();
        for set in sets {
            self.gather(type_name, set, &mut found);
        }
        found
    }

    fn gather(&self, type_name: &str, set: &'a SelectionSet, found: &mut Vec<(String, Merged<'a>)>) {
        for selection in &set.selections {
            if !included(selection.directives().iter().map(|it| &**it), self.variables) {
                continue;
            }
            match selection {
                Selection::Field(field) => {
                    let key = field.response_key().as_str();
                    match found.iter_mut().find(|(known, _)| known == key) {
                        Some((_, fields)) => fields.push(field),
                        None => found.push((key.to_owned(), vec![field])),
                    }
                }
                Selection::InlineFragment(fragment) => {
                    if fragment
                        .type_condition
                        .as_ref()
                        .is_none_or(|name| applies(self.schema, name, type_name))
                    {
                        self.gather(type_name, &fragment.selection_set, found);
                    }
                }
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = self.document.fragments.get(&spread.fragment_name)
                        && applies(self.schema, fragment.type_condition(), type_name)
                    {
                        self.gather(type_name, &fragment.selection_set, found);
                    }
                }
            }
        }
    }
}

/// Whether a fragment on `condition` applies to an object of a type.
pub(super) fn applies(schema: &Schema, condition: &str, type_name: &str) -> bool {
    condition == type_name || schema.is_subtype(condition, type_name)
}

/// What `@skip` and `@include` say.
pub(super) fn included<'d>(directives: impl Iterator<Item = &'d Directive>, variables: &Args) -> bool {
    for directive in directives {
        let value = directive
            .specified_argument_by_name("if")
            .and_then(|value| args::plain(value, variables))
            .and_then(|value| value.as_bool());
        match (directive.name.as_str(), value) {
            ("skip", Some(true)) | ("include", Some(false)) => return false,
            _ => {}
        }
    }
    true
}
