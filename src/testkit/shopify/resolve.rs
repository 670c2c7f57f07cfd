//! Which noun answers which field.

use super::connection::{self, Key};
use super::errors::FieldError;
use super::search;
use super::state::State;
use super::value::{Args, Obj, Out, Read, number_of, read_gid};
use super::{
    bulk, collection, count, event, media, metafield, product, shop, translation, variant, webhooks,
};

/// The versions that the stand-in knows, newest first.
pub(super) const VERSIONS: &[&str] = &["2026-10", "2026-07", "2026-04", "2026-01"];

/// A field of an object.
pub(super) fn field(state: &State, obj: &Obj, name: &str, args: &Args) -> Result<Out, FieldError> {
    match obj {
        Obj::Root => root(state, name, args),
        Obj::Shop => shop::field(state, name, args),
        Obj::Product(id) => product::field(state, *id, name, args),
        Obj::Variant(id) => variant::field(state, *id, name, args),
        Obj::Item(id) => variant::item_field(state, *id, name, args),
        Obj::Media(id) => media::field(state, *id, name, args),
        Obj::Metafield(id) => metafield::field(state, *id, name, args),
        Obj::Collection(id) => collection::field(state, *id, name, args),
        Obj::Option(product, id) => product::option_field(state, *product, *id, name, args),
        Obj::OptionValue(product, option, id) => {
            product::value_field(state, (*product, *option, *id), name, args)
        }
        Obj::Webhook(id) => webhooks::field(state, *id, name),
        Obj::Bulk(id) => bulk::field(state, *id, name),
        Obj::Event(id) => event::field(state, *id, name),
        Obj::Translatable(id) => translation::field(state, id, name, args),
        Obj::Record(type_name, fields) => {
            let found = fields.iter().find(|(known, _)| *known == name);
            let out =
                found.map(|(_, out)| out.clone()).ok_or_else(|| FieldError::undefined(type_name, name))?;
            Ok(match (name, out) {
                ("quantities", Out::List(items)) => Out::List(named(items, &args.texts("names"))),
                (_, out) => out,
            })
        }
    }
}

/// The quantities of those names.
fn named(items: Vec<Out>, names: &[String]) -> Vec<Out> {
    let is_named = |out: &Out| {
        match out {
        Out::Object(Obj::Record(_, fields)) => fields.iter().any(|(field, out)| {
            *field == "name" && matches!(out, Out::Json(json) if json.as_str().is_some_and(|name| names.iter().any(|n| n == name)))
        }),
        _ => false,
    }
    };
    items.into_iter().filter(is_named).collect()
}

fn root(state: &State, name: &str, args: &Args) -> Result<Out, FieldError> {
    let mut notes = Vec::new();
    let out = root_with(state, name, args, &mut notes);
    state.search_notes.borrow_mut().extend(notes);
    out
}

fn root_with(
    state: &State,
    name: &str,
    args: &Args,
    notes: &mut Vec<search::Note>,
) -> Result<Out, FieldError> {
    let deep = state.conditions.deep_paging_limit;
    let id = |type_name: &str| args.text("id").and_then(|id| number_of(id, type_name));
    Ok(match name {
        "shop" => Out::Object(Obj::Shop),
        "shopLocales" => shop::locales(state, args),
        "currentAppInstallation" => shop::installation(state),
        "publicApiVersions" => Out::List(VERSIONS.iter().map(|handle| api_version(handle)).collect()),
        "locations" => Out::Page(connection::page_in_order(
            match shop::location() {
                Out::Object(obj) => vec![(shop::LOCATION, obj)].into_iter(),
                _ => Vec::new().into_iter(),
            },
            args,
        )?),
        "publications" => {
            let items = [1, 2].into_iter().filter_map(|id| match shop::publication(id) {
                Out::Object(obj) => Some((id, obj)),
                _ => None,
            });
            Out::Page(connection::page_in_order(items, args)?)
        }
        "metafieldDefinitions" => Out::Page(connection::page_in_order(metafield::definitions(state), args)?),
        "product" => Out::object(
            checked(args, "id")?
                .and_then(|_| id("Product"))
                .filter(|id| state.products.contains_key(id))
                .map(Obj::Product),
        ),
        "productByIdentifier" => Out::object(by_identifier(state, args)?.map(Obj::Product)),
        "products" => Out::Page(product::list(state, args, notes)?),
        "productsCount" => {
            let query =
                search::Query::parse("productsCount", args.text("query"), search::PRODUCT_FIELDS, notes);
            let counted = if query.is_empty() {
                state.products.len()
            } else {
                let known = state.products.keys().filter_map(|id| state.indexed(*id));
                known.filter(|product| query.matches(&|field| product.searched(field))).count()
            };
            count::limited(counted, args, deep)
        }
        "productVariant" => {
            Out::object(id("ProductVariant").filter(|id| state.variants.contains_key(id)).map(Obj::Variant))
        }
        "productVariants" => Out::Page(variant::list(state, args, notes)?),
        "productVariantsCount" => {
            count::limited(variant::found(state, "productVariantsCount", args, notes).count(), args, deep)
        }
        "collection" => {
            Out::object(id("Collection").filter(|id| state.collections.contains_key(id)).map(Obj::Collection))
        }
        "collections" => {
            let query =
                search::Query::parse("collections", args.text("query"), search::COLLECTION_FIELDS, notes);
            let found = state.collections.values().filter(|it| query.matches(&|field| it.searched(field)));
            Out::Page(connection::page(found.map(|it| collection::item(it, args)).collect(), args, deep)?)
        }
        "collectionsCount" => {
            let query = search::Query::parse(
                "collectionsCount",
                args.text("query"),
                search::COLLECTION_FIELDS,
                notes,
            );
            let found = state.collections.values().filter(|it| query.matches(&|field| it.searched(field)));
            count::limited(found.count(), args, deep)
        }
        "files" => {
            let query = search::Query::parse("files", args.text("query"), search::FILE_FIELDS, notes);
            let found = state.media.values().filter(|it| {
                query.matches(&|field| match field {
                    "id" => vec![search::Value::Number(it.id)],
                    "updated_at" => vec![search::Value::Time(it.updated_at)],
                    "created_at" => vec![search::Value::Time(it.created_at)],
                    "media_type" => vec![search::Value::Text(it.kind.content_type().to_owned())],
                    "status" => vec![search::Value::Text(it.status.clone())],
                    _ => vec![search::Value::Words(it.url.clone())],
                })
            });
            let items = found.map(|it| {
                let key = match args.text("sortKey") {
                    Some("CREATED_AT") => it.created_at.unix_millis(),
                    Some("UPDATED_AT") => it.updated_at.unix_millis(),
                    _ => i64::try_from(it.id).unwrap_or(i64::MAX),
                };
                (Key::Number(key), it.id, Obj::Media(it.id))
            });
            Out::Page(connection::page(items.collect(), args, deep)?)
        }
        "events" => {
            let query = search::Query::parse("events", args.text("query"), search::EVENT_FIELDS, notes);
            let found = state.events.values().filter(|it| query.matches(&|field| it.searched(field)));
            Out::Page(connection::page_in_order(found.map(|it| (it.id, Obj::Event(it.id))), args)?)
        }
        "node" => Out::object(checked(args, "id")?.and_then(|id| node(state, id))),
        "nodes" => {
            let ids = args.list("ids");
            if ids.len() > 250 {
                return Err(too_long("ids", ids.len()));
            }
            let mut found = Vec::with_capacity(ids.len());
            for id in ids {
                let id = id.as_str().unwrap_or_default();
                read_gid(id).ok_or_else(|| FieldError::invalid_id(id))?;
                found.push(Out::object(node(state, id)));
            }
            Out::List(found)
        }
        "translatableResource" => {
            let resource = args.text("resourceId").unwrap_or_default();
            let known = translation::contents(state, resource).is_some();
            Out::object(known.then(|| Obj::Translatable(resource.to_owned())))
        }
        "translatableResources" | "translatableResourcesByIds" => translation::list(state, name, args)?,
        "productOperation" => state.operation(args.text("id").unwrap_or_default()),
        "bulkOperation" | "bulkOperations" | "currentBulkOperation" => bulk::root(state, name, args, notes)?,
        "webhookSubscription" | "webhookSubscriptions" => webhooks::root(state, name, args, notes)?,
        _ => return Err(FieldError::undefined("QueryRoot", name)),
    })
}

/// An id of the platform's form; `None` where it was not given.
fn checked<'a>(args: &'a Args, name: &str) -> Result<Option<&'a str>, FieldError> {
    match args.text(name) {
        Some(id) if read_gid(id).is_none() => Err(FieldError::invalid_id(id)),
        id => Ok(id),
    }
}

pub(super) fn too_long(name: &str, length: usize) -> FieldError {
    FieldError::coded(
        format!("The input array size of {length} is greater than the maximum allowed of 250. ({name})"),
        "MAX_INPUT_SIZE_EXCEEDED",
    )
}

fn by_identifier(state: &State, args: &Args) -> Result<Option<u64>, FieldError> {
    let given = args.map("identifier").cloned().unwrap_or_default();
    if given.len() != 1 {
        return Err(FieldError::new("exactly one of customId, handle or id must be given"));
    }
    if let Some(handle) = given.text("handle") {
        return Ok(state.handles.get(handle).copied());
    }
    Ok(given.text("id").and_then(|id| number_of(id, "Product")).filter(|id| state.products.contains_key(id)))
}

/// A version as `publicApiVersions` tells it.
pub(super) fn api_version(handle: &str) -> Out {
    Out::record(
        "ApiVersion",
        vec![
            ("handle", Out::text(handle)),
            ("displayName", Out::text(handle)),
            ("supported", Out::bool(true)),
        ],
    )
}

/// The object of an id; `None` where there is none.
pub(super) fn node(state: &State, id: &str) -> Option<Obj> {
    let (type_name, number) = read_gid(id)?;
    match type_name {
        "Product" => state.products.contains_key(&number).then_some(Obj::Product(number)),
        "ProductVariant" => state.variants.contains_key(&number).then_some(Obj::Variant(number)),
        "InventoryItem" => state.items.get(&number).map(|variant| Obj::Item(*variant)),
        "MediaImage" | "Video" | "ExternalVideo" | "Model3d" => {
            let media = state.media.get(&number).filter(|media| media.kind.type_name() == type_name);
            media.map(|media| Obj::Media(media.id))
        }
        "Metafield" => metafield::find(state, number).map(|_| Obj::Metafield(number)),
        "Collection" => state.collections.contains_key(&number).then_some(Obj::Collection(number)),
        "Shop" => (state.shop.id == number).then_some(Obj::Shop),
        "BulkOperation" => state.bulks.all.contains_key(&number).then_some(Obj::Bulk(number)),
        "WebhookSubscription" => state.webhooks.all.contains_key(&number).then_some(Obj::Webhook(number)),
        "ProductOption" => state
            .products
            .values()
            .find(|product| product.options.iter().any(|option| option.id == number))
            .map(|product| Obj::Option(product.id, number)),
        "ProductOptionValue" => state.products.values().find_map(|product| {
            let option =
                product.options.iter().find(|option| option.values.iter().any(|value| value.id == number))?;
            Some(Obj::OptionValue(product.id, option.id, number))
        }),
        "BasicEvent" => state.events.contains_key(&number).then_some(Obj::Event(number)),
        _ => None,
    }
}

/// Runs a mutation.
pub(super) fn mutate(state: &mut State, name: &str, args: &Args) -> Result<Out, FieldError> {
    for (name, value) in args {
        if let Some(items) = value.as_array().filter(|items| items.len() > 250 && name != "metafields") {
            return Err(too_long(name, items.len()));
        }
    }
    match name {
        "productUpdate" => super::write_product::update(state, args),
        "tagsAdd" | "tagsRemove" => super::write_tags::change(state, name, args),
        "metafieldsSet" => super::write_metafields::set(state, args),
        "metafieldsDelete" => super::write_metafields::delete(state, args),
        "fileUpdate" => super::write_files::update(state, args),
        "translationsRegister" => super::write_translations::register(state, args),
        "translationsRemove" => super::write_translations::remove(state, args),
        "productVariantsBulkUpdate" => super::write_variants::bulk_update(state, args),
        "productOptionUpdate" => super::write_variants::update_option(state, args),
        "productSet" => super::write_set::set(state, args),
        "publishablePublish" => super::write_other::publish(state, args),
        "inventorySetQuantities" => super::write_other::set_quantities(state, args),
        "bulkOperationRunQuery" => bulk::run_query(state, args),
        "bulkOperationRunMutation" => bulk::run_mutation(state, args),
        "bulkOperationCancel" => bulk::cancel(state, args),
        "stagedUploadsCreate" => super::uploads::create(state, args),
        "webhookSubscriptionCreate" => webhooks::create(state, args),
        "webhookSubscriptionUpdate" => webhooks::update(state, args),
        "webhookSubscriptionDelete" => webhooks::delete(state, args),
        _ => Err(FieldError::undefined("Mutation", name)),
    }
}
