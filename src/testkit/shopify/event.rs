//! Events of the shop's timeline; of deletions they are all that is left.

use super::errors::FieldError;
use super::search;
use super::state::State;
use super::value::{Out, gid};
use crate::time::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) id: u64,
    pub(super) action: &'static str,
    pub(super) subject: String,
    pub(super) subject_type: &'static str,
    pub(super) at: Timestamp,
    pub(super) message: String,
}

impl Event {
    pub(super) fn searched(&self, field: &str) -> Vec<search::Value> {
        use search::Value;
        match field {
            "id" => vec![Value::Number(self.id)],
            "action" => vec![Value::Text(self.action.to_owned())],
            "subject_type" => vec![Value::Text(self.subject_type.to_owned())],
            "created_at" => vec![Value::Time(self.at)],
            _ => vec![Value::Words(self.message.clone())],
        }
    }
}

impl State {
    pub(super) fn note_event(&mut self, action: &'static str, subject_type: &'static str, subject: String) {
        let id = self.take_id();
        let message = format!("{subject} {action}");
        self.events.insert(id, Event { id, action, subject, subject_type, at: self.now, message });
    }
}

/// A field of an event.
pub(super) fn field(state: &State, id: u64, name: &str) -> Result<Out, FieldError> {
    let Some(event) = state.events.get(&id) else { return Ok(Out::NULL) };
    Ok(match name {
        "id" => Out::text(gid("BasicEvent", id)),
        "action" => Out::text(event.action),
        "appTitle" => Out::NULL,
        "createdAt" => Out::time(event.at),
        "message" => Out::text(&event.message),
        "subjectId" => Out::text(&event.subject),
        "subjectType" => Out::text(event.subject_type),
        _ => return Err(FieldError::undefined("BasicEvent", name)),
    })
}
