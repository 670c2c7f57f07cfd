//! The tokens of one store in memory.

use std::collections::HashMap;

use crate::auth::{Claim, StoredTokens, TokenVersion};
use crate::error::Result;
use crate::model::Text;
use crate::state::{Op, refuse};
use crate::time::Timestamp;

#[derive(Debug, Clone, Default)]
pub(super) struct Tokens {
    slots: HashMap<Text, StoredTokens>,
    claims: HashMap<Text, (Text, Timestamp)>,
}

impl Tokens {
    pub(super) fn load(&self, slot: &str) -> StoredTokens {
        self.slots.get(slot).cloned().unwrap_or_default()
    }

    /// The tokens as the operations leave them; none where no operation is about tokens.
    pub(super) fn stage(&self, ops: &[Op]) -> Result<Option<Self>> {
        let mut staged = None;
        for op in ops {
            match op {
                Op::ReplaceTokens { slot, expected, record } => {
                    let tokens = staged.get_or_insert_with(|| self.clone());
                    let known = tokens.slots.entry(slot.clone()).or_default();
                    if known.version != *expected {
                        return Err(refuse::tokens_moved(*expected));
                    }
                    *known = StoredTokens::new(
                        TokenVersion(expected.0.saturating_add(1)),
                        Some((**record).clone()),
                    );
                }
                Op::ForgetTokens { slot } => {
                    let tokens = staged.get_or_insert_with(|| self.clone());
                    for (name, known) in &mut tokens.slots {
                        if slot.as_ref().is_none_or(|slot| slot == name) && known.record.is_some() {
                            *known = StoredTokens::new(TokenVersion(known.version.0.saturating_add(1)), None);
                        }
                    }
                }
                Op::ClaimTokens { slot, claim } => {
                    staged.get_or_insert_with(|| self.clone()).claim(slot, claim)?;
                }
                Op::UnclaimTokens { slot, holder } => {
                    let tokens = staged.get_or_insert_with(|| self.clone());
                    if tokens.claims.get(slot).is_some_and(|(held_by, _)| held_by == holder) {
                        tokens.claims.remove(slot);
                    }
                }
                _ => {}
            }
        }
        Ok(staged)
    }

    fn claim(&mut self, slot: &Text, claim: &Claim) -> Result<()> {
        if let Some((holder, until)) = self.claims.get(slot)
            && *until > claim.now
            && *holder != claim.holder
        {
            return Err(refuse::tokens_claimed(*until));
        }
        self.claims.insert(slot.clone(), (claim.holder.clone(), claim.until));
        Ok(())
    }
}
