//! Variants: their item numbers, and nothing else of them.
//!
//! The mutation takes variants of one product. Where one of them is no good it refuses all (`allowPartialUpdates` is
//! false), and each half goes again, as with every mutation of several entries. With partial updates, what is valid
//! "may be persisted" (SDL 2026-10): which of them was is told by the ways to the refused fields alone, and what those
//! look like is UNVERIFIED. So what is told of a variant is the answer to a call in which nothing else was refused.

use serde_json::{Map, Value, json};

use super::documents;
use super::wire;
use super::write::{Step, not_writable};
use crate::connector::{Patch, PatchValue};
use crate::error::Result;
use crate::mapping::SchemaMap;
use crate::model::{Entity, FieldName};

/// The mutation's field.
pub(super) const ROOT: &str = "productVariantsBulkUpdate";
/// The most variants that one mutation names: no list of an input may be longer (2026-11-22).
const MAX_AT_ONCE: usize = 250;

/// What a variant is given: the place of its patch, the field, and the entry of the input.
pub(super) type Given = (usize, (FieldName, Map<String, Value>));

/// The patches that go together, each with its place: variants of one product; every other record goes alone.
pub(super) fn together(patches: &[Patch]) -> Vec<Vec<(usize, &Patch)>> {
    let mut groups: Vec<Vec<(usize, &Patch)>> = Vec::new();
    for (at, patch) in patches.iter().enumerate() {
        let is_variant = patch.target.kind == Entity::Variant && patch.product.is_some();
        let siblings = groups.iter_mut().find(|group| {
            is_variant && group.first().is_some_and(|(_, first)| first.product == patch.product)
        });
        match siblings {
            Some(group) => group.push((at, patch)),
            None => groups.push(vec![(at, patch)]),
        }
    }
    groups
}

/// The mutation of one variant.
pub(super) fn step(map: &SchemaMap, patch: &Patch) -> Result<Step> {
    let product = patch.product_id(wire::is_id)?;
    let id = wire::gid(Entity::Variant, patch.target.id.as_str());
    let mut given = Vec::new();
    for change in &patch.changes {
        let barcode = match (map.write_place(&change.field)?, &change.value) {
            ("/barcode", PatchValue::Text { text, .. }) => text.as_str().into(),
            // As the platform tells one that is not there; whether the empty text would do is UNVERIFIED.
            ("/barcode", PatchValue::Removed) => Value::Null,
            _ => return Err(not_writable(&change.field)),
        };
        let entry = [("id", id.as_str().into()), ("barcode", barcode)];
        let entry = entry.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        given.push((0, (change.field.clone(), entry)));
    }
    Ok(update(&wire::gid(Entity::Product, product.as_str()).into(), given))
}

/// The mutation of some variants of a product.
pub(super) fn update(product: &Value, given: Vec<Given>) -> Step {
    let entries: Vec<&Map<String, Value>> = given.iter().map(|(_, (_, entry))| entry).collect();
    let variables = json!({ "product": product, "variants": entries });
    let (patches, parts): (Vec<usize>, Vec<_>) = given.into_iter().unzip();
    let mut fields: Vec<FieldName> = parts.iter().map(|(field, _)| field.clone()).collect();
    fields.sort();
    fields.dedup();
    Step { patches, ..Step::of_fields(&documents::UPDATE_VARIANTS, ROOT, variables, fields, parts) }
}

/// The mutations of patches that go together: those of variants in as few as there can be.
pub(super) fn joined(steps: Vec<Step>) -> Vec<Step> {
    let (variants, mut steps): (Vec<Step>, Vec<Step>) = steps.into_iter().partition(|step| step.root == ROOT);
    let product = variants.first().and_then(|step| step.variables.get("product")).cloned();
    let given: Vec<Given> = variants.iter().flat_map(Step::given).collect();
    if let Some(product) = product {
        steps.extend(given.chunks(MAX_AT_ONCE).map(|some| update(&product, some.to_vec())));
    }
    steps
}
