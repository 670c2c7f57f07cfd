//! Ways in that are closed, each told by what opens it; and the other ways in.

use std::sync::Arc;

use async_trait::async_trait;
use lily_connect::connector::Connector as _;
use lily_connect::connectors::magento::{CloudProject, MagentoConfig, OneTimePassword, SecondFactor};
use lily_connect::error::{Error, ErrorKind, Result};
use lily_connect::model::{Entity, Secret};
use lily_connect::state::{MemoryState, StateStore};
use lily_connect::testkit::magento::{Edition, MagentoFake};
use lily_connect::testkit::server::Service;
use serde_json::json;

use super::common::{Bench, bench, config};
use super::{Desk, own, pull};

fn state() -> Arc<dyn StateStore> {
    Arc::new(MemoryState::new())
}

async fn refused(bench: &Bench, settings: lily_connect::connectors::magento::MagentoBuilder) -> Error {
    let config = settings.private_hosts(true).build().unwrap();
    config.connect(&bench.runtime).await.map(drop).unwrap_err()
}

#[tokio::test]
async fn each_closed_way_in_has_its_own_code() {
    let bench = bench(3).await;
    let url = bench.server.url();
    let bearer = || MagentoConfig::builder(&url).access_token(Secret::new(bench.keys.access_token.clone()));
    for language in [None, Some("de".to_owned())] {
        bench.store.set_conditions(|conditions| conditions.language = language);
        // Bearer tokens are off since 2.4.4.
        let error = refused(&bench, bearer()).await;
        assert_eq!((error.kind(), error.code()), (ErrorKind::Auth, "token_or_right_refused"));
        assert!(error.remedy().contains("OAuth"), "{error}");
        let wrong = MagentoConfig::builder(&url).integration(
            &bench.keys.consumer_key,
            Secret::new("wrong"),
            &bench.keys.access_token,
            Secret::new(bench.keys.access_token_secret.clone()),
        );
        let error = refused(&bench, wrong).await;
        assert_eq!((error.kind(), error.code()), (ErrorKind::Auth, "signature_refused"), "{error}");
        // A token that was copied in part is no token at all, and the store does not say that it is the credentials.
        let cut = MagentoConfig::builder(&url).integration(
            &bench.keys.consumer_key,
            Secret::new(bench.keys.consumer_secret.clone()),
            &bench.keys.access_token[..20],
            Secret::new(bench.keys.access_token_secret.clone()),
        );
        let error = refused(&bench, cut).await;
        assert_eq!((error.kind(), error.code()), (ErrorKind::Auth, "credentials_malformed"), "{error}");
        assert!(!format!("{error:?}").contains(&bench.keys.access_token[..20]), "{error:?}");
        let error = refused(&bench, config(&url, &bench.keys).store_view("nowhere")).await;
        assert_eq!((error.kind(), error.code()), (ErrorKind::Config, "store_view_unknown"));
    }
    let set =
        |change: fn(&mut lily_connect::testkit::magento::Conditions)| bench.store.set_conditions(change);
    set(|conditions| conditions.bearer_tokens = true);
    assert!(bearer().private_hosts(true).build().unwrap().connect(&bench.runtime).await.is_ok());
    set(|conditions| conditions.firewall = true);
    assert_eq!(refused(&bench, config(&url, &bench.keys)).await.code(), "blocked");
    set(|conditions| (conditions.firewall, conditions.needs_index_php) = (false, true));
    assert_eq!(refused(&bench, config(&url, &bench.keys)).await.code(), "api_not_found");
    let behind = config(&format!("{url}/index.php"), &bench.keys).build().unwrap();
    assert!(behind.connect(&bench.runtime).await.is_ok());
    set(|conditions| (conditions.needs_index_php, conditions.maintenance) = (false, true));
    assert_eq!(refused(&bench, config(&url, &bench.keys)).await.code(), "maintenance");
}

#[tokio::test]
async fn a_shop_that_does_not_tell_its_stock_is_pulled_without_and_says_so() {
    let bench = bench(10).await;
    bench.store.allow_only([
        "Magento_Catalog::products",
        "Magento_Catalog::attributes_attributes",
        "Magento_Catalog::categories",
        "Magento_Backend::store",
    ]);
    let connector = bench.again(|settings| settings).await;
    let (certificate, records) = pull(&(connector.clone() as Arc<_>), &state(), Entity::Product).await;
    assert!(
        certificate.is_complete() && records.iter().all(|it| it.get("inventory").is_none()),
        "{certificate}"
    );
    let health = connector.check().await.unwrap();
    assert!(health.findings.iter().any(|it| it.code == "stock_unreadable"), "{health:?}");
}

/// With a supplied profile nobody asked the shop beforehand whether it tells its stock.
#[tokio::test]
async fn a_shop_without_stock_is_pulled_with_a_supplied_profile_too() {
    let bench = bench(10).await;
    bench.store.allow_only([
        "Magento_Catalog::products",
        "Magento_Catalog::attributes_attributes",
        "Magento_Catalog::categories",
    ]);
    let profile = lily_connect::model::StoreProfile::unknown();
    let connector = bench.again(|settings| settings.profile(profile)).await;
    for entity in [Entity::Product, Entity::Variant] {
        let (certificate, records) = pull(&(connector.clone() as Arc<_>), &state(), entity).await;
        assert!(certificate.is_complete() && !records.is_empty(), "{certificate}");
        assert!(records.iter().all(|it| it.get("inventory").is_none()));
    }
    let refused = bench.server.traffic().count_where(|entry| entry.path.ends_with("/source-items"));
    assert_eq!(refused, 2, "it is asked once more for a refresh of the credentials, and no more");
    let health = connector.check().await.unwrap();
    assert!(health.findings.iter().any(|it| it.code == "stock_unreadable"), "{health:?}");
}

#[derive(Debug)]
struct Factor(MagentoFake);

#[async_trait]
impl OneTimePassword for Factor {
    async fn code(&self) -> Result<Secret> {
        Ok(Secret::new(self.0.one_time_password("ada")))
    }
}

#[tokio::test]
async fn an_administrator_comes_in_with_a_second_factor_and_stays_in_when_the_token_ends() {
    let bench = bench(3).await;
    bench.store.add_admin("ada", "lovelace");
    let admin = |factor| {
        MagentoConfig::builder(bench.server.url()).administrator("ada", Secret::new("lovelace"), factor)
    };
    let error = refused(&bench, admin(SecondFactor::None)).await;
    assert_eq!((error.kind(), error.code()), (ErrorKind::Auth, "admin_refused"));
    assert!(error.remedy().contains("two-factor"), "{error}");
    let factor = SecondFactor::Google(Arc::new(Factor(bench.store.clone())));
    let config = admin(factor).private_hosts(true).build().unwrap();
    assert!(!format!("{config:?}").contains("lovelace"));
    let connector = Arc::new(config.connect(&bench.runtime).await.unwrap());
    bench.store.expire_tokens();
    let (certificate, _) = pull(&(connector as Arc<_>), &state(), Entity::Product).await;
    assert!(certificate.is_complete(), "{certificate}");
}

#[tokio::test]
async fn the_cloud_service_is_the_same_connector_at_another_address() {
    let bench = bench(0).await;
    let builder = MagentoFake::builder(bench.clock.clone()).seed(7).edition(Edition::CloudService);
    let store = super::common::documents::official(builder).build();
    store.seed_products(20);
    let client = store.issue_ims_client("project");
    let server = Service::new(store.clone()).start().await.unwrap();
    let url = format!("{}/{}", server.url(), store.settings().tenant);
    let project = || {
        CloudProject::new(&client.client_id, Secret::new(client.client_secret.clone()), &client.organization)
            .identity_service(server.url())
    };
    for view in [None, Some("de")] {
        let mut settings = MagentoConfig::builder(&url).cloud(project()).private_hosts(true);
        if let Some(view) = view {
            settings = settings.store_view(view);
        }
        let connector = Arc::new(settings.build().unwrap().connect(&bench.runtime).await.unwrap());
        let desk = Desk::new(&bench, connector);
        let (certificate, records) = pull(&desk.connector, &desk.state, Entity::Product).await;
        assert!(certificate.is_complete(), "{certificate}");
        let record = records[0].clone();
        let id: u64 = record["ref"]["id"].as_str().unwrap().parse().unwrap();
        desk.land(&bench, &Desk::enrich(&bench, &record, Desk::text(&record, "title", "A cap"))).await;
        let scope = view.map_or(0, |view| store.view_id(view).unwrap());
        assert_eq!(store.product(id).unwrap().own(scope, "name"), Some("A cap"));
        store.expire_tokens();
        bench.clock.advance(std::time::Duration::from_secs(60));
        let (certificate, _) = pull(&desk.connector, &desk.state, Entity::Category).await;
        assert!(certificate.is_complete(), "{certificate}");
    }
    assert!(store.unexpected().is_empty(), "{:?}", store.unexpected());
    assert!(store.violations().is_empty(), "{:?}", store.violations());
}

#[tokio::test]
async fn a_page_that_the_store_cannot_build_is_asked_for_by_halves() {
    use lily_connect::testkit::faults::{Fault, FaultRule};
    let bench = bench(60).await;
    let rule = FaultRule::new(Fault::status(504)).matching(|request| {
        let size = request.query.split_once("pageSize%5D=").and_then(|(_, rest)| rest.split('&').next());
        request.path.ends_with("/V1/products") && size.and_then(|size| size.parse::<u32>().ok()) > Some(30)
    });
    bench.server.faults().push(rule.times(1000));
    let (certificate, records) = pull(&own(&bench), &state(), Entity::Product).await;
    assert!(certificate.is_complete() && records.len() == 96, "{certificate}");
    assert_eq!(json!(records.len()), json!(96));
}

#[tokio::test]
async fn an_activated_integration_gives_its_token_once_and_to_its_own_site_alone() {
    use lily_connect::connectors::magento::activation::{Activation, read_identity};
    let bench = bench(3).await;
    let url = bench.server.url();
    let form = |name: &str| {
        let fields = bench.store.activate_integration(name, &format!("{url}/"));
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
    };
    let activation = Activation::read(form("app").as_bytes(), &url).unwrap();
    let query = format!("oauth_consumer_key={}&success_call_back={url}/done", activation.consumer_key());
    assert_eq!(read_identity(&query, &activation).unwrap().path(), "/done");
    let granted = activation.exchange(&bench.runtime, true).await.unwrap();
    let connector =
        granted.settings().private_hosts(true).build().unwrap().connect(&bench.runtime).await.unwrap();
    let (certificate, _) = pull(&(Arc::new(connector) as Arc<_>), &state(), Entity::Product).await;
    assert!(certificate.is_complete(), "{certificate}");
    // A second exchange is refused, as is one by somebody who guessed the verifier.
    let again = activation.exchange(&bench.runtime, true).await.unwrap_err();
    assert_eq!((again.kind(), again.code()), (ErrorKind::Auth, "activation_refused"), "{again}");
    let forged = form("other").replace("oauth_verifier=", "oauth_verifier=0");
    let forged = Activation::read(forged.as_bytes(), &url).unwrap();
    assert_eq!(forged.exchange(&bench.runtime, true).await.unwrap_err().code(), "activation_refused");
    for secret in [&granted.token_secret, &granted.consumer_secret] {
        assert!(!format!("{granted:?}{activation:?}{again}").contains(secret.expose()));
    }
}
