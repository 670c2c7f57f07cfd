//! Categories of the platform's taxonomy; only their ids tell them apart.

use super::value::Out;

/// Names of the categories that the sample catalogue uses.
const NAMES: &[(&str, &str)] = &[
    ("aa", "Apparel & Accessories"),
    ("aa-1", "Clothing"),
    ("aa-1-13", "Clothing Tops"),
    ("aa-1-13-8", "T-Shirts"),
    ("aa-6", "Jewelry"),
    ("hg", "Home & Garden"),
    ("hg-3", "Decor"),
    ("fb", "Food, Beverages & Tobacco"),
    ("sg", "Sporting Goods"),
];

const PREFIX: &str = "gid://shopify/TaxonomyCategory/";

/// Whether an id names a category.
pub(super) fn is_known(id: &str) -> bool {
    id.strip_prefix(PREFIX).is_some_and(|code| NAMES.iter().any(|(known, _)| *known == code))
}

/// A category by its id.
pub(super) fn category(id: &str) -> Out {
    let code = id.strip_prefix(PREFIX).unwrap_or(id);
    let name =
        |code: &str| NAMES.iter().find(|(known, _)| *known == code).map_or("Uncategorized", |(_, name)| name);
    let parts: Vec<&str> = code.split('-').collect();
    let ancestors: Vec<String> = (1..parts.len())
        .map(|length| parts.iter().take(length).copied().collect::<Vec<_>>().join("-"))
        .collect();
    let full: Vec<&str> = ancestors.iter().map(|code| name(code)).chain([name(code)]).collect();
    let ids = ancestors.iter().rev().map(|code| format!("{PREFIX}{code}"));
    Out::record(
        "TaxonomyCategory",
        vec![
            ("id", Out::text(id)),
            ("name", Out::text(name(code))),
            ("fullName", Out::text(full.join(" > "))),
            ("level", Out::int(parts.len())),
            ("isRoot", Out::bool(parts.len() == 1)),
            ("isLeaf", Out::bool(!NAMES.iter().any(|(known, _)| known.starts_with(&format!("{code}-"))))),
            ("isArchived", Out::bool(false)),
            ("parentId", Out::maybe(ancestors.last().map(|code| format!("{PREFIX}{code}")))),
            ("ancestorIds", Out::texts(ids)),
            ("childrenIds", Out::texts(Vec::<String>::new())),
        ],
    )
}
