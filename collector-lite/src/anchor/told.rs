//! How the anchors stand, as people and programs are told.

use std::fmt::Write;

use serde_json::{Value, json};

use super::board::Standing;

/// What is known at one moment.
pub(crate) struct Told<'a> {
    pub(crate) standings: &'a [(String, Standing)],
    /// Leaves in the ledger log.
    pub(crate) size: u64,
    /// Witnesses that must cosign; 0 without witnesses.
    pub(crate) quorum: usize,
    /// Size of the newest checkpoint that a quorum cosigned.
    pub(crate) witnessed: Option<u64>,
    /// Why nothing is signed.
    pub(crate) held: Option<String>,
    pub(crate) now_ns: u64,
}

fn age_s(now_ns: u64, then_ns: u64) -> u64 {
    now_ns.saturating_sub(then_ns) / 1_000_000_000
}

impl Told<'_> {
    /// The anchor that took a checkpoint last.
    pub(crate) fn last(&self) -> Option<(&str, &Standing, u64)> {
        let taken = self.standings.iter().filter_map(|(holder, standing)| {
            let taken = standing.taken.as_ref()?;
            Some((holder.as_str(), standing, taken.at_ns))
        });
        taken
            .max_by_key(|(_, _, at_ns)| *at_ns)
            .map(|(holder, standing, at_ns)| (holder, standing, age_s(self.now_ns, at_ns)))
    }

    /// Everything, as JSON.
    pub(crate) fn json(&self) -> Value {
        let anchors: Vec<Value> = self
            .standings
            .iter()
            .map(|(holder, standing)| {
                let taken = standing.taken.as_ref();
                json!({
                    "holder": holder,
                    "kind": standing.spec.kind_name(),
                    "every_s": standing.spec.every_s,
                    "size": taken.map(|taken| taken.size),
                    "at_ns": taken.map(|taken| taken.at_ns.to_string()),
                    "age_s": taken.map(|taken| age_s(self.now_ns, taken.at_ns)),
                    "tried_ns": standing.tried_ns.map(|tried| tried.to_string()),
                    "behind": self.size.saturating_sub(taken.map_or(0, |taken| taken.size)),
                    "handle": taken.map(|taken| &taken.handle),
                    "failing_s": standing.failing.as_ref().map(|failing| age_s(self.now_ns, failing.since_ns)),
                    "error": standing.failing.as_ref().map(|failing| &failing.why),
                    "failures": standing.failures,
                    "leaving": standing.leaving.is_some(),
                    "remark": standing.remark,
                })
            })
            .collect();
        json!({
            "size": self.size,
            "signing_held": self.held,
            "quorum": self.quorum,
            "witnessed": self.witnessed,
            "last_anchored": self.last().map(|(holder, _, age_s)| json!({ "holder": holder, "age_s": age_s })),
            "anchors": anchors,
        })
    }

    /// Lines in the text format of Prometheus.
    pub(crate) fn metrics(&self, text: &mut String) {
        let mut family = |name: &str, kind: &str, help: &str, value: &dyn Fn(&Standing) -> u64| {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for (holder, standing) in self.standings {
                let holder = holder.replace('\\', "\\\\").replace('"', "\\\"");
                let kind = standing.spec.kind_name();
                let _ = writeln!(
                    text,
                    "{name}{{kind=\"{kind}\",holder=\"{holder}\"}} {}",
                    value(standing)
                );
            }
        };
        let since = |standing: &Standing| {
            age_s(
                self.now_ns,
                standing
                    .taken
                    .as_ref()
                    .map_or(standing.since_ns, |taken| taken.at_ns),
            )
        };
        let size = |standing: &Standing| standing.taken.as_ref().map_or(0, |taken| taken.size);
        family(
            "recount_anchor_age_seconds",
            "gauge",
            "Since the anchor took a checkpoint, or since it is configured.",
            &since,
        );
        family(
            "recount_anchor_behind_leaves",
            "gauge",
            "Leaves that the anchor's newest checkpoint does not cover.",
            &|standing| self.size.saturating_sub(size(standing)),
        );
        family(
            "recount_anchor_failing",
            "gauge",
            "1 while the anchor does not take checkpoints.",
            &|standing| u64::from(standing.failing.is_some()),
        );
        family(
            "recount_anchor_failures_total",
            "counter",
            "Attempts that failed.",
            &|standing| standing.failures,
        );
        let _ = writeln!(
            text,
            "# HELP recount_signing_held 1 while nothing is signed because of a conflict.\n\
             # TYPE recount_signing_held gauge\nrecount_signing_held {}\n\
             # HELP recount_witnessed_size Size of the newest checkpoint that enough witnesses cosigned.\n\
             # TYPE recount_witnessed_size gauge\nrecount_witnessed_size {}",
            u64::from(self.held.is_some()),
            self.witnessed.unwrap_or(0)
        );
    }
}

/// `3 s`, `5 min`, `2 h`, `4 d`.
pub(crate) fn ago(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}
