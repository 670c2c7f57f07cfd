//! Wire JSON to and from canonical records, as data: a [`Rule`] a field, compiled to one pass over the bytes.
//!
//! Pure: what is true of the store comes in as a [`StoreProfile`].

mod canon;
pub mod cells;
mod compile;
mod entities;
pub mod fields;
mod html;
mod overrides;
mod rule;
mod walk;
mod write;

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer as _, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::{Error, ErrorKind, Result};
use crate::model::{
    Entity, ExternalId, FieldName, Normaliser, Platform, RawItems, Record, RecordRef, Shape, StoreProfile,
    Tokens,
};
use cells::CellAccess;
use compile::Tree;
use walk::{Out, RecordSeed};

pub use entities::unescape as read_escaped;
pub use html::{HtmlVerdict, sanitise_html};
pub use overrides::Overrides;
pub use rule::{Direction, Rule, Transform, rule};
pub use walk::MapIssue;

/// The most issues that are kept of one page.
const MAX_PAGE_ISSUES: usize = 100;

/// A compiled map of one kind of record: cheap to make, so each store can have its own.
#[derive(Debug)]
pub struct SchemaMap {
    /// A record of this kind of which nothing is known.
    blank: Record,
    rules: Vec<Rule>,
    tree: Tree,
    cells: Vec<TokenRule>,
}

struct TokenRule {
    field: FieldName,
    access: CellAccess,
    normaliser: Normaliser,
    /// Where on the wire its value is, for a list the list itself.
    places: Vec<String>,
}

impl TokenRule {
    /// Whether something at this place of the wire is part of the value, or holds it.
    fn is_touched_by(&self, place: &str) -> bool {
        let within = |one: &str, other: &str| {
            one.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.places.iter().any(|own| within(place, own) || within(own, place))
    }
}

impl fmt::Debug for TokenRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} under {}", self.field, self.normaliser.name())
    }
}

/// What a page's bytes became.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct MappedPage {
    /// The records, in the order of the page.
    pub records: Vec<Record>,
    /// The records that could not be mapped.
    pub rejected: Vec<RejectedRecord>,
    /// How many fields were dropped, of records that were mapped all the same.
    pub dropped_fields: u64,
    /// Which, for the first hundred of a page.
    pub issues: Vec<(ExternalId, MapIssue)>,
}

/// A record that could not be mapped.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RejectedRecord {
    /// Its id, where that could be read.
    pub id: Option<ExternalId>,
    /// What was wrong.
    pub issues: Vec<MapIssue>,
}

impl SchemaMap {
    /// Compiles the rules of a kind of record.
    ///
    /// # Errors
    /// `Config` where a rule names no field, a place that cannot be, or contradicts another rule.
    pub fn compile(platform: Platform, entity: Entity, rules: &[Rule]) -> Result<Self> {
        let tree = compile::compile(entity, rules)?;
        let reference = RecordRef::new(platform, entity, ExternalId::default());
        let blank = Record::new(reference).ok_or_else(|| {
            Error::new(ErrorKind::Config, "map_invalid", format!("{entity} is no record of its own"))
        })?;
        let cells = cells::of(entity)
            .iter()
            .filter_map(|def| {
                let rule = rules.iter().find(|rule| rule.field == def.rule)?;
                let normaliser = match def.access {
                    CellAccess::Text(_) | CellAccess::TermId(_) | CellAccess::Alts(_) => {
                        rule.transform.normaliser()
                    }
                    CellAccess::Terms(_) => Normaliser::Folded1,
                    CellAccess::Attributes(_) => Normaliser::Values1,
                };
                let places = rules
                    .iter()
                    .filter(|rule| match def.access.is_list() {
                        true => rule.field.starts_with(def.part_of),
                        false => rule.field == def.part_of,
                    })
                    .map(|rule| match rule.from.split_once("/*/").filter(|_| def.access.is_list()) {
                        Some((list, _)) => list.to_owned(),
                        None => rule.from.to_string(),
                    })
                    .collect();
                Some(TokenRule { field: def.field.clone(), access: def.access, normaliser, places })
            })
            .collect();
        Ok(Self { blank, rules: rules.to_vec(), tree, cells })
    }

    /// The kind of record that it maps.
    #[must_use]
    pub fn entity(&self) -> Entity {
        self.blank.reference().kind
    }

    /// The rules that it was compiled from.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The fields of its records that are cells: each has a base token.
    pub fn cells(&self) -> impl Iterator<Item = &FieldName> {
        self.cells.iter().map(|cell| &cell.field)
    }

    /// How the values of a cell are compared.
    #[must_use]
    pub fn normaliser(&self, field: &FieldName) -> Option<Normaliser> {
        self.cells.iter().find(|cell| cell.field == *field).map(|cell| cell.normaliser)
    }

    /// Maps a response. A record that cannot be mapped is rejected alone.
    ///
    /// # Errors
    /// `Protocol` where the response as a whole is not what its shape says: broken JSON, no UTF-8.
    pub fn map(&self, items: &RawItems, profile: &StoreProfile) -> Result<MappedPage> {
        // UTF-8 is checked once for the whole body, not for every text.
        let body = std::str::from_utf8(&items.body)
            .map_err(|error| broken("not UTF-8").with_context("offset", error.valid_up_to().to_string()))?;
        let mut page = MappedPage::default();
        if self.one_pass(body, items.shape, profile, &mut page).is_err() {
            // One value that cannot be read must not fail its neighbours: cut, then map each alone.
            page = MappedPage::default();
            self.one_by_one(body, items.shape, profile, &mut page)?;
        }
        if let Some(parent) = &items.below {
            page.records.iter_mut().for_each(|record| record.put_below(parent));
        }
        Ok(page)
    }

    fn one_pass(
        &self,
        body: &str,
        shape: Shape,
        profile: &StoreProfile,
        page: &mut MappedPage,
    ) -> Result<(), serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_str(body);
        match shape {
            Shape::List => deserializer.deserialize_seq(PageVisitor { map: self, profile, page })?,
            Shape::One => {
                let mut out = self.out(profile);
                RecordSeed(&mut out).deserialize(&mut deserializer)?;
                self.finish(out, page);
            }
            Shape::ListAt(_) | Shape::Parts => return Err(serde::de::Error::custom("not read yet")),
        }
        deserializer.end()
    }

    fn one_by_one(
        &self,
        body: &str,
        shape: Shape,
        profile: &StoreProfile,
        page: &mut MappedPage,
    ) -> Result<()> {
        let cut: Result<Vec<&RawValue>, serde_json::Error> = match shape {
            Shape::List => serde_json::from_str(body),
            Shape::One => serde_json::from_str(body).map(|one| vec![one]),
            Shape::ListAt(_) | Shape::Parts => Err(serde::de::Error::custom("not read yet")),
        };
        let cut = cut.map_err(|error| {
            broken("not the JSON that was asked for")
                .with_context("line", error.line().to_string())
                .with_context("column", error.column().to_string())
        })?;
        for raw in cut {
            let mut out = self.out(profile);
            let mut deserializer = serde_json::Deserializer::from_str(raw.get());
            match RecordSeed(&mut out).deserialize(&mut deserializer) {
                Ok(()) => self.finish(out, page),
                Err(_) => {
                    let id = Some(out.record.reference().id.clone()).filter(|id| !id.as_str().is_empty());
                    let mut issues = out.issues;
                    issues.push(MapIssue { path: "/".to_owned(), code: "unreadable" });
                    page.rejected.push(RejectedRecord { id, issues });
                }
            }
        }
        Ok(())
    }

    fn out<'m>(&'m self, profile: &'m StoreProfile) -> Out<'m> {
        Out::new(&self.tree, profile, self.blank.clone())
    }

    fn finish(&self, out: Out<'_>, page: &mut MappedPage) {
        let Out { mut record, issues, raws, profile, unread, .. } = out;
        let id = record.reference().id.clone();
        if id.as_str().is_empty() {
            let mut issues = issues;
            issues.push(MapIssue { path: "/".to_owned(), code: "has_no_id" });
            page.rejected.push(RejectedRecord { id: None, issues });
            return;
        }
        page.dropped_fields += issues.len() as u64;
        for issue in issues {
            if page.issues.len() < MAX_PAGE_ISSUES {
                page.issues.push((id.clone(), issue));
            }
        }
        record.place(profile, raws);
        let unread: Vec<&str> = unread
            .iter()
            .filter_map(|node| self.tree.nodes.get(usize::from(*node)))
            .map(|node| node.pattern.as_str())
            .collect();
        self.add_tokens(&mut record, &unread);
        page.records.push(record);
    }

    fn add_tokens(&self, record: &mut Record, unread: &[&str]) {
        *record.base_mut() = Tokens::with_capacity(self.cells.len());
        for cell in &self.cells {
            // A cell that could not be read is not absent: it has no honest token, and takes no write.
            if unread.iter().any(|place| cell.is_touched_by(place)) {
                continue;
            }
            if let Some(token) = cells::token(cell.access, record, cell.normaliser) {
                record.base_mut().set(cell.field.clone(), token);
            } else if let Some(keys) = cells::tokens(cell.access, record, cell.normaliser) {
                record.base_mut().set_keys(cell.field.clone(), keys);
            }
        }
    }
}

struct PageVisitor<'p, 'm> {
    map: &'m SchemaMap,
    profile: &'m StoreProfile,
    page: &'p mut MappedPage,
}

impl<'de> Visitor<'de> for PageVisitor<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        loop {
            let mut out = self.map.out(self.profile);
            if sequence.next_element_seed(RecordSeed(&mut out))?.is_none() {
                return Ok(());
            }
            self.map.finish(out, self.page);
        }
    }
}

fn broken(what: &'static str) -> Error {
    Error::new(ErrorKind::Protocol, "answer_unreadable", format!("the store's answer is {what}"))
        .with_remedy("look for a plugin, proxy or firewall that changes the store's answers")
}
