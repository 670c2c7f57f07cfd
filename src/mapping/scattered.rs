//! Attributes that stand on the wire a value at a time: those of one name are made one.

use crate::model::{Attribute, Field, Record, Text};

/// Gathers the values of each attribute, in the order of its first one. What a version tells apart stays in the order
/// of the values, parted by commas. A value that an option has already is the same one: each variant repeats it.
pub(super) fn gather(record: &mut Record) {
    let Record::Product(product) = record else { return };
    let Field::Value(attributes) = &mut product.attributes else { return };
    let mut gathered: Vec<Attribute> = Vec::with_capacity(attributes.len());
    for mut attribute in attributes.drain(..) {
        let is_option = attribute.distinguishes_variants == Some(true);
        let is_same = |known: &Attribute| {
            known.distinguishes_variants == attribute.distinguishes_variants
                && known.id == attribute.id
                && known.namespace == attribute.namespace
                && known.label == attribute.label
        };
        // A list within a namespace has one entry a key.
        let known = gathered.iter_mut().find(|known| known.namespace.is_none() && is_same(known));
        let Some(known) = known else {
            gathered.push(attribute);
            continue;
        };
        if is_option {
            attribute.values.retain(|value| !known.values.contains(value));
        }
        known.values.append(&mut attribute.values);
        if let (Some(known), Some(version)) = (&mut known.version, &attribute.version) {
            *known = Text::joined(&[known, ",", version]);
        }
    }
    *attributes = gathered;
}
