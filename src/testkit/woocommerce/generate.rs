//! Generated catalogues of any size, the same for the same seed.

use super::product::{Attribute, Choice, ManageStock, Meta, Product, Taxonomy};
use super::store::WooStore;
use crate::testkit::json::Json;
use crate::testkit::random::SeededRandom;
use crate::time::Timestamp;

const FIRST: [&str; 12] = [
    "Classic",
    "Midnight",
    "Crème",
    "Salt &amp; Pepper",
    "Rugged",
    "Coastal",
    "Ultra",
    "Große",
    "日本",
    "Heritage",
    "O&#8217;Hara",
    "Réglisse",
];
const SECOND: [&str; 10] =
    ["Chino", "Jigsaw", "Lamp", "Tent", "Duvet", "Shirt", "Kettle", "Cable", "Bear 🧸", "Daypack"];
const COLORS: [&str; 6] = ["Burgundy", "Crimson", "Navy", "Sky Blue", "Vert d’eau", "White"];
const SIZES: [&str; 4] = ["L", "M", "S", "XL"];
const TAGS: [&str; 6] = ["bestseller", "eco", "gift", "new-in", "R&D", "été"];
const CATEGORIES: [&str; 6] = ["Apparel", "Outdoor", "Home &amp; Garden", "Câbles", "Toys", "Trousers"];
const BRANDS: [&str; 4] = ["Aldergate", "Brightwater & Co", "Kōen", "Northfell"];

impl WooStore {
    /// Adds `products` generated products, with `variations` variations spread over every fifth of them.
    ///
    /// They have entities and Unicode in names, images that products share, tags, categories, brands, global
    /// and local attributes, meta data of several types, drafts and private products, and dates of which
    /// many fall into one second. The ids and all values follow from the seed and the store's state.
    pub fn seed_generated(&self, products: usize, variations: usize, seed: u64) {
        let mut random = SeededRandom::new(seed);
        let (color, size, material) =
            (self.add_attribute("Color"), self.add_attribute("Size"), self.add_attribute("Material"));
        for (id, names) in [(color, &COLORS[..]), (size, &SIZES[..]), (material, &["Linen", "Leather"][..])] {
            for name in names {
                self.add_term(Taxonomy::Attribute(id), name);
            }
        }
        let terms = |taxonomy, names: &[&str]| -> Vec<u64> {
            names.iter().map(|name| self.add_term(taxonomy, name)).collect()
        };
        let tags = terms(Taxonomy::Tag, &TAGS);
        let categories = terms(Taxonomy::Category, &CATEGORIES);
        let brands = terms(Taxonomy::Brand, &BRANDS);
        let media: Vec<u64> = (0..40).map(|n| self.add_media(&format!("shared-{n}.jpg"))).collect();
        for id in media.iter().step_by(3) {
            self.edit_media(*id, |media| media.alt = format!("Studio photo {id}"));
        }
        let parents = products.div_ceil(5).max(1);
        let mut left = variations;
        for number in 0..products {
            let last_of_few = products < 5 && number + 1 == products;
            let variable = variations > 0 && (number % 5 == 4 || last_of_few);
            let id = self.state().take_post_id();
            let mut product = self.generated(id, number, &mut random);
            product.categories = pick_some(&categories, 1, &mut random);
            product.tags = pick_some(&tags, 2, &mut random);
            product.brands = pick_some(&brands, 1, &mut random);
            product.images = pick_some(&media, 4, &mut random);
            product.attributes.push(Attribute {
                id: material,
                name: String::new(),
                position: 0,
                visible: true,
                variation: false,
                options: vec!["Linen".to_owned()],
            });
            if variable {
                "variable".clone_into(&mut product.kind);
                for (attribute, names) in [(color, &COLORS[..]), (size, &SIZES[..])] {
                    product.attributes.push(Attribute {
                        id: attribute,
                        name: String::new(),
                        position: 2,
                        visible: true,
                        variation: true,
                        options: names.iter().map(|name| (*name).to_owned()).collect(),
                    });
                }
            }
            let (created, price) = (product.created, product.regular_price.clone());
            self.insert(product);
            // The last variable product takes what is left, so that the sum is as asked.
            let last = variable && number + 5 >= products;
            let count = match (variable, last) {
                (true, true) => left,
                (true, false) => left.min(variations.div_ceil(parents)),
                (false, _) => 0,
            };
            for n in 0..count {
                let child = self.state().take_post_id();
                let mut variation = Product::new_variation(child, id, created);
                let choice = |attribute, names: &[&str], at: usize| Choice {
                    id: attribute,
                    name: String::new(),
                    option: names.get(at % names.len()).copied().unwrap_or_default().to_owned(),
                };
                variation.options = vec![choice(color, &COLORS, n), choice(size, &SIZES, n / COLORS.len())];
                variation.sku = format!("GEN-{number:06}-{n}");
                variation.regular_price.clone_from(&price);
                variation.slug = format!("gen-{number}-{n}");
                if n % 3 == 0 {
                    variation.manage_stock = ManageStock::Yes;
                    variation.stock_quantity = Some(7);
                }
                self.insert(variation);
            }
            left -= count;
        }
    }

    fn generated(&self, id: u64, number: usize, random: &mut SeededRandom) -> Product {
        let first = random.pick(&FIRST).copied().unwrap_or_default();
        let second = random.pick(&SECOND).copied().unwrap_or_default();
        // A fixed start keeps a catalogue the same on every day; groups of seven share a second.
        let seconds = 1_735_700_000 + i64::try_from(number / 7).unwrap_or(0) * 61;
        let time = Timestamp::from_unix_seconds(seconds).unwrap_or(Timestamp::UNIX_EPOCH);
        let name = format!("{first} {second} {number}");
        let mut product = Product::new(id, name.clone(), time);
        product.status = match number % 20 {
            7 => "draft",
            13 => "private",
            _ => "publish",
        }
        .to_owned();
        if product.status != "draft" {
            product.slug = super::text::slug(&name);
        }
        product.description = format!(
            "<p>The <strong>{name}</strong> is made for daily use.</p>\n<ul><li>No. {number}</li></ul>"
        );
        product.short_description = format!("Short text for {name}.");
        product.sku = format!("GEN-{number:06}");
        product.regular_price = format!("{}.{:02}", 5 + random.below(300), random.below(100));
        if random.chance(200) {
            product.sale_price = "4.99".to_owned();
        }
        if random.chance(500) {
            product.manage_stock = ManageStock::Yes;
            product.stock_quantity = i64::try_from(random.below(50)).ok();
            if product.stock_quantity == Some(0) {
                // Any save of it would find that out.
                "outofstock".clone_into(&mut product.stock_status);
            }
        }
        product.weight = format!("{}.{}", random.below(9), 1 + random.below(9));
        product.featured = random.chance(100);
        if random.chance(300) {
            product.attributes.push(Attribute {
                id: 0,
                name: "Care".to_owned(),
                position: 1,
                visible: true,
                variation: false,
                options: vec!["Machine wash 30°".to_owned(), "Do not bleach".to_owned()],
            });
        }
        let mut meta = |key: &str, value: Json| {
            let id = self.state().take_meta_id();
            product.meta_data.push(Meta { id, key: key.to_owned(), value });
        };
        match number % 4 {
            0 => meta("_yoast_wpseo_title", Json::text(format!("{name} | %%sitename%%"))),
            1 => meta("rank_math_robots", Json::Array(vec![Json::text("index")])),
            2 => meta("supplier_data", Json::object([("code", Json::text("S1")), ("lead", Json::Int(11))])),
            _ => {
                meta("repeated", Json::text("1"));
                meta("repeated", Json::Null);
            }
        }
        product
    }
}

fn pick_some(ids: &[u64], most: u64, random: &mut SeededRandom) -> Vec<u64> {
    let mut some = Vec::new();
    for _ in 0..random.below(most + 1) {
        if let Some(id) = random.pick(ids).filter(|id| !some.contains(*id)) {
            some.push(*id);
        }
    }
    some
}
