//! What can be written to products and variations of a store, and what the platform would make of a value in silence.

use super::connector::WriteSettings;
use crate::model::{
    Entity, FieldName, NameSource, Normaliser, StoreProfile, TextCheck, Unavailable, WritableField,
};

/// The longest description that is sent: far below what the platform's column (4 GiB) and PHP's body limit take.
const MAX_HTML_BYTES: usize = 1024 * 1024;
/// WordPress keeps names of terms, and slugs, in 200 characters.
const MAX_NAME_BYTES: usize = 200;
/// Alternative texts are read aloud: longer ones are a mistake.
const MAX_ALT_BYTES: usize = 2000;
/// Far more than a search engine shows of a title or description.
const MAX_SEO_BYTES: usize = 2000;

/// A plugin that keeps titles and descriptions for search engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SeoPlugin {
    /// Yoast SEO: `_yoast_wpseo_title` and its like.
    Yoast,
    /// Rank Math: `rank_math_title` and its like.
    RankMath,
}

impl SeoPlugin {
    /// Which one the API's namespaces show; Yoast where both do.
    pub(super) fn detect(profile: &StoreProfile) -> Option<Self> {
        let has = |name: &str| profile.plugins.iter().any(|plugin| plugin == name);
        if has("yoast/v1") {
            Some(Self::Yoast)
        } else if has("rankmath/v1") {
            Some(Self::RankMath)
        } else {
            None
        }
    }
}

/// The fields of a product that can be written, and those that cannot be in this store.
pub(super) fn of_products(
    seo: Option<SeoPlugin>,
    writes: WriteSettings,
) -> (Vec<WritableField>, Vec<(FieldName, Unavailable)>) {
    let title = WritableField::text(FieldName::new("title"), Normaliser::Trimmed1);
    let mut tags = WritableField::set(FieldName::new("tags"));
    (tags.max_bytes, tags.check) = (MAX_NAME_BYTES, Some(PLAIN_FIELD));
    let listed = |name| {
        let mut set = WritableField::set(FieldName::new(name));
        (set.max_bytes, set.names, set.can_be_emptied) = (MAX_NAME_BYTES, NameSource::Known, false);
        set
    };
    let mut attributes = WritableField::keyed(FieldName::new("attributes"), Normaliser::Values1, true);
    (attributes.max_bytes, attributes.names) = (MAX_NAME_BYTES, NameSource::Either);
    attributes.check = Some(ATTRIBUTE);
    let mut alt = WritableField::keyed(FieldName::new("media.alt"), Normaliser::Trimmed1, false);
    (alt.max_bytes, alt.check, alt.shared_holder) = (MAX_ALT_BYTES, Some(PLAIN_FIELD), Some(Entity::Media));
    let mut writable = vec![
        title,
        WritableField::html(FieldName::new("short_description"), MAX_HTML_BYTES),
        WritableField::html(FieldName::new("description"), MAX_HTML_BYTES),
        tags,
        listed("categories"),
        // A product without a brand is as good as any; one without a category gets the default one.
        WritableField { can_be_emptied: true, ..listed("brands") },
        attributes,
        alt,
    ];
    let mut unavailable = Vec::new();
    for name in ["seo.title", "seo.description", "seo.focus_keyword"] {
        let mut field = WritableField::text(FieldName::new(name), Normaliser::Exact1);
        (field.max_bytes, field.removable, field.empty) = (MAX_SEO_BYTES, true, true);
        field.check = Some(TextCheck::PLAIN);
        match seo {
            Some(_) => writable.push(field),
            None => unavailable.push((field.field, Unavailable::SeoPluginNotDetected)),
        }
    }
    let mut slug = WritableField::text(FieldName::new("slug"), Normaliser::Exact1);
    (slug.max_bytes, slug.unique, slug.check) = (MAX_NAME_BYTES, true, Some(TextCheck::SLUG));
    slug.followed_by = vec![FieldName::new("url")];
    slug.partly =
        Some("redirects from the present address stay, and another page may have taken the old one");
    for (field, is_allowed) in [(slug, writes.slugs), (item_number(), writes.identifiers)] {
        match is_allowed {
            true => writable.push(field),
            false => unavailable.push((field.field, Unavailable::NotEnabled)),
        }
    }
    // Any write of a product moves its date, whatever it holds (observed on 2026-11-22).
    writable.iter_mut().for_each(|field| field.moves_stamp = true);
    (writable, unavailable)
}

/// The fields of a variation that can be written, and those that cannot be in this store.
pub(super) fn of_variations(writes: WriteSettings) -> (Vec<WritableField>, Vec<(FieldName, Unavailable)>) {
    let mut writable = vec![WritableField::html(FieldName::new("description"), MAX_HTML_BYTES)];
    let mut unavailable = Vec::new();
    match writes.identifiers {
        true => writable.push(item_number()),
        false => unavailable.push((item_number().field, Unavailable::NotEnabled)),
    }
    // A write moves the date of a variation, and that of its product.
    writable.iter_mut().for_each(|field| field.moves_stamp = true);
    (writable, unavailable)
}

/// An item number: the platform drops what is no digit and no hyphen, and takes each number once, of products and
/// variations together.
fn item_number() -> WritableField {
    let mut number = WritableField::text(FieldName::new("gtin"), Normaliser::Exact1);
    (number.unique, number.removable, number.check) = (true, true, Some(TextCheck::GTIN));
    number
}

/// A plain field of WordPress: blanks collapse, and `%` with two hexadecimal digits is dropped
/// (`sanitize_text_field`; the first observed on 2026-11-22, the second from its documentation, UNVERIFIED here).
const PLAIN_FIELD: TextCheck = TextCheck { name: "plain_field", altered: plain_field };
/// A name or value of an attribute: as a plain field, and a bar splits it in two (observed on 2026-11-22).
const ATTRIBUTE: TextCheck = TextCheck { name: "attribute", altered: attribute };

fn plain_field(text: &str) -> Option<&'static str> {
    let blanks = text.as_bytes().windows(2).any(|pair| pair == b"  ");
    let octet = text.as_bytes().windows(3).any(|part| {
        matches!(part, [b'%', first, second] if first.is_ascii_hexdigit() && second.is_ascii_hexdigit())
    });
    match (blanks, octet) {
        (true, _) => Some("blanks in a row become one"),
        (_, true) => Some("a percent sign before two hexadecimal digits is dropped with them"),
        _ => None,
    }
}

fn attribute(text: &str) -> Option<&'static str> {
    match text {
        _ if text.contains('|') => Some("a bar splits a value in two"),
        _ if text.contains('\\') => Some("a backslash may be taken off"),
        _ => plain_field(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_platform_would_change_is_named() {
        assert!(plain_field("a  b").is_some() && plain_field("100%ab").is_some());
        assert_eq!(plain_field("100% cotton, 5 < 6"), None);
        assert!(attribute("a | b").is_some() && attribute("a\\b").is_some() && attribute("Blue").is_none());
    }
}
