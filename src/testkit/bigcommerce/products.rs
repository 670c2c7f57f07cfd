//! The routes of products: lists with their filters, reads by id.

use std::cmp::Ordering;

use super::conditions::IncludeHabit;
use super::errors::{Answer, Outcome, Problem};
use super::product::{Product, ids};
use super::query::{Paging, Params, Picked, wrong};
use super::state::State;
use crate::testkit::json::Json;
use crate::time::Timestamp;

/// The most products on a page where options or modifiers are included (products_catalog.v3.yml, `include`).
const WITH_OPTIONS: u64 = 10;
/// What can be included.
const INCLUDES: &[&str] = &[
    "bulk_pricing_rules",
    "channels",
    "custom_fields",
    "images",
    "modifiers",
    "options",
    "parent_relations",
    "primary_image",
    "reviews",
    "variants",
    "videos",
];
const SORTS: &[&str] = &[
    "id",
    "name",
    "sku",
    "price",
    "date_modified",
    "date_last_imported",
    "inventory_level",
    "is_visible",
    "total_sold",
    "calculated_price",
];
/// Fields that are answered whatever is asked for.
const ALWAYS: &[&str] = &["id", "gift_wrapping_options_type", "gift_wrapping_options_list"];

/// The parameters that are modelled.
const KNOWN: &[&str] = &[
    "id",
    "id:in",
    "id:not_in",
    "id:min",
    "id:max",
    "id:greater",
    "id:less",
    "channel_id:in",
    "categories",
    "categories:in",
    "name",
    "sku",
    "sku:in",
    "mpn",
    "upc",
    "brand_id",
    "date_modified",
    "date_modified:min",
    "date_modified:max",
    "is_visible",
    "is_featured",
    "type",
    "availability",
    "condition",
    "keyword",
    "include",
    "include_fields",
    "exclude_fields",
    "page",
    "limit",
    "sort",
    "direction",
];

/// What a product is answered with.
#[derive(Debug)]
pub(super) struct View {
    includes: Vec<String>,
    picked: Picked,
}

impl View {
    pub(super) fn read(params: &Params) -> Result<Self, Problem> {
        let includes: Vec<String> =
            params.list("include").unwrap_or_default().into_iter().map(str::to_owned).collect();
        if includes.iter().any(|name| !INCLUDES.contains(&name.as_str())) {
            return Err(wrong("include"));
        }
        Ok(Self { includes, picked: Picked::read(params) })
    }

    fn has(&self, name: &str) -> bool {
        self.includes.iter().any(|known| known == name)
    }

    /// A product as it is answered.
    pub(super) fn render(&self, product: &Product) -> Json {
        let mut row = self.picked.of(&product.fields, ALWAYS);
        let parts: [(&str, &Vec<Json>); 7] = [
            ("variants", &product.variants),
            ("images", &product.images),
            ("custom_fields", &product.custom_fields),
            ("options", &product.options),
            ("modifiers", &product.modifiers),
            ("videos", &product.videos),
            ("bulk_pricing_rules", &product.bulk_pricing_rules),
        ];
        for (name, rows) in parts {
            if self.has(name) {
                row.set(name, rows.clone());
            }
        }
        if self.has("primary_image") {
            let thumbnail = |image: &&Json| image.get("is_thumbnail").and_then(Json::as_bool) == Some(true);
            let first = product.images.iter().find(thumbnail).or_else(|| product.images.first());
            if let Some(first) = first {
                row.set("primary_image", first.clone());
            }
        }
        if self.has("channels") {
            row.set("channels", Json::ids(&product.channels));
        }
        for name in ["parent_relations", "reviews"] {
            if self.has(name) {
                row.set(name, Vec::<Json>::new());
            }
        }
        row
    }
}

/// `GET /catalog/products`.
pub(super) fn list(state: &mut State, params: &Params) -> Outcome {
    if let Some(name) = params.unknown(KNOWN) {
        let name = name.to_owned();
        state.note(format!("GET /catalog/products: query {name}"));
        return Err(wrong(&name));
    }
    let state = &*state;
    let mut view = View::read(params)?;
    if params.get("include_fields").is_some() && params.get("include").is_some() {
        match state.conditions.includes {
            IncludeHabit::Both => {}
            IncludeHabit::FieldsAlone => view.includes.clear(),
            IncludeHabit::Refused => return Err(wrong("include")),
        }
    }
    if view.has("reviews") {
        return Err(wrong("include"));
    }
    let most = (view.has("options") || view.has("modifiers")).then_some(WITH_OPTIONS);
    let paging = Paging::read(state, params, most)?;
    let filter = Filter::read(state, params)?;
    let mut rows: Vec<&Product> = state.products.values().filter(|product| filter.keeps(product)).collect();
    order(state, params, &mut rows)?;
    paging.answer(state, params, rows, |product| view.render(product))
}

/// `GET /catalog/products/{id}`.
pub(super) fn one(state: &State, id: u64, params: &Params) -> Outcome {
    let view = View::read(params)?;
    let product = state.products.get(&id).ok_or_else(|| Problem::not_found("product"))?;
    Ok(Answer::data(view.render(product)))
}

fn order(state: &State, params: &Params, rows: &mut [&Product]) -> Result<(), Problem> {
    let Some(sort) = params.get("sort") else {
        // Without an order, the database gives rows as it finds them: by id, until something is written.
        if state.conditions.rows_slip && !rows.is_empty() {
            let by = usize::try_from(state.changes % rows.len() as u64).unwrap_or(0);
            rows.rotate_left(by);
        }
        return Ok(());
    };
    if !SORTS.contains(&sort) {
        return Err(wrong("sort"));
    }
    let descending = match params.get("direction") {
        None | Some("asc") => false,
        Some("desc") => true,
        Some(_) => return Err(wrong("direction")),
    };
    rows.sort_by(|one, other| {
        let order = compare(one.fields.get(sort), other.fields.get(sort)).then(one.id.cmp(&other.id));
        if descending { order.reverse() } else { order }
    });
    Ok(())
}

fn compare(one: Option<&Json>, other: Option<&Json>) -> Ordering {
    match (one, other) {
        (Some(Json::String(one)), Some(Json::String(other))) => one.cmp(other),
        (Some(Json::Bool(one)), Some(Json::Bool(other))) => one.cmp(other),
        (Some(one), Some(other)) => {
            one.as_f64().unwrap_or(0.0).partial_cmp(&other.as_f64().unwrap_or(0.0)).unwrap_or(Ordering::Equal)
        }
        _ => Ordering::Equal,
    }
}

/// The filters of a list, read once.
#[derive(Debug, Default)]
struct Filter {
    within: Vec<Vec<u64>>,
    not_in: Vec<u64>,
    least: u64,
    most: Option<u64>,
    channels: Option<Vec<u64>>,
    categories: Option<Vec<u64>>,
    skus: Option<Vec<String>>,
    texts: Vec<(&'static str, String)>,
    flags: Vec<(&'static str, bool)>,
    brand: Option<u64>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    day: Option<String>,
    keyword: Option<String>,
}

impl Filter {
    fn read(state: &State, params: &Params) -> Result<Self, Problem> {
        let mut filter = Self {
            not_in: params.numbers("id:not_in")?.unwrap_or_default(),
            channels: params.numbers("channel_id:in")?,
            skus: params.list("sku:in").map(|list| list.into_iter().map(str::to_owned).collect()),
            brand: params.number("brand_id")?,
            since: moment(state, params, "date_modified:min")?,
            until: moment(state, params, "date_modified:max")?,
            day: params.get("date_modified").map(|text| text.chars().take(10).collect()),
            keyword: params.get("keyword").map(str::to_lowercase),
            ..Self::default()
        };
        filter.within.extend(params.numbers("id:in")?);
        filter.within.extend(params.number("id")?.map(|id| vec![id]));
        filter.categories = match (params.numbers("categories:in")?, params.number("categories")?) {
            (Some(list), _) => Some(list),
            (None, Some(one)) => Some(vec![one]),
            (None, None) => None,
        };
        let above = params.number("id:greater")?.map(|id| id.saturating_add(1));
        filter.least = [params.number("id:min")?, above].into_iter().flatten().max().unwrap_or(0);
        let below = params.number("id:less")?.map(|id| id.saturating_sub(1));
        filter.most = [params.number("id:max")?, below].into_iter().flatten().min();
        for name in ["name", "sku", "mpn", "upc", "type", "availability", "condition"] {
            filter.texts.extend(params.get(name).map(|text| (name, text.to_owned())));
        }
        for name in ["is_visible", "is_featured"] {
            filter.flags.extend(params.flag(name)?.map(|on| (name, on)));
        }
        Ok(filter)
    }

    fn keeps(&self, product: &Product) -> bool {
        let has = |wanted: &Option<Vec<u64>>, held: &[u64]| {
            wanted.as_ref().is_none_or(|wanted| wanted.iter().any(|id| held.contains(id)))
        };
        let field = |name: &str| product.fields.get(name);
        self.within.iter().all(|list| list.contains(&product.id))
            && !self.not_in.contains(&product.id)
            && product.id >= self.least
            && self.most.is_none_or(|most| product.id <= most)
            && has(&self.channels, &product.channels)
            && has(&self.categories, &ids(field("categories")))
            && self.skus.as_ref().is_none_or(|skus| skus.iter().any(|sku| sku == product.text("sku")))
            && self.texts.iter().all(|(name, text)| product.text(name).eq_ignore_ascii_case(text))
            && self.flags.iter().all(|(name, on)| field(name).and_then(Json::as_bool) == Some(*on))
            && self.brand.is_none_or(|brand| field("brand_id").and_then(Json::as_id) == Some(brand))
            && self.since.is_none_or(|since| product.modified().is_some_and(|at| at >= since))
            && self.until.is_none_or(|until| product.modified().is_some_and(|at| at <= until))
            && self.day.as_ref().is_none_or(|day| product.text("date_modified").starts_with(day.as_str()))
            && self.keyword.as_ref().is_none_or(|word| {
                ["name", "sku", "description"]
                    .iter()
                    .any(|name| product.text(name).to_lowercase().contains(word))
            })
    }
}

/// A moment of a filter. A date without a time gets the present time of day, which the document tells of
/// `date_modified:min`.
fn moment(state: &State, params: &Params, name: &str) -> Result<Option<Timestamp>, Problem> {
    let Some(text) = params.get(name) else { return Ok(None) };
    let found = if text.len() == 10 {
        let now = state.now.to_utc_civil();
        let time = now.get(10..).unwrap_or_default();
        Timestamp::parse_utc_civil(&format!("{text}{time}"))
    } else {
        Timestamp::parse_rfc3339(text).or_else(|_| Timestamp::parse_utc_civil(text))
    };
    found.map(Some).map_err(|_| wrong(name))
}
