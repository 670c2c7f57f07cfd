//! What a document costs, predicted before it is sent.
//!
//! A scalar is 0, an object 1, a list that is paged `2 + first x (1 + the cost of a node)`, a mutation 10; of
//! fragments for different types the dearest counts. Servers may count otherwise, so a budget goes by what the
//! shape cost the last time, and by this for the first time only.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use twox_hash::XxHash3_64;

use super::syntax::{Condition, Field, Kind, Operation, Plain, Selection, Size, Term};

const OBJECT: u64 = 1;
const LIST: u64 = 2;
const MUTATION: u64 = 10;
/// More records than any server gives at a time.
const MAX_SIZE: i64 = 10_000;

/// The variables that a call is made with, as far as its cost depends on them.
#[derive(Debug)]
pub(super) struct Given {
    /// The operation's variables, in their order.
    values: Vec<Option<Plain>>,
    /// What makes a call another shape: its values, and the lengths of all lists.
    shape: Vec<u8>,
}

impl Given {
    /// Reads them of a JSON object; `null` is an empty one. `None` where the text is neither.
    pub(super) fn read(operation: &Operation, variables: &[u8]) -> Option<Self> {
        let given = serde_json::from_slice::<Option<Variables>>(variables).ok()?.unwrap_or_default().0;
        let values: Vec<Option<Plain>> = operation
            .variables
            .iter()
            .map(|variable| match given.get(variable.name.as_str()) {
                Some(Seen::Plain(plain)) => Some(*plain),
                Some(Seen::Length(length)) => Some(Plain::Number(*length)),
                Some(Seen::Other) => None,
                None => variable.default,
            })
            .collect();
        let mut shape = Vec::new();
        let mut note = |kind: u8, number: i64| {
            shape.push(kind);
            shape.extend_from_slice(&number.to_le_bytes());
        };
        for value in &values {
            match value {
                None => note(0, 0),
                Some(Plain::Number(number)) => note(1, *number),
                Some(Plain::Truth(truth)) => note(2, i64::from(*truth)),
            }
        }
        for seen in given.values() {
            if let Seen::Length(length) = seen {
                note(3, *length);
            }
        }
        Some(Self { values, shape })
    }

    /// Names the shape of a call of a document; the document is its family.
    pub(super) fn key(&self, document: u64) -> u64 {
        let shape = XxHash3_64::oneshot_with_seed(document, &self.shape);
        (document & !0xffff_ffff) | (shape & 0xffff_ffff)
    }

    fn value(&self, term: Term) -> Option<Plain> {
        match term {
            Term::Is(plain) => Some(plain),
            Term::Variable(at) => self.values.get(at).copied().flatten(),
        }
    }

    fn number(&self, term: Term) -> Option<u64> {
        match self.value(term)? {
            Plain::Number(number) => u64::try_from(number.clamp(0, MAX_SIZE)).ok(),
            Plain::Truth(_) => None,
        }
    }

    fn includes(&self, conditions: &[Condition]) -> bool {
        conditions.iter().all(|condition| match self.value(condition.term) {
            Some(Plain::Truth(truth)) => truth == condition.included_if,
            // The server will refuse it: it costs nothing either way.
            Some(Plain::Number(_)) | None => true,
        })
    }
}

/// Predicts what a call costs.
pub(super) fn cost(operation: &Operation, given: &Given) -> u32 {
    let cost = match operation.kind {
        Kind::Query => sum(&operation.selections, given, &|field| of_field(field, given)),
        Kind::Mutation => sum(&operation.selections, given, &|field| {
            MUTATION.saturating_add(of_selections(&field.selections, given))
        }),
    };
    u32::try_from(cost).unwrap_or(u32::MAX)
}

fn of_selections(selections: &[Selection], given: &Given) -> u64 {
    sum(selections, given, &|field| of_field(field, given))
}

fn of_field(field: &Field, given: &Given) -> u64 {
    if field.selections.is_empty() {
        return 0;
    }
    match &field.size {
        Size::One => OBJECT.saturating_add(of_selections(&field.selections, given)),
        Size::Ids(ids) => {
            let each = OBJECT.saturating_add(of_selections(&field.selections, given));
            given.number(*ids).unwrap_or(1).saturating_mul(each)
        }
        Size::Page(sizes) => {
            // Where the size is null, the server refuses the call.
            let size = sizes.iter().filter_map(|term| given.number(*term)).max().unwrap_or(1);
            LIST.saturating_add(if has_nodes(&field.selections) {
                sum(&field.selections, given, &|part| of_part(part, size, given))
            } else {
                size.saturating_mul(OBJECT.saturating_add(of_selections(&field.selections, given)))
            })
        }
    }
}

/// Whether a list is one of nodes and their page, and not of the objects themselves.
fn has_nodes(selections: &[Selection]) -> bool {
    selections.iter().any(|selection| match selection {
        Selection::Field(field) => matches!(field.name.as_str(), "nodes" | "edges" | "pageInfo"),
        Selection::Group(group) => has_nodes(&group.selections),
        Selection::Spread { .. } => false,
    })
}

/// A part of a list: its nodes, its edges with a node each, its page, and what else it has.
fn of_part(part: &Field, size: u64, given: &Given) -> u64 {
    match part.name.as_str() {
        "nodes" => size.saturating_mul(OBJECT.saturating_add(of_selections(&part.selections, given))),
        "edges" => size.saturating_mul(sum(&part.selections, given, &|field| of_field(field, given))),
        "pageInfo" => 0,
        _ => of_field(part, given),
    }
}

/// The fields' costs together, and of fragments by type the dearest type.
fn sum(selections: &[Selection], given: &Given, cost: &dyn Fn(&Field) -> u64) -> u64 {
    let mut together = 0_u64;
    let mut by_type: BTreeMap<&str, u64> = BTreeMap::new();
    for selection in selections {
        match selection {
            Selection::Field(field) if given.includes(&field.conditions) => {
                together = together.saturating_add(cost(field));
            }
            Selection::Group(group) if given.includes(&group.conditions) => {
                let inside = sum(&group.selections, given, cost);
                let of = match &group.on {
                    Some(on) => by_type.entry(on).or_default(),
                    None => &mut together,
                };
                *of = of.saturating_add(inside);
            }
            Selection::Field(_) | Selection::Group(_) | Selection::Spread { .. } => {}
        }
    }
    together.saturating_add(by_type.into_values().max().unwrap_or(0))
}

/// The members of the variables' object, by name.
#[derive(Default)]
struct Variables(BTreeMap<String, Seen>);

impl<'de> Deserialize<'de> for Variables {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Variables;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Variables, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, seen)) = from.next_entry::<Cow<'de, str>, Seen>()? {
                    members.insert(name.into_owned(), seen);
                }
                Ok(Variables(members))
            }
        }

        from.deserialize_map(Members)
    }
}

/// What matters of a variable.
#[derive(Debug, Clone, Copy)]
enum Seen {
    Plain(Plain),
    Length(i64),
    Other,
}

impl<'de> Deserialize<'de> for Seen {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Seen;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_bool<E>(self, truth: bool) -> Result<Seen, E> {
                Ok(Seen::Plain(Plain::Truth(truth)))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Seen, E> {
                Ok(Seen::Plain(Plain::Number(number)))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Seen, E> {
                Ok(Seen::Plain(Plain::Number(i64::try_from(number).unwrap_or(i64::MAX))))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Seen, E> {
                Ok(Seen::Other)
            }

            fn visit_str<E>(self, _: &str) -> Result<Seen, E> {
                Ok(Seen::Other)
            }

            fn visit_unit<E>(self) -> Result<Seen, E> {
                Ok(Seen::Other)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Seen, A::Error> {
                let mut length = 0;
                while from.next_element::<IgnoredAny>()?.is_some() {
                    length += 1;
                }
                Ok(Seen::Length(length))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Seen, A::Error> {
                while from.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Seen::Other)
            }
        }

        from.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::syntax::parse;
    use super::*;

    fn of(text: &str, variables: &serde_json::Value) -> u32 {
        let operation = parse(text).unwrap();
        cost(&operation, &Given::read(&operation, variables.to_string().as_bytes()).unwrap())
    }

    #[test]
    fn a_documents_cost_follows_the_formula() {
        for (text, expected) in [
            ("{ shop { id name } }", 1),
            ("{ shop { id plan { name } } now }", 2),
            ("{ items(first: 10) { nodes { id } pageInfo { hasNextPage endCursor } } }", 12),
            ("{ items(last: 10) { edges { cursor node { id seo { title } } } } }", 22),
            ("{ items(first: 10) { nodes { id parts(first: 5) { nodes { id } } } } }", 82),
            ("{ items(first: 10) { nodes { id } edges { node { id } } total { count } } }", 23),
            ("{ a: items(first: 1) { nodes { id } } b: items(first: 1) { nodes { id } } }", 6),
            // A list of the objects themselves, with and without a size.
            ("{ item { options(first: 3) { name values { id } } options { name } } }", 10),
            ("{ items(first: 10) { pageInfo { hasNextPage } } }", 2),
            ("{ nodes(ids: [1, 2, 3]) { ... on A { x { y } } ... on B { z } } }", 6),
            // Of types, the dearest; what is for no type, and of one type, adds up.
            (
                "{ n { ... on A { a { x } } ... on B { a { x } b { x } } ... on A { c { x } d { x } } ... { e { x } } } }",
                5,
            ),
            ("{ n { ...F ...F } } fragment F on N { a { x } }", 3),
            (
                "{ items(first: 10) { ...L } } fragment L on Items { nodes { ...N } } fragment N on N { seo { t } }",
                22,
            ),
            ("{ a @include(if: false) { x } b @skip(if: true) { x } c @skip(if: false) { x } }", 1),
            ("mutation { rename { item { id } } }", 11),
            ("mutation { a: add { ok } b: add { ok } done }", 30),
        ] {
            assert_eq!(of(text, &json!({})), expected, "{text}");
        }
    }

    #[test]
    fn sizes_and_conditions_come_from_the_variables() {
        let text = "query($n: Int = 7, $m: Int, $ids: [ID!]!, $deep: Boolean = false) {
            items(first: $n, last: $m) { nodes { id parts(first: 2) @include(if: $deep) { nodes { id } } } }
            nodes(ids: $ids) { id }
        }";
        assert_eq!(of(text, &json!({ "ids": [] })), 9);
        assert_eq!(of(text, &json!({ "ids": ["a", "b"], "n": 20 })), 24);
        assert_eq!(of(text, &json!({ "ids": [], "n": null, "m": 5 })), 7);
        assert_eq!(of(text, &json!({ "ids": [], "n": 1, "deep": true })), 2 + 1 + 4);
        // Sizes that cannot be do not overflow anything.
        assert_eq!(of(text, &json!({ "ids": [], "n": -3 })), 2);
        assert_eq!(of(text, &json!({ "ids": [], "n": i64::MAX })), 10_002);
        assert_eq!(of(text, &json!({ "ids": [], "n": 1e300 })), 2 + 1);
        let nested = "query($n: Int) { a(first: $n) { nodes { b(first: $n) { nodes { c(first: $n) { nodes { d } } } } } } }";
        assert_eq!(of(nested, &json!({ "n": u64::MAX })), u32::MAX);
    }

    #[test]
    fn variables_that_are_no_object_are_not_read() {
        let operation = parse("{ a }").unwrap();
        assert!(Given::read(&operation, b"null").is_some());
        for odd in ["[]", "1", "{", "", "{} x"] {
            assert!(Given::read(&operation, odd.as_bytes()).is_none(), "{odd}");
        }
    }
}
