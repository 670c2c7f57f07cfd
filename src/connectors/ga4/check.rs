//! Probing a property: what stands in the way of reading it, each with its remedy.

use super::connector::Ga4;
use super::report;
use super::{discover, map};
use crate::connector::{Finding, Health, Severity};
use crate::error::{Error, Result};
use crate::time::Days;

impl Ga4 {
    /// Asks for the property's settings, its fields, and whether those of both reports go together. It costs no report.
    pub(super) async fn examine(&self) -> Health {
        let mut findings = Vec::new();
        match discover::property(&self.admin, self.property).await {
            Ok(property) if property.delete_time.is_some() => findings.push(Finding::new(
                "property_in_the_bin",
                Severity::Error,
                "the property was deleted, and is in the bin",
                "take it out of the bin, or name another one",
            )),
            Ok(property) => {
                use crate::connector::Connector as _;
                let known = self.info().profile.time_zone.as_deref();
                if known != Some(property.time_zone.as_str()) {
                    findings.push(Finding::new(
                        "time_zone_moved",
                        Severity::Warning,
                        "the property's time zone is another one than when it was connected",
                        "connect anew: days are those of the time zone",
                    ));
                }
            }
            // Reports tell time zone and currency, too.
            Err(error) => findings.push(of(&error, Severity::Warning)),
        }
        if let Err(error) = self.fields(&mut findings).await {
            findings.push(of(&error, Severity::Error));
        } else if let Err(error) = self.compatibility(&mut findings).await {
            findings.push(of(&error, Severity::Error));
        }
        self.stream(&mut findings).await;
        Health { findings }
    }

    async fn fields(&self, findings: &mut Vec<Finding>) -> Result<()> {
        let fields = self.metadata().await?;
        let asked = map::ITEM_METRICS.iter().chain(map::PAGE_METRICS);
        for name in asked {
            let known = fields.metrics.iter().find(|field| field.api_name.as_str() == *name);
            let (code, evidence, remedy) = match known {
                None => (
                    "metric_unknown",
                    format!("the property has no metric {name}"),
                    "update this library: the platform renamed it",
                ),
                Some(field) if !field.blocked_reasons.is_empty() => (
                    "metric_hidden",
                    format!("the account may not see {name}: it reads as nothing"),
                    "give the account a role without the restriction on cost or revenue data",
                ),
                Some(_) => continue,
            };
            findings.push(Finding::new(code, Severity::Warning, evidence, remedy));
        }
        Ok(())
    }

    async fn compatibility(&self, findings: &mut Vec<Finding>) -> Result<()> {
        let today = self.today()?;
        let days = Days::new(today, today)?;
        let reads = &self.reads;
        for (read, report, what) in [
            (reads.items, report::of_items(days, false), "items"),
            (reads.pages, report::of_pages(days, false), "pages"),
        ] {
            if read && !self.check_compatibility(&report).await?.is_compatible {
                findings.push(Finding::new(
                    "fields_incompatible",
                    Severity::Error,
                    format!("the fields of the report on {what} do not go together in this property"),
                    "leave the report out in the settings, and report it",
                ));
            }
        }
        Ok(())
    }

    async fn stream(&self, findings: &mut Vec<Finding>) {
        let Some(sender) = &self.sender else { return };
        if let Ok(ids) = self.measurement_ids().await
            && !ids.iter().any(|id| id.as_str() == sender.measurement_id())
        {
            findings.push(Finding::new(
                "measurement_id_foreign",
                Severity::Warning,
                "no web stream of the property has this measurement id",
                "copy it from the property's data stream: events with another one are taken, and counted nowhere",
            ));
        }
        // The platform answers the same to a right and to a wrong secret.
        findings.push(Finding::new(
            "api_secret_unproved",
            Severity::Note,
            "nobody can say whether the stream's secret is right: events are taken with any",
            "look for an event in the property's real-time report",
        ));
    }
}

fn of(error: &Error, severity: Severity) -> Finding {
    Finding::new(error.code(), severity, error.message().to_owned(), error.remedy().to_owned())
}
