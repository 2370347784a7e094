//! A report as lines of text and as JSON: the same words in every program that prints one.
#![forbid(unsafe_code)]

use std::fmt;

use serde_json::{Value, json};

use super::{Bound, Edge, PropertyState, Report, TimeSeen};
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
        let told = self.times.iter().filter(|it| {
            let shown = [&self.not_before, &self.not_after];
            !shown.contains(&&Some(it.bound.clone()))
        });
        out.extend(told.take(DETAILS).map(|it| escape(&format!("  - {it}"))));
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
            "times": self.times.iter().map(time).collect::<Vec<_>>(),
            "not_proven": self.residual,
            "policy": policy,
        })
    }
}

fn time(seen: &TimeSeen) -> Value {
    json!({
        "edge": seen.edge.name(),
        "at": Timestamp::from_unix_ns(seen.bound.unix_ns).to_string(),
        "by": seen.bound.by,
        "leaves": seen.leaves,
        "of_all": seen.of_all,
        "checked": seen.unchecked.is_none(),
        "why": seen.unchecked,
    })
}

impl Edge {
    fn name(self) -> &'static str {
        match self {
            Self::NotBefore => "not_before",
            Self::NotAfter => "not_after",
        }
    }
}

impl fmt::Display for TimeSeen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = Timestamp::from_unix_ns(self.bound.unix_ns);
        let (by, leaves) = (&self.bound.by, self.leaves);
        match self.edge {
            Edge::NotBefore => write!(f, "not before {at} ({by}): what lies behind leaf {leaves}")?,
            Edge::NotAfter => write!(f, "not after {at} ({by}): the first {leaves} leaves")?,
        }
        if !self.of_all {
            f.write_str(", which is a part of what was checked")?;
        }
        match &self.unchecked {
            None => f.write_str("; checked"),
            Some(why) => write!(f, "; not checked: {why}"),
        }
    }
}
