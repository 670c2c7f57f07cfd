//! The answers of a token endpoint, as the samples have them, and the grants that ask for them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use lily_connect::auth::{TokenRecord, TokenSet};
use lily_connect::connectors::shopify::auth::{
    Access, AssertionSource, Callback, ClientAssertion, ClientCredentials, RefreshGrant, SessionToken,
    ShopApp, refreshing_token, static_token,
};
use lily_connect::error::{ErrorKind, Result};
use lily_connect::model::{Mac, Secret};
use lily_connect::time::{Clock, Timestamp};
use url::form_urlencoded;

use crate::platform::LIFE;
use crate::world::{World, app, origin};

fn say(world: &World, status: u16, body: &str) {
    *world.platform.says.lock().unwrap() = Some((status, body.to_owned()));
}

/// The fields of the last token request.
fn asked(world: &World) -> Vec<(String, String)> {
    let asked = world.platform.asked.lock().unwrap();
    form_urlencoded::parse(asked.last().unwrap().as_bytes())
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

const SECRET: (&str, &str) = ("client_secret", "app_secret_never_seen");
const ID: (&str, &str) = ("client_id", "app-id");

#[tokio::test]
async fn an_answer_without_a_life_is_a_permanent_token_and_is_refreshed_no_more() {
    let world = World::memory().authorised().await;
    world.pass(LIFE);
    say(&world, 200, r#"{"access_token":"shpat_secret_p","scope":"read_products"}"#);
    let process = world.process();
    assert_eq!(process.headers().await.unwrap()["x-shopify-access-token"], "shpat_secret_p");
    let kept = world.record().await.current;
    assert_eq!(kept.expires_at, None);
    // RFC 6749, section 6: a refresh token that is not given anew stays.
    assert_eq!(kept.refresh.unwrap().expose(), "shprt_secret_0");
    world.pass(1000 * LIFE);
    process.headers().await.unwrap();
    assert_eq!(world.platform.refreshes.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn the_same_refresh_token_again_needs_no_predecessor() {
    let world = World::memory().authorised().await;
    world.pass(LIFE);
    say(
        &world,
        200,
        r#"{"access_token":"shpat_secret_s","expires_in":3600,"refresh_token":"shprt_secret_0","refresh_token_expires_in":60}"#,
    );
    world.process().headers().await.unwrap();
    let record = world.record().await;
    assert_eq!((record.predecessor, record.current.refresh.unwrap().expose()), (None, "shprt_secret_0"));
}

#[tokio::test]
async fn the_same_access_token_again_is_no_new_one() {
    let world = World::memory().authorised().await;
    let process = world.process();
    process.call().await.unwrap();
    world.platform.revoke_access();
    say(
        &world,
        200,
        r#"{"access_token":"shpat_secret_0","expires_in":3600,"refresh_token":"shprt_secret_9"}"#,
    );
    let error = process.call().await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Auth, "unauthorized"));
    assert!(world.platform.refreshes.load(Ordering::SeqCst) <= 3);
}

#[tokio::test]
async fn a_permanent_token_that_is_refused_gives_the_refusal() {
    let world = World::memory();
    let token = TokenSet::permanent(Secret::new("shpat_secret_x"), world.clock.now());
    world.keep(TokenRecord::new(token)).await;
    let error = world.process().call().await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Auth, "unauthorized"));
    assert_eq!(world.platform.refreshes.load(Ordering::SeqCst), 0, "there is nothing to refresh with");
    assert!(static_token(origin(), &Secret::new("shpat_x")).is_ok());
}

#[tokio::test]
async fn a_permanent_token_that_is_taken_no_more_is_replaced_where_another_one_is_stored() {
    let text = "[API] Non-expiring access tokens are no longer accepted for the Admin API.";
    let world = World::memory();
    let token = TokenSet::permanent(Secret::new("shpat_secret_x"), world.clock.now());
    world.keep(TokenRecord::new(token)).await;
    let says = |body: String| {
        *world.platform.api_says.lock().unwrap() = Some(("shpat_secret_x".to_owned(), 403, body));
    };
    let process = world.process();
    says(format!(r#"{{"errors":"{text}"}}"#));
    let error = process.call().await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Auth, "permanent_token_refused"));
    assert!(error.remedy().contains("migrate"));
    // A missing scope is no problem of the token.
    says(r#"{"errors":"[API] This action requires merchant approval for read_products scope."}"#.to_owned());
    let error = process.call().await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Forbidden, "forbidden"));
    // Another process has migrated meanwhile.
    says(format!(r#"{{"errors":"{text}"}}"#));
    let (access, refresh) = world.platform.authorise();
    world.keep(TokenRecord::new(world.pair(&access, &refresh))).await;
    process.call().await.unwrap();
    assert_eq!(world.platform.refreshes.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn token_requests_are_repeated_within_bounds_and_follow_no_redirect() {
    for (status, body, attempts, code) in [
        (500, "", 3, "token_endpoint_unavailable"),
        (429, "", 3, "token_rate_limited"),
        (200, "<html>", 3, "token_answer_unreadable"),
        (301, "", 1, "redirected"),
        (400, r#"{"error":"invalid_grant"}"#, 1, "token_grant_refused"),
        (401, r#"{"error":"invalid_grant"}"#, 1, "token_grant_refused"),
        (401, "", 1, "token_client_refused"),
        (400, r#"{"error":"invalid_subject_token"}"#, 1, "session_token_refused"),
    ] {
        let world = World::memory().authorised().await;
        world.pass(LIFE);
        say(&world, status, body);
        let error = world.process().call().await.unwrap_err();
        assert_eq!(
            (error.code(), world.platform.refreshes.load(Ordering::SeqCst)),
            (code, attempts),
            "{body}"
        );
        assert!(!format!("{error} {error:?}").contains("shprt_secret"));
    }
}

#[tokio::test]
async fn client_credentials_are_asked_for_again_and_need_no_refresh_token() {
    let world = World::memory();
    say(&world, 200, r#"{"access_token":"shpat_secret_c","scope":"read_products","expires_in":86399}"#);
    let process = world.process_with(Arc::new(ClientCredentials::new(app())));
    process.headers().await.unwrap();
    assert_eq!(asked(&world), pairs(&[ID, SECRET, ("grant_type", "client_credentials")]));
    assert_eq!(world.record().await.current.refresh, None);
    process.headers().await.unwrap();
    assert_eq!(world.platform.refreshes.load(Ordering::SeqCst), 1);
    world.pass(Duration::from_secs(86_399 - 300));
    process.headers().await.unwrap();
    assert_eq!(world.platform.refreshes.load(Ordering::SeqCst), 2);
    assert_eq!(world.record().await.predecessor, None);
    // Another process begins with what is kept.
    world.process_with(Arc::new(ClientCredentials::new(app()))).headers().await.unwrap();
    assert_eq!(world.platform.refreshes.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn an_assertion_goes_in_the_place_of_the_secret() {
    #[derive(Debug)]
    struct Signer;
    #[async_trait]
    impl AssertionSource for Signer {
        async fn assertion(&self, app: &ShopApp, _: Timestamp) -> Result<Secret> {
            Ok(Secret::new(format!("jwt_secret for {}", app.shop())))
        }
    }
    let world = World::memory();
    say(&world, 200, r#"{"access_token":"shpat_secret_a","expires_in":3600}"#);
    let grant = ClientAssertion::new(app(), Arc::new(Signer));
    world.process_with(Arc::new(grant.clone())).headers().await.unwrap();
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let expected = [
        ID,
        ("grant_type", "client_credentials"),
        ("client_assertion_type", kind),
        ("client_assertion", "jwt_secret for some-shop.myshopify.com"),
    ];
    assert_eq!(asked(&world), pairs(&expected));
    // The fields are a guess, so all of them can be others.
    let grant = grant.fields("token", vec![("kind".into(), "x".into())]);
    assert!(!format!("{grant:?}").contains("jwt_secret"));
    world.vault.forget(&world.slot).await.unwrap();
    world.process_with(Arc::new(grant)).headers().await.unwrap();
    assert_eq!(
        asked(&world),
        pairs(&[ID, ("kind", "x"), ("token", "jwt_secret for some-shop.myshopify.com")])
    );
}

fn hex(text: &str) -> String {
    let mac = Mac::of(text.as_bytes(), b"app_secret_never_seen").unwrap();
    mac.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_code_is_exchanged_once() {
    let world = World::memory();
    let now = world.clock.now();
    let text = format!("code=c0de&shop=some-shop.myshopify.com&state=n&timestamp={}", now.unix_seconds());
    let query = format!("{text}&hmac={}", hex(&text));
    let authorised = Callback::parse(&query).unwrap().verify(app().app(), &Secret::new("n"), now).unwrap();
    assert!(!format!("{authorised:?}").contains("c0de"));
    say(
        &world,
        200,
        r#"{"access_token":"shpat_xxx","scope":"read_products,write_products","expires_in":3600,"refresh_token":"shprt_xxx","refresh_token_expires_in":7776000}"#,
    );
    let tokens = app().exchange_code(&world.tokens(), &authorised).await.unwrap();
    assert_eq!(asked(&world), pairs(&[ID, SECRET, ("code", "c0de"), ("expiring", "1")]));
    assert_eq!((tokens.scopes.len(), tokens.refresh.is_some()), (2, true));
    // Its answer may be lost: nobody knows then whether it is used up, and it is not sent again.
    say(&world, 502, "");
    app().exchange_code(&world.tokens(), &authorised).await.unwrap_err();
    assert_eq!(world.platform.refreshes.load(Ordering::SeqCst), 2);
    let other = lily_connect::connectors::shopify::auth::ShopDomain::new("other.myshopify.com").unwrap();
    let elsewhere = ShopApp::new(app().app().clone(), other);
    let error = elsewhere.exchange_code(&world.tokens(), &authorised).await.unwrap_err();
    assert_eq!(error.code(), "shop_mismatch");
}

#[tokio::test]
async fn a_session_token_is_exchanged_for_an_offline_or_an_online_one() {
    use base64::Engine as _;
    let base64 = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let world = World::memory();
    let now = world.clock.now();
    let claims = format!(
        r#"{{"iss":"https://some-shop.myshopify.com/admin","dest":"https://some-shop.myshopify.com","aud":"app-id","sub":"1","exp":{},"nbf":{}}}"#,
        now.unix_seconds() + 60,
        now.unix_seconds()
    );
    let signed = format!("{}.{}", base64.encode(r#"{"alg":"HS256","typ":"JWT"}"#), base64.encode(claims));
    let mac = Mac::of(signed.as_bytes(), b"app_secret_never_seen").unwrap();
    let token = format!("{signed}.{}", base64.encode(mac.as_bytes()));
    let session = SessionToken::verify(&token, app().app(), now).unwrap();
    say(
        &world,
        200,
        r#"{"access_token":"shpat_xxx","scope":"scope1","expires_in":86399,"associated_user":{"id":902541635}}"#,
    );
    let common = [
        ID,
        SECRET,
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token", token.as_str()),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:id_token"),
    ];
    app().exchange_session(&world.tokens(), &session, Access::Online).await.unwrap();
    let online = ("requested_token_type", "urn:shopify:params:oauth:token-type:online-access-token");
    assert_eq!(asked(&world), pairs(&[common.as_slice(), &[online]].concat()));
    app().exchange_session(&world.tokens(), &session, Access::Offline).await.unwrap();
    let offline = ("requested_token_type", "urn:shopify:params:oauth:token-type:offline-access-token");
    assert_eq!(asked(&world), pairs(&[common.as_slice(), &[offline, ("expiring", "1")]].concat()));
}

#[tokio::test]
async fn the_recorded_answers_are_read() {
    let Some(folder) = std::env::var_os("LILY_SPECS_DIR") else {
        eprintln!("skipped: LILY_SPECS_DIR is not set");
        return;
    };
    let path = std::path::Path::new(&folder).join("shopify/samples/oauth_token_responses.json");
    let samples: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let samples = samples.as_array().unwrap();
    assert_eq!(samples.len(), 4);
    for sample in samples {
        let world = World::memory();
        say(&world, 200, &sample["body"].to_string());
        world.process_with(Arc::new(ClientCredentials::new(app()))).headers().await.unwrap();
        let kept = world.record().await.current;
        assert_eq!(kept.refresh.is_some(), sample["body"].get("refresh_token").is_some());
        assert_eq!(kept.expires_at.is_some(), sample["body"].get("expires_in").is_some());
        assert_eq!(kept.scopes.is_empty(), sample["body"].get("scope").is_none());
    }
}

#[tokio::test]
async fn a_slot_without_tokens_says_who_can_help() {
    let world = World::memory();
    let error = world.process_with(Arc::new(RefreshGrant::new(app()))).call().await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Auth, "not_authorised"));
    assert!(error.remedy().contains("merchant must open the app"));
}

#[tokio::test]
async fn any_refusal_for_good_leads_to_the_predecessor_and_one_that_may_pass_does_not() {
    for (status, helps) in [
        (400, true),
        (401, true),
        (403, true),
        (404, true),
        (408, false),
        (425, false),
        (429, false),
        (503, false),
    ] {
        let world = World::memory();
        let (_, refresh) = world.platform.authorise();
        let before = world.pair("shpat_secret_before", &refresh);
        let lost = world.pair("shpat_secret_lost", "shprt_secret_lost");
        world.keep(TokenRecord::new(lost).replacing(Some(before))).await;
        world.pass(LIFE);
        *world.platform.refuses.lock().unwrap() = Some(("shprt_secret_lost".to_owned(), status));
        let done = world.process().call().await;
        assert_eq!(done.is_ok(), helps, "{status}: {done:?}");
    }
}

#[tokio::test]
async fn an_exchange_ends_before_its_claim_does() {
    let world = World::memory().authorised().await;
    world.pass(LIFE);
    say(&world, 503, "");
    let grant = Arc::new(RefreshGrant::new(app()));
    let tokens = world.tokens().attempts(1000);
    let token = refreshing_token(&app(), tokens, world.slot.clone(), grant, world.vault.clone());
    let process = world.process_of(token.unwrap().build().unwrap());
    let began = world.clock.elapsed();
    let error = process.headers().await.unwrap_err();
    assert_eq!(error.code(), "token_endpoint_unavailable");
    assert!(world.clock.elapsed() - began < Duration::from_secs(55), "the claim lasts for a minute");
}
