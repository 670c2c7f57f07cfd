//! The contract suite over the connector to Google Analytics and its fake.
#![cfg(all(feature = "testkit", feature = "ga4"))]
#![allow(clippy::unwrap_used, clippy::clone_on_ref_ptr, reason = "a test")]

#[path = "common/ga4.rs"]
mod ga4;

use std::sync::Arc;

use ga4::{Bench, PROPERTY, bench, config};
use lily_connect::connector::Connector;
use lily_connect::model::{Entity, ExternalId, FieldName};
use lily_connect::runtime::Runtime;
use lily_connect::testkit::contract::{ContractFixture, On, Received, Right, Strike, Trouble};
use lily_connect::testkit::exchange::Request;
use lily_connect::testkit::faults::{Fault, FaultRule, When};
use lily_connect::testkit::ga4::{Ga4Fake, Property};
use lily_connect::time::{Day, Days};
use serde_json::{Value, json};

struct Analytics {
    bench: Bench,
    days: Days,
}

async fn analytics() -> Analytics {
    let bench = bench(6, 5).await;
    bench.server.traffic().clear();
    let days = bench.last(4);
    Analytics { bench, days }
}

/// The ids of a property's rows in a range of days.
fn ids(property: &Property, days: Days) -> Vec<ExternalId> {
    let items = property.items.keys().filter(|(day, _)| days.holds(*day));
    let items = items.map(|(day, item)| ExternalId::from(format!("item/{day}/{item}")));
    let pages = property.pages.keys().filter(|(day, _, _)| days.holds(*day));
    items.chain(pages.map(|(day, host, path)| format!("page/{day}/{host}/{path}").into())).collect()
}

fn delete(fake: &Ga4Fake, id: &ExternalId) -> bool {
    let mut parts = id.as_str().splitn(4, '/');
    let (kind, day) = (parts.next().unwrap(), parts.next().unwrap());
    let day = Day::parse(day).unwrap();
    let (one, rest) = (parts.next().unwrap().to_owned(), parts.next().unwrap_or_default().to_owned());
    let mut found = false;
    fake.change(PROPERTY, |property| {
        found = match kind {
            "item" => property.items.remove(&(day, one)).is_some(),
            _ => property.pages.remove(&(day, one, rest)).is_some(),
        };
    });
    found
}

/// Whether a request is one of the Data API, and not for a token.
fn is_report(request: &Request) -> bool {
    request.path.contains("eports") || request.path.contains("eport")
}

fn is_api(request: &Request) -> bool {
    request.path.starts_with("/v1beta/")
}

impl ContractFixture for Analytics {
    fn connector(&self) -> Arc<dyn Connector> {
        self.bench.connector()
    }

    fn runtime(&self) -> Runtime {
        self.bench.runtime.clone()
    }

    fn window(&self) -> Option<Days> {
        Some(self.days)
    }

    fn ids(&self, entity: Entity) -> Vec<ExternalId> {
        if entity != Entity::Performance {
            return Vec::new();
        }
        ids(&self.bench.fake.property(PROPERTY).unwrap(), self.days)
    }

    fn stored(&self, _: Entity, id: &ExternalId) -> Option<Value> {
        let property = self.bench.fake.property(PROPERTY).unwrap();
        ids(&property, self.days).contains(id).then(|| json!(id.as_str()))
    }

    fn edit(&self, _: Entity, _: &ExternalId, _: &FieldName, _: &str) -> bool {
        false
    }

    fn add(&self, _: Entity) -> Option<ExternalId> {
        None
    }

    fn delete(&self, _: Entity, id: &ExternalId) -> bool {
        delete(&self.bench.fake, id)
    }

    fn received(&self) -> Received {
        Received { requests: self.bench.server.traffic().requests(), writes: self.bench.fake.writes() }
    }

    fn strike(&self, strike: Strike) {
        let fault = match strike.trouble {
            Trouble::LostAnswer => Fault::Reset(When::After),
            Trouble::Refused => Fault::status(400),
            Trouble::ServerError => Fault::status(502),
            Trouble::Truncated => Fault::Truncate,
            Trouble::Malformed => Fault::Malformed,
            Trouble::Html => Fault::Html200,
            Trouble::RateLimited => Fault::TooMany { retry_after: Some(60) },
            other => panic!("the fake has no {other:?}"),
        };
        let is_read = strike.on == On::Read;
        let rule = FaultRule::new(fault).matching(move |request| is_read && is_api(request));
        self.bench.server.faults().push(rule.after(strike.after).times(strike.times));
    }

    fn delete_while_paging(&self, _: Entity, ids: Vec<ExternalId>, after_pages: u64) {
        self.bench.fake.after_request(after_pages, is_report, move |fake| {
            for id in &ids {
                delete(fake, id);
            }
        });
    }

    fn secrets(&self) -> Vec<String> {
        vec!["1//reader".to_owned(), "client-secret-of-the-app".to_owned(), "ya29.fake-1".to_owned()]
    }

    fn texts(&self) -> Vec<String> {
        let builder = config(&self.bench.server.url(), &self.bench.file);
        vec![format!("{builder:?}"), format!("{:?}", builder.build())]
    }

    fn allow(&self, right: Right) -> bool {
        let withdraws = right == Right::Nothing;
        if withdraws {
            self.bench.fake.withdraw();
        }
        withdraws
    }

    fn peak_in_flight(&self) -> Option<u64> {
        Some(self.bench.server.traffic().peak_in_flight())
    }
}

lily_connect::contract_suite!(analytics().await);
