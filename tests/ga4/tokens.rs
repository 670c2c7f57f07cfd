//! Tokens: assertions by which clock, refreshes early and once, files in their forms.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use lily_connect::connector::Connector;
use lily_connect::connectors::ga4::Report;
use lily_connect::testkit::FakeClock;
use lily_connect::testkit::server::Service;
use lily_connect::time::Days;
use lily_connect::{ErrorKind, Runtime};

use crate::bench::{PROPERTY, bench, config, fake, runtime};

/// A private key in PEM, made for the run.
pub(crate) fn key() -> String {
    static KEY: OnceLock<String> = OnceLock::new();
    let make = || {
        let size = rcgen::RsaKeySize::_2048;
        rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size).unwrap().serialize_pem()
    };
    KEY.get_or_init(make).clone()
}

async fn connected(
    fake_clock: &Arc<FakeClock>,
    runtime: &Runtime,
) -> (lily_connect::testkit::ga4::Ga4Fake, u64) {
    let fake = fake(fake_clock.clone());
    fake.seed_property(PROPERTY, 2, 2, 3);
    let file = fake.issue_account(&key()).unwrap();
    let server = Service::new(fake.clone()).start().await.unwrap();
    let config = config(&server.url(), &file).build().unwrap();
    let connector = config.connect(runtime).await.unwrap();
    assert_eq!(connector.info().profile.time_zone.as_deref(), Some("America/Los_Angeles"));
    let asked = fake.token_requests();
    (fake, asked)
}

#[tokio::test]
async fn a_service_account_signs_by_our_clock() {
    let clock = Arc::new(FakeClock::automatic());
    let (_, asked) = connected(&clock, &runtime(&clock)).await;
    assert_eq!(asked, 1);
}

#[tokio::test]
async fn a_clock_that_is_off_is_corrected_by_the_endpoints_date_and_only_once() {
    for (ahead, hours) in [(true, 3), (false, 5)] {
        let (theirs, ours) = (Arc::new(FakeClock::automatic()), Arc::new(FakeClock::automatic()));
        let behind = if ahead { &theirs } else { &ours };
        behind.advance(Duration::from_secs(hours * 3600));
        let (_, asked) = connected(&theirs, &runtime(&ours)).await;
        // Refused once for its times, and signed once more.
        assert_eq!(asked, 2, "{ahead}");
    }
}

#[tokio::test]
async fn a_foreign_key_is_refused_and_not_asked_with_over_and_over() {
    let clock = Arc::new(FakeClock::automatic());
    let fake = fake(clock.clone());
    fake.seed_property(PROPERTY, 2, 2, 3);
    let other = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
    let file = fake.issue_account(&key()).unwrap();
    let mut file: serde_json::Value = serde_json::from_str(&file).unwrap();
    file["private_key"] = other.serialize_pem().into();
    let server = Service::new(fake.clone()).start().await.unwrap();
    let config = config(&server.url(), &file.to_string()).build().unwrap();
    let error = config.connect(&runtime(&clock)).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Auth, "assertion_refused"));
    assert_eq!(fake.token_requests(), 1);
    assert!(!format!("{error:?} {config:?}").contains("PRIVATE"));
}

#[tokio::test]
async fn a_token_is_got_once_for_all_callers_and_renewed_before_it_ends() {
    let bench = bench(2, 2).await;
    assert_eq!(bench.fake.token_requests(), 1);
    let report = Report::new(bench.last(1)).metric("sessions");
    // Five minutes before its end it is due.
    bench.clock.advance(Duration::from_secs(3599 - 301));
    bench.connector.run_report(&report).await.unwrap();
    assert_eq!(bench.fake.token_requests(), 1);
    bench.clock.advance(Duration::from_secs(2));
    let one = || bench.connector.run_report(&report);
    let (a, b, c, d) = tokio::join!(one(), one(), one(), one());
    assert!([a, b, c, d].iter().all(Result::is_ok));
    assert_eq!(bench.fake.token_requests(), 2);
}

#[tokio::test]
async fn a_token_that_was_ended_early_is_renewed_once_and_a_login_that_was_withdrawn_is_told() {
    let bench = bench(2, 2).await;
    bench.fake.expire_tokens();
    let report = Report::new(bench.last(1)).metric("sessions");
    bench.connector.run_report(&report).await.unwrap();
    assert_eq!(bench.fake.token_requests(), 2);
    bench.fake.revoke_users();
    let error = bench.connector.run_report(&report).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Auth, "token_grant_refused"));
    assert!(error.remedy().contains("seven days"), "{error}");
}

#[tokio::test]
async fn a_users_project_goes_along_and_an_accounts_does_not() {
    let bench = bench(2, 2).await;
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let noted = seen.clone();
    let watch =
        lily_connect::testkit::faults::FaultRule::new(lily_connect::testkit::faults::Fault::status(500))
            .matching(move |request| {
                if request.path.starts_with("/v1beta") {
                    let project = request.header("x-goog-user-project").map(str::to_owned);
                    noted.lock().unwrap().push(project);
                }
                false
            });
    bench.server.faults().push(watch);
    let days: Days = bench.last(1);
    bench.connector.run_report(&Report::new(days).metric("sessions")).await.unwrap();
    let file = bench.fake.issue_account(&key()).unwrap();
    let account = config(&bench.server.url(), &file).build().unwrap();
    account.connect(&bench.runtime).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), [Some("a-project".to_owned()), None]);
}
