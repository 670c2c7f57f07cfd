//! Names of what records point at by id alone.

use std::collections::HashMap;

use super::{Entity, ExternalId, Text};

/// What a store calls the categories, brands and tags that its records name by their ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names(HashMap<Entity, HashMap<ExternalId, Text>>);

impl Names {
    /// Notes a name; a later one takes its place.
    pub fn insert(&mut self, kind: Entity, id: ExternalId, name: Text) {
        self.0.entry(kind).or_default().insert(id, name);
    }

    /// The name of what has this id, where it is known.
    #[must_use]
    pub fn get(&self, kind: Entity, id: &ExternalId) -> Option<&Text> {
        self.0.get(&kind)?.get(id)
    }
}
