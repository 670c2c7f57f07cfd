//! Tokens, rights, the exchange of an app's code, and signed callbacks.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use http::Method;
use lily_connect::testkit::exchange::{Request, Transport};
use serde_json::{Value, json};

use super::shop;

#[test]
fn a_token_that_is_unknown_or_withdrawn_is_refused() {
    let shop = shop(1);
    assert_eq!(shop.get("/v2/store").status, 200);
    shop.store.revoke_token(&shop.token);
    assert_eq!(shop.get("/catalog/products").status, 401);
    let old = shop.get("/v2/store");
    assert_eq!((old.status, &old.body[0]["status"]), (401, &json!(401)), "a list, in the way of V2");
}

#[test]
fn a_right_that_lacks_is_403_and_the_right_to_write_holds_the_right_to_read() {
    let shop = shop(1);
    let product = format!("/catalog/products/{}", shop.store.ids()[0]);
    let status = |scopes: &[&str], write: bool| {
        shop.store.grant_scopes(scopes.iter().copied());
        if write { shop.put(&product, &json!({"page_title": "x"})).status } else { shop.get(&product).status }
    };
    assert_eq!(status(&["store_v2_products_read_only"], false), 200);
    assert_eq!(status(&["store_v2_products_read_only"], true), 403);
    assert_eq!(status(&["store_v2_products"], true), 200);
    assert_eq!(status(&["store_v2_products"], false), 200);
    assert_eq!(status(&["store_v2_information"], false), 403);
    assert_eq!(shop.get("/v2/store").status, 200);
    assert_eq!(shop.get("/hooks").status, 200, "hooks need no right of their own");
}

#[test]
fn another_stores_address_is_403() {
    let mut shop = shop(1);
    shop.wild = true;
    let mut request = shop.raw(Method::GET, "/catalog/products", None);
    request.path = request.path.replace("abc123", "other9");
    assert_eq!(shop.send(&request).status, 403);
}

fn exchange(shop: &super::Shop, change: impl FnOnce(&mut Value), form: bool) -> super::Answer {
    let settings = shop.store.settings();
    let mut body = json!({
        "client_id": settings.client_id, "client_secret": settings.client_secret, "code": "once",
        "context": "stores/abc123", "scope": "store_v2_products", "grant_type": "authorization_code",
        "redirect_uri": settings.redirect_uri,
    });
    change(&mut body);
    let request = Request::new(Method::POST, "/oauth2/token", Transport::Tls);
    let request = if form {
        let pairs = body.as_object().unwrap().iter().map(|(key, value)| (key, value.as_str().unwrap()));
        let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        request.with_header(http::header::CONTENT_TYPE, "application/x-www-form-urlencoded").with_body(text)
    } else {
        request.with_header(http::header::CONTENT_TYPE, "application/json").with_body(body.to_string())
    };
    shop.send(&request)
}

#[test]
fn a_code_is_exchanged_once_for_a_token_that_works() {
    let mut shop = shop(1);
    for form in [false, true] {
        let query = shop.store.issue_code("once");
        assert!(query.contains("context=stores%2Fabc123") && !query.contains("state="));
        for key in ["client_secret", "redirect_uri", "context", "grant_type"] {
            assert_eq!(exchange(&shop, |body| body[key] = json!("wrong"), form).status, 400, "{key}");
        }
        let answer = exchange(&shop, |_| (), form);
        assert_eq!((answer.status, &answer.body["context"]), (200, &json!("stores/abc123")));
        assert!(answer.body.get("expires_in").is_none() && answer.body.get("refresh_token").is_none());
        assert!(answer.body["owner"].is_object());
        answer.body["access_token"].as_str().unwrap().clone_into(&mut shop.token);
        assert_eq!(shop.get("/v2/store").status, 200);
        assert_eq!(exchange(&shop, |_| (), form).status, 400);
    }
    shop.store.set_conditions(|conditions| conditions.old_token_answer = true);
    let _ = shop.store.issue_code("once");
    assert!(exchange(&shop, |_| (), false).body.get("owner").is_none());
}

#[test]
fn a_callback_is_signed_with_the_secrets_bytes_and_each_part_can_be_wrong() {
    let shop = shop(0);
    let settings = shop.store.settings();
    let read = |token: &str| {
        let parts: Vec<&str> = token.split('.').collect();
        let decode =
            |part: &str| -> Value { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap() };
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(settings.client_secret.as_bytes()).unwrap();
        mac.update(format!("{}.{}", parts[0], parts[1]).as_bytes());
        let right = mac.verify_slice(&URL_SAFE_NO_PAD.decode(parts[2]).unwrap()).is_ok();
        (decode(parts[0]), decode(parts[1]), right)
    };
    let (head, claims, right) = read(&shop.store.callback(|_| ()));
    assert!(right);
    assert_eq!(head["alg"], "HS256");
    let now = shop.store.now().unix_seconds();
    assert_eq!((&claims["iss"], &claims["sub"]), (&json!("bc"), &json!("stores/abc123")));
    assert_eq!((&claims["aud"], &claims["iat"]), (&json!(settings.client_id), &json!(now)));
    assert!(claims["nbf"].as_i64() < claims["iat"].as_i64());
    let (_, _, right) = read(&shop.store.callback(|how| how.secret = Some("another".to_owned())));
    assert!(!right);
    let (head, claims, _) = read(&shop.store.callback(|how| {
        how.algorithm = Some("none".to_owned());
        how.age_seconds = 90_000;
        how.audience = Some("other".to_owned());
    }));
    assert_eq!((&head["alg"], &claims["aud"]), (&json!("none"), &json!("other")));
    assert!(claims["exp"].as_i64().unwrap() < now);
}
