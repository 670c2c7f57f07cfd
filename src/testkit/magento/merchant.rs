//! What the merchant does in the admin, past every caller.

use super::attribute::{Attribute, Scope};
use super::category::Category;
use super::product::{GLOBAL, MediaEntry, Product};
use super::render::ROLES;
use super::settings::Conditions;
use super::state::{State, url_key};
use super::store::MagentoFake;

impl MagentoFake {
    /// Makes a product in all websites, with the dates of now; gives its id. Name, status, visibility, URL key
    /// and a price of 10 are set before `fill`.
    pub fn create(&self, sku: &str, name: &str, fill: impl FnOnce(&mut Product)) -> u64 {
        let mut state = self.state();
        let id = state.take_product_id();
        let mut product = Product::new(id, sku, state.now);
        product.websites = state.websites.iter().map(|website| website.id).collect();
        for (code, value) in [
            ("name", name),
            ("status", "1"),
            ("visibility", "4"),
            ("price", "10.000000"),
            ("tax_class_id", "2"),
            ("options_container", "container2"),
        ] {
            product.set(GLOBAL, code, value);
        }
        product.set(GLOBAL, "url_key", url_key(&format!("{name} {sku}")));
        fill(&mut product);
        product.id = id;
        state.inventory.set(&product.sku, "default", product.stock.qty, product.stock.in_stock);
        state.products.insert(id, product);
        state.happened("save", id, true, GLOBAL);
        id
    }

    /// Edits a product in the admin: its date moves to now. False where there is none.
    pub fn edit(&self, id: u64, change: impl FnOnce(&mut Product)) -> bool {
        self.change(id, true, change)
    }

    /// Changes a product without moving its date, as a direct change of the database does.
    pub fn edit_in_silence(&self, id: u64, change: impl FnOnce(&mut Product)) -> bool {
        let mut state = self.state();
        state.products.get_mut(&id).map(change).is_some()
    }

    /// Edits the global value of an attribute; views with a value of their own do not show it.
    pub fn set_value(&self, id: u64, code: &str, value: &str) -> bool {
        self.edit(id, |product| product.set(GLOBAL, code, value))
    }

    /// Edits the value of an attribute at a view: "Use Default Value" is unticked there.
    pub fn set_view_value(&self, id: u64, view: u64, code: &str, value: &str) -> bool {
        self.edit(id, |product| product.set(view, code, value))
    }

    /// Ticks "Use Default Value" of an attribute at a view.
    pub fn use_default(&self, id: u64, view: u64, code: &str) -> bool {
        self.edit(id, |product| product.unset(view, code))
    }

    /// Deletes a product; it leaves no trace. False where there is none.
    pub fn delete(&self, id: u64) -> bool {
        self.state().delete(id)
    }

    /// Sets the stock, as an order or an import does. The date stays, but for a condition.
    pub fn set_stock(&self, id: u64, quantity: f64) -> bool {
        let moves = self.moves(|conditions| conditions.stock_moves_clock);
        let done = self.change(id, moves, |product| {
            product.stock.qty = quantity;
            product.stock.in_stock = quantity > 0.0;
        });
        let mut state = self.state();
        if let Some(sku) = state.products.get(&id).map(|product| product.sku.clone()) {
            state.inventory.set(&sku, "default", quantity, quantity > 0.0);
        }
        done
    }

    /// Adds a picture with a global label; gives its id. The first one takes all roles. The date stays, but
    /// for a condition.
    pub fn add_image(&self, id: u64, file: &str, label: Option<&str>) -> Option<u64> {
        let moves = self.moves(|conditions| conditions.media_moves_clock);
        let entry = self.state().take_id();
        let done = self.change(id, moves, |product| {
            let place = i64::try_from(product.media.len()).unwrap_or(0) + 1;
            let mut picture = MediaEntry::new(entry, file, place);
            if let Some(row) = picture.rows.get_mut(&GLOBAL) {
                row.label = label.map(str::to_owned);
            }
            if product.media.is_empty() {
                for role in ROLES.iter().take(3) {
                    product.set(GLOBAL, role, file);
                }
            }
            product.media.push(picture);
        });
        done.then_some(entry)
    }

    /// Sets the label of a picture at a view; `None` is back at the default. The date stays, but for a
    /// condition.
    pub fn set_label(&self, id: u64, view: u64, entry: u64, label: Option<&str>) -> bool {
        let moves = self.moves(|conditions| conditions.media_moves_clock);
        let mut found = false;
        self.change(id, moves, |product| {
            if let Some(picture) = product.media.iter_mut().find(|known| known.id == entry) {
                picture.rows.entry(view).or_default().label = label.map(str::to_owned);
                found = true;
            }
        });
        found
    }

    /// Removes a picture in all views. The date stays, but for a condition.
    pub fn remove_image(&self, id: u64, entry: u64) -> bool {
        let moves = self.moves(|conditions| conditions.media_moves_clock);
        self.change(id, moves, |product| product.media.retain(|known| known.id != entry))
    }

    /// Changes an attribute of many products at once, as the grid's "Update attributes" does. Their dates
    /// stay, but for a condition.
    pub fn mass_update(&self, ids: &[u64], view: u64, code: &str, value: &str) {
        let moves = self.moves(|conditions| conditions.mass_moves_clock);
        let mut state = self.state();
        let now = state.now;
        let scope = state.attribute(code).map_or(Scope::Store, |attribute| attribute.scope);
        let scopes = state.scopes_of_save(scope, view);
        for id in ids {
            if let Some(product) = state.products.get_mut(id) {
                for scope in &scopes {
                    product.set(*scope, code, value);
                }
                if moves {
                    product.updated = now;
                }
            }
        }
    }

    /// Adds an attribute of the merchant's to all sets; gives its id.
    pub fn add_attribute(&self, attribute: Attribute) -> u64 {
        self.state().add_attribute(attribute)
    }

    /// Changes an attribute. False where there is none.
    pub fn edit_attribute(&self, code: &str, change: impl FnOnce(&mut Attribute)) -> bool {
        self.state().attribute_mut(code).map(change).is_some()
    }

    /// Takes an attribute out of a set: what is sent of it is ignored then.
    pub fn remove_from_set(&self, set: u64, code: &str) {
        for known in self.state().sets.iter_mut().filter(|known| known.id == set) {
            known.attributes.retain(|attribute| attribute != code);
        }
    }

    /// Adds an option to an attribute; gives its id, which follows from the seed of the store.
    pub fn add_option(&self, code: &str, label: &str) -> Option<u64> {
        self.state().add_option(code, label)
    }

    /// Sets the label that an option has at a view; 0 is the admin's.
    pub fn label_option(&self, code: &str, option: u64, view: u64, label: &str) -> bool {
        let mut state = self.state();
        let option = state.attribute_mut(code).and_then(|a| a.options.iter_mut().find(|o| o.id == option));
        option.map(|option| option.labels.insert(view, label.to_owned())).is_some()
    }

    /// Removes an option; products keep its id.
    pub fn remove_option(&self, code: &str, option: u64) {
        if let Some(attribute) = self.state().attribute_mut(code) {
            attribute.options.retain(|known| known.id != option);
        }
    }

    /// Adds a category below another; gives its id.
    pub fn add_category(&self, parent: u64, name: &str) -> u64 {
        self.state().add_category(parent, name)
    }

    /// Names a category at a view; 0 is global. False where there is none.
    pub fn name_category(&self, id: u64, view: u64, name: &str) -> bool {
        let mut state = self.state();
        let now = state.now;
        let category = state.categories.get_mut(&id);
        category
            .map(|category| {
                category.set(view, "name", name);
                category.updated = now;
            })
            .is_some()
    }

    /// The ids of all categories, those at the roots too, ascending.
    #[must_use]
    pub fn category_ids(&self) -> Vec<u64> {
        self.state().categories.keys().copied().collect()
    }

    /// Deletes a category; its products are no more in it. False where there is none.
    pub fn delete_category(&self, id: u64) -> bool {
        let mut state = self.state();
        for product in state.products.values_mut() {
            product.categories.retain(|link| link.category != id);
        }
        state.categories.remove(&id).is_some()
    }

    /// Adds a source of stock.
    pub fn add_source(&self, code: &str, name: &str) {
        self.state().inventory.sources.push((code.to_owned(), name.to_owned()));
    }

    /// Sets what a source has of a SKU. No date moves.
    pub fn set_source_item(&self, sku: &str, source: &str, quantity: f64) {
        self.state().inventory.set(sku, source, quantity, quantity > 0.0);
    }

    /// What is stored of a category.
    #[must_use]
    pub fn category(&self, id: u64) -> Option<Category> {
        self.state().categories.get(&id).cloned()
    }

    /// Edits a category in the admin: its date moves to now. False where there is none.
    pub fn edit_category(&self, id: u64, change: impl FnOnce(&mut Category)) -> bool {
        let mut state = self.state();
        let now = state.now;
        let edit = |category: &mut Category| {
            change(category);
            category.updated = now;
        };
        state.categories.get_mut(&id).map(edit).is_some()
    }

    fn moves(&self, condition: impl Fn(&Conditions) -> bool) -> bool {
        condition(&self.state().conditions)
    }

    fn change(&self, id: u64, moves: bool, change: impl FnOnce(&mut Product)) -> bool {
        let mut state = self.state();
        let State { now, .. } = *state;
        let Some(product) = state.products.get_mut(&id) else { return false };
        change(product);
        product.id = id;
        if moves {
            product.updated = now;
        }
        state.happened("save", id, false, GLOBAL);
        true
    }
}
