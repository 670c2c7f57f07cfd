//! No secret shows in any text: types, errors, and logs at their loudest.
#![cfg(all(feature = "testkit", feature = "woocommerce"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod common;
#[cfg(feature = "ga4")]
#[path = "common/ga4.rs"]
mod ga4;
#[path = "common/logged.rs"]
mod logged;

use std::sync::Arc;

use common::{bench, connect};
use lily_connect::ConnectorConfig;
use lily_connect::auth::{Basic, OAuth1, Origin, QueryKey};
use lily_connect::connector::{Patch, PatchField, PatchValue, PullRequest, PushRequest};
use lily_connect::connectors::woocommerce::{KeyInQuery, PLATFORM, WooCommerceConfig, provision};
use lily_connect::model::{CellValue, Entity, FieldName, RecordRef, Secret, StoreKey};
use lily_connect::state::{MemoryState, StateStore};
use lily_connect::sync::{Pull, Push};
use lily_connect::testkit::exchange::Transport;
use lily_connect::testkit::faults::{Fault, FaultRule, When};
use lily_connect::testkit::server::Service;
use lily_connect::testkit::woocommerce::{Permissions, Role, WooStore};
use lily_connect::testkit::{FakeClock, SeededEntropy};
use lily_connect::time::SystemClock;
use lily_connect::transport::ReqwestTransport;
use lily_connect::{Connector, Runtime};
use logged::Logged;

/// The secrets that occur in a text, in the spellings that a leak could have.
fn leaks(text: &str, secrets: &[&str]) -> Vec<String> {
    use base64::Engine;
    let base64 = |secret: &str| base64::engine::general_purpose::STANDARD.encode(secret);
    let in_a_form =
        |secret: &str| url::form_urlencoded::byte_serialize(secret.as_bytes()).collect::<String>();
    let spellings = |secret: &str| [secret.to_owned(), base64(secret), in_a_form(secret)];
    secrets
        .iter()
        .filter(|secret| spellings(secret).iter().any(|spelling| text.contains(spelling)))
        .map(|secret| format!("{}…", &secret[..6]))
        .collect()
}

#[tokio::test]
async fn no_secret_shows_in_types_errors_and_logs() {
    let logged = Logged::all();

    let bench = bench().await;
    let key = bench.store.issue_key("second", Permissions::ReadWrite, Role::Manager);
    let secrets = [key.consumer_secret.as_str(), bench.key.consumer_secret.as_str()];
    let mut shown = Vec::new();
    let mut show = |name: &str, text: String| shown.push((name.to_owned(), text));

    let secret = Secret::new(key.consumer_secret.clone());
    show("Secret", format!("{secret:?}"));
    let builder =
        WooCommerceConfig::builder(bench.server.url()).key(&key.consumer_key).secret(secret.clone());
    show("WooCommerceBuilder", format!("{builder:?}"));
    let config = builder.private_hosts(true).build().unwrap();
    show("WooCommerceConfig", format!("{config:?} {:#?}", config.store()));
    let https = Origin::https("https://shop.example").unwrap();
    let basic = Arc::new(Basic::new(https.clone(), &key.consumer_key, &secret).unwrap());
    show("Basic", format!("{basic:?}"));
    let pairs = vec![("consumer_secret", secret.clone())];
    show("QueryKey", format!("{:?}", QueryKey::new(https.clone(), pairs).unwrap()));
    show("OAuth1", format!("{:?}", OAuth1::new(https.clone(), &key.consumer_key, &secret).unwrap()));
    let store = StoreKey::new("t", PLATFORM, "shop.example");
    let client = bench.runtime.client(store, https, basic);
    show("ApiClientBuilder", format!("{client:?}"));
    show("ApiClient", format!("{:?}", client.build().unwrap()));
    show("Runtime", format!("{:?}", bench.runtime));

    let value = provision::OneTimeValue::new(&lily_connect::time::SystemEntropy).unwrap();
    assert!(!format!("{value:?}").contains(value.secret().expose()));
    let body = format!(
        r#"{{"key_id":1,"user_id":"{}","consumer_key":"{}","consumer_secret":"{}","key_permissions":"read"}}"#,
        value.secret().expose(),
        key.consumer_key,
        key.consumer_secret,
    );
    for scope in [provision::Scope::Read, provision::Scope::Write] {
        let read = provision::read_callback("application/json", body.as_bytes(), &value, scope);
        show("ProvisionedKey", format!("{read:?}"));
    }

    let connector = connect(&bench.server.url(), &key, &bench.runtime).await;
    show("Connector", format!("{connector:?} {connector:#?}"));
    let page = connector.pull_page(&PullRequest::all(Entity::Product)).await.unwrap();
    show("Page", format!("{page:?}"));
    let state: Arc<dyn StateStore> = Arc::new(MemoryState::new());
    show("Pull", format!("{:?}", Pull::new(Arc::clone(&connector), Arc::clone(&state), Entity::Product)));
    show("Push", format!("{:?}", Push::new(Arc::clone(&connector), state, bench.runtime.clone())));
    let environment = |name: &str| -> Option<std::ffi::OsString> {
        let value = match name {
            "LILY_CONNECTOR" => "woocommerce".to_owned(),
            "WOOCOMMERCE_URL" => "https://shop.example".to_owned(),
            "WOOCOMMERCE_KEY" => key.consumer_key.clone(),
            "WOOCOMMERCE_SECRET" => key.consumer_secret.clone(),
            _ => return None,
        };
        Some(value.into())
    };
    show("ConnectorConfig", format!("{:?}", ConnectorConfig::from_lookup(&environment).unwrap()));
    let shows = |(_, text): &(String, String)| text.contains(&key.consumer_key);
    let of_settings = ["WooCommerceBuilder", "WooCommerceConfig", "ConnectorConfig"];
    let keys = shown.iter().filter(|(name, _)| of_settings.contains(&name.as_str()));
    assert_eq!(keys.clone().count(), 3);
    assert_eq!(keys.filter(|it| shows(it)).map(|(name, _)| name.as_str()).collect::<Vec<_>>(), [""; 0]);
    let mut show = |name: &str, text: String| shown.push((name.to_owned(), text));
    show("Health", format!("{:?}", connector.check().await.unwrap()));

    let target = RecordRef::new(PLATFORM, Entity::Product, "14");
    let value = PatchValue::Text { text: "New".into(), raw: None };
    let change = PatchField::new(FieldName::new("title"), value, CellValue::text("T-Shirt"));
    for fault in [Fault::status_after(500), Fault::Reset(When::After), Fault::Truncate, Fault::Html200] {
        bench.server.faults().push(FaultRule::new(fault).times(1));
        let until = bench.runtime.clock().elapsed() + std::time::Duration::from_secs(5);
        let push = PushRequest::new(vec![Patch::new(target.clone(), vec![change.clone()])], until);
        show("push", format!("{:?}", connector.push(&push).await));
    }
    bench.store.revoke_key(&key.consumer_key);
    let refused = connector.pull_page(&PullRequest::all(Entity::Product)).await.unwrap_err();
    show("Error", format!("{refused} {refused:?} {refused:#?}"));

    let log = logged.text();
    show("log", log);
    for (name, text) in &shown {
        assert_eq!(leaks(text, &secrets), Vec::<String>::new(), "{name} shows a secret");
        assert!(!text.is_empty(), "{name} shows nothing");
    }
    // A planted leak is found, in clear and as Basic sends it.
    assert_eq!(leaks(&format!("GET /?consumer_secret={}", secrets[0]), &secrets).len(), 1);
    use base64::Engine;
    let header = base64::engine::general_purpose::STANDARD.encode(secrets[1]);
    assert_eq!(leaks(&format!("Basic {header}"), &secrets).len(), 1);
}

/// The key in the query is part of each address that is sent: over real TLS, so that all layers below see it.
#[tokio::test]
async fn a_key_in_the_query_shows_in_no_type_error_and_log() {
    let logged = Logged::all();

    let store = WooStore::new(Arc::new(SystemClock::default()));
    drop(store.seed_sample());
    let key = store.issue_key("query", Permissions::ReadWrite, Role::Manager);
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let signing =
        tokio_rustls::rustls::pki_types::PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let tls = tokio_rustls::rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], signing)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls));
    let listener = tokio::net::TcpListener::bind("localhost:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let service = Service::new(store.clone());
    let served = service.clone();
    let accepting = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (service, acceptor) = (served.clone(), acceptor.clone());
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    service.serve_connection(stream, Transport::Tls).await;
                }
            });
        }
    });
    let transport = ReqwestTransport::builder().extra_ca_pem(own.cert.pem().as_bytes()).build().unwrap();
    let clock = Arc::new(FakeClock::automatic());
    let runtime = Runtime::with_parts(Arc::new(transport), clock, Arc::new(SeededEntropy::new(3)));
    let config = WooCommerceConfig::builder(format!("https://localhost:{port}"))
        .key(&key.consumer_key)
        .secret(Secret::new(key.consumer_secret.clone()))
        .key_in_query(KeyInQuery::Always)
        .private_hosts(true)
        .build()
        .unwrap();
    let mut shown = vec![format!("{config:?}")];
    let connector = config.connect(&runtime).await.unwrap();
    shown.push(format!("{connector:?} {:?}", connector.check().await));
    let page = connector.pull_page(&PullRequest::all(Entity::Product)).await.unwrap();
    shown.push(format!("{page:?}"));
    let sent = service.traffic().count_where(|entry| entry.query.contains(&key.consumer_secret));
    assert_eq!(sent as u64, service.traffic().requests(), "each request carries the key");

    for fault in [Fault::status(500), Fault::Reset(When::Before), Fault::Truncate, Fault::Html200] {
        service.faults().push(FaultRule::new(fault).times(50));
        shown.push(chain(&connector.pull_page(&PullRequest::all(Entity::Product)).await.unwrap_err()));
        service.faults().clear();
    }
    accepting.abort();
    drop(accepting.await);
    let gone = connector.pull_page(&PullRequest::all(Entity::Product)).await.unwrap_err();
    shown.push(chain(&gone));
    shown.push(logged.text());
    for text in &shown {
        assert_eq!(leaks(text, &[&key.consumer_secret]), Vec::<String>::new());
        assert!(!text.contains("consumer_secret="), "a query is shown: {text}");
    }
}

/// Google's credentials: the key that signs, the refresh token, the app's secret, access tokens, and the secret of
/// events, which goes in the query.
#[cfg(feature = "ga4")]
#[tokio::test]
async fn no_secret_of_google_analytics_shows_in_types_errors_and_logs() {
    use lily_connect::connectors::ga4::{Event, Events, Report, Validation};

    const STREAM: &str = "mp-secret-of-the-stream";
    let logged = Logged::all();

    let seed = |fake: &lily_connect::testkit::ga4::Ga4Fake| fake.seed_property(ga4::PROPERTY, 3, 3, 3);
    let bench = ga4::bench_with(seed, |it| it.stream("G-0000000123", Secret::new(STREAM))).await;
    let pair = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
    let pem = pair.serialize_pem();
    let account = bench.fake.issue_account(&pem).unwrap();
    let secrets =
        [STREAM, "1//reader", "client-secret-of-the-app", "ya29.fake-", pem.lines().nth(1).unwrap()];

    let mut shown = Vec::new();
    for file in [&bench.file, &account] {
        let builder = ga4::config(&bench.server.url(), file).stream("G-0000000123", Secret::new(STREAM));
        let config = builder.clone().build().unwrap();
        let connector = config.connect(&bench.runtime).await.unwrap();
        shown.push(format!("{builder:?} {builder:#?} {config:?} {connector:?} {connector:#?}"));
        let report = Report::new(bench.last(1)).metric("sessions");
        let events = Events::new(vec![Event::content_applied("SKU-1", "v1").unwrap()]);
        shown.push(format!("{:?}", connector.run_report(&report).await.unwrap()));
        shown.push(format!(
            "{:?} {:?}",
            connector.check().await.unwrap(),
            connector.send_events(&events).await
        ));
        for fault in [Fault::status(500), Fault::Reset(When::After), Fault::Truncate, Fault::Html200] {
            // Every call and every token fails that way.
            bench.fake.expire_tokens();
            bench.server.faults().push(FaultRule::new(fault).times(50));
            shown.push(chain(&connector.run_report(&report).await.unwrap_err()));
            shown.push(format!("{:?}", connector.send_events(&events).await.unwrap()));
            shown.push(chain(&connector.validate_events(&events, Validation::Relaxed).await.unwrap_err()));
            bench.server.faults().clear();
            bench.clock.advance(std::time::Duration::from_secs(7200));
        }
        let mut broken = file.clone();
        broken.truncate(file.len() - 2);
        shown.push(chain(&ga4::config("http://127.0.0.1:1", &broken).build().unwrap_err()));
        let environment = |name: &str| -> Option<std::ffi::OsString> {
            let value = match name {
                "LILY_CONNECTOR" => "ga4",
                "GA4_PROPERTY" => "123",
                "GA4_CREDENTIALS" => file,
                "GA4_MEASUREMENT_ID" => "G-0000000123",
                "GA4_API_SECRET" => STREAM,
                _ => return None,
            };
            Some(value.into())
        };
        shown.push(format!("{:?}", ConnectorConfig::from_lookup(&environment).unwrap()));
    }
    bench.fake.withdraw();
    shown.push(chain(
        &bench.connector.run_report(&Report::new(bench.last(1)).metric("sessions")).await.unwrap_err(),
    ));
    let log = logged.text();
    shown.push(log);
    let sent = bench.server.traffic().count_where(|entry| entry.query.contains(STREAM));
    assert!(sent > 2, "the secret of events was sent");
    for text in &shown {
        assert_eq!(leaks(text, &secrets), Vec::<String>::new(), "{text}");
    }
    // A planted leak is found, as a form spells it, too.
    assert_eq!(leaks("refresh_token=1%2F%2Freader&x=y", &secrets).len(), 1);
}

/// An error with all that lies behind it.
fn chain(error: &lily_connect::Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text.push_str(&format!(" {inner} {inner:?}"));
        source = inner.source();
    }
    text
}
