//! Global attributes: their routes, which are not paged.

use super::batch::{self, Op};
use super::errors::{ApiError, BadParam, invalid_params};
use super::product::{GlobalAttribute, Taxonomy};
use super::render::Renderer;
use super::routes::renderer;
use super::state::State;
use super::write::{Body, sent, sent_text};
use super::{Answer, Call, text};
use crate::testkit::json::Json;

const VERBS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];
const ORDERS: &[&str] = &["menu_order", "name", "name_num", "id"];
/// The longest slug, without its `pa_`.
const SLUG_LIMIT: usize = 28;

/// What an attribute is set to beside its name and slug.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AttributeSettings {
    kind: String,
    order_by: String,
    has_archives: bool,
}

impl Default for AttributeSettings {
    fn default() -> Self {
        Self { kind: "select".to_owned(), order_by: "menu_order".to_owned(), has_archives: false }
    }
}

fn unknown() -> ApiError {
    ApiError::new(404, "woocommerce_rest_attribute_invalid", "Resource does not exist.")
}

fn json(render: &Renderer<'_>, attribute: &GlobalAttribute) -> Json {
    let collection = "products/attributes";
    let settings = render.state.attribute_settings.get(&attribute.id).cloned().unwrap_or_default();
    Json::object([
        ("id", Json::from(attribute.id)),
        ("name", Json::text(attribute.name.clone())),
        ("slug", Json::text(attribute.slug.clone())),
        ("type", Json::text(settings.kind)),
        ("order_by", Json::text(settings.order_by)),
        ("has_archives", Json::Bool(settings.has_archives)),
        ("_links", render.links(&format!("{collection}/{}", attribute.id), collection, &VERBS, None)),
    ])
}

/// Answers a route of attributes.
pub(super) fn answer(state: &mut State, call: &Call<'_>, item: Option<u64>) -> Result<Answer, ApiError> {
    match (item, call.method) {
        (None, "GET") => {
            call.may("cannot_view", "Sorry, you cannot list resources.")?;
            let mut found: Vec<_> = state.attributes.values().collect();
            found.sort_by_key(|attribute| attribute.name.to_lowercase());
            let total = u64::try_from(found.len()).unwrap_or(u64::MAX);
            let render = renderer(state, call);
            let items = found.into_iter().map(|attribute| json(&render, attribute)).collect();
            Ok(Answer::ok(Json::Array(items)).paged(total, 1, None))
        }
        (None, _) => {
            check_body(&call.body)?;
            if sent(&call.body, "name").is_none() {
                return Err(ApiError::missing("name"));
            }
            call.may("cannot_create", "Sorry, you cannot create new resource.")?;
            create(state, call, &call.body).map(Answer::created)
        }
        (Some(id), "GET") => {
            call.may("cannot_view", "Sorry, you cannot view this resource.")?;
            let attribute = state.attributes.get(&id).ok_or_else(unknown)?;
            Ok(Answer::ok(json(&renderer(state, call), attribute)))
        }
        (Some(id), "DELETE") => {
            call.may("cannot_delete", "Sorry, you cannot delete resource.")?;
            if !batch::is_forced(call) {
                return Err(ApiError::no_trash());
            }
            delete(state, call, id).map(Answer::ok)
        }
        (Some(id), _) => {
            check_body(&call.body)?;
            call.may("cannot_edit", "Sorry, you cannot update resource.")?;
            update(state, call, id, &call.body).map(Answer::ok)
        }
    }
}

/// `products/attributes/batch`.
pub(super) fn batch(state: &mut State, call: &Call<'_>) -> Result<Answer, ApiError> {
    batch::run(state, call, &mut |state, op| match op {
        Op::Create(body) => create(state, call, body),
        Op::Update(id, body) => update(state, call, id, body),
        Op::Delete(id) => delete(state, call, id),
    })
}

fn check_body(body: Body<'_>) -> Result<(), ApiError> {
    let mut bad = Vec::new();
    for name in ["name", "slug", "type", "order_by"] {
        match sent(body, name) {
            Some(Json::String(text)) if name == "order_by" && !ORDERS.contains(&text.as_str()) => {
                bad.push(BadParam::not_in_enum(name, ORDERS));
            }
            None | Some(Json::String(_)) => {}
            Some(_) => bad.push(BadParam::wrong_type(name, name, "string")),
        }
    }
    if sent(body, "has_archives").is_some_and(|value| value.as_bool().is_none()) {
        bad.push(BadParam::wrong_type("has_archives", "has_archives", "boolean"));
    }
    if bad.is_empty() { Ok(()) } else { Err(invalid_params(&bad)) }
}

/// The slug of a body or a name, with its `pa_`, checked.
fn slug(state: &State, wanted: &str, but: u64, code: &'static str) -> Result<String, ApiError> {
    let slug = text::slug(wanted.strip_prefix("pa_").unwrap_or(wanted));
    if slug.len() > SLUG_LIMIT {
        return Err(ApiError::new(400, code, format!("Slug \"{slug}\" is too long (28 characters max).")));
    }
    let slug = format!("pa_{slug}");
    if state.attributes.values().any(|known| known.id != but && known.slug == slug) {
        return Err(ApiError::new(400, code, format!("Slug \"{slug}\" is already in use.")));
    }
    Ok(slug)
}

fn create(state: &mut State, call: &Call<'_>, body: Body<'_>) -> Result<Json, ApiError> {
    let code = "woocommerce_rest_cannot_create";
    let name = text::clean_field(&sent_text(body, "name")?.unwrap_or_default());
    if name.is_empty() {
        return Err(ApiError::new(400, code, "Please, provide an attribute name."));
    }
    let wanted = sent_text(body, "slug")?.filter(|slug| !slug.is_empty()).unwrap_or_else(|| name.clone());
    let slug = slug(state, &wanted, 0, code)?;
    let id = state.next_attribute;
    state.insert_attribute(GlobalAttribute { id, name, slug });
    set(state, id, body)?;
    let attribute = state.attributes.get(&id).ok_or_else(unknown)?;
    Ok(json(&renderer(state, call), attribute))
}

fn update(state: &mut State, call: &Call<'_>, id: u64, body: Body<'_>) -> Result<Json, ApiError> {
    let mut attribute = state.attributes.get(&id).cloned().ok_or_else(unknown)?;
    if let Some(name) = sent_text(body, "name")?.filter(|name| !name.trim().is_empty()) {
        attribute.name = text::clean_field(&name);
    }
    if let Some(wanted) = sent_text(body, "slug")?.filter(|slug| !slug.is_empty()) {
        attribute.slug = slug(state, &wanted, id, "woocommerce_rest_cannot_edit")?;
    }
    state.insert_attribute(attribute);
    set(state, id, body)?;
    let attribute = state.attributes.get(&id).ok_or_else(unknown)?;
    Ok(json(&renderer(state, call), attribute))
}

/// Deletes an attribute with its terms; no product keeps it.
fn delete(state: &mut State, call: &Call<'_>, id: u64) -> Result<Json, ApiError> {
    let attribute = state.attributes.get(&id).ok_or_else(unknown)?;
    let json = json(&renderer(state, call), attribute);
    state.attributes.remove(&id);
    state.attribute_settings.remove(&id);
    state.terms.retain(|_, term| term.taxonomy != Taxonomy::Attribute(id));
    for product in state.products.values_mut() {
        product.attributes.retain(|attribute| attribute.id != id);
        product.options.retain(|choice| choice.id != id);
        product.default_attributes.retain(|choice| choice.id != id);
    }
    Ok(json)
}

fn set(state: &mut State, id: u64, body: Body<'_>) -> Result<(), ApiError> {
    let mut settings = state.attribute_settings.get(&id).cloned().unwrap_or_default();
    if let Some(kind) = sent_text(body, "type")?.filter(|kind| !kind.is_empty()) {
        settings.kind = kind;
    }
    if let Some(order) = sent_text(body, "order_by")?.filter(|order| !order.is_empty()) {
        settings.order_by = order;
    }
    if let Some(flag) = sent(body, "has_archives").and_then(Json::as_bool) {
        settings.has_archives = flag;
    }
    state.attribute_settings.insert(id, settings);
    Ok(())
}
