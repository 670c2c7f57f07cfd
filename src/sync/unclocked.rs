//! Fields that change without moving the platform's clock, such as an alt text that several products share: a
//! print of them is kept of each record, and a delta holds what the store has now against it.
//!
//! The prints stand in the state beside the full run's ids, under a run of their own: an id and its print by turns,
//! of which the last one of an id counts. A full pull adds them page by page, a delta at its end: one that is given
//! up has told nobody what it found.

use std::collections::HashMap;

use serde::Serialize;
use twox_hash::XxHash3_64;

use super::pull::{Work, number};
use crate::connector::Select;
use crate::error::Result;
use crate::model::{
    DeltaClock, ExternalId, Field, FieldName, Inventory, Mass, Media, Money, ProductStatus, Record, Term,
    Text,
};
use crate::state::{Checkpoint, Op, RunKey, SinkMark};

/// The run that the prints of a run are kept under.
pub(super) fn run_of(run: &RunKey) -> RunKey {
    RunKey(format!("{}#unclocked", run.0).into())
}

/// In the place of a print: the record could not be mapped, so nobody has a value of it to compare.
const UNMAPPED: u64 = u64::MAX;

/// What is kept of a run's records.
#[derive(Debug, Default)]
pub(super) struct Prints {
    /// Since the last commit, as they go to the state.
    fresh: Vec<u64>,
    /// How many the state has, those among them that a later one of the same id replaced.
    kept: usize,
    /// By id: those of the full run, and over them what came since.
    known: HashMap<u64, u64>,
    scratch: Vec<u8>,
}

impl Work<'_> {
    /// Whether prints are kept and compared: where a clock can lie, and the platform lists what it lies about.
    pub(super) fn keeps_prints(&self) -> bool {
        self.pull.unclocked
            && self.capabilities.delta == DeltaClock::CanLie
            && !self.capabilities.unclocked.is_empty()
    }

    /// Takes a record's print when it is delivered.
    pub(super) fn take_print(&mut self, record: &Record) {
        if !self.keeps_prints() {
            return;
        }
        let (id, print) = (
            number(&record.reference().id),
            print_of(record, &self.capabilities.unclocked, &mut self.prints.scratch),
        );
        self.prints.fresh.extend([id, print]);
        if !self.is_list() {
            self.prints.known.insert(id, print);
        }
    }

    /// Notes that a record could not be mapped. That is told once; an edit that mends it moves its clock.
    pub(super) fn take_unmapped(&mut self, id: &ExternalId) {
        if self.keeps_prints() {
            self.prints.fresh.extend([number(id), UNMAPPED]);
            if !self.is_list() {
                self.prints.known.insert(number(id), UNMAPPED);
            }
        }
    }

    /// The print of a record as it is listed, where it is not that of its last delivery. What has none may be
    /// anything.
    pub(super) fn other_print(&mut self, record: &Record) -> Option<u64> {
        let listed = print_of(record, &self.capabilities.unclocked, &mut self.prints.scratch);
        (!self.was_delivered_with(&record.reference().id, listed)).then_some(listed)
    }

    /// Whether the last delivery of a record had this print.
    pub(super) fn was_delivered_with(&self, id: &ExternalId, print: u64) -> bool {
        self.prints.known.get(&number(id)).is_some_and(|known| [print, UNMAPPED].contains(known))
    }

    /// Reads the prints of the last full run; whether there are any.
    pub(super) async fn load_prints(&mut self) -> Result<bool> {
        if !self.keeps_prints() {
            return Ok(false);
        }
        let run = run_of(&self.pull.run_key_of(&Select::All));
        let kept = self.pull.state.delivered(self.store, &run).await?;
        let (pairs, _) = kept.as_chunks::<2>();
        self.prints.kept = pairs.len();
        let ours = std::mem::take(&mut self.prints.known);
        self.prints.known = pairs.iter().map(|[id, print]| (*id, *print)).collect();
        self.prints.known.extend(ours);
        Ok(!pairs.is_empty())
    }

    /// Puts the prints since the last commit beside those of the full run. Where they are twice as many as there
    /// are ids, the last one of each is written in the place of all.
    pub(super) fn prints_ops(&mut self) -> Vec<Op> {
        let Prints { fresh, kept, known, .. } = &mut self.prints;
        if fresh.is_empty() {
            return Vec::new();
        }
        let is_long = *kept > 0 && *kept + fresh.len() / 2 > 2 * known.len();
        if is_long {
            *fresh = known.iter().flat_map(|(id, print)| [*id, *print]).collect();
        }
        let run = run_of(&self.pull.run_key_of(&Select::All));
        let forget = is_long.then(|| Op::ForgetRun(run.clone()));
        let checkpoint = Box::new(Checkpoint::new(run, "unclocked".into(), SinkMark(0)));
        let put = Op::Checkpoint { checkpoint, delivered: std::mem::take(fresh) };
        forget.into_iter().chain([put]).collect()
    }
}

/// A hash of the fields that may move no clock. Lists are written with their lengths, and texts end with a byte
/// that is in no UTF-8 text, so that no two records write the same bytes.
///
/// Only the fields that are listed alone count: a list of them has no others.
fn print_of(record: &Record, fields: &[FieldName], scratch: &mut Vec<u8>) -> u64 {
    let listed = |name: &str| fields.iter().any(|field| field.as_str() == name);
    scratch.clear();
    match record {
        Record::Product(product) => {
            let texts = [
                ("title", &product.title),
                ("description", &product.description),
                ("short_description", &product.short_description),
                ("seo", &product.seo.title),
                ("seo", &product.seo.description),
                ("seo", &product.seo.focus_keyword),
                ("slug", &product.slug),
                ("gtin", &product.gtin),
                ("mpn", &product.mpn),
            ];
            for (_, text) in texts.into_iter().filter(|(name, _)| listed(name)) {
                put(scratch, text.value().map(Text::as_str));
            }
            put_values(scratch, listed, &product.status, &product.price, &product.weight, &product.inventory);
            put_json(scratch, listed, "compare_at", &product.compare_at);
            if listed("media") {
                put_media(scratch, &product.media);
            }
            let terms =
                [("categories", &product.categories), ("tags", &product.tags), ("brands", &product.brands)];
            for (_, terms) in terms.into_iter().filter(|(name, _)| listed(name)) {
                put_list(scratch, terms, |out, term: &Term| {
                    put(out, term.id.as_ref().map(|id| id.as_str()));
                    put(out, Some(&term.name));
                });
            }
            let none = Field::Absent;
            let attributes = if listed("attributes") { &product.attributes } else { &none };
            put_list(scratch, attributes, |out, attribute| {
                put(out, attribute.id.as_ref().map(|id| id.as_str()));
                put(out, attribute.key.as_deref());
                put(out, Some(&attribute.label));
                attribute.values.iter().for_each(|value| put(out, Some(value)));
                if attribute.namespace.is_some() {
                    out.push(0xfc);
                    put(out, attribute.namespace.as_deref());
                }
            });
        }
        Record::Variant(variant) => {
            let texts = [
                ("title", &variant.title),
                ("description", &variant.description),
                ("sku", &variant.sku),
                ("gtin", &variant.gtin),
                ("mpn", &variant.mpn),
            ];
            for (_, text) in texts.into_iter().filter(|(name, _)| listed(name)) {
                put(scratch, text.value().map(Text::as_str));
            }
            put_values(scratch, listed, &variant.status, &variant.price, &variant.weight, &variant.inventory);
            put_json(scratch, listed, "compare_at", &variant.compare_at);
            put_json(scratch, listed, "dimensions", &variant.dimensions);
            if listed("media") {
                put_media(scratch, &variant.media);
            }
            let none = Field::Absent;
            let options = if listed("options") { &variant.options } else { &none };
            put_list(scratch, options, |out, option| {
                put(out, option.key.as_deref());
                put(out, Some(&option.name));
                put(out, Some(&option.value));
            });
        }
        _ => {}
    }
    XxHash3_64::oneshot(scratch).min(UNMAPPED - 1)
}

/// What is neither text nor list, as it is written in JSON.
fn put_values(
    out: &mut Vec<u8>,
    listed: impl Fn(&str) -> bool,
    status: &Field<ProductStatus>,
    price: &Field<Money>,
    weight: &Field<Mass>,
    inventory: &Field<Inventory>,
) {
    put_json(out, &listed, "status", status);
    put_json(out, &listed, "price", price);
    put_json(out, &listed, "weight", weight);
    put_json(out, &listed, "inventory", inventory);
}

fn put_json<T: Serialize>(out: &mut Vec<u8>, listed: impl Fn(&str) -> bool, name: &str, field: &Field<T>) {
    if listed(name) {
        put(out, field.value().and_then(|it| serde_json::to_string(it).ok()).as_deref());
    }
}

fn put_media(out: &mut Vec<u8>, media: &Field<Vec<Media>>) {
    put_list(out, media, |out, media| {
        put(out, media.id.as_ref().map(|id| id.as_str()));
        put(out, media.url.as_deref());
        put(out, media.alt.as_deref());
        put(out, media.title.as_deref());
    });
}

fn put_list<T>(out: &mut Vec<u8>, list: &Field<Vec<T>>, each: impl Fn(&mut Vec<u8>, &T)) {
    let items = list.value().map(Vec::as_slice).unwrap_or_default();
    out.extend_from_slice(&(items.len() as u64).to_le_bytes());
    for item in items {
        each(out, item);
        out.push(0xfe);
    }
}

fn put(out: &mut Vec<u8>, text: Option<&str>) {
    out.extend_from_slice(text.unwrap_or_default().as_bytes());
    out.push(if text.is_some() { 0xff } else { 0xfd });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        Attribute, Dimensions, Entity, MassUnit, OptionValue, Platform, Product, RecordRef, Variant,
    };

    #[test]
    fn a_print_tells_alt_texts_and_names_of_terms_apart_and_nothing_else() {
        let product = |change: &dyn Fn(&mut Product)| {
            let mut product = Product::new(RecordRef::new(Platform::new("p"), Entity::Product, "1"));
            let media = Media { alt: Some("A".into()), ..Media::default() };
            let term = Term { id: Some("3".into()), name: "Sale".into(), raw_name: None };
            product.media = Field::Value(vec![media]);
            product.tags = Field::Value(vec![term]);
            change(&mut product);
            let fields = ["media", "categories", "tags", "brands", "attributes"].map(FieldName::new);
            print_of(&Record::Product(Box::new(product)), &fields, &mut Vec::new())
        };
        let same = product(&|_| {});
        assert_eq!(product(&|it| it.title = Field::Value("Other".into())), same);
        let alt = |text: Option<&'static str>| {
            product(&|it| it.media.get_or_default()[0].alt = text.map(Into::into))
        };
        let prints = [
            same,
            alt(Some("B")),
            alt(Some("")),
            alt(None),
            product(&|it| it.tags.get_or_default()[0].name = "Sales".into()),
            // A term that moved from one list to another.
            product(&|it| std::mem::swap(&mut it.tags, &mut it.brands)),
        ];
        let mut different = prints.to_vec();
        different.sort_unstable();
        different.dedup();
        assert_eq!(different.len(), prints.len());
    }

    /// A field's name, and another value of it, or of a part of it.
    type Change<T> = (&'static str, fn(&mut T));

    fn text() -> Field<Text> {
        Field::Value("A".into())
    }

    fn money() -> Field<Money> {
        Field::Value(Money::new(5.into(), "USD".parse().unwrap()))
    }

    fn mass() -> Field<Mass> {
        Field::Value(Mass::of(5.into(), MassUnit::Gram).unwrap())
    }

    fn inventory() -> Field<Inventory> {
        Field::Value(Inventory { quantity: Some(3.into()), ..Inventory::default() })
    }

    fn media(change: fn(&mut Media)) -> Field<Vec<Media>> {
        let mut media = Media::default();
        change(&mut media);
        Field::Value(vec![media])
    }

    fn term(id: &str, name: &str) -> Field<Vec<Term>> {
        Field::Value(vec![Term { id: Some(id.into()), name: name.into(), raw_name: None }])
    }

    fn attribute(change: fn(&mut Attribute)) -> Field<Vec<Attribute>> {
        let mut attribute = Attribute::default();
        change(&mut attribute);
        Field::Value(vec![attribute])
    }

    fn option(key: &str, name: &str, value: &str) -> Field<Vec<OptionValue>> {
        let (key, name, value) = (Some(key.into()), name.into(), value.into());
        Field::Value(vec![OptionValue { id: None, key, name, value }])
    }

    const PRODUCT: [Change<Product>; 34] = [
        ("title", |it| it.title = text()),
        ("description", |it| it.description = text()),
        ("short_description", |it| it.short_description = text()),
        ("seo", |it| it.seo.title = text()),
        ("seo", |it| it.seo.description = text()),
        ("seo", |it| it.seo.focus_keyword = text()),
        ("slug", |it| it.slug = text()),
        ("gtin", |it| it.gtin = text()),
        ("mpn", |it| it.mpn = text()),
        ("status", |it| it.status = Field::Value(ProductStatus::Draft)),
        ("price", |it| it.price = money()),
        ("compare_at", |it| it.compare_at = money()),
        ("weight", |it| it.weight = mass()),
        ("inventory", |it| it.inventory = inventory()),
        ("inventory", |it| it.inventory.get_or_default().quantity = Some(4.into())),
        ("media", |it| it.media = media(|_| {})),
        ("media", |it| it.media = media(|it| it.id = Some("A".into()))),
        ("media", |it| it.media = media(|it| it.url = Some("A".into()))),
        ("media", |it| it.media = media(|it| it.alt = Some("A".into()))),
        ("media", |it| it.media = media(|it| it.title = Some("A".into()))),
        ("categories", |it| it.categories = term("1", "A")),
        ("categories", |it| it.categories = term("2", "A")),
        ("categories", |it| it.categories = term("1", "B")),
        ("tags", |it| it.tags = term("1", "A")),
        ("brands", |it| it.brands = term("1", "A")),
        ("attributes", |it| it.attributes = attribute(|_| {})),
        ("attributes", |it| it.attributes = attribute(|it| it.id = Some("A".into()))),
        ("attributes", |it| it.attributes = attribute(|it| it.key = Some("A".into()))),
        ("attributes", |it| it.attributes = attribute(|it| it.label = "A".into())),
        ("attributes", |it| it.attributes = attribute(|it| it.values = vec!["A".into()])),
        ("attributes", |it| it.attributes = attribute(|it| it.values = vec!["A".into(), "A".into()])),
        ("attributes", |it| it.attributes = attribute(|it| it.namespace = Some("A".into()))),
        ("attributes", |it| it.attributes = attribute(|it| it.namespace = Some("B".into()))),
        ("attributes", |it| {
            it.attributes.get_or_default().extend([Attribute::default(), Attribute::default()])
        }),
    ];

    const VARIANT: [Change<Variant>; 17] = [
        ("title", |it| it.title = text()),
        ("description", |it| it.description = text()),
        ("sku", |it| it.sku = text()),
        ("gtin", |it| it.gtin = text()),
        ("mpn", |it| it.mpn = text()),
        ("status", |it| it.status = Field::Value(ProductStatus::Draft)),
        ("price", |it| it.price = money()),
        ("compare_at", |it| it.compare_at = money()),
        ("weight", |it| it.weight = mass()),
        ("dimensions", |it| it.dimensions = Field::Value(Dimensions::default())),
        ("inventory", |it| it.inventory = inventory()),
        ("media", |it| it.media = media(|_| {})),
        ("media", |it| it.media = media(|it| it.alt = Some("A".into()))),
        ("options", |it| it.options = option("1", "A", "A")),
        ("options", |it| it.options = option("2", "A", "A")),
        ("options", |it| it.options = option("1", "B", "A")),
        ("options", |it| it.options = option("1", "A", "B")),
    ];

    /// Each change has a print of its own where its field is listed, and none where another one is.
    fn tells_apart<T: Clone>(changes: &[Change<T>], plain: &T, print: impl Fn(&T, &[FieldName]) -> u64) {
        let all: Vec<FieldName> = changes.iter().map(|(name, _)| FieldName::new(name)).collect();
        let mut prints = vec![print(plain, &all)];
        for (name, change) in changes {
            let mut changed = plain.clone();
            change(&mut changed);
            prints.push(print(&changed, &all));
            let own = [FieldName::new(name)];
            assert_ne!(print(&changed, &own), print(plain, &own), "{name} is listed alone");
            let others: Vec<FieldName> =
                all.iter().filter(|other| other.as_str() != *name).cloned().collect();
            assert_eq!(print(&changed, &others), print(plain, &others), "{name} is not listed");
        }
        let count = prints.len();
        prints.sort_unstable();
        prints.dedup();
        assert_eq!(prints.len(), count);
    }

    #[test]
    fn a_print_tells_each_field_apart_where_it_is_listed() {
        let of = |kind| RecordRef::new(Platform::new("p"), kind, "1");
        tells_apart(&PRODUCT, &Product::new(of(Entity::Product)), |product, fields| {
            print_of(&Record::Product(Box::new(product.clone())), fields, &mut Vec::new())
        });
        tells_apart(&VARIANT, &Variant::new(of(Entity::Variant)), |variant, fields| {
            print_of(&Record::Variant(Box::new(variant.clone())), fields, &mut Vec::new())
        });
    }
}
