//! What cannot be told: every null and every `unknown` of an account, why, and how to have it next time.

use std::collections::HashMap;
use vocabulary::decision::ContextKind;
use vocabulary::principal::{PrincipalKind, PrincipalProof};
use vocabulary::record::{ContentState, RecordingMode, SenderKind};
use vocabulary::session::{EndReason, OutcomeStatus, SessionSource, TriggerKind};
use vocabulary::verdict::ScopeVerdict;

mod deeds;

pub(crate) use deeds::{ActTraits, ChangeTraits};

use crate::model::{Account, Unknown};

/// How many places of one sort are listed; the rest is counted in one more entry.
const EACH: usize = 200;

/// Collects unknown facts; bounds those of one sort.
struct Facts {
    list: Vec<Unknown>,
    count: HashMap<(&'static str, &'static str), usize>,
}

impl Facts {
    fn at(&mut self, list: &'static str, index: usize, field: &'static str, why: &str, how: &str) {
        let count = self.count.entry((list, field)).or_default();
        *count += 1;
        if *count <= EACH {
            self.one(format!("/{list}/{index}/{field}"), why, how);
        }
    }

    fn one(&mut self, fact: String, why: &str, how: &str) {
        self.list.push(Unknown {
            fact,
            why: why.to_owned(),
            how_to_record: how.to_owned(),
        });
    }

    fn finish(mut self) -> Vec<Unknown> {
        let mut more: Vec<_> = self
            .count
            .into_iter()
            .filter(|(_, count)| *count > EACH)
            .collect();
        more.sort_unstable();
        for ((list, field), count) in more {
            self.list.push(Unknown {
                fact: format!("/{list}"),
                why: format!("{} more rows do not say {field}", count - EACH),
                how_to_record: "as for the rows listed".to_owned(),
            });
        }
        self.list
    }
}

/// What the rows of `account` leave open. `acts` and `changes` go with its actions and diffs; `lost` are records that cannot be read, with the reason.
pub(crate) fn collect(
    account: &Account,
    acts: &[ActTraits],
    changes: &[ChangeTraits],
    malformed_scopes: &[(vocabulary::id::SessionRef, String)],
    lost: &[(vocabulary::id::RecordRef, String)],
) -> Vec<Unknown> {
    let mut facts = Facts {
        list: Vec::new(),
        count: HashMap::new(),
    };
    sessions(account, &mut facts);
    authority(account, malformed_scopes, &mut facts);
    deeds::actions(account, acts, &mut facts);
    for (index, row) in account.decisions.iter().enumerate() {
        let how = "record it with the decision";
        if row.rationale.is_none() {
            facts.at("decisions", index, "rationale", "no reason was given", how);
        }
        if row.made_by.is_none() {
            facts.at(
                "decisions",
                index,
                "made_by",
                "nobody says what decided",
                how,
            );
        }
    }
    deeds::diffs(account, changes, &mut facts);
    deeds::reasoning(account, &mut facts);
    for (index, row) in account.who.iter().enumerate() {
        if row.identity.is_none() {
            let why = format!("nobody is named who {}", row.role);
            facts.at("who", index, "identity", &why, who_how(row.role));
        }
    }
    if account.outcome.status == OutcomeStatus::Unknown {
        let why = "no session says how it ended";
        facts.one(
            "/outcome/status".to_owned(),
            why,
            "end the session (`agent.session.end`)",
        );
    }
    for (index, row) in account.outcome.sessions.iter().enumerate() {
        if row.status == OutcomeStatus::Unknown {
            let how = "end the session (`agent.session.end`)";
            facts.one(
                format!("/outcome/sessions/{index}/status"),
                "it says neither start nor end",
                how,
            );
        }
    }
    for (index, ledger) in account.integrity.ledgers.iter().enumerate() {
        if ledger
            .checkpoint
            .as_ref()
            .is_some_and(|checkpoint| checkpoint.at.is_none())
        {
            let fact = format!("/integrity/ledgers/{index}/checkpoint/at");
            let why = "the newest leaf under the checkpoint cannot be proven";
            facts.one(fact, why, "check the ledger (`recount verify --all`)");
        }
    }
    for (at, why) in lost {
        facts.one(
            "/sessions".to_owned(),
            &format!("record {at}: {why}"),
            "see the sender's exporter",
        );
    }
    facts.finish()
}

fn who_how(role: vocabulary::principal::WhoRole) -> &'static str {
    use vocabulary::principal::WhoRole;
    match role {
        WhoRole::Asked => "give the session a principal (`recount.principal.*`, or `user.id`)",
        WhoRole::Ran => "name the agent (`gen_ai.agent.name` on the Resource)",
        WhoRole::Allowed => "record the authorization (`agent.authorization`)",
        WhoRole::Approved => "record who approved (`recount.approved_by`)",
        WhoRole::Imported => "name who imports (`recount.imported.by` on the Resource)",
        WhoRole::Owns => "name the owner (`recount.agent.owner` on the Resource)",
    }
}

fn sessions(account: &Account, facts: &mut Facts) {
    for (index, row) in account.sessions.iter().enumerate() {
        if row.started_at.is_none() {
            let why = "no record says when the session started";
            facts.at(
                "sessions",
                index,
                "started_at",
                why,
                "send `agent.session.start`",
            );
        }
        if row.end_reason == EndReason::Unknown {
            let why = if row.ended_at.is_some() {
                "its end gives no reason"
            } else {
                "it has not ended"
            };
            facts.at(
                "sessions",
                index,
                "end_reason",
                why,
                "send `agent.session.end`",
            );
        }
        if row.recording_mode == RecordingMode::Unknown {
            let why = "no record of it could be read";
            facts.at("sessions", index, "recording_mode", why, "see the problems");
        }
        if row.sender == SenderKind::Unknown {
            let why = "no record of it could be read";
            facts.at("sessions", index, "sender", why, "see the problems");
        }
        if row.session_source == SessionSource::Unknown {
            let why = "the collector used a rule that this version has no word for";
            facts.at(
                "sessions",
                index,
                "session_source",
                why,
                "name the session by `session.id`",
            );
        }
        let named = [
            (&row.agent.version, "agent/version", "gen_ai.agent.version"),
            (&row.agent.owner, "agent/owner", "recount.agent.owner"),
            (&row.agent.host, "agent/host", "host.name"),
        ];
        for (value, field, key) in named {
            if value.is_none() {
                facts.at(
                    "sessions",
                    index,
                    field,
                    "the sender does not say",
                    &format!("set `{key}` on the Resource"),
                );
            }
        }
    }
    for (index, row) in account.asked.iter().enumerate() {
        if row.intent.state == ContentState::Unknown {
            let why = "no record says what was asked";
            facts.at(
                "asked",
                index,
                "intent",
                why,
                "record the intent (`agent.intent`)",
            );
        }
        if row.trigger.kind == TriggerKind::Unknown {
            let why = "no record says what set the session going";
            facts.at(
                "asked",
                index,
                "trigger/kind",
                why,
                "set `recount.trigger.kind` on the start",
            );
        }
        if row.principal.kind == PrincipalKind::Unknown {
            let why = "no record says what sort of principal it was";
            facts.at(
                "asked",
                index,
                "principal/kind",
                why,
                "set `recount.principal.kind` on the start",
            );
        }
        if row.principal.proof == PrincipalProof::Unknown {
            let why = "no principal was named when the collector looked";
            facts.at(
                "asked",
                index,
                "principal/proof",
                why,
                "name the principal on the start",
            );
        }
        if row.principal.subject.is_none() {
            let why = "no record names a principal";
            facts.at(
                "asked",
                index,
                "principal/subject",
                why,
                "set `recount.principal.subject`, or `user.id`",
            );
        }
    }
}

fn authority(
    account: &Account,
    malformed: &[(vocabulary::id::SessionRef, String)],
    facts: &mut Facts,
) {
    for session in &account.sessions {
        let name = session.name;
        if !account.scope.iter().any(|row| row.session == name) {
            let why = format!("session {name} declared no scope");
            facts.one("/scope".to_owned(), &why, "declare a scope (`agent.scope`)");
        }
        if !account.authorization.iter().any(|row| row.session == name) {
            let why = format!("session {name} recorded no authorization");
            facts.one(
                "/authorization".to_owned(),
                &why,
                "record it (`agent.authorization`)",
            );
        }
    }
    for (index, row) in account.scope.iter().enumerate() {
        if row.verdict == ScopeVerdict::Unknown {
            let why = "nothing was seen outside it, and not everything could be seen";
            let how = "record every action with its access and target, and what processes change";
            facts.at("scope", index, "verdict", why, how);
        }
    }
    for (index, row) in account.context.iter().enumerate() {
        if row.kind == ContextKind::Unknown {
            let why = "its sender used a word that this version does not know";
            facts.at(
                "context",
                index,
                "kind",
                why,
                "use a word of `docs/records.md`",
            );
        }
    }
    for (session, error) in malformed {
        let why = format!("an entry of session {session} cannot be read: {error}");
        facts.one(
            "/scope".to_owned(),
            &why,
            "write entries as `ACCESS KIND:PATTERN`",
        );
    }
    for (index, row) in account.authorization.iter().enumerate() {
        if row.granted_by.is_none() {
            let why = "nobody is named who granted it";
            facts.at(
                "authorization",
                index,
                "granted_by",
                why,
                "set `recount.authorization.granted_by`",
            );
        }
    }
}
