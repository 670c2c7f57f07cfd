//! Metafields of products: those of the namespaces that the settings name are attributes.
//!
//! The platform lists those of one product, or of all, and not of some (OpenAPI documents of 2026-04-01). So a list of
//! products is read beside a list of all their metafields, and products by id beside their own ones.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use twox_hash::XxHash3_64;

use super::connector::BigCommerce;
use super::read::{goes_on_behind, pages, timed};
use super::wire::{self, Answered, MAX_PAGE};
use super::write::Step;
use crate::connector::{Detail, Page, PullRequest, Select};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Attribute, FieldName, Text};

/// The longest name of a namespace and of a key (OpenAPI documents of 2026-04-01).
const MAX_NAME: usize = 64;
/// The most namespaces that are read.
const MAX_NAMESPACES: usize = 20;
/// The most metafields of one batch. The documents name none; the stand-in for it is that of products (UNVERIFIED).
const MAX_BATCH: usize = 10;
/// How long the list of all is at hand while a list of products is read.
const WITHIN_A_LIST: Duration = Duration::from_secs(600);
/// How often the list of all is read before it is said to move too much.
const TRIES: u32 = 3;
/// The most bytes of metafields that are held at once.
const MAX_BYTES: usize = 128 * 1024 * 1024;
/// A list of products that is no longer is read with each product's own metafields.
const FEW: usize = 10;
/// The most products whose metafields are asked for at once.
const AT_ONCE: usize = 4;
/// Who may see a metafield that we make: others, and shoppers; only we may write it.
const PERMISSIONS: &str = "read_and_sf_access";

/// The namespaces whose metafields are read and written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Namespaces(Vec<Text>);

impl Namespaces {
    pub(super) fn new(names: &[Text]) -> Result<Self> {
        let mut chosen = names.to_vec();
        chosen.sort();
        chosen.dedup();
        let fits = |name: &Text| {
            let letters = name.chars().count();
            (1..=MAX_NAME).contains(&letters)
                && !name.chars().any(|letter| letter == ',' || letter.is_control())
        };
        if chosen.len() > MAX_NAMESPACES || !chosen.iter().all(fits) {
            return Err(Error::new(
                ErrorKind::Config,
                "metafield_namespace_unusable",
                "at most 20 namespaces of 1 to 64 characters can be read, none with a comma",
            ));
        }
        Ok(Self(chosen))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn joined(&self) -> String {
        self.0.join(",")
    }

    /// The key below which a product has them. It differs from choice to choice, and so does the map: a run that was
    /// begun with another choice starts anew.
    pub(super) fn key(&self) -> String {
        format!("_metafields_{:016x}", XxHash3_64::oneshot(self.joined().as_bytes()))
    }

    /// Namespace and key that the name of a new attribute means, where it begins with one of these.
    fn named<'n>(&'n self, name: &'n str) -> Option<(&'n str, &'n str)> {
        let parts = |space: &'n Text| {
            let key = name.strip_prefix(space.as_str())?.strip_prefix('.')?;
            Some((space.as_str(), key)).filter(|_| (1..=MAX_NAME).contains(&key.chars().count()))
        };
        self.0.iter().filter_map(parts).max_by_key(|(space, _)| space.len())
    }

    /// Whether an attribute is a metafield: one that was read, or a new one that is named like one.
    pub(super) fn has(&self, attribute: &Attribute) -> bool {
        let is_new = attribute.version.is_none() && attribute.distinguishes_variants != Some(true);
        attribute.namespace.is_some() || (is_new && self.named(&attribute.label).is_some())
    }
}

/// The metafields of products, each as the map reads it.
type OfProducts = HashMap<u64, Vec<Value>>;

/// The list of all, and when it was read by the runtime's clock.
#[derive(Debug, Default)]
pub(super) struct AtHand(tokio::sync::Mutex<Option<(Arc<OfProducts>, Duration)>>);

#[derive(Debug, Deserialize)]
struct Row {
    id: u64,
    resource_id: u64,
    namespace: String,
    key: String,
    value: Value,
    #[serde(default)]
    permission_set: Option<String>,
    #[serde(default)]
    description: Option<String>,
}

impl Row {
    /// Some bytes more than it takes.
    fn size(&self) -> usize {
        self.namespace.len() + self.key.len() + self.value.as_str().map_or(0, str::len) + 256
    }
}

/// What is kept of a metafield beside its value: which row it is, and what a new one in its place is made with.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Mark {
    id: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    permission_set: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

impl Mark {
    fn of(attribute: &Attribute) -> Option<Self> {
        serde_json::from_str(attribute.version.as_deref()?).ok()
    }
}

impl BigCommerce {
    /// A page's products with their metafields in them; as they came where none are read.
    pub(super) async fn with_metafields(
        &self,
        body: Bytes,
        request: &PullRequest,
        page: &mut Page,
    ) -> Result<Bytes> {
        if self.namespaces.is_empty() || request.detail == Detail::IdsOnly {
            return Ok(body);
        }
        let products = wire::raw_records(&body)?;
        let ids: Vec<u64> = products.iter().map(|product| wire::id_of(product)).collect::<Result<_>>()?;
        let is_short = request.cursor.is_none() && page.next.is_none() && ids.len() <= FEW;
        let of_products = if is_short || matches!(request.select, Select::Ids(_)) {
            Arc::new(self.of_each(&ids, request, page).await?)
        } else {
            self.of_all(request, page.next.is_none()).await?
        };
        Ok(dressed(&self.namespaces.key(), &products, &ids, &of_products))
    }

    /// The metafields of some products, each asked for alone.
    async fn of_each(&self, ids: &[u64], request: &PullRequest, page: &mut Page) -> Result<OfProducts> {
        let calls = ids.iter().map(|id| self.read_rows(Some(*id), request));
        let calls: Vec<_> = calls.collect();
        let read: Vec<(Vec<Row>, Duration)> = stream::iter(calls).buffered(AT_ONCE).try_collect().await?;
        let mut of_products = OfProducts::new();
        for (rows, took) in read {
            page.took = page.took.saturating_add(took);
            for row in rows {
                add(&mut of_products, row);
            }
        }
        Ok(of_products)
    }

    /// The metafields of all products. A list of products that begins has them read anew; with its last page they are
    /// let go.
    async fn of_all(&self, request: &PullRequest, is_last: bool) -> Result<Arc<OfProducts>> {
        let mut at_hand = self.metafields.0.lock().await;
        let now = self.runtime.clock().elapsed();
        let known = at_hand
            .take()
            .filter(|(_, read)| request.cursor.is_some() && now.saturating_sub(*read) < WITHIN_A_LIST);
        let (of_products, read) = match known {
            Some(known) => known,
            None => {
                let mut of_products = OfProducts::new();
                for row in self.read_rows(None, request).await?.0 {
                    add(&mut of_products, row);
                }
                (Arc::new(of_products), now)
            }
        };
        if !is_last {
            *at_hand = Some((Arc::clone(&of_products), read));
        }
        Ok(of_products)
    }

    /// The metafields of one product, or of all, and how long they took.
    async fn read_rows(&self, product: Option<u64>, request: &PullRequest) -> Result<(Vec<Row>, Duration)> {
        let mut walk = Walk::default();
        let is_long = self.next_rows(&mut walk, product, request).await?;
        // Of one page nothing slips.
        if !is_long {
            return Ok((walk.rows, walk.took));
        }
        for _ in 0..TRIES {
            let call = wire::newest_metafield(product, &self.namespaces.joined()).lane(request.lane);
            let newest = self.client.execute_with(timed(call, request), wire::answered).await?;
            walk = Walk { took: walk.took.saturating_add(newest.took()), ..Walk::default() };
            while self.next_rows(&mut walk, product, request).await? {}
            if walk.is_whole(&newest)? {
                return Ok((walk.rows, walk.took));
            }
        }
        Err(Error::new(
            ErrorKind::Unavailable,
            "list_moves",
            "metafields came and went whenever their list was read",
        )
        .with_remedy("pull when nothing else writes metafields, or read fewer namespaces"))
    }

    /// Reads a walk's next page; whether there is a further one.
    async fn next_rows(&self, walk: &mut Walk, product: Option<u64>, request: &PullRequest) -> Result<bool> {
        walk.page += 1;
        let call = wire::metafields(product, &self.namespaces.joined(), walk.page).lane(request.lane);
        let answered = self.client.execute_with(timed(call, request), wire::answered).await?;
        walk.took = walk.took.saturating_add(answered.took());
        for row in answered.records::<Row>()? {
            walk.is_sorted &= walk.seen.last().is_none_or(|last| *last < row.id);
            // Filters by name may take no notice of case.
            let is_own = self.namespaces.0.iter().any(|name| name.as_str() == row.namespace);
            if walk.seen.insert(row.id) && is_own {
                walk.bytes += row.size();
                walk.rows.push(row);
            }
        }
        if walk.bytes > MAX_BYTES {
            return Err(Error::new(
                ErrorKind::TooLarge,
                "metafields_too_many",
                "the products have more metafields than are held at once",
            )
            .with_remedy("read fewer namespaces"));
        }
        match pages(&answered, MAX_PAGE) {
            Some(pages) => Ok(walk.page < pages),
            None => match goes_on_behind(&answered, walk.last)? {
                Some(last) => {
                    walk.last = last;
                    Ok(true)
                }
                None => Ok(false),
            },
        }
    }
}

/// A walk over a list of metafields.
#[derive(Debug)]
struct Walk {
    page: u64,
    /// The id that the page before ended with, where nobody says how many pages there are.
    last: u64,
    seen: BTreeSet<u64>,
    /// Whether the rows came by ascending id.
    is_sorted: bool,
    rows: Vec<Row>,
    bytes: usize,
    took: Duration,
}

impl Default for Walk {
    fn default() -> Self {
        let (seen, rows) = (BTreeSet::new(), Vec::new());
        Self { page: 0, last: 0, seen, is_sorted: true, rows, bytes: 0, took: Duration::ZERO }
    }
}

impl Walk {
    /// Whether all rows came that were there before it began. A row that is deleted meanwhile moves those behind it to the
    /// page before, and one that is made hides that from the count: so those made since, which have higher ids, are
    /// not counted. Where the rows have no order, the count alone is asked; where nobody counts, nothing is proved.
    fn is_whole(&self, newest: &Answered) -> Result<bool> {
        let Some(there) = newest.pagination.total else { return Ok(true) };
        let ids = newest.ids()?;
        let last = ids.first().and_then(|id| wire::whole(id.as_str())).filter(|_| self.is_sorted);
        let seen = self.seen.range(..=last.unwrap_or(u64::MAX)).count();
        Ok(seen as u64 == there)
    }
}

/// Adds a row to its product's.
fn add(of_products: &mut OfProducts, row: Row) {
    let mark = Mark { id: row.id, permission_set: row.permission_set, description: row.description };
    let shown = json!({
        "namespace": row.namespace, "key": row.key, "value": row.value, "version": json!(mark).to_string(),
    });
    of_products.entry(row.resource_id).or_default().push(shown);
}

/// The products as one list again, each with its metafields first. Their own bytes stay as they came.
fn dressed(key: &str, products: &[&RawValue], ids: &[u64], of_products: &OfProducts) -> Bytes {
    let none = Vec::new();
    let mut body = String::with_capacity(products.iter().map(|raw| raw.get().len() + 64).sum());
    body.push_str("{\"data\":[");
    for (at, (product, id)) in products.iter().zip(ids).enumerate() {
        let rows = of_products.get(id).unwrap_or(&none);
        let comma = if at > 0 { "," } else { "" };
        let rest = product.get().strip_prefix('{').unwrap_or_default();
        body.push_str(&format!("{comma}{{{}:{},{rest}", json!(key), json!(rows)));
    }
    body.push_str("]}");
    Bytes::from(body)
}

/// The calls that make one list of metafields of another: rows are changed by their ids, new ones are made with what an
/// earlier one had, and what is gone is deleted.
pub(super) fn steps(
    product: &str,
    before: &[Attribute],
    after: &[Attribute],
    namespaces: &Namespaces,
    field: &FieldName,
) -> Result<Vec<Step>> {
    let (mut puts, mut posts, mut deletes) = (Vec::new(), Vec::new(), Vec::new());
    // What is as it was stays as it is: of two API accounts there may be two of one name, and neither is the other.
    for attribute in after.iter().filter(|attribute| !before.contains(attribute)) {
        let (namespace, key) = name(attribute, namespaces)?;
        let [value] = attribute.values.as_slice() else {
            return Err(refused("metafield_one_value", "a metafield has one value")
                .with_remedy("give it one value, or remove it"));
        };
        if value.is_empty() {
            return Err(
                refused("metafield_empty", "a metafield is not empty").with_remedy("remove it instead")
            );
        }
        let mut known = before.iter().filter(|known| is_same(known, namespace, key));
        match (known.next(), known.next()) {
            (None, _) => {
                let mark = Mark::of(attribute).unwrap_or_default();
                let mut item = json!({
                    "resource_id": wire::whole(product), "namespace": namespace, "key": key, "value": value,
                    "permission_set": mark.permission_set.as_deref().unwrap_or(PERMISSIONS),
                });
                if let (Some(text), Some(item)) = (mark.description, item.as_object_mut()) {
                    item.insert("description".to_owned(), text.into());
                }
                posts.push(item);
            }
            (Some(known), None) => puts.push(json!({ "id": row_of(known)?, "value": value })),
            (Some(_), Some(_)) => {
                return Err(refused("metafield_ambiguous", "two API accounts have a metafield of this name"));
            }
        }
    }
    for known in before {
        let (namespace, key) = name(known, namespaces)?;
        if !after.iter().any(|kept| name(kept, namespaces).is_ok_and(|kept| kept == (namespace, key))) {
            let path = format!("v3/catalog/products/{product}/metafields/{}", row_of(known)?);
            deletes.push(Step::delete(path, field));
        }
    }
    let batch = |method: Method, items: &[Value]| {
        Step::new(method, "v3/catalog/products/metafields".to_owned(), Value::from(items), field)
    };
    let mut steps: Vec<Step> = puts.chunks(MAX_BATCH).map(|items| batch(Method::PUT, items)).collect();
    steps.extend(posts.chunks(MAX_BATCH).map(|items| batch(Method::POST, items)));
    steps.extend(deletes);
    Ok(steps)
}

/// Namespace and key; of a new one, out of its name.
fn name<'a>(attribute: &'a Attribute, namespaces: &'a Namespaces) -> Result<(&'a str, &'a str)> {
    match (&attribute.namespace, &attribute.key) {
        (Some(namespace), Some(key)) => Some((namespace.as_str(), key.as_str())),
        _ => namespaces.named(&attribute.label),
    }
    .ok_or_else(|| {
        refused("metafield_unnamed", "a metafield is named by namespace and key")
            .with_remedy("name it as namespace.key, with a namespace of the settings")
    })
}

fn is_same(known: &Attribute, namespace: &str, key: &str) -> bool {
    known.namespace.as_deref() == Some(namespace) && known.key.as_deref() == Some(key)
}

fn row_of(attribute: &Attribute) -> Result<u64> {
    Mark::of(attribute).map(|mark| mark.id).filter(|id| *id > 0).ok_or_else(|| {
        refused("rows_unknown", "which row of the store holds the metafield is not known")
            .with_remedy("plan again")
    })
}

fn refused(code: &'static str, message: &'static str) -> Error {
    Error::new(ErrorKind::Rejected, code, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spaces(names: &[&str]) -> Namespaces {
        Namespaces::new(&names.iter().map(|name| Text::from(*name)).collect::<Vec<_>>()).unwrap()
    }

    fn read(key: &str, value: &str, id: u64) -> Attribute {
        let version = json!({ "id": id, "permission_set": "write", "description": "D" }).to_string();
        Attribute {
            namespace: Some("lily".into()),
            key: Some(key.into()),
            label: key.into(),
            values: vec![value.into()],
            version: Some(version.into()),
            ..Attribute::default()
        }
    }

    fn new(label: &str, value: &str) -> Attribute {
        Attribute { label: label.into(), values: vec![value.into()], ..Attribute::default() }
    }

    fn calls(before: &[Attribute], after: &[Attribute]) -> Vec<String> {
        let steps = steps("7", before, after, &spaces(&["lily"]), &FieldName::new("attributes")).unwrap();
        let shown = |step: Step| {
            let body = step.body.map(|body| body.to_string()).unwrap_or_default();
            format!("{} {} {body}", step.method, step.path.trim_start_matches("v3/catalog/products/"))
        };
        steps.into_iter().map(shown).collect()
    }

    #[test]
    fn a_namespace_is_a_short_word_and_the_longest_one_names_a_new_metafield() {
        for wrong in ["", "a,b", "a\nb", &"x".repeat(65)] {
            let error = Namespaces::new(&[wrong.into()]).unwrap_err();
            assert_eq!(error.code(), "metafield_namespace_unusable", "{wrong}");
        }
        let chosen = spaces(&["lily.more", "lily", "Warehouse Locations"]);
        assert_eq!(chosen.named("lily.material"), Some(("lily", "material")));
        assert_eq!(chosen.named("lily.more.fit"), Some(("lily.more", "fit")));
        assert_eq!(chosen.named("Warehouse Locations.shelf"), Some(("Warehouse Locations", "shelf")));
        for other in ["Material", "lily", "lily.", "other.material", &format!("lily.{}", "k".repeat(65))] {
            assert_eq!(chosen.named(other), None, "{other}");
        }
        assert_ne!(chosen.key(), spaces(&["lily"]).key());
        assert_eq!(chosen.key(), spaces(&["Warehouse Locations", "lily", "lily.more", "lily"]).key());
        // A custom field that is called like one stays a custom field.
        let mut field = new("lily.fit", "Slim");
        assert!(chosen.has(&field));
        field.version = Some("12".into());
        assert!(!chosen.has(&field));
    }

    #[test]
    fn what_differs_is_sent_and_what_comes_back_is_made_as_it_was() {
        let before = [read("fit", "Slim", 5), read("care", "Cold", 6)];
        assert_eq!(calls(&before, &before), Vec::<String>::new());
        let after = [read("fit", "Wide", 5), new("lily.material", "Wool")];
        assert_eq!(
            calls(&before, &after),
            [
                r#"PUT metafields [{"id":5,"value":"Wide"}]"#,
                r#"POST metafields [{"key":"material","namespace":"lily","permission_set":"read_and_sf_access","resource_id":7,"value":"Wool"}]"#,
                "DELETE 7/metafields/6 ",
            ]
        );
        assert_eq!(
            calls(&[], &before[1..]),
            [
                r#"POST metafields [{"description":"D","key":"care","namespace":"lily","permission_set":"write","resource_id":7,"value":"Cold"}]"#
            ]
        );
        let many: Vec<Attribute> = (0..25).map(|n| new(&format!("lily.k{n}"), "v")).collect();
        assert_eq!(calls(&[], &many).len(), 3, "ten a call");
    }

    #[test]
    fn what_no_metafield_can_be_is_refused_and_one_of_two_accounts_is_not_guessed() {
        let code = |before: &[Attribute], after: &[Attribute]| {
            let steps = steps("7", before, after, &spaces(&["lily"]), &FieldName::new("attributes"));
            steps.err().map(|error| error.code().to_owned())
        };
        let mut two = new("lily.fit", "A");
        two.values.push("B".into());
        assert_eq!(code(&[], &[two]).as_deref(), Some("metafield_one_value"));
        assert_eq!(code(&[], &[new("lily.fit", "")]).as_deref(), Some("metafield_empty"));
        let before = [read("fit", "Slim", 5), read("fit", "Wide", 9), read("care", "Cold", 6)];
        let mut after = before.clone();
        after[2].values = vec!["Warm".into()];
        assert_eq!(calls(&before, &after), [r#"PUT metafields [{"id":6,"value":"Warm"}]"#]);
        after[1].values = vec!["Loose".into()];
        assert_eq!(code(&before, &after).as_deref(), Some("metafield_ambiguous"));
        let mut unknown = read("fit", "Slim", 5);
        unknown.version = Some("5".into());
        assert_eq!(code(&[unknown], &[]).as_deref(), Some("rows_unknown"));
    }
}
