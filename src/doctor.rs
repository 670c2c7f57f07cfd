//! What stands in a store's way, as a report: each finding with its evidence and its remedy.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::connector::{Connector, Finding, Severity, SubscriptionStatus, WebhookSource};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{StoreKey, Text};

/// What an examination found.
///
/// Its `Display` is the report as text; its serialised form is stable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// The store; none where it could not be connected to.
    pub store: Option<StoreKey>,
    /// The version of the platform, where it is known.
    pub version: Option<Text>,
    /// The findings, the gravest first.
    pub findings: Vec<Finding>,
}

/// Probes a store.
///
/// It reads, and writes nothing; how a connector finds out whether it may write is said in its own documents.
///
/// # Errors
/// What [`Connector::check`] says: only where no finding could be made at all.
///
/// # Examples
/// ```no_run
/// # async fn run() -> lily_connect::Result<()> {
/// use lily_connect::{ConnectorConfig, doctor, registry::runtime_from_env};
///
/// let runtime = runtime_from_env()?;
/// let report = match ConnectorConfig::from_env()?.connect(&runtime).await {
///     Ok(store) => doctor::examine(&*store).await?,
///     Err(error) => doctor::Report::of_refusal(error)?,
/// };
/// eprint!("{report}");
/// # Ok(())
/// # }
/// ```
pub async fn examine(connector: &dyn Connector) -> Result<Report> {
    let health = connector.check().await?;
    let info = connector.info();
    let report = Report {
        store: Some(info.store.clone()),
        version: info.profile.version.clone(),
        findings: Vec::new(),
    };
    let webhooks = match connector.webhooks() {
        // A credential that cannot be used has its finding already.
        Some(source) if !health.findings.iter().any(|found| found.severity == Severity::Error) => {
            webhook_findings(source).await
        }
        _ => Vec::new(),
    };
    Ok(report.with(health.findings).with(webhooks))
}

/// What stands in the way of being told of changes.
async fn webhook_findings(source: &dyn WebhookSource) -> Vec<Finding> {
    let ours = match source.subscriptions().await {
        Ok(ours) => ours,
        Err(error) => {
            let remedy = "give the key the right to read webhooks, or rely on scheduled pulls";
            return vec![Finding::new("webhooks_unreadable", Severity::Note, error.message(), remedy)];
        }
    };
    ours.iter()
        .filter_map(|known| {
            let (code, what) = match known.status {
                SubscriptionStatus::Active => return None,
                SubscriptionStatus::Paused => ("webhook_paused", "was paused by somebody"),
                SubscriptionStatus::Disabled => ("webhook_disabled", "was disabled after failed deliveries"),
            };
            let evidence =
                format!("the subscription {} to {:?} of {} {what}", known.id, known.topic, known.label);
            let remedy = match known.status {
                SubscriptionStatus::Paused => "switch it on in the store, or remove it",
                _ => "call heal, which makes a new one: switching it on again keeps its count of failures",
            };
            Some(Finding::new(code, Severity::Warning, evidence, remedy))
        })
        .collect()
}

impl Report {
    /// Makes the report of a store that answered and could not be connected to: its refusal is the finding.
    ///
    /// # Errors
    /// The error itself where no store answered, so that nothing was examined: a wrong setting, no connection.
    pub fn of_refusal(error: Error) -> Result<Self> {
        let answered = error.context().iter().any(|(name, _)| *name == "status")
            || matches!(
                error.kind(),
                ErrorKind::Auth
                    | ErrorKind::Forbidden
                    | ErrorKind::NotFound
                    | ErrorKind::Protocol
                    | ErrorKind::RateLimited
                    | ErrorKind::Rejected
                    | ErrorKind::Unsupported
            );
        if !answered {
            return Err(error);
        }
        let mut evidence = error.message().to_owned();
        for (name, value) in error.context() {
            evidence.push_str(&format!(" {name}={value}"));
        }
        let finding = Finding::new(error.code(), Severity::Error, evidence, error.remedy());
        Ok(Self { store: None, version: None, findings: vec![finding] })
    }

    /// The same with further findings, such as those on a store's webhooks.
    #[must_use]
    pub fn with(mut self, findings: impl IntoIterator<Item = Finding>) -> Self {
        self.findings.extend(findings);
        self.findings.sort_by_key(|finding| grade(finding.severity));
        self
    }

    /// The gravest severity; none where nothing was found.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).min_by_key(|severity| grade(*severity))
    }

    /// The exit status of a program that examines: 3 where an error stands, else 0. Warnings and notes leave
    /// it at 0, since work can go on.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        if self.worst() == Some(Severity::Error) { 3 } else { 0 }
    }

    /// The report as JSON.
    ///
    /// # Errors
    /// None that is known: all of a report can be written as JSON.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|_| {
            Error::new(ErrorKind::Config, "report_unwritable", "the report cannot be written as JSON")
        })
    }
}

/// The gravest first.
const fn grade(severity: Severity) -> u8 {
    match severity {
        Severity::Error => 0,
        Severity::Warning => 1,
        Severity::Note => 2,
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(store) = &self.store {
            let version = self.version.as_deref().map_or_else(String::new, |version| format!(" {version}"));
            writeln!(f, "{}{version} at {}", store.platform, store.account)?;
        }
        if self.findings.is_empty() {
            return writeln!(f, "nothing stands in the way");
        }
        for finding in &self.findings {
            let severity = match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Note => "note",
            };
            writeln!(f, "{severity}: {} [{}]", finding.evidence, finding.code)?;
            if !finding.remedy.is_empty() {
                writeln!(f, "  remedy: {}", finding.remedy)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(severities: &[Severity]) -> Report {
        let findings = severities.iter().map(|severity| Finding::new("code", *severity, "seen", "do"));
        Report { store: None, version: None, findings: Vec::new() }.with(findings)
    }

    #[test]
    fn only_an_error_moves_the_exit_status_and_the_gravest_comes_first() {
        assert_eq!((report(&[]).exit_status(), report(&[]).worst()), (0, None));
        let mild = report(&[Severity::Note, Severity::Warning]);
        assert_eq!((mild.exit_status(), mild.worst()), (0, Some(Severity::Warning)));
        let grave = report(&[Severity::Note, Severity::Error, Severity::Warning]);
        assert_eq!((grave.exit_status(), grave.findings[0].severity), (3, Severity::Error));
        assert_eq!(report(&[]).to_string(), "nothing stands in the way\n");
        assert_eq!(
            grave.to_string(),
            "error: seen [code]\n  remedy: do\nwarning: seen [code]\n  remedy: do\nnote: seen [code]\n  remedy: do\n"
        );
        let back: Report = serde_json::from_str(&grave.to_json().unwrap()).unwrap();
        assert_eq!(back, grave);
    }

    #[test]
    fn a_refusal_is_a_finding_and_a_store_that_is_not_reached_is_an_error() {
        let refused = Error::new(ErrorKind::Auth, "key_refused", "no").with_context("status", "401");
        let report = Report::of_refusal(refused.with_remedy("a new key")).unwrap();
        assert_eq!(report.to_string(), "error: no status=401 [key_refused]\n  remedy: a new key\n");
        let unreached = Error::new(ErrorKind::Unavailable, "connect_failed", "no connection");
        assert_eq!(Report::of_refusal(unreached).unwrap_err().code(), "connect_failed");
        assert!(Report::of_refusal(Error::new(ErrorKind::Config, "variable_missing", "none")).is_err());
    }
}
