//! Probing a store: what stands in the way of pulls and pushes, each with its remedy.

use std::time::Duration;

use http::Method;

use super::connector::{API_VERSION, WooCommerce};
use super::discover::seo_plugins;
use super::way::{Api, Key, is_closed, read_index};
use super::wire::{self, Answered, Offset};
use crate::connector::{Detail, Finding, Health, Select, Severity};
use crate::error::{Error, Result};
use crate::http::{ApiRequest, ApiResponse, Idempotency};
use crate::model::{Calls, Entity, FieldName};
use crate::time::Timestamp;

/// A signature's time may be 15 minutes off; a third of it is time to act.
const CLOCK_SKEW: Duration = Duration::from_secs(300);
/// The versions that the connector was made for: the first that lists all variations, and the last one seen.
const OLDEST: u32 = 10;
const NEWEST: u32 = 10;

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

impl WooCommerce {
    /// Asks for the index, for one product, and for a batch of nothing; the rest is known from connecting.
    pub(super) async fn examine(&self) -> Health {
        let mut findings = Findings(Vec::new());
        self.check_way(&mut findings);
        self.check_index(&mut findings).await;
        if self.check_list(&mut findings).await {
            self.check_write(&mut findings).await;
        }
        self.check_profile(&mut findings);
        Health { findings: findings.0 }
    }

    fn check_way(&self, findings: &mut Findings) {
        let origin = self.client.origin();
        if !origin.is_https() && !origin.is_loopback() {
            findings.add(
                "plain_http",
                Severity::Warning,
                "the address begins with http://: what is read and written can be seen and changed on its way",
                "give the site a certificate, and give its address with https://",
            );
        }
        if self.way.api == Api::Plain {
            findings.add(
                "plain_permalinks",
                Severity::Warning,
                "the site's permalinks are Plain, so its API answers behind ?rest_route= only",
                "choose another permalink structure under Settings, Permalinks",
            );
        }
        if self.way.key == Key::InQuery {
            findings.add(
                "authorization_stripped",
                Severity::Warning,
                "key and secret go in the query of each request, and so into access logs: the host drops the \
                 Authorization header, or it was set so",
                "have the web server pass the Authorization header to PHP, make a new key, and delete the old one",
            );
        }
    }

    async fn check_index(&self, findings: &mut Findings) {
        match read_index(&self.client).await {
            Ok(index) => {
                if !index.namespaces.iter().any(|name| name == API_VERSION) {
                    findings.add(
                        "api_missing",
                        Severity::Error,
                        format!("the site's index does not name {API_VERSION}"),
                        "activate WooCommerce, and check that no plugin switches its REST API off",
                    );
                }
                let is_written = self
                    .capabilities
                    .entity(Entity::Product)
                    .is_some_and(|claims| claims.writable(&FieldName::new("seo.title")).is_some());
                // A plugin that the settings name need not show.
                let plugins = seo_plugins(&index);
                if !(plugins.is_empty() && is_written) {
                    check_seo(&plugins, findings);
                }
            }
            // The key was proved without it.
            Err(error) if is_closed(&error) => findings.add(
                "index_closed",
                Severity::Note,
                "the site keeps its API's index from the public, so its plugins are not known",
                "let the index /wp-json/ be read without a login",
            ),
            Err(error) => findings.error(&error),
        }
        if let Some(home) = &self.home
            && !same_site(home, self.client.origin().base().as_str())
        {
            findings.add(
                "address_differs",
                Severity::Note,
                "the site names itself by another address than the one given",
                "give the site's own address: signatures and redirects depend on it",
            );
        }
    }

    /// Reads one product's id; `false` where not even that can be read.
    async fn check_list(&self, findings: &mut Findings) -> bool {
        let probe = wire::list(Entity::Product, &Select::All, Detail::IdsOnly, Offset(0), 1);
        let read = |answer: ApiResponse| {
            let clocks = answer.server_time().map(|theirs| (theirs, answer.received_at()));
            wire::answered(answer, b'[').map(|answered| (answered, clocks))
        };
        let (answered, clocks) = match self.client.execute_with(probe, read).await {
            Ok(read) => read,
            Err(error) => {
                findings.error(&error);
                return false;
            }
        };
        let Answered { total, degraded, .. } = answered;
        if total.is_none() {
            findings.add(
                "totals_stripped",
                Severity::Warning,
                "the list came without X-WP-Total",
                "let the host pass the X-WP headers: without them a pull needs a sweep to be complete",
            );
        }
        if let Some(what) = degraded {
            findings.add(
                "answers_degraded",
                Severity::Warning,
                format!("an answer was not clean JSON: {what}"),
                "switch off the display of PHP errors, and find the plugin or file that prints before the JSON",
            );
        }
        if let Some((theirs, ours)) = clocks {
            check_clocks(theirs, ours, findings);
        }
        true
    }

    /// Sends a batch of nothing: it is answered 200 to a key that may write, 401 to one that may not, and
    /// changes nothing (observed on 10.5.0).
    pub(super) async fn prove_write(&self) -> Result<()> {
        let nothing = ApiRequest::write(Method::POST, "wp-json/wc/v3/products/batch", "{}")
            .idempotency(Idempotency::Safe)
            .attempt_limits(wire::WRITE_TIMEOUT, wire::WRITE_TIMEOUT);
        self.client.execute(nothing).await.map(drop)
    }

    async fn check_write(&self, findings: &mut Findings) {
        let Err(error) = self.prove_write().await else { return };
        match error.code() {
            "key_cannot_write" => findings.add(
                "key_read_only",
                Severity::Warning,
                "the key may read and not write: pulls work, pushes are refused",
                error.remedy(),
            ),
            "key_lacks_rights" => findings.add(
                "user_cannot_write",
                Severity::Warning,
                "the key's user may read products and not write them: pulls work, pushes are refused",
                error.remedy(),
            ),
            code => findings.add(
                "writes_blocked",
                Severity::Warning,
                format!("reads pass, and a write of nothing failed with {code}: {}", error.message()),
                "let the firewall and the host pass POST to the site's API",
            ),
        }
    }

    fn check_profile(&self, findings: &mut Findings) {
        if self.reads_variants(Calls::PerParent) {
            findings.add(
                "variations_per_product",
                Severity::Warning,
                "the store has no list of all variations: each variable product costs a call",
                "update WooCommerce to 10 or later to pull variants a hundred a call",
            );
        }
        let profile = &self.info.profile;
        if profile.currency.is_none() || profile.mass_unit.is_none() || profile.length_unit.is_none() {
            findings.add(
                "settings_unreadable",
                Severity::Warning,
                "currency or units could not be read: prices or measures are dropped",
                "let the key's user read the store's settings, or supply a profile",
            );
        }
        match profile.version.as_deref().map(|version| (version, major(version))) {
            Some((version, Some(major))) if major < OLDEST => findings.add(
                "version_too_old",
                Severity::Warning,
                format!("the shop is WooCommerce {version}, and the connector was made for {OLDEST}"),
                "update WooCommerce",
            ),
            Some((version, Some(major))) if major > NEWEST => findings.add(
                "version_untested",
                Severity::Note,
                format!("the shop is WooCommerce {version}, and the last one tested is {NEWEST}"),
                "update this library, or try a pull and a push of one product first",
            ),
            Some((_, Some(_))) => {}
            Some((_, None)) | None => findings.add(
                "version_unknown",
                Severity::Note,
                "the shop's version is not known",
                "none is needed: only an administrator's key can read it",
            ),
        }
    }
}

fn check_seo(plugins: &[crate::model::Text], findings: &mut Findings) {
    match plugins {
        [_] => {}
        [] => findings.add(
            "seo_plugin_none",
            Severity::Note,
            "the site has no SEO plugin that is known, so products have no titles and descriptions for search \
             engines of their own",
            "install one where such texts are to be pulled or pushed",
        ),
        several => {
            let names: Vec<&str> = several.iter().map(|name| name.as_str()).collect();
            findings.add(
                "seo_plugin_two",
                Severity::Warning,
                format!("the site has several SEO plugins: {}", names.join(", ")),
                "switch off all but one: each shows its own texts",
            );
        }
    }
}

fn check_clocks(theirs: Timestamp, ours: Timestamp, findings: &mut Findings) {
    let (skew, which) =
        if theirs > ours { (theirs.since(ours), "ahead of") } else { (ours.since(theirs), "behind") };
    if skew > CLOCK_SKEW {
        findings.add(
            "clock_skew",
            Severity::Warning,
            format!("the store's clock is {} s {which} this machine's", skew.as_secs()),
            "set both clocks by a time service: signed requests are refused where they differ by 15 minutes",
        );
    }
}

/// The first number of a version.
fn major(version: &str) -> Option<u32> {
    version.split('.').next()?.parse().ok()
}

fn same_site(home: &str, base: &str) -> bool {
    home.trim_end_matches('/').eq_ignore_ascii_case(base.trim_end_matches('/'))
}
