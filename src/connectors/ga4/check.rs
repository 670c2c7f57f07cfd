//! Probing a property: what stands in the way of reading it, each with its remedy.

use super::admin::CustomDimension;
use super::classify::FORBIDDEN;
use super::connector::Ga4;
use super::{classify, discover, map, report};
use crate::connector::{Connector as _, Finding, Health, Severity};
use crate::error::{Error, Result};
use crate::model::performance::SubjectKind;
use crate::time::Days;

impl Ga4 {
    /// Asks for the property's settings, its fields, whether those of each report go together, and a row of each.
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
                let known = self.info().profile.time_zone.as_deref();
                if known != Some(property.time_zone.as_str()) {
                    findings.push(Finding::new(
                        "time_zone_moved",
                        Severity::Warning,
                        "the property's time zone is another one than when it was connected",
                        "connect anew: days are those of the time zone",
                    ));
                }
                let currency = property.currency_code.parse().ok();
                if currency.is_some() && self.info().profile.currency != currency {
                    findings.push(Finding::new(
                        "currency_moved",
                        Severity::Warning,
                        "the property's currency is another one than when it was connected",
                        "connect anew, and do not add amounts of before to those of now",
                    ));
                }
            }
            // Reports tell time zone and currency, too.
            Err(error) => findings.push(self.of(&error, Severity::Warning)),
        }
        let read = async {
            self.fields(&mut findings).await?;
            self.compatibility(&mut findings).await?;
            self.numbers(&mut findings).await
        };
        if let Err(error) = read.await {
            findings.push(self.of(&error, Severity::Error));
        }
        self.stream(&mut findings).await;
        Health { findings }
    }

    async fn fields(&self, findings: &mut Vec<Finding>) -> Result<()> {
        let fields = self.metadata().await?;
        let asked = self.reads.kinds().flat_map(map::metrics);
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
        for kind in self.reads.kinds() {
            let report = report::of(kind, days, self.reads.skip_empty);
            if !self.check_compatibility(&report).await?.is_compatible {
                findings.push(Finding::new(
                    "fields_incompatible",
                    Severity::Error,
                    format!(
                        "the fields of the report on {} do not go together in this property",
                        of_kind(kind)
                    ),
                    "leave the report out in the settings, and report it",
                ));
            }
        }
        Ok(())
    }

    /// What reports of the last week say of their numbers, and of what is left of the quotas.
    async fn numbers(&self, findings: &mut Vec<Finding>) -> Result<()> {
        let today = self.today()?;
        let days = Days::new(today.saturating_sub(7), today.saturating_sub(1))?;
        let kinds: Vec<SubjectKind> = self.reads.kinds().collect();
        let report = |kind: &SubjectKind| report::of(*kind, days, self.reads.skip_empty).rows(0, 1);
        let pages = self.batch_run_reports(&kinds.iter().map(report).collect::<Vec<_>>()).await?;
        let mut warn = |code, evidence: String, remedy| {
            findings.push(Finding::new(code, Severity::Warning, evidence, remedy));
        };
        for (kind, page) in kinds.iter().zip(&pages) {
            let (what, quality) = (of_kind(*kind), &page.quality);
            if page.row_count == 0 {
                warn(
                    "nothing_measured",
                    format!("no {what} were measured in the last seven days"),
                    "see that the shop's tags send them, and to this property",
                );
            }
            for (holds, code, evidence, remedy) in [
                (
                    quality.thresholded,
                    "numbers_thresholded",
                    "small rows may be held back for privacy",
                    "look at the property's reporting identity; no narrower filter brings them back",
                ),
                (
                    quality.other_row,
                    "numbers_folded",
                    "rows beyond a bound are folded into (other), so the others are lower bounds",
                    "have the tags send fewer distinct values, and pull shorter ranges",
                ),
                (
                    quality.sampled,
                    "numbers_sampled",
                    "the numbers are estimates from a sample",
                    "pull shorter ranges",
                ),
                (
                    quality.truncated,
                    "numbers_truncated",
                    "the property has data of a part of the days only",
                    "see since when it has been measuring, and how long it keeps data",
                ),
            ] {
                if holds {
                    warn(code, format!("of {what}: {evidence}"), remedy);
                }
            }
        }
        let left = pages.last().map(|page| page.quota).unwrap_or_default();
        for (left, standard, what) in [
            (left.project_hour, classify::PROJECT_HOUR, "the project's hour"),
            (left.hour, classify::HOUR, "the property's hour"),
            (left.day, classify::DAY, "the property's day"),
        ] {
            if let Some(left) = left.filter(|left| left.saturating_mul(4) < standard) {
                warn(
                    "quota_low",
                    format!("{left} tokens of {what} are left"),
                    "pull less often or shorter ranges, and see who else reads the property",
                );
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
        if let Ok(known) = self.custom_dimensions().await {
            let lacks = |wanted: &CustomDimension| {
                let same = |it: &CustomDimension| {
                    (&it.parameter_name, it.scope) == (&wanted.parameter_name, wanted.scope)
                };
                !known.iter().any(same)
            };
            let missing: Vec<CustomDimension> =
                CustomDimension::of_exposure().into_iter().filter(lacks).collect();
            let names: Vec<&str> = missing.iter().map(|it| it.parameter_name.as_str()).collect();
            if !names.is_empty() {
                findings.push(Finding::new(
                    "custom_dimension_missing",
                    Severity::Warning,
                    format!("no report can tell events on content apart by {}", names.join(", ")),
                    "make the custom dimensions with create_custom_dimensions before events are sent",
                ));
            }
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

impl Ga4 {
    /// A refusal, with the account that has to be let in.
    fn of(&self, error: &Error, severity: Severity) -> Finding {
        let mut evidence = error.message().to_owned();
        if let (FORBIDDEN, Some(account)) = (error.code(), &self.account) {
            evidence.push_str(&format!(": {account}"));
        }
        Finding::new(error.code(), severity, evidence, error.remedy().to_owned())
    }
}

/// What a report is on, in words.
fn of_kind(kind: SubjectKind) -> &'static str {
    match kind {
        SubjectKind::Item => "items",
        SubjectKind::Page => "pages",
        SubjectKind::SearchLanding => "visits from search",
    }
}
