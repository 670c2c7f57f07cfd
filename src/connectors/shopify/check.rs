//! Probing a store: what stands in the way of pulls and pushes, each with its remedy.

use serde_json::json;

use super::client;
use super::connector::Shopify;
use super::discover::SCOPES;
use super::documents;
use crate::connector::{Finding, Health, Severity};

impl Shopify {
    /// Asks for the shop; the rest is known from connecting.
    pub(super) async fn examine(&self) -> Health {
        let mut findings = Vec::new();
        let mut add = |code: &str, severity, evidence: String, remedy: &str| {
            findings.push(Finding::new(code, severity, evidence, remedy));
        };
        match documents::SHOP.request(self.version.path(), &json!({})) {
            Ok(call) => match client::answered(&self.client, call).await {
                Ok(answered) => {
                    for what in answered.degraded() {
                        add(
                            what,
                            Severity::Warning,
                            "the platform answered by another version than the one asked for, or with members that \
                             are to go"
                                .to_owned(),
                            "update this library",
                        );
                    }
                }
                Err(error) => {
                    add(error.code(), Severity::Error, error.message().to_owned(), error.remedy());
                }
            },
            Err(error) => add(error.code(), Severity::Error, error.message().to_owned(), error.remedy()),
        }
        match &self.scopes {
            Some(scopes) => {
                for (scope, without) in SCOPES {
                    if !scopes.iter().any(|own| own == scope) {
                        let severity =
                            if scope == "read_products" { Severity::Error } else { Severity::Warning };
                        add(
                            &format!("scope_missing_{scope}"),
                            severity,
                            format!("the token has no right {scope}: {without}"),
                            "add the scope to the app, and have the merchant accept it",
                        );
                    }
                }
            }
            None => add(
                "scopes_unknown",
                Severity::Note,
                "a profile was supplied, so the token's rights were not asked for".to_owned(),
                "connect without a profile to have them checked",
            ),
        }
        Health { findings }
    }
}
