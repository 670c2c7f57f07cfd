//! What became of a patch, out of the answers to the calls that wrote it.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Answer, FieldAnswer, Patch};
use crate::error::{Effect, Error, Result};
use crate::model::FieldName;

/// Collects the answers of a patch that takes several calls: of one field, the worst counts.
#[derive(Debug, Default)]
pub struct Outcomes {
    said: HashMap<FieldName, FieldAnswer>,
    sent: bool,
    unsent: Option<Arc<Error>>,
}

/// What became of one patch.
#[derive(Debug)]
pub struct Written {
    /// Its answer.
    pub answer: Answer,
    /// Why nothing of it was sent, where nothing was.
    pub unsent: Option<Arc<Error>>,
}

impl Outcomes {
    /// Nothing was said yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A call was answered: this is what it says of the fields that it writes.
    pub fn said(&mut self, fields: &[FieldName], answer: &FieldAnswer) {
        self.sent = true;
        self.note(fields, answer);
    }

    /// A call failed: it was lost, refused by the platform, or not sent.
    pub fn failed(&mut self, fields: &[FieldName], error: impl Into<Arc<Error>>) {
        let error = error.into();
        if error.effect() == Effect::Possible {
            self.sent = true;
            self.note(fields, &FieldAnswer::Unknown { why: error.to_string() });
            return;
        }
        // What the platform answered was sent.
        if error.context().iter().any(|(name, _)| *name == "status") {
            self.sent = true;
            self.note(fields, &FieldAnswer::refused(&error));
        } else {
            self.held_back(fields, error);
        }
    }

    /// Nothing of these fields is sent, for this reason.
    pub fn held_back(&mut self, fields: &[FieldName], error: impl Into<Arc<Error>>) {
        let error = error.into();
        self.note(fields, &FieldAnswer::refused(&error));
        self.unsent.get_or_insert(error);
    }

    /// What was said of a field so far.
    #[must_use]
    pub fn of(&self, field: &FieldName) -> Option<&FieldAnswer> {
        self.said.get(field)
    }

    fn note(&mut self, fields: &[FieldName], answer: &FieldAnswer) {
        for field in fields {
            let worst = match self.said.remove(field) {
                Some(before) => before.or_worse(answer.clone()),
                None => answer.clone(),
            };
            self.said.insert(field.clone(), worst);
        }
    }

    /// The patch's answer. A field that took no call is as it should be.
    #[must_use]
    pub fn written(self, patch: &Patch) -> Written {
        let Self { said, sent, unsent } = self;
        let fields = patch.changes.iter().map(|change| {
            let answer = said.get(&change.field).cloned().unwrap_or(FieldAnswer::Accepted);
            (change.field.clone(), answer)
        });
        Written {
            answer: Answer::new(patch.target.clone(), fields.collect()),
            unsent: unsent.filter(|_| !sent),
        }
    }
}

impl Written {
    /// The answers of all patches, in order.
    ///
    /// # Errors
    /// Where nothing was sent at all: why, once.
    pub fn answers(all: Vec<Self>) -> Result<Vec<Answer>> {
        let nothing_was_sent = all.iter().all(|one| one.unsent.is_some());
        let (mut answers, mut unsent) = (Vec::with_capacity(all.len()), None);
        for one in all {
            answers.push(one.answer);
            unsent = unsent.or(one.unsent);
        }
        match unsent {
            Some(error) if nothing_was_sent => {
                Err(Arc::try_unwrap(error).unwrap_or_else(|shared| shared.copied()))
            }
            _ => Ok(answers),
        }
    }
}

impl FieldAnswer {
    /// What is refused for this reason.
    #[must_use]
    pub fn refused(error: &Error) -> Self {
        Self::Refused { code: error.code().to_owned(), why: error.to_string() }
    }

    /// The worse of two answers about one field: nobody knows, refused, accepted.
    #[must_use]
    pub fn or_worse(self, other: Self) -> Self {
        match (&self, &other) {
            (Self::Unknown { .. }, _) => self,
            (_, Self::Unknown { .. }) => other,
            (Self::Refused { .. }, _) => self,
            (Self::Accepted, _) => other,
        }
    }
}
