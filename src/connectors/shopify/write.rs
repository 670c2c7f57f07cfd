//! Writing: each patch becomes as few mutations as its fields need, and none that replaces a list.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};

use futures_util::StreamExt;
use futures_util::stream;
use serde_json::{Map, Value, json};

use super::connector::Shopify;
use super::metafields::{self, Types};
use super::{client, documents, language, options, variants, wire};
use crate::connector::{Answer, FieldAnswer, Outcomes, Patch, PatchField, PatchValue, PushRequest, Written};
use crate::error::{Error, ErrorKind, Result};
use crate::graphql::{Document, UserErrors};
use crate::model::{Entity, FieldName, Term};

/// The most records that are written at once; the store's limiter decides how many calls leave.
const AT_ONCE: usize = 4;

/// One mutation, and the fields that it writes.
pub(super) struct Step {
    pub(super) document: &'static Document,
    /// The mutation's field, below which the answer stands.
    pub(super) root: &'static str,
    pub(super) variables: Value,
    pub(super) fields: Vec<FieldName>,
    /// What each field brings into the input, where it can be halved by that.
    pub(super) parts: Vec<(FieldName, Map<String, Value>)>,
    /// Whose fields they are, by place among the patches that go together; of variants, one for each part.
    pub(super) patches: Vec<usize>,
}

impl Step {
    pub(super) fn new(
        document: &'static Document,
        root: &'static str,
        variables: Value,
        field: &FieldName,
    ) -> Self {
        Self::of_fields(document, root, variables, vec![field.clone()], Vec::new())
    }

    /// A mutation that writes several fields, with what each brings into it where it can be halved.
    pub(super) fn of_fields(
        document: &'static Document,
        root: &'static str,
        variables: Value,
        fields: Vec<FieldName>,
        parts: Vec<(FieldName, Map<String, Value>)>,
    ) -> Self {
        Self { document, root, variables, fields, parts, patches: vec![0] }
    }

    /// The same mutation, of the patch at that place.
    fn of(mut self, place: usize) -> Self {
        self.patches.iter_mut().for_each(|at| *at = place);
        self
    }

    /// What each variant is given, with the place of its patch.
    pub(super) fn given(&self) -> Vec<variants::Given> {
        self.patches.iter().copied().zip(self.parts.iter().cloned()).collect()
    }

    /// Both halves of a mutation that the platform refuses whole where one entry is no good.
    pub(super) fn halves(&self) -> Option<[Self; 2]> {
        if self.parts.len() > 1 && self.root == variants::ROOT {
            let product = self.variables.get("product")?;
            let given = self.given();
            let (one, other) = given.split_at(given.len() / 2);
            return Some([
                variants::update(product, one.to_vec()),
                variants::update(product, other.to_vec()),
            ]);
        }
        if self.parts.len() > 1 && self.root == "translationsRegister" {
            let id = self.variables.get("id")?.as_str()?;
            let (one, other) = self.parts.split_at(self.parts.len() / 2);
            return Some([
                language::registered(id, one.to_vec())?,
                language::registered(id, other.to_vec())?,
            ]);
        }
        if self.parts.len() > 1 {
            let id = self.variables.get("product")?.get("id")?.as_str()?;
            let half = |parts: &[(FieldName, Map<String, Value>)]| {
                ProductUpdate { id: id.to_owned(), parts: parts.to_vec() }.step()
            };
            let (one, other) = self.parts.split_at(self.parts.len() / 2);
            return Some([half(one)?, half(other)?]);
        }
        let key = match self.root {
            "fileUpdate" => "files",
            "metafieldsSet" => "metafields",
            "productOptionUpdate" => "values",
            _ => return None,
        };
        let entries = self.variables.get(key)?.as_array().filter(|entries| entries.len() > 1)?;
        let (one, other) = entries.split_at(entries.len() / 2);
        let field = self.fields.first()?;
        let half = |entries: &[Value]| {
            let mut variables = self.variables.clone();
            *variables.get_mut(key)? = entries.into();
            Some(Self::new(self.document, self.root, variables, field))
        };
        Some([half(one)?, half(other)?])
    }
}

impl Shopify {
    /// Writes the patches, and answers once per patch, in order.
    pub(super) async fn write_all(&self, request: &PushRequest) -> Result<Vec<Answer>> {
        let groups = variants::together(&request.patches);
        let writes: Vec<_> = groups.iter().map(|group| self.write_together(group, request)).collect();
        let written: Vec<Vec<Written>> = stream::iter(writes).buffered(AT_ONCE).collect().await;
        let places = groups.iter().flatten().map(|(at, _)| *at);
        let mut written: Vec<(usize, Written)> = places.zip(written.into_iter().flatten()).collect();
        written.sort_by_key(|(at, _)| *at);
        Written::answers(written.into_iter().map(|(_, written)| written).collect())
    }

    /// Writes patches that go together, and answers once per patch, in order.
    async fn write_together(&self, patches: &[(usize, &Patch)], request: &PushRequest) -> Vec<Written> {
        let mut outcomes: Vec<Outcomes> = patches.iter().map(|_| Outcomes::new()).collect();
        let mut steps = Vec::new();
        for (place, ((_, patch), outcomes)) in patches.iter().zip(&mut outcomes).enumerate() {
            match self.types(patch).await.and_then(|types| self.steps(patch, &types)) {
                Ok(own) => steps.extend(own.into_iter().map(|step| step.of(place))),
                Err(error) => {
                    let all: Vec<FieldName> =
                        patch.changes.iter().map(|change| change.field.clone()).collect();
                    outcomes.held_back(&all, error);
                }
            }
        }
        let mut steps = VecDeque::from(variants::joined(steps));
        while let Some(step) = steps.pop_front() {
            // Somebody else is at these metafields, or they were lost: nothing of them is deleted.
            let is_open = |field: &FieldName| {
                let mut said = step.patches.iter().filter_map(|at| outcomes.get(*at)?.of(field));
                said.any(|said| *said != FieldAnswer::Accepted)
            };
            if step.root == "metafieldsDelete" && step.fields.iter().any(is_open) {
                continue;
            }
            let answer = self.take(&step, request).await.map_err(Arc::new);
            // It was refused whole: what is good of it goes without the rest.
            let halves = match &answer {
                Ok(FieldAnswer::Refused { .. }) => step.halves(),
                _ => None,
            };
            for (_, outcomes) in outcomes.iter_mut().enumerate().filter(|(at, _)| step.patches.contains(at)) {
                match &answer {
                    Ok(answer) if halves.is_some() => outcomes.said(&[], answer),
                    Ok(answer) => outcomes.said(&step.fields, answer),
                    Err(error) => outcomes.failed(&step.fields, Arc::clone(error)),
                }
            }
            halves.into_iter().flatten().rev().for_each(|half| steps.push_front(half));
        }
        outcomes.into_iter().zip(patches).map(|(outcomes, (_, patch))| outcomes.written(patch)).collect()
    }

    /// Sends one mutation, and reads what it refused.
    async fn take(&self, step: &Step, request: &PushRequest) -> Result<FieldAnswer> {
        let call = step
            .document
            .request(self.version.path(), &step.variables)?
            .lane(request.lane)
            .not_after(Some(request.guard_until))
            .attempt_limits(wire::WRITE_TIMEOUT, wire::WRITE_TIMEOUT);
        let errors: UserErrors = client::member(&self.client, call, &[step.root, "userErrors"]).await?;
        Ok(said_by(&errors))
    }

    /// The mutations of a patch: what is refused here leaves the whole record unwritten.
    pub(super) fn steps(&self, patch: &Patch, types: &Types) -> Result<Vec<Step>> {
        if !matches!(patch.target.kind, Entity::Product | Entity::Variant) || !wire::is_id(&patch.target.id) {
            let message = "only products and variants can be written";
            return Err(Error::new(ErrorKind::Unsupported, "not_writable", message));
        }
        patch.changes.iter().try_for_each(|change| self.must_be_claimed(patch.target.kind, change))?;
        if patch.target.kind == Entity::Variant {
            return Ok(vec![variants::step(&self.variants, patch)?]);
        }
        let id = wire::gid(Entity::Product, patch.target.id.as_str());
        if let Some(language) = &self.language {
            return language::steps(language, &id, patch);
        }
        let mut product = ProductUpdate::new(&id);
        let mut steps = Vec::new();
        for change in &patch.changes {
            match (&change.value, &change.before) {
                (PatchValue::Text { text, .. }, _) => {
                    product.put(self.place_of(&change.field)?, text, &change.field)?;
                }
                (PatchValue::Removed, _) => {
                    product.put(self.place_of(&change.field)?, "", &change.field)?;
                }
                (PatchValue::Terms(after), Some(PatchValue::Terms(before))) => match change.field.as_str() {
                    "categories" => product.collections(before, after, &change.field)?,
                    "brands" => product.vendor(after, &change.field)?,
                    _ => tags(&id, before, after, &change.field, &mut steps),
                },
                (PatchValue::Attributes(after), Some(PatchValue::Attributes(before))) => {
                    steps.extend(match change.field.as_str() {
                        "options" => options::of_names(&id, before, after, &change.field)?,
                        "options.values" => options::of_values(&id, before, after, &change.field)?,
                        _ => metafields::steps(&id, before, after, types, &change.field)?,
                    });
                }
                (PatchValue::Media(media), _) => {
                    let files: Vec<Value> = media
                        .iter()
                        .filter_map(|media| {
                            Some(json!({ "id": media.id.as_ref()?, "alt": media.alt.as_ref()? }))
                        })
                        .collect();
                    if !files.is_empty() {
                        let variables = json!({ "files": files });
                        steps.push(Step::new(
                            &documents::UPDATE_FILES,
                            "fileUpdate",
                            variables,
                            &change.field,
                        ));
                    }
                }
                _ => return Err(not_writable(&change.field)),
            }
        }
        if let Some(step) = product.step() {
            steps.insert(0, step);
        }
        Ok(steps)
    }

    /// Where a text is written, as the map has it: the category's cell is its id.
    fn place_of(&self, field: &FieldName) -> Result<&str> {
        match field.as_str() {
            "taxonomy" => self.products.write_place(&FieldName::new("taxonomy.id")),
            _ => self.products.write_place(field),
        }
    }

    /// Looks up the types of metafields where new ones are brought: what a text has to be depends on it.
    pub(super) async fn prepare_types(&self, brings: &[FieldName]) -> Result<()> {
        if brings.iter().any(|field| field.as_str() == "attributes") {
            let types = Arc::new(self.metafield_types().await?);
            *self.types.lock().unwrap_or_else(PoisonError::into_inner) = Some(types);
        }
        Ok(())
    }

    /// The types of metafields that a patch brings new, as they were looked up before its guard read; looked up now
    /// where nobody prepared for it.
    async fn types(&self, patch: &Patch) -> Result<Arc<Types>> {
        if !brings_new(patch) {
            return Ok(Arc::default());
        }
        let known = self.types.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match known {
            Some(types) => Ok(types),
            None => Ok(Arc::new(self.metafield_types().await?)),
        }
    }

    /// What this store cannot write is not sent, whatever the map could.
    fn must_be_claimed(&self, kind: Entity, change: &PatchField) -> Result<()> {
        let claims = self.capabilities.entity(kind);
        match claims.and_then(|claims| claims.writable(&change.field)) {
            Some(_) => Ok(()),
            None => Err(not_writable(&change.field)),
        }
    }
}

/// What `productUpdate` is told: what changed, and nothing else.
struct ProductUpdate {
    id: String,
    /// What each field brings into the input.
    parts: Vec<(FieldName, Map<String, Value>)>,
}

impl ProductUpdate {
    fn new(id: &str) -> Self {
        Self { id: id.to_owned(), parts: Vec::new() }
    }

    /// Sets a text by its place in the map. The empty text takes a value away: whether `null` would do is not known
    /// (2026-11-22).
    fn put(&mut self, place: &str, text: &str, field: &FieldName) -> Result<()> {
        let plain = |key: &str| Map::from_iter([(key.to_owned(), text.into())]);
        let part = match place {
            "/title" | "/descriptionHtml" | "/productType" => plain(place.trim_start_matches('/')),
            "/handle" => {
                let mut part = plain("handle");
                part.insert("redirectNewHandle".to_owned(), true.into());
                part
            }
            "/category/id" => {
                let category = match text {
                    "" => Value::Null,
                    id => format!("gid://shopify/TaxonomyCategory/{id}").into(),
                };
                Map::from_iter([("category".to_owned(), category)])
            }
            "/seo/title" => Map::from_iter([("seo".to_owned(), plain("title").into())]),
            "/seo/description" => Map::from_iter([("seo".to_owned(), plain("description").into())]),
            _ => return Err(not_writable(field)),
        };
        self.parts.push((field.clone(), part));
        Ok(())
    }

    /// The vendor is a text of its own, which stands for the list of one brand.
    fn vendor(&mut self, after: &[Term], field: &FieldName) -> Result<()> {
        let [vendor] = after else {
            let found = format!("a product has one vendor, got {}", after.len());
            return Err(Error::new(ErrorKind::Rejected, "not_one_vendor", found)
                .with_remedy("take out the one that is there, and add one"));
        };
        self.parts
            .push((field.clone(), Map::from_iter([("vendor".to_owned(), vendor.name.as_str().into())])));
        Ok(())
    }

    fn collections(&mut self, before: &[Term], after: &[Term], field: &FieldName) -> Result<()> {
        let gids = |terms: Vec<&Term>| -> Result<Vec<String>> {
            let gid = |term: &Term| {
                let id = term.id.as_ref().filter(|id| wire::is_id(id)).ok_or_else(|| {
                    Error::new(ErrorKind::Rejected, "collection_unknown", "a collection has no id")
                        .with_remedy("plan again, so that the store's collections are looked up")
                })?;
                Ok(wire::gid(Entity::Category, id.as_str()))
            };
            terms.into_iter().map(gid).collect()
        };
        let without = |some: &[Term], term: &Term| !some.iter().any(|other| other.id == term.id);
        let join = gids(after.iter().filter(|term| without(before, term)).collect())?;
        let leave = gids(before.iter().filter(|term| without(after, term)).collect())?;
        let mut part = Map::new();
        for (key, ids) in [("collectionsToJoin", join), ("collectionsToLeave", leave)] {
            if !ids.is_empty() {
                part.insert(key.to_owned(), ids.into());
            }
        }
        if !part.is_empty() {
            self.parts.push((field.clone(), part));
        }
        Ok(())
    }

    fn step(self) -> Option<Step> {
        if self.parts.is_empty() {
            return None;
        }
        let mut input = Map::from_iter([("id".to_owned(), Value::from(self.id))]);
        for (_, part) in &self.parts {
            for (key, value) in part {
                match (input.get_mut(key), value) {
                    // Both texts for search engines stand in one object.
                    (Some(Value::Object(known)), Value::Object(more)) => known.extend(more.clone()),
                    _ => drop(input.insert(key.clone(), value.clone())),
                }
            }
        }
        Some(Step {
            document: &documents::UPDATE_PRODUCT,
            root: "productUpdate",
            fields: self.parts.iter().map(|(field, _)| field.clone()).collect(),
            variables: json!({ "product": input }),
            parts: self.parts,
            patches: vec![0],
        })
    }
}

/// What comes is added and what goes is removed, each by name: the other tags are not touched.
fn tags(id: &str, before: &[Term], after: &[Term], field: &FieldName, steps: &mut Vec<Step>) {
    let names = |some: &[Term], others: &[Term]| -> Vec<String> {
        let other = |term: &&Term| !others.iter().any(|other| other.name == term.name);
        some.iter().filter(other).map(|term| term.name.to_string()).collect()
    };
    let mut step = |document, root, tags: Vec<String>| {
        if !tags.is_empty() {
            steps.push(Step::new(document, root, json!({ "id": id, "tags": tags }), field));
        }
    };
    step(&documents::REMOVE_TAGS, "tagsRemove", names(before, after));
    step(&documents::ADD_TAGS, "tagsAdd", names(after, before));
}

/// Whether a patch brings metafields that are new: their types are the shop's.
pub(super) fn brings_new(patch: &Patch) -> bool {
    patch.changes.iter().any(|change| match &change.value {
        PatchValue::Attributes(_) if change.field.as_str() != "attributes" => false,
        PatchValue::Attributes(after) => after.iter().any(metafields::is_new),
        _ => false,
    })
}

/// What the refusals of a mutation say of it.
pub(super) fn said_by(errors: &UserErrors) -> FieldAnswer {
    match errors.list.first() {
        None => FieldAnswer::Accepted,
        Some(error) => FieldAnswer::Refused {
            code: error.code.clone().unwrap_or_else(|| "user_error".to_owned()),
            why: format!("the store refused it: {} ({})", error.message, error.field_path()),
        },
    }
}

pub(super) fn not_writable(field: &FieldName) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "field_not_writable",
        format!("this store cannot write the field {field}"),
    )
    .with_remedy("ask the capabilities which fields can be written")
}
