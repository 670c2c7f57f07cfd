//! What can be written to a product of a store, and what the platform would refuse or change.

use crate::model::{FieldName, NameSource, Normaliser, TextCheck, Unavailable, WritableField};

/// Far below what a request may carry; the platform names no bound.
const MAX_HTML_BYTES: usize = 512 * 1024;
/// The platform counts characters, of which each has four bytes at most.
const BYTES: usize = 4;
/// A name has 1 to 250 characters (OpenAPI of 2026-04-01; the control panel takes 255).
const MAX_NAME: usize = 250;
/// A page's title has 255, and so an address.
const MAX_TITLE: usize = 255;
const MAX_SLUG: usize = 255;
/// A part number, too; an item number has 14.
const MAX_MPN: usize = 255;
const MAX_GTIN: usize = 14;
/// A page's description has 65,535, as have all search keywords together.
const MAX_META: usize = 65_535;
const MAX_KEYWORD: usize = 255;
/// Name and value of a custom field have 1 to 250 characters.
const MAX_CUSTOM: usize = 250;
/// The value of a metafield has 1 to 65,535.
const MAX_METAFIELD: usize = 65_535;
/// The platform names no bound of an image's description; its control panel is said to have this one (UNVERIFIED).
const MAX_ALT: usize = 255;

/// What a store's settings say of writes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct WriteSettings {
    /// Whether addresses are written.
    pub(super) slugs: bool,
    /// Whether item and part numbers are written.
    pub(super) identifiers: bool,
    /// Whether metafields are attributes, beside the custom fields.
    pub(super) metafields: bool,
}

/// A text of at most so many characters.
fn text(name: &'static str, most: usize, check: TextCheck) -> WritableField {
    let mut field = WritableField::text(FieldName::new(name), Normaliser::Exact1);
    (field.max_bytes, field.check) = (most * BYTES, Some(check));
    field
}

/// The fields of a variant that can be written, and those that cannot be in this store. It has no name, no description
/// and no alternative text.
pub(super) fn of_variants(settings: WriteSettings) -> (Vec<WritableField>, Vec<(FieldName, Unavailable)>) {
    let (mut writable, mut unavailable) = (Vec::new(), Vec::new());
    put_identifiers(settings, &mut writable, &mut unavailable);
    (writable, unavailable)
}

/// Item and part numbers, which products and variants have alike.
fn put_identifiers(
    settings: WriteSettings,
    writable: &mut Vec<WritableField>,
    unavailable: &mut Vec<(FieldName, Unavailable)>,
) {
    let mpn = text("mpn", MAX_MPN, MPN);
    let mut gtin = text("gtin", MAX_GTIN, TextCheck::GTIN);
    gtin.partly = Some("a number that stood in the field UPC/EAN alone is put back into the field GTIN");
    for field in [mpn, gtin] {
        if settings.identifiers {
            // They are not among what is said to move the date (2026-11-22), and a variant has none.
            writable.push(WritableField { removable: true, ..field });
        } else {
            unavailable.push((field.field, Unavailable::NotEnabled));
        }
    }
}

/// The fields of a product that can be written, and those that cannot be in this store.
pub(super) fn of_products(settings: WriteSettings) -> (Vec<WritableField>, Vec<(FieldName, Unavailable)>) {
    // No two products of a store have the same name.
    let title = WritableField { unique: true, ..text("title", MAX_NAME, NAME) };
    let seo_title = WritableField { empty: true, ..text("seo.title", MAX_TITLE, PAGE_TITLE) };
    let seo_description =
        WritableField { empty: true, ..text("seo.description", MAX_META, TextCheck::PLAIN) };
    let mut keywords = WritableField::set(FieldName::new("tags"));
    (keywords.max_bytes, keywords.check) = (MAX_KEYWORD * BYTES, Some(KEYWORD));
    let mut categories = WritableField::set(FieldName::new("categories"));
    (categories.max_bytes, categories.names, categories.can_be_emptied) =
        (MAX_NAME * BYTES, NameSource::Known, false);
    let mut brand = WritableField::set(FieldName::new("brands"));
    (brand.max_bytes, brand.names, brand.one_entry) = (MAX_NAME * BYTES, NameSource::Known, true);
    let mut fields = WritableField::keyed(FieldName::new("attributes"), Normaliser::Values1, true);
    (fields.max_bytes, fields.names, fields.check) = (MAX_CUSTOM * BYTES, NameSource::Either, Some(CUSTOM));
    fields.partly = Some("one that was removed comes back behind the others, with another id");
    if settings.metafields {
        // What a custom field can be is asked again when it is written: here nobody knows which of the two it is.
        (fields.max_bytes, fields.check) = (MAX_METAFIELD * BYTES, Some(METAFIELD));
    }
    let mut alt = WritableField::keyed(FieldName::new("media.alt"), Normaliser::Exact1, false);
    (alt.max_bytes, alt.empty, alt.check) = (MAX_ALT * BYTES, true, Some(ALT));
    let mut slug = text("slug", MAX_SLUG, SLUG);
    slug.partly = Some("the redirect from the present address stays");

    let mut writable = vec![
        title,
        WritableField::html(FieldName::new("description"), MAX_HTML_BYTES),
        seo_title,
        seo_description,
        keywords,
        categories,
        brand,
        fields,
        alt,
    ];
    for field in &mut writable {
        // Whether the date follows custom fields, images and addresses is not known (2026-11-22).
        field.moves_stamp = !matches!(field.field.as_str(), "attributes" | "media.alt");
    }
    let mut unavailable = Vec::new();
    if settings.slugs {
        writable.push(slug);
    } else {
        unavailable.push((slug.field, Unavailable::NotEnabled));
    }
    put_identifiers(settings, &mut writable, &mut unavailable);
    (writable, unavailable)
}

const NAME: TextCheck = TextCheck { name: "name_250", altered: |text| TextCheck::line(text, MAX_NAME) };
const PAGE_TITLE: TextCheck = TextCheck {
    name: "page_title_255",
    altered: |text| (TextCheck::PLAIN.altered)(text).or_else(|| TextCheck::line(text, MAX_TITLE)),
};
const KEYWORD: TextCheck = TextCheck { name: "keyword", altered: keyword };
const CUSTOM: TextCheck =
    TextCheck { name: "custom_field_250", altered: |text| TextCheck::line(text, MAX_CUSTOM) };
const METAFIELD: TextCheck = TextCheck { name: "metafield_65535", altered: metafield };
const ALT: TextCheck = TextCheck { name: "alt_255", altered: |text| TextCheck::line(text, MAX_ALT) };
const MPN: TextCheck = TextCheck { name: "mpn_255", altered: |text| TextCheck::line(text, MAX_MPN) };
const SLUG: TextCheck = TextCheck { name: "address", altered: address };

/// Whether a text fits a custom field.
pub(super) fn fits_custom_field(text: &str) -> bool {
    TextCheck::line(text, MAX_CUSTOM).is_none()
}

fn metafield(text: &str) -> Option<&'static str> {
    (text.chars().count() > MAX_METAFIELD).then_some("it is longer than the store takes")
}

/// In the list of keywords a comma is what stands between two.
fn keyword(text: &str) -> Option<&'static str> {
    if text.contains(',') {
        Some("a comma splits a keyword in two")
    } else {
        TextCheck::line(text, MAX_KEYWORD)
    }
}

/// An address within the store, with Latin letters (OpenAPI of 2026-04-01, `custom_url`).
fn address(text: &str) -> Option<&'static str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.');
    let is_path = text.starts_with('/') && text.len() > 1 && !text.contains("//") && !text.contains("..");
    match text {
        _ if text.len() > MAX_SLUG => Some("it is longer than the store takes"),
        _ if !is_path || !text.bytes().all(plain) => {
            Some("an address begins with a slash and has Latin letters, digits, hyphens and single slashes")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_platform_would_refuse_or_change_is_named() {
        for wrong in [
            "blue cap",
            "/",
            "//a",
            "/a//b",
            "/a/../b",
            "blue",
            "/caf\u{e9}/",
            "/a?b",
            &format!("/{}", "a".repeat(255)),
        ] {
            assert!(address(wrong).is_some(), "{wrong}");
        }
        assert_eq!(address("/all/blue-cap_2/"), None);
        assert!(keyword("a,b").is_some() && keyword(" a").is_some() && keyword("a b").is_none());
    }
}
