//! A choice that the agent made: the question, what was considered, chosen and discarded.

use std::fmt;

use sha2::{Digest as _, Sha256};
use vocabulary::Event;
use vocabulary::attribute::{self, candidates, discarded};
use vocabulary::content::Content;
use vocabulary::decision::{MadeBy, Point};
use vocabulary::digest::Digest;
use vocabulary::id::{ActionId, DecisionId};

use crate::encode::{Value, int};
use crate::{Attributes, Handle};

/// Up to how many candidates are listed beside their count and digest.
const LISTED: usize = 100;

/// A recorded decision; actions cite it with `because`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    id: DecisionId,
}

impl Decision {
    /// Its id.
    pub fn id(&self) -> DecisionId {
        self.id
    }
}

impl From<&Decision> for DecisionId {
    fn from(decision: &Decision) -> Self {
        decision.id
    }
}

impl From<Decision> for DecisionId {
    fn from(decision: Decision) -> Self {
        decision.id
    }
}

/// A decision that is not recorded yet. Options may be anything that can be
/// written as text: numbers, names, canonical resources.
#[must_use = "a decision is recorded only by `record`"]
pub struct DecisionBuilder {
    handle: Handle,
    id: DecisionId,
    question: String,
    point: Point,
    made_by: MadeBy,
    chosen: Vec<String>,
    discarded: Vec<(String, String)>,
    refs: Vec<String>,
    attributes: Attributes,
}

impl fmt::Debug for DecisionBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DecisionBuilder({})", self.question)
    }
}

impl DecisionBuilder {
    pub(crate) fn new(handle: &Handle, question: &str) -> Self {
        Self {
            handle: handle.clone(),
            id: DecisionId::new(handle.recorder.now_ms(), crate::random::bytes()),
            question: question.to_owned(),
            point: Point::Filter,
            made_by: MadeBy::Code,
            chosen: Vec::new(),
            discarded: Vec::new(),
            refs: Vec::new(),
            attributes: Attributes::new(),
        }
    }

    /// At which point of the work; `filter` without this.
    pub fn point(mut self, point: Point) -> Self {
        self.point = point;
        self
    }

    /// By a language model.
    pub fn by_model(self, model: &str) -> Self {
        self.by(MadeBy::Model, model)
    }

    /// By the agent's own code, named by function and version. The default.
    pub fn by_code(self, name: &str) -> Self {
        self.by(MadeBy::Code, name)
    }

    /// By a policy, named by its rule.
    pub fn by_policy(mut self, rule: &str) -> Self {
        self.made_by = MadeBy::Policy;
        self.attributes.text(attribute::RULE, rule);
        self
    }

    /// By a person at the controls.
    pub fn by_operator(self, who: &str) -> Self {
        self.by(MadeBy::Operator, who)
    }

    /// By what it was decided.
    pub fn criteria(mut self, text: &str) -> Self {
        self.attributes.text(attribute::DECISION_CRITERIA, text);
        self
    }

    /// In which order candidates were put.
    pub fn ordering(mut self, text: &str) -> Self {
        self.attributes.text(attribute::DECISION_ORDERING, text);
        self
    }

    /// Why, in the decider's words.
    pub fn rationale(mut self, text: &str) -> Self {
        self.attributes.text(attribute::DECISION_RATIONALE, text);
        self
    }

    /// All candidates at the start: their count and digest, and up to a
    /// hundred of them by name.
    pub fn candidates<T: fmt::Display>(mut self, all: impl IntoIterator<Item = T>) -> Self {
        let mut ids = texts(all);
        for (index, id) in ids.iter_mut().enumerate() {
            let (clean, found) = vocabulary::redaction::replace(id);
            if !found.is_empty() {
                let path = format!("{}/{index}", attribute::CANDIDATES);
                self.attributes.removed(&path, found);
                *id = clean.into_owned();
            }
        }
        ids.sort_unstable();
        let mut hash = Sha256::new();
        for id in &ids {
            hash.update(id.as_bytes());
            hash.update(b"\n");
        }
        let digest = Digest::Sha256(hash.finalize().into()).to_string();
        let listed: Vec<Value<'_>> = ids.iter().map(|id| Value::Str(id)).collect();
        let mut map = vec![
            (candidates::COUNT, Value::Int(int(ids.len() as u64))),
            (candidates::DIGEST, Value::Str(&digest)),
        ];
        if ids.len() <= LISTED {
            map.push((candidates::IDS, Value::List(&listed)));
        }
        self.attributes.put(attribute::CANDIDATES, Value::Map(&map));
        self
    }

    /// What was considered.
    pub fn considered<T: fmt::Display>(mut self, options: impl IntoIterator<Item = T>) -> Self {
        self.attributes
            .texts(attribute::DECISION_CONSIDERED, &texts(options));
        self
    }

    /// What was chosen.
    pub fn chose<T: fmt::Display>(mut self, options: impl IntoIterator<Item = T>) -> Self {
        self.chosen.extend(texts(options));
        self
    }

    /// What was discarded, each with its reason.
    pub fn discarded<T: fmt::Display, R: fmt::Display>(
        mut self,
        options: impl IntoIterator<Item = (T, R)>,
    ) -> Self {
        let options = options
            .into_iter()
            .map(|(option, why)| (option.to_string(), why.to_string()));
        self.discarded.extend(options);
        self
    }

    /// Records, actions or digests that were looked at.
    pub fn from<T: fmt::Display>(mut self, references: impl IntoIterator<Item = T>) -> Self {
        self.refs.extend(texts(references));
        self
    }

    /// The tool call of a model's reply that this decision is.
    pub fn tool_call(mut self, call_id: &str, tool: &str, arguments: &Content) -> Self {
        self.point = Point::ToolSelect;
        self.chosen = vec![tool.to_owned()];
        self.attributes
            .text(attribute::TOOL_CALL_ID, call_id)
            .text(attribute::TOOL_NAME, tool)
            .content(attribute::INPUT, arguments);
        self
    }

    /// The action whose reply holds it.
    pub fn in_reply_of(mut self, action: ActionId) -> Self {
        self.attributes.uuid(attribute::ACTION_ID, action.uuid());
        self
    }

    /// Records it.
    pub fn record(self) -> Decision {
        let mut attributes = Attributes::new();
        attributes
            .uuid(attribute::DECISION_ID, self.id.uuid())
            .str(attribute::DECISION_POINT, self.point.as_str())
            .str(attribute::DECISION_MADE_BY, self.made_by.as_str())
            .text(attribute::DECISION_QUESTION, &self.question)
            .texts(attribute::DECISION_CHOSEN, &self.chosen)
            .texts_if(attribute::DECISION_REFS, &self.refs)
            .append(&self.attributes);
        if !self.discarded.is_empty() {
            let mut clean = |index: usize, text: &str| {
                let (text, found) = vocabulary::redaction::replace(text);
                attributes.removed(&format!("{}/{index}", attribute::DISCARDED), found);
                text.into_owned()
            };
            let pairs: Vec<(String, String)> = self
                .discarded
                .iter()
                .enumerate()
                .map(|(index, (option, why))| (clean(index, option), clean(index, why)))
                .collect();
            let maps: Vec<[(&str, Value<'_>); 2]> = pairs
                .iter()
                .map(|(option, why)| {
                    [
                        (discarded::OPTION, Value::Str(option)),
                        (discarded::REASON, Value::Str(why)),
                    ]
                })
                .collect();
            let list: Vec<Value<'_>> = maps.iter().map(|map| Value::Map(map)).collect();
            attributes.put(attribute::DISCARDED, Value::List(&list));
        }
        self.handle.record(Event::DecisionLog, &attributes);
        Decision { id: self.id }
    }

    fn by(mut self, made_by: MadeBy, name: &str) -> Self {
        self.made_by = made_by;
        self.refs.push(format!("{made_by}:{name}"));
        self
    }
}

fn texts<T: fmt::Display>(items: impl IntoIterator<Item = T>) -> Vec<String> {
    items.into_iter().map(|item| item.to_string()).collect()
}
