//! Categories, tags, brands, shipping classes, attributes and their terms.

use super::errors::ApiError;
use super::product::{GlobalAttribute, Taxonomy, Term};
use super::query::{Arg, Kind, arg, check};
use super::render::Renderer;
use super::routes::renderer;
use super::state::State;
use super::write::{sent, sent_text};
use super::{Answer, Call, text};
use crate::testkit::json::Json;

const VERBS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

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
        Of::Attributes => attributes(state, call, place.item),
        Of::Terms(taxonomy) => {
            if let Taxonomy::Attribute(id) = taxonomy {
                call.may("cannot_view", "Sorry, you cannot list resources.")?;
                if !state.attributes.contains_key(&id) {
                    return Err(ApiError::new(
                        404,
                        "woocommerce_rest_taxonomy_invalid",
                        "Taxonomy does not exist.",
                    ));
                }
            }
            match (place.item, call.method) {
                (None, "GET") => list(state, call, taxonomy),
                (None, _) => create(state, call, taxonomy),
                (Some(id), _) => item(state, call, taxonomy, id),
            }
        }
    }
}

fn term_json(render: &Renderer<'_>, term: &Term) -> Json {
    let state = render.state;
    let count = state
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
        .count();
    let count = Json::from(u64::try_from(count).unwrap_or(u64::MAX));
    let text = |text: &String| Json::text(text.clone());
    let mut entries =
        vec![("id", Json::from(term.id)), ("name", text(&term.name)), ("slug", text(&term.slug))];
    if matches!(term.taxonomy, Taxonomy::Category | Taxonomy::Brand) {
        entries.push(("parent", Json::from(term.parent)));
    }
    entries.push(("description", text(&term.description)));
    match term.taxonomy {
        Taxonomy::Category | Taxonomy::Brand => entries.extend([
            ("display", Json::text("default")),
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

fn create(state: &mut State, call: &Call<'_>, taxonomy: Taxonomy) -> Result<Answer, ApiError> {
    call.may("cannot_create", "Sorry, you are not allowed to create resources.")?;
    let Some(name) = sent_text(&call.body, "name")?.filter(|name| !name.trim().is_empty()) else {
        return Err(ApiError::new(400, "rest_missing_callback_param", "Missing parameter(s): name")
            .with("params", Json::Array(vec![Json::text("name")])));
    };
    let parent = sent(&call.body, "parent").and_then(Json::as_id).unwrap_or(0);
    if let Some(known) = state.find_term(taxonomy, &name).filter(|term| term.parent == parent) {
        let message = match taxonomy {
            Taxonomy::Category | Taxonomy::Brand => {
                "A term with the name provided already exists with this parent."
            }
            Taxonomy::Tag | Taxonomy::ShippingClass | Taxonomy::Attribute(_) => {
                "A term with the name provided already exists in this taxonomy."
            }
        };
        return Err(ApiError::new(400, "term_exists", message).with("resource_id", known.id));
    }
    let id = state.next_term;
    let name = text::filter_name(&name);
    let slug = sent_text(&call.body, "slug")?.unwrap_or_else(|| text::slug(&name));
    let description = sent_text(&call.body, "description")?.unwrap_or_default();
    state.insert_term(Term { id, taxonomy, name, slug, parent, description, menu_order: 0 });
    item(state, &Call { method: "GET", ..copy(call) }, taxonomy, id)
        .map(|answer| Answer { status: 201, ..answer })
}

/// The same call with nothing of its body and query.
fn copy<'a>(call: &Call<'a>) -> Call<'a> {
    Call {
        method: call.method,
        params: super::Params::default(),
        body: Vec::new(),
        caller: call.caller,
        home: call.home,
        route: call.route,
        by_rest_route: call.by_rest_route,
        now: call.now,
        pool: call.pool,
        draw: call.draw,
    }
}

fn item(state: &mut State, call: &Call<'_>, taxonomy: Taxonomy, id: u64) -> Result<Answer, ApiError> {
    let invalid = || ApiError::new(404, "woocommerce_rest_term_invalid", "Resource does not exist.");
    call.may("cannot_view", "Sorry, you cannot view this resource.")?;
    let term = state.terms.get(&id).filter(|term| term.taxonomy == taxonomy).cloned().ok_or_else(invalid)?;
    match call.method {
        "GET" => {}
        "DELETE" => {
            let json = term_json(&renderer(state, call), &term);
            state.terms.remove(&id);
            return Ok(Answer::ok(json));
        }
        _ => {
            // A renamed term moves the date of no product.
            let (name, slug) = (sent_text(&call.body, "name")?, sent_text(&call.body, "slug")?);
            let description = sent_text(&call.body, "description")?;
            if let Some(term) = state.terms.get_mut(&id) {
                if let Some(name) = name {
                    term.name = text::filter_name(&name);
                }
                if let Some(slug) = slug {
                    term.slug = text::slug(&slug);
                }
                if let Some(description) = description {
                    term.description = text::filter_html(&description);
                }
            }
        }
    }
    let term = state.terms.get(&id).ok_or_else(invalid)?;
    Ok(Answer::ok(term_json(&renderer(state, call), term)))
}

fn attribute_json(render: &Renderer<'_>, attribute: &GlobalAttribute) -> Json {
    let collection = "products/attributes";
    Json::object([
        ("id", Json::from(attribute.id)),
        ("name", Json::text(attribute.name.clone())),
        ("slug", Json::text(attribute.slug.clone())),
        ("type", Json::text("select")),
        ("order_by", Json::text("menu_order")),
        ("has_archives", Json::Bool(false)),
        ("_links", render.links(&format!("{collection}/{}", attribute.id), collection, &VERBS, None)),
    ])
}

/// The list of attributes is not paged.
fn attributes(state: &mut State, call: &Call<'_>, item: Option<u64>) -> Result<Answer, ApiError> {
    call.may("cannot_view", "Sorry, you cannot list resources.")?;
    let invalid = || ApiError::new(404, "woocommerce_rest_taxonomy_invalid", "Resource does not exist.");
    match (item, call.method) {
        (None, "GET") => {
            let mut found: Vec<_> = state.attributes.values().collect();
            found.sort_by_key(|attribute| attribute.name.to_lowercase());
            let total = u64::try_from(found.len()).unwrap_or(u64::MAX);
            let render = renderer(state, call);
            let items = found.into_iter().map(|attribute| attribute_json(&render, attribute)).collect();
            Ok(Answer::ok(Json::Array(items)).paged(total, 1, None))
        }
        (None, _) => {
            let name = sent_text(&call.body, "name")?.unwrap_or_default();
            let id = state.add_attribute(&name);
            let attribute = state.attributes.get(&id).ok_or_else(invalid)?;
            Ok(Answer::created(attribute_json(&renderer(state, call), attribute)))
        }
        (Some(id), method) => {
            let name = sent_text(&call.body, "name")?.filter(|_| method != "GET");
            let attribute = state.attributes.get_mut(&id).ok_or_else(invalid)?;
            if let Some(name) = name {
                attribute.name = text::filter_name(&name);
            }
            let attribute = attribute.clone();
            if method == "DELETE" {
                state.attributes.remove(&id);
            }
            Ok(Answer::ok(attribute_json(&renderer(state, call), &attribute)))
        }
    }
}
