//! What content achieved: the numbers of one day for one item or page, with what is known of their quality.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{ExternalId, Field, Money, RecordRef, Text, Tokens};
use crate::time::Day;

/// The numbers of one day for one item or one page.
///
/// Its key is its reference: a later read of the same day has the same one, and takes the place of the earlier,
/// since numbers are restated while they settle. Counts of items and counts of pages never stand in one record:
/// platforms count them on different ground, and [`join`] puts them side by side by product.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Performance {
    /// Which record it is.
    #[serde(rename = "ref")]
    pub reference: RecordRef,
    /// The day, as the store's time zone has it.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub day: Field<Day>,
    /// That time zone's IANA name, as it was when the numbers were read.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub time_zone: Field<Text>,
    /// What the numbers are of.
    #[serde(default)]
    pub subject: Subject,
    /// The counts.
    #[serde(default)]
    pub counts: Counts,
    /// What was earned, in the currency that it was reported in.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub revenue: Field<Money>,
    /// What is known of the numbers' quality.
    #[serde(default)]
    pub quality: Quality,
    /// Always empty: nothing of it can be written. Every record has one.
    #[serde(default, skip_serializing_if = "Tokens::is_empty")]
    pub base: Tokens,
}

impl Performance {
    /// A record of which nothing but its reference is known.
    #[must_use]
    pub fn new(reference: RecordRef) -> Self {
        Self {
            reference,
            day: Field::Absent,
            time_zone: Field::Absent,
            subject: Subject::default(),
            counts: Counts::default(),
            revenue: Field::Absent,
            quality: Quality::default(),
            base: Tokens::default(),
        }
    }
}

/// What numbers are of.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Subject {
    /// Its kind; every record that was read has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<SubjectKind>,
    /// The item's id as the shop's tags send it, or the path of the page or landing. Null where the row stands for no one item or
    /// page: [`Subject::remainder`] says what it stands for.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub key: Field<Text>,
    /// What a row without a key stands for. Such a row counts in sums, and is never a product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remainder: Option<Remainder>,
    /// The host, of a page.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub host: Field<Text>,
    /// What the key says of the product; nothing where it is not of the form that the settings name.
    #[serde(default, skip_serializing_if = "Identity::is_empty")]
    pub identity: Identity,
}

/// Of what kind the subject of numbers is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SubjectKind {
    /// An item of the shop.
    Item,
    /// A page.
    Page,
    /// A page that visits out of a search engine's unpaid results began with.
    SearchLanding,
}

impl SubjectKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Item, Self::Page, Self::SearchLanding];

    /// The kind of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Item => "item",
            Self::Page => "page",
            Self::SearchLanding => "search_landing",
        }
    }
}

/// What a row stands for that is of no one item or page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Remainder {
    /// All that were too many to be told apart: what their own rows say is too low.
    Other,
    /// Those for which nothing was sent.
    NotSet,
    /// Those for which the empty text was sent.
    Empty,
    /// Those that the platform has no data of.
    NotAvailable,
}

impl Remainder {
    /// What that word stands for.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "other" => Some(Self::Other),
            "not_set" => Some(Self::NotSet),
            "empty" => Some(Self::Empty),
            "not_available" => Some(Self::NotAvailable),
            _ => None,
        }
    }
}

/// What a key says of the product that it is of.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Identity {
    /// The stock keeping unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<Text>,
    /// The id of the product at its own platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_id: Option<ExternalId>,
    /// The id of the variant at its own platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant_id: Option<ExternalId>,
    /// The last part of the product page's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<Text>,
    /// Whether the catalogue that the settings gave has it; none where they gave none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_known: Option<bool>,
}

impl Identity {
    /// Whether the key says nothing of a product.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a product is named by it that is not known to be none.
    #[must_use]
    pub fn is_matched(&self) -> bool {
        !self.is_empty() && self.is_known != Some(false)
    }
}

/// What was counted. What the platform did not send is absent, what it sent and no number is, is null; neither is
/// zero.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Counts {
    /// Units of the item whose details were viewed.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub items_viewed: Field<Decimal>,
    /// Units that were shown in lists.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub items_listed: Field<Decimal>,
    /// Units that were chosen in lists.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub items_clicked: Field<Decimal>,
    /// Units that were put in carts.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub items_carted: Field<Decimal>,
    /// Units with which a checkout was begun.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub items_checked_out: Field<Decimal>,
    /// Units that were bought.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub items_purchased: Field<Decimal>,
    /// Views of the page.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub page_views: Field<Decimal>,
    /// Sessions in which the page was seen, or that began on it. One session sees several pages: over pages they do not
    /// add up, unless each began on one.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub sessions: Field<Decimal>,
    /// Those of them that held a visitor.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub engaged_sessions: Field<Decimal>,
    /// Active users. One user comes on several days and to several pages: they never add up.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub active_users: Field<Decimal>,
    /// Seconds in the foreground.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub engagement_seconds: Field<Decimal>,
    /// What the shop counts as reaching its aim.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub conversions: Field<Decimal>,
}

impl Counts {
    /// Adds the counts of another day of the same subject. What either lacks is absent in the sum, and users are,
    /// since the same one comes on several days.
    #[must_use]
    pub fn with_another_day(&self, other: &Self) -> Self {
        let sum = |one: &Field<Decimal>, two: &Field<Decimal>| match (one.value(), two.value()) {
            (Some(one), Some(two)) => one.checked_add(*two).map_or(Field::Null, Field::Value),
            _ => Field::Absent,
        };
        Self {
            items_viewed: sum(&self.items_viewed, &other.items_viewed),
            items_listed: sum(&self.items_listed, &other.items_listed),
            items_clicked: sum(&self.items_clicked, &other.items_clicked),
            items_carted: sum(&self.items_carted, &other.items_carted),
            items_checked_out: sum(&self.items_checked_out, &other.items_checked_out),
            items_purchased: sum(&self.items_purchased, &other.items_purchased),
            page_views: sum(&self.page_views, &other.page_views),
            sessions: sum(&self.sessions, &other.sessions),
            engaged_sessions: sum(&self.engaged_sessions, &other.engaged_sessions),
            active_users: Field::Absent,
            engagement_seconds: sum(&self.engagement_seconds, &other.engagement_seconds),
            conversions: sum(&self.conversions, &other.conversions),
        }
    }

    /// Adds the counts of another item or page of the same product. Sessions and users of several pages do not add
    /// up, and are absent in the sum.
    #[must_use]
    pub fn with_another_subject(&self, other: &Self) -> Self {
        Self {
            sessions: Field::Absent,
            engaged_sessions: Field::Absent,
            active_users: Field::Absent,
            ..self.with_another_day(other)
        }
    }

    /// The part of the sessions that held a visitor, from the counts: rates are never averaged.
    #[must_use]
    pub fn engagement_rate(&self) -> Option<Decimal> {
        ratio(&self.engaged_sessions, &self.sessions)
    }

    /// Units put in carts for each that was viewed.
    #[must_use]
    pub fn cart_rate(&self) -> Option<Decimal> {
        ratio(&self.items_carted, &self.items_viewed)
    }

    /// Units bought for each that was viewed.
    #[must_use]
    pub fn purchase_rate(&self) -> Option<Decimal> {
        ratio(&self.items_purchased, &self.items_viewed)
    }

    /// Units chosen for each that a list showed.
    #[must_use]
    pub fn click_rate(&self) -> Option<Decimal> {
        ratio(&self.items_clicked, &self.items_listed)
    }
}

/// A rate out of two counts; none where one is missing, or nothing was counted.
fn ratio(part: &Field<Decimal>, whole: &Field<Decimal>) -> Option<Decimal> {
    part.value()?.checked_div(*whole.value()?)
}

/// What is known of the quality of numbers. A statement that rests on numbers with one of these must say so.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Quality {
    /// The part of the events that was read, between 0 and 1, where the numbers are an estimate from a sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampled_share: Option<Decimal>,
    /// Whether the numbers are an estimate from a sample.
    #[serde(default, skip_serializing_if = "is_false")]
    pub sampled: bool,
    /// Whether small rows may have been held back for privacy.
    #[serde(default, skip_serializing_if = "is_false")]
    pub thresholded: bool,
    /// Whether rows were folded into one of [`Remainder::Other`]: what the others say is a lower bound.
    #[serde(default, skip_serializing_if = "is_false")]
    pub other_row: bool,
    /// Whether the platform has data of a part of the days only, such as past its time of retention.
    #[serde(default, skip_serializing_if = "is_false")]
    pub truncated: bool,
    /// Whether rows without a key were left out.
    #[serde(default, skip_serializing_if = "is_false")]
    pub empty_filtered: bool,
    /// Whether a number was hidden from the credential: it is null and not zero.
    #[serde(default, skip_serializing_if = "is_false")]
    pub restricted: bool,
    /// How many days after its day the record was read, in the store's time zone; zero is the same day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_days: Option<u32>,
    /// Whether the platform may still restate the numbers: the day has to be read again.
    #[serde(default, skip_serializing_if = "is_false")]
    pub provisional: bool,
}

impl Quality {
    /// Whether anything but the age limits what the numbers can show.
    #[must_use]
    pub fn is_degraded(&self) -> bool {
        self.sampled
            || self.thresholded
            || self.other_row
            || self.truncated
            || self.empty_filtered
            || self.restricted
    }
}

/// How many rows of a pull there were, by what is known of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Tally {
    /// All of them.
    pub rows: u64,
    /// Those that may still be restated.
    pub provisional: u64,
    /// Those that are estimates from a sample.
    pub sampled: u64,
    /// Those beside which small rows may have been held back.
    pub thresholded: u64,
    /// Those beside which others were folded into one.
    pub other_row: u64,
    /// Those of days of which there is a part of the data only.
    pub truncated: u64,
    /// Those beside which rows without a key were left out.
    pub empty_filtered: u64,
    /// Those with a number that was hidden.
    pub restricted: u64,
    /// Those that stand for no one item or page.
    pub remainders: u64,
    /// Those of an item whose key names a product.
    pub matched_items: u64,
    /// Those of an item whose key names none, by the form that the settings name, or by the catalogue.
    pub unmatched_items: u64,
}

impl Tally {
    /// Counts a record.
    pub fn add(&mut self, record: &Performance) {
        let quality = &record.quality;
        self.rows += 1;
        for (count, counts) in [
            (&mut self.provisional, quality.provisional),
            (&mut self.sampled, quality.sampled),
            (&mut self.thresholded, quality.thresholded),
            (&mut self.other_row, quality.other_row),
            (&mut self.truncated, quality.truncated),
            (&mut self.empty_filtered, quality.empty_filtered),
            (&mut self.restricted, quality.restricted),
        ] {
            *count += u64::from(counts);
        }
        let subject = &record.subject;
        match (subject.remainder, subject.kind) {
            (Some(_), _) => self.remainders += 1,
            (None, Some(SubjectKind::Item)) if subject.identity.is_matched() => self.matched_items += 1,
            (None, Some(SubjectKind::Item)) => self.unmatched_items += 1,
            (None, Some(SubjectKind::Page | SubjectKind::SearchLanding) | None) => {}
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

/// The numbers of one product on one day, side by side: those of its items, those of its pages, and those of the visits
/// from search that began on them.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct ProductDay {
    /// The counts of its items, where there were some.
    pub items: Option<Counts>,
    /// The counts of its pages, where there were some.
    pub pages: Option<Counts>,
    /// The counts of visits from search that began on its pages, where there were some.
    pub search_landings: Option<Counts>,
    /// The records that went into it.
    pub records: u32,
    /// Whether one of them has limits to its quality, or is provisional.
    pub is_uncertain: bool,
}

/// What a join of records came to.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Joined {
    /// By product and day.
    pub products: std::collections::BTreeMap<(RecordRef, Day), ProductDay>,
    /// The records of which the lookup knew no product; rows without a key are not among them.
    pub unmatched: u64,
    /// The records that stand for no one item or page.
    pub remainders: u64,
}

/// Joins the records of items, pages and landings by product and day. Their counts stay apart: no sum is made of two
/// kinds. It holds one entry a product and day, so give it a window at a time.
///
/// `product` says which product a subject is of, from the caller's catalogue; it is not asked about rows that stand
/// for no one item or page.
pub fn join<'r>(
    records: impl IntoIterator<Item = &'r Performance>,
    mut product: impl FnMut(&Subject) -> Option<RecordRef>,
) -> Joined {
    let mut joined = Joined::default();
    for record in records {
        let subject = &record.subject;
        if subject.remainder.is_some() || subject.key.value().is_none() {
            joined.remainders += 1;
            continue;
        }
        let (Some(reference), Some(day)) = (product(subject), record.day.value()) else {
            joined.unmatched += 1;
            continue;
        };
        let entry = joined.products.entry((reference, *day)).or_default();
        let side = match subject.kind {
            Some(SubjectKind::Page) => &mut entry.pages,
            Some(SubjectKind::SearchLanding) => &mut entry.search_landings,
            Some(SubjectKind::Item) | None => &mut entry.items,
        };
        *side = Some(match (side.take(), subject.kind) {
            (None, _) => record.counts.clone(),
            // A visit begins on one page, so visits of several add up.
            (Some(counts), Some(SubjectKind::SearchLanding)) => counts.with_another_day(&record.counts),
            (Some(counts), _) => counts.with_another_subject(&record.counts),
        });
        entry.records = entry.records.saturating_add(1);
        entry.is_uncertain |= record.quality.is_degraded() || record.quality.provisional;
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Entity, Platform};

    fn some(number: i64) -> Field<Decimal> {
        Field::Value(Decimal::from(number))
    }

    fn counts(sessions: i64, engaged: i64) -> Counts {
        Counts {
            sessions: some(sessions),
            engaged_sessions: some(engaged),
            active_users: some(sessions),
            ..Counts::default()
        }
    }

    #[test]
    fn a_rate_over_two_days_is_of_the_counts_and_no_average_of_rates() {
        let (small, large) = (counts(2, 2), counts(998, 98));
        let both = small.with_another_day(&large);
        assert_eq!(both.engagement_rate(), Some(Decimal::new(1, 1)));
        // The average of the two rates is five times as much.
        let average =
            (small.engagement_rate().unwrap() + large.engagement_rate().unwrap()) / Decimal::from(2);
        assert!(average > Decimal::new(5, 1), "{average}");
        // Who came on both days would count twice.
        assert_eq!(both.active_users, Field::Absent);
    }

    #[test]
    fn a_count_that_one_day_lacks_is_absent_in_the_sum_and_nothing_is_divided_by_zero() {
        let day = Counts { items_viewed: some(5), items_carted: some(1), ..Counts::default() };
        let other = Counts { items_viewed: Field::Null, items_carted: some(1), ..Counts::default() };
        let sum = day.with_another_day(&other);
        assert_eq!((sum.items_viewed, &sum.items_carted), (Field::Absent, &some(2)));
        assert_eq!(counts(0, 0).engagement_rate(), None);
        assert_eq!(Counts::default().cart_rate(), None);
    }

    fn record(
        kind: SubjectKind,
        key: &'static str,
        remainder: Option<Remainder>,
        counts: Counts,
    ) -> Performance {
        let platform = Platform::new("p");
        let mut record = Performance::new(RecordRef::new(platform, Entity::Performance, key));
        record.day = Field::Value("2026-11-20".parse().unwrap());
        let key = if remainder.is_some() { Field::Null } else { Field::Value(key.into()) };
        record.subject = Subject { kind: Some(kind), key, remainder, ..Subject::default() };
        record.counts = counts;
        record
    }

    #[test]
    fn items_and_pages_of_a_product_stand_side_by_side_and_remainders_are_no_product() {
        let viewed = |n| Counts { items_viewed: some(n), ..Counts::default() };
        let seen = |n| Counts { page_views: some(n), sessions: some(n), ..Counts::default() };
        let records = [
            record(SubjectKind::Item, "cap-s", None, viewed(3)),
            record(SubjectKind::Item, "cap-m", None, viewed(4)),
            record(SubjectKind::Item, "(other)", Some(Remainder::Other), viewed(1000)),
            record(SubjectKind::Item, "who", None, viewed(9)),
            record(SubjectKind::Page, "/cap", None, seen(20)),
            record(SubjectKind::Page, "/cap/sizes", None, seen(5)),
            record(SubjectKind::SearchLanding, "/cap", None, counts(6, 3)),
            record(SubjectKind::SearchLanding, "/cap/sizes", None, counts(2, 1)),
        ];
        let cap = RecordRef::new(Platform::new("shop"), Entity::Product, "7");
        let joined = join(&records, |subject| {
            let key = subject.key.value().unwrap();
            assert_ne!(key.as_str(), "(other)");
            key.contains("cap").then(|| cap.clone())
        });
        assert_eq!((joined.unmatched, joined.remainders), (1, 1));
        let day = &joined.products[&(cap, "2026-11-20".parse().unwrap())];
        assert_eq!(day.items.as_ref().unwrap().items_viewed, some(7));
        let pages = day.pages.as_ref().unwrap();
        assert_eq!((&pages.page_views, &pages.sessions), (&some(25), &Field::Absent));
        let landings = day.search_landings.as_ref().unwrap();
        assert_eq!((&landings.sessions, &landings.page_views), (&some(8), &Field::Absent));
        assert_eq!(day.records, 6);
    }
}
