//! Rules compiled to a tree of nodes that one pass over the bytes walks.

use crate::error::{Error, ErrorKind, Result};
use crate::model::Entity;

use super::canon::Canon;
use super::fields::{self, ListDef};
use super::rule::{Rule, Transform};
use crate::model::Record;

/// The most rules a map can have.
const MAX_RULES: usize = 400;
/// The deepest place a rule can name.
const MAX_DEPTH: usize = 16;
/// The most arrays within one another that a place can name.
pub(super) const MAX_ARRAYS: usize = 4;
/// The most fields that several rules fill.
pub(super) const MAX_CONTESTS: usize = 8;
/// The most mapped keys an object can have: a set of bits tells which were seen.
const MAX_KEYS: usize = 64;
/// The most elements of one array that are told apart by a key: a set of bits tells which were seen.
const MAX_BRANCHES: usize = 64;

pub(super) type NodeId = u16;

/// A place on the wire, and what is done there.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) keys: Keys,
    pub(super) each: Option<NodeId>,
    pub(super) select: Option<Select>,
    pub(super) target: Option<Target>,
    pub(super) list: Option<List>,
    pub(super) pattern: String,
    /// How many arrays are around it.
    pub(super) depth: usize,
}

/// A list that begins at a node.
#[derive(Clone, Copy)]
pub(super) struct List {
    pub(super) def: &'static ListDef,
    /// Whether the node is an object that stands for a list of one.
    pub(super) single: bool,
    /// Whether other places feed it, too: then none of them clears what another one gave.
    pub(super) is_shared: bool,
    /// Its bit among the lists of a record; none for a list within a list.
    pub(super) bit: u64,
}

impl std::fmt::Debug for List {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.def.name)
    }
}

/// Elements of an array that are told apart by the value of a key.
#[derive(Debug)]
pub(super) struct Select {
    pub(super) key: String,
    /// The kind of their objects while they are searched for the key: no place has it.
    pub(super) turns: NodeId,
    pub(super) branches: Vec<(String, NodeId)>,
}

/// A field to fill.
#[derive(Clone, Copy)]
pub(super) struct Target {
    pub(super) put: fn(&mut Record, &mut Canon<'_>) -> bool,
    pub(super) transform: Transform,
    pub(super) field: &'static str,
    /// Where several rules fill the field: its number among such fields, and this rule's rank.
    pub(super) contest: Option<(usize, u8)>,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} as {:?}", self.field, self.transform)
    }
}

/// The mapped keys of an object, found by a small table without collisions; by their turn where there is none.
#[derive(Debug, Default)]
pub(super) struct Keys {
    keys: Vec<(Box<str>, NodeId)>,
    slots: Vec<u8>,
    factor: u64,
}

impl Keys {
    /// The key's number among its siblings, and its node.
    #[inline]
    pub(super) fn find(&self, key: &str) -> Option<(usize, NodeId)> {
        let Some(at) = self.slots.get(self.slot(key)) else { return self.find_by_turn(key) };
        let at = usize::from(*at);
        let (name, node) = self.keys.get(at)?;
        (**name == *key).then_some((at, *node))
    }

    /// Only two keys of the same length, first, middle and last letter take this way.
    #[cold]
    fn find_by_turn(&self, key: &str) -> Option<(usize, NodeId)> {
        self.keys.iter().enumerate().find(|(_, (name, _))| **name == *key).map(|(at, (_, node))| (at, *node))
    }

    /// The high bits of a product depend on all bits of its factor, the low ones do not.
    #[inline]
    fn slot(&self, key: &str) -> usize {
        let bytes = key.as_bytes();
        let ends = match (bytes.first(), bytes.get(bytes.len() / 2), bytes.last()) {
            (Some(first), Some(middle), Some(last)) => {
                u64::from(u32::from_le_bytes([*first, *middle, *last, 0]))
            }
            _ => 0,
        };
        let mixed = (ends | (bytes.len() as u64) << 24).wrapping_mul(self.factor) >> 40;
        usize::try_from(mixed).unwrap_or(0) & self.slots.len().wrapping_sub(1)
    }

    fn get(&self, key: &str) -> Option<NodeId> {
        self.keys.iter().find(|(name, _)| **name == *key).map(|(_, node)| *node)
    }

    /// Lays the table out; none where no factor keeps the keys apart.
    fn lay_out(&mut self) -> Result<()> {
        if self.keys.len() > MAX_KEYS {
            return Err(invalid(format!("an object can have at most {MAX_KEYS} mapped keys")));
        }
        if self.keys.is_empty() {
            return Ok(());
        }
        for size in [4_usize, 8, 16, 32].map(|times| (self.keys.len() * times).next_power_of_two()) {
            for factor in 0..500_u64 {
                self.factor =
                    0x9e37_79b9_7f4a_7c15_u64.wrapping_add(0xd1b5_4a32_d192_ed02_u64.wrapping_mul(factor));
                self.slots = vec![u8::MAX; size];
                let keys = std::mem::take(&mut self.keys);
                let apart = keys.iter().enumerate().all(|(at, (key, _))| {
                    let slot = self.slot(key);
                    let free = self.slots.get(slot) == Some(&u8::MAX);
                    if let (true, Some(place), Ok(at)) = (free, self.slots.get_mut(slot), u8::try_from(at)) {
                        *place = at;
                    }
                    free
                });
                self.keys = keys;
                if apart {
                    return Ok(());
                }
            }
        }
        self.slots.clear();
        Ok(())
    }
}

/// The compiled tree; node 0 is the record.
#[derive(Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    contests: usize,
    /// The names of the lists that are in no other list.
    lists: Vec<&'static str>,
    nowhere: Node,
}

impl Tree {
    pub(super) fn node(&self, at: NodeId) -> &Node {
        self.nodes.get(usize::from(at)).unwrap_or(&self.nowhere)
    }

    /// The node of an array that a place names, where rules read its elements.
    pub(super) fn list_at(&self, place: &str) -> Option<NodeId> {
        let mut at = ROOT;
        for step in place.strip_prefix('/')?.split('/') {
            let node = self.node(at);
            at = if step == "*" { node.each? } else { node.keys.get(step)? };
        }
        let node = self.node(at);
        (node.each.is_some() || node.select.is_some()).then_some(at)
    }
}

pub(super) const ROOT: NodeId = 0;

/// Compiles the reading side of the rules.
pub(super) fn compile(entity: Entity, rules: &[Rule]) -> Result<Tree> {
    if rules.len() > MAX_RULES {
        return Err(invalid(format!("a map can have at most {MAX_RULES} rules, got {}", rules.len())));
    }
    let mut tree =
        Tree { nodes: vec![Node::default()], contests: 0, lists: Vec::new(), nowhere: Node::default() };
    for rule in rules {
        add(&mut tree, entity, rules, rule)
            .map_err(|error| error.with_context("rule", format!("{} to {}", rule.from, rule.field)))?;
    }
    share_lists(&mut tree)?;
    let mut turns = tree.nodes.len();
    for node in &mut tree.nodes {
        if let Some(select) = &mut node.select {
            select.turns = NodeId::try_from(turns).map_err(|_| invalid("too many places"))?;
            turns += 1;
        }
        if node.select.is_some() && (node.each.is_some() || !node.keys.keys.is_empty()) {
            return Err(invalid("a place cannot be both an array of named elements and something else")
                .with_context("place", node.pattern.clone()));
        }
        node.keys.lay_out()?;
    }
    Ok(tree)
}

fn add(tree: &mut Tree, entity: Entity, rules: &[Rule], rule: &Rule) -> Result<()> {
    let def = fields::field(entity, &rule.field).ok_or_else(|| {
        invalid("no such canonical field").with_remedy("mapping::fields::names lists the fields of a record")
    })?;
    if !rule.transform.fits(def.kind) {
        return Err(invalid(format!(
            "the field holds {:?}, and the transform gives {:?}",
            def.kind,
            rule.transform.kind()
        )));
    }
    let steps = parse(&rule.from)?;
    let mut lists = list_names(&rule.field);
    let wildcards = steps.iter().filter(|step| matches!(step, Step::Each)).count();
    if wildcards > MAX_ARRAYS {
        return Err(invalid(format!("a place can name at most {MAX_ARRAYS} arrays within one another")));
    }
    if wildcards > lists.len() && lists.is_empty() {
        return Err(invalid("an array's elements need a list field, or a key that selects one of them"));
    }
    // An object stands for a list of one where the field has a list more than the place has arrays.
    let mut singles = lists.len().saturating_sub(wildcards);
    if rule.transform == Transform::CommaList {
        // One text of the wire stands for the list of terms that the field names.
        if singles != 1 || lists.len() != 1 || !rule.field.ends_with("[].name") {
            return Err(invalid("names in one text need the name of a list of terms"));
        }
        lists.pop();
        singles = 0;
    } else if rule.transform == Transform::OnlyValue && rule.field.ends_with("[].values[]") {
        lists.pop();
        singles = lists.len().saturating_sub(wildcards);
    } else if rule.transform.is_list() {
        // One text of the wire stands for the innermost list.
        if singles == 0 || !rule.field.ends_with("[]") {
            return Err(invalid(
                "a text that holds a list needs a list field with a list more than its place",
            ));
        }
        lists.pop();
        singles -= 1;
    }
    // Where it stands for itself: a text in the place of a list of one.
    let alone = singles == 1 && steps.len() == 1;
    if singles > 1 || (singles == 1 && wildcards > 0) {
        return Err(invalid("the field has more lists than the place has arrays"));
    }
    for (step, next) in steps.iter().zip(steps.iter().map(Some).skip(1).chain([None])) {
        let Step::Where { key: selecting, .. } = step else { continue };
        match next {
            Some(Step::Key(key)) if key != selecting => {}
            _ => return Err(invalid("a selected element must be followed by another key of it")),
        }
    }
    // Where the place has arrays more than the field has lists, the outer ones are read as if they were one: the
    // elements of all of them are one list's.
    let mut flat = wildcards.saturating_sub(lists.len());
    let is_flat = flat > 0;
    let mut at = ROOT;
    for (depth, step) in steps.iter().enumerate() {
        if singles == 1 && !alone && depth + 1 == steps.len() {
            if matches!(steps.get(depth.saturating_sub(1)), Some(Step::Where { .. })) {
                return Err(invalid("a selected element cannot stand for a list of one"));
            }
            begin_list(tree, at, entity, lists.remove(0), true)?;
        }
        if matches!(step, Step::Each) {
            if flat > 0 {
                flat -= 1;
            } else {
                begin_list(tree, at, entity, lists.remove(0), false)?;
                if is_flat && let Some(list) = node_mut(tree, at)?.list.as_mut() {
                    list.is_shared = true;
                }
            }
        }
        at = child(tree, at, step)?;
    }
    if alone {
        begin_list(tree, at, entity, lists.remove(0), true)?;
    }
    let same: Vec<&Rule> = rules.iter().filter(|other| other.field == rule.field).collect();
    let contest = if same.len() > 1 {
        if same.iter().any(|other| other.transform.normaliser() != rule.transform.normaliser()) {
            return Err(invalid("several rules fill this field, and compare its values in different ways"));
        }
        let is_list = rule.field.contains('[');
        if is_list && same.iter().filter(|other| list_place(other) == list_place(rule)).count() > 1 {
            return Err(invalid("a field of a list can have one rule only for each array"));
        }
        if !is_list && same.iter().filter(|other| other.rank == rule.rank).count() > 1 {
            return Err(invalid("several rules fill this field: each needs a rank of its own"));
        }
        let known = tree
            .nodes
            .iter()
            .filter_map(|node| node.target.as_ref())
            .find(|target| target.field == def.name)
            .and_then(|target| target.contest);
        let number = known.map_or_else(
            || {
                tree.contests += 1;
                tree.contests - 1
            },
            |(number, _)| number,
        );
        if !is_list && number >= MAX_CONTESTS {
            return Err(invalid(format!("at most {MAX_CONTESTS} fields can have several rules")));
        }
        Some((number, rule.rank)).filter(|_| !is_list)
    } else {
        None
    };
    let node = node_mut(tree, at)?;
    let is_parent = node.each.is_some() || node.select.is_some() || !node.keys.keys.is_empty();
    if node.target.is_some() || is_parent {
        return Err(invalid("another rule reads this place"));
    }
    node.target = Some(Target { put: def.put, transform: rule.transform, field: def.name, contest });
    Ok(())
}

fn begin_list(tree: &mut Tree, at: NodeId, entity: Entity, name: &str, single: bool) -> Result<()> {
    let def = fields::list(entity, name).ok_or_else(|| invalid(format!("no such list: {name}")))?;
    // A list within a list is cleared by the element that it belongs to.
    let bit = match name.matches("[]").count() {
        1 => {
            let known = tree.lists.iter().position(|known| *known == name).unwrap_or_else(|| {
                tree.lists.push(def.name);
                tree.lists.len() - 1
            });
            u32::try_from(known).ok().and_then(|known| 1_u64.checked_shl(known)).unwrap_or(0)
        }
        _ => 0,
    };
    let node = node_mut(tree, at)?;
    match node.list {
        None => node.list = Some(List { def, single, is_shared: false, bit }),
        Some(list) if list.def.name == name && list.single == single => {}
        Some(_) => return Err(invalid("another rule reads this place as another list")),
    }
    Ok(())
}

/// The array that a rule of a list reads, or the object that stands for it.
fn list_place(rule: &Rule) -> &str {
    let from: &str = &rule.from;
    match from.find("/*/").or_else(|| from.ends_with("/*").then(|| from.len() - 2)) {
        Some(at) => from.get(..at).unwrap_or(from),
        None => from.rsplit_once('/').map_or(from, |(object, _)| object),
    }
}

/// Marks the lists that several arrays feed. Each must fill a field that the first one fills: else half of an
/// element would come from one array, and half from another.
fn share_lists(tree: &mut Tree) -> Result<()> {
    let within = |inner: &Node, outer: &Node| {
        inner.pattern.strip_prefix(outer.pattern.as_str()).is_some_and(|rest| rest.starts_with('/'))
    };
    let lists: Vec<(usize, List)> =
        tree.nodes.iter().enumerate().filter_map(|(at, node)| Some((at, node.list?))).collect();
    let mut shared = Vec::new();
    for (at, list) in &lists {
        let same: Vec<usize> =
            lists.iter().filter(|(_, other)| other.def.name == list.def.name).map(|(at, _)| *at).collect();
        let (Some(first), Some(node)) =
            (same.first().and_then(|at| tree.nodes.get(*at)), tree.nodes.get(*at))
        else {
            continue;
        };
        if same.len() == 1 {
            continue;
        }
        let fields = |of: &Node| -> Vec<&'static str> {
            let nodes = tree.nodes.iter().filter(|node| within(node, of));
            nodes.filter_map(|node| Some(node.target.as_ref()?.field)).collect()
        };
        let together = fields(node).iter().any(|field| fields(first).contains(field));
        // Two lists of one element: each clears the other.
        let of_one = list.bit == 0 && {
            let outer = |inner: &Node| {
                lists
                    .iter()
                    .rposition(|(at, _)| tree.nodes.get(*at).is_some_and(|outer| within(inner, outer)))
            };
            same.iter()
                .filter_map(|at| tree.nodes.get(*at))
                .filter(|other| outer(other) == outer(node))
                .count()
                > 1
        };
        if !together || of_one {
            return Err(invalid(format!(
                "the fields of {} must all be read from one array, or each array must fill the same ones",
                list.def.name
            )));
        }
        shared.push(*at);
    }
    for at in shared {
        if let Some(list) = tree.nodes.get_mut(at).and_then(|node| node.list.as_mut()) {
            list.is_shared = list.bit != 0;
        }
    }
    Ok(())
}

/// `attributes[].values[]` names the lists `attributes[]` and `attributes[].values[]`.
fn list_names(field: &str) -> Vec<&str> {
    field.match_indices("[]").filter_map(|(at, brackets)| field.get(..at + brackets.len())).collect()
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Each,
    Where { key: String, value: String },
}

fn parse(place: &str) -> Result<Vec<Step>> {
    let wrong = || invalid("a place must be a path such as /images/*/alt or /meta/*[key=name]/value");
    let path = place.strip_prefix('/').ok_or_else(wrong)?;
    let steps: Vec<Step> = path
        .split('/')
        .map(|part| match part {
            "" => Err(wrong()),
            "*" => Ok(Step::Each),
            part if part.starts_with('*') => {
                let inner =
                    part.strip_prefix("*[").and_then(|part| part.strip_suffix(']')).ok_or_else(wrong)?;
                let (key, value) = inner.split_once('=').ok_or_else(wrong)?;
                Ok(Step::Where { key: key.to_owned(), value: value.to_owned() })
            }
            key => Ok(Step::Key(key.to_owned())),
        })
        .collect::<Result<_>>()?;
    if steps.len() > MAX_DEPTH {
        return Err(invalid(format!("a place can be at most {MAX_DEPTH} deep")));
    }
    Ok(steps)
}

fn child(tree: &mut Tree, at: NodeId, step: &Step) -> Result<NodeId> {
    let next = NodeId::try_from(tree.nodes.len()).map_err(|_| invalid("too many places"))?;
    let node = node_mut(tree, at)?;
    if node.target.is_some() {
        return Err(invalid("another rule reads the place above this one"));
    }
    let (found, pattern) = match step {
        Step::Key(key) => {
            let found = node.keys.get(key);
            if found.is_none() {
                node.keys.keys.push((key.as_str().into(), next));
            }
            (found, format!("{}/{key}", node.pattern))
        }
        Step::Each => {
            let found = node.each;
            node.each.get_or_insert(next);
            (found, format!("{}/*", node.pattern))
        }
        Step::Where { key, value } => {
            let pattern = format!("{}/*[{key}={value}]", node.pattern);
            let select = node.select.get_or_insert_with(|| Select {
                key: key.clone(),
                turns: 0,
                branches: Vec::new(),
            });
            if select.key != *key {
                return Err(invalid("elements of one array can be selected by one key only"));
            }
            let found = select.branches.iter().find(|(name, _)| name == value).map(|(_, node)| *node);
            if found.is_none() {
                if select.branches.len() >= MAX_BRANCHES {
                    return Err(invalid(format!(
                        "an array can have at most {MAX_BRANCHES} selected elements"
                    )));
                }
                select.branches.push((value.clone(), next));
            }
            (found, pattern)
        }
    };
    if let Some(found) = found {
        return Ok(found);
    }
    let depth = pattern.split('/').filter(|step| *step == "*").count();
    tree.nodes.push(Node { pattern, depth, ..Node::default() });
    Ok(next)
}

fn node_mut(tree: &mut Tree, at: NodeId) -> Result<&mut Node> {
    tree.nodes.get_mut(usize::from(at)).ok_or_else(|| invalid("a place that is not there"))
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Config, "map_invalid", message)
}

#[cfg(test)]
mod tests {
    use super::super::rule::{Direction, Transform, rule};
    use super::*;

    fn error(rules: &[Rule]) -> String {
        compile(Entity::Product, rules).unwrap_err().to_string()
    }

    #[test]
    fn a_wrong_rule_is_refused_by_name_when_the_map_is_compiled() {
        use Direction::Read;
        assert!(error(&[rule("/a", "nothing", Transform::Text, Read)]).contains("no such canonical field"));
        assert!(error(&[rule("/a", "price", Transform::Text, Read)]).contains("the field holds Money"));
        assert!(error(&[rule("a", "title", Transform::Text, Read)]).contains("must be a path"));
        assert!(error(&[rule("/a/*", "title", Transform::Text, Read)]).contains("need a list field"));
        let two = [rule("/a", "title", Transform::Text, Read), rule("/b", "title", Transform::Text, Read)];
        assert!(error(&two).contains("a rank of its own"));
        let same = [rule("/a", "title", Transform::Text, Read), rule("/a", "sku", Transform::Text, Read)];
        assert!(error(&same).contains("another rule reads this place"), "{}", error(&same));
        let below = [rule("/a", "title", Transform::Text, Read), rule("/a/b", "sku", Transform::Text, Read)];
        assert!(error(&below).contains("above this one"));
        let deep = rule("/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a", "title", Transform::Text, Read);
        assert!(error(&[deep]).contains("at most 16 deep"));
    }

    #[test]
    fn a_rule_that_would_read_nothing_or_lose_something_is_refused() {
        use Direction::Read;
        let refused = |places: &[(&'static str, &'static str)], with: Transform, why: &str| {
            let rules: Vec<Rule> = places.iter().map(|(from, field)| rule(from, field, with, Read)).collect();
            let text = error(&rules);
            assert!(text.contains(why), "{places:?}: {text}");
        };
        let below = "followed by another key";
        for place in ["/m/*[key=a]", "/m/*[key=a]/*", "/m/*[key=a]/key", "/m/*[key=a]/*[key=b]/value"] {
            let field = if place.ends_with("/*") { "variants[]" } else { "title" };
            let with = if place.ends_with("/*") { Transform::Id } else { Transform::Text };
            refused(&[(place, field)], with, below);
        }
        refused(&[("/m/*[key=a]/value", "media[].url")], Transform::Text, "list of one");
        let both = "both an array of named elements";
        refused(
            &[("/m/*[key=a]/v", "title"), ("/m/*/v", "media[].url"), ("/m/x", "sku")],
            Transform::Text,
            both,
        );
        refused(
            &[("/m/*[key=a]/v", "title"), ("/m", "sku")],
            Transform::Text,
            "another rule reads this place",
        );
        let twice = [("/images/*/src", "media[].url"), ("/gallery/*/alt", "media[].alt")];
        refused(&twice, Transform::Text, "from one array");
        let alts = [
            rule("/images/*/alt", "media[].alt", Transform::Text, Read),
            rule("/images/*/title", "media[].alt", Transform::Text, Read).rank(1),
        ];
        assert!(error(&alts).contains("one rule only"));
        let compared = [
            rule("/a", "title", Transform::Text, Read),
            rule("/b", "title", Transform::EscapedText, Read).rank(1),
        ];
        assert!(error(&compared).contains("in different ways"));
    }

    #[test]
    fn keys_that_the_table_cannot_keep_apart_are_found_all_the_same() {
        let rules = [
            rule("/prize", "title", Transform::Text, Direction::Read),
            rule("/pride", "sku", Transform::Text, Direction::Read),
            rule("/price", "gtin", Transform::Text, Direction::Read),
        ];
        let tree = compile(Entity::Product, &rules).unwrap();
        let keys = &tree.nodes[0].keys;
        assert_eq!(
            ["prize", "pride", "price", "pr"].map(|key| keys.find(key).map(|(at, _)| at)),
            [Some(0), Some(1), Some(2), None]
        );
    }
}
