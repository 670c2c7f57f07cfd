//! Catalogues that follow from the store's seed.

use super::attribute::{Attribute, Scope};
use super::product::{CategoryLink, ConfigurableOption, GLOBAL, MediaEntry, Product};
use super::render::ROLES;
use super::state::{State, url_key};
use super::store::MagentoFake;
use crate::testkit::random::SeededRandom;

const COLORS: [(&str, &str); 6] = [
    ("Black", "Schwarz"),
    ("Blue", "Blau"),
    ("Green", "Grün"),
    ("Red", "Rot"),
    ("White", "Weiß"),
    ("Yellow", "Gelb"),
];
const SIZES: [&str; 5] = ["XS", "S", "M", "L", "XL"];
const MATERIALS: [(&str, &str); 5] = [
    ("Cotton", "Baumwolle"),
    ("Wool", "Wolle"),
    ("Linen", "Leinen"),
    ("Nylon", "Nylon"),
    ("Leather", "Leder"),
];
const KINDS: [(&str, &str); 8] = [
    ("Jacket", "Jacke"),
    ("Shirt", "Hemd"),
    ("Bag", "Tasche"),
    ("Scarf", "Schal"),
    ("Belt", "Gürtel"),
    ("Hat", "Hut"),
    ("Sweater", "Pullover"),
    ("Glove", "Handschuh"),
];
const STYLES: [&str; 7] = ["Classic", "Alpine", "Coastal", "Urban", "Nordic", "Vintage", "Light"];
const MAKERS: [&str; 4] = ["Aurelia", "Bergwerk", "Corvin", "Delmar"];

impl MagentoFake {
    /// Adds that many visible products, every fifth of them configurable with three variants of its own, which
    /// are products too and count extra; gives the ids of the visible ones.
    ///
    /// The first call also adds the attributes `color`, `size`, `material` (multiselect) and `care`, options of
    /// `manufacturer` with labels in the second view, and six categories. About a third of the products have
    /// texts of their own in the second view, and about half have two pictures.
    pub fn seed_products(&self, count: usize) -> Vec<u64> {
        let mut state = self.state();
        if state.attribute("color").is_none() {
            furnish(&mut state);
        }
        let mut random = state.random();
        (0..count).map(|at| visible(&mut state, &mut random, at)).collect()
    }
}

/// The second view, which has texts of its own.
fn second_view(state: &State) -> Option<u64> {
    state.views.get(1).map(|view| view.id)
}

fn furnish(state: &mut State) {
    let view = second_view(state);
    state.add_attribute(Attribute::new(0, "color", "Color", "select").scope(Scope::Global));
    state.add_attribute(Attribute::new(0, "size", "Size", "select").scope(Scope::Global));
    state.add_attribute(Attribute::new(0, "material", "Material", "multiselect"));
    state.add_attribute(Attribute::new(0, "care", "Care", "textarea"));
    for (code, pairs) in [("color", COLORS.as_slice()), ("material", MATERIALS.as_slice())] {
        for (label, german) in pairs {
            let id = state.add_option(code, label);
            label_at(state, code, id, view, german);
        }
    }
    for size in SIZES {
        state.add_option("size", size);
    }
    for maker in MAKERS {
        state.add_option("manufacturer", maker);
    }
    for (name, german) in KINDS.iter().take(6) {
        let id = state.add_category(2, &format!("{name}s"));
        if let (Some(view), Some(category)) = (view, state.categories.get_mut(&id)) {
            category.set(view, "name", format!("{german}: alle"));
        }
    }
}

fn label_at(state: &mut State, code: &str, option: Option<u64>, view: Option<u64>, label: &str) {
    let (Some(option), Some(view)) = (option, view) else { return };
    if let Some(known) = state.attribute_mut(code).and_then(|a| a.options.iter_mut().find(|o| o.id == option))
    {
        known.labels.insert(view, label.to_owned());
    }
}

/// An id of an option of an attribute.
fn pick(state: &State, random: &mut SeededRandom, code: &str) -> String {
    let options = state.attribute(code).map(|attribute| attribute.options.clone()).unwrap_or_default();
    random.pick(&options).map(|option| option.id.to_string()).unwrap_or_default()
}

fn visible(state: &mut State, random: &mut SeededRandom, at: usize) -> u64 {
    let (kind, german) = random.pick(&KINDS).copied().unwrap_or(("Item", "Ding"));
    let style = random.pick(&STYLES).copied().unwrap_or("Plain");
    let id = state.take_product_id();
    let sku = format!("LC-{id:04}");
    let name = format!("{style} {kind} {id}");
    let mut product = base(state, random, id, &sku, &name);
    let categories: Vec<u64> = state.children(2);
    if let Some(category) = random.pick(&categories) {
        product.categories.push(CategoryLink { category: *category, position: 0 });
    }
    texts(state, &mut product, random, &name, german);
    if random.chance(500) {
        pictures(state, &mut product, random, &name);
    }
    if at % 5 == 4 {
        variants(state, random, &mut product, &name);
    } else {
        product.set(GLOBAL, "color", pick(state, random, "color"));
        product.stock.qty = f64::from(u32::try_from(random.below(90)).unwrap_or(0));
        product.stock.in_stock = product.stock.qty > 0.0;
    }
    keep(state, product);
    id
}

fn base(state: &State, random: &mut SeededRandom, id: u64, sku: &str, name: &str) -> Product {
    let mut product = Product::new(id, sku, state.now);
    product.websites = state.websites.iter().map(|website| website.id).collect();
    let price = format!("{}.{:02}0000", 9 + random.below(190), random.below(100));
    for (code, value) in [
        ("name", name),
        ("price", price.as_str()),
        ("status", "1"),
        ("visibility", "4"),
        ("tax_class_id", "2"),
        ("options_container", "container2"),
        ("weight", "0.500000"),
    ] {
        product.set(GLOBAL, code, value);
    }
    product.set(GLOBAL, "url_key", url_key(name));
    product
}

fn texts(state: &State, product: &mut Product, random: &mut SeededRandom, name: &str, german: &str) {
    product.set(GLOBAL, "description", format!("<p>{name}: made to last.</p>"));
    product.set(GLOBAL, "short_description", format!("<p>{name}</p>"));
    product.set(GLOBAL, "meta_title", name);
    product.set(GLOBAL, "manufacturer", pick(state, random, "manufacturer"));
    let material = [pick(state, random, "material"), pick(state, random, "material")];
    let material: std::collections::BTreeSet<_> = material.into_iter().collect();
    product.set(GLOBAL, "material", material.into_iter().collect::<Vec<_>>().join(","));
    if random.chance(400) {
        product.set(GLOBAL, "meta_description", format!("Buy the {name} online."));
        product.set(GLOBAL, "care", "Wash cold.");
    }
    if let Some(view) = second_view(state).filter(|_| random.chance(350)) {
        product.set(view, "name", format!("{german} {}", product.id));
        product.set(view, "description", format!("<p>{german}, für lange Zeit gemacht.</p>"));
    }
}

fn pictures(state: &mut State, product: &mut Product, random: &mut SeededRandom, name: &str) {
    for place in 1..=2 {
        let file = format!("/l/c/{}-{place}.jpg", product.sku.to_lowercase());
        let mut entry = MediaEntry::new(state.take_id(), &file, place);
        let label = random.chance(500).then(|| format!("{name}, view {place}"));
        if let Some(row) = entry.rows.get_mut(&GLOBAL) {
            row.label = label;
        }
        if place == 1 {
            for role in ROLES.iter().take(3) {
                product.set(GLOBAL, role, file.clone());
            }
        }
        product.media.push(entry);
    }
}

/// Makes a product configurable by colour, with a variant of each of three colours.
fn variants(state: &mut State, random: &mut SeededRandom, product: &mut Product, name: &str) {
    "configurable".clone_into(&mut product.type_id);
    product.unset(GLOBAL, "price");
    let Some(attribute) = state.attribute("color").cloned() else { return };
    let mut values = Vec::new();
    let from = usize::try_from(random.below(3)).unwrap_or(0);
    for option in attribute.options.iter().skip(from).take(3) {
        let id = state.take_product_id();
        let label = option.label(GLOBAL);
        let mut child =
            base(state, random, id, &format!("{}-{label}", product.sku), &format!("{name}-{label}"));
        child.set(GLOBAL, "visibility", "1");
        child.set(GLOBAL, "color", option.id.to_string());
        child.stock.qty = 7.0;
        child.stock.in_stock = true;
        keep(state, child);
        product.children.push(id);
        values.push(option.id);
    }
    product.configurable = vec![ConfigurableOption {
        id: state.take_id(),
        attribute_id: attribute.id,
        label: attribute.label.clone(),
        position: 0,
        values,
    }];
    product.stock.in_stock = true;
}

fn keep(state: &mut State, product: Product) {
    state.inventory.set(&product.sku, "default", product.stock.qty, product.stock.in_stock);
    state.products.insert(product.id, product);
}
