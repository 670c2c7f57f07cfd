//! What the suite says: held, not claimed, or violated, with the rule's name.

use std::fmt;

use crate::error::Result;

/// A rule that a connector breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// The rule's id in `docs/semantics.md`, or `CAPABILITIES`, `LIMITS`, `AUTH`, `WEBHOOKS`,
    /// `SECRETS`, `FIXTURE`.
    pub rule: &'static str,
    /// What should hold.
    pub claim: &'static str,
    /// What was seen instead.
    pub saw: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule {} is broken: expected that {}; saw {}", self.rule, self.claim, self.saw)
    }
}

impl std::error::Error for Violation {}

/// That a rule was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Checked {
    /// It holds.
    Held,
    /// There was nothing to check, for this reason.
    NotClaimed(&'static str),
}

/// What came of one rule.
pub type Outcome = std::result::Result<Checked, Violation>;

/// What came of all rules.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Report {
    /// The names of the rules that hold.
    pub passed: Vec<&'static str>,
    /// The names of the rules with nothing to check, and why.
    pub skipped: Vec<(&'static str, &'static str)>,
    /// The names of the rules that are broken, and how.
    pub failed: Vec<(&'static str, Violation)>,
}

impl Report {
    pub(super) fn add(&mut self, name: &'static str, outcome: Outcome) {
        match outcome {
            Ok(Checked::Held) => self.passed.push(name),
            Ok(Checked::NotClaimed(why)) => self.skipped.push((name, why)),
            Err(violation) => self.failed.push((name, violation)),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} rules hold, {} have nothing to check, {} are broken",
            self.passed.len(),
            self.skipped.len(),
            self.failed.len()
        )?;
        for (name, why) in &self.skipped {
            writeln!(f, "  not checked: {name}: {why}")?;
        }
        for (name, violation) in &self.failed {
            writeln!(f, "  {name}: {violation}")?;
        }
        Ok(())
    }
}

/// A rule as it is being checked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim {
    pub(super) rule: &'static str,
    pub(super) text: &'static str,
}

impl Claim {
    pub(super) fn violated(self, saw: impl Into<String>) -> Violation {
        Violation { rule: self.rule, claim: self.text, saw: saw.into() }
    }

    pub(super) fn check(
        self,
        holds: bool,
        saw: impl FnOnce() -> String,
    ) -> std::result::Result<(), Violation> {
        if holds { Ok(()) } else { Err(self.violated(saw())) }
    }

    /// The value of a call that should succeed.
    pub(super) fn done<T>(self, what: &str, result: Result<T>) -> std::result::Result<T, Violation> {
        result.map_err(|error| self.violated(format!("{what} failed: {error}")))
    }
}
