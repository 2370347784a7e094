//! Folded records into the account: judged, counted, put together.

use std::collections::BTreeSet;
use vocabulary::id::{RecordRef, SessionRef};
use vocabulary::problem::ProblemKind;
use vocabulary::source::Source;

use crate::build::Options;
use crate::fold::{Fold, Run};
use crate::gaps::Foreign;
use crate::gather::Part;
use crate::judge::problems::Problems;
use crate::judge::{
    allowers, contradictions, declared, integrity, outcome, problems, refused, scope, unknown, who,
};
use crate::model::{self, Account, Asked, Content, Evidence, Request, SCHEMA, Standing};
use crate::reading::Reading;
use crate::resolve::Resolved;

impl Reading {
    /// The account of what was read.
    pub(crate) fn account(
        mut self,
        parts: &[Part],
        ledger: &ledger::verify::VerifiedLedger,
        index: &[ledger::verify::Finding],
        resolved: Resolved,
        options: &Options,
    ) -> Account {
        let streams = parts.iter().zip(&self.fold.runs).flat_map(|(part, run)| {
            part.streams
                .iter()
                .zip(&run.row.streams)
                .map(|((standing, stream), row)| (*standing, row.name, stream))
        });
        // Numbers that came late after all are missing no more.
        let mut noted = std::mem::take(&mut self.meanwhile.gaps);
        noted.retain(|(_, note)| {
            let gap = &note.value;
            !self.numbers.has_all(&gap.run, gap.first, gap.last)
        });
        let mut problems = Problems::default();
        let conflicts = contradictions::collect(&self.meanwhile.conflicts, &mut problems);
        let evidence = integrity::Evidence {
            ledger,
            streams: streams.collect(),
            index,
            bindings_checked: options.all_bindings,
            spooled: self.spooled,
            holes: std::mem::take(&mut self.holes),
            noted: &noted,
            lost: &self.lost,
            conflicts,
            unread: self.meanwhile.unread,
            signed_ns: self.signed_ns,
        };
        let fold = &mut self.fold;
        in_force(fold);
        senders(fold);
        let unread: BTreeSet<SessionRef> =
            self.lost.iter().map(|(at, _)| at.stream.session).collect();
        let short = declared::short(&evidence, fold);
        let incomplete: BTreeSet<SessionRef> = fold
            .runs
            .iter()
            .map(|run| run.row.name)
            .filter(|name| {
                unread.contains(name) || short.contains(name) || evidence.is_incomplete(*name, fold)
            })
            .collect();
        let found = scope::judge(fold, &|session| incomplete.contains(&session));
        let unrecovered = problems::collect(fold, &found, &mut problems);
        claimed(fold, &mut problems);
        foreign(&self.numbers.foreign(), &mut problems);
        refused::collect(parts, fold, &self.meanwhile.refused, &mut problems);
        crate::replay::mismatches(fold, &mut problems);
        let integrity = integrity::collect(&evidence, fold, &mut problems);
        let problems = problems.worst_first();
        let outcome = outcome::collect(fold, &problems, unrecovered);
        let acts: Vec<unknown::ActTraits> = fold.acts.iter().map(Into::into).collect();
        let changes: Vec<unknown::ChangeTraits> = fold.changes.iter().map(Into::into).collect();
        let mut account = Account {
            schema: SCHEMA.to_owned(),
            request: request(&resolved, parts, fold),
            query: resolved.query,
            sessions: fold.runs.iter().map(|run| run.row.clone()).collect(),
            asked: fold.runs.iter().map(|run| asked(run, &fold.runs)).collect(),
            scope: fold
                .runs
                .iter_mut()
                .flat_map(|run| std::mem::take(&mut run.scopes))
                .collect(),
            who: who::collect(fold).into(),
            authorization: fold
                .runs
                .iter()
                .flat_map(|run| run.authorizations.clone())
                .collect(),
            context: std::mem::take(&mut fold.context).into(),
            actions: std::mem::take(&mut fold.acts)
                .into_iter()
                .map(|act| act.row)
                .collect(),
            decisions: std::mem::take(&mut fold.decisions).into(),
            reasoning: std::mem::take(&mut fold.reasoning).into(),
            diffs: std::mem::take(&mut fold.changes)
                .into_iter()
                .map(|change| change.row)
                .collect(),
            problems: problems.into(),
            outcome,
            integrity,
            unknown: Vec::new().into(),
        };
        allowers::name(&mut account);
        account.unknown =
            unknown::collect(&account, &acts, &changes, &found.malformed, &self.lost).into();
        crate::doubt::mark(&mut account);
        account
    }
}

/// What is known of each session's senders.
fn senders(fold: &mut Fold) {
    for run in &mut fold.runs {
        let session = run.row.name;
        let signing = fold.signatures.of.get(&session);
        run.row.signed = signing.map_or(0, |signing| signing.covered);
        run.row.numbered = fold.counted.numbered(session);
        run.row.sender = fold.counted.sender(session, run.row.signed);
    }
}

/// Closes each authorization where the next begins, and gives actions that name none the one in force.
fn in_force(fold: &mut Fold) {
    for run in &mut fold.runs {
        run.authorizations
            .sort_by_key(|row| (row.from, row.evidence.refs.first().copied()));
        let starts: Vec<_> = run
            .authorizations
            .iter()
            .skip(1)
            .map(|row| row.from)
            .collect();
        for (row, next) in run.authorizations.iter_mut().zip(starts) {
            row.to = next;
        }
    }
    for act in fold
        .acts
        .iter_mut()
        .filter(|act| act.row.authorization.is_none() && !act.claims && !act.remark)
    {
        let Some(run) = fold.runs.get(act.row.session.0 as usize - 1) else {
            continue;
        };
        let next = run
            .authorizations
            .partition_point(|row| row.from.is_none_or(|from| from <= act.time));
        let row = next
            .checked_sub(1)
            .and_then(|index| run.authorizations.get(index));
        if let Some(id) = row.and_then(|row| row.id.clone()) {
            act.row.authorization = Some(id);
            act.row
                .evidence
                .source_of
                .insert("authorization".to_owned(), Source::Derived);
        }
    }
}

/// Other producers that name a session.
fn claimed(fold: &Fold, problems: &mut Problems) {
    for run in &fold.runs {
        for stream in run
            .row
            .streams
            .iter()
            .filter(|stream| stream.standing == Standing::Claims)
        {
            let what = format!("{} names session {}", stream.producer, run.row.id);
            let why = format!(
                "{} records of another producer: shown as claims, not merged",
                stream.records
            );
            let at = RecordRef {
                stream: stream.name,
                index: 0,
            };
            problems.add(
                ProblemKind::IdentityClaimed,
                Some(run.row.name),
                None,
                (what, why),
                vec![at],
            );
        }
    }
}

/// Records that use the name of a run and do not go on its chain.
fn foreign(foreign: &[Foreign], problems: &mut Problems) {
    for one in foreign {
        let what = format!(
            "{} does not follow {} on the chain of run {}",
            one.at, one.after, one.run
        );
        let why = "somebody else used the run's name, or the producer's chain was cut";
        let session = Some(one.at.stream.session);
        let text = (what, why.to_owned());
        problems.add(
            ProblemKind::IdentityClaimed,
            session,
            None,
            text,
            vec![one.at, one.after],
        );
    }
}

/// What the outside calls it: the request asked for, else the one the records name, else the session.
fn request(resolved: &Resolved, parts: &[Part], fold: &Fold) -> Request {
    let mut aliases: Vec<String> = fold
        .names
        .iter()
        .flat_map(|named| named.aliases.clone())
        .collect();
    let bindings = || {
        parts
            .iter()
            .flat_map(|part| &part.streams)
            .flat_map(|(_, stream)| &stream.bindings)
    };
    let named = fold.names.iter().find(|named| !named.request.is_empty());
    let (id, origin) = match (resolved.query.kind, resolved.query.matched.first()) {
        (model::QueryKind::Request, Some(id)) => {
            let alias = named.filter(|named| named.request != *id && aliases.contains(id));
            let primary = alias.map_or_else(|| id.clone(), |named| named.request.clone());
            let rule = bindings()
                .find(|binding| binding.value.request == *id)
                .map(|found| found.value.rule);
            (primary, origin(rule))
        }
        _ => match named {
            Some(named) => (named.request.clone(), origin(Some(1))),
            None => (
                parts
                    .first()
                    .map(|part| part.label.clone())
                    .unwrap_or_default(),
                origin(Some(5)),
            ),
        },
    };
    aliases.retain(|alias| *alias != id);
    aliases.sort();
    aliases.dedup();
    let at = fold
        .names
        .iter()
        .find(|named| named.request == id)
        .map(|named| named.at);
    Request {
        id,
        aliases,
        origin,
        evidence: Evidence::new(Source::Stated, at.into_iter().collect()),
    }
}

/// How a request's name was found, by the rule of its binding.
fn origin(rule: Option<u8>) -> String {
    match rule {
        Some(1) => "recount.request.id of a record",
        Some(2) => "recount.request.id of a resource",
        Some(3) => "baggage",
        Some(4) => "alias",
        Some(5) => "the session's id: no request was named",
        _ => "unknown",
    }
    .to_owned()
}

/// What was asked of a session: its own record of it, else what the session that handed the work over says.
fn asked(run: &Run, runs: &[Run]) -> Asked {
    let handed = runs
        .iter()
        .flat_map(|other| &other.delegates)
        .find(|handed| handed.session == run.row.id && handed.intent.is_some());
    let (intent, at) = match (&run.intent, handed) {
        (Some((intent, at)), _) => (intent.clone(), Some(*at)),
        (None, Some(handed)) => (
            handed.intent.clone().unwrap_or_else(Content::absent),
            Some(handed.at),
        ),
        (None, None) => (Content::unknown("no record says what was asked"), None),
    };
    Asked {
        session: run.row.name,
        intent,
        trigger: run.trigger.clone(),
        principal: run.principal.clone(),
        on_behalf_of: run.on_behalf_of.clone(),
        at: run.row.started_at.or(run.span.map(|(from, _)| from)),
        evidence: Evidence::new(Source::Stated, run.started.into_iter().chain(at).collect())
            .with(&[("principal.proof", Source::Observed)]),
    }
}
