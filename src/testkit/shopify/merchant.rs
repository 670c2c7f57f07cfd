//! What the merchant does with variants and collections.

use super::store::ShopifyFake;
use super::translation::Translation;
use super::value::gid;

impl ShopifyFake {
    /// Deletes a variant for good: its product moves. False where there is none.
    pub fn delete_variant(&self, id: u64) -> bool {
        let mut state = self.state();
        let Some(product) = state.variants.get(&id).map(|variant| variant.product) else { return false };
        state.remove_variant(id);
        state.change_product(product, |product| product.variants.retain(|known| *known != id));
        state.note_event("destroy", "PRODUCT_VARIANT", gid("ProductVariant", id));
        true
    }

    /// Deletes a collection for good; its products stay, and do not move. False where there is none.
    pub fn delete_collection(&self, id: u64) -> bool {
        let mut state = self.state();
        let is_there = state.collections.remove(&id).is_some();
        if is_there {
            state.note_event("destroy", "COLLECTION", gid("Collection", id));
        }
        is_there
    }

    /// Empties the shop's timeline, as time does: nothing tells of earlier deletions any more.
    pub fn forget_events(&self) {
        self.state().events.clear();
    }

    /// Puts an event on the timeline that nothing was done for, such as of another shop's habits.
    pub fn add_event(&self, action: &'static str, subject_type: &'static str, subject: &str) {
        self.state().note_event(action, subject_type, subject.to_owned());
    }

    /// The ids of all collections.
    #[must_use]
    pub fn collection_ids(&self) -> Vec<u64> {
        self.state().collections.keys().copied().collect()
    }

    /// The ids of the collections that a product is in.
    #[must_use]
    pub fn collections_of(&self, product: u64) -> Vec<u64> {
        let state = self.state();
        let holding = state.collections.iter().filter(|(_, it)| it.products.contains(&product));
        holding.map(|(id, _)| *id).collect()
    }
}

impl ShopifyFake {
    /// Translates a product's text as the merchant does, by the platform's key, such as `body_html`; the empty text
    /// takes the translation away. The product does not move. False where the product has no such text.
    pub fn translate(&self, product: u64, locale: &str, key: &str, text: &str) -> bool {
        let mut state = self.state();
        let resource = super::value::gid("Product", product);
        let contents = super::translation::contents(&state, &resource).unwrap_or_default();
        let Some(content) = contents.iter().find(|content| content.key == key) else { return false };
        let place = (resource, locale.to_owned(), key.to_owned());
        if text.is_empty() {
            return state.translations.remove(&place).is_some();
        }
        let (digest, updated_at) = (content.digest(), state.now);
        state.translations.insert(place, Translation { value: text.to_owned(), digest, updated_at });
        true
    }

    /// All translations of a product: language, the platform's key, text.
    #[must_use]
    pub fn translations(&self, product: u64) -> Vec<(String, String, String)> {
        let state = self.state();
        let resource = super::value::gid("Product", product);
        let of_product = state.translations.iter().filter(|((known, _, _), _)| *known == resource);
        of_product.map(|((_, locale, key), it)| (locale.clone(), key.clone(), it.value.clone())).collect()
    }

    /// A product's translation by the platform's key, and whether its source changed since.
    #[must_use]
    pub fn translation(&self, product: u64, locale: &str, key: &str) -> Option<(String, bool)> {
        let state = self.state();
        let resource = super::value::gid("Product", product);
        let found = state.translations.get(&(resource.clone(), locale.to_owned(), key.to_owned()))?;
        let contents = super::translation::contents(&state, &resource).unwrap_or_default();
        let current = contents.iter().find(|content| content.key == key);
        let outdated = current.is_none_or(|content| content.digest() != found.digest);
        Some((found.value.clone(), outdated))
    }
}
