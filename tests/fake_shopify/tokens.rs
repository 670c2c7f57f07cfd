use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Shop, shop};

async fn token(shop: &Shop, fields: Value) -> (u16, Value) {
    let mut body = json!({ "client_id": "a-client-of-tests", "client_secret": "shpss_a-secret-of-tests" });
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    let response = shop
        .client
        .post(format!("{}/admin/oauth/access_token", shop.server.url()))
        .header("content-type", "application/json")
        .body(body.to_string())
        .send()
        .await
        .unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap())
}

async fn works(shop: &mut Shop, access: &Value) -> u16 {
    shop.token = access.as_str().unwrap().to_owned();
    shop.send("2026-10", "{ shop { name } }", &json!({})).await.status().as_u16()
}

async fn refresh(shop: &Shop, token_text: &Value) -> (u16, Value) {
    token(shop, json!({ "grant_type": "refresh_token", "refresh_token": token_text })).await
}

#[tokio::test]
async fn a_refresh_token_works_again_until_its_replacement_is_used() {
    let mut shop = shop(0).await;
    shop.fake.issue_code("abc");
    let (status, first) = token(&shop, json!({ "code": "abc", "expiring": "1" })).await;
    assert_eq!((status, &first["expires_in"]), (200, &json!(3600)));
    assert_eq!(token(&shop, json!({ "code": "abc", "expiring": "1" })).await.0, 400);
    assert_eq!(works(&mut shop, &first["access_token"]).await, 200);
    // The answer is lost: the same token gives another pair, and the lost one is dead.
    let (_, lost) = refresh(&shop, &first["refresh_token"]).await;
    let (status, second) = refresh(&shop, &first["refresh_token"]).await;
    assert_eq!(status, 200);
    assert_eq!(works(&mut shop, &lost["access_token"]).await, 401);
    assert_eq!(works(&mut shop, &second["access_token"]).await, 200);
    // The replacement was used, which ends its predecessor.
    let (status, answer) = refresh(&shop, &first["refresh_token"]).await;
    assert_eq!((status, &answer["error"]), (400, &json!("invalid_grant")));
    assert_eq!(works(&mut shop, &first["access_token"]).await, 401);
    shop.clock.advance(Duration::from_secs(3600));
    assert_eq!(works(&mut shop, &second["access_token"]).await, 401);
    shop.clock.advance(Duration::from_secs(90 * 86_400));
    assert_eq!(refresh(&shop, &second["refresh_token"]).await.0, 400);
    assert_eq!(shop.fake.refreshes(), 4);
}

#[tokio::test]
async fn a_permanent_token_is_migrated_once_and_can_be_refused() {
    let mut shop = shop(0).await;
    shop.fake.set_conditions(|conditions| conditions.permanent_tokens_refused = true);
    let response = shop.send("2026-10", "{ shop { name } }", &json!({})).await;
    assert_eq!(response.status(), 403);
    assert!(response.text().await.unwrap().contains("Non-expiring access tokens are no longer accepted"));
    let offline = "urn:shopify:params:oauth:token-type:offline-access-token";
    let fields = json!({
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token": shop.token,
        "subject_token_type": offline, "requested_token_type": offline, "expiring": "1",
    });
    let (status, pair) = token(&shop, fields.clone()).await;
    assert_eq!(status, 200, "{pair}");
    assert_eq!(token(&shop, fields.clone()).await.1, pair, "the same pair comes back for a week");
    shop.clock.advance(Duration::from_secs(8 * 86_400));
    assert_eq!(token(&shop, fields).await.0, 400);
    let old = json!(shop.token);
    assert_eq!(works(&mut shop, &old).await, 401);
}

#[tokio::test]
async fn the_other_grants_and_the_closed_shop() {
    let mut shop = shop(0).await;
    let (_, answer) = token(&shop, json!({ "grant_type": "client_credentials" })).await;
    assert_eq!((&answer["expires_in"], answer.get("refresh_token")), (&json!(86_399), None));
    assert_eq!(works(&mut shop, &answer["access_token"]).await, 200);
    let exchange = json!({
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token": shop.fake.session_token(),
        "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
        "requested_token_type": "urn:shopify:params:oauth:token-type:offline-access-token", "expiring": "1",
    });
    assert_eq!(token(&shop, exchange.clone()).await.0, 200);
    shop.clock.advance(Duration::from_secs(120));
    assert_eq!(token(&shop, exchange).await.0, 400);
    for (status, set) in [(402, 0), (423, 1), (404, 2), (430, 3)] {
        shop.fake.set_conditions(|conditions| {
            conditions.frozen = set == 0;
            conditions.locked = set == 1;
            conditions.gone = set == 2;
            conditions.rejected = set == 3;
        });
        assert_eq!(shop.send("2026-10", "{ shop { name } }", &json!({})).await.status().as_u16(), status);
    }
}

#[tokio::test]
async fn rotation_can_be_strict_and_answers_can_be_odd() {
    let shop = shop(0).await;
    let (_, refresh_token) = shop.fake.issue_pair();
    let refresh_token = json!(refresh_token);
    shop.fake.set_conditions(|conditions| {
        (conditions.same_refresh_token, conditions.without_expiry) = (true, true)
    });
    for _ in 0..2 {
        let (status, answer) = refresh(&shop, &refresh_token).await;
        assert_eq!((status, &answer["refresh_token"], answer.get("expires_in")), (200, &refresh_token, None));
    }
    shop.fake.set_conditions(|conditions| {
        (conditions.same_refresh_token, conditions.strict_rotation, conditions.invalid_grant_status) =
            (false, true, 401);
    });
    assert_eq!(refresh(&shop, &refresh_token).await.0, 200);
    assert_eq!(refresh(&shop, &refresh_token).await.0, 401);
}

#[tokio::test]
async fn a_merchant_who_is_asked_leads_back_with_a_code_that_works_once() {
    use lily_connect::testkit::exchange::{Handler, Request, Transport};
    use url::form_urlencoded::parse;

    let shop = shop(0).await;
    let ask = |client: &str| {
        let back = "https%3A%2F%2Fapp.test%2Fback";
        let target = format!("/admin/oauth/authorize?client_id={client}&state=n%20once&redirect_uri={back}");
        shop.fake.handle(&Request::new(http::Method::GET, &target, Transport::Tls))
    };
    assert_eq!(ask("another").status, 400);
    let answer = ask("a-client-of-tests");
    assert_eq!(answer.status, 302);
    let back = answer.header("location").unwrap();
    let (signed, hmac) = back.strip_prefix("https://app.test/back?").unwrap().split_once("&hmac=").unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(b"shpss_a-secret-of-tests").unwrap();
    mac.update(signed.as_bytes());
    let expected: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hmac, expected);
    let value = |name: &str| parse(signed.as_bytes()).find(|pair| pair.0 == name).unwrap().1.into_owned();
    assert_eq!(value("state"), "n once");
    let (status, pair) = token(&shop, json!({ "code": value("code"), "expiring": "1" })).await;
    assert_eq!((status, &pair["expires_in"]), (200, &json!(3600)));
    assert_eq!(token(&shop, json!({ "code": value("code") })).await.0, 400);
}
