//! Probing a store: what stands in the way of pulls and pushes, each with its remedy.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::connector::Magento;
use super::search::Search;
use super::wire::{self, Scope};
use crate::connector::{Finding, Health, PullRequest, Severity};
use crate::error::Error;
use crate::model::Entity;

/// A signature's time may be 10 minutes off; half of it is time to act.
const CLOCK_SKEW: Duration = Duration::from_secs(300);

/// The findings so far.
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, code: &str, severity: Severity, evidence: impl Into<String>, remedy: &str) {
        self.0.push(Finding::new(code, severity, evidence, remedy));
    }

    fn error(&mut self, error: &Error) {
        self.add(error.code(), Severity::Error, error.message().to_owned(), error.remedy());
    }
}

impl Magento {
    /// Asks for one product, one attribute and one category; the rest is known from connecting.
    pub(super) async fn examine(&self) -> Health {
        let mut findings = Findings(Vec::new());
        if !self.client.origin().is_https() && !self.client.origin().is_loopback() {
            findings.add(
                "plain_http",
                Severity::Warning,
                "the address begins with http://: what is read and written can be seen and changed on its way",
                "give the site a certificate, and give its address with https://",
            );
        }
        let request = PullRequest::all(Entity::Product);
        let before = self.runtime.clock().now();
        for (below, sort) in [
            ("products", "entity_id"),
            ("products/attributes", "attribute_id"),
            ("categories/list", "entity_id"),
        ] {
            match self.searched(&request, &self.scope, below, Search::page(sort, 1)).await {
                Ok(answered) if below == "products" => {
                    let theirs = answered.server_time;
                    let skew = theirs.map(|theirs| theirs.since(before).max(before.since(theirs)));
                    if skew.is_some_and(|skew| skew > CLOCK_SKEW) {
                        findings.add(
                            "clock_skew",
                            Severity::Warning,
                            "the store's clock and this machine's are minutes apart",
                            "set both clocks by a time service: signed requests are refused where they differ much",
                        );
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    findings.error(&error);
                    if below == "products" {
                        return Health { findings: findings.0 };
                    }
                }
            }
        }
        self.check_profile(&mut findings);
        Health { findings: findings.0 }
    }

    fn check_profile(&self, findings: &mut Findings) {
        if !self.reads_stock.load(Ordering::Relaxed) {
            findings.add(
                "stock_unreadable",
                Severity::Note,
                "the shop does not tell its stock to these credentials, so records have none",
                "give the integration the resource Magento_InventoryApi::inventory, where stock is wanted",
            );
        }
        if self.cap.fit(wire::MAX_PAGE) < wire::MAX_PAGE {
            findings.add(
                "pages_capped",
                Severity::Note,
                format!("the shop takes at most {} records a page", self.cap.fit(wire::MAX_PAGE)),
                "raise the limit under Stores, Configuration, Services, Web API, where pulls take too long",
            );
        }
        let profile = &self.info.profile;
        if profile.currency.is_none() || profile.mass_unit.is_none() {
            findings.add(
                "settings_unreadable",
                Severity::Warning,
                "currency or unit of weight is not known: prices or weights are dropped",
                "let the integration read the store's configuration, or supply a profile",
            );
        }
        if self.scope == Scope::All {
            findings.add(
                "scope_all",
                Severity::Note,
                "the values that all views share are read and written: a view that has its own does not show them",
                "set the store view to read and write the values of one view",
            );
        }
    }
}
