//! Probing a store: what stands in the way of pulls and pushes, each with its remedy.

use http::Method;

use super::connector::BigCommerce;
use super::{webhook, wire};
use crate::connector::{Connector, Detail, Finding, Health, Severity};
use crate::error::{Error, ErrorKind};
use crate::http::ApiRequest;
use crate::model::Entity;

impl BigCommerce {
    /// Asks for what the connector needs: each right shows only when it is used. Nothing is changed.
    pub(super) async fn examine(&self) -> Health {
        let mut findings = Vec::new();
        match self.client.execute_with(wire::store(), wire::json::<wire::StoreInformation>).await {
            Ok(store) => self.settings(&store, &mut findings),
            Err(error) if error.kind() == ErrorKind::Forbidden => findings.push(Finding::new(
                "scope_missing_store_v2_information",
                Severity::Warning,
                "the token may not read the store's settings: currency and units are not known",
                "give the API account the scope Information & settings, read-only",
            )),
            Err(error) => {
                findings.push(found(&error));
                if matches!(error.kind(), ErrorKind::Auth | ErrorKind::CircuitOpen) {
                    return Health { findings };
                }
            }
        }
        let list = |entity| wire::taxons(entity, Detail::IdsOnly, 1, 1);
        let rights: [(&str, &str, Severity, ApiRequest); 4] = [
            ("products", "products and variants cannot be read", Severity::Error, wire::probe()),
            (
                "categories",
                "products come without the names of their categories",
                Severity::Warning,
                list(Entity::Category),
            ),
            (
                "brands",
                "products come without the names of their brands",
                Severity::Warning,
                list(Entity::Brand),
            ),
            ("webhooks", "subscriptions cannot be seen", Severity::Warning, webhook::probe()),
        ];
        for (what, without, severity, call) in rights {
            match self.client.execute_with(call, wire::answered).await {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Forbidden => findings.push(Finding::new(
                    format!("scope_missing_{what}"),
                    severity,
                    format!("the token may not read {what}: {without}"),
                    "give the API account the scope Products; one of a store cannot be changed, so make a new one",
                )),
                Err(error) => findings.push(found(&error)),
            }
        }
        // A batch of no products changes nothing, and a token that may not write is refused all the same.
        let nothing = ApiRequest::write(Method::PUT, "v3/catalog/products", "[]").timeout(wire::READ_TIMEOUT);
        if let Err(error) = self.client.execute(nothing).await
            && error.kind() == ErrorKind::Forbidden
        {
            findings.push(Finding::new(
                "scope_missing_products_modify",
                Severity::Warning,
                "the token may not write products",
                "give the API account the scope Products, modify; one of a store cannot be changed, so make a new one",
            ));
        }
        Health { findings }
    }

    fn settings(&self, store: &wire::StoreInformation, findings: &mut Vec<Finding>) {
        let profile = &self.info().profile;
        let unknown = [
            ("currency", profile.currency.is_none()),
            ("weight_units", profile.mass_unit.is_none()),
            ("dimension_units", profile.length_unit.is_none()),
        ];
        for (name, _) in unknown.into_iter().filter(|(_, is_unknown)| *is_unknown) {
            findings.push(Finding::new(
                format!("store_{name}_unknown"),
                Severity::Warning,
                format!("the store's {name} is none that is known, so what is measured in it is left out"),
                "supply a profile, or set the unit in the store's control panel",
            ));
        }
        if !matches!(store.status.as_str(), "" | "live" | "prelaunch") {
            findings.push(Finding::new(
                "store_not_live",
                Severity::Note,
                "the platform says that the store is not live",
                "wait until its maintenance is over, where writes are refused",
            ));
        }
    }
}

fn found(error: &Error) -> Finding {
    Finding::new(error.code(), Severity::Error, error.message().to_owned(), error.remedy().to_owned())
}
