//! The parts of a product with routes of their own: images, custom fields, options and modifiers.

use super::conditions::Area;
use super::errors::{Answer, Outcome, Problem};
use super::product::{date, id_of, image};
use super::product_writes::{of, part};
use super::query::{Paging, Params, Picked};
use super::state::State;
use crate::testkit::json::Json;

/// The most custom fields and images of a product (fact sheet 5.1).
const CUSTOM_FIELDS: usize = 200;
const IMAGES: usize = 1000;

/// The lists that a product has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Images,
    CustomFields,
    Options,
    Modifiers,
    Videos,
    PricingRules,
}

impl Part {
    pub(super) fn of_path(name: &str) -> Option<Self> {
        Some(match name {
            "images" => Self::Images,
            "custom-fields" => Self::CustomFields,
            "options" => Self::Options,
            "modifiers" => Self::Modifiers,
            "videos" => Self::Videos,
            "bulk-pricing-rules" => Self::PricingRules,
            _ => return None,
        })
    }

    fn rows(self, product: &super::Product) -> &Vec<Json> {
        match self {
            Self::Images => &product.images,
            Self::CustomFields => &product.custom_fields,
            Self::Options => &product.options,
            Self::Modifiers => &product.modifiers,
            Self::Videos => &product.videos,
            Self::PricingRules => &product.bulk_pricing_rules,
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Self::Images => "image",
            Self::CustomFields => "custom field",
            Self::Options => "option",
            Self::Modifiers => "modifier",
            Self::Videos => "video",
            Self::PricingRules => "rule",
        }
    }
}

/// `GET /catalog/products/{id}/PART`.
pub(super) fn list(state: &State, kind: Part, product: u64, params: &Params) -> Outcome {
    let paging = Paging::read(state, params, None)?;
    let picked = Picked::read(params);
    let product = state.products.get(&product).ok_or_else(|| Problem::not_found("product"))?;
    paging.answer(state, params, kind.rows(product).iter().collect(), |row| picked.of(row, &["id"]))
}

/// `GET /catalog/products/{id}/PART/{id}`.
pub(super) fn one(state: &State, kind: Part, product: u64, id: u64) -> Outcome {
    let product = state.products.get(&product).ok_or_else(|| Problem::not_found("product"))?;
    let row = kind.rows(product).iter().find(|row| id_of(row) == Some(id));
    row.cloned().map(Answer::data).ok_or_else(|| Problem::not_found(kind.noun()))
}

/// `PUT /catalog/products/{id}/images/{id}`. The alternative text is `description`.
pub(super) fn put_image(state: &mut State, product: u64, id: u64, body: &Json) -> Outcome {
    let mut errors = Vec::new();
    for (name, value) in body.as_object().unwrap_or_default() {
        let right = match (name.as_str(), value) {
            ("description" | "image_file" | "date_modified", value) => value.as_str().is_some(),
            ("image_url", value) => value.as_str().is_some_and(|url| url.len() <= 255),
            ("is_thumbnail", value) => matches!(value, Json::Bool(_)),
            ("sort_order" | "product_id", value) => matches!(value, Json::Int(_)),
            _ => true,
        };
        if !right {
            errors.push((name.clone(), "error.expected.type".to_owned()));
        }
    }
    if !errors.is_empty() {
        return Err(Problem::invalid(errors));
    }
    let (now, limit) = (state.now, state.conditions.alt_limit);
    let owner = of(state, product)?;
    if part(&mut owner.images, id).is_none() {
        return Err(Problem::not_found("image"));
    }
    // There is one thumbnail.
    if body.get("is_thumbnail").and_then(Json::as_bool) == Some(true) {
        owner.images.iter_mut().for_each(|image| image.set("is_thumbnail", false));
    }
    let thumbnail = body.get("is_thumbnail").is_some();
    let Some(row) = part(&mut owner.images, id) else { return Err(Problem::not_found("image")) };
    for name in ["is_thumbnail", "sort_order", "description"] {
        if let Some(value) = body.get(name) {
            row.set(name, value.clone());
        }
    }
    if let (Some(limit), Some(text)) = (limit, body.get("description").and_then(Json::as_str)) {
        row.set("description", text.chars().take(limit).collect::<String>());
    }
    row.set("date_modified", date(now));
    let row = row.clone();
    state.changed(product, Area::Images, thumbnail);
    Ok(Answer::data(row))
}

/// `POST /catalog/products/{id}/images`, by address.
pub(super) fn post_image(state: &mut State, product: u64, body: &Json) -> Outcome {
    let Some(url) = body.get("image_url").and_then(Json::as_str) else {
        return Err(Problem::new(422, "image_url must be present if uploading by url"));
    };
    let file = url.rsplit('/').next().unwrap_or_default().to_owned();
    let alt = body.get("description").and_then(Json::as_str).unwrap_or_default().to_owned();
    let now = state.now;
    if of(state, product)?.images.len() >= IMAGES {
        return Err(Problem::new(422, "The product has too many images"));
    }
    let id = state.take("image");
    let owner = of(state, product)?;
    let row = image(id, product, &file, &alt, owner.images.is_empty(), now);
    owner.images.push(row.clone());
    state.changed(product, Area::Images, false);
    Ok(Answer::data(row))
}

/// `POST /catalog/products/{id}/custom-fields`.
pub(super) fn post_custom_field(state: &mut State, product: u64, body: &Json) -> Outcome {
    let (name, value) = pair(body, None)?;
    let owner = of(state, product)?;
    if owner.custom_fields.len() >= CUSTOM_FIELDS {
        return Err(Problem::new(422, "The product has too many custom fields"));
    }
    unique(&owner.custom_fields, None, &name, &value)?;
    let id = state.take("custom_field");
    let row =
        Json::object([("id", Json::from(id)), ("name", Json::text(name)), ("value", Json::text(value))]);
    of(state, product)?.custom_fields.push(row.clone());
    state.changed(product, Area::CustomFields, false);
    Ok(Answer::data(row))
}

/// `PUT /catalog/products/{id}/custom-fields/{id}`. What is not sent stays.
pub(super) fn put_custom_field(state: &mut State, product: u64, id: u64, body: &Json) -> Outcome {
    let owner = of(state, product)?;
    let old =
        part(&mut owner.custom_fields, id).cloned().ok_or_else(|| Problem::not_found("custom field"))?;
    let (name, value) = pair(body, Some(&old))?;
    unique(&owner.custom_fields, Some(id), &name, &value)?;
    let row =
        Json::object([("id", Json::from(id)), ("name", Json::text(name)), ("value", Json::text(value))]);
    if let Some(slot) = part(&mut owner.custom_fields, id) {
        *slot = row.clone();
    }
    state.changed(product, Area::CustomFields, false);
    Ok(Answer::data(row))
}

/// `DELETE /catalog/products/{id}/PART/{id}`, of images and custom fields.
pub(super) fn delete(state: &mut State, kind: Part, product: u64, id: u64) -> Outcome {
    let owner = of(state, product)?;
    let (rows, area) = match kind {
        Part::Images => (&mut owner.images, Area::Images),
        Part::CustomFields => (&mut owner.custom_fields, Area::CustomFields),
        Part::Options => (&mut owner.options, Area::Options),
        Part::Modifiers => (&mut owner.modifiers, Area::Options),
        Part::Videos => (&mut owner.videos, Area::Images),
        Part::PricingRules => (&mut owner.bulk_pricing_rules, Area::Fields),
    };
    let before = rows.len();
    rows.retain(|row| id_of(row) != Some(id));
    if rows.len() == before {
        return Err(Problem::not_found(kind.noun()));
    }
    // Of modifiers the deletion is told, and nothing else (fact sheet 7.3).
    state.changed(product, area, kind == Part::Modifiers);
    Ok(Answer::empty(204))
}

fn pair(body: &Json, old: Option<&Json>) -> Result<(String, String), Problem> {
    let mut errors = Vec::new();
    let mut text = |name: &str| {
        let found = body.get(name).or_else(|| old.and_then(|old| old.get(name))).and_then(Json::as_str);
        let found = found.unwrap_or_default();
        if !(1..=250).contains(&found.chars().count()) {
            errors.push((name.to_owned(), "error.length".to_owned()));
        }
        found.to_owned()
    };
    let pair = (text("name"), text("value"));
    if errors.is_empty() { Ok(pair) } else { Err(Problem::invalid(errors)) }
}

fn unique(rows: &[Json], but: Option<u64>, name: &str, value: &str) -> Result<(), Problem> {
    let is = |row: &Json, key: &str, text: &str| row.get(key).and_then(Json::as_str) == Some(text);
    let same = rows.iter().any(|row| id_of(row) != but && is(row, "name", name) && is(row, "value", value));
    if same {
        Err(Problem::new(409, "The custom field is a duplicate").at("name", "duplicate"))
    } else {
        Ok(())
    }
}
