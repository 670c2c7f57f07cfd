//! A catalogue to begin with.

use std::time::Duration;

use super::product::{Product, date, image, variant};
use super::state::State;
use super::store::BigCommerceFake;
use super::{brands, categories, product_writes};
use crate::testkit::json::Json;
use crate::testkit::random::SeededRandom;

const NOUNS: &[&str] = &["Shirt", "Lamp", "Mug", "Scarf", "Board", "Bag", "Chair", "Tea", "Ring", "Candle"];
const WORDS: &[&str] =
    &["Blue", "Soft", "Old", "Light", "Round", "Northern", "Plain", "Bright", "Heavy", "Small"];
const BRANDS: &[&str] = &["Acme", "Nordlicht", "Maison Été", "Smith & Sons"];
const CATEGORIES: &[&str] = &["Apparel", "Home", "Food", "Sports", "Garden"];
const COLOURS: &[&str] = &["Red", "Green", "Blue", "Black", "White", "Grau", "Écru", "Amber"];
const SIZES: &[&str] = &["XS", "S", "M", "L", "XL", "2XL"];

impl BigCommerceFake {
    /// Adds `count` products that follow from the store's seed; gives their ids.
    ///
    /// Of 20 or more, one has 48 variants, three have none of their own, one has text from right to left, entities
    /// and emoji, one a long description, one no texts for search engines, one no image, one ten images, one is
    /// hidden, one is digital. They have brands, nested categories, custom fields, metafields of the account and of
    /// another one.
    pub fn seed_products(&self, count: usize) -> Vec<u64> {
        let mut state = self.state();
        let seed = state.random.next_u64();
        let mut random = SeededRandom::new(seed);
        let mut shelves = Vec::new();
        for name in CATEGORIES {
            let known =
                state.categories.iter().find(|(_, row)| row.get("name").and_then(Json::as_str) == Some(name));
            let id = known.map(|(id, _)| *id);
            let top = id.unwrap_or_else(|| categories::add(&mut state, 0, name));
            shelves.push(top);
            if id.is_none() {
                shelves.push(categories::add(&mut state, top, &format!("New {name}")));
            }
        }
        let ids: Vec<u64> = (0..count).map(|at| product(&mut state, &mut random, at, &shelves)).collect();
        drop(state);
        for (at, id) in ids.iter().enumerate().filter(|(at, _)| at % 3 == 0) {
            self.add_metafield(
                "product",
                *id,
                "care",
                "washing",
                &format!("{} degrees", 30 + at % 3 * 10),
                None,
            );
            self.add_metafield("product", *id, "warehouse", "shelf", "4HG", Some("client_of_somebody_else"));
        }
        ids
    }
}

fn some<'a>(random: &mut SeededRandom, texts: &[&'a str]) -> &'a str {
    random.pick(texts).copied().unwrap_or_default()
}

fn product(state: &mut State, random: &mut SeededRandom, at: usize, shelves: &[u64]) -> u64 {
    // The number makes names, addresses and SKUs differ, also where a store is seeded twice.
    state.seeded += 1;
    let number = state.seeded;
    let name = format!("{} {} {number}", some(random, WORDS), some(random, NOUNS));
    let url = format!("/{}/", super::state::slug(&name));
    let id = product_writes::create_at(state, &name, url);
    let brand = brands::find_or_add(state, some(random, BRANDS));
    let age = Duration::from_secs(60 * (2 + random.below(500_000)));
    let made = state.now.saturating_sub(age);
    let moved = made.saturating_add(age / 2);
    let options: &[(&str, &[&str])] = &[("Colour", COLOURS), ("Size", SIZES)];
    let variants = match at {
        0 => 48,
        _ if at % 7 < 3 => 0,
        _ => 2 + usize::try_from(random.below(4)).unwrap_or(0),
    };
    if variants > 0 {
        add_options(state, id, options, variants);
    }
    let images = match at {
        3 => 0,
        5 => 10,
        _ => 1 + usize::try_from(random.below(3)).unwrap_or(0),
    };
    let mut rows = Vec::new();
    for picture in 0..images {
        let alt = if picture == 0 { name.clone() } else { String::new() };
        let file = format!("{}-{picture}.jpg", super::state::slug(&name));
        rows.push(image(state.take("image"), id, &file, &alt, picture == 0, moved));
    }
    let mut fields = Vec::new();
    for (label, value) in [("Material", "Wool & linen"), ("Care", "Wash cold")] {
        if random.chance(700) {
            let row = Json::object([
                ("id", Json::from(state.take("custom_field"))),
                ("name", Json::text(label)),
                ("value", Json::text(value)),
            ]);
            fields.push(row);
        }
    }
    let mut shelf: Vec<u64> = random.pick(shelves).copied().into_iter().collect();
    shelf.extend(random.pick(shelves).copied().filter(|other| !shelf.contains(other)));
    let price = 10 + random.below(90);
    let keywords = format!("{}, new", some(random, WORDS).to_lowercase());
    let modifier = (at % 6 == 1).then(|| modifier(state, id));
    let Some(product) = state.products.get_mut(&id) else { return id };
    product.images = rows;
    product.custom_fields = fields;
    product.modifiers = modifier.into_iter().collect();
    let text = format!("<p>{name}: made to last.</p>\n<ul><li>One</li><li>Two &amp; three</li></ul>");
    product.set("description", text);
    product.set("sku", format!("SKU-{number}"));
    product.set("brand_id", brand);
    product.set("categories", Json::ids(&shelf));
    #[expect(clippy::cast_precision_loss, reason = "a price has few digits")]
    product.set("price", price as f64 + 0.95);
    product.set("weight", 0.25);
    product.set("page_title", format!("{name} | Lily Test"));
    product.set("meta_description", format!("Buy {name}."));
    product.set("meta_keywords", vec![Json::text("lily"), Json::text("test")]);
    product.set("search_keywords", keywords);
    product.set("inventory_tracking", if variants > 0 { "variant" } else { "product" });
    product.set("inventory_level", random.below(50));
    special(product, at, number);
    product.set("date_created", date(made));
    product.set("date_modified", date(moved));
    product.compute();
    id
}

/// What makes some of the products special.
fn special(product: &mut Product, at: usize, number: u64) {
    match at {
        1 => {
            let text = "\u{201c}Tea\u{201d} & caf\u{e9} <b>\u{1f375}</b> \u{5ea}\u{5d4} &amp;";
            product.set("name", format!("{text} {number}"));
            product.set(
                "description",
                "<p dir=\"rtl\">\u{634}\u{627}\u{64a} &quot;\u{1f375}&quot; &lt;3 &amp; it's \u{201c}good\u{201d}</p>",
            );
        }
        2 => {
            product.set("description", format!("<p>{}</p>", "A long story of a small thing. ".repeat(1_500)))
        }
        4 => {
            for name in ["page_title", "meta_description", "search_keywords"] {
                product.set(name, "");
            }
            product.set("meta_keywords", Vec::<Json>::new());
        }
        6 => product.set("is_visible", false),
        7 => product.set("type", "digital"),
        8 => product.set("brand_id", 0),
        9 => product.set("sale_price", 9.5),
        10 => product.set("availability", "preorder"),
        11 => product.set("description", ""),
        12 => product.set("upc", "012345678905"),
        13 => product.set("gtin", "04012345678901"),
        _ => {}
    }
}

fn modifier(state: &mut State, product: u64) -> Json {
    Json::object([
        ("id", Json::from(state.take("option"))),
        ("product_id", Json::from(product)),
        ("name", Json::text("engraving")),
        ("display_name", Json::text("Engraving")),
        ("type", Json::text("text")),
        ("required", Json::Bool(false)),
        ("sort_order", Json::Int(0)),
        (
            "config",
            Json::object([("text_characters_limited", Json::Bool(true)), ("text_max_length", Json::Int(20))]),
        ),
        ("option_values", Json::Array(Vec::new())),
    ])
}

/// An option that is made: its id, its name, its values.
type NewOption = (u64, String, Vec<(u64, String)>);

/// Gives a product options and as many variants as they give, up to `count`, in place of those that it has; gives the
/// ids of the variants. Option ids differ from store to store, and from product to product.
pub(super) fn add_options(
    state: &mut State,
    product: u64,
    options: &[(&str, &[&str])],
    count: usize,
) -> Vec<u64> {
    let mut made: Vec<NewOption> = Vec::new();
    let mut left = count;
    for (at, (name, labels)) in options.iter().enumerate().rev() {
        let few = if at == 0 { left } else { labels.len().min(left) };
        let few = few.clamp(1, labels.len().max(1));
        left = left.div_ceil(few);
        let id = state.take("option");
        let values =
            labels.iter().take(few).map(|label| (state.take("value"), (*label).to_owned())).collect();
        made.insert(0, (id, (*name).to_owned(), values));
    }
    let rows = made.iter().enumerate().map(|(at, (id, name, values))| option(product, *id, name, at, values));
    let rows: Vec<Json> = rows.collect();
    let mut variants = Vec::new();
    let mut ids = Vec::new();
    for number in 0..count {
        let mut rest = number;
        let mut chosen = Vec::new();
        for (option, name, values) in made.iter().rev() {
            let (id, label) = values.get(rest % values.len().max(1)).cloned().unwrap_or_default();
            rest /= values.len().max(1);
            let value = Json::object([
                ("id", Json::from(id)),
                ("label", Json::text(label)),
                ("option_id", Json::from(*option)),
                ("option_display_name", Json::text(name.clone())),
            ]);
            chosen.insert(0, value);
        }
        let id = state.take("variant");
        let mut row = variant(id, product, &format!("V-{product}-{}", number + 1), chosen);
        row.set("inventory_level", u64::try_from(number % 7).unwrap_or(0));
        if number % 4 == 3 {
            row.set("price", 19.5);
        }
        variants.push(row);
        ids.push(id);
    }
    if let Some(product) = state.products.get_mut(&product) {
        product.options = rows;
        product.variants = variants;
        product.compute();
    }
    ids
}

fn option(product: u64, id: u64, name: &str, at: usize, values: &[(u64, String)]) -> Json {
    let values = values.iter().enumerate().map(|(at, (id, label))| {
        Json::object([
            ("id", Json::from(*id)),
            ("label", Json::text(label.clone())),
            ("sort_order", Json::from(at as u64)),
            ("value_data", Json::Null),
            ("is_default", Json::Bool(at == 0)),
        ])
    });
    Json::object([
        ("id", Json::from(id)),
        ("product_id", Json::from(product)),
        ("name", Json::text(format!("{name}{id}"))),
        ("display_name", Json::text(name)),
        ("type", Json::text("dropdown")),
        ("config", Json::Object(Vec::new())),
        ("sort_order", Json::from(at as u64)),
        ("option_values", Json::Array(values.collect())),
    ])
}
