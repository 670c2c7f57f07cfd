//! What the store's ids stand for in the connector's view: attributes, their options, and categories.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::connector::Magento;
use super::search::Search;
use super::{php, wire};
use crate::connector::{PullRequest, Purpose};
use crate::error::{Error, ErrorKind, Result};
use crate::model::Normaliser;

/// How old a dictionary may be for a read before or after a write, and at the start of a list.
const FRESH: Duration = Duration::from_secs(30);
/// How old it may be within a list.
const WITHIN_A_LIST: Duration = Duration::from_secs(600);
/// The most attributes and categories that are kept, each.
const MAX_ENTRIES: usize = 200_000;

/// The most names that are remembered as missing.
const MAX_MISSING: usize = 10_000;

/// Attributes by their codes, and categories by their ids.
#[derive(Debug, Default)]
pub(super) struct Dictionary {
    attributes: HashMap<String, Attribute>,
    codes: HashMap<u64, String>,
    categories: HashMap<u64, String>,
    /// What records name and the store does not list, as it was found.
    missing: Mutex<HashSet<String>>,
}

/// An attribute that the merchant made.
#[derive(Debug, Clone)]
pub(super) struct Attribute {
    pub(super) id: u64,
    pub(super) code: String,
    pub(super) label: String,
    pub(super) input: String,
    pub(super) is_shown: bool,
    options: Vec<(String, String)>,
}

impl Attribute {
    /// Whether its values are ids of options.
    pub(super) fn has_options(&self) -> bool {
        matches!(self.input.as_str(), "select" | "multiselect" | "boolean" | "swatch_visual" | "swatch_text")
    }

    pub(super) fn takes_several(&self) -> bool {
        self.input == "multiselect"
    }

    /// Whether its values can be written as the texts that they are read as.
    pub(super) fn is_writable(&self) -> bool {
        self.has_options() || matches!(self.input.as_str(), "text" | "textarea")
    }

    /// Whether options can be made: those of a swatch need a picture or colour, and a truth value has two.
    pub(super) fn takes_new_options(&self) -> bool {
        matches!(self.input.as_str(), "select" | "multiselect")
    }

    /// The label of an option; none for an id that the store does not know.
    pub(super) fn option(&self, id: &str) -> Option<&str> {
        self.options.iter().find(|(known, _)| known == id).map(|(_, label)| label.as_str())
    }

    /// The options of a label, with their ids: the case of letters does not count.
    pub(super) fn options_named(&self, label: &str) -> Vec<(&str, &str)> {
        let wanted = Normaliser::Folded1.apply(label);
        let same = |(_, label): &&(String, String)| Normaliser::Folded1.apply(label) == wanted;
        self.options.iter().filter(same).map(|(id, label)| (id.as_str(), label.as_str())).collect()
    }
}

impl Dictionary {
    pub(super) fn attribute(&self, code: &str) -> Option<&Attribute> {
        self.attributes.get(code)
    }

    pub(super) fn attribute_of_id(&self, id: u64) -> Option<&Attribute> {
        self.attributes.get(self.codes.get(&id)?)
    }

    pub(super) fn attributes(&self) -> impl Iterator<Item = &Attribute> {
        self.attributes.values()
    }

    pub(super) fn category(&self, id: u64) -> Option<&str> {
        self.categories.get(&id).map(String::as_str)
    }

    /// Whether all of these were looked for and not found: ids are not given again.
    pub(super) fn was_asked_for(&self, names: &HashSet<String>) -> bool {
        names.is_subset(&self.missing.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Remembers what it does not have, and what the one before it did not.
    pub(super) fn note_missing(&self, names: HashSet<String>, before: &Self) {
        let known = before.missing.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        missing.extend(known);
        if missing.len() > MAX_MISSING {
            missing.clear();
        }
        missing.extend(names);
    }

    pub(super) fn categories(&self) -> impl Iterator<Item = (u64, &str)> {
        self.categories.iter().map(|(id, name)| (*id, name.as_str()))
    }

    /// Takes an attribute of a list over; what it lacks, nothing can be read by.
    fn add_attribute(&mut self, wire: WireAttribute<'_>, view: Option<u64>) {
        let Some(id) = php::number(wire.attribute_id) else { return };
        let labels: Vec<ViewLabel<'_>> = php::list(wire.frontend_labels).unwrap_or_default();
        let own = labels.iter().find(|label| view.is_some() && php::number(label.store_id) == view);
        let label = own.and_then(|own| own.label.clone()).or(wire.default_frontend_label);
        let options: Vec<WireOption> = php::list(wire.options).unwrap_or_default();
        let attribute = Attribute {
            id,
            label: label.filter(|label| !label.is_empty()).unwrap_or_else(|| wire.attribute_code.clone()),
            input: wire.frontend_input.unwrap_or_default(),
            is_shown: php::truth(wire.is_visible_on_front).unwrap_or(false),
            // The first one is blank: it stands for no value.
            options: options
                .into_iter()
                .filter(|it| !it.value.is_empty())
                .map(|it| (it.value, it.label))
                .collect(),
            code: wire.attribute_code,
        };
        self.codes.insert(id, attribute.code.clone());
        self.attributes.insert(attribute.code.clone(), attribute);
    }
}

#[derive(Deserialize)]
struct WireAttribute<'a> {
    #[serde(borrow)]
    attribute_id: Option<&'a RawValue>,
    attribute_code: String,
    frontend_input: Option<String>,
    default_frontend_label: Option<String>,
    #[serde(borrow)]
    frontend_labels: Option<&'a RawValue>,
    #[serde(borrow)]
    is_visible_on_front: Option<&'a RawValue>,
    #[serde(borrow)]
    options: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ViewLabel<'a> {
    #[serde(borrow)]
    store_id: Option<&'a RawValue>,
    label: Option<String>,
}

/// Labels of system options may be lists of further options, which no value names.
#[derive(Deserialize)]
struct WireOption {
    #[serde(default, deserialize_with = "plain")]
    label: String,
    #[serde(default, deserialize_with = "plain")]
    value: String,
}

/// A text or number as a text; anything else is none.
fn plain<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::String(text) => text,
        serde_json::Value::Number(number) => number.to_string(),
        _ => String::new(),
    })
}

#[derive(Deserialize)]
struct WireCategory<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(default)]
    name: Option<String>,
}

/// The dictionary at hand, and when it was read by the runtime's clock.
#[derive(Debug, Default)]
pub(super) struct AtHand(tokio::sync::Mutex<Option<(Arc<Dictionary>, Duration)>>);

impl Magento {
    /// The dictionary for a read: what was renamed meanwhile is not seen for half a minute.
    pub(super) async fn dictionary(&self, request: &PullRequest) -> Result<Arc<Dictionary>> {
        let within = request.purpose == Purpose::Catalogue && request.cursor.is_some();
        self.dictionary_of(if within { WITHIN_A_LIST } else { FRESH }, request).await
    }

    /// The dictionary, younger than that; of no age, a new one. One read serves all who wait.
    pub(super) async fn dictionary_of(
        &self,
        age: Duration,
        request: &PullRequest,
    ) -> Result<Arc<Dictionary>> {
        let mut at_hand = self.at_hand.0.lock().await;
        let now = self.runtime.clock().elapsed();
        if let Some((known, _)) = at_hand.as_ref().filter(|(_, read)| now.saturating_sub(*read) < age) {
            return Ok(Arc::clone(known));
        }
        let read = Arc::new(self.read_dictionary(request).await?);
        *at_hand = Some((Arc::clone(&read), now));
        Ok(read)
    }

    async fn read_dictionary(&self, request: &PullRequest) -> Result<Dictionary> {
        let mut dictionary = Dictionary::default();
        let search = |last| {
            Search::page("attribute_id", wire::MAX_PAGE).with("is_user_defined", "eq", "1").behind("attribute_id", last).fields(
                "attribute_id,attribute_code,frontend_input,default_frontend_label,frontend_labels,is_visible_on_front,options",
            )
        };
        let view = self.view;
        self.whole(request, "products/attributes", search, |raw| {
            let wire: WireAttribute<'_> = serde_json::from_str(raw.get()).map_err(|_| wire::unreadable())?;
            let id = php::number(wire.attribute_id).ok_or_else(wire::unreadable)?;
            dictionary.add_attribute(wire, view);
            Ok(id)
        })
        .await?;
        let search = |last| {
            Search::page("entity_id", wire::MAX_SHORT_PAGE).behind("entity_id", last).fields("id,name")
        };
        self.whole(request, "categories/list", search, |raw| {
            let wire: WireCategory<'_> = serde_json::from_str(raw.get()).map_err(|_| wire::unreadable())?;
            let id = php::number(wire.id).ok_or_else(wire::unreadable)?;
            dictionary.categories.insert(id, wire.name.unwrap_or_default());
            Ok(id)
        })
        .await?;
        Ok(dictionary)
    }

    /// Reads a whole list in the connector's scope, page by page behind the last number; `take` gives each record's.
    pub(super) async fn whole(
        &self,
        request: &PullRequest,
        below: &'static str,
        search: impl Fn(u64) -> Search + Send,
        mut take: impl FnMut(&RawValue) -> Result<u64> + Send,
    ) -> Result<()> {
        let (mut last, mut count) = (0, 0);
        loop {
            let answered = self.searched(request, &self.scope, below, search(last)).await?;
            let listed = answered.listed()?;
            let before = last;
            for raw in &listed.records {
                last = take(raw)?.max(last);
                count += 1;
            }
            if listed.records.is_empty() || listed.records.len() as u64 >= listed.total {
                return Ok(());
            }
            if last <= before {
                return Err(super::read::page_repeats());
            }
            if count > MAX_ENTRIES {
                return Err(Error::new(
                    ErrorKind::TooLarge,
                    "list_too_long",
                    format!("at most {MAX_ENTRIES} entries of a list are looked through"),
                )
                .with_context("list", below));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_those_of_the_view_and_options_go_both_ways() {
        let body = r#"{"attribute_id":93,"attribute_code":"color","frontend_input":"select","default_frontend_label":"Color",
            "frontend_labels":[{"store_id":2,"label":"Farbe"}],"is_visible_on_front":"1","options":[{"label":" ","value":""},
            {"label":"Red","value":"49"},{"label":"red","value":51},{"label":[{"label":"x","value":"y"}],"value":"60"}]}"#;
        let mut all = Dictionary::default();
        all.add_attribute(serde_json::from_str(body).unwrap(), None);
        let color = all.attribute_of_id(93).unwrap();
        assert_eq!((color.label.as_str(), color.is_shown, color.option("49")), ("Color", true, Some("Red")));
        assert_eq!(color.options_named("RED "), [("49", "Red"), ("51", "red")]);
        assert_eq!((color.option(""), color.option("7")), (None, None));
        let mut german = Dictionary::default();
        german.add_attribute(serde_json::from_str(body).unwrap(), Some(2));
        assert_eq!(german.attribute("color").unwrap().label, "Farbe");
    }
}
