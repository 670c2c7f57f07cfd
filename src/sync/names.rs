//! Names that enrichments want to use, as the store knows them: looked up once a plan.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::push::Push;
use super::verdict::Rejection;
use crate::connector::{Known, LookUp};
use crate::error::{ErrorKind, Result};
use crate::model::{
    Attribute, Enrichment, ExternalId, FieldName, NameSource, Normaliser, Text, WritableField,
};

/// What the store knows of the names of a plan.
#[derive(Debug, Default)]
pub(super) struct Names {
    names: HashMap<(FieldName, String), Known>,
    /// The spelling of values: the store's, or that of the first one in the plan.
    values: HashMap<(ExternalId, String), Text>,
    /// The values that the store was asked for and does not have.
    unknown: HashSet<(ExternalId, String)>,
}

fn folded(name: &str) -> String {
    Normaliser::Folded1.apply(name).into_owned()
}

impl Names {
    /// What the store knows of a name of a field.
    fn get(&self, field: &FieldName, name: &str) -> &Known {
        self.names.get(&(field.clone(), folded(name))).unwrap_or(&Known::No)
    }

    /// The id of a name that must be known.
    pub(super) fn id(&self, field: &FieldName, name: &str) -> Result<ExternalId, Rejection> {
        match self.get(field, name) {
            Known::One { id, .. } => Ok(id.clone()),
            Known::No => Err(Rejection::NameUnknown),
            Known::Several => Err(Rejection::NameAmbiguous),
        }
    }

    /// Whether another record than this one has the value.
    pub(super) fn is_taken(&self, field: &FieldName, value: &str, own: &ExternalId) -> bool {
        match self.get(field, value) {
            Known::No => false,
            Known::One { id, .. } => id != own,
            Known::Several => true,
        }
    }

    /// A new attribute of a record: the store's own where it has one of that name, else the record's alone.
    pub(super) fn attribute(&self, field: &FieldName, label: &Text) -> Result<Attribute, Rejection> {
        let known = match self.get(field, label) {
            Known::One { id, name } => (Some(id.clone()), name.clone()),
            Known::No => (None, label.clone()),
            Known::Several => return Err(Rejection::NameAmbiguous),
        };
        Ok(Attribute {
            id: known.0,
            label: known.1,
            visible: Some(true),
            distinguishes_variants: Some(false),
            ..Attribute::default()
        })
    }

    /// The values of an attribute whose values must be known, in the store's own spelling. A store that keeps no such
    /// names takes any.
    pub(super) fn known_values(
        &self,
        attribute: &ExternalId,
        values: &[Text],
    ) -> Result<Vec<Text>, Rejection> {
        let known = |value: &Text| match self.unknown.contains(&(attribute.clone(), folded(value))) {
            true => Err(Rejection::NameUnknown),
            false => Ok(self.spelled(attribute, value)),
        };
        values.iter().map(known).collect()
    }

    /// A value in the store's own spelling, where it has that value, else in one spelling for the whole plan.
    pub(super) fn spelled(&self, attribute: &ExternalId, value: &Text) -> Text {
        self.values.get(&(attribute.clone(), folded(value))).cloned().unwrap_or_else(|| value.clone())
    }
}

impl Push {
    /// Looks up the names that the enrichments' changes need.
    pub(super) async fn look_up_names(&self, enrichments: &[Enrichment]) -> Result<Names> {
        let mut wanted: BTreeMap<FieldName, BTreeSet<Text>> = BTreeMap::new();
        // Values by the folded label of their attribute.
        let mut values: BTreeMap<(FieldName, String), BTreeSet<Text>> = BTreeMap::new();
        for enrichment in enrichments {
            let Some(entity) = self.connector.capabilities().entity(enrichment.target.kind) else { continue };
            for (field, change) in &enrichment.fields {
                let Some(writable) = entity.writable(field) else { continue };
                // What will be refused is not asked for.
                let fits = |text: &str| {
                    text.len() <= writable.max_bytes
                        && writable.check.is_none_or(|check| (check.altered)(text).is_none())
                };
                let names = wanted.entry(field.clone()).or_default();
                if needs_names(writable)
                    && let Some(edit) = &change.edit
                {
                    names
                        .extend(edit.add.iter().chain(edit.update.keys()).filter(|name| fits(name)).cloned());
                    for (label, value) in &edit.update {
                        let texts = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
                        let texts = texts.iter().filter_map(|text| text.as_str());
                        let texts = texts.filter(|text| fits(text)).map(Text::from);
                        values.entry((field.clone(), folded(label))).or_default().extend(texts);
                    }
                }
                if writable.unique
                    && let Some(value) =
                        change.value.as_ref().and_then(|value| value.as_str()).filter(|value| fits(value))
                {
                    names.insert(value.into());
                }
            }
        }
        let mut names = Names::default();
        for (field, wanted) in wanted {
            let asked: Vec<Text> = wanted.into_iter().collect();
            let look_up = LookUp::Names { field: field.clone(), names: asked.clone() };
            let known = self.known(&look_up, asked.is_empty()).await?;
            names.names.extend(asked.iter().map(|name| (field.clone(), folded(name))).zip(known));
        }
        for ((field, label), wanted) in values {
            let Known::One { id, .. } = names.get(&field, &label).clone() else { continue };
            let asked: Vec<Text> = wanted.into_iter().collect();
            let look_up = LookUp::Values { attribute: id.clone(), names: asked.clone() };
            let known = self.known(&look_up, asked.is_empty()).await?;
            for (at, name) in asked.iter().enumerate() {
                if known.get(at) == Some(&Known::No) {
                    names.unknown.insert((id.clone(), folded(name)));
                }
                let spelled = match known.get(at) {
                    Some(Known::One { name, .. }) => name,
                    Some(Known::Several) => continue,
                    Some(Known::No) | None => name,
                };
                names.values.entry((id.clone(), folded(name))).or_insert_with(|| spelled.clone());
            }
        }
        Ok(names)
    }

    /// What the store knows of names.
    pub(super) async fn known(&self, look_up: &LookUp, is_empty: bool) -> Result<Vec<Known>> {
        if is_empty {
            return Ok(Vec::new());
        }
        match self.connector.look_up(look_up).await {
            // A store without such names knows none of them.
            Err(error) if error.kind() == ErrorKind::Unsupported => Ok(Vec::new()),
            known => known,
        }
    }
}

fn needs_names(writable: &WritableField) -> bool {
    matches!(writable.names, NameSource::Known | NameSource::Either)
}
