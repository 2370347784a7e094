//! Lines about how far the record can be relied on, and what is not known.

use super::{Fact, bounded};
use crate::model::Account;
use crate::shown::line;

pub(super) fn record(account: &Account) -> Vec<Fact> {
    let integrity = &account.integrity;
    let of: u64 = account.sessions.iter().map(|row| row.records).sum();
    let status = integrity.status.as_str().to_uppercase();
    let checked = &integrity.checked;
    let text = format!(
        "{status}  {}/{of} records, {}/{} sessions; checked by {}",
        checked.records, checked.sessions, checked.of, account.query.checked_by,
    );
    let mut list = vec![Fact::new("record", text, None)];
    for ledger in &integrity.ledgers {
        let signed = ledger.checkpoint.as_ref().map_or_else(
            || "nothing signed".to_owned(),
            |checkpoint| {
                let at = checkpoint.at.map_or_else(
                    || "at a time unknown".to_owned(),
                    |at| format!("at {at} by the collector's clock"),
                );
                format!("checkpoint {} {} {at}", checkpoint.size, checkpoint.root)
            },
        );
        let text = format!("ledger {}  {signed}  key {}", line(&ledger.id), ledger.key);
        list.push(Fact::new("record", text, None));
    }
    for row in &integrity.declared {
        let unreadable = match row.unreadable {
            0 => String::new(),
            count => format!(", {count} cannot be read"),
        };
        let text = format!(
            "{}: its end says {} records, {} are here{unreadable}",
            row.stream, row.declared, row.here
        );
        list.push(Fact {
            refs: row.refs.clone(),
            ..Fact::new("record", text, None)
        });
    }
    for row in &integrity.conflicts {
        let of = match (row.stream, row.session) {
            (Some(stream), _) => stream.to_string(),
            (None, Some(session)) => session.to_string(),
            (None, None) => "the ledger".to_owned(),
        };
        let side = |digest: &Option<String>| digest.clone().unwrap_or_else(|| "nothing".to_owned());
        let text = format!(
            "conflict at ledger leaf {}, {}: {} of {of}, {}; {} and {}",
            row.leaf,
            row.at,
            row.kind,
            line(&row.what),
            side(&row.first),
            side(&row.second),
        );
        list.push(Fact::new("record", text, None));
    }
    for gap in &integrity.gaps {
        list.push(Fact::new(
            "record",
            format!("gap: {}", line(&gap.why)),
            None,
        ));
    }
    for loss in &integrity.losses {
        let number = loss.records.map_or_else(
            || "unknown number of".to_owned(),
            |number| number.to_string(),
        );
        let text = format!("loss: {number} records, {}", line(&loss.why));
        list.push(Fact {
            refs: loss.refs.clone(),
            ..Fact::new("record", text, None)
        });
    }
    for part in &integrity.broken {
        let text = format!(
            "? marks what depends on {}: {}",
            part.name,
            line(&part.what)
        );
        list.push(Fact::new("record", text, None));
    }
    let only_short = integrity.broken.is_empty() && !account.outcome.evidence.doubt.is_empty();
    if only_short {
        let parts = account.outcome.evidence.doubt.join("; ");
        let text = format!("? marks what depends on what is not here: {}", line(&parts));
        list.push(Fact::new("record", text, None));
    }
    for what in &integrity.not_proven {
        list.push(Fact::new(
            "record",
            format!("not proven: {}", line(what)),
            None,
        ));
    }
    list
}

/// What is not known, the same reason told once.
pub(super) fn unknown(account: &Account, limit: usize) -> Vec<Fact> {
    let mut groups: Vec<(String, String, Vec<&str>)> = Vec::new();
    let mut known: std::collections::HashMap<(String, &str), usize> =
        std::collections::HashMap::new();
    for row in &account.unknown {
        let field = row
            .fact
            .trim_start_matches('/')
            .split('/')
            .filter(|part| part.parse::<u64>().is_err());
        let field = field.collect::<Vec<_>>().join(".");
        let slot = (field.clone(), row.why.as_str());
        match known.get(&slot) {
            Some(index) => groups[*index].2.push(&row.fact),
            None => {
                known.insert(slot, groups.len());
                groups.push((field, row.why.clone(), vec![&row.fact]));
            }
        }
    }
    let of = |(field, why, facts): (String, String, Vec<&str>)| {
        let times = if facts.len() > 1 {
            format!(" ({} times)", facts.len())
        } else {
            String::new()
        };
        Fact::new(
            "unknown",
            format!("{}{times}: {}", line(&field), line(&why)),
            None,
        )
    };
    bounded(groups.into_iter().map(of).collect(), limit)
}
