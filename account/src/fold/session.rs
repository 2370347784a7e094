//! What records say about a session as a whole: start, intent, scope, authority, losses, end.

use vocabulary::Timestamp;
use vocabulary::attribute as key;
use vocabulary::decision::{ContextKind, Trust};
use vocabulary::digest::Digest;
use vocabulary::event::Event;
use vocabulary::id::RecordRef;
use vocabulary::principal::{PrincipalKind, PrincipalProof};
use vocabulary::problem::ProblemKind;
use vocabulary::record::ContentState;
use vocabulary::session::{EndReason, TriggerKind};
use vocabulary::source::Source;

use super::{Fold, Named, Note, Removal};
use crate::content;
use crate::model::{self, Agent, Content, Evidence, Principal, Trigger};
use crate::told::Told;

/// One session while its records are read.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) row: model::Session,
    /// The parent's session id, as the start names it.
    pub(crate) parent_id: Option<String>,
    pub(crate) started: Option<RecordRef>,
    pub(crate) ended: Option<RecordRef>,
    pub(crate) abandoned: bool,
    pub(crate) summary: Option<String>,
    pub(crate) trigger: Trigger,
    pub(crate) principal: Principal,
    pub(crate) on_behalf_of: Vec<String>,
    pub(crate) intent: Option<(Content, RecordRef)>,
    pub(crate) scopes: Vec<model::Scope>,
    pub(crate) authorizations: Vec<model::Authorization>,
    /// Kinds whose effects a recorder says it sees, e.g. `process:diffs`.
    pub(crate) captures: Vec<String>,
    /// Sessions that work was handed to.
    pub(crate) delegates: Vec<Delegated>,
    /// How many records its end says were lost.
    pub(crate) lost: u64,
    /// First and last time of any own record.
    pub(crate) span: Option<(Timestamp, Timestamp)>,
    /// Records sealed after the end.
    pub(crate) late: Vec<RecordRef>,
    /// Records whose clock is far from the collector's: the first, how many, how far at most.
    pub(crate) clock: Option<(RecordRef, u64, i128)>,
    /// Who brought its records in, where others had written them.
    pub(crate) imported: Option<Imported>,
}

/// Work handed to another session.
#[derive(Debug)]
pub(crate) struct Delegated {
    /// The other session's id.
    pub(crate) session: String,
    /// What was asked of it.
    pub(crate) intent: Option<Content>,
    pub(crate) at: RecordRef,
}

/// Who brought records in that were written elsewhere.
#[derive(Debug)]
pub(crate) struct Imported {
    /// As the import itself says; `None` where it does not.
    pub(crate) by: Option<String>,
    /// What it was read from.
    pub(crate) file: Option<String>,
    /// When it arrived, by the collector's clock.
    pub(crate) at: Timestamp,
    /// Its first record.
    pub(crate) shown_by: RecordRef,
}

/// How far the sender's clock may be ahead of the collector's, and behind it where the sender waits for the
/// receipt, before it is worth a word. Nanoseconds.
const CLOCK_NS: i128 = 60_000_000_000;

impl Run {
    /// A session of which nothing is known yet.
    pub(crate) fn new(row: model::Session) -> Self {
        Self {
            row,
            parent_id: None,
            started: None,
            ended: None,
            abandoned: false,
            summary: None,
            trigger: Trigger {
                kind: TriggerKind::Unknown,
                origin: None,
            },
            principal: Principal {
                kind: PrincipalKind::Unknown,
                issuer: None,
                subject: None,
                display: None,
                proof: PrincipalProof::Unknown,
            },
            on_behalf_of: Vec::new(),
            intent: None,
            scopes: Vec::new(),
            authorizations: Vec::new(),
            captures: Vec::new(),
            delegates: Vec::new(),
            lost: 0,
            span: None,
            late: Vec::new(),
            clock: None,
            imported: None,
        }
    }
}

impl Fold {
    /// What every record says beside its own subject.
    pub(super) fn seen(&mut self, told: &Told<'_>) {
        for mask in &told.collector.masks {
            self.removals.push(Removal {
                at: told.at,
                rule: mask.rule.clone(),
                bytes: u64::from(mask.length),
            });
        }
        for redaction in content::redactions(told.item.attributes.get(key::REDACTIONS)) {
            self.removals.push(Removal {
                at: told.at,
                rule: redaction.rule,
                bytes: redaction.len,
            });
        }
        let own = !super::claims(told);
        if own {
            let notes = self.notes.len();
            self.signed(told);
            self.counted.note(told, self.notes.len() > notes);
        }
        let Some(run) = self.run(told.at.stream.session) else {
            return;
        };
        // A signature says nothing new of the session; it may follow its end.
        let signs = told.item.attributes.get(key::SIGNATURE).is_some();
        if own && told.leaf.flags & ledger::leaf::flag::LATE != 0 && !signs {
            run.late.push(told.at);
        }
        if own {
            let (from, to) = run.span.unwrap_or((told.time, told.time));
            run.span = Some((from.min(told.time), to.max(told.time)));
            if !told.observer {
                run.row.agent.learn(told);
            }
            run.clock(told);
        }
        if run.principal.subject.is_none() && own {
            run.principal.subject = told.text_anywhere(key::USER_ID);
            if run.principal.subject.is_some() && run.principal.proof == PrincipalProof::Unknown {
                run.principal.proof = PrincipalProof::Asserted;
            }
        }
        if let Some(request) = told.text_anywhere(key::REQUEST_ID).filter(|_| own)
            && self
                .names
                .last()
                .is_none_or(|named| named.request != request)
        {
            self.names.push(Named {
                at: told.at,
                request,
                aliases: Vec::new(),
            });
        }
    }

    pub(super) fn start(&mut self, told: &Told<'_>) {
        self.names.push(Named {
            at: told.at,
            request: told.text_anywhere(key::REQUEST_ID).unwrap_or_default(),
            aliases: told.texts(key::REQUEST_ALIASES),
        });
        let Some(run) = self.run(told.at.stream.session) else {
            return;
        };
        if run.started.is_some() {
            return;
        }
        run.started = Some(told.at);
        run.row.started_at = Some(told.time);
        run.row.evidence.refs.insert(0, told.at);
        run.parent_id = told.text(key::SESSION_PARENT);
        run.trigger = Trigger {
            kind: told.word(key::TRIGGER_KIND).unwrap_or(TriggerKind::Unknown),
            origin: told.text(key::TRIGGER_ORIGIN),
        };
        run.principal = Principal {
            kind: told
                .word(key::PRINCIPAL_KIND)
                .unwrap_or(PrincipalKind::Unknown),
            issuer: told.text(key::PRINCIPAL_ISSUER),
            subject: told
                .text(key::PRINCIPAL_SUBJECT)
                .filter(|subject| subject != "unknown"),
            display: told.text(key::PRINCIPAL_DISPLAY),
            proof: PrincipalProof::read(told.collector.principal_proof.as_str()),
        };
        run.on_behalf_of = told.texts(key::ON_BEHALF_OF);
    }

    pub(super) fn end(&mut self, told: &Told<'_>) {
        let Some(run) = self.run(told.at.stream.session) else {
            return;
        };
        run.ended = Some(told.at);
        run.row.ended_at = Some(told.time);
        run.row.end_reason = told
            .word(key::SESSION_END_REASON)
            .unwrap_or(EndReason::Unknown);
        run.row.evidence.refs.push(told.at);
        run.summary = told.text(key::SESSION_SUMMARY).or(run.summary.take());
        run.lost = told.count(key::LOSS_COUNT).unwrap_or_default();
    }

    pub(super) fn abandoned(&mut self, told: &Told<'_>) {
        let Some(run) = self.run(told.at.stream.session) else {
            return;
        };
        run.abandoned = true;
        run.row.evidence.refs.push(told.at);
        if run.ended.is_none() {
            run.row.end_reason = EndReason::Abandoned;
        }
        run.summary = run.summary.take().or_else(|| told.text(key::SESSION_NOTE));
    }

    /// Where a running session says it stands.
    pub(super) fn stands(&mut self, told: &Told<'_>) {
        let Some(run) = self.run(told.at.stream.session) else {
            return;
        };
        if run.ended.is_none() {
            run.summary = told.text(key::SESSION_SUMMARY).or(run.summary.take());
        }
    }

    /// A session that goes on was not abandoned.
    pub(super) fn resumed(&mut self, told: &Told<'_>) {
        let Some(run) = self.run(told.at.stream.session) else {
            return;
        };
        run.abandoned = false;
        run.row.evidence.refs.push(told.at);
        if run.ended.is_none() {
            run.row.end_reason = EndReason::Unknown;
        }
    }

    /// What an end counts as lost beyond the losses that records declare.
    pub(super) fn lost_at_end(&mut self) {
        for run in &self.runs {
            let of = |loss: &&model::Loss| loss.session == Some(run.row.name);
            let declared: u64 = self
                .losses
                .iter()
                .filter(of)
                .filter_map(|loss| loss.records)
                .sum();
            if run.lost > declared {
                self.losses.push(model::Loss {
                    session: Some(run.row.name),
                    records: Some(run.lost - declared),
                    why: "counted by the session's end".to_owned(),
                    refs: run.ended.into_iter().collect(),
                });
            }
        }
    }

    pub(super) fn intent(&mut self, told: &Told<'_>) {
        let read = content::read(&told.item.attributes, key::INTENT);
        self.removed(told, read.as_ref());
        let Some(run) = self.run(told.at.stream.session) else {
            return;
        };
        if run.intent.is_none() {
            run.intent = read.map(|content| (content, told.at));
        }
    }

    pub(super) fn scope(&mut self, told: &Told<'_>) {
        let Some(run) = self.run(told.at.stream.session) else {
            return;
        };
        run.scopes.push(model::Scope {
            session: told.at.stream.session,
            version: told.text(key::SCOPE_VERSION),
            entries: told.texts(key::SCOPE_ENTRIES),
            declared_by: told.text(key::SCOPE_DECLARED_BY),
            from: Some(told.time),
            to: None,
            verdict: vocabulary::verdict::ScopeVerdict::Unknown,
            outside: Vec::new(),
            evidence: Evidence::new(Source::Stated, vec![told.at]).with(&[
                ("verdict", Source::Derived),
                ("outside", Source::Derived),
                ("to", Source::Derived),
            ]),
        });
    }

    pub(super) fn authorization(&mut self, told: &Told<'_>) {
        let Some(run) = self.run(told.at.stream.session) else {
            return;
        };
        run.authorizations.push(model::Authorization {
            id: told.text(key::AUTHORIZATION_ID),
            session: told.at.stream.session,
            policy: told.text(key::AUTHORIZATION_POLICY),
            version: told.text(key::AUTHORIZATION_VERSION),
            permissions: told.texts(key::AUTHORIZATION_PERMISSIONS),
            granted_by: told.text(key::AUTHORIZATION_GRANTED_BY),
            from: Some(told.time),
            to: None,
            evidence: Evidence::new(Source::Stated, vec![told.at]).with(&[("to", Source::Derived)]),
        });
    }

    pub(super) fn capture(&mut self, told: &Told<'_>) {
        let Some(run) = self.run(told.at.stream.session) else {
            return;
        };
        run.captures.extend(told.texts(key::CAPTURE));
    }

    pub(super) fn delegate(&mut self, told: &Told<'_>) {
        let Some(run) = self.run(told.at.stream.session) else {
            return;
        };
        if let Some(session) = told.text(key::DELEGATE_SESSION) {
            let intent = content::read(&told.item.attributes, key::INTENT);
            run.delegates.push(Delegated {
                session,
                intent,
                at: told.at,
            });
        }
    }

    pub(super) fn loaded(&mut self, told: &Told<'_>, event: Event) {
        let of = if event == Event::ConfigChange {
            key::AFTER
        } else {
            key::CONTENT
        };
        let read = content::read(&told.item.attributes, of);
        self.removed(told, read.as_ref());
        let (kind, name) = match event {
            Event::ConfigChange => (told.text(key::CONFIG_KIND), told.text(key::CONFIG_NAME)),
            _ => (told.text(key::CONTEXT_KIND), told.text(key::CONTEXT_NAME)),
        };
        if self.is_told_already(told, name.as_deref(), read.as_ref()) {
            return;
        }
        self.context.push(model::Context {
            session: told.at.stream.session,
            kind: ContextKind::read(kind.as_deref().unwrap_or_default()),
            name,
            digest: read
                .as_ref()
                .and_then(|content| content.digest)
                .map(|digest| digest.to_string()),
            size: read.as_ref().and_then(|content| content.size),
            trust: told.word::<Trust>(key::CONTEXT_TRUST),
            at: Some(told.time),
            evidence: Evidence::new(Self::source(told, Source::Observed), vec![told.at]),
        });
    }

    /// Whether another producer of the session told of the same thing: an agent and a relay beside it that both see
    /// what a model is sent. Their digests are under keys of their own, so the bytes decide; the row that is there gets
    /// one more record that shows it.
    fn is_told_already(
        &mut self,
        told: &Told<'_>,
        name: Option<&str>,
        read: Option<&Content>,
    ) -> bool {
        let whole = read.filter(|content| content.state == ContentState::Present);
        let Some(bytes) = whole.and_then(Content::bytes) else {
            return false;
        };
        if super::claims(told) {
            return false;
        }
        let kind = told.text(key::CONTEXT_KIND).unwrap_or_default();
        let what = format!(
            "{kind} {} {}",
            name.unwrap_or_default(),
            Digest::sha256(bytes)
        );
        let next = self.context.len();
        let session = told.at.stream.session;
        let at = *self.context_told.entry((session, what)).or_insert(next);
        let Some(row) = self.context.get_mut(at) else {
            return false;
        };
        let refs = &mut row.evidence.refs;
        let by_another = refs.iter().all(|one| one.stream != told.at.stream);
        if by_another {
            refs.push(told.at);
        }
        by_another
    }

    pub(super) fn loss(&mut self, told: &Told<'_>) {
        self.losses.push(model::Loss {
            session: Some(told.at.stream.session),
            records: told.count(key::LOSS_COUNT),
            why: told
                .text(key::LOSS_CAUSE)
                .unwrap_or_else(|| "no reason given".to_owned()),
            refs: vec![told.at],
        });
    }

    pub(super) fn security(&mut self, told: &Told<'_>, event: Event) {
        let kind = match event {
            Event::SecurityRateLimited => ProblemKind::RateLimited,
            Event::SecurityAuthFailed | Event::SecurityAccessUnauthorized => {
                ProblemKind::PermissionRefused
            }
            Event::SecuritySensitiveData => ProblemKind::SecretRemoved,
            Event::SecurityBypass | Event::SecurityScopeExceeded => ProblemKind::EffectOutsideScope,
            _ => return,
        };
        let word = event
            .name()
            .rsplit('.')
            .next()
            .unwrap_or_default()
            .replace('_', " ");
        self.notes.push(Note {
            kind,
            session: told.at.stream.session,
            action: told.text(key::ACTION_ID),
            what: told.text(key::REASON).unwrap_or_else(|| word.clone()),
            why: format!("the recorder reported: {word}"),
            refs: vec![told.at],
        });
    }

    /// Notes what was removed from a content before sealing.
    pub(super) fn removed(&mut self, told: &Told<'_>, content: Option<&Content>) {
        for redaction in content.iter().flat_map(|content| &content.redactions) {
            self.removals.push(Removal {
                at: told.at,
                rule: redaction.rule.clone(),
                bytes: redaction.len,
            });
        }
    }
}

impl Run {
    fn clock(&mut self, told: &Told<'_>) {
        let sent = told.item.time_unix_nano;
        if sent == 0 {
            return;
        }
        let off = i128::from(sent) - i128::from(told.leaf.received_unix_ns);
        let waits = told.leaf.flags & ledger::leaf::flag::STRICT != 0;
        if off > CLOCK_NS || (waits && off < -CLOCK_NS) {
            let (first, count, most) = self.clock.unwrap_or((told.at, 0, 0));
            let most = if off.abs() > most.abs() { off } else { most };
            self.clock = Some((first, count + 1, most));
        }
    }
}

impl Agent {
    /// Takes over what a record says about who sent it, where nothing is known yet.
    fn learn(&mut self, told: &Told<'_>) {
        let wanted = [
            (&mut self.id, [key::AGENT_ID, ""]),
            (&mut self.name, [key::AGENT_NAME, key::SERVICE_NAME]),
            (
                &mut self.version,
                [key::AGENT_VERSION, key::SERVICE_VERSION],
            ),
            (&mut self.instance, [key::SERVICE_INSTANCE_ID, ""]),
            (&mut self.owner, [key::AGENT_OWNER, ""]),
            (&mut self.host, [key::HOST_NAME, ""]),
            (&mut self.container, [key::CONTAINER_ID, ""]),
        ];
        for (field, keys) in wanted {
            if field.is_none() {
                *field = keys
                    .into_iter()
                    .filter(|key| !key.is_empty())
                    .find_map(|key| told.text_anywhere(key));
            }
        }
    }
}
