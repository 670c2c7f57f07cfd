//! `POST /graphql`: languages of a channel, translations of products (`store-operations/translations` and
//! `settings/locales` of the vendor's documents, read 2026-11-30), and a channel's own values. There is no schema of this
//! interface, so a document is held against the members that these pages name.

use apollo_compiler::ast::{Definition, Document, Field, OperationType, Selection, Value};

use super::channel_values;
use super::errors::{Answer, Outcome, Problem};
use super::state::State;
use crate::testkit::json::Json;

/// The texts of a product that have translations (as a live store gave them on 2026-09-05).
pub(super) const FIELDS: [&str; 8] = [
    "availability_description",
    "description",
    "meta_description",
    "name",
    "page_title",
    "preorder_message",
    "search_keywords",
    "warranty",
];
/// The most translations of a page.
const MOST: usize = 50;

/// Answers a call.
pub(super) fn answer(state: &mut State, body: &Json) -> Outcome {
    let text = body.get("query").and_then(Json::as_str).unwrap_or_default();
    let parsed = Document::parse(text, "call.graphql").ok();
    let operation = parsed.as_ref().and_then(|document| match document.definitions.as_slice() {
        [Definition::OperationDefinition(one)] => Some(one),
        _ => None,
    });
    let Some(operation) = operation else { return Ok(fault("the document is no single operation")) };
    let is_write = operation.operation_type == OperationType::Mutation;
    let root = |name| member(&operation.selection_set, name);
    let (outer, field) = match (is_write, root("store"), root("translation"), root("product")) {
        (false, Some(store), None, None) => ("store", store),
        (true, None, Some(translation), None) => ("translation", translation),
        (true, None, None, Some(product)) => ("product", product),
        _ => return Ok(fault("the operation has no such member")),
    };
    let [Selection::Field(asked)] = field.selection_set.as_slice() else {
        return Ok(fault("the operation has no such member"));
    };
    let of_values = outer == "product" || asked.name == "products";
    let scope = match (of_values, is_write) {
        (false, true) => "store_translations",
        (false, false) => "store_translations_read_only",
        (true, true) => "store_v2_products",
        (true, false) => "store_v2_products_read_only",
    };
    if !state.tokens.may(scope) {
        let title = "You don't have a required scope to access the endpoint";
        return Err(Problem::new(403, title).with(Vec::new()));
    }
    let data = match (outer, asked.name.as_str()) {
        ("translation", "updateTranslations") => change(state, asked, "entities"),
        ("translation", "deleteTranslations") => change(state, asked, "resources"),
        ("store", "locales") => locales(state, asked),
        ("store", "translations") => translations(state, asked),
        ("store", "products") => channel_values::read(state, asked),
        ("product", name) => channel_values::change(state, operation, asked, name, body.get("variables")),
        _ => return Ok(fault("the operation has no such member")),
    };
    Ok(match data {
        Some(data) => {
            let data = Json::object([(outer, Json::object([(asked.name.as_str(), data)]))]);
            Answer::new(200, Json::object([("data", data)]))
        }
        None => fault("an argument is missing or wrong"),
    })
}

fn fault(message: &str) -> Answer {
    let error = Json::object([("message", Json::text(message))]);
    Answer::new(200, Json::object([("data", Json::Null), ("errors", Json::Array(vec![error]))]))
}

pub(super) fn member<'a>(selections: &'a [Selection], name: &str) -> Option<&'a Field> {
    selections.iter().find_map(|selection| match selection {
        Selection::Field(field) if field.name == name => Some(&**field),
        _ => None,
    })
}

/// An argument as JSON; a word of an enumeration as a text.
pub(super) fn argument(field: &Field, name: &str) -> Option<Json> {
    field.arguments.iter().find(|it| it.name == name).map(|it| json(&it.value))
}

fn json(value: &Value) -> Json {
    match value {
        Value::Null | Value::Variable(_) | Value::Float(_) => Json::Null,
        Value::Enum(word) => Json::text(word.as_str()),
        Value::String(text) => Json::text(text.as_str()),
        Value::Int(number) => number.as_str().parse().map_or(Json::Null, Json::Int),
        Value::Boolean(on) => Json::Bool(*on),
        Value::List(list) => Json::Array(list.iter().map(|it| json(it)).collect()),
        Value::Object(fields) => Json::object(fields.iter().map(|(name, it)| (name.as_str(), json(it)))),
    }
}

/// What stands behind the last slash of an id of a kind.
pub(super) fn of_kind<'a>(input: &'a Json, name: &str, kind: &str) -> Option<&'a str> {
    input.get(name)?.as_str()?.strip_prefix(&format!("bc/store/{kind}/"))
}

pub(super) fn channel(input: &Json) -> Option<u64> {
    of_kind(input, "channelId", "channel")?.parse().ok()
}

pub(super) fn edges(nodes: Vec<Json>) -> Json {
    let edge = |node| Json::object([("node", node), ("cursor", Json::text("c"))]);
    Json::object([("edges", Json::Array(nodes.into_iter().map(edge).collect()))])
}

fn locales(state: &State, field: &Field) -> Option<Json> {
    let channel = channel(&argument(field, "input")?)?;
    let of = |code: &str, default: bool| {
        Json::object([
            ("code", Json::text(code)),
            ("status", Json::text("ACTIVE")),
            ("isDefault", Json::Bool(default)),
        ])
    };
    let mut nodes = vec![of(&state.settings.language, true)];
    nodes.extend(state.locales.iter().filter(|it| it.0 == channel).map(|it| of(&it.1, false)));
    state.channels.contains_key(&channel).then(|| edges(nodes))
}

/// Channel and locale of a question, where the channel has that further language.
fn place(state: &State, input: &Json) -> Option<(u64, String)> {
    let place = (channel(input)?, of_kind(input, "localeId", "locale")?.to_owned());
    let is_products = input.get("resourceType")?.as_str() == Some("PRODUCTS");
    (is_products && state.locales.contains(&place)).then_some(place)
}

fn translations(state: &State, field: &Field) -> Option<Json> {
    let filters = argument(field, "filters")?;
    let first = argument(field, "first").and_then(|it| it.as_id()).unwrap_or(MOST as u64);
    let (channel, locale) = place(state, &filters)?;
    let ids: Vec<u64> = match filters.get("resourceIds").and_then(Json::as_array) {
        Some(ids) => {
            ids.iter().filter_map(|id| id.as_str()?.strip_prefix("bc/store/product/")?.parse().ok()).collect()
        }
        None => state.products.keys().copied().collect(),
    };
    if first > MOST as u64 {
        return None;
    }
    let mut nodes = Vec::new();
    for product in
        ids.iter().filter_map(|id| state.products.get(id)).take(usize::try_from(first).unwrap_or(MOST))
    {
        let fields = FIELDS.iter().map(|name| {
            let key = (channel, locale.clone(), product.id, (*name).to_owned());
            Json::object([
                ("fieldName", Json::text(*name)),
                ("original", Json::text(product.text(name))),
                ("translation", state.translations.get(&key).map_or(Json::Null, Json::text)),
            ])
        });
        let fields = fields.collect();
        // Whether a product without a translation is named at all is not documented.
        let none = state.conditions.untranslated_left_out
            && !state.translations.keys().any(|it| it.0 == channel && it.1 == locale && it.2 == product.id);
        if !none {
            nodes.push(Json::object([
                ("resourceId", Json::text(format!("bc/store/product/{}", product.id))),
                ("fields", Json::Array(fields)),
            ]));
        }
    }
    Some(edges(nodes))
}

/// Sets translations, or takes them away. What is wrong is told, and the rest is done.
fn change(state: &mut State, field: &Field, list: &str) -> Option<Json> {
    let input = argument(field, "input")?;
    let (channel, locale) = place(state, &input)?;
    let mut errors = Vec::new();
    let error = |kind: &str, message: String, fields: Vec<Json>| {
        Json::object([
            ("__typename", Json::text(kind)),
            ("message", Json::text(message)),
            ("fields", Json::Array(fields)),
        ])
    };
    for entity in input.get(list)?.as_array()? {
        let id: Option<u64> = of_kind(entity, "resourceId", "product").and_then(|id| id.parse().ok());
        let Some(id) = id.filter(|id| state.products.contains_key(id)) else {
            errors.push(error("EntityNotFoundError", "Entity not found.".to_owned(), Vec::new()));
            continue;
        };
        let mut unknown = Vec::new();
        for item in entity.get("fields")?.as_array()? {
            let (name, value) = match item {
                Json::String(name) => (name.clone(), None),
                item => (
                    item.get("fieldName")?.as_str()?.to_owned(),
                    Some(item.get("value")?.as_str()?.to_owned()),
                ),
            };
            if !FIELDS.contains(&name.as_str()) || state.conditions.untranslatable.contains(&name) {
                unknown.push(Json::text(name));
                continue;
            }
            state.changes += 1;
            let key = (channel, locale.clone(), id, name);
            match value {
                Some(value) => drop(state.translations.insert(key, value)),
                None => drop(state.translations.remove(&key)),
            }
        }
        if !unknown.is_empty() {
            let message = "Unsupported translation entity fields.".to_owned();
            errors.push(error("InvalidTranslationEntityFieldsError", message, unknown));
        }
    }
    Some(Json::object([("errors", Json::Array(errors))]))
}
