//! What can be written to a product of a store, and what the platform would refuse or change.

use super::map;
use super::wire::Scope;
use crate::model::{Entity, FieldName, NameSource, Normaliser, TextCheck, Unavailable, WritableField};

/// Far below what the platform's column takes (64 KiB of `text`, `mediumtext` since 2.4; UNVERIFIED).
const MAX_HTML_BYTES: usize = 60 * 1024;
/// Short texts are kept in 255 characters, of which each has four bytes at most (UNVERIFIED in the sources read; the
/// admin's form asks for as much).
const MAX_SHORT: usize = 255;
const MAX_SHORT_BYTES: usize = 4 * MAX_SHORT;
/// The column of keywords is a long one; far more than anybody reads.
const MAX_KEYWORD_BYTES: usize = 2000;

/// What a store's settings say of writes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct WriteSettings {
    /// Whether URL keys are written.
    pub(super) slugs: bool,
    /// Whether options of attributes are made.
    pub(super) options: bool,
    /// Whether large pushes may go by the platform's queue.
    pub(super) queue: bool,
}

/// The fields of a product that can be written in a scope, and those that cannot be. What all views share is not
/// written through one of them: it would change in all.
pub(super) fn of_products(
    scope: &Scope,
    shared: &[String],
    settings: WriteSettings,
) -> (Vec<WritableField>, Vec<(FieldName, Unavailable)>) {
    // In what all views share, an empty text is none. A view has one to hide what they share.
    let hides = *scope != Scope::All;
    let text = |name, max_bytes| {
        let mut field = WritableField::text(FieldName::new(name), Normaliser::Exact1);
        (field.max_bytes, field.check) = (max_bytes, Some(SHORT));
        field
    };
    let html = |name| {
        let mut field = WritableField::html(FieldName::new(name), MAX_HTML_BYTES);
        (field.empty, field.removable) = (hides, true);
        field
    };
    let seo = |name, max_bytes, check| WritableField {
        empty: hides,
        removable: true,
        check: Some(check),
        ..text(name, max_bytes)
    };
    let mut alt = WritableField::keyed(FieldName::new("media.alt"), Normaliser::Exact1, false);
    (alt.max_bytes, alt.check, alt.shared_holder) = (MAX_SHORT_BYTES, Some(SHORT), Some(Entity::Media));
    alt.empty = true;
    if *scope != Scope::All {
        alt.partly = Some("the picture's place and visibility in this view are its own afterwards");
    }
    let mut attributes = WritableField::keyed(FieldName::new("attributes"), Normaliser::Values1, true);
    (attributes.names, attributes.check) = (NameSource::Known, Some(ONE_LINE));
    let mut categories = WritableField::set(FieldName::new("categories"));
    (categories.names, categories.max_bytes) = (NameSource::Known, MAX_SHORT_BYTES);
    categories.partly = Some("a category that it is put back into has it at its first place");
    let mut slug = text("slug", MAX_SHORT);
    (slug.unique, slug.check) = (true, Some(TextCheck::SLUG));
    slug.partly = Some("the address that it had meanwhile is gone: no redirect leads from it");
    let fields = vec![
        text("title", MAX_SHORT_BYTES),
        html("description"),
        html("short_description"),
        seo("seo.title", MAX_SHORT_BYTES, SHORT_PLAIN),
        seo("seo.description", MAX_SHORT_BYTES, SHORT_PLAIN),
        seo("seo.focus_keyword", MAX_KEYWORD_BYTES, TextCheck::PLAIN_LINE),
        attributes,
        categories,
        alt,
        slug,
    ];
    let why_not = |field: &WritableField| match field.field.as_str() {
        "slug" if !settings.slugs => Some(Unavailable::NotEnabled),
        // Most attributes are shared by all views, and so are categories.
        "attributes" | "categories" if *scope == Scope::All => None,
        "attributes" | "categories" => Some(Unavailable::SharedByViews),
        _ => {
            let is_shared =
                code_of(&field.field).is_some_and(|code| shared.iter().any(|shared| shared == code));
            is_shared.then_some(Unavailable::SharedByViews)
        }
    };
    let (mut can, mut cannot) = (Vec::new(), Vec::new());
    for mut field in fields {
        // A save of a product is not among what leaves its time as it was; that of a picture is (fact sheet of 2026-11-22).
        field.moves_stamp = !matches!(field.field.as_str(), "media.alt" | "categories");
        match why_not(&field) {
            Some(why) => cannot.push((field.field, why)),
            None => can.push(field),
        }
    }
    (can, cannot)
}

/// The code of the attribute that holds a text of a product; none of what no attribute holds.
pub(super) fn code_of(field: &FieldName) -> Option<&'static str> {
    let rule = map::PRODUCT.iter().find(|rule| rule.field == field.as_str())?;
    let std::borrow::Cow::Borrowed(place) = rule.from else { return None };
    if place == "/name" { Some("name") } else { map::code_of(place) }
}

const ONE_LINE: TextCheck = TextCheck::ONE_LINE;
const SHORT: TextCheck = TextCheck { name: "line_255", altered: |text| TextCheck::line(text, MAX_SHORT) };
const SHORT_PLAIN: TextCheck = TextCheck {
    name: "no_markup_255",
    altered: |text| (TextCheck::PLAIN_LINE.altered)(text).or_else(|| TextCheck::line(text, MAX_SHORT)),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_all_views_share_is_not_written_through_one() {
        let names = |scope: &Scope, shared: &[String]| -> Vec<String> {
            let (can, _) =
                of_products(scope, shared, WriteSettings { slugs: true, ..WriteSettings::default() });
            can.into_iter().map(|field| field.field.to_string()).collect()
        };
        let all = names(&Scope::All, &[]);
        assert_eq!(all.len(), 10);
        let view = names(&Scope::View("de".to_owned()), &["name".to_owned(), "meta_title".to_owned()]);
        for gone in ["title", "seo.title", "attributes", "categories"] {
            assert!(!view.contains(&gone.to_owned()), "{gone}");
        }
        assert_eq!(view.len(), 6);
    }

    #[test]
    fn what_the_platform_would_change_is_named() {
        let short = |text: &str| (SHORT_PLAIN.altered)(text).is_some();
        assert!(short("a<b>") && short(&"x".repeat(256)) && !short(&"ж".repeat(255)));
    }
}
