//! What the merchant does with variants and collections.

use super::store::ShopifyFake;
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
