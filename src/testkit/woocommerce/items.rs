//! Single products and variations, and batches of them.

use super::batch::{self, Op, is_forced};
use super::errors::ApiError;
use super::lists::keep_meta;
use super::product::Product;
use super::render::{Form, Place, Renderer};
use super::routes::renderer;
use super::schema::check_body;
use super::state::State;
use super::write::{Body, Writer};
use super::{Answer, Call};
use crate::testkit::json::Json;

fn writer<'a>(state: &'a mut State, call: &Call<'a>) -> Writer<'a> {
    Writer { state, home: call.home, now: call.now }
}

/// An object after a write: always in edit form.
fn written(state: &State, call: &Call<'_>, product: &Product) -> Json {
    let render = Renderer { state, home: call.home, now: call.now, form: Form::Edit };
    if product.is_variation() {
        render.variation(product, Place::OfProduct)
    } else {
        render.product(product, &call.related(product.id))
    }
}

/// What a read of one object sees: the stored state, or the one before the last write.
fn seen(state: &State, id: u64) -> Option<&Product> {
    let stored = state.products.get(&id)?;
    let stale = state.conditions.stale_read.then(|| state.previous.get(&id)).flatten();
    Some(stale.unwrap_or(stored))
}

/// `POST /products`.
pub(super) fn create_product(state: &mut State, call: &Call<'_>) -> Result<Answer, ApiError> {
    check_body(&call.body, false)?;
    call.may("cannot_create", "Sorry, you are not allowed to create resources.")?;
    let product = writer(state, call).create(&call.body, None)?;
    Ok(Answer::created(written(state, call, &product)))
}

/// `/products/{id}`.
pub(super) fn product(state: &mut State, call: &Call<'_>, id: u64) -> Result<Answer, ApiError> {
    match call.method {
        "GET" => {
            let found = seen(state, id).ok_or_else(|| ApiError::invalid_product(404))?;
            call.may("cannot_view", "Sorry, you cannot view this resource.")?;
            let item = renderer(state, call).product(found, &call.related(id));
            Ok(Answer::ok(keep_meta(item, &call.params)))
        }
        "DELETE" => {
            let old = state.products.get(&id).cloned().ok_or_else(|| ApiError::invalid_product(404))?;
            call.may("cannot_delete", "Sorry, you are not allowed to delete this resource.")?;
            delete(state, call, &old, is_forced(call)).map(Answer::ok)
        }
        _ => {
            check_body(&call.body, false)?;
            if state.products.contains_key(&id) {
                call.may("cannot_edit", "Sorry, you are not allowed to edit this resource.")?;
            }
            update(state, call, id, &call.body).map(Answer::ok)
        }
    }
}

fn update(state: &mut State, call: &Call<'_>, id: u64, body: Body<'_>) -> Result<Json, ApiError> {
    // An update of an unknown id is a 400, where a read is a 404.
    let old = state.products.get(&id).cloned().ok_or_else(|| ApiError::invalid_product(400))?;
    if old.is_variation() {
        return Err(ApiError::is_a_variation());
    }
    let product = writer(state, call).update(&old, call.loaded.get(&id), body)?;
    Ok(written(state, call, &product))
}

fn delete(state: &mut State, call: &Call<'_>, old: &Product, force: bool) -> Result<Json, ApiError> {
    if old.is_variation() {
        return Err(ApiError::is_a_variation());
    }
    remove(state, call, old, force)
}

fn remove(state: &mut State, call: &Call<'_>, old: &Product, force: bool) -> Result<Json, ApiError> {
    let json = written(state, call, old);
    if force {
        writer(state, call).delete(old);
    } else {
        writer(state, call).trash(old)?;
    }
    Ok(json)
}

/// `POST /products/{id}/variations`.
pub(super) fn create_variation(state: &mut State, call: &Call<'_>, parent: u64) -> Result<Answer, ApiError> {
    check_body(&call.body, true)?;
    call.may("cannot_create", "Sorry, you are not allowed to create resources.")?;
    if state.products.get(&parent).is_none_or(Product::is_variation) {
        return Err(ApiError::new(
            404,
            "woocommerce_rest_product_variation_invalid_parent",
            format!("Cannot set attributes due to invalid parent product {parent}."),
        ));
    }
    let product = writer(state, call).create(&call.body, Some(parent))?;
    Ok(Answer::created(written(state, call, &product)))
}

/// `/products/{parent}/variations/{id}`.
pub(super) fn variation(
    state: &mut State,
    call: &Call<'_>,
    parent: u64,
    id: u64,
) -> Result<Answer, ApiError> {
    match call.method {
        "GET" => {
            let found = seen(state, id).filter(|product| is_child(product, parent));
            let found = found.ok_or_else(ApiError::invalid_variation)?;
            call.may("cannot_view", "Sorry, you cannot view this resource.")?;
            let item = renderer(state, call).variation(found, Place::OfProduct);
            Ok(Answer::ok(keep_meta(item, &call.params)))
        }
        "DELETE" => {
            call.may("cannot_delete", "Sorry, you are not allowed to delete this resource.")?;
            delete_variation(state, call, parent, id, is_forced(call)).map(Answer::ok)
        }
        _ => {
            check_body(&call.body, true)?;
            call.may("cannot_edit", "Sorry, you are not allowed to edit this resource.")?;
            let old = child(state, parent, id)?;
            update_variation(state, call, &old, &call.body).map(Answer::ok)
        }
    }
}

fn is_child(product: &Product, parent: u64) -> bool {
    product.is_variation() && product.parent_id == parent
}

fn child(state: &State, parent: u64, id: u64) -> Result<Product, ApiError> {
    let found = state.products.get(&id).filter(|product| is_child(product, parent));
    found.cloned().ok_or_else(ApiError::invalid_variation)
}

fn update_variation(
    state: &mut State,
    call: &Call<'_>,
    old: &Product,
    body: Body<'_>,
) -> Result<Json, ApiError> {
    let id = old.id;
    let product = writer(state, call).update(old, call.loaded.get(&id), body)?;
    Ok(written(state, call, &product))
}

/// An item of a batch is not checked against the address, and moves to the product there (the controller's source,
/// `prepare_object_for_database`; not observed).
fn adopted(state: &State, parent: u64, id: u64) -> Result<Product, ApiError> {
    let found = state.products.get(&id).filter(|product| product.is_variation());
    Ok(Product { parent_id: parent, ..found.ok_or_else(ApiError::invalid_variation)?.clone() })
}

fn delete_variation(
    state: &mut State,
    call: &Call<'_>,
    parent: u64,
    id: u64,
    force: bool,
) -> Result<Json, ApiError> {
    let old = child(state, parent, id)?;
    remove(state, call, &old, force)
}

/// `products/batch`, or `products/{parent}/variations/batch`.
pub(super) fn batch(state: &mut State, call: &Call<'_>, parent: Option<u64>) -> Result<Answer, ApiError> {
    batch::run(state, call, &mut |state, op| match (op, parent) {
        (Op::Create(body), _) => {
            let product = writer(state, call).create(body, parent)?;
            Ok(written(state, call, &product))
        }
        (Op::Update(id, body), Some(parent)) => {
            let old = adopted(state, parent, id)?;
            update_variation(state, call, &old, body)
        }
        (Op::Update(id, body), None) => update(state, call, id, body),
        (Op::Delete(id), Some(parent)) => delete_variation(state, call, parent, id, true),
        (Op::Delete(id), None) => {
            let old = state.products.get(&id).cloned().ok_or_else(|| ApiError::invalid_product(404))?;
            delete(state, call, &old, true)
        }
    })
}
