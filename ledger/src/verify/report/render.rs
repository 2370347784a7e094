//! A report as lines of text and as JSON: the same words in every program that prints one.
#![forbid(unsafe_code)]

use serde_json::{Value, json};

use super::{Bound, PropertyState, Report};
use vocabulary::Timestamp;

/// Details of one property that are printed; the JSON has all of them.
const DETAILS: usize = 20;

impl Report {
    /// One line per property, what shows it behind its name and state; then the time interval, the policy, what is
    /// not proven, and the exit code. `escape` makes text from the ledger fit for where it is shown.
    #[must_use]
    pub fn text(&self, escape: &dyn Fn(&str) -> String) -> Vec<String> {
        let mut out = Vec::new();
        for line in &self.lines {
            let state = match line.state {
                PropertyState::Shown => "shown",
                PropertyState::NotShown => "not shown",
                PropertyState::Failed => "FAILED",
                PropertyState::NotChecked => "not checked",
            };
            out.push(format!(
                "{:<20} {state:<11} {}",
                line.property,
                escape(&line.what)
            ));
            let told = line.details.iter().filter(|detail| **detail != line.what);
            out.extend(
                told.take(DETAILS)
                    .map(|detail| format!("  - {}", escape(detail))),
            );
            if let Some(more @ 1..) = line.details.len().checked_sub(DETAILS) {
                out.push(format!("  - and {more} more; -o json lists all"));
            }
        }
        let bound = |bound: &Option<Bound>| match bound {
            Some(bound) => format!(
                "{} ({})",
                Timestamp::from_unix_ns(bound.unix_ns),
                escape(&bound.by)
            ),
            None => "unknown".to_owned(),
        };
        out.push(format!(
            "{:<20} not before {}, not after {}",
            "time",
            bound(&self.not_before),
            bound(&self.not_after)
        ));
        for what in &self.residual {
            out.push(format!("{:<20} {}", "not proven", escape(what)));
        }
        match &self.policy {
            None => {}
            Some(policy) if policy.unmet.is_empty() => {
                out.push(format!("{:<20} met", "policy"));
            }
            Some(policy) => {
                for unmet in &policy.unmet {
                    out.push(format!("{:<20} NOT MET     {}", "policy", escape(unmet)));
                }
            }
        }
        out.push(format!("{:<20} {}", "exit", self.verdict() as u8));
        out
    }

    /// `recount.verify/2` (`docs/ledger-format.md` §14).
    #[must_use]
    pub fn json(&self, place: &str) -> Value {
        let lines = self.lines.iter().map(|line| {
            json!({
                "property": line.property.name(), "state": line.state.name(),
                "what": line.what, "details": line.details,
            })
        });
        let bound = |bound: &Option<Bound>| {
            bound.as_ref().map(|bound| {
                let at = Timestamp::from_unix_ns(bound.unix_ns).to_string();
                json!({ "at": at, "by": bound.by })
            })
        };
        let policy = self
            .policy
            .as_ref()
            .map(|policy| json!({ "met": policy.unmet.is_empty(), "unmet": policy.unmet }));
        json!({
            "schema": "recount.verify/2",
            "place": place,
            "exit": self.verdict() as u8,
            "properties": lines.collect::<Vec<_>>(),
            "not_before": bound(&self.not_before),
            "not_after": bound(&self.not_after),
            "not_proven": self.residual,
            "policy": policy,
        })
    }
}
