//! Writing: of each record what changed and nothing else, ten products or fifty variants a call; images and custom fields
//! a call each.
//!
//! A product that is sent whole loses what the sender did not know, such as the default choice of an option, so no
//! body has a field or a list that nobody changed, and none has images, variants or custom fields.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream;
use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::connector::BigCommerce;
use super::discover::{MAX_BATCH, MAX_VARIANT_BATCH};
use super::said::Said;
use super::{metafields, rows, wire};
use crate::connector::{Answer, FieldAnswer, Outcomes, Patch, PatchField, PatchValue, PushRequest, Written};
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::http::{ApiRequest, ApiResponse};
use crate::mapping::SchemaMap;
use crate::model::{Attribute, Entity, FieldName, Term};

/// The most records whose images and custom fields are written at once; the store's limiter decides how many calls
/// leave.
const AT_ONCE: usize = 4;
/// The address of a product, which a batch saves apart from the rest.
const CUSTOM_URL: &str = "custom_url";

/// One call beside that of the product itself.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: Option<Value>,
    field: FieldName,
}

impl Step {
    pub(super) fn new(method: Method, path: String, body: Value, field: &FieldName) -> Self {
        Self { method, path, body: Some(body), field: field.clone() }
    }

    pub(super) fn delete(path: String, field: &FieldName) -> Self {
        Self { method: Method::DELETE, path, body: None, field: field.clone() }
    }

    /// The same of half as many items each, where there are several.
    fn halves(&self) -> Option<[Self; 2]> {
        let items = self.body.as_ref()?.as_array().filter(|items| items.len() > 1)?;
        let (one, other) = items.split_at(items.len() / 2);
        Some([one, other].map(|items| Self { body: Some(Value::from(items)), ..self.clone() }))
    }
}

/// Whether the platform takes fewer at once: nothing of it was done. An answer that is too large to read is another
/// thing.
fn is_over_bound(error: &Error) -> bool {
    error.kind() == ErrorKind::TooLarge && error.effect() == Effect::None
}

/// What one field brings into a product.
#[derive(Debug, Clone)]
struct Part {
    field: FieldName,
    key: &'static str,
    value: Value,
}

/// What is to be done for one patch.
struct Work<'p> {
    patch: &'p Patch,
    parts: Vec<Part>,
    steps: Vec<Step>,
    outcomes: Outcomes,
}

impl Work<'_> {
    fn fields(&self) -> Vec<FieldName> {
        self.parts.iter().map(|part| part.field.clone()).collect()
    }

    /// Whether one of these rows is the record, with all values as they were sent.
    fn is_shown_by(&self, rows: &[Map<String, Value>]) -> bool {
        let id = wire::whole(self.patch.target.id.as_str());
        let row = rows.iter().find(|row| id.is_some() && row.get("id").and_then(Value::as_u64) == id);
        row.is_some_and(|row| self.parts.iter().all(|part| row.get(part.key) == Some(&part.value)))
    }

    /// Whether its record may go with others: an address that cannot be saved makes a batch's answer say less.
    fn fits_batch(&self) -> bool {
        !self.parts.is_empty() && self.parts.iter().all(|part| part.key != CUSTOM_URL)
    }
}

impl BigCommerce {
    /// Writes the patches, and answers once per patch, in order.
    pub(super) async fn write_all(&self, request: &PushRequest) -> Result<Vec<Answer>> {
        let mut works: Vec<Work<'_>> = request.patches.iter().map(|patch| self.work(patch)).collect();
        let (mut batches, mut alone) = (Vec::new(), Vec::new());
        for (kind, most) in [(Entity::Product, MAX_BATCH), (Entity::Variant, MAX_VARIANT_BATCH)] {
            let of_kind = works.iter().enumerate().filter(|(_, work)| work.patch.target.kind == kind);
            let (together, single): (Vec<_>, Vec<_>) = of_kind.partition(|(_, work)| work.fits_batch());
            let together: Vec<usize> = together.into_iter().map(|(at, _)| at).collect();
            batches.extend(together.chunks(most as usize).map(<[usize]>::to_vec));
            alone.extend(single.into_iter().map(|(at, _)| at));
        }
        batches.reverse();
        while let Some(batch) = batches.pop() {
            if batch.len() == 1 {
                alone.extend(batch);
                continue;
            }
            match self.write_batch(&works, &batch, request).await {
                Ok((answer, unsaved)) => {
                    for at in batch {
                        // What the answer does not show was not saved: each alone says why.
                        if unsaved.contains(&at) {
                            alone.push(at);
                        } else if let Some(work) = works.get_mut(at) {
                            let fields = work.fields();
                            work.outcomes.said(&fields, &answer);
                        }
                    }
                }
                // The platform takes fewer at once: nothing of it was done.
                Err(error) if is_over_bound(&error) => {
                    let (one, other) = batch.split_at(batch.len() / 2);
                    batches.extend([other.to_vec(), one.to_vec()]);
                }
                // One of them is no good. Whether those before it were saved is not known (2026-11-22), and each alone
                // says what is wrong with it.
                Err(error) if matches!(error.kind(), ErrorKind::Rejected | ErrorKind::NotFound) => {
                    alone.extend(batch);
                }
                Err(error) => {
                    let error = Arc::new(error);
                    batch.iter().for_each(|at| {
                        if let Some(work) = works.get_mut(*at) {
                            let fields = work.fields();
                            work.outcomes.failed(&fields, Arc::clone(&error));
                        }
                    });
                }
            }
        }
        let order: Vec<usize> = (0..works.len()).collect();
        let todo: Vec<_> = order
            .into_iter()
            .zip(works)
            .map(|(at, work)| self.finish(work, alone.contains(&at), request))
            .collect();
        Written::answers(stream::iter(todo).buffered(AT_ONCE).collect().await)
    }

    /// Writes what is left of a patch: the product where it goes alone, and then its images and custom fields.
    async fn finish(&self, mut work: Work<'_>, is_alone: bool, request: &PushRequest) -> Written {
        if is_alone && !work.parts.is_empty() {
            self.write_alone(&mut work, request).await;
        }
        let mut steps = VecDeque::from(std::mem::take(&mut work.steps));
        while let Some(step) = steps.pop_front() {
            let field = [step.field.clone()];
            // What is to take its place is not there, or may not be: nothing is removed.
            let is_open = work.outcomes.of(&step.field).is_some_and(|said| *said != FieldAnswer::Accepted);
            if step.method == Method::DELETE && is_open {
                continue;
            }
            match self.send(step.method.clone(), step.path.clone(), step.body.clone(), request).await {
                Ok(response) => {
                    let said = Said::read(response.body());
                    let answer = if said == Said::default() { FieldAnswer::Accepted } else { partly(&said) };
                    work.outcomes.said(&field, &answer);
                }
                Err(error) if step.method == Method::DELETE && error.kind() == ErrorKind::NotFound => {
                    work.outcomes.said(&field, &FieldAnswer::Accepted);
                }
                Err(error) => match step.halves().filter(|_| is_over_bound(&error)) {
                    Some(halves) => halves.into_iter().rev().for_each(|half| steps.push_front(half)),
                    None => work.outcomes.failed(&field, error),
                },
            }
        }
        work.outcomes.written(work.patch)
    }

    /// Writes one record. What the platform refuses whole for one field goes without that field, once.
    async fn write_alone(&self, work: &mut Work<'_>, request: &PushRequest) {
        let path = match own_path(work.patch) {
            Ok(path) => path,
            Err(error) => return work.outcomes.held_back(&work.fields(), error),
        };
        let mut groups = vec![work.parts.clone()];
        let mut is_first = true;
        while let Some(parts) = groups.pop() {
            let fields: Vec<FieldName> = parts.iter().map(|part| part.field.clone()).collect();
            match self.send(Method::PUT, path.clone(), Some(body(None, &parts)), request).await {
                Ok(response) if response.status() == StatusCode::MULTI_STATUS => {
                    let said = Said::read(response.body());
                    for part in &parts {
                        let answer = match part.key == CUSTOM_URL || said.names(part.key) {
                            true => partly(&said),
                            false => FieldAnswer::Accepted,
                        };
                        work.outcomes.said(std::slice::from_ref(&part.field), &answer);
                    }
                }
                Ok(_) => work.outcomes.said(&fields, &FieldAnswer::Accepted),
                Err(error) if error.kind() == ErrorKind::Rejected && is_first && parts.len() > 1 => {
                    let said = named(&error);
                    let (bad, good): (Vec<Part>, Vec<Part>) =
                        parts.into_iter().partition(|part| said.names(part.key));
                    if bad.is_empty() {
                        // It does not say which: each is tried alone.
                        work.outcomes.said(&[], &FieldAnswer::Accepted);
                        groups.extend(good.into_iter().map(|part| vec![part]));
                    } else {
                        let fields: Vec<FieldName> = bad.into_iter().map(|part| part.field).collect();
                        work.outcomes.failed(&fields, error);
                        groups.extend(Some(good).filter(|good| !good.is_empty()));
                    }
                    is_first = false;
                }
                Err(error) => work.outcomes.failed(&fields, error),
            }
        }
    }

    /// Writes several records of one kind in one call: what is said of all that were saved, and those that were not.
    async fn write_batch(
        &self,
        works: &[Work<'_>],
        batch: &[usize],
        request: &PushRequest,
    ) -> Result<(FieldAnswer, Vec<usize>)> {
        let items: Vec<Value> = batch
            .iter()
            .filter_map(|at| works.get(*at))
            .map(|work| body(work.patch.target.id.as_str().parse().ok(), &work.parts))
            .collect();
        let is_of_variants = batch
            .first()
            .and_then(|at| works.get(*at))
            .is_some_and(|it| it.patch.target.kind == Entity::Variant);
        let path = if is_of_variants { wire::VARIANTS } else { wire::PRODUCTS }.to_owned();
        let response = self.send(Method::PUT, path, Some(Value::Array(items)), request).await?;
        if is_of_variants {
            // The document of a batch names fewer fields than that of one variant (2026-04-01), and what a store does
            // with the others is not known: saved is what the answer shows.
            let rows = wire::rows(response.body());
            let is_shown = |at: &usize| works.get(*at).is_some_and(|work| work.is_shown_by(&rows));
            let unsaved = batch.iter().copied().filter(|at| !is_shown(at)).collect();
            return Ok((FieldAnswer::Accepted, unsaved));
        }
        if response.status() != StatusCode::MULTI_STATUS {
            return Ok((FieldAnswer::Accepted, Vec::new()));
        }
        let saved = wire::saved(response.body());
        let is_saved = |at: &usize| {
            let id = works.get(*at).and_then(|work| wire::whole(work.patch.target.id.as_str()));
            id.is_some_and(|id| saved.contains(&id))
        };
        let unsaved: Vec<usize> = batch.iter().copied().filter(|at| !is_saved(at)).collect();
        // Where all are named, a part of one is missing, and nobody knows of which.
        let answer = match unsaved.is_empty() {
            true => partly(&Said::read(response.body())),
            false => FieldAnswer::Accepted,
        };
        Ok((answer, unsaved))
    }

    async fn send(
        &self,
        method: Method,
        path: String,
        body: Option<Value>,
        request: &PushRequest,
    ) -> Result<ApiResponse> {
        let mut call = ApiRequest::write(method, path, String::new())
            .lane(request.lane)
            .not_after(Some(request.guard_until))
            .attempt_limits(wire::WRITE_TIMEOUT, wire::WRITE_TIMEOUT);
        call.body = body.map(|body| body.to_string().into());
        self.client.execute(call).await
    }

    fn work<'p>(&self, patch: &'p Patch) -> Work<'p> {
        let mut work = Work { patch, parts: Vec::new(), steps: Vec::new(), outcomes: Outcomes::new() };
        if let Err(error) = self.fill(&mut work) {
            // What is refused here leaves the whole record unwritten.
            let all: Vec<FieldName> = patch.changes.iter().map(|change| change.field.clone()).collect();
            (work.parts, work.steps) = (Vec::new(), Vec::new());
            work.outcomes.held_back(&all, error);
        }
        work
    }

    fn fill(&self, work: &mut Work<'_>) -> Result<()> {
        let target = &work.patch.target;
        let schema = match target.kind {
            Entity::Product => &self.products,
            Entity::Variant => &self.variants,
            kind => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    "not_writable",
                    format!("a {kind} cannot be written"),
                ));
            }
        };
        if !wire::is_id(&target.id) {
            return Err(Error::new(
                ErrorKind::Rejected,
                "not_writable",
                "the record's id is none of the store",
            ));
        }
        for change in &work.patch.changes {
            self.must_be_claimed(target.kind, change)?;
            match (&change.value, &change.before) {
                (PatchValue::Text { text, .. }, _) => {
                    let (key, value) = place(schema, &change.field, text)?;
                    work.parts.push(Part { field: change.field.clone(), key, value });
                }
                // A text that is none is the empty one.
                (PatchValue::Removed, _) => {
                    let (key, value) = place(schema, &change.field, "")?;
                    work.parts.push(Part { field: change.field.clone(), key, value });
                }
                (PatchValue::Terms(terms), before) => {
                    let before = match before {
                        Some(PatchValue::Terms(before)) => before.as_slice(),
                        _ => &[],
                    };
                    let (key, value) = terms_of(&change.field, before, terms)?;
                    work.parts.push(Part { field: change.field.clone(), key, value });
                }
                (PatchValue::Attributes(after), Some(PatchValue::Attributes(before))) => {
                    work.steps.extend(self.attributes(target.id.as_str(), before, after, &change.field)?);
                }
                (PatchValue::Media(media), _) => {
                    for picture in media {
                        let (Some(id), Some(alt)) = (&picture.id, &picture.alt) else { continue };
                        if !wire::is_id(id) {
                            return Err(not_writable(&change.field));
                        }
                        let path = format!("v3/catalog/products/{}/images/{id}", target.id);
                        let body = json!({ "description": alt });
                        work.steps.push(Step::new(Method::PUT, path, body, &change.field));
                    }
                }
                _ => return Err(not_writable(&change.field)),
            }
        }
        Ok(())
    }

    /// The calls that make one list of attributes of another: nothing is removed before all else is there.
    fn attributes(
        &self,
        product: &str,
        before: &[Attribute],
        after: &[Attribute],
        field: &FieldName,
    ) -> Result<Vec<Step>> {
        let parted = |list: &[Attribute]| -> (Vec<Attribute>, Vec<Attribute>) {
            list.iter().cloned().partition(|attribute| self.namespaces.has(attribute))
        };
        let ((metafields_before, before), (metafields, after)) = (parted(before), parted(after));
        let mut steps = rows::steps(product, &before, &after, field)?;
        steps.extend(metafields::steps(product, &metafields_before, &metafields, &self.namespaces, field)?);
        steps.sort_by_key(|step| step.method == Method::DELETE);
        Ok(steps)
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

/// The route of one record.
fn own_path(patch: &Patch) -> Result<String> {
    let id = &patch.target.id;
    if patch.target.kind != Entity::Variant {
        return Ok(format!("{}/{id}", wire::PRODUCTS));
    }
    Ok(format!("{}/{}/variants/{id}", wire::PRODUCTS, patch.product_id(wire::is_id)?))
}

/// Where a text goes, by its place in the map.
fn place(schema: &SchemaMap, field: &FieldName, text: &str) -> Result<(&'static str, Value)> {
    Ok(match schema.write_place(field)? {
        "/name" => ("name", text.into()),
        "/description" => ("description", text.into()),
        "/page_title" => ("page_title", text.into()),
        "/meta_description" => ("meta_description", text.into()),
        "/gtin" => ("gtin", text.into()),
        "/mpn" => ("mpn", text.into()),
        "/custom_url/url" => {
            (CUSTOM_URL, json!({ "url": text, "is_customized": true, "create_redirect": true }))
        }
        _ => return Err(not_writable(field)),
    })
}

fn body(id: Option<u64>, parts: &[Part]) -> Value {
    let id = id.map(|id| ("id".to_owned(), id.into()));
    let parts = parts.iter().map(|part| (part.key.to_owned(), part.value.clone()));
    Value::Object(id.into_iter().chain(parts).collect::<Map<String, Value>>())
}

/// A whole list of terms as the platform has it.
fn terms_of(field: &FieldName, before: &[Term], terms: &[Term]) -> Result<(&'static str, Value)> {
    let ids = || -> Result<Vec<u64>> {
        let id = |term: &Term| {
            term.id.as_ref().and_then(|id| wire::whole(id.as_str())).ok_or_else(|| {
                Error::new(ErrorKind::Rejected, "term_unknown", "a category or brand has no id")
                    .with_remedy("plan again, so that the store's names are looked up")
            })
        };
        terms.iter().map(id).collect()
    };
    match field.as_str() {
        "tags" => Ok(("search_keywords", keywords(before, terms).into())),
        "categories" => Ok(("categories", ids()?.into())),
        "brands" => match ids()?.as_slice() {
            [] => Ok(("brand_id", 0.into())),
            [one] => Ok(("brand_id", (*one).into())),
            _ => Err(Error::new(ErrorKind::Rejected, "one_brand_only", "a product has one brand at most")
                .with_remedy("remove the brand that is there in the same change")),
        },
        _ => Err(not_writable(field)),
    }
}

/// The keywords in one text. Those that were there keep their spelling, blanks included; a new one has a blank before it
/// where the others have one.
fn keywords(before: &[Term], terms: &[Term]) -> String {
    let has_blanks = before.len() > 1
        && before.iter().skip(1).all(|term| term.raw_name.as_deref().is_some_and(|raw| raw.starts_with(' ')));
    let mut text = String::new();
    for (at, term) in terms.iter().enumerate() {
        let spelled =
            term.raw_name.as_deref().filter(|raw| raw.trim_matches([',', ' ']).trim() == term.name.as_str());
        match spelled {
            Some(raw) => text.push_str(raw),
            None => {
                text.push_str(if at > 0 && has_blanks { " " } else { "" });
                text.push_str(&term.name);
            }
        }
        if at + 1 < terms.len() {
            text.push(',');
        }
    }
    text
}

/// What an error says of fields, out of its context.
fn named(error: &Error) -> Said {
    let fields = error.context().iter().find(|(name, _)| *name == "fields");
    let fields = fields.map(|(_, fields)| fields.split(' ').map(str::to_owned).collect());
    Said { title: String::new(), fields: fields.unwrap_or_default() }
}

fn partly(said: &Said) -> FieldAnswer {
    let title = if said.title.is_empty() { String::new() } else { format!(": {}", said.title) };
    FieldAnswer::Refused {
        code: "partly_saved".to_owned(),
        why: format!("the store saved the product without a part of it{title}"),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn term(name: &str, raw: Option<&str>) -> Term {
        Term { id: None, name: name.into(), raw_name: raw.map(Into::into) }
    }

    #[test]
    fn keywords_that_were_there_keep_their_spelling_and_a_new_one_takes_after_them() {
        let before = [term("jar", None), term("glass", Some(" glass")), term("old", Some(" old "))];
        let mut after = before.to_vec();
        after.push(term("new", None));
        assert_eq!(keywords(&before, &after), "jar, glass, old , new");
        assert_eq!(keywords(&before, &before), "jar, glass, old ");
        assert_eq!(keywords(&before, &before[1..]), " glass, old ");
        assert_eq!(keywords(&[], &[term("a", None), term("b", None)]), "a,b");
        assert_eq!(keywords(&before, &[]), "");
    }
}
