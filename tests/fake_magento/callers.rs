//! Callers: signatures, tokens, the handshake and rights.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::Method;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use lily_connect::testkit::exchange::{Handler as _, Request, Transport};
use lily_connect::testkit::magento::Release;
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Shop, read, shop, shop_with};

/// How a signer puts parameters in order.
#[derive(Clone, Copy, PartialEq)]
enum Order {
    /// Runs of digits by their number, as the platform does.
    Natural,
    /// Byte by byte, as RFC 5849 says.
    Bytes,
}

/// A signer of its own, apart from what the fake checks with.
struct Signer<'a> {
    consumer: (&'a str, &'a str),
    token: Option<(&'a str, &'a str)>,
    order: Order,
    method: &'static str,
    timestamp: i64,
    nonce: String,
    verifier: Option<&'a str>,
}

impl<'a> Signer<'a> {
    fn of(shop: &'a Shop, nonce: &str) -> Self {
        Self {
            consumer: (&shop.keys.consumer_key, &shop.keys.consumer_secret),
            token: Some((&shop.keys.access_token, &shop.keys.access_token_secret)),
            order: Order::Natural,
            method: "HMAC-SHA256",
            timestamp: shop.store.now().unix_seconds(),
            nonce: nonce.to_owned(),
            verifier: None,
        }
    }

    fn sign(&self, request: Request, signed_path: &str, scheme: &str) -> Request {
        let mut params: BTreeMap<String, String> = BTreeMap::new();
        for pair in request.query.split('&').filter(|pair| pair.matches('=').count() == 1) {
            let (name, value) = pair.split_once('=').unwrap();
            params.insert(decode(name), decode(value));
        }
        let mut own = vec![
            ("oauth_consumer_key", self.consumer.0.to_owned()),
            ("oauth_nonce", self.nonce.clone()),
            ("oauth_signature_method", self.method.to_owned()),
            ("oauth_timestamp", self.timestamp.to_string()),
            ("oauth_version", "1.0".to_owned()),
        ];
        own.extend(self.token.map(|(token, _)| ("oauth_token", token.to_owned())));
        own.extend(self.verifier.map(|verifier| ("oauth_verifier", verifier.to_owned())));
        params.extend(own.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let mut encoded: Vec<_> = params.iter().map(|(name, value)| (encode(name), encode(value))).collect();
        if self.order == Order::Natural {
            encoded.sort_by_key(|(name, _)| chunks(name));
        } else {
            encoded.sort();
        }
        let joined =
            encoded.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
        let url = format!("{scheme}://store.test{signed_path}");
        let base = format!("{}&{}&{}", request.method, encode(&url), encode(&joined));
        let key = format!("{}&{}", self.consumer.1, self.token.map(|(_, secret)| secret).unwrap_or_default());
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
        mac.update(base.as_bytes());
        own.push(("oauth_signature", STANDARD.encode(mac.finalize().into_bytes())));
        let header: Vec<_> =
            own.iter().map(|(name, value)| format!("{name}=\"{}\"", encode(value))).collect();
        request.with_header(AUTHORIZATION, &format!("OAuth {}", header.join(",")))
    }
}

/// A name cut into its runs of digits and the rest, so that 10 comes after 2.
fn chunks(name: &str) -> Vec<(String, u64)> {
    let mut found = vec![(String::new(), 0)];
    for letter in name.chars() {
        let last = found.last_mut().unwrap();
        match letter.to_digit(10) {
            Some(digit) => {
                last.1 = last.1 * 10 + u64::from(digit);
                last.0.push('\u{1}');
            }
            None if last.0.ends_with('\u{1}') => found.push((letter.to_string(), 0)),
            None => last.0.push(letter),
        }
    }
    for (text, _) in &mut found {
        *text = text.trim_end_matches('\u{1}').to_owned();
    }
    found
}

fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

fn decode(text: &str) -> String {
    url::form_urlencoded::parse(format!("={text}").as_bytes()).next().unwrap().1.into_owned()
}

fn call(target: &str) -> Request {
    Request::new(Method::GET, target, Transport::Tls).with_header(HOST, "store.test")
}

/// Signs and sends; `target`'s path is what is signed.
fn signed(shop: &Shop, signer: &Signer<'_>, target: &str) -> (u16, Value) {
    let path = target.split('?').next().unwrap();
    shop.send(&signer.sign(call(target), path, "https"))
}

fn stocked() -> Shop {
    let shop = shop();
    shop.store.create("a", "Name", |_| {});
    shop.store.set_conditions(|conditions| conditions.bearer_tokens = false);
    shop
}

const PRODUCT: &str = "/rest/all/V1/products/a";

#[test]
fn a_token_alone_is_refused_as_a_missing_right_is_until_the_merchant_allows_it() {
    let shop = stocked();
    let (status, answer) = shop.send(&shop.request(Method::GET, PRODUCT));
    assert_eq!(status, 401);
    assert_eq!(
        answer,
        json!({
            "message": "The consumer isn't authorized to access %resources.",
            "parameters": {"resources": "Magento_Catalog::products"},
        })
    );
    let (status, nobody) = shop.send(&call(PRODUCT));
    assert_eq!((status, nobody), (401, answer.clone()));
    shop.store.set_conditions(|conditions| conditions.bearer_tokens = true);
    shop.get(PRODUCT);
    shop.store.allow_only(["Magento_Catalog::categories"]);
    assert_eq!(shop.send(&shop.request(Method::GET, PRODUCT)), (401, answer));
    shop.get("/rest/all/V1/categories");
    shop.store.allow_all();
    shop.store.revoke(&shop.keys.access_token);
    assert_eq!(shop.send(&shop.request(Method::GET, PRODUCT)).0, 401);
}

#[test]
fn a_signed_call_passes_once_and_a_wrong_one_is_told() {
    let shop = stocked();
    assert_eq!(signed(&shop, &Signer::of(&shop, "n1"), PRODUCT).0, 200);
    let (status, answer) = signed(&shop, &Signer::of(&shop, "n1"), PRODUCT);
    assert_eq!(status, 401);
    assert!(answer["message"].as_str().unwrap().starts_with("The nonce is already being used"), "{answer}");
    let wrong = Signer { token: Some((&shop.keys.access_token, "wrong")), ..Signer::of(&shop, "n2") };
    let (status, answer) = signed(&shop, &wrong, PRODUCT);
    assert_eq!(
        (status, &answer["message"]),
        (401, &json!("The signature is invalid. Verify and try again."))
    );
    assert_eq!(signed(&shop, &Signer::of(&shop, "n2"), PRODUCT).0, 401, "the nonce is used up all the same");
    let foreign = Signer { consumer: ("nobody", "x"), ..Signer::of(&shop, "n3") };
    assert_eq!(signed(&shop, &foreign, PRODUCT).0, 401);
    let sha1 = Signer { method: "HMAC-SHA1", ..Signer::of(&shop, "n4") };
    assert_eq!(signed(&shop, &sha1, PRODUCT).0, 400);
    let short = Signer { token: Some(("short", "x")), ..Signer::of(&shop, "n5") };
    assert_eq!(signed(&shop, &short, PRODUCT).0, 400);
    let bare = call(PRODUCT).with_header(AUTHORIZATION, "OAuth oauth_consumer_key=\"x\"");
    let (status, answer) = shop.send(&bare);
    assert_eq!(status, 400);
    assert_eq!(answer["errors"].as_array().unwrap().len(), 5);
}

#[test]
fn a_clock_that_is_ahead_is_refused_past_ten_minutes_and_one_behind_is_not() {
    let shop = stocked();
    let now = shop.store.now().unix_seconds();
    for (offset, expected) in [(600, 200), (601, 401), (-86_400, 200)] {
        let signer = Signer { timestamp: now + offset, ..Signer::of(&shop, &format!("n{offset}")) };
        assert_eq!(signed(&shop, &signer, PRODUCT).0, expected, "{offset}");
    }
}

#[test]
fn past_index_ten_only_the_natural_order_is_right() {
    let shop = stocked();
    let list = |filters: usize| {
        let part = |at: usize, name: &str, value: &str| {
            format!("searchCriteria%5Bfilter_groups%5D%5B0%5D%5Bfilters%5D%5B{at}%5D%5B{name}%5D={value}")
        };
        let all: Vec<_> = (0..filters)
            .map(|at| format!("{}&{}", part(at, "field", "sku"), part(at, "value", "a")))
            .collect();
        format!("/rest/all/V1/products?{}", all.join("&"))
    };
    for (filters, order, expected) in [
        (10, Order::Natural, 200),
        (10, Order::Bytes, 200),
        (11, Order::Natural, 200),
        (11, Order::Bytes, 401),
    ] {
        let nonce = format!("n{filters}{}", order == Order::Bytes);
        let signer = Signer { order, ..Signer::of(&shop, &nonce) };
        assert_eq!(signed(&shop, &signer, &list(filters)).0, expected, "{filters}");
    }
}

#[test]
fn a_pair_without_a_value_is_not_signed_and_a_blank_is() {
    let shop = stocked();
    let bare = "/rest/all/V1/products?searchCriteria";
    assert_eq!(signed(&shop, &Signer::of(&shop, "n1"), bare).0, 200);
    let blank = "/rest/all/V1/products?searchCriteria%5Bfilter_groups%5D%5B0%5D%5Bfilters%5D%5B0%5D%5Bfield%5D=name\
        &searchCriteria%5Bfilter_groups%5D%5B0%5D%5Bfilters%5D%5B0%5D%5Bvalue%5D=a%20b%2Bc%3Dd";
    assert_eq!(signed(&shop, &Signer::of(&shop, "n2"), blank).0, 200);
}

#[test]
fn an_older_release_signs_over_the_unescaped_path() {
    let target = "/rest/all/V1/products/a%2Fb%20c";
    for (release, signed_path) in [
        (Release::V2_4_9, "/rest/all/V1/products/a%2Fb%20c"),
        (Release::V2_4_7, "/rest/all/V1/products/a/b%20c"),
    ] {
        let shop = shop_with(|builder| builder.release(release));
        shop.store.create("a/b c", "Name", |_| {});
        shop.store.set_conditions(|conditions| conditions.encoded_slashes = true);
        let right = Signer::of(&shop, "n1").sign(call(target), signed_path, "https");
        assert_eq!(shop.send(&right).0, 200, "{release:?}");
        let other = if signed_path == target { "/rest/all/V1/products/a/b%20c" } else { target };
        let wrong = Signer::of(&shop, "n2").sign(call(target), other, "https");
        assert_eq!(shop.send(&wrong).0, 401, "{release:?}");
    }
}

#[test]
fn behind_a_proxy_that_says_nothing_the_scheme_is_http() {
    let shop = stocked();
    shop.store.set_conditions(|conditions| conditions.sees_plain_http = true);
    assert_eq!(signed(&shop, &Signer::of(&shop, "n1"), PRODUCT).0, 401);
    let request = Signer::of(&shop, "n2").sign(call(PRODUCT), PRODUCT, "http");
    assert_eq!(shop.send(&request).0, 200);
}

#[test]
fn the_handshake_gives_tokens_that_work_and_works_once() {
    let shop = stocked();
    let form: BTreeMap<&str, String> =
        shop.store.activate_integration("new", "https://store.test/").into_iter().collect();
    let (key, secret) = (form["oauth_consumer_key"].as_str(), form["oauth_consumer_secret"].as_str());
    let step = |path: &str, token: Option<(&str, &str)>, verifier: Option<&str>, nonce: &str| {
        let signer = Signer { consumer: (key, secret), token, verifier, ..Signer::of(&shop, nonce) };
        let request = Request::new(Method::POST, path, Transport::Tls).with_header(HOST, "store.test");
        let (status, body) = read(&shop.store.handle(&signer.sign(request, path, "https")));
        let text = body.as_str().unwrap().to_owned();
        let pairs: BTreeMap<String, String> =
            url::form_urlencoded::parse(text.as_bytes()).into_owned().collect();
        (status, pairs)
    };
    let (status, request) = step("/oauth/token/request", None, None, "h1");
    assert_eq!(status, 200, "{request:?}");
    let token = (request["oauth_token"].as_str(), request["oauth_token_secret"].as_str());
    let (status, problem) = step("/oauth/token/access", Some(token), Some("wrong"), "h2");
    assert_eq!((status, problem.contains_key("oauth_problem")), (401, true));
    let verifier = form["oauth_verifier"].as_str();
    let (status, access) = step("/oauth/token/access", Some(token), Some(verifier), "h3");
    assert_eq!(status, 200, "{access:?}");
    let access = (access["oauth_token"].as_str(), access["oauth_token_secret"].as_str());
    assert_eq!((access.0.len(), access.1.len()), (32, 32));
    let signer = Signer { consumer: (key, secret), token: Some(access), ..Signer::of(&shop, "h4") };
    assert_eq!(signed(&shop, &signer, PRODUCT).0, 200);
    assert_eq!(step("/oauth/token/access", Some(token), Some(verifier), "h5").0, 401);
}

#[test]
fn an_admin_needs_the_second_factor_and_the_token_ends() {
    let shop = stocked();
    shop.store.add_admin("anna", "s3cret");
    let ask = |path: &str, body: &Value| {
        let request = Request::new(Method::POST, path, Transport::Tls)
            .with_header(HOST, "store.test")
            .with_header(CONTENT_TYPE, "application/json")
            .with_body(body.to_string());
        shop.send(&request)
    };
    let plain = "/rest/V1/integration/admin/token";
    let account = json!({"username": "anna", "password": "s3cret"});
    assert_eq!(ask(plain, &account).0, 401);
    assert_eq!(ask(plain, &json!({"username": "anna", "password": "x"})).0, 401);
    let authy =
        json!({"username": "anna", "password": "s3cret", "otp": shop.store.one_time_password("anna")});
    assert_eq!(ask("/rest/V1/tfa/provider/authy/authenticate", &authy).0, 200);
    let factor = "/rest/V1/tfa/provider/google/authenticate";
    let with = |otp: String| json!({"username": "anna", "password": "s3cret", "otp": otp});
    assert_eq!(ask(factor, &with("000000".to_owned())).0, 401);
    let (status, token) = ask(factor, &with(shop.store.one_time_password("anna")));
    assert_eq!(status, 200);
    let bearer = |token: &Value| {
        let header = format!("Bearer {}", token.as_str().unwrap());
        shop.send(&call(PRODUCT).with_header(AUTHORIZATION, &header)).0
    };
    assert_eq!(bearer(&token), 200, "an admin's token needs no setting of integrations");
    shop.clock.advance(Duration::from_secs(4 * 3600));
    assert_eq!(bearer(&token), 401);
    shop.store.set_conditions(|conditions| conditions.two_factor = false);
    let (status, token) = ask(plain, &account);
    assert_eq!((status, bearer(&token)), (200, 200));
}
