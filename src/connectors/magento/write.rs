//! Writing: each product takes one save with what changes, and each picture a call of its own.
//!
//! The platform writes by SKU and makes a product that it does not have, and it replaces lists that it is given. So the
//! SKUs are read right before, no list of pictures, links or categories is ever sent, and a save has the SKU and the
//! attributes that change.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use http::Method;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::connector::Magento;
use super::dictionary::Attribute;
use super::search::Search;
use super::{php, wire};
use crate::auth::percent_encode;
use crate::connector::{
    Answer, FieldAnswer, Outcomes, Patch, PatchField, PatchValue, PullRequest, Purpose, PushRequest, Written,
};
use crate::error::{Error, ErrorKind, Result};
use crate::http::ApiRequest;
use crate::model::{self, Entity, FieldName, Lane, Media, Normaliser, Term};

/// The most products that are written at once: saves lock rows of one another.
const AT_ONCE: usize = 2;
/// The most attributes of one save: the platform's limit of lists, where a merchant sets it.
const MAX_ATTRIBUTES: usize = 20;

/// What is there of a product right before it is written.
#[derive(Debug, Default)]
pub(super) struct There {
    sku: String,
    entries: HashMap<u64, Map<String, Value>>,
}

impl There {
    /// A product whose pictures are not written.
    pub(super) fn named(sku: &str) -> Self {
        Self { sku: sku.to_owned(), entries: HashMap::new() }
    }
}

/// One call, and the fields of the patch that it writes.
pub(super) struct Step {
    method: Method,
    pub(super) below: String,
    pub(super) body: Value,
    pub(super) fields: Vec<FieldName>,
}

impl Magento {
    /// Writes the patches, and answers once per patch, in order.
    pub(super) async fn write_all(&self, request: &PushRequest) -> Result<Vec<Answer>> {
        let mut ids: Vec<u64> = Vec::new();
        for patch in &request.patches {
            let claimed = patch.changes.iter().try_for_each(|change| self.must_be_claimed(change));
            if claimed.is_ok() && patch.target.kind == Entity::Product {
                ids.extend(wire::number(&patch.target.id).filter(|id| !ids.contains(id)));
            }
        }
        let mut there: HashMap<u64, There> = HashMap::new();
        for some in ids.chunks(wire::MAX_PAGE as usize) {
            self.read_there(some, request.lane, Some(request.guard_until), &mut there).await?;
        }
        let writes: Vec<_> =
            request.patches.iter().map(|patch| self.write_one(patch, &there, request)).collect();
        let written: Vec<Written> = stream::iter(writes).buffered(AT_ONCE).collect().await;
        Written::answers(written)
    }

    /// Reads SKUs and pictures as the connector's view has them.
    pub(super) async fn read_there(
        &self,
        ids: &[u64],
        lane: Lane,
        not_after: Option<Duration>,
        there: &mut HashMap<u64, There>,
    ) -> Result<()> {
        #[derive(Deserialize)]
        struct Product<'a> {
            #[serde(borrow)]
            id: Option<&'a RawValue>,
            sku: String,
            #[serde(default, borrow)]
            media_gallery_entries: Option<&'a RawValue>,
        }
        let mut left = ids.to_vec();
        while !left.is_empty() {
            let texts: Vec<String> = left.iter().map(u64::to_string).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let size = u32::try_from(left.len()).unwrap_or(wire::MAX_PAGE);
            let search = Search::page("entity_id", size)
                .one_of("entity_id", &texts)
                .fields("id,sku,media_gallery_entries");
            let search = search.sized(self.cap.fit(size));
            let call = search.on(self.api.get(&self.scope, "products")).lane(lane);
            let answered = self.client.execute_with(call.not_after(not_after), wire::answered).await?;
            let listed = answered.listed()?;
            let before = left.len();
            for raw in &listed.records {
                let product: Product<'_> = serde_json::from_str(raw.get()).map_err(|_| wire::unreadable())?;
                let id = php::number(product.id).ok_or_else(wire::unreadable)?;
                let entries: Vec<Map<String, Value>> =
                    php::list(product.media_gallery_entries).ok_or_else(wire::unreadable)?;
                let entries =
                    entries.into_iter().filter_map(|entry| Some((number_of(entry.get("id")?)?, entry)));
                there.insert(id, There { sku: product.sku, entries: entries.collect() });
                left.retain(|other| *other != id);
            }
            if left.len() == before {
                break;
            }
        }
        Ok(())
    }

    async fn write_one(&self, patch: &Patch, there: &HashMap<u64, There>, request: &PushRequest) -> Written {
        let mut outcomes = Outcomes::new();
        match self.steps(patch, there, request.lane, Some(request)).await {
            Ok((steps, refused)) => {
                for (field, error) in refused {
                    outcomes.held_back(&[field], error);
                }
                for step in steps {
                    match self.take(&step, request).await {
                        Ok(answer) => outcomes.said(&step.fields, &answer),
                        Err(error) => outcomes.failed(&step.fields, unaddressable(error, &step)),
                    }
                }
            }
            Err(error) => {
                let fields: Vec<FieldName> =
                    patch.changes.iter().map(|change| change.field.clone()).collect();
                outcomes.held_back(&fields, error);
            }
        }
        outcomes.written(patch)
    }

    /// Sends one call. What is answered with something else than the platform's own words is not known to be done.
    async fn take(&self, step: &Step, request: &PushRequest) -> Result<FieldAnswer> {
        let call = match step.method {
            Method::DELETE => self.api.bare(Method::DELETE, &self.scope, &step.below),
            _ => self.api.write(step.method.clone(), &self.scope, &step.below, &step.body),
        };
        let call = self.sent(call, request);
        let response = self.client.execute(call).await?;
        Ok(match serde_json::from_slice::<Value>(response.body()) {
            Ok(Value::Object(_) | Value::Bool(true) | Value::String(_) | Value::Number(_)) => {
                FieldAnswer::Accepted
            }
            _ => FieldAnswer::Unknown { why: "the store's answer is not the platform's".to_owned() },
        })
    }

    fn sent(&self, call: ApiRequest, request: &PushRequest) -> ApiRequest {
        call.lane(request.lane).not_after(Some(request.guard_until))
    }

    /// The calls of a patch, and the fields that are not sent at all. What concerns the whole record is an error.
    /// Options are made for a push alone.
    pub(super) async fn steps(
        &self,
        patch: &Patch,
        there: &HashMap<u64, There>,
        lane: Lane,
        making: Option<&PushRequest>,
    ) -> Result<(Vec<Step>, Vec<(FieldName, Error)>)> {
        if patch.target.kind != Entity::Product {
            return Err(Error::new(ErrorKind::Unsupported, "not_writable", "only products can be written"));
        }
        patch.changes.iter().try_for_each(|change| self.must_be_claimed(change))?;
        let there = wire::number(&patch.target.id).and_then(|id| there.get(&id)).ok_or_else(|| {
            // Without it, a write by SKU would make a product.
            Error::new(ErrorKind::NotFound, "not_found", "there is no such product")
        })?;
        let mut product = Map::new();
        let (mut codes, mut steps, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        for change in &patch.changes {
            match (&change.value, &change.before) {
                (PatchValue::Text { text, raw }, _) => {
                    let spelled = self.products.spell(&change.field, text, raw.as_deref())?;
                    self.put(&mut product, &mut codes, &change.field, spelled.into())?;
                }
                // An empty text would be kept as a value: `null` drops its row.
                (PatchValue::Removed, _) => self.put(&mut product, &mut codes, &change.field, Value::Null)?,
                (PatchValue::Attributes(after), Some(PatchValue::Attributes(before))) => {
                    match self.values(before, after, lane, making).await {
                        Ok(values) => {
                            codes.extend(values.into_iter().map(|pair| (pair, change.field.clone())))
                        }
                        Err(error) => refused.push((change.field.clone(), error)),
                    }
                }
                (PatchValue::Terms(after), Some(PatchValue::Terms(before))) => {
                    match links(&there.sku, before, after) {
                        Ok(links) => steps.extend(
                            links.into_iter().map(|step| Step { fields: vec![change.field.clone()], ..step }),
                        ),
                        Err(error) => refused.push((change.field.clone(), error)),
                    }
                }
                (PatchValue::Media(media), _) => {
                    for picture in media.iter().filter(|picture| picture.alt.is_some()) {
                        match label(there, picture) {
                            Ok(step) => steps.push(Step { fields: vec![change.field.clone()], ..step }),
                            Err(error) => refused.push((change.field.clone(), error)),
                        }
                    }
                }
                _ => return Err(not_writable(&change.field)),
            }
        }
        let mut saves = saves(&there.sku, product, patch, codes);
        saves.append(&mut steps);
        Ok((saves, refused))
    }

    /// Puts a text where the map has its field.
    fn put(
        &self,
        product: &mut Map<String, Value>,
        codes: &mut Vec<((String, Value), FieldName)>,
        field: &FieldName,
        value: Value,
    ) -> Result<()> {
        match (super::map::code_of(self.products.write_place(field)?), value) {
            (Some(code), value) => codes.push(((code.to_owned(), value), field.clone())),
            (None, Value::String(text)) => self.products.put_text(product, field, text)?,
            (None, _) => return Err(not_writable(field)),
        }
        Ok(())
    }

    /// The values of the attributes that changed, by their codes.
    async fn values(
        &self,
        before: &[model::Attribute],
        after: &[model::Attribute],
        lane: Lane,
        making: Option<&PushRequest>,
    ) -> Result<Vec<(String, Value)>> {
        let read = PullRequest { purpose: Purpose::Guard, lane, ..PullRequest::all(Entity::Product) };
        let mut values = Vec::new();
        for attribute in after {
            let known = before.iter().find(|known| is_same(known, attribute));
            if known.is_some_and(|known| known.values == attribute.values) {
                continue;
            }
            let id = attribute.id.as_ref().and_then(wire::number);
            if attribute.distinguishes_variants == Some(true) {
                return Err(refusal(
                    "option_not_writable",
                    "an attribute by which variants differ is not written",
                ));
            }
            let id = match id {
                Some(id) => id,
                // It comes with its name only.
                None => self.attribute_named(&attribute.list_key(), &read).await?,
            };
            values.push(self.value(id, attribute, &read, making).await?);
        }
        for gone in before.iter().filter(|known| !after.iter().any(|kept| is_same(known, kept))) {
            let code = gone
                .key
                .as_ref()
                .filter(|code| wire::is_code(code) && gone.distinguishes_variants != Some(true));
            let code = code.ok_or_else(|| refusal("attribute_unknown", "the store has no such attribute"))?;
            values.push((code.to_string(), Value::Null));
        }
        Ok(values)
    }

    /// The attribute of that name, where there is one and no other.
    async fn attribute_named(&self, key: &str, read: &PullRequest) -> Result<u64> {
        let dictionary = self.dictionary(read).await?;
        let mut found =
            dictionary.attributes().filter(|attribute| Normaliser::Folded1.apply(&attribute.label) == key);
        match (found.next(), found.next()) {
            (Some(one), None) => Ok(one.id),
            (None, _) => Err(refusal("attribute_unknown", "the store has no such attribute")),
            (Some(_), Some(_)) => {
                Err(refusal("attribute_ambiguous", "the store has several attributes of that name"))
            }
        }
    }

    /// The code of an attribute, and its value as the platform keeps it.
    async fn value(
        &self,
        id: u64,
        wanted: &model::Attribute,
        read: &PullRequest,
        making: Option<&PushRequest>,
    ) -> Result<(String, Value)> {
        let texts = &wanted.values;
        let dictionary = self.dictionary(read).await?;
        let unknown = || refusal("attribute_unknown", "the store has no such attribute");
        let attribute = dictionary.attribute_of_id(id).ok_or_else(unknown)?;
        if !attribute.is_writable() {
            return Err(refusal(
                "attribute_type_unsupported",
                "values of attributes of this type are not written",
            )
            .with_context("input", attribute.input.clone()));
        }
        if texts.len() > 1 && !attribute.takes_several() {
            return Err(refusal("one_value_only", "the attribute takes one value"));
        }
        if !attribute.has_options() {
            return Ok((
                attribute.code.clone(),
                texts.first().map_or(Value::Null, |text| text.as_str().into()),
            ));
        }
        // What was there before is put back by its ids: no option is made for it.
        if !wanted.value_ids.is_empty() {
            return Ok((attribute.code.clone(), put_back(attribute, wanted)?.into()));
        }
        let mut ids = Vec::with_capacity(texts.len());
        for text in texts {
            match (option(attribute, text)?, making) {
                (Some(id), _) => ids.push(id),
                (None, Some(request)) if self.writes.options && attribute.takes_new_options() => {
                    ids.push(self.make_option(id, text, read, request).await?);
                }
                (None, _) => return Err(refusal("option_unknown", "the attribute has no such option")),
            }
        }
        // Several go as one text with commas: a list is refused (fact sheet section 4.3).
        Ok((attribute.code.clone(), if ids.is_empty() { Value::Null } else { ids.join(",").into() }))
    }

    /// Makes an option, once, and gives its id: what the platform answers is not in all versions the id.
    async fn make_option(
        &self,
        attribute: u64,
        label: &str,
        read: &PullRequest,
        request: &PushRequest,
    ) -> Result<String> {
        let _turn = self.making.lock().await;
        let known = |dictionary: &super::dictionary::Dictionary| {
            dictionary
                .attribute_of_id(attribute)
                .map(|attribute| (attribute.code.clone(), option(attribute, label)))
        };
        // Somebody else may have made it meanwhile.
        let code = match known(&*self.dictionary_of(Duration::ZERO, read).await?) {
            Some((_, Ok(Some(id)))) => return Ok(id),
            Some((code, Ok(None))) if wire::is_code(&code) => code,
            Some((_, Err(error))) => return Err(error),
            _ => return Err(refusal("attribute_unknown", "the store has no such attribute")),
        };
        let body = json!({ "option": { "label": label, "value": "", "sort_order": 0, "is_default": false } });
        let below = format!("products/attributes/{code}/options");
        // Labels of the views that name none are those of the scope that all share.
        let call = self.sent(self.api.write(Method::POST, &wire::Scope::All, &below, &body), request);
        self.client.execute(call).await?;
        match known(&*self.dictionary_of(Duration::ZERO, read).await?) {
            Some((_, Ok(Some(id)))) => Ok(id),
            _ => Err(refusal("option_not_made", "the store took a new option, and does not list it")
                .with_remedy("see the attribute's options in the shop, and plan again")),
        }
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

/// Whether both are one attribute: two may have one label.
fn is_same(one: &model::Attribute, other: &model::Attribute) -> bool {
    match (&one.id, &other.id) {
        (Some(one), Some(other)) => one == other,
        _ => one.list_key() == other.list_key(),
    }
}

/// The ids of options that a product had, as one text. One that has another name by now, or is gone, is another value.
fn put_back(attribute: &Attribute, wanted: &model::Attribute) -> Result<String> {
    let shown = |id: &str| attribute.option(id).unwrap_or(id).to_owned();
    let ids: Vec<&str> = wanted.value_ids.iter().map(model::ExternalId::as_str).collect();
    let is_there = ids.len() == wanted.values.len()
        && ids.iter().zip(&wanted.values).all(|(id, text)| shown(id) == text.as_str());
    match is_there {
        true => Ok(ids.join(",")),
        false => {
            Err(refusal("option_changed", "the attribute does not have the option any more that was there"))
        }
    }
}

/// The id of an option by its label: of several that differ by the case of letters, the one that is spelled so.
fn option(attribute: &Attribute, label: &str) -> Result<Option<String>> {
    let found = attribute.options_named(label);
    let exact: Vec<&(&str, &str)> = found.iter().filter(|(_, known)| *known == label).collect();
    match (found.as_slice(), exact.as_slice()) {
        ([], _) => Ok(None),
        ([(id, _)], _) | (_, [(id, _)]) => Ok(Some((*id).to_owned())),
        _ => Err(refusal("option_ambiguous", "the attribute has several options of that name")),
    }
}

/// The saves of a product: its own fields and attributes, as many at once as a store may take.
fn saves(
    sku: &str,
    mut product: Map<String, Value>,
    patch: &Patch,
    codes: Vec<((String, Value), FieldName)>,
) -> Vec<Step> {
    if product.is_empty() && codes.is_empty() {
        return Vec::new();
    }
    let of_product: Vec<FieldName> = patch
        .changes
        .iter()
        .map(|change| change.field.clone())
        .filter(|field| !product.is_empty() && field.as_str() == "title")
        .collect();
    let mut chunks: Vec<&[((String, Value), FieldName)]> = codes.chunks(MAX_ATTRIBUTES).collect();
    if chunks.is_empty() {
        chunks.push(&[]);
    }
    let mut steps = Vec::with_capacity(chunks.len());
    for (at, chunk) in chunks.into_iter().enumerate() {
        let mut body = std::mem::take(&mut product);
        body.insert("sku".to_owned(), sku.into());
        if !chunk.is_empty() {
            let values =
                chunk.iter().map(|((code, value), _)| json!({ "attribute_code": code, "value": value }));
            body.insert("custom_attributes".to_owned(), values.collect());
        }
        let mut fields: Vec<FieldName> = if at == 0 { of_product.clone() } else { Vec::new() };
        for (_, field) in chunk {
            if !fields.contains(field) {
                fields.push(field.clone());
            }
        }
        // POST saves what is there as PUT does, and its address needs no SKU.
        steps.push(Step {
            method: Method::POST,
            below: "products".to_owned(),
            body: json!({ "product": body }),
            fields,
        });
    }
    steps
}

/// The calls that put a product into categories, and take it out of others: no list of them is ever sent.
fn links(sku: &str, before: &[Term], after: &[Term]) -> Result<Vec<Step>> {
    let id_of = |term: &Term| {
        let unknown = || refusal("category_unknown", "the store has no such category");
        term.id.as_ref().and_then(wire::number).ok_or_else(unknown)
    };
    let ids = |terms: &[Term]| terms.iter().map(id_of).collect::<Result<Vec<u64>>>();
    let (before, after) = (ids(before)?, ids(after)?);
    let step = |method, below, body| Step { method, below, body, fields: Vec::new() };
    let mut steps = Vec::new();
    for id in after.iter().filter(|id| !before.contains(id)) {
        let link = json!({ "sku": sku, "position": 0, "category_id": id.to_string() });
        let body = json!({ "productLink": link });
        steps.push(step(Method::POST, format!("categories/{id}/products"), body));
    }
    for id in before.iter().filter(|id| !after.contains(id)) {
        let below = format!("categories/{id}/products/{}", in_address(sku)?);
        steps.push(step(Method::DELETE, below, Value::Null));
    }
    Ok(steps)
}

/// A SKU as it stands in an address.
fn in_address(sku: &str) -> Result<String> {
    if matches!(sku, "." | ".." | "") {
        return Err(sku_unaddressable());
    }
    let mut encoded = String::with_capacity(sku.len() * 3);
    percent_encode(sku, &mut encoded);
    Ok(encoded)
}

/// The call that gives a picture a label: with all that the platform wants of it, as it is.
fn label(there: &There, picture: &Media) -> Result<Step> {
    let id = picture.id.as_ref().and_then(wire::number);
    let entry = id.and_then(|id| there.entries.get(&id)).ok_or_else(|| {
        Error::new(ErrorKind::NotFound, "picture_missing", "the product has no such picture any more")
    })?;
    // A video has more than is sent here, and the platform would lose it.
    if entry.get("media_type").and_then(Value::as_str).is_some_and(|kind| kind != "image") {
        return Err(refusal("picture_is_video", "the entry is no picture, and its label is not written"));
    }
    let mut body = Map::new();
    for key in ["id", "media_type", "position", "disabled", "types", "file"] {
        let value = entry.get(key).ok_or_else(|| {
            refusal(
                "picture_unreadable",
                "the store does not tell all of the picture, and would change what is left out",
            )
            .with_context("missing", key)
        })?;
        body.insert(key.to_owned(), value.clone());
    }
    body.insert("label".to_owned(), picture.alt.as_deref().unwrap_or_default().into());
    let below = format!("products/{}/media/{}", in_address(&there.sku)?, id.unwrap_or_default());
    Ok(Step { method: Method::PUT, below, body: json!({ "entry": body }), fields: Vec::new() })
}

fn number_of(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// Web servers refuse an escaped slash in an address, and older versions sign it otherwise.
fn unaddressable(error: Error, step: &Step) -> Error {
    let is_refused = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Protocol | ErrorKind::Auth)
        && error.effect() == crate::error::Effect::None
        && error.context().iter().any(|(name, _)| *name == "status");
    let status = error.context().iter().find(|(name, _)| *name == "status").map(|(_, status)| status.clone());
    match status {
        Some(status) if is_refused && step.below.contains("%2F") => {
            sku_unaddressable().with_context("status", status).with_source(error)
        }
        _ => error,
    }
}

fn sku_unaddressable() -> Error {
    refusal("sku_unaddressable", "the product's SKU cannot stand in an address of this store").with_remedy(
        "let the web server pass escaped slashes (Apache: AllowEncodedSlashes NoDecode), or write the text in the shop",
    )
}

fn refusal(code: &'static str, message: &'static str) -> Error {
    Error::new(ErrorKind::Rejected, code, message)
        .with_remedy("see the attribute in the shop, and plan again")
}

fn not_writable(field: &FieldName) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "field_not_writable",
        format!("this store cannot write the field {field}"),
    )
    .with_remedy("ask the capabilities which fields can be written")
}
