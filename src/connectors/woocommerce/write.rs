//! Writing: patches into single writes and batches.

use http::Method;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::connector::WooCommerce;
use super::object::Object;
use super::{item, wire};
use crate::connector::{Answer, FieldAnswer, Patch, PatchField, PatchValue, PushRequest};
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::http::ApiRequest;
use crate::model::{Entity, Term};

/// The most items of a batch (a filter of the platform: a host may lower it).
const MAX_BATCH: usize = 100;

/// What a batch answers, item by item, in order; it is 200 whatever failed.
#[derive(Debug, Deserialize)]
struct BatchAnswer {
    #[serde(default)]
    update: Vec<Object<ItemAnswer>>,
}

#[derive(Debug, Deserialize)]
struct ItemAnswer {
    #[serde(default)]
    id: u64,
    error: Option<Object<ItemError>>,
}

#[derive(Debug, Deserialize)]
struct ItemError {
    #[serde(default)]
    code: String,
}

impl WooCommerce {
    /// Writes the patches, several in one call, and answers once per patch, in order.
    pub(super) async fn write_all(&self, request: &PushRequest) -> Result<Vec<Answer>> {
        let mut bodies = Vec::with_capacity(request.patches.len());
        // What must not leave is refused alone: the others of its batch are written.
        let mut held_back: Vec<Option<Error>> = Vec::with_capacity(request.patches.len());
        for patch in &request.patches {
            match self.body(patch) {
                Ok(body) => {
                    bodies.push((patch, body));
                    held_back.push(None);
                }
                Err(error) => held_back.push(Some(error)),
            }
        }
        if bodies.is_empty() {
            return held_back.into_iter().flatten().next().map_or(Ok(Vec::new()), Err);
        }
        let mut outcomes: Vec<FieldAnswer> = Vec::with_capacity(bodies.len());
        let mut todo: Vec<Vec<(&Patch, Map<String, Value>)>> = Vec::new();
        let mut items = bodies.into_iter().peekable();
        while items.peek().is_some() {
            todo.push(items.by_ref().take(MAX_BATCH).collect());
        }
        todo.reverse();
        while let Some(mut some) = todo.pop() {
            match self.write_some(&some, request).await {
                // The host takes fewer at once: nothing of it was done.
                Err(error) if is_too_large(&error) && some.len() > 1 => {
                    let rest = some.split_off(some.len() / 2);
                    todo.extend([rest, some]);
                }
                Ok(answers) => outcomes.extend(answers),
                Err(error) if error.effect() == Effect::Possible => {
                    let why = error.to_string();
                    outcomes.extend(some.iter().map(|_| FieldAnswer::Unknown { why: why.clone() }));
                }
                Err(error) if is_refusal(&error) || !outcomes.is_empty() => {
                    outcomes.extend(some.iter().map(|_| refused(&error)));
                }
                Err(error) => return Err(error),
            }
        }
        let mut outcomes = outcomes.into_iter();
        let answers = request.patches.iter().zip(held_back).map(|(patch, held_back)| {
            let answer = match held_back {
                Some(error) => refused(&error),
                None => outcomes
                    .next()
                    .unwrap_or_else(|| FieldAnswer::Unknown { why: "it was not answered".to_owned() }),
            };
            let fields = patch.changes.iter().map(|change| (change.field.clone(), answer.clone())).collect();
            Answer::new(patch.target.clone(), fields)
        });
        Ok(answers.collect())
    }

    fn body(&self, patch: &Patch) -> Result<Map<String, Value>> {
        if patch.target.kind != Entity::Product || !wire::is_id(&patch.target.id) {
            return Err(Error::new(ErrorKind::Unsupported, "not_writable", "only products can be written"));
        }
        let mut body = Map::new();
        for change in &patch.changes {
            self.must_be_claimed(change)?;
            match &change.value {
                PatchValue::Text { text, raw } => {
                    let spelled = self.products.spell(&change.field, text, raw.as_deref())?;
                    // What is kept as meta is kept byte for byte.
                    let is_meta = self.products.write_place(&change.field)?.starts_with("/meta_data/");
                    let spelled = if is_meta { spelled } else { wire::slash(&spelled) };
                    self.products.put_text(&mut body, &change.field, spelled)?;
                }
                PatchValue::Terms(terms) => {
                    let slashed: Vec<Term> = terms
                        .iter()
                        .map(|term| Term { name: wire::slash(&term.name).into(), ..term.clone() })
                        .collect();
                    self.products.put_terms(&mut body, &change.field, &slashed)?;
                }
                PatchValue::Attributes(attributes) => {
                    // Values that all products share are terms, which lose a level of backslashes as tags do.
                    self.products.put_attributes(&mut body, attributes, &|text| wire::slash(&text))?;
                }
                PatchValue::Media(media) => {
                    self.products.put_media(&mut body, media, &|text| wire::slash(&text))?;
                }
                PatchValue::Removed => self.products.put_removed(&mut body, &change.field)?,
            }
        }
        item::check(&body, &self.meta_keys)?;
        Ok(body)
    }

    /// What this store cannot write is not sent, whatever the map could. What the platform stores anew beside
    /// another text goes along as it is.
    fn must_be_claimed(&self, change: &PatchField) -> Result<()> {
        let claims = self.capabilities.entity(Entity::Product);
        let as_it_is =
            matches!(&change.value, PatchValue::Text { text, .. } if change.seen.as_text() == Some(text));
        let is_claimed = claims.is_some_and(|claims| {
            claims.writable(&change.field).is_some()
                || (as_it_is && claims.rewritten_together.contains(&change.field))
        });
        if is_claimed {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Unsupported,
            "field_not_writable",
            format!("this store cannot write the field {}", change.field),
        )
        .with_remedy("ask the capabilities which fields can be written"))
    }

    /// Writes some products in one call: all fields of one in one item, since two that cross undo each other.
    async fn write_some(
        &self,
        some: &[(&Patch, Map<String, Value>)],
        request: &PushRequest,
    ) -> Result<Vec<FieldAnswer>> {
        let send = |path: String, body: Value| {
            // POST updates as PUT does, and passes where a host blocks PUT.
            ApiRequest::write(Method::POST, path, body.to_string())
                .lane(request.lane)
                .not_after(Some(request.guard_until))
        };
        if let [(patch, body)] = some {
            let path = format!("wp-json/wc/v3/products/{}", patch.target.id);
            let call = send(path, Value::Object(body.clone()))
                .attempt_limits(wire::WRITE_TIMEOUT, wire::WRITE_TIMEOUT)
                .query("_fields", "id");
            self.client.execute(call).await?;
            return Ok(vec![FieldAnswer::Accepted]);
        }
        let items: Vec<Value> = some
            .iter()
            .map(|(patch, body)| {
                let id = patch.target.id.as_str().parse::<u64>().unwrap_or_default();
                let mut item = Map::new();
                item.insert("id".to_owned(), id.into());
                item.extend(body.clone());
                Value::Object(item)
            })
            .collect();
        // No `_fields` here: with it a batch answers nothing.
        let call = send("wp-json/wc/v3/products/batch".to_owned(), serde_json::json!({ "update": items }))
            .attempt_limits(wire::BATCH_TIMEOUT, wire::BATCH_TIMEOUT)
            .cost(u32::try_from(some.len()).unwrap_or(u32::MAX));
        let answer = self.client.execute(call).await?;
        let answer: Option<BatchAnswer> =
            wire::answered(answer, b'{').ok().and_then(|answer| serde_json::from_slice(&answer.body).ok());
        let items = answer.map(|answer| answer.update).unwrap_or_default();
        let answers = some.iter().enumerate().map(|(at, (patch, _))| match items.get(at) {
            Some(Object(ItemAnswer { id, error })) if id.to_string() == patch.target.id.as_str() => {
                match error {
                    None => FieldAnswer::Accepted,
                    Some(Object(error)) => FieldAnswer::Refused {
                        code: refusal_code(&error.code),
                        why: "the store refused this item of a batch".to_owned(),
                    },
                }
            }
            _ => FieldAnswer::Unknown { why: "the store's answer does not name this item".to_owned() },
        });
        Ok(answers.collect())
    }
}

fn refused(error: &Error) -> FieldAnswer {
    FieldAnswer::Refused { code: error.code().to_owned(), why: error.to_string() }
}

/// The platform's code, where it is one: a plugin may put anything there.
fn refusal_code(code: &str) -> String {
    let plain = code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if plain && !code.is_empty() && code.len() <= 100 { code.to_owned() } else { "refused".to_owned() }
}

fn is_too_large(error: &Error) -> bool {
    error.context().iter().any(|(name, value)| *name == "status" && value == "413")
}

/// Whether the platform itself said no; otherwise nothing was sent.
fn is_refusal(error: &Error) -> bool {
    error.context().iter().any(|(name, _)| *name == "status")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_named_by_an_object_and_not_by_an_array_of_its_values() {
        let read = |text: &str| serde_json::from_str::<BatchAnswer>(text).map(|answer| answer.update.len());
        assert_eq!(read(r#"{"update":[{"id":7},{"id":9,"error":{"code":"a"}}]}"#).unwrap(), 2);
        assert!(read(r#"{"update":[[7,null]]}"#).is_err());
        assert!(read(r#"{"update":[{"id":7,"error":["a"]}]}"#).is_err());
    }
}
