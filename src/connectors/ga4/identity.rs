//! What an item's id, or a page's path, says of the product.

use std::collections::HashSet;
use std::sync::Arc;

use crate::model::performance::Identity;
use crate::model::{ExternalId, Text};

/// What the shop's tags send as the id of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ItemIds {
    /// The stock keeping unit.
    #[default]
    Sku,
    /// The variant's id at the shop's platform, a number.
    VariantId,
    /// The product's id at the shop's platform, a number.
    ProductId,
    /// `shopify_CC_p_v`: a country, the product's id and the variant's id, as Google's app for Shopify sends it
    /// (UNVERIFIED).
    ShopifyFeed,
}

/// How keys are read: the settings of a connector.
#[derive(Debug, Clone, Default)]
pub(super) struct Identities {
    pub(super) items: ItemIds,
    /// What stands before the slug in the path of a product's page, such as `/products/`.
    pub(super) page_prefixes: Vec<Text>,
    /// The ids that the catalogue has, in the form that items are sent in.
    pub(super) known: Option<Arc<HashSet<Text>>>,
}

impl Identities {
    /// What an item's id says.
    pub(super) fn of_item(&self, key: &str) -> Identity {
        let mut identity = Identity::default();
        let id = |text: &str| Some(ExternalId::from(text));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let asked = match self.items {
            ItemIds::Sku => {
                identity.sku = Some(key.into());
                key
            }
            ItemIds::VariantId if is_number(key) => {
                identity.variant_id = id(key);
                key
            }
            ItemIds::ProductId if is_number(key) => {
                identity.product_id = id(key);
                key
            }
            ItemIds::VariantId | ItemIds::ProductId => return identity,
            ItemIds::ShopifyFeed => {
                let mut parts = key.split('_');
                let head = parts.next().is_some_and(|head| head.eq_ignore_ascii_case("shopify"));
                let (country, product, variant) = (parts.next(), parts.next(), parts.next());
                let (Some(_), Some(product), Some(variant)) = (country, product, variant) else {
                    return identity;
                };
                if !head || parts.next().is_some() || !is_number(product) || !is_number(variant) {
                    return identity;
                }
                (identity.product_id, identity.variant_id) = (id(product), id(variant));
                variant
            }
        };
        identity.is_known = self.known.as_ref().map(|known| known.contains(asked));
        identity
    }

    /// What a page's path says: the part behind one of the prefixes, up to the next slash.
    pub(super) fn of_page(&self, path: &str) -> Identity {
        let rest = self.page_prefixes.iter().find_map(|prefix| path.strip_prefix(prefix.as_str()));
        let slug = rest.and_then(|rest| rest.split(['/', '?']).next()).filter(|slug| !slug.is_empty());
        Identity { slug: slug.map(Text::from), ..Identity::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(items: ItemIds, known: Option<&[&'static str]>) -> Identities {
        let known = known.map(|known| Arc::new(known.iter().map(|id| Text::from(*id)).collect()));
        Identities { items, known, ..Identities::default() }
    }

    #[test]
    fn an_item_is_matched_by_the_form_of_its_id_and_by_the_catalogue_where_one_is_given() {
        for (items, key, matched) in [
            (ItemIds::Sku, "CAP-7", true),
            (ItemIds::VariantId, "70", true),
            (ItemIds::VariantId, "CAP-7", false),
            (ItemIds::ProductId, "", false),
            (ItemIds::ShopifyFeed, "shopify_US_7_70", true),
            (ItemIds::ShopifyFeed, "shopify_us_7", false),
            (ItemIds::ShopifyFeed, "shopify_US_7_70_1", false),
            (ItemIds::ShopifyFeed, "shopify_US_seven_70", false),
            (ItemIds::ShopifyFeed, "CAP-7", false),
        ] {
            assert_eq!(of(items, None).of_item(key).is_matched(), matched, "{items:?} {key}");
        }
        let feed = of(ItemIds::ShopifyFeed, Some(&["70"]));
        let identity = feed.of_item("shopify_US_7_70");
        assert_eq!(identity.product_id.as_ref().map(ExternalId::as_str), Some("7"));
        assert!(identity.is_matched() && !feed.of_item("shopify_US_7_71").is_matched());
    }

    #[test]
    fn a_pages_slug_stands_behind_the_prefix() {
        let pages = Identities { page_prefixes: vec!["/products/".into()], ..Identities::default() };
        let slug = |path: &str| pages.of_page(path).slug;
        assert_eq!(slug("/products/cap").as_deref(), Some("cap"));
        assert_eq!(slug("/products/cap/reviews").as_deref(), Some("cap"));
        assert_eq!(slug("/products/"), None);
        assert_eq!(slug("/collections/caps"), None);
    }
}
