//! Actions: begins, ends, what policy said about them, what was found out later.

use vocabulary::Timestamp;
use vocabulary::action::{Durability, Effect, Kind, Outcome};
use vocabulary::attribute as key;
use vocabulary::id::RecordRef;
use vocabulary::source::Source;
use vocabulary::verdict::{Approval, Verdict};

use super::{Approved, Fold, Judged};
use crate::content;
use crate::model::{Action, ActionError, Answered, Content, Evidence, Inline, Target, Usage};
use crate::told::Told;

/// One action while its records are read.
#[derive(Debug)]
pub(crate) struct Act {
    pub(crate) row: Action,
    /// When it began, else when it is first heard of.
    pub(crate) time: Timestamp,
    pub(crate) began: Option<RecordRef>,
    pub(crate) ended: Option<RecordRef>,
    /// Settled later by a reconciliation.
    pub(crate) reconciled: Option<RecordRef>,
    /// How many diffs its end says it has.
    pub(crate) declared_diffs: Option<u64>,
    /// The transaction it ran in.
    pub(crate) transaction: Option<String>,
    /// Status of an HTTP answer.
    pub(crate) status: Option<i64>,
    /// The recorder did this itself to observe.
    pub(crate) recorder_own: bool,
    /// What a recorder beside the caller observed it by, and its resource as the caller addressed it.
    pub(super) observed: Option<(String, Option<String>)>,
    /// It comes from another producer's claims.
    pub(crate) claims: bool,
    /// How often its begin was received.
    pub(crate) begins: u64,
    /// It is not an attempt but something that was said, e.g. a log line.
    pub(crate) remark: bool,
}

impl Act {
    /// An action of which only the id is known.
    pub(super) fn new(id: String, told: &Told<'_>, source: Source) -> Self {
        let unheard = || Content::unknown("no record says so");
        Self {
            row: Action {
                id,
                session: told.at.stream.session,
                parent: None,
                kind: Kind::Other("unknown".into()),
                access: None,
                name: None,
                operation: None,
                target: Target::default(),
                began_at: None,
                ended_at: None,
                outcome: Outcome::Unknown,
                effect: Effect::Unknown,
                input: unheard(),
                output: unheard(),
                result: None,
                error: None,
                attempt: None,
                retry_of: None,
                call_id: None,
                decision: None,
                authorization: None,
                verdict: None,
                rule: None,
                usage: Usage::default(),
                durability: None,
                received: 1,
                approvals: Vec::new(),
                corroborated_by: Vec::new(),
                trace_id: None,
                span_id: None,
                evidence: Evidence::new(source, Vec::with_capacity(2)),
            },
            time: told.time,
            began: None,
            ended: None,
            reconciled: None,
            declared_diffs: None,
            transaction: None,
            status: None,
            recorder_own: false,
            observed: None,
            claims: super::claims(told),
            begins: 0,
            remark: false,
        }
    }

    /// Gives the row its weakest source: why it was done, and what policy said, is the agent's own word, while a
    /// recorder saw the rest.
    pub(super) fn weigh(&mut self) {
        const SEEN: [&str; 9] = [
            "target", "began_at", "ended_at", "outcome", "effect", "input", "output", "result",
            "error",
        ];
        self.row.received = self.begins.max(1);
        let row = &mut self.row;
        let said = row.decision.is_some() || row.verdict.is_some();
        if said && row.evidence.source == Source::Observed {
            row.evidence.source = Source::Stated;
            for field in SEEN {
                row.evidence
                    .source_of
                    .entry(field.to_owned())
                    .or_insert(Source::Observed);
            }
        }
    }

    /// The first record that tells of it.
    pub(crate) fn first(&self) -> Option<RecordRef> {
        self.row.evidence.refs.first().copied()
    }

    /// Began and never ended, as far as anybody knows.
    pub(crate) fn is_dangling(&self) -> bool {
        self.began.is_some() && self.ended.is_none() && self.reconciled.is_none() && !self.remark
    }

    /// Whether it ran at all, or may have.
    pub(crate) fn ran(&self) -> bool {
        !self.remark && !matches!(self.row.outcome, Outcome::Denied | Outcome::NotExecuted)
    }

    /// Whether it failed.
    pub(crate) fn failed(&self) -> bool {
        matches!(self.row.outcome, Outcome::Failure | Outcome::Timeout)
    }

    /// What was done to what, for people: `PATCH http:crm.example.test/accounts/17`.
    pub(crate) fn what(&self) -> String {
        let verb = self
            .row
            .operation
            .as_deref()
            .or(self.row.name.as_deref())
            .unwrap_or(self.row.kind.as_str());
        match &self.row.target.resource {
            Some(resource) => format!("{verb} {resource}"),
            None => verb.to_owned(),
        }
    }
}

/// Attributes of a target that are kept beside its resource.
const DETAIL: &[&str] = &[
    key::URL_FULL,
    key::SERVER_ADDRESS,
    key::DB_SYSTEM,
    key::DB_NAMESPACE,
    key::DB_COLLECTION,
    key::DB_QUERY_TEXT,
    key::FILE_PATH,
    key::PROCESS_EXECUTABLE,
    key::GEN_AI_PROVIDER,
    key::GEN_AI_REQUEST_MODEL,
    key::TOOL_NAME,
];

impl Fold {
    /// The action of a record, by id; a new one if this is the first record about it.
    fn act(&mut self, told: &Told<'_>, id: &str) -> &mut Act {
        let slot = (told.at.stream.session, super::claims(told), id.to_owned());
        let acts = &mut self.acts;
        let index = *self.act_of.entry(slot).or_insert_with(|| {
            acts.push(Act::new(
                id.to_owned(),
                told,
                Self::source(told, Source::Observed),
            ));
            acts.len() - 1
        });
        &mut acts[index]
    }

    pub(super) fn invoke(&mut self, told: &Told<'_>) {
        let id = told
            .text(key::ACTION_ID)
            .unwrap_or_else(|| told.at.to_string());
        let input = content::read(&told.item.attributes, key::INPUT);
        self.removed(told, input.as_ref());
        self.model(told);
        let act = self.act(told, &id);
        act.begins += 1;
        act.row.evidence.refs.push(told.at);
        if act.began.is_some() {
            return;
        }
        act.began = Some(told.at);
        act.time = told.time;
        act.row.began_at = Some(told.time);
        act.row.input = input.unwrap_or_else(|| Content::unknown("the begin has no input"));
        act.row.parent = told.text(key::ACTION_PARENT);
        act.row.attempt = told.count(key::ATTEMPT);
        act.row.retry_of = told.text(key::RETRY_OF);
        act.row.decision = told.text(key::DECISION_ID);
        act.row.durability = told.word::<Durability>(key::DURABILITY);
        act.describe(told);
    }

    pub(super) fn result(&mut self, told: &Told<'_>) {
        let id = told
            .text(key::ACTION_ID)
            .unwrap_or_else(|| told.at.to_string());
        let output = content::read(&told.item.attributes, key::OUTPUT);
        self.removed(told, output.as_ref());
        let act = self.act(told, &id);
        act.row.evidence.refs.push(told.at);
        if act.ended.is_some() {
            return;
        }
        act.ended = Some(told.at);
        if act.began.is_none() {
            act.time = told.time;
        }
        act.row.ended_at = Some(told.time);
        act.row.output = output.unwrap_or_else(|| Content::unknown("the end has no output"));
        act.settle(told);
        act.describe(told);
        act.declared_diffs = told.count(key::DIFFS);
    }

    pub(super) fn reconcile(&mut self, told: &Told<'_>) {
        let Some(id) = told.text(key::ACTION_ID) else {
            return;
        };
        let act = self.act(told, &id);
        act.row.evidence.refs.push(told.at);
        act.reconciled = Some(told.at);
        act.settle(told);
    }

    /// A line from outside: said, not attempted.
    pub(super) fn line(&mut self, told: &Told<'_>) {
        let text = content::read(&told.item.attributes, key::CONTENT)
            .unwrap_or_else(|| content::of(&told.item.body));
        self.removed(told, Some(&text));
        let mut act = Act::new(told.at.to_string(), told, Source::Stated);
        act.remark = true;
        act.began = Some(told.at);
        act.ended = Some(told.at);
        act.row.kind = Kind::Other("line".into());
        act.row.name = told.text(key::LINE_SOURCE);
        act.row.began_at = Some(told.time);
        act.row.ended_at = Some(told.time);
        act.row.result = match &text.inline {
            Some(Inline::Text(text)) => {
                let first = text.lines().next().unwrap_or_default();
                Some(first.chars().take(200).collect())
            }
            Some(Inline::Bytes(bytes)) => Some(crate::shown::of_bytes(bytes, 64)),
            None => None,
        };
        act.row.input = Content::absent();
        act.row.output = text;
        act.row.evidence.refs.push(told.at);
        self.acts.push(act);
    }

    pub(super) fn verdict(&mut self, told: &Told<'_>) {
        let Some(verdict) = told.word::<Verdict>(key::VERDICT) else {
            return;
        };
        self.verdicts.push(Judged {
            at: told.at,
            claims: super::claims(told),
            action: told.text(key::ACTION_ID),
            verdict,
            rule: told.text(key::RULE),
        });
    }

    pub(super) fn approval(&mut self, told: &Told<'_>) {
        let Some(what) = told.word::<Approval>(key::APPROVAL) else {
            return;
        };
        self.approvals.push(Approved {
            at: told.at,
            time: told.time,
            action: told.text(key::ACTION_ID),
            what,
            by: told.text(key::APPROVED_BY),
            reason: told.text(key::REASON),
            claims: super::claims(told),
        });
    }

    /// Verdicts to the actions they are about; of several the last one counts, but a denial stays. What lifts it is an
    /// approval by somebody, which is told; an agent that says `allow` after its own `deny` lifts nothing.
    pub(super) fn join_verdicts(&mut self) {
        for judged in std::mem::take(&mut self.verdicts) {
            let Some(id) = judged.action else { continue };
            let slot = (judged.at.stream.session, judged.claims, id);
            let Some(act) = self
                .act_of
                .get(&slot)
                .and_then(|index| self.acts.get_mut(*index))
            else {
                continue;
            };
            act.row.evidence.refs.push(judged.at);
            if act.row.verdict != Some(Verdict::Deny) || judged.verdict == Verdict::Deny {
                act.row.verdict = Some(judged.verdict);
                act.row.rule = judged.rule;
            }
        }
    }

    /// What people answered, to the actions that they were asked about.
    pub(super) fn join_approvals(&mut self) {
        for approval in &self.approvals {
            let Some(id) = approval.action.clone() else {
                continue;
            };
            let slot = (approval.at.stream.session, approval.claims, id);
            let act = self.act_of.get(&slot).copied();
            if let Some(act) = act.and_then(|index| self.acts.get_mut(index)) {
                act.row.approvals.push(Answered {
                    approval: approval.what,
                    by: approval.by.clone(),
                    at: approval.time,
                    shown_by: approval.at,
                });
            }
        }
    }

    /// The model behind a call, as loaded context, once per session.
    pub(super) fn model(&mut self, told: &Told<'_>) {
        let Some(model) = told.text(key::GEN_AI_REQUEST_MODEL) else {
            return;
        };
        let session = told.at.stream.session;
        if self
            .context_seen
            .insert((session, model.clone()), ())
            .is_some()
        {
            return;
        }
        self.context.push(crate::model::Context {
            session,
            kind: vocabulary::decision::ContextKind::Model,
            name: Some(model),
            digest: None,
            size: None,
            trust: None,
            at: Some(told.time),
            evidence: Evidence::new(Self::source(told, Source::Derived), vec![told.at]),
        });
    }
}

impl Act {
    /// What both begin and end may say about an action; what is known already stays.
    fn describe(&mut self, told: &Told<'_>) {
        let row = &mut self.row;
        if let Some(kind) = told.text(key::ACTION_KIND) {
            row.kind = Kind::read(&kind);
        }
        row.access = row.access.or_else(|| told.word(key::ACTION_ACCESS));
        fill(&mut row.name, || told.text(key::ACTION_NAME));
        fill(&mut row.operation, || told.text(key::ACTION_OPERATION));
        fill(&mut row.target.resource, || told.text(key::TARGET));
        fill(&mut row.call_id, || told.text(key::TOOL_CALL_ID));
        // The word for "none was recorded".
        fill(&mut row.authorization, || {
            told.text(key::AUTHORIZATION_ID).filter(|id| id != "none")
        });
        fill(&mut row.trace_id, || told.item.trace_id.map(|id| hex(&id)));
        fill(&mut row.span_id, || told.item.span_id.map(|id| hex(&id)));
        fill(&mut self.transaction, || told.text(key::TRANSACTION_ID));
        for name in DETAIL {
            if let Some(value) = told.text(name) {
                row.target.detail.entry((*name).to_owned()).or_insert(value);
            }
        }
        row.usage.input_tokens = row
            .usage
            .input_tokens
            .or_else(|| told.count(key::GEN_AI_INPUT_TOKENS));
        row.usage.output_tokens = row
            .usage
            .output_tokens
            .or_else(|| told.count(key::GEN_AI_OUTPUT_TOKENS));
        self.status = self
            .status
            .or_else(|| told.item.attributes.int(key::HTTP_STATUS));
        if self.observed.is_none() {
            self.observed = told
                .text(key::OBSERVED_SPAN)
                .map(|span| (span, told.text(key::OBSERVED_TARGET)));
        }
        self.recorder_own |= told
            .item
            .attributes
            .bool(key::RECORDER_OWN)
            .unwrap_or_default();
    }

    /// How it ended.
    fn settle(&mut self, told: &Told<'_>) {
        let row = &mut self.row;
        // What a record leaves out, an earlier one may have said.
        row.outcome = told.word(key::OUTCOME).unwrap_or(row.outcome);
        row.effect = told.word(key::EFFECT).unwrap_or(row.effect);
        row.result = told.text(key::RESULT).or(row.result.take());
        row.error = error(told).or(row.error.take());
    }
}

/// What went wrong, when a record says that something did.
pub(super) fn error(told: &Told<'_>) -> Option<ActionError> {
    let error = ActionError {
        class: told.text(key::ERROR_TYPE),
        native: told.text(key::ERROR_NATIVE),
        message: told.text(key::ERROR_MESSAGE),
    };
    (error != ActionError::default()).then_some(error)
}

/// Sets what is not known yet.
pub(super) fn fill(field: &mut Option<String>, value: impl FnOnce() -> Option<String>) {
    if field.is_none() {
        *field = value();
    }
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}
