//! Categories, tags, brands, shipping classes and the terms of attributes.

use super::batch::{self, Op};
use super::errors::{ApiError, BadParam, invalid_params};
use super::product::{Taxonomy, Term};
use super::query::{Arg, Kind, arg, check};
use super::render::Renderer;
use super::routes::renderer;
use super::state::State;
use super::write::{Body, sent, sent_text};
use super::{Answer, Call, attributes, text};
use crate::testkit::json::Json;

const VERBS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

const DISPLAYS: &[&str] = &["default", "products", "subcategories", "both"];

const ARGS: &[Arg] = &[
    arg("context", Kind::Enum(&["view", "edit"])),
    arg("page", Kind::AtLeast(1)),
    arg("per_page", Kind::Between(1, 100)),
    arg("search", Kind::Text),
    arg("exclude", Kind::Ids),
    arg("include", Kind::Ids),
    arg("order", Kind::Enum(&["asc", "desc"])),
    arg("orderby", Kind::Enum(&["id", "include", "name", "slug", "term_group", "description", "count"])),
    arg("hide_empty", Kind::Flag),
    arg("parent", Kind::Whole),
    arg("slug", Kind::Text),
];

/// What a route below `products/` names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    of: Of,
    /// The id of one term or attribute, where the route names one.
    pub(super) item: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Terms(Taxonomy),
    Attributes,
}

impl Place {
    pub(super) fn of(parts: &[&str]) -> Option<Self> {
        let (of, rest) = match parts {
            ["categories", rest @ ..] => (Of::Terms(Taxonomy::Category), rest),
            ["tags", rest @ ..] => (Of::Terms(Taxonomy::Tag), rest),
            ["brands", rest @ ..] => (Of::Terms(Taxonomy::Brand), rest),
            ["shipping_classes", rest @ ..] => (Of::Terms(Taxonomy::ShippingClass), rest),
            ["attributes", id, "terms", rest @ ..] => {
                (Of::Terms(Taxonomy::Attribute(id.parse().ok()?)), rest)
            }
            ["attributes", rest @ ..] => (Of::Attributes, rest),
            _ => return None,
        };
        match rest {
            [] => Some(Self { of, item: None }),
            [id] => Some(Self { of, item: Some(id.parse().ok()?) }),
            _ => None,
        }
    }
}

fn path(taxonomy: Taxonomy) -> String {
    match taxonomy {
        Taxonomy::Category => "products/categories".to_owned(),
        Taxonomy::Tag => "products/tags".to_owned(),
        Taxonomy::Brand => "products/brands".to_owned(),
        Taxonomy::ShippingClass => "products/shipping_classes".to_owned(),
        Taxonomy::Attribute(id) => format!("products/attributes/{id}/terms"),
    }
}

/// Answers a route of a taxonomy.
pub(super) fn answer(state: &mut State, call: &Call<'_>, place: Place) -> Result<Answer, ApiError> {
    match place.of {
        Of::Attributes => attributes::answer(state, call, place.item),
        Of::Terms(taxonomy) => {
            if matches!(taxonomy, Taxonomy::Attribute(_)) {
                call.may("cannot_view", "Sorry, you cannot list resources.")?;
            }
            check_taxonomy(state, taxonomy)?;
            match (place.item, call.method) {
                (None, "GET") => list(state, call, taxonomy),
                (None, _) => {
                    check_body(&call.body)?;
                    if sent(&call.body, "name").is_none() {
                        return Err(ApiError::missing("name"));
                    }
                    call.may("cannot_create", "Sorry, you are not allowed to create resources.")?;
                    create(state, call, taxonomy, &call.body).map(Answer::created)
                }
                (Some(id), _) => item(state, call, taxonomy, id),
            }
        }
    }
}

/// How many published products have a term.
fn count(state: &State, term: &Term) -> usize {
    state
        .products
        .values()
        .filter(|product| product.status == "publish" && !product.is_variation())
        .filter(|product| match term.taxonomy {
            Taxonomy::Category => product.categories.contains(&term.id),
            Taxonomy::Tag => product.tags.contains(&term.id),
            Taxonomy::Brand => product.brands.contains(&term.id),
            Taxonomy::ShippingClass => product.shipping_class == term.id,
            Taxonomy::Attribute(id) => {
                product.attributes.iter().any(|a| a.id == id && a.options.contains(&term.name))
            }
        })
        .count()
}

fn term_json(render: &Renderer<'_>, term: &Term) -> Json {
    let count = Json::from(u64::try_from(count(render.state, term)).unwrap_or(u64::MAX));
    let text = |text: &String| Json::text(text.clone());
    let mut entries =
        vec![("id", Json::from(term.id)), ("name", text(&term.name)), ("slug", text(&term.slug))];
    if matches!(term.taxonomy, Taxonomy::Category | Taxonomy::Brand) {
        entries.push(("parent", Json::from(term.parent)));
    }
    entries.push(("description", text(&term.description)));
    match term.taxonomy {
        Taxonomy::Category | Taxonomy::Brand => entries.extend([
            ("display", Json::text(term.display.clone())),
            ("image", Json::Null),
            ("menu_order", Json::Int(term.menu_order)),
        ]),
        Taxonomy::Attribute(_) => entries.push(("menu_order", Json::Int(term.menu_order))),
        Taxonomy::Tag | Taxonomy::ShippingClass => {}
    }
    entries.push(("count", count));
    let collection = path(term.taxonomy);
    let up = (term.parent > 0).then(|| format!("{collection}/{}", term.parent));
    entries.push((
        "_links",
        render.links(&format!("{collection}/{}", term.id), &collection, &VERBS, up.as_deref()),
    ));
    Json::object(entries)
}

fn list(state: &State, call: &Call<'_>, taxonomy: Taxonomy) -> Result<Answer, ApiError> {
    let params = &call.params;
    check(params, ARGS)?;
    call.may("cannot_view", "Sorry, you cannot list resources.")?;
    let (include, exclude) = (params.ids("include"), params.ids("exclude"));
    let search = params.get("search").unwrap_or_default().to_lowercase();
    let mut found: Vec<&Term> = state
        .terms
        .values()
        .filter(|term| term.taxonomy == taxonomy)
        .filter(|term| include.is_empty() || include.contains(&term.id))
        .filter(|term| !exclude.contains(&term.id))
        .filter(|term| term.name.to_lowercase().contains(&search))
        .filter(|term| params.flag("hide_empty") != Some(true) || count(state, term) > 0)
        .filter(|term| params.number("parent").is_none_or(|parent| parent == term.parent))
        .filter(|term| params.get("slug").is_none_or(|slug| slug.split(',').any(|slug| slug == term.slug)))
        .collect();
    match params.get("orderby").unwrap_or("name") {
        "id" => found.sort_by_key(|term| term.id),
        "slug" => found.sort_by(|a, b| a.slug.cmp(&b.slug)),
        "include" => found.sort_by_key(|term| include.iter().position(|id| *id == term.id)),
        _ => found.sort_by_key(|term| term.name.to_lowercase()),
    }
    if params.get("order") == Some("desc") {
        found.reverse();
    }
    let per_page = params.number("per_page").unwrap_or(10);
    let page = params.number("page").unwrap_or(1);
    let total = u64::try_from(found.len()).unwrap_or(u64::MAX);
    let start = params.number("offset").unwrap_or_else(|| (page - 1).saturating_mul(per_page));
    let render = renderer(state, call);
    let items = found
        .into_iter()
        .skip(usize::try_from(start).unwrap_or(usize::MAX))
        .take(usize::try_from(per_page).unwrap_or(100))
        .map(|term| term_json(&render, term))
        .collect();
    let pages = total.div_ceil(per_page);
    Ok(Answer::ok(Json::Array(items)).paged(total, pages, call.paging_links(ARGS, page, pages)))
}

/// `products/{taxonomy}/batch`.
pub(super) fn batch(state: &mut State, call: &Call<'_>, place: Place) -> Result<Answer, ApiError> {
    let taxonomy = match place.of {
        Of::Attributes => return attributes::batch(state, call),
        Of::Terms(taxonomy) => taxonomy,
    };
    check_taxonomy(state, taxonomy)?;
    batch::run(state, call, &mut |state, op| match op {
        Op::Create(body) => create(state, call, taxonomy, body),
        Op::Update(id, body) => update(state, call, taxonomy, id, body),
        Op::Delete(id) => delete(state, call, taxonomy, id),
    })
}

fn check_taxonomy(state: &State, taxonomy: Taxonomy) -> Result<(), ApiError> {
    match taxonomy {
        Taxonomy::Attribute(id) if !state.attributes.contains_key(&id) => {
            Err(ApiError::new(404, "woocommerce_rest_taxonomy_invalid", "Taxonomy does not exist."))
        }
        _ => Ok(()),
    }
}

/// The check of the declared parameters of a term.
fn check_body(body: Body<'_>) -> Result<(), ApiError> {
    let mut bad = Vec::new();
    for name in ["name", "slug", "description"] {
        if sent(body, name).is_some_and(|value| value.as_str().is_none()) {
            bad.push(BadParam::wrong_type(name, name, "string"));
        }
    }
    for name in ["parent", "menu_order"] {
        if sent(body, name).is_some_and(|value| value.as_int().is_none()) {
            bad.push(BadParam::wrong_type(name, name, "integer"));
        }
    }
    match sent(body, "display") {
        Some(Json::String(text)) if !DISPLAYS.contains(&text.as_str()) => {
            bad.push(BadParam::not_in_enum("display", DISPLAYS));
        }
        None | Some(Json::String(_)) => {}
        Some(_) => bad.push(BadParam::wrong_type("display", "display", "string")),
    }
    if bad.is_empty() { Ok(()) } else { Err(invalid_params(&bad)) }
}

fn has_parents(taxonomy: Taxonomy) -> bool {
    matches!(taxonomy, Taxonomy::Category | Taxonomy::Brand)
}

/// The parent that a body names; an unknown one is an error.
fn parent(state: &State, taxonomy: Taxonomy, body: Body<'_>) -> Result<Option<u64>, ApiError> {
    let Some(id) = sent(body, "parent").and_then(Json::as_id).filter(|_| has_parents(taxonomy)) else {
        return Ok(None);
    };
    if id > 0 && state.terms.get(&id).is_none_or(|term| term.taxonomy != taxonomy) {
        return Err(ApiError::new(404, "woocommerce_rest_term_invalid", "Parent is invalid."));
    }
    Ok(Some(id))
}

fn create(state: &mut State, call: &Call<'_>, taxonomy: Taxonomy, body: Body<'_>) -> Result<Json, ApiError> {
    let Some(name) = sent_text(body, "name")?.filter(|name| !name.trim().is_empty()) else {
        return Err(ApiError::missing("name"));
    };
    let parent = parent(state, taxonomy, body)?.unwrap_or(0);
    if let Some(known) = state.find_term(taxonomy, &name).filter(|term| term.parent == parent) {
        let message = if has_parents(taxonomy) {
            "A term with the name provided already exists with this parent."
        } else {
            "A term with the name provided already exists in this taxonomy."
        };
        return Err(ApiError::new(400, "term_exists", message).with("resource_id", known.id));
    }
    let id = state.next_term;
    let name = text::filter_name(&name);
    let wanted = sent_text(body, "slug")?.filter(|slug| !slug.is_empty()).unwrap_or_else(|| name.clone());
    let term = Term {
        id,
        taxonomy,
        slug: unique_slug(state, taxonomy, &text::slug(&wanted), id),
        name,
        parent,
        description: String::new(),
        menu_order: 0,
        display: "default".to_owned(),
    };
    let term = with_rest(term, body)?;
    state.insert_term(term.clone());
    Ok(term_json(&renderer(state, call), &term))
}

/// A slug that no other term of the taxonomy has.
fn unique_slug(state: &State, taxonomy: Taxonomy, wanted: &str, but: u64) -> String {
    let taken = |slug: &str| {
        state.terms.values().any(|term| term.taxonomy == taxonomy && term.id != but && term.slug == slug)
    };
    let mut slug = wanted.to_owned();
    let mut number = 1;
    while taken(&slug) {
        number += 1;
        slug = format!("{wanted}-{number}");
    }
    slug
}

/// Takes over the fields that creates and updates treat alike.
fn with_rest(mut term: Term, body: Body<'_>) -> Result<Term, ApiError> {
    if let Some(description) = sent_text(body, "description")? {
        term.description = text::filter_html(&description);
    }
    if let Some(order) = sent(body, "menu_order").and_then(Json::as_int) {
        term.menu_order = order;
    }
    if let Some(display) = sent_text(body, "display")? {
        term.display = display;
    }
    Ok(term)
}

fn find(state: &State, taxonomy: Taxonomy, id: u64) -> Result<Term, ApiError> {
    let found = state.terms.get(&id).filter(|term| term.taxonomy == taxonomy).cloned();
    found.ok_or_else(|| ApiError::new(404, "woocommerce_rest_term_invalid", "Resource does not exist."))
}

fn item(state: &mut State, call: &Call<'_>, taxonomy: Taxonomy, id: u64) -> Result<Answer, ApiError> {
    match call.method {
        "GET" => {
            call.may("cannot_view", "Sorry, you cannot view this resource.")?;
            let term = find(state, taxonomy, id)?;
            Ok(Answer::ok(term_json(&renderer(state, call), &term)))
        }
        "DELETE" => {
            call.may("cannot_delete", "Sorry, you are not allowed to delete this resource.")?;
            if !batch::is_forced(call) {
                return Err(ApiError::no_trash());
            }
            delete(state, call, taxonomy, id).map(Answer::ok)
        }
        _ => {
            check_body(&call.body)?;
            call.may("cannot_edit", "Sorry, you are not allowed to edit this resource.")?;
            update(state, call, taxonomy, id, &call.body).map(Answer::ok)
        }
    }
}

/// A renamed term moves the date of no product.
fn update(
    state: &mut State,
    call: &Call<'_>,
    taxonomy: Taxonomy,
    id: u64,
    body: Body<'_>,
) -> Result<Json, ApiError> {
    let mut term = find(state, taxonomy, id)?;
    let old = term.name.clone();
    if let Some(name) = sent_text(body, "name")?.filter(|name| !name.trim().is_empty()) {
        term.name = text::filter_name(&name);
    }
    if let Some(slug) = sent_text(body, "slug")?.filter(|slug| !slug.is_empty()) {
        term.slug = unique_slug(state, taxonomy, &text::slug(&slug), id);
    }
    if let Some(parent) = parent(state, taxonomy, body)?.filter(|parent| *parent != id) {
        term.parent = parent;
    }
    let term = with_rest(term, body)?;
    if let Taxonomy::Attribute(attribute) = taxonomy {
        rename_option(state, attribute, &old, &term.name);
    }
    state.terms.insert(id, term.clone());
    Ok(term_json(&renderer(state, call), &term))
}

/// Products name their options by the term, so a new name shows on them.
fn rename_option(state: &mut State, attribute: u64, old: &str, new: &str) {
    for product in state.products.values_mut() {
        let lists = product.attributes.iter_mut().filter(|known| known.id == attribute);
        let options = lists.flat_map(|known| known.options.iter_mut());
        let choices = product.options.iter_mut().chain(product.default_attributes.iter_mut());
        let chosen = choices.filter(|choice| choice.id == attribute).map(|choice| &mut choice.option);
        for option in options.chain(chosen).filter(|option| *option == old) {
            new.clone_into(option);
        }
    }
}

/// Deletes a term; products lose it, and those without a category get the default one.
fn delete(state: &mut State, call: &Call<'_>, taxonomy: Taxonomy, id: u64) -> Result<Json, ApiError> {
    let term = find(state, taxonomy, id)?;
    if id == state.default_category {
        return Err(ApiError::new(500, "woocommerce_rest_cannot_delete", "The resource cannot be deleted."));
    }
    let json = term_json(&renderer(state, call), &term);
    state.terms.remove(&id);
    for child in state.terms.values_mut().filter(|child| child.parent == id) {
        child.parent = term.parent;
    }
    let default = state.default_category;
    for product in state.products.values_mut().filter(|product| !product.is_variation()) {
        match taxonomy {
            Taxonomy::Category if product.categories.contains(&id) => {
                product.categories.retain(|known| *known != id);
                if product.categories.is_empty() {
                    product.categories.push(default);
                }
            }
            Taxonomy::Tag => product.tags.retain(|known| *known != id),
            Taxonomy::Brand => product.brands.retain(|known| *known != id),
            Taxonomy::ShippingClass if product.shipping_class == id => product.shipping_class = 0,
            Taxonomy::Attribute(attribute) => {
                for known in product.attributes.iter_mut().filter(|known| known.id == attribute) {
                    known.options.retain(|option| *option != term.name);
                }
            }
            Taxonomy::Category | Taxonomy::ShippingClass => {}
        }
    }
    Ok(json)
}
