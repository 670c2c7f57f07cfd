//! The merchant's hand, and what a test reads of the store without a request.

use std::collections::BTreeMap;

use super::conditions::Area;
use super::fields::FIELDS;
use super::metafields::{self, Owner};
use super::product::{self, Product, id_of, image};
use super::state::Metafield;
use super::store::BigCommerceFake;
use super::webhooks::Hook;
use super::{brands, categories, product_writes};
use crate::testkit::json::Json;

impl BigCommerceFake {
    /// Makes a product as the merchant does, with its base variant; gives its id.
    pub fn create_product(&self, name: &str, fill: impl FnOnce(&mut Product)) -> u64 {
        let mut state = self.state();
        let id = product_writes::create(&mut state, name);
        if let Some(product) = state.products.get_mut(&id) {
            fill(product);
            product.id = id;
            product.compute();
        }
        state.fire_product("created", id);
        id
    }

    /// Puts a product in as it is, over one with the same id; its dates stay.
    pub fn insert_product(&self, product: Product) {
        self.state().insert(product);
    }

    /// Edits a product as the merchant does. Its `date_modified` moves where its own fields changed, or a part whose
    /// changes move it (see [`Conditions::still`](super::Conditions::still)); subscribers are told as the platform
    /// tells them. False where there is none.
    pub fn edit_product(&self, id: u64, change: impl FnOnce(&mut Product)) -> bool {
        let mut state = self.state();
        let Some(product) = state.products.get_mut(&id) else { return false };
        let before = product.clone();
        change(product);
        product.id = id;
        let after = product.clone();
        let told = FIELDS.iter().any(|it| it.told && before.fields.get(it.name) != after.fields.get(it.name));
        let moved = [
            (Area::Fields, before.fields != after.fields),
            (Area::Images, before.images != after.images || before.videos != after.videos),
            (Area::CustomFields, before.custom_fields != after.custom_fields),
            (Area::Options, before.options != after.options || before.modifiers != after.modifiers),
            (Area::Variants, before.variants != after.variants),
            (Area::Assignments, before.channels != after.channels),
        ];
        for (area, _) in moved.iter().filter(|(_, moved)| *moved) {
            state.changed(id, *area, told && *area == Area::Fields);
        }
        true
    }

    /// Changes a product without moving its date and without telling anybody.
    pub fn edit_in_silence(&self, id: u64, change: impl FnOnce(&mut Product)) -> bool {
        let mut state = self.state();
        state.changes += 1;
        let Some(product) = state.products.get_mut(&id) else { return false };
        change(product);
        product.id = id;
        product.compute();
        true
    }

    /// Sets what is in stock of a product, as an order does. False where there is none.
    pub fn set_stock(&self, id: u64, level: i64) -> bool {
        let mut state = self.state();
        let Some(product) = state.products.get_mut(&id) else { return false };
        product.set("inventory_level", level);
        state.changed(id, Area::Inventory, false);
        let inventory = Json::object([
            ("product_id", Json::from(id)),
            ("method", Json::text("absolute")),
            ("value", Json::Int(level)),
        ]);
        let data = [("type", Json::text("product")), ("id", Json::from(id)), ("inventory", inventory)];
        state.fire("store/product/inventory/updated", Json::object(data));
        true
    }

    /// Deletes a product for good. False where there is none.
    pub fn delete_product(&self, id: u64) -> bool {
        self.state().remove(id)
    }

    /// Adds an image at the end of a product; gives its id, or `None` where there is no such product.
    pub fn add_image(&self, product: u64, file: &str, alt: &str) -> Option<u64> {
        let mut state = self.state();
        let (id, now) = (state.take("image"), state.now);
        let owner = state.products.get_mut(&product)?;
        let first = owner.images.is_empty();
        owner.images.push(image(id, product, file, alt, first, now));
        state.changed(product, Area::Images, false);
        Some(id)
    }

    /// Takes an image away. False where there is none.
    pub fn remove_image(&self, product: u64, image: u64) -> bool {
        self.edit_product(product, |it| it.images.retain(|row| id_of(row) != Some(image)))
    }

    /// Sets the alternative text of an image. False where there is none.
    pub fn set_alt(&self, product: u64, image: u64, text: &str) -> bool {
        let mut found = false;
        self.edit_product(product, |it| found = it.set_alt(image, text));
        found
    }

    /// Gives a product an option with values, and a variant for each in place of its base variant; gives the ids of
    /// the variants.
    pub fn add_option(&self, product: u64, name: &str, values: &[&str]) -> Vec<u64> {
        let mut state = self.state();
        let ids = super::seed::add_options(&mut state, product, &[(name, values)], values.len());
        state.changed(product, Area::Options, false);
        ids
    }

    /// Edits a variant. False where there is none.
    pub fn edit_variant(&self, id: u64, change: impl FnOnce(&mut Json)) -> bool {
        let mut state = self.state();
        let owner = state.products.values_mut().find_map(|product| {
            let row = product.variants.iter_mut().find(|row| id_of(row) == Some(id))?;
            Some((product.id, row))
        });
        let Some((product, row)) = owner else { return false };
        change(row);
        state.changed(product, Area::Variants, false);
        state.fire_sku(product, id, false);
        true
    }

    /// Deletes a variant. False where there is none.
    pub fn delete_variant(&self, id: u64) -> bool {
        let mut state = self.state();
        let has = |product: &&mut Product| product.variants.iter().any(|row| id_of(row) == Some(id));
        let Some(product) = state.products.values_mut().find(has) else { return false };
        product.variants.retain(|row| id_of(row) != Some(id));
        let product = product.id;
        state.changed(product, Area::Variants, false);
        true
    }

    /// Adds a custom field to a product; gives its id, or `None` where there is no such product.
    pub fn add_custom_field(&self, product: u64, name: &str, value: &str) -> Option<u64> {
        let mut state = self.state();
        let id = state.take("custom_field");
        let row =
            Json::object([("id", Json::from(id)), ("name", Json::text(name)), ("value", Json::text(value))]);
        state.products.get_mut(&product)?.custom_fields.push(row);
        state.changed(product, Area::CustomFields, false);
        Some(id)
    }

    /// Makes a brand, or finds the one of that name; gives its id.
    pub fn create_brand(&self, name: &str) -> u64 {
        brands::find_or_add(&mut self.state(), name)
    }

    /// Renames a brand; its products do not move. False where there is none.
    pub fn rename_brand(&self, id: u64, name: &str) -> bool {
        self.state().brands.get_mut(&id).map(|row| row.set("name", name)).is_some()
    }

    /// Edits a brand. False where there is none.
    pub fn edit_brand(&self, id: u64, change: impl FnOnce(&mut Json)) -> bool {
        self.state().brands.get_mut(&id).map(change).is_some()
    }

    /// Deletes a brand. False where there is none.
    pub fn delete_brand(&self, id: u64) -> bool {
        brands::delete(&mut self.state(), id).is_ok()
    }

    /// Makes a category below another one (0 for none); gives its id.
    pub fn create_category(&self, parent: u64, name: &str) -> u64 {
        categories::add(&mut self.state(), parent, name)
    }

    /// Renames a category; its products do not move. False where there is none.
    pub fn rename_category(&self, id: u64, name: &str) -> bool {
        let mut state = self.state();
        let found = state.categories.get_mut(&id).map(|row| row.set("name", name)).is_some();
        if found {
            state.fire_plain("store/category/updated", "category", id);
        }
        found
    }

    /// Deletes a category, and takes products out of it. False where there is none.
    pub fn delete_category(&self, id: u64) -> bool {
        categories::remove(&mut self.state(), id)
    }

    /// Makes a channel; gives its id.
    pub fn create_channel(&self, name: &str) -> u64 {
        let mut state = self.state();
        let id = state.channels.keys().next_back().copied().unwrap_or(0) + 1;
        let row = state.channels.get(&1).cloned().map(|mut row| {
            row.set("id", id);
            row.set("name", name);
            row
        });
        state.channels.extend(row.map(|row| (id, row)));
        id
    }

    /// Sets a metafield of a resource (`product`, `variant`, `brand`, `category`, `channel`) for the API account of the
    /// tokens, or for another one that is named; gives its id.
    pub fn add_metafield(
        &self,
        resource: &'static str,
        resource_id: u64,
        namespace: &str,
        key: &str,
        value: &str,
        other_account: Option<&str>,
    ) -> Option<u64> {
        let mut state = self.state();
        let body = Json::object([
            ("namespace", Json::text(namespace)),
            ("key", Json::text(key)),
            ("value", Json::text(value)),
            ("permission_set", Json::text(if other_account.is_some() { "read" } else { "app_only" })),
        ]);
        let id = metafields::add(&mut state, Owner { resource, id: resource_id }, &body).ok()?;
        if let (Some(other), Some(found)) = (other_account, state.metafields.get_mut(&id)) {
            other.clone_into(&mut found.owner);
            found.row.set("owner_client_id", other);
        }
        Some(id)
    }

    /// Changes a metafield as its own account does. False where there is none.
    pub fn edit_metafield(&self, id: u64, value: &str) -> bool {
        let mut state = self.state();
        state.changes += 1;
        let Some(found) = state.metafields.get_mut(&id) else { return false };
        found.row.set("value", value);
        true
    }

    /// Deletes a metafield as its own account does. False where there is none.
    pub fn remove_metafield(&self, id: u64) -> bool {
        let mut state = self.state();
        state.changes += 1;
        state.metafields.remove(&id).is_some()
    }

    /// Gives a channel a further language.
    pub fn add_locale(&self, channel: u64, code: &str) {
        self.state().locales.insert((channel, code.to_owned()));
    }

    /// Translates a text of a product, such as `name`, as the merchant does; `None` takes the translation away.
    pub fn translate(&self, channel: u64, code: &str, product: u64, field: &str, text: Option<&str>) {
        let mut state = self.state();
        let key = (channel, code.to_owned(), product, field.to_owned());
        match text {
            Some(text) => state.translations.insert(key, text.to_owned()),
            None => state.translations.remove(&key),
        };
    }

    /// The translations of a product in a language of a channel, by field.
    #[must_use]
    pub fn translations(&self, channel: u64, code: &str, product: u64) -> BTreeMap<String, String> {
        let state = self.state();
        let own = state
            .translations
            .iter()
            .filter(|(key, _)| (key.0, key.1.as_str(), key.2) == (channel, code, product));
        own.map(|(key, text)| (key.3.clone(), text.clone())).collect()
    }

    /// Sets what a channel shows of a product in a language, such as its `name`; `None` takes it back.
    pub fn set_channel_value(&self, channel: u64, code: &str, product: u64, field: &str, text: Option<&str>) {
        let mut state = self.state();
        let key = (channel, code.to_owned(), product, field.to_owned());
        match text {
            Some(text) => state.channel_values.insert(key, text.to_owned()),
            None => state.channel_values.remove(&key),
        };
    }

    /// What a channel shows of a product in a language in place of the store's own, by field.
    #[must_use]
    pub fn channel_values(&self, channel: u64, code: &str, product: u64) -> BTreeMap<String, String> {
        let state = self.state();
        let own = state
            .channel_values
            .iter()
            .filter(|(key, _)| (key.0, key.1.as_str(), key.2) == (channel, code, product));
        own.map(|(key, text)| (key.3.clone(), text.clone())).collect()
    }

    /// Adds a hook of another API account, which the caller cannot see; gives its id.
    pub fn add_foreign_hook(&self, scope: &str, destination: &str) -> u64 {
        self.add_hook_of("client_of_somebody_else", scope, destination)
    }

    /// Adds a hook of the caller's own API account that another program of it made; gives its id.
    pub fn add_hook(&self, scope: &str, destination: &str) -> u64 {
        let client = self.settings().client_id;
        self.add_hook_of(&client, scope, destination)
    }

    fn add_hook_of(&self, client: &str, scope: &str, destination: &str) -> u64 {
        let mut state = self.state();
        let (id, now) = (state.take("hook"), state.now);
        let hook = Hook {
            id,
            scope: scope.to_owned(),
            destination: destination.to_owned(),
            is_active: true,
            headers: Vec::new(),
            client: client.to_owned(),
            created: now,
            updated: now,
            last_event: now,
        };
        state.webhooks.all.insert(id, hook);
        id
    }

    /// Switches a hook off, as the platform does after too many failures. False where there is none.
    pub fn deactivate_hook(&self, id: u64) -> bool {
        self.state().webhooks.all.get_mut(&id).map(|hook| hook.is_active = false).is_some()
    }

    /// Removes a hook. False where there is none.
    pub fn remove_hook(&self, id: u64) -> bool {
        self.state().webhooks.all.remove(&id).is_some()
    }

    /// Copies of all hooks, those of other API accounts included.
    #[must_use]
    pub fn hooks(&self) -> Vec<Hook> {
        self.state().webhooks.all.values().cloned().collect()
    }

    /// A copy of a product.
    #[must_use]
    pub fn product(&self, id: u64) -> Option<Product> {
        self.state().products.get(&id).cloned()
    }

    /// The ids of all products, ascending.
    #[must_use]
    pub fn ids(&self) -> Vec<u64> {
        self.state().products.keys().copied().collect()
    }

    /// The ids of all variants, product by product.
    #[must_use]
    pub fn variant_ids(&self) -> Vec<u64> {
        let state = self.state();
        state.products.values().flat_map(|product| product.variants.iter().filter_map(id_of)).collect()
    }

    /// A copy of a variant, in the platform's form.
    #[must_use]
    pub fn variant(&self, id: u64) -> Option<Json> {
        let state = self.state();
        let mut rows = state.products.values().flat_map(|product| &product.variants);
        rows.find(|row| id_of(row) == Some(id)).cloned()
    }

    /// The ids of all brands.
    #[must_use]
    pub fn brand_ids(&self) -> Vec<u64> {
        self.state().brands.keys().copied().collect()
    }

    /// A copy of a brand.
    #[must_use]
    pub fn brand(&self, id: u64) -> Option<Json> {
        self.state().brands.get(&id).cloned()
    }

    /// The ids of all categories.
    #[must_use]
    pub fn category_ids(&self) -> Vec<u64> {
        self.state().categories.keys().copied().collect()
    }

    /// A copy of a category.
    #[must_use]
    pub fn category(&self, id: u64) -> Option<Json> {
        self.state().categories.get(&id).cloned()
    }

    /// Copies of the metafields of a resource, with the API account that each belongs to.
    #[must_use]
    pub fn metafields(&self, resource: &str, id: u64) -> Vec<(String, Json)> {
        let state = self.state();
        let own = |it: &&Metafield| it.resource == resource && it.resource_id == id;
        state.metafields.values().filter(own).map(|it| (it.owner.clone(), it.row.clone())).collect()
    }

    /// All that is stored of a product, with all its parts, as JSON, for comparing byte by byte before and after.
    #[must_use]
    pub fn json(&self, id: u64) -> Option<Json> {
        let product = self.product(id)?;
        let mut row = product.fields.clone();
        for (name, rows) in [
            ("images", product.images),
            ("variants", product.variants),
            ("options", product.options),
            ("modifiers", product.modifiers),
            ("custom_fields", product.custom_fields),
            ("videos", product.videos),
            ("bulk_pricing_rules", product.bulk_pricing_rules),
        ] {
            row.set(name, rows);
        }
        row.set("channels", Json::ids(&product.channels));
        let metafields = self.metafields("product", id).into_iter().map(|(_, row)| row);
        row.set("metafields", metafields.collect::<Vec<_>>());
        Some(row)
    }

    /// [`BigCommerceFake::json`] without what moves by itself: `date_modified`, of its images too, and `view_count`. Two
    /// of these are equal where nobody changed a byte.
    #[must_use]
    pub fn content(&self, id: u64) -> Option<Json> {
        let mut row = self.json(id)?;
        row.remove("date_modified");
        row.remove("view_count");
        for part in ["images", "metafields"] {
            if let Some(Json::Array(rows)) = row.get_mut(part) {
                rows.iter_mut().for_each(|row| row.remove("date_modified"));
            }
        }
        Some(row)
    }

    /// [`BigCommerceFake::json`] as text.
    #[must_use]
    pub fn raw(&self, id: u64) -> Option<String> {
        self.json(id).map(|json| json.to_php())
    }

    /// All products of [`BigCommerceFake::raw`] with their ids, ascending.
    #[must_use]
    pub fn snapshot(&self) -> Vec<(u64, String)> {
        self.ids().into_iter().filter_map(|id| Some((id, self.raw(id)?))).collect()
    }

    /// A product that is in no store, for [`BigCommerceFake::insert_product`].
    #[must_use]
    pub fn blank_product(&self, id: u64, name: &str) -> Product {
        let now = self.now();
        let mut made = Product::new(id, name, now);
        made.variants.push(product::variant(self.state().take("variant"), id, "", Vec::new()));
        made
    }
}
