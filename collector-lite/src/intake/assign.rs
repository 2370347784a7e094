//! Which stream each record of an export goes to.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use ledger::envelope::SessionRule;
use ledger::store::StreamKey;

use super::surroundings::{About, Surroundings};
use super::traces::{DueLink, Trace, Traces};
use super::{Export, Read, session};

/// Everything of one stream in one export, in the order of arrival.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) key: StreamKey,
    /// Numbers of its records in the export, each with the rule that found its session.
    pub(super) members: Vec<(usize, SessionRule)>,
}

/// What keeps records apart within an export. Two runs of an SDK number their records apart, so they are apart here
/// even within one stream.
type Apart<'a> = (Cow<'a, str>, Option<(&'a str, &'a str)>);

/// Gives every record its stream. Names that one record of an export gives its trace hold for the whole export.
pub(super) fn assign<'a>(
    export: &Export,
    reads: &'a [Read<'_>],
    surroundings: &'a Surroundings<'_>,
    traces: &mut Traces,
) -> (Vec<Group>, Vec<DueLink>) {
    let named = |read: &'a Read<'_>| {
        session::named(
            &read.item.attributes,
            surroundings.get(read.about).attributes(),
        )
    };
    let names: Vec<Option<(&'a str, SessionRule)>> = reads.iter().map(named).collect();
    let circle = export.sender.circle();
    let heard_by_all = export.sender.is_heard_by_all();
    let mut touched: Vec<Trace> = Vec::new();
    for (read, name) in reads.iter().zip(&names) {
        if let (Some(trace), Some((name, _))) = (&read.item.trace_id, name) {
            let own = (Arc::clone(&circle), *trace);
            let all = heard_by_all.then(|| ("".into(), *trace));
            for trace in all.into_iter().chain([own]) {
                traces.learn(&trace, name);
                touched.push(trace);
            }
        }
    }
    let mut groups: Vec<Group> = Vec::new();
    let mut places: HashMap<Apart<'a>, usize> = HashMap::new();
    for (index, (read, name)) in reads.iter().zip(names).enumerate() {
        let about = surroundings.get(read.about);
        let (label, rule) = match (name, &read.item.trace_id) {
            (Some((name, rule)), _) => (Cow::Borrowed(name), rule),
            (None, Some(trace)) => {
                let known = (Arc::clone(&circle), *trace);
                match traces.inherit(&known, &export.sender.name) {
                    Some(session) => (Cow::Owned(session.to_string()), SessionRule::Inherited),
                    None => (Cow::Owned(session::trace_label(trace)), SessionRule::Trace),
                }
            }
            (None, None) => {
                let request = session::request(&read.item.attributes, about.attributes());
                let request = request.map(|(name, _)| name);
                (unattributed(about, request), SessionRule::Unattributed)
            }
        };
        let place = *places
            .entry((label, about.run()))
            .or_insert_with_key(|(label, _)| {
                groups.push(Group {
                    key: key(export, label, rule, about),
                    members: Vec::new(),
                });
                groups.len() - 1
            });
        if let Some(group) = groups.get_mut(place) {
            group.members.push((index, rule));
        }
    }
    touched.sort_unstable();
    touched.dedup();
    let due = touched
        .iter()
        .flat_map(|trace| traces.due_links(trace))
        .collect();
    (groups, due)
}

fn key(export: &Export, label: &str, rule: SessionRule, about: &About<'_>) -> StreamKey {
    StreamKey {
        label: label.to_owned(),
        rule,
        producer: export.sender.name.to_string(),
        proof: export.sender.proof(about.claim()),
        claim: about.claim().to_owned(),
    }
}

/// Where records go that name neither a session nor a trace: one stream per sending process, if it says who it is, and
/// per request, so that the account of one request tells nothing of another's.
fn unattributed(about: &About<'_>, request: Option<&str>) -> Cow<'static, str> {
    match (about.claim(), request) {
        ("", None) => Cow::Borrowed("unattributed"),
        ("", Some(request)) => Cow::Owned(format!("unattributed:request:{request}")),
        (claim, None) => Cow::Owned(format!("unattributed:{claim}")),
        (claim, Some(request)) => Cow::Owned(format!("unattributed:{claim}:request:{request}")),
    }
}
