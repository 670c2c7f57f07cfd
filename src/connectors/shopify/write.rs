//! Writing: each patch becomes as few mutations as its fields need, and none that replaces a list.

use std::collections::HashMap;

use futures_util::StreamExt;
use futures_util::stream;
use serde_json::{Map, Value, json};

use super::connector::Shopify;
use super::metafields::{self, Types};
use super::{client, documents, wire};
use crate::connector::{Answer, FieldAnswer, Patch, PatchField, PatchValue, PushRequest};
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::graphql::{Document, UserErrors};
use crate::model::{Entity, FieldName, Term};

/// The most records that are written at once; the store's limiter decides how many calls leave.
const AT_ONCE: usize = 4;

/// One mutation, and the fields of the patch that it writes.
pub(super) struct Step {
    pub(super) document: &'static Document,
    /// The mutation's field, below which the answer stands.
    pub(super) root: &'static str,
    pub(super) variables: Value,
    pub(super) fields: Vec<FieldName>,
}

/// What became of one patch.
struct Written {
    answer: Answer,
    /// Why nothing of it was sent, where nothing was.
    unsent: Option<Error>,
}

impl Shopify {
    /// Writes the patches, and answers once per patch, in order.
    pub(super) async fn write_all(&self, request: &PushRequest) -> Result<Vec<Answer>> {
        let writes: Vec<_> = request.patches.iter().map(|patch| self.write_one(patch, request)).collect();
        let written: Vec<Written> = stream::iter(writes).buffered(AT_ONCE).collect().await;
        let nothing_was_sent = written.iter().all(|one| one.unsent.is_some());
        let (mut answers, mut unsent) = (Vec::with_capacity(written.len()), None);
        for one in written {
            answers.push(one.answer);
            unsent = unsent.or(one.unsent);
        }
        // Nothing was sent at all: the caller is told why, once.
        match unsent {
            Some(error) if nothing_was_sent => Err(error),
            _ => Ok(answers),
        }
    }

    async fn write_one(&self, patch: &Patch, request: &PushRequest) -> Written {
        let mut said: HashMap<FieldName, FieldAnswer> = HashMap::new();
        let (mut sent, mut unsent) = (false, None);
        match self.types(patch).await.and_then(|types| self.steps(patch, &types)) {
            Ok(steps) => {
                for step in steps {
                    // A lost write closes its record, and what was refused in part is not gone on with.
                    let is_lost = said.values().any(|said| matches!(said, FieldAnswer::Unknown { .. }));
                    let is_refused =
                        |field: &FieldName| matches!(said.get(field), Some(FieldAnswer::Refused { .. }));
                    if is_lost || step.fields.iter().any(is_refused) {
                        for field in step.fields {
                            said.entry(field).or_insert_with(|| FieldAnswer::Refused {
                                code: "not_sent".to_owned(),
                                why: "an earlier write of the record was lost".to_owned(),
                            });
                        }
                        continue;
                    }
                    let answer = match self.take(&step, request).await {
                        Ok(answer) => {
                            sent = true;
                            answer
                        }
                        Err(error) if error.effect() == Effect::Possible => {
                            sent = true;
                            FieldAnswer::Unknown { why: error.to_string() }
                        }
                        Err(error) => {
                            let answer = refused(&error);
                            // What the platform answered was sent.
                            let is_answer = error.context().iter().any(|(name, _)| *name == "status");
                            sent |= is_answer;
                            if !is_answer {
                                unsent = Some(error);
                            }
                            answer
                        }
                    };
                    for field in step.fields {
                        let worst = match said.remove(&field) {
                            Some(before) => worse(before, answer.clone()),
                            None => answer.clone(),
                        };
                        said.insert(field, worst);
                    }
                }
            }
            Err(error) => {
                said.extend(patch.changes.iter().map(|change| (change.field.clone(), refused(&error))));
                unsent = Some(error);
            }
        }
        let fields = patch.changes.iter().map(|change| {
            // A list that is as it should be took no call.
            let answer = said.get(&change.field).cloned().unwrap_or(FieldAnswer::Accepted);
            (change.field.clone(), answer)
        });
        Written {
            answer: Answer::new(patch.target.clone(), fields.collect()),
            unsent: unsent.filter(|_| !sent),
        }
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
        Ok(match errors.list.first() {
            None => FieldAnswer::Accepted,
            Some(error) => FieldAnswer::Refused {
                code: error.code.clone().unwrap_or_else(|| "user_error".to_owned()),
                why: format!("the store refused it: {} ({})", error.message, error.field_path()),
            },
        })
    }

    /// The mutations of a patch: what is refused here leaves the whole record unwritten.
    fn steps(&self, patch: &Patch, types: &Types) -> Result<Vec<Step>> {
        if patch.target.kind != Entity::Product || !wire::is_id(&patch.target.id) {
            return Err(Error::new(ErrorKind::Unsupported, "not_writable", "only products can be written"));
        }
        let id = wire::gid(Entity::Product, patch.target.id.as_str());
        let mut product = ProductUpdate::new(&id);
        let mut steps = Vec::new();
        for change in &patch.changes {
            self.must_be_claimed(change)?;
            match (&change.value, &change.before) {
                (PatchValue::Text { text, .. }, _) => {
                    product.put(self.products.write_place(&change.field)?, text, &change.field)?;
                }
                (PatchValue::Removed, _) => {
                    product.put(self.products.write_place(&change.field)?, "", &change.field)?;
                }
                (PatchValue::Terms(after), Some(PatchValue::Terms(before))) => match change.field.as_str() {
                    "categories" => product.collections(before, after, &change.field)?,
                    _ => tags(&id, before, after, &change.field, &mut steps),
                },
                (PatchValue::Attributes(after), Some(PatchValue::Attributes(before))) => {
                    steps.extend(metafields::steps(&id, before, after, types, &change.field)?);
                }
                (PatchValue::Media(media), _) => {
                    let files: Vec<Value> = media
                        .iter()
                        .filter_map(|media| {
                            Some(json!({ "id": media.id.as_ref()?, "alt": media.alt.as_ref()? }))
                        })
                        .collect();
                    if !files.is_empty() {
                        steps.push(Step {
                            document: &documents::UPDATE_FILES,
                            root: "fileUpdate",
                            variables: json!({ "files": files }),
                            fields: vec![change.field.clone()],
                        });
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

    /// The types of metafields that a patch brings new: what a text has to be depends on it.
    async fn types(&self, patch: &Patch) -> Result<Types> {
        let brings_new = patch.changes.iter().any(|change| match &change.value {
            PatchValue::Attributes(after) => after.iter().any(metafields::is_new),
            _ => false,
        });
        if brings_new { self.metafield_types().await } else { Ok(Types::new()) }
    }

    /// What this store cannot write is not sent, whatever the map could.
    fn must_be_claimed(&self, change: &PatchField) -> Result<()> {
        let claims = self.capabilities.entity(Entity::Product);
        match claims.and_then(|claims| claims.writable(&change.field)) {
            Some(_) => Ok(()),
            None => Err(not_writable(&change.field)),
        }
    }
}

/// The input of `productUpdate`: what changed, and nothing else.
struct ProductUpdate {
    input: Map<String, Value>,
    fields: Vec<FieldName>,
}

impl ProductUpdate {
    fn new(id: &str) -> Self {
        Self { input: Map::from_iter([("id".to_owned(), id.into())]), fields: Vec::new() }
    }

    /// Sets a text by its place in the map. The empty text takes a value away: whether `null` would do is not known
    /// (2026-11-22).
    fn put(&mut self, place: &str, text: &str, field: &FieldName) -> Result<()> {
        match place {
            "/title" | "/descriptionHtml" | "/productType" => self.set(place, text),
            "/handle" => {
                self.set(place, text);
                self.input.insert("redirectNewHandle".to_owned(), true.into());
            }
            "/category/id" => {
                let category = match text {
                    "" => Value::Null,
                    id => format!("gid://shopify/TaxonomyCategory/{id}").into(),
                };
                self.input.insert("category".to_owned(), category);
            }
            "/seo/title" | "/seo/description" => {
                let key = place.rsplit('/').next().unwrap_or_default();
                let seo = self.input.entry("seo").or_insert_with(|| json!({}));
                if let Some(seo) = seo.as_object_mut() {
                    seo.insert(key.to_owned(), text.into());
                }
            }
            _ => return Err(not_writable(field)),
        }
        self.fields.push(field.clone());
        Ok(())
    }

    fn set(&mut self, place: &str, text: &str) {
        self.input.insert(place.trim_start_matches('/').to_owned(), text.into());
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
        for (key, ids) in [("collectionsToJoin", join), ("collectionsToLeave", leave)] {
            if !ids.is_empty() {
                self.input.insert(key.to_owned(), ids.into());
            }
        }
        self.fields.push(field.clone());
        Ok(())
    }

    fn step(self) -> Option<Step> {
        (self.input.len() > 1).then(|| Step {
            document: &documents::UPDATE_PRODUCT,
            root: "productUpdate",
            variables: json!({ "product": self.input }),
            fields: self.fields,
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
            let variables = json!({ "id": id, "tags": tags });
            steps.push(Step { document, root, variables, fields: vec![field.clone()] });
        }
    };
    step(&documents::REMOVE_TAGS, "tagsRemove", names(before, after));
    step(&documents::ADD_TAGS, "tagsAdd", names(after, before));
}

fn worse(one: FieldAnswer, other: FieldAnswer) -> FieldAnswer {
    match (&one, &other) {
        (FieldAnswer::Unknown { .. }, _) => one,
        (_, FieldAnswer::Unknown { .. }) => other,
        (FieldAnswer::Refused { .. }, _) => one,
        (FieldAnswer::Accepted, _) => other,
    }
}

fn refused(error: &Error) -> FieldAnswer {
    FieldAnswer::Refused { code: error.code().to_owned(), why: error.to_string() }
}

pub(super) fn not_writable(field: &FieldName) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "field_not_writable",
        format!("this store cannot write the field {field}"),
    )
    .with_remedy("ask the capabilities which fields can be written")
}
