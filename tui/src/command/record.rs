//! One verified record as a line: its JSON form, its cells, and what the filters look at.

use base64::Engine as _;
use ledger::envelope::{CollectorPart, Envelope};
use ledger::leaf::RecordLeaf;
use ledger::otlp::{Attributes, Item, Resource, Signal, Value};
use serde_json::{Map, Value as Json, json};
use vocabulary::{Timestamp, attribute};

/// The largest whole number that every JSON reader keeps exactly.
const EXACT: u64 = 1 << 53;

/// A record, read from its sealed bytes.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// Its place: `s1a#14` where an account named the stream, else the stream's id and the index.
    pub(crate) place: String,
    /// The session it names.
    pub(crate) session: Option<String>,
    /// The request it names.
    pub(crate) request: Option<String>,
    /// When it happened, by the sender's clock.
    pub(crate) at: Timestamp,
    /// The event, or `x-` and what the sender called it.
    pub(crate) event: String,
    /// The agent's name and id.
    pub(crate) agent: Vec<String>,
    /// Who asked, where the record says it.
    pub(crate) user: Vec<String>,
    /// The action it belongs to.
    pub(crate) action: Option<String>,
    /// The action's kind, where the record says it.
    pub(crate) kind: Option<String>,
    /// The verdict, where the record says one.
    pub(crate) verdict: Option<String>,
    /// What it says, in one line.
    pub(crate) what: String,
    json: Map<String, Json>,
}

/// The columns of `-o csv`.
pub(crate) const COLUMNS: [&str; 10] = [
    "ref", "at", "event", "kind", "verdict", "agent", "session", "request", "action", "what",
];

impl Recorded {
    /// Whether it had been made by a moment of its account.
    pub(crate) fn is_at(&self, then: &super::at::Moment) -> bool {
        let place = self.place.parse::<vocabulary::id::RecordRef>();
        place.is_ok_and(|place| then.has(place, Some(self.at)))
    }

    /// Reads a record. In words, when the sealed bytes are not what their envelope says.
    pub(crate) fn read(
        place: String,
        leaf: &RecordLeaf,
        envelope: Option<Envelope<'_>>,
    ) -> Result<Recorded, String> {
        let received = Timestamp::from_unix_ns(leaf.received_unix_ns);
        let Some(envelope) = envelope else {
            return Ok(erased(place, received));
        };
        let item = Item::decode(envelope.encoding, envelope.signal, envelope.item)
            .map_err(|error| format!("{place} is not OTLP: {error}"))?;
        let resource = Resource::decode(envelope.encoding, envelope.resource)
            .map_err(|error| format!("{place}: its resource is not OTLP: {error}"))?;
        let collector = CollectorPart::decode(envelope.collector)
            .map_err(|error| format!("{place}: {error}"))?;
        let sent = [
            item.time_unix_nano,
            item.observed_time_unix_nano,
            leaf.received_unix_ns,
        ];
        let at =
            Timestamp::from_unix_ns(sent.into_iter().find(|time| *time != 0).unwrap_or_default());
        let said = |key: &str| item.attributes.str(key).map(str::to_owned);
        let named = if item.name.is_empty() {
            said("event.name").unwrap_or_default()
        } else {
            item.name.to_string()
        };
        let known =
            vocabulary::event::Event::from_name(&named).filter(|_| envelope.signal == Signal::Logs);
        let event = match known {
            Some(event) => event.name().to_owned(),
            None => format!("x-{}", if named.is_empty() { "unnamed" } else { &named }),
        };
        let agent = [
            attribute::AGENT_NAME,
            attribute::SERVICE_NAME,
            attribute::AGENT_ID,
        ];
        let agent = agent
            .iter()
            .filter_map(|key| resource.attributes.str(key))
            .map(str::to_owned)
            .collect();
        let user = [attribute::PRINCIPAL_DISPLAY, attribute::PRINCIPAL_SUBJECT];
        let user = user.iter().filter_map(|key| said(key)).collect();
        let session = said(attribute::SESSION_ID)
            .or_else(|| Some(collector.session_label.clone()).filter(|it| !it.is_empty()));
        let mut json = Map::new();
        json.insert("ref".to_owned(), json!(place));
        json.insert("at".to_owned(), json!(at));
        json.insert("received_at".to_owned(), json!(received));
        json.insert("event".to_owned(), json!(event));
        json.insert("session".to_owned(), json!(session));
        json.insert("producer".to_owned(), json!(collector.producer));
        json.insert(
            "claimed_producer".to_owned(),
            json!(collector.claimed_producer),
        );
        json.insert(
            "trace_id".to_owned(),
            json!(item.trace_id.map(|id| hex(&id))),
        );
        json.insert("span_id".to_owned(), json!(item.span_id.map(|id| hex(&id))));
        json.insert("attributes".to_owned(), attributes(&item.attributes));
        json.insert("body".to_owned(), value(&item.body));
        json.insert("resource".to_owned(), attributes(&resource.attributes));
        Ok(Recorded {
            what: what(&item),
            session,
            request: said(attribute::REQUEST_ID),
            action: said(attribute::ACTION_ID),
            kind: said(attribute::ACTION_KIND),
            verdict: said(attribute::VERDICT),
            place,
            at,
            event,
            agent,
            user,
            json,
        })
    }

    /// The record as one JSON object.
    pub(crate) fn json(&self) -> &Map<String, Json> {
        &self.json
    }

    /// What one of its attributes says, where that is text.
    pub(crate) fn said(&self, key: &str) -> Option<&str> {
        self.json.get("attributes")?.get(key)?.as_str()
    }

    /// Its trace, hex.
    pub(crate) fn trace(&self) -> Option<&str> {
        self.json.get("trace_id")?.as_str()
    }

    /// The record's cells, in the order of [`COLUMNS`].
    pub(crate) fn cells(&self) -> [String; 10] {
        let or_empty = |text: &Option<String>| text.clone().unwrap_or_default();
        [
            self.place.clone(),
            self.at.to_string(),
            self.event.clone(),
            or_empty(&self.kind),
            or_empty(&self.verdict),
            self.agent.first().cloned().unwrap_or_default(),
            or_empty(&self.session),
            or_empty(&self.request),
            or_empty(&self.action),
            self.what.clone(),
        ]
    }
}

/// A record whose payload was erased: that it was there is all that is left.
fn erased(place: String, received: Timestamp) -> Recorded {
    let mut json = Map::new();
    json.insert("ref".to_owned(), json!(place));
    json.insert("received_at".to_owned(), json!(received));
    json.insert("event".to_owned(), json!("x-erased"));
    Recorded {
        place,
        session: None,
        request: None,
        at: received,
        event: "x-erased".to_owned(),
        agent: Vec::new(),
        user: Vec::new(),
        action: None,
        kind: None,
        verdict: None,
        what: "the payload was erased".to_owned(),
        json,
    }
}

/// So many bytes are shown of content that is no text.
const SHOWN: usize = 200;

/// What a record says, from its most telling attributes.
fn what(item: &Item<'_>) -> String {
    let telling = [
        attribute::ACTION_OPERATION,
        attribute::ACTION_NAME,
        attribute::TARGET,
        attribute::RESOURCE,
        attribute::DECISION_QUESTION,
        attribute::AUTHORIZATION_POLICY,
        attribute::CONTEXT_NAME,
        attribute::OUTCOME,
        attribute::RESULT,
        attribute::EFFECT,
        attribute::VERDICT,
        attribute::RULE,
        attribute::REASON,
        attribute::SESSION_END_REASON,
        attribute::SESSION_SUMMARY,
    ];
    let mut said: Vec<String> = telling
        .iter()
        .filter_map(|key| item.attributes.str(key))
        .map(str::to_owned)
        .collect();
    for key in [attribute::INTENT, attribute::CONTENT] {
        let inline = item
            .attributes
            .get(key)
            .and_then(Value::as_map)
            .and_then(|map| map.get(attribute::content::INLINE));
        match inline {
            Some(Value::Str(text)) => said.push(text.to_string()),
            Some(Value::Bytes(bytes)) => said.push(account::shown::of_bytes(bytes, SHOWN)),
            _ => {}
        }
    }
    if let Some(body) = item.body.as_str() {
        said.push(body.to_owned());
    }
    if said.is_empty() && !item.name.is_empty() {
        said.push(item.name.to_string());
    }
    said.dedup();
    said.join("  ")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn attributes(list: &Attributes<'_>) -> Json {
    let mut map = Map::new();
    for (key, it) in list.iter() {
        // A key that occurs twice keeps the first value, as everywhere; the others are shown beside it.
        let mut name = key.to_owned();
        while map.contains_key(&name) {
            name.push_str(" (again)");
        }
        map.insert(name, value(it));
    }
    Json::Object(map)
}

fn value(it: &Value<'_>) -> Json {
    match it {
        Value::Empty => Json::Null,
        Value::Str(text) => json!(text),
        Value::Bool(value) => json!(value),
        Value::Int(number) if number.unsigned_abs() > EXACT => json!(number.to_string()),
        Value::Int(number) => json!(number),
        Value::Double(number) if number.is_finite() => json!(number),
        Value::Double(number) => json!(number.to_string()),
        Value::Bytes(bytes) => {
            json!({ "base64": base64::engine::general_purpose::STANDARD.encode(bytes) })
        }
        Value::Array(members) => members.iter().map(value).collect(),
        Value::Map(map) => attributes(map),
    }
}
