//! Wire JSON to and from canonical records, as data: a [`Rule`] a field, compiled to one pass over the bytes.
//!
//! Pure: what is true of the store comes in as a [`StoreProfile`].

mod canon;
pub mod cells;
mod compile;
mod entities;
pub mod fields;
mod html;
mod json;
mod overrides;
mod parts;
mod rule;
mod scattered;
mod walk;
mod write;

use std::collections::HashMap;
use std::fmt;

use crate::error::{Error, ErrorKind, Result};
use crate::model::{
    Entity, ExternalId, Field, FieldName, Inheritance, Names, Normaliser, Platform, RawItems, Record,
    RecordRef, Shape, StoreProfile, Tokens,
};
use cells::CellAccess;
use compile::Tree;
use json::{Broken, Json};
use walk::Out;

pub use entities::unescape as read_escaped;
pub use html::{HtmlVerdict, sanitise_html};
pub use overrides::Overrides;
pub use rule::{Direction, Rule, Transform, read_only, rule};
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
    /// Whether attributes have namespaces, and keys within them.
    has_namespaces: bool,
    /// Whether one attribute may stand in several places of the wire.
    is_scattered: bool,
    /// The lists of terms of which the wire has ids and no names, each with its place.
    by_id: Vec<(Entity, String)>,
}

/// The lists of a product that hold terms: by the rules for id and name, and the kind of their entries.
const TERMS: [(&str, &str, Entity); 3] = [
    ("categories[].id", "categories[].name", Entity::Category),
    ("tags[].id", "tags[].name", Entity::Tag),
    ("brands[].id", "brands[].name", Entity::Brand),
];

/// What comes in beside the bytes.
#[derive(Debug, Clone, Copy)]
struct Given<'g> {
    profile: &'g StoreProfile,
    names: Option<&'g Names>,
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
                let read_by = |field: &str| rules.iter().find(|rule| rule.field == field);
                let id_of = |name: &str| TERMS.iter().find(|terms| terms.1 == name).map(|terms| terms.0);
                let rule = read_by(def.rule).or_else(|| id_of(def.rule).and_then(read_by))?;
                let normaliser = match def.access {
                    CellAccess::Text(_)
                    | CellAccess::TermId(_)
                    | CellAccess::OptionNames(_)
                    | CellAccess::OptionValues(_)
                    | CellAccess::Alts(_) => rule.transform.normaliser(),
                    CellAccess::Terms(_) => Normaliser::Folded1,
                    CellAccess::Attributes(_) => Normaliser::Values1,
                };
                let places = rules
                    .iter()
                    .filter(|rule| match def.access.is_list() {
                        true => rule.field.starts_with(def.part_of),
                        false => rule.field == def.part_of,
                    })
                    .map(|rule| rule.from.strip_suffix("/*").unwrap_or(&rule.from))
                    .map(|from| match from.split_once("/*/").filter(|_| def.access.is_list()) {
                        Some((list, _)) => list.to_owned(),
                        None => from.to_owned(),
                    })
                    .collect();
                Some(TokenRule { field: def.field.clone(), access: def.access, normaliser, places })
            })
            .collect();
        let has_namespaces = rules.iter().any(|rule| rule.field == "attributes[].namespace");
        let is_scattered = rules.iter().any(|rule| rule.transform == Transform::OnlyValue);
        let read_by = |field: &str| rules.iter().find(|rule| rule.field == field);
        let by_id = TERMS.iter().filter(|(_, name, _)| read_by(name).is_none());
        let by_id = by_id.filter_map(|(id, _, kind)| Some((*kind, read_by(id)?.from.to_string()))).collect();
        Ok(Self { blank, rules: rules.to_vec(), tree, cells, has_namespaces, is_scattered, by_id })
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
        let body = simdutf8::compat::from_utf8(&items.body)
            .map_err(|error| broken("not UTF-8").with_context("offset", error.valid_up_to().to_string()))?;
        let mut page = MappedPage::default();
        let mut json = Json::new(body);
        let given = Given { profile, names: items.names.as_deref() };
        let read = match items.shape {
            Shape::List => self.list(&mut json, given, false, &mut page),
            Shape::One => self.one(&mut json, given, false, &mut page),
            Shape::ListAt(path) => match self.list_at(&mut json, path, given, &mut page) {
                Ok(false) => return Err(broken("without the list that was asked for")),
                read => read.map(drop),
            },
            Shape::Parts => {
                self.parts(body, items, given, &mut page)?;
                json.back_to(body.len());
                Ok(())
            }
        };
        if read.is_err() || !json.is_at_end() {
            return Err(not_json(body, json.at()));
        }
        if let Some(parent) = &items.below {
            page.records.iter_mut().for_each(|record| record.put_below(parent));
        }
        inherit(&items.inherited, &mut page.records);
        for field in items.shown {
            page.records.iter_mut().for_each(|record| record.base_mut().forget_value(field));
        }
        Ok(page)
    }

    /// Reads an array of records.
    fn list(
        &self,
        json: &mut Json<'_>,
        given: Given<'_>,
        skips_null: bool,
        page: &mut MappedPage,
    ) -> Result<(), Broken> {
        if json.peek() != b'[' {
            return Err(Broken);
        }
        let mut more = json.open(b']')?;
        while more {
            self.one(json, given, skips_null, page)?;
            more = json.more(b']')?;
        }
        Ok(())
    }

    /// Reads an object, and the array of records behind these keys; whether there was one.
    fn list_at(
        &self,
        json: &mut Json<'_>,
        path: &[&str],
        given: Given<'_>,
        page: &mut MappedPage,
    ) -> Result<bool, Broken> {
        let Some((step, rest)) = path.split_first() else {
            let is_list = json.peek() == b'[';
            if is_list {
                self.list(json, given, true, page)?
            } else {
                json.skip()?
            }
            return Ok(is_list);
        };
        if json.peek() != b'{' {
            json.skip()?;
            return Ok(false);
        }
        let mut found = false;
        let mut more = json.open(b'}')?;
        while more {
            let key = json.key()?;
            if key.text != *step {
                json.skip()?;
            } else if found {
                // Which of the two counts cannot be told.
                return Err(Broken);
            } else {
                found = self.list_at(json, rest, given, page)?;
            }
            more = json.more(b'}')?;
        }
        Ok(found)
    }

    /// Reads one record. A value that cannot be read does not fail its neighbours: the record is rejected alone.
    fn one(
        &self,
        json: &mut Json<'_>,
        given: Given<'_>,
        skips_null: bool,
        page: &mut MappedPage,
    ) -> Result<(), Broken> {
        json.peek();
        let start = json.at();
        let mut out = self.out(given);
        match out.record(json) {
            Ok(is_null) if is_null && skips_null => {}
            Ok(_) => self.finish(out, page),
            Err(Broken) => {
                let at = json.at();
                json.back_to(start);
                if json.skip().is_err() {
                    json.back_to(at.max(json.at()));
                    return Err(Broken);
                }
                reject(out, page);
            }
        }
        Ok(())
    }

    fn out<'m>(&'m self, given: Given<'m>) -> Out<'m> {
        Out::new(&self.tree, given, self.blank.clone())
    }

    fn finish(&self, out: Out<'_>, page: &mut MappedPage) {
        let Out { mut record, mut issues, raws, given, unread, .. } = out;
        let id = record.reference().id.clone();
        if id.as_str().is_empty() {
            issues.push(MapIssue { path: "/".to_owned(), code: "has_no_id" });
            page.rejected.push(RejectedRecord { id: None, issues });
            return;
        }
        if self.is_scattered {
            scattered::gather(&mut record);
        }
        let mut unread: Vec<&str> =
            unread.iter().map(|node| self.tree.node(*node).pattern.as_str()).collect();
        for (kind, place) in &self.by_id {
            if !name_by_id(&mut record, *kind, given.names) {
                issues.push(MapIssue { path: place.clone(), code: "name_unknown" });
                unread.push(place);
            }
        }
        page.dropped_fields += issues.len() as u64;
        for issue in issues {
            if page.issues.len() < MAX_PAGE_ISSUES {
                page.issues.push((id.clone(), issue));
            }
        }
        record.place(given.profile, raws);
        if self.has_namespaces {
            name_by_key(&mut record);
        }
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

/// Marks the values that records show from another language or view.
fn inherit(inherited: &[Inheritance], records: &mut [Record]) {
    if inherited.is_empty() {
        return;
    }
    let mut of: HashMap<ExternalId, &mut Record> =
        records.iter_mut().map(|record| (record.reference().id.clone(), record)).collect();
    for Inheritance { id, field, key } in inherited {
        if let Some(record) = of.get_mut(id) {
            record.base_mut().inherit(field, key.as_deref());
        }
    }
}

/// Gives the terms of a list that have an id alone their names; whether each has one now.
fn name_by_id(record: &mut Record, kind: Entity, names: Option<&Names>) -> bool {
    let Record::Product(product) = record else { return true };
    let list = match kind {
        Entity::Category => &mut product.categories,
        Entity::Tag => &mut product.tags,
        _ => &mut product.brands,
    };
    let Field::Value(terms) = list else { return true };
    let mut all = true;
    for term in terms {
        match term.id.as_ref().zip(names).and_then(|(id, names)| names.get(kind, id)) {
            Some(name) => term.name = name.clone(),
            None => all = false,
        }
    }
    all
}

/// Gives attributes without a name the key that they have in their namespace.
fn name_by_key(record: &mut Record) {
    let Record::Product(product) = record else { return };
    let Field::Value(attributes) = &mut product.attributes else { return };
    for attribute in attributes.iter_mut().filter(|one| one.namespace.is_some() && one.label.is_empty()) {
        attribute.label = attribute.key.clone().unwrap_or_default();
    }
}

/// Rejects a record that is no JSON to the letter.
fn reject(out: Out<'_>, page: &mut MappedPage) {
    let id = Some(out.record.reference().id.clone()).filter(|id| !id.as_str().is_empty());
    let mut issues = out.issues;
    issues.push(MapIssue { path: "/".to_owned(), code: "unreadable" });
    page.rejected.push(RejectedRecord { id, issues });
}

fn not_json(body: &str, at: usize) -> Error {
    let before = body.get(..at).unwrap_or(body);
    let line = before.rsplit('\n').next().unwrap_or_default();
    broken("not the JSON that was asked for")
        .with_context("line", (before.matches('\n').count() + 1).to_string())
        .with_context("column", (line.chars().count() + 1).to_string())
}

fn broken(what: &'static str) -> Error {
    Error::new(ErrorKind::Protocol, "answer_unreadable", format!("the store's answer is {what}"))
        .with_remedy("look for a plugin, proxy or firewall that changes the store's answers")
}
