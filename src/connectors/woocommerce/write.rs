//! Writing: patches into single writes.

use http::Method;
use serde_json::{Map, Value};

use super::connector::WooCommerce;
use super::wire;
use crate::connector::{Answer, FieldAnswer, Patch, PatchValue, PushRequest};
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::http::ApiRequest;
use crate::model::{Entity, Term};

impl WooCommerce {
    /// Writes each patch, and answers once per patch, in order.
    pub(super) async fn write_all(&self, request: &PushRequest) -> Result<Vec<Answer>> {
        let mut answers = Vec::with_capacity(request.patches.len());
        for patch in &request.patches {
            let answer = match self.write(patch, request).await {
                Ok(()) => FieldAnswer::Accepted,
                Err(error) if error.effect() == Effect::Possible => {
                    FieldAnswer::Unknown { why: error.to_string() }
                }
                Err(error) if is_refusal(&error) || !answers.is_empty() => {
                    FieldAnswer::Refused { code: error.code().to_owned(), why: error.to_string() }
                }
                Err(error) => return Err(error),
            };
            let fields = patch.changes.iter().map(|change| (change.field.clone(), answer.clone())).collect();
            answers.push(Answer::new(patch.target.clone(), fields));
        }
        Ok(answers)
    }

    fn body(&self, patch: &Patch) -> Result<Map<String, Value>> {
        let mut body = Map::new();
        for change in &patch.changes {
            match &change.value {
                PatchValue::Text { text, raw } => {
                    let spelled = self.products.spell(&change.field, text, raw.as_deref())?;
                    self.products.put_text(&mut body, &change.field, wire::slash(&spelled))?;
                }
                PatchValue::Terms(terms) => {
                    let slashed: Vec<Term> = terms
                        .iter()
                        .map(|term| Term { name: wire::slash(&term.name).into(), ..term.clone() })
                        .collect();
                    self.products.put_terms(&mut body, &change.field, &slashed)?;
                }
            }
        }
        Ok(body)
    }

    /// Writes one product: all its fields in one request, since two that cross undo each other.
    async fn write(&self, patch: &Patch, request: &PushRequest) -> Result<()> {
        if patch.target.kind != Entity::Product || !wire::is_id(&patch.target.id) {
            return Err(Error::new(ErrorKind::Unsupported, "not_writable", "only products can be written"));
        }
        let body = Value::Object(self.body(patch)?).to_string();
        // POST updates as PUT does, and passes where a host blocks PUT.
        let path = format!("wp-json/wc/v3/products/{}", patch.target.id);
        let call = ApiRequest::write(Method::POST, path, body)
            .lane(request.lane)
            .not_after(Some(request.guard_until))
            .attempt_limits(wire::WRITE_TIMEOUT, wire::WRITE_TIMEOUT)
            .query("_fields", "id");
        self.client.execute(call).await.map(drop)
    }
}

/// Whether the platform itself said no; otherwise nothing was sent.
fn is_refusal(error: &Error) -> bool {
    error.context().iter().any(|(name, _)| *name == "status")
}
