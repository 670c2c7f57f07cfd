//! What can be written to products and variants of a store, and what the platform would refuse or change.

use crate::model::{Entity, FieldName, NameSource, Normaliser, TextCheck, Unavailable, WritableField};

/// Far below what a request may carry.
const MAX_HTML_BYTES: usize = 512 * 1024;
/// The platform keeps titles, types, vendors and handles in 255 characters (UNVERIFIED; a longer one is refused by it).
const MAX_NAME_BYTES: usize = 255;
/// A tag has at most 255 characters (UNVERIFIED), a product at most 250 tags below the Plus plan.
const MAX_TAG_BYTES: usize = 255;
/// The platform refuses longer alternative texts (`ALT_VALUE_LIMIT_EXCEEDED`, SDL 2026-10): 512 characters.
const MAX_ALT_BYTES: usize = 512;
/// Far more than a search engine shows of a title or description.
const MAX_SEO_BYTES: usize = 2000;
/// The platform's bound of a metafield's value is 64 KB (2026-11-22).
const MAX_METAFIELD_BYTES: usize = 64 * 1000;

/// The ids of categories are far shorter.
const MAX_CATEGORY_BYTES: usize = 64;

/// What a store's settings say of writes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct WriteSettings {
    /// Whether handles are written.
    pub(super) slugs: bool,
    /// Whether item numbers are written.
    pub(super) identifiers: bool,
}

/// What can be written, and what cannot be in this store.
type Claims = (Vec<WritableField>, Vec<(FieldName, Unavailable)>);

/// The fields of a product that can be written, and those that cannot be in this store.
pub(super) fn of_products(settings: WriteSettings, rights: Rights) -> Claims {
    let mut title = WritableField::text(FieldName::new("title"), Normaliser::Exact1);
    (title.max_bytes, title.check) = (MAX_NAME_BYTES, Some(ONE_LINE));
    let description = WritableField::html(FieldName::new("description"), MAX_HTML_BYTES);
    let seo = |name| {
        let mut field = WritableField::text(FieldName::new(name), Normaliser::Exact1);
        (field.max_bytes, field.removable, field.check) = (MAX_SEO_BYTES, true, Some(TextCheck::PLAIN_LINE));
        field
    };
    let mut kind = WritableField::text(FieldName::new("product_type"), Normaliser::Exact1);
    (kind.max_bytes, kind.removable, kind.check) = (MAX_NAME_BYTES, true, Some(ONE_LINE));
    let mut tags = WritableField::set(FieldName::new("tags"));
    (tags.max_bytes, tags.check) = (MAX_TAG_BYTES, Some(TAG));
    // The platform may put the shop's own name in the place of no vendor (UNVERIFIED), so it is never without one.
    let mut vendor = WritableField::set(FieldName::new("brands"));
    (vendor.max_bytes, vendor.check) = (MAX_NAME_BYTES, Some(ONE_LINE));
    (vendor.one_entry, vendor.can_be_emptied) = (true, false);
    let mut collections = WritableField::set(FieldName::new("categories"));
    (collections.max_bytes, collections.names) = (MAX_NAME_BYTES, NameSource::Known);
    collections.partly =
        Some("in a collection that is sorted by hand, the product comes back at another place");
    let mut metafields = WritableField::keyed(FieldName::new("attributes"), Normaliser::Values1, true);
    (metafields.max_bytes, metafields.names) = (MAX_METAFIELD_BYTES, NameSource::Known);
    // Their lengths are UNVERIFIED (OPTION_NAME_TOO_LONG, OPTION_VALUE_NAME_TOO_LONG, SDL 2026-10).
    let options = |name| {
        let mut names = WritableField::keyed(FieldName::new(name), Normaliser::Exact1, false);
        (names.max_bytes, names.check) = (MAX_NAME_BYTES, Some(ONE_LINE));
        // Options are attributes, too.
        names.followed_by = vec![FieldName::new("attributes")];
        names
    };
    let mut alt = WritableField::keyed(FieldName::new("media.alt"), Normaliser::Exact1, false);
    (alt.max_bytes, alt.check, alt.shared_holder) = (MAX_ALT_BYTES, Some(ONE_LINE), Some(Entity::Media));
    let mut slug = WritableField::text(FieldName::new("slug"), Normaliser::Exact1);
    (slug.max_bytes, slug.unique, slug.check) = (MAX_NAME_BYTES, true, Some(TextCheck::SLUG));
    slug.followed_by = vec![FieldName::new("url")];
    slug.partly = Some("the redirect from the present address stays");
    let mut taxonomy = WritableField::text(FieldName::new("taxonomy"), Normaliser::Exact1);
    (taxonomy.max_bytes, taxonomy.removable, taxonomy.check) = (MAX_CATEGORY_BYTES, true, Some(CATEGORY));

    let fields = vec![
        (title, rights.products),
        (description, rights.products),
        (seo("seo.title"), rights.products),
        (seo("seo.description"), rights.products),
        (kind, rights.products),
        (vendor, rights.products),
        (taxonomy, rights.products),
        (tags, rights.products),
        (collections, rights.products),
        (metafields, rights.products),
        (options("options"), rights.products),
        (options("options.values"), rights.products),
        // The right to write products is not enough for their files.
        (alt, rights.files),
        (slug, rights.products && settings.slugs),
    ];
    claims(fields)
}

/// The fields of a variant that can be written, and those that cannot be in this store.
pub(super) fn of_variants(settings: WriteSettings, rights: Rights) -> Claims {
    let mut gtin = WritableField::text(FieldName::new("gtin"), Normaliser::Exact1);
    (gtin.removable, gtin.check) = (true, Some(TextCheck::GTIN));
    // Since 2026-09-08 a variant may have twenty (the platform's changelog), of which this version shows the first.
    gtin.partly = Some("what becomes of further barcodes of the variant is not known");
    claims(vec![(gtin, rights.products && settings.identifiers)])
}

/// Parts what may be written from the rest.
fn claims(fields: Vec<(WritableField, bool)>) -> Claims {
    let (can, cannot): (Vec<_>, Vec<_>) = fields.into_iter().partition(|(_, may)| *may);
    let cannot = cannot.into_iter().map(|(field, _)| (field.field, Unavailable::NotEnabled));
    let stamped = |(mut field, _): (WritableField, bool)| {
        // Collections and files have times of their own.
        field.moves_stamp = !matches!(field.field.as_str(), "categories" | "media.alt");
        field
    };
    (can.into_iter().map(stamped).collect(), cannot.collect())
}

/// What the token may write.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rights {
    pub(super) products: bool,
    pub(super) files: bool,
}

impl Rights {
    /// All: where nobody said otherwise, a write finds out.
    pub(super) const fn all() -> Self {
        Self { products: true, files: true }
    }
}

/// Blanks at the ends are taken off by the platform (UNVERIFIED), and a line break has no place in a name.
const ONE_LINE: TextCheck = TextCheck::ONE_LINE;
const TAG: TextCheck = TextCheck { name: "tag", altered: tag };
const CATEGORY: TextCheck = TextCheck { name: "category", altered: category };

/// In lists of tags a comma is what stands between two.
fn tag(text: &str) -> Option<&'static str> {
    if text.contains(',') { Some("a comma splits a tag in two") } else { (ONE_LINE.altered)(text) }
}

/// Ids of the platform's taxonomy, such as `aa-1-13-8`: a word of two letters, and numbers below it.
fn category(text: &str) -> Option<&'static str> {
    let mut steps = text.split('-');
    let top = steps.next().unwrap_or_default();
    let is_top = top.len() == 2 && top.bytes().all(|byte| byte.is_ascii_lowercase());
    let is_number = |step: &str| !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit());
    (!is_top || !steps.all(is_number)).then_some("a category is named by its id, such as aa-1-13-8")
}
