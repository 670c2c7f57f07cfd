use std::time::Duration;

use lily_connect::testkit::faults::{Fault, FaultRule};
use lily_connect::testkit::shopify::{Media, MediaKind, Owner, ShopifyFake};
use serde_json::{Value, json};

use super::shop;

#[tokio::test]
async fn a_write_changes_only_what_is_given_and_moves_the_date() {
    let shop = shop(3).await;
    let id = shop.fake.ids()[0];
    let before = shop.fake.product(id).unwrap();
    shop.clock.advance(Duration::from_secs(60));
    let update = "mutation Write($product: ProductUpdateInput!) { productUpdate(product: $product) {
        product { id title updatedAt seo { title } } userErrors { field message } } }";
    let input = json!({ "product": { "id": before.gid(), "seo": { "title": "" }, "vendor": "Other" } });
    let answer = shop.data(update, input).await["productUpdate"].clone();
    assert_eq!(answer["userErrors"], json!([]));
    assert_eq!(answer["product"]["seo"]["title"], Value::Null);
    let after = shop.fake.product(id).unwrap();
    assert_eq!((after.title, after.seo_description), (before.title, before.seo_description));
    assert_eq!(after.vendor, "Other");
    assert_eq!(after.updated_at, shop.fake.now());
    let input = json!({ "product": { "id": before_gid(id), "title": " " } });
    let answer = shop.data(update, input).await["productUpdate"].clone();
    assert_eq!(answer["userErrors"][0]["field"], json!(["title"]));
    let add = "mutation Tags($id: ID!, $tags: [String!]!) { tagsAdd(id: $id, tags: $tags) { node { id } userErrors { field message } } }";
    shop.data(add, json!({ "id": before_gid(id), "tags": ["NEW", "zeta", "alpha"] })).await;
    let tags = shop.fake.product(id).unwrap().tags;
    assert!(tags.contains(&"new".to_owned()) && !tags.contains(&"NEW".to_owned()), "{tags:?}");
    assert_eq!((tags.first().unwrap().as_str(), tags.last().unwrap().as_str()), ("alpha", "zeta"));
}

fn before_gid(id: u64) -> String {
    format!("gid://shopify/Product/{id}")
}

const SET: &str =
    "mutation Set($metafields: [MetafieldsSetInput!]!) { metafieldsSet(metafields: $metafields) {
    metafields { id compareDigest value } userErrors { field message code elementIndex } } }";

#[tokio::test]
async fn variants_of_one_product_are_updated_all_or_where_it_is_asked_for_in_part() {
    let shop = shop(2).await;
    let [one, other] = [shop.fake.ids()[0], shop.fake.ids()[1]];
    let ids = [(); 2].map(|()| shop.fake.create_variant(one, |variant| variant.sku = Some("S".to_owned())));
    let foreign = shop.fake.create_variant(other, |_| {});
    let gid = |id: u64| format!("gid://shopify/ProductVariant/{id}");
    let update = "mutation Write($product: ID!, $variants: [ProductVariantsBulkInput!]!, $partial: Boolean) {
        productVariantsBulkUpdate(productId: $product, variants: $variants, allowPartialUpdates: $partial) {
        productVariants { id } userErrors { field message code } } }";
    let write = async |product: u64, partial: bool, some: &[(u64, Value)]| {
        let variants: Vec<Value> =
            some.iter().map(|(id, barcode)| json!({ "id": gid(*id), "barcode": barcode })).collect();
        let given = json!({ "product": before_gid(product), "variants": variants, "partial": partial });
        let answer = shop.data(update, given).await["productVariantsBulkUpdate"].clone();
        let errors = answer["userErrors"].as_array().unwrap().iter();
        let errors: Vec<Value> = errors.map(|error| json!([error["field"], error["code"]])).collect();
        (answer["productVariants"].as_array().map_or(0, Vec::len), errors)
    };
    let stored = |id: u64| shop.fake.variant(id).unwrap();
    shop.clock.advance(Duration::from_secs(60));
    let before = ids.map(stored);
    assert_eq!(write(one, false, &[(ids[0], "1".into()), (ids[1], "2".into())]).await, (2, vec![]));
    for (before, barcode) in before.into_iter().zip(["1", "2"]) {
        let now = stored(before.id);
        assert_eq!((now.updated_at, now.barcode.as_deref()), (shop.fake.now(), Some(barcode)));
        assert_eq!((now.sku, now.price, now.position), (before.sku, before.price, before.position));
    }
    assert_eq!(shop.fake.product(one).unwrap().updated_at, shop.fake.now());
    // Neither another product's, nor one that is not there.
    let unknown = json!([["variants", "1", "id"], "PRODUCT_VARIANT_DOES_NOT_EXIST"]);
    for wrong in [foreign, 4] {
        let some = [(ids[0], "3".into()), (wrong, "4".into())];
        assert_eq!(write(one, false, &some).await, (0, vec![unknown.clone()]));
        assert_eq!(stored(ids[0]).barcode.as_deref(), Some("1"));
        assert_eq!(write(one, true, &some).await, (1, vec![unknown.clone()]));
        assert_eq!(stored(ids[0]).barcode.take().as_deref(), Some("3"));
        write(one, false, &[(ids[0], "1".into())]).await;
    }
    assert_eq!(stored(foreign).barcode, None);
    let nowhere = json!([["productId"], "PRODUCT_DOES_NOT_EXIST"]);
    assert_eq!(write(4, true, &[(ids[0], "5".into())]).await, (0, vec![nowhere]));
    write(one, false, &[(ids[0], Value::Null)]).await;
    assert_eq!(stored(ids[0]).barcode, None);
}

#[tokio::test]
async fn metafields_are_guarded_by_their_digest_and_set_all_or_nothing() {
    let shop = shop(1).await;
    let id = shop.fake.ids()[0];
    let owner = before_gid(id);
    let entry = |key: &str, value: &str| json!({ "ownerId": owner, "namespace": "n", "key": key, "type": "single_line_text_field", "value": value });
    let with = |mut entry: Value, digest: Value| {
        entry["compareDigest"] = digest;
        entry
    };
    let set = async |entries: Vec<Value>| {
        shop.data(SET, json!({ "metafields": entries })).await["metafieldsSet"].clone()
    };
    let code = |answer: &Value| answer["userErrors"][0]["code"].clone();
    // Null means: only where there is none.
    let made = set(vec![with(entry("one", "a"), Value::Null)]).await;
    let digest = made["metafields"][0]["compareDigest"].clone();
    assert!(digest.is_string(), "{made}");
    assert_eq!(code(&set(vec![with(entry("one", "b"), Value::Null)]).await), json!("STALE_OBJECT"));
    // Absent means: no check. A digest means: only where it is still that.
    assert_eq!(set(vec![entry("one", "b")]).await["userErrors"], json!([]));
    assert_eq!(code(&set(vec![with(entry("one", "c"), digest)]).await), json!("STALE_OBJECT"));
    assert_eq!(code(&set(vec![with(entry("one", "c"), json!("x"))]).await), json!("INVALID_COMPARE_DIGEST"));
    // One mistake stops all.
    let answer = set(vec![entry("two", "x"), entry("k", "too short")]).await;
    assert_eq!((code(&answer), &answer["metafields"]), (json!("TOO_SHORT"), &Value::Null));
    assert_eq!(answer["userErrors"][0]["elementIndex"], json!(1));
    let kept = shop.fake.metafields(Owner::Product(id));
    let value =
        |key: &str| kept.iter().find(|it| it.namespace == "n" && it.key == key).map(|it| it.value.clone());
    assert_eq!((value("one"), value("two")), (Some("b".to_owned()), None));
    let many = (0..26).map(|at| entry(&format!("key{at}"), "v")).collect();
    assert_eq!(code(&set(many).await), json!("LESS_THAN_OR_EQUAL_TO"));
}

#[tokio::test]
async fn a_shared_file_changes_without_moving_its_products() {
    let shop = shop(3).await;
    let before = shop.fake.snapshot();
    let shared = before[1].media[1];
    assert_eq!(before[2].media[1], shared);
    shop.clock.advance(Duration::from_secs(60));
    let update = "mutation Alt($files: [FileUpdateInput!]!) { fileUpdate(files: $files) {
        files { id alt fileStatus } userErrors { field message code } } }";
    let gid = shop.fake.media(shared).unwrap().gid();
    let run = async |alt: &str, gid: &str| {
        shop.data(update, json!({ "files": [{ "id": gid, "alt": alt }] })).await["fileUpdate"].clone()
    };
    assert_eq!(run("new", &gid).await["files"][0]["alt"], json!("new"));
    assert_eq!(shop.fake.snapshot(), before);
    assert_eq!(run(&"x".repeat(513), &gid).await["userErrors"][0]["code"], json!("ALT_VALUE_LIMIT_EXCEEDED"));
    shop.fake.edit_media(shared, |media| media.locked = true);
    assert_eq!(run("x", &gid).await["userErrors"][0]["code"], json!("FILE_LOCKED"));
    let other =
        shop.fake.create_media(|id, now| Media::new(id, MediaKind::Image, "https://x.test/a.jpg", None, now));
    shop.fake.edit_media(other, |media| "PROCESSING".clone_into(&mut media.status));
    let gid = shop.fake.media(other).unwrap().gid();
    assert_eq!(run("x", &gid).await["userErrors"][0]["code"], json!("NON_READY_STATE"));
}

#[tokio::test]
async fn a_translation_is_guarded_by_the_digest_of_its_source() {
    let shop = shop(1).await;
    let id = shop.fake.ids()[0];
    let read = "query Read($id: ID!) { translatableResource(resourceId: $id) { translatableContent { key digest } translations(locale: \"fr\") { key value outdated } } }";
    let write = "mutation Write($id: ID!, $t: [TranslationInput!]!) { translationsRegister(resourceId: $id, translations: $t) { translations { key } userErrors { code field message } } }";
    let gid = before_gid(id);
    let source = shop.data(read, json!({ "id": gid })).await["translatableResource"].clone();
    let digest = source["translatableContent"][0]["digest"].clone();
    let input = |locale: &str| json!({ "id": gid, "t": [{ "key": "title", "locale": locale, "value": "Titre", "translatableContentDigest": digest }] });
    assert_eq!(shop.data(write, input("fr")).await["translationsRegister"]["userErrors"], json!([]));
    let answer = shop.data(write, input("xx")).await;
    assert_eq!(answer["translationsRegister"]["userErrors"][0]["code"], json!("INVALID_LOCALE_FOR_SHOP"));
    shop.fake.edit_product(id, |product| product.title.push('!'));
    let source = shop.data(read, json!({ "id": gid })).await["translatableResource"].clone();
    assert_eq!(source["translations"], json!([{ "key": "title", "value": "Titre", "outdated": true }]));
    let answer = shop.data(write, input("fr")).await;
    assert_eq!(
        answer["translationsRegister"]["userErrors"][0]["code"],
        json!("INVALID_TRANSLATABLE_CONTENT")
    );
}

#[tokio::test]
async fn product_set_deletes_what_a_list_leaves_out() {
    let shop = shop(1).await;
    let product = shop.fake.snapshot().remove(0);
    assert!(product.variants.len() > 1);
    let variant = shop.fake.variant(product.variants[0]).unwrap().gid();
    let options: Vec<Value> = product
        .options
        .iter()
        .map(|it| json!({ "id": format!("gid://shopify/ProductOption/{}", it.id) }))
        .collect();
    let set = "mutation Set($input: ProductSetInput!, $id: ID!) { productSet(input: $input, identifier: { id: $id }) { userErrors { code message } } }";
    let input = json!({ "id": product.gid(), "input": { "productOptions": options, "variants": [{ "id": variant, "optionValues": [] }] } });
    assert_eq!(shop.data(set, input).await["productSet"]["userErrors"], json!([]));
    assert_eq!(shop.fake.product(product.id).unwrap().variants, [product.variants[0]]);
    assert_eq!(shop.fake.count_calls("productSet"), 1);
}

#[tokio::test]
async fn faults_strike_an_operation_and_a_merchant_edits_in_between() {
    let shop = shop(1).await;
    let id = shop.fake.ids()[0];
    let write = FaultRule::new(Fault::status_after(502)).matching(ShopifyFake::asks("Write"));
    shop.server.faults().push(write);
    shop.fake.before_request(2, ShopifyFake::asks("productUpdate"), move |fake| {
        fake.edit_product(id, |product| "the merchant's".clone_into(&mut product.vendor));
    });
    let update =
        "mutation Write($p: ProductUpdateInput!) { productUpdate(product: $p) { product { vendor title } } }";
    let input = |title: &str| json!({ "p": { "id": before_gid(id), "title": title } });
    assert_eq!(shop.send("2026-10", "{ shop { name } }", &json!({})).await.status(), 200);
    assert_eq!(shop.send("2026-10", update, &input("one")).await.status(), 502);
    assert_eq!(shop.fake.product(id).unwrap().title, "one", "the answer was lost, not the write");
    let answer = shop.data(update, input("two")).await;
    assert_eq!(answer["productUpdate"]["product"], json!({ "vendor": "the merchant's", "title": "two" }));
    assert_eq!(shop.server.traffic().faults(), 1);
}
