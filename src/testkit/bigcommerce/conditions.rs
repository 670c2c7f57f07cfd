//! What is wrong with the store, and which of the platform's undocumented habits it has, as switches that a test sets.

use std::collections::BTreeSet;
use std::time::Duration;

/// What of a product was changed; for [`Conditions::still`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Area {
    /// Its own fields.
    Fields,
    /// Its images: their alternative texts, and which there are.
    Images,
    /// Its custom fields.
    CustomFields,
    /// Its options and modifiers.
    Options,
    /// Its variants.
    Variants,
    /// What is in stock.
    Inventory,
    /// Its channels and categories, changed by their own routes.
    Assignments,
    /// Its metafields.
    Metafields,
}

/// What a batch of products does when one of them is refused. The documents do not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BatchHabit {
    /// It is refused whole, and nothing is stored.
    Whole,
    /// It is refused, and what stands before the refused one is stored.
    StoresBefore,
    /// 207 with what was stored, and the errors of the others.
    Partial,
}

/// What a list gives where fields are chosen (`include_fields`) and more is included (`include`). The documents do not
/// say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum IncludeHabit {
    /// The fields, and what is included.
    Both,
    /// The fields alone.
    FieldsAlone,
    /// 422.
    Refused,
}

/// The state of the store and of the stand-in's habits.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Conditions {
    /// The store is down for maintenance: 503, in HTML.
    pub maintenance: bool,
    /// Errors come without a body.
    pub empty_errors: bool,
    /// The changes that do not move `date_modified` (default all but [`Area::Fields`]; the documents are silent).
    pub still: BTreeSet<Area>,
    /// A page past the last one answers the last one's rows again.
    pub past_the_end_repeats: bool,
    /// Lists without `sort` change their order whenever something was changed, so rows come twice or never.
    pub rows_slip: bool,
    /// What comes of fields that are chosen beside what is included.
    pub includes: IncludeHabit,
    /// The most rows of a page, silently, below what `limit` asks for.
    pub page_cap: Option<u64>,
    /// What pages do not say of their list: names in `meta.pagination`, such as `total_pages`.
    pub untold: BTreeSet<String>,
    /// The fields that fall back to their defaults when a product's PUT does not name them.
    pub put_unsets: BTreeSet<String>,
    /// What a batch does when one item is refused.
    pub batch: BatchHabit,
    /// What a batch of variants passes over: the documents name fewer fields for it than for one variant.
    pub variant_batch_drops: BTreeSet<String>,
    /// Saving stock fails: a PUT that names `inventory_level` is answered 207.
    pub inventory_fails: bool,
    /// Markup in a description that is refused with 422, such as `<iframe`.
    pub refused_markup: Option<String>,
    /// A changed alternative text is cut to so many letters; the documents give no bound.
    pub alt_limit: Option<usize>,
    /// How long an answer takes. Requests that come meanwhile count as concurrent.
    pub latency: Duration,
    /// The most requests at once before 429; the category tree read takes one alone at all times.
    pub concurrency: Option<u64>,
    /// The next so many requests are answered 429 without any header.
    pub bare_refusals: u64,
    /// Answers come without the headers of the quota, as on an unlimited plan.
    pub without_limit_headers: bool,
    /// Products without a translation are left out of an answer about translations.
    pub untranslated_left_out: bool,
    /// Texts that take no translation.
    pub untranslatable: BTreeSet<String>,
    /// The store is none of those that have values by channel.
    pub without_channel_values: bool,
    /// How many products an answer about values by channel holds; the documents give no number.
    pub channel_values_page: usize,
    /// Setting one of a channel's texts takes the others that go in that call away; the documents leave it open.
    pub channel_values_unset: bool,
    /// Only texts whose names the documents have are taken back by name.
    pub documented_removals_only: bool,
    /// Deliveries come without the signature of Standard Webhooks; since when stores sign is not documented.
    pub unsigned_deliveries: bool,
    /// Each delivery comes twice, with the same hash.
    pub deliveries_twice: bool,
    /// The token answer leaves out `owner` and `account_uuid`, as it did before.
    pub old_token_answer: bool,
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            maintenance: false,
            empty_errors: false,
            still: BTreeSet::from([
                Area::Images,
                Area::CustomFields,
                Area::Options,
                Area::Variants,
                Area::Inventory,
                Area::Assignments,
                Area::Metafields,
            ]),
            past_the_end_repeats: false,
            rows_slip: false,
            includes: IncludeHabit::Both,
            page_cap: None,
            untold: BTreeSet::new(),
            put_unsets: BTreeSet::new(),
            batch: BatchHabit::Whole,
            variant_batch_drops: BTreeSet::new(),
            inventory_fails: false,
            refused_markup: None,
            alt_limit: None,
            latency: Duration::ZERO,
            concurrency: None,
            bare_refusals: 0,
            without_limit_headers: false,
            untranslated_left_out: false,
            untranslatable: BTreeSet::new(),
            without_channel_values: false,
            channel_values_page: 10,
            channel_values_unset: false,
            documented_removals_only: false,
            unsigned_deliveries: false,
            deliveries_twice: false,
            old_token_answer: false,
        }
    }
}
