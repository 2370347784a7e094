//! What a name could mean that is no id: requests, tickets, sessions, paths, users and agents that were seen lately.

use std::collections::HashSet;

use account::model::Account;
use ledger::reader::Find;

use super::Source;
use crate::app::{Candidate, SessionRow};
use crate::command::sessions;
use crate::failure::Failure;

/// So many names of the latest streams are looked through: reading one takes a few milliseconds.
const LOOKED_AT: usize = 300;

/// At most so many candidates are told.
const TOLD: usize = 50;

/// Fewer characters are only compared as a whole.
const PART: usize = 3;

impl Source {
    /// The account of a query; of a name that is no id, of the one request that it leads to.
    ///
    /// A name that is only like the one given opens nothing unless a person is there to see it.
    pub(crate) fn resolve(&self, query: &str, person: bool) -> Result<Account, Failure> {
        let failure = match self.account(query) {
            Err(failure @ (Failure::NoMatch { .. } | Failure::TooShort { .. })) => failure,
            other => return other,
        };
        let found = self.candidates(query);
        let exact: Vec<Candidate> = found.iter().filter(|it| it.exact).cloned().collect();
        let chosen = match (exact.is_empty(), person) {
            (false, _) => exact,
            (true, true) => found,
            (true, false) => return Err(like(failure, &found)),
        };
        let leads: HashSet<&str> = chosen.iter().map(|it| it.query.as_str()).collect();
        match (leads.len(), chosen.first()) {
            (1, Some(one)) => self.account(&one.query),
            (0, _) | (_, None) => Err(failure),
            _ => Err(Failure::Which {
                query: query.to_owned(),
                candidates: chosen,
            }),
        }
    }

    /// Everything among the latest sessions that is called so, or like it.
    fn candidates(&self, text: &str) -> Vec<Candidate> {
        let (forced, text) = forced(text);
        let Ok(hints) = self.reader().find(&Find::Recent(sessions::RECENT)) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        for query in sessions::queries(&hints).iter().take(LOOKED_AT) {
            let Ok(account) = self.account(query) else {
                continue;
            };
            for row in sessions::rows(&account) {
                if !seen.insert(row.session.clone()) {
                    continue;
                }
                let names = names(&account, &row);
                let kept = names
                    .into_iter()
                    .filter(|(kind, _)| forced.is_none_or(|forced| forced == *kind));
                found.extend(kept.filter_map(|(kind, name)| candidate(text, kind, &name, &row)));
            }
        }
        let mut told = HashSet::new();
        found.retain(|it| told.insert((it.kind, it.name.clone(), it.query.clone())));
        found.sort_by_key(|it| (!it.exact, std::cmp::Reverse(it.started)));
        found.truncate(TOLD);
        found
    }
}

/// The kind that `kind:value` forces, and the value.
fn forced(text: &str) -> (Option<&'static str>, &str) {
    let kinds = ["request", "ticket", "session", "path", "user", "agent"];
    match text.split_once(':') {
        Some((word, name)) => match kinds.into_iter().find(|kind| *kind == word) {
            Some(kind) => (Some(kind), name),
            None => (None, text),
        },
        None => (None, text),
    }
}

/// Everything that a session can be called by.
fn names(account: &Account, row: &SessionRow) -> Vec<(&'static str, String)> {
    let mut names = vec![
        ("request", row.request.clone()),
        ("session", row.session.clone()),
        ("agent", row.agent.clone()),
        ("user", row.asked_by.clone()),
    ];
    let aliases = account.request.aliases.iter().cloned();
    names.extend(aliases.map(|alias| ("ticket", alias)));
    names.extend(row.touched.iter().map(|path| ("path", path.clone())));
    names
}

/// A candidate, if the name is the text or holds it. A path is called by its end too.
fn candidate(text: &str, kind: &'static str, name: &str, row: &SessionRow) -> Option<Candidate> {
    let (wanted, known) = (text.to_lowercase(), name.to_lowercase());
    let ends = || {
        let rest = known.strip_suffix(&wanted);
        kind == "path" && rest.is_some_and(|rest| rest.ends_with(['/', ':']))
    };
    let exact = known == wanted || (wanted.len() >= PART && ends());
    if !exact && (wanted.len() < PART || !known.contains(&wanted)) {
        return None;
    }
    Some(Candidate {
        kind,
        name: name.to_owned(),
        query: row.request.clone(),
        agent: row.agent.clone(),
        started: row.started,
        status: row.status.to_string(),
        exact,
    })
}

/// A failure that says what is called like the name given.
fn like(failure: Failure, found: &[Candidate]) -> Failure {
    const LIKE: usize = 5;
    let Failure::NoMatch {
        query,
        place,
        mut near,
    } = failure
    else {
        return failure;
    };
    for it in found {
        let name = match it.kind {
            "request" => it.name.clone(),
            kind => format!("{kind}:{}", it.name),
        };
        if near.len() < LIKE && !near.contains(&name) {
            near.push(name);
        }
    }
    Failure::NoMatch { query, place, near }
}
