//! Probing a store: what stands in the way of pulls and pushes, each with its remedy.

use serde_json::json;

use super::connector::Shopify;
use super::discover::{SCOPES, ShopProfile};
use super::{client, documents, wire};
use crate::connector::{Finding, Health, Severity};
use crate::error::Result;

impl Shopify {
    /// Asks for the shop, and for what the token may do now: a merchant can take rights back.
    pub(super) async fn examine(&self) -> Health {
        let mut findings = Vec::new();
        match self.probe().await {
            Ok((profile, degraded)) => {
                findings.extend(degraded.iter().map(|what| {
                    let evidence = match *what {
                        "api_version_differs" => {
                            "the platform answers by another version than the one asked for"
                        }
                        _ => "the platform says that a part of our queries is to go",
                    };
                    Finding::new(*what, Severity::Warning, evidence, "update this library")
                }));
                let scopes = profile.scopes();
                for (scope, without) in SCOPES {
                    // The right to write holds the right to read, whether the platform lists both or not.
                    let write = scope.replacen("read_", "write_", 1);
                    if scopes.iter().any(|own| own == scope || *own == write) {
                        continue;
                    }
                    if scope.ends_with("translations") && self.info.profile.locales.is_empty() {
                        continue;
                    }
                    let severity = if scope == "read_products" { Severity::Error } else { Severity::Warning };
                    findings.push(Finding::new(
                        format!("scope_missing_{scope}"),
                        severity,
                        format!("the token has no right {scope}: {without}"),
                        "add the scope to the app, and have the merchant accept it",
                    ));
                }
            }
            Err(error) => findings.push(Finding::new(
                error.code(),
                Severity::Error,
                error.message().to_owned(),
                error.remedy().to_owned(),
            )),
        }
        Health { findings }
    }

    async fn probe(&self) -> Result<(ShopProfile, Vec<&'static str>)> {
        let call = documents::SHOP.request(self.version.path(), &json!({}))?;
        let answered = client::answered(&self.client, self.version, call).await?;
        let data = wire::at(&answered.body, &["data"])?;
        let profile = serde_json::from_str(data.get()).map_err(|_| wire::unreadable())?;
        Ok((profile, answered.degraded().to_vec()))
    }
}
