//! Catalogues to begin with: a seeded one, and one product of every limit.

use super::media::{Media, MediaKind};
use super::metafield::Owner;
use super::product::{OptionValue, Product, ProductOption};
use super::state::State;
use super::store::ShopifyFake;
use super::value::Args;
use super::variant::Variant;
use crate::testkit::random::SeededRandom;

const NOUNS: &[&str] = &["Shirt", "Lamp", "Mug", "Scarf", "Board", "Bag", "Chair", "Tea", "Ring", "Candle"];
const WORDS: &[&str] =
    &["Blue", "Soft", "Old", "Light", "Round", "Northern", "Plain", "Bright", "Heavy", "Small"];
const VENDORS: &[&str] = &["Acme", "Nordlicht", "Maison Été", "Smith & Sons"];
const TYPES: &[&str] = &["Apparel", "Home", "Food", "Sports", ""];
const CATEGORIES: &[&str] = &["aa-1-13-8", "hg-3", "fb", "sg", "aa-6"];
const COLOURS: &[&str] = &["Red", "Green", "Blue", "Black", "White", "Grau", "Écru", "Amber"];
const SIZES: &[&str] = &["XS", "S", "M", "L", "XL", "2XL"];

impl ShopifyFake {
    /// Adds `count` products that follow from the shop's seed; gives their ids.
    ///
    /// Of 20 or more, one has many variants, two share an image, one has entities, quotes, emoji and text from
    /// right to left, one a long description, one no texts for search engines, and the four states occur.
    pub fn seed_products(&self, count: usize) -> Vec<u64> {
        let mut state = self.state();
        let seed = state.random.next_u64();
        let mut random = SeededRandom::new(seed);
        let shared = image(&mut state, "shared", Some("A picture that several products show"));
        (0..count).map(|number| product(&mut state, &mut random, number, shared)).collect()
    }

    /// Adds one product with that many variants, media and metafields; gives its id.
    pub fn big_product(&self, variants: usize, media: usize, metafields: usize) -> u64 {
        let mut state = self.state();
        let id = state.take_id();
        let mut product = Product::new(id, "The big one", state.now);
        product.handle = state.free_handle(&product.handle, id);
        product.media = (0..media)
            .map(|at| image(&mut state, &format!("big-{at}"), Some(&format!("Side {at}"))))
            .collect();
        state.insert_product(product);
        // 16 x 16 x 8 values carry 2,048 variants.
        add_variants(&mut state, id, &[("Colour", 16), ("Size", 16), ("Cut", 8)], variants);
        for at in 0..metafields {
            let value = format!("value {at}");
            metafield(&mut state, Owner::Product(id), &format!("key_{at}"), "single_line_text_field", &value);
        }
        id
    }
}

fn image(state: &mut State, name: &str, alt: Option<&str>) -> u64 {
    let (id, now) = (state.take_id(), state.now);
    let url = format!("https://cdn.shopify.com/s/files/1/0001/files/{name}.jpg?v={id}");
    state.media.insert(id, Media::new(id, MediaKind::Image, &url, alt, now));
    id
}

fn metafield(state: &mut State, owner: Owner, key: &str, kind: &str, value: &str) {
    let mut entry = Args::new();
    for (name, text) in [("namespace", "custom"), ("key", key), ("type", kind), ("value", value)] {
        entry.insert(name.to_owned(), text.into());
    }
    super::write_metafields::put(state, owner, &entry);
}

fn some<'a>(random: &mut SeededRandom, texts: &[&'a str]) -> &'a str {
    random.pick(texts).copied().unwrap_or_default()
}

fn product(state: &mut State, random: &mut SeededRandom, number: usize, shared: u64) -> u64 {
    let id = state.take_id();
    let title = format!("{} {} {}", some(random, WORDS), some(random, NOUNS), number + 1);
    let age = std::time::Duration::from_secs(60 * (1 + random.below(500_000)));
    let mut product = Product::new(id, &title, state.now.saturating_sub(age));
    product.updated_at = product.created_at.saturating_add(age / 2);
    product.description_html =
        format!("<p>{title}: made to last.</p>\n<ul><li>One</li><li>Two &amp; three</li></ul>");
    some(random, VENDORS).clone_into(&mut product.vendor);
    some(random, TYPES).clone_into(&mut product.product_type);
    product.category = Some(format!("gid://shopify/TaxonomyCategory/{}", some(random, CATEGORIES)));
    product.tags = super::write_tags::joined(&[], &["new".to_owned(), some(random, WORDS).to_owned()]);
    product.seo_title = Some(format!("{title} | Lily Test"));
    product.seo_description = Some(format!("Buy {title}."));
    product.media = vec![image(state, &format!("p{number}"), Some(&title))];
    let mut variants = 1 + usize::try_from(random.below(4)).unwrap_or(0);
    match number {
        0 => variants = 48,
        1 | 2 => product.media.push(shared),
        3 => {
            product.title =
                "\u{201c}Tea\u{201d} & caf\u{e9} <b>\u{1f375}</b> \u{5ea}\u{5d4} 3 &amp; 4".to_owned();
            product.description_html =
                "<p dir=\"rtl\">\u{634}\u{627}\u{64a} &quot;\u{1f375}&quot; &lt;3 &amp; it's \u{201c}good\u{201d}</p>".to_owned();
        }
        4 => product.description_html = format!("<p>{}</p>", "A long story of a small thing. ".repeat(1_500)),
        5 => (product.seo_title, product.seo_description) = (None, None),
        6 => "ARCHIVED".clone_into(&mut product.status),
        7 => "DRAFT".clone_into(&mut product.status),
        8 => "UNLISTED".clone_into(&mut product.status),
        9 => {
            let kinds = [MediaKind::Video, MediaKind::ExternalVideo, MediaKind::Model3d];
            for kind in kinds {
                let (id, now) = (state.take_id(), state.now);
                let url = format!("https://cdn.shopify.com/videos/{id}.mp4");
                state.media.insert(id, Media::new(id, kind, &url, None, now));
                product.media.push(id);
            }
        }
        10 => {
            if let Some(media) = product.media.first().and_then(|id| state.media.get_mut(id)) {
                media.alt = None;
            }
        }
        _ => {}
    }
    if product.status == "DRAFT" {
        product.published_at = None;
    }
    product.handle = state.free_handle(&super::state::handle_of(&product.title), id);
    let at = product.updated_at;
    state.insert_product(product);
    if variants == 1 {
        add_variants(state, id, &[], 1);
    } else {
        add_variants(state, id, &[("Colour", COLOURS.len()), ("Size", SIZES.len())], variants);
    }
    for key in ["material", "care"].iter().take(usize::try_from(random.below(3)).unwrap_or(0)) {
        metafield(state, Owner::Product(id), key, "single_line_text_field", "Wool & linen");
    }
    if number.is_multiple_of(5) {
        let mut collection = super::collection::Collection::new(
            state.take_id(),
            &format!("Shelf {}", number / 5 + 1),
            state.now,
        );
        collection.products.push(id);
        state.collections.insert(collection.id, collection);
    } else if let Some(mut last) = state.collections.last_entry() {
        last.get_mut().products.push(id);
    }
    if let Some(product) = state.products.get_mut(&id) {
        product.updated_at = at;
    }
    id
}

/// Adds options and as many variants as they give, up to `count`.
fn add_variants(state: &mut State, product: u64, options: &[(&str, usize)], count: usize) {
    let now = state.now;
    let mut made: Vec<ProductOption> = Vec::new();
    if options.is_empty() {
        let (option, value) = (state.take_id(), state.take_id());
        made.push(ProductOption::new(option, "Title", vec![OptionValue::new(value, "Default Title")]));
    }
    // Only as many values as the variants need, so that each value has one.
    let mut left = count;
    for (at, (name, most)) in options.iter().enumerate().rev() {
        let values = if at == 0 { left.min(*most).max(1) } else { (*most).min(left).max(1) };
        left = left.div_ceil(values);
        let id = state.take_id();
        let names = (0..values).map(|at| match *name {
            "Colour" => COLOURS.get(at).map_or_else(|| format!("Colour {at}"), |name| (*name).to_owned()),
            "Size" => SIZES.get(at).map_or_else(|| format!("Size {at}"), |name| (*name).to_owned()),
            name => format!("{name} {at}"),
        });
        let names: Vec<String> = names.collect();
        let values = names.iter().map(|name| OptionValue::new(state.take_id(), name)).collect();
        made.insert(0, ProductOption::new(id, name, values));
    }
    if let Some(product) = state.products.get_mut(&product) {
        product.options = made.clone();
    }
    for number in 0..count {
        let (id, item) = (state.take_id(), state.take_id());
        let position = u64::try_from(number).unwrap_or(u64::MAX).saturating_add(1);
        let mut variant = Variant::new(id, item, product, position, now);
        let mut rest = number;
        let mut values = Vec::new();
        for option in made.iter().rev() {
            let at = rest % option.values.len().max(1);
            rest /= option.values.len().max(1);
            values.insert(0, (option.id, option.values.get(at).map_or(0, |value| value.id)));
        }
        variant.values = values;
        variant.sku = Some(format!("SKU-{product}-{position}"));
        variant.price = format!("{}.{:02}", 10 + number % 90, number % 100);
        variant.quantity = i64::try_from(number % 7).unwrap_or(0);
        variant.weight = Some((0.25, "KILOGRAMS".to_owned()));
        state.insert_variant(variant);
    }
}
