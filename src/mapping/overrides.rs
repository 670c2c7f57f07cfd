//! What one store has elsewhere: changes to a connector's rules, read from TOML.
//!
//! `docs/mapping.md` shows the form. An override renames, adds or drops a rule, or chooses a named transform; it
//! holds no logic.

#[cfg(feature = "overrides")]
mod entry;
#[cfg(feature = "overrides")]
mod merge;
#[cfg(feature = "overrides")]
mod read;

use crate::error::{Error, ErrorKind, Result};
use crate::model::{Entity, EntityCapabilities};

use super::rule::{Direction, Rule};

/// Changes to a connector's rules, for one store. The default changes nothing.
///
/// ```
/// # #[cfg(feature = "overrides")] {
/// use lily_connect::mapping::Overrides;
///
/// let overrides = Overrides::parse(
///     r#"
///     [[product]]
///     field = "gtin"
///     from = "/meta_data/*[key=_ean]/value"
///
///     [[product]]
///     field = "compare_at"
///     drop = true
///     "#,
/// )?;
/// # drop(overrides); }
/// # Ok::<(), lily_connect::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    #[cfg(feature = "overrides")]
    entries: Vec<entry::Entry>,
}

impl Overrides {
    /// Reads overrides from TOML of at most 64 KiB and 200 entries.
    ///
    /// # Errors
    /// `TooLarge` over a bound. `Config` for what is no TOML, and for an entry that cannot be; it names line,
    /// column and field, and says what is allowed. `Unsupported` in a build without the feature `overrides`.
    #[cfg(feature = "overrides")]
    pub fn parse(text: &str) -> Result<Self> {
        read::read(text).map(|entries| Self { entries })
    }

    /// Refuses: this build reads no overrides.
    ///
    /// # Errors
    /// `Unsupported`, always.
    #[cfg(not(feature = "overrides"))]
    pub fn parse(_text: &str) -> Result<Self> {
        Err(Error::new(
            ErrorKind::Unsupported,
            "overrides_unsupported",
            "this build cannot read overrides of a map",
        )
        .with_remedy("enable the feature overrides"))
    }

    /// Whether nothing is changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        #[cfg(feature = "overrides")]
        return self.entries.is_empty();
        #[cfg(not(feature = "overrides"))]
        true
    }

    /// The rules of a kind of record with the changes made. They compile, where the given ones do.
    ///
    /// # Errors
    /// `Config` where an entry does not fit these rules, or where the map with it would not compile; it names line,
    /// column and field of the entry.
    pub fn apply(&self, entity: Entity, rules: &[Rule]) -> Result<Vec<Rule>> {
        #[cfg(feature = "overrides")]
        return merge::merge(&self.entries, entity, rules);
        #[cfg(not(feature = "overrides"))]
        {
            let _ = entity;
            Ok(rules.to_vec())
        }
    }

    /// Refuses changes that do not fit, and those by which a connector would write to a place that it does not know how
    /// to write: `own` are its rules before the changes, and `may_write` says which other places it can.
    ///
    /// # Errors
    /// As [`Overrides::apply`], and `Config` with the entry's line and this remedy.
    pub fn must_write_content(
        &self,
        entity: Entity,
        own: &[Rule],
        may_write: impl Fn(&Rule) -> bool,
        remedy: &'static str,
    ) -> Result<()> {
        let is_own = |rule: &Rule| {
            let mut written = own.iter().filter(|own| own.direction == Direction::ReadWrite);
            written.any(|own| own.field == rule.field && own.from == rule.from)
        };
        let rules = self.apply(entity, own)?;
        let mut written = rules.iter().filter(|rule| rule.direction == Direction::ReadWrite);
        let Some(rule) = written.find(|rule| !is_own(rule) && !may_write(rule)) else { return Ok(()) };
        Err(self
            .refuse(entity, &rule.field, "the connector cannot write to this place")
            .with_context("from", rule.from.to_string())
            .with_remedy(remedy))
    }

    /// The error of an entry that a connector cannot honour, with the entry's line and column.
    #[must_use]
    pub fn refuse(&self, entity: Entity, field: &str, what: &'static str) -> Error {
        #[cfg(feature = "overrides")]
        if let Some(entry) = self.entries.iter().find(|entry| entry.entity == entity && entry.field == field)
        {
            return entry.wrong(entry.at, what);
        }
        Error::new(ErrorKind::Config, "override_invalid", what)
            .with_context("field", format!("{entity}.{field}"))
    }

    /// Takes back what a connector claims to write of a kind of record, but cannot with the changes made: `own`
    /// are the connector's rules before them.
    ///
    /// Texts that the platform stores anew together are guarded together: where one of them is no longer read
    /// where it was, none of them is written.
    pub fn narrow(&self, own: &[Rule], claims: &mut EntityCapabilities) {
        #[cfg(feature = "overrides")]
        merge::narrow(&self.entries, own, claims);
        #[cfg(not(feature = "overrides"))]
        let _ = (own, claims);
    }
}
