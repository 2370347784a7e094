//! One verified record, read: what it says, who sent it and when it came.

use ledger::envelope::{CollectorPart, Envelope};
use ledger::leaf::RecordLeaf;
use ledger::otlp::{Attributes, Encoding, Item, Resource, Signal};
use std::rc::Rc;
use vocabulary::Timestamp;
use vocabulary::event::Event;
use vocabulary::id::RecordRef;

use crate::chain::Link;
use crate::model::Standing;

/// A record's own words beside what the collector decided about it.
#[derive(Debug)]
pub(crate) struct Told<'a> {
    /// Where it is in this account.
    pub(crate) at: RecordRef,
    /// What standing its stream has.
    pub(crate) standing: Standing,
    /// It comes from an enrolled recorder that looks on: the session is another producer's.
    pub(crate) observer: bool,
    /// When it happened, by the sender's clock; by the collector's where the sender says nothing.
    pub(crate) time: Timestamp,
    /// Its leaf: arrival and flags.
    pub(crate) leaf: RecordLeaf,
    /// What kind of record it is; `None` for a name outside the catalogue.
    pub(crate) event: Option<Event>,
    /// Log record or span.
    pub(crate) signal: Signal,
    /// The record.
    pub(crate) item: Item<'a>,
    /// The process it came from.
    pub(crate) resource: Rc<Attributes<'a>>,
    /// What the collector decided.
    pub(crate) collector: Rc<CollectorPart>,
    /// Its place in its producer's chain; none where a mask changed its bytes.
    pub(crate) link: Option<Link>,
}

/// Reads records one after the other; what they share is read once.
#[derive(Debug, Default)]
pub(crate) struct Telling<'a> {
    resource: Option<(&'a [u8], Encoding, Rc<Attributes<'a>>)>,
    collector: Option<(&'a [u8], Rc<CollectorPart>)>,
}

impl<'a> Telling<'a> {
    /// Reads one record.
    ///
    /// # Errors
    /// In words, when the sealed bytes are not what their envelope says they are.
    pub(crate) fn read(
        &mut self,
        at: RecordRef,
        standing: Standing,
        leaf: RecordLeaf,
        envelope: Envelope<'a>,
    ) -> Result<Told<'a>, String> {
        let item = Item::decode(envelope.encoding, envelope.signal, envelope.item)
            .map_err(|error| format!("it is not OTLP: {error}"))?;
        let resource = self.resource(&envelope)?;
        let collector = self.collector(&envelope)?;
        let masked = !collector.masks.is_empty();
        let link = if masked {
            None
        } else {
            Link::of(&envelope, &item)
        };
        let sent = [
            item.time_unix_nano,
            item.observed_time_unix_nano,
            leaf.received_unix_ns,
        ];
        let time = sent.into_iter().find(|time| *time != 0).unwrap_or_default();
        let named = match item.attributes.str("event.name") {
            Some(name) if item.name.is_empty() => Event::from_name(name),
            _ => Event::from_name(&item.name),
        };
        let event = named.filter(|_| envelope.signal == Signal::Logs);
        Ok(Told {
            at,
            standing,
            observer: false,
            time: Timestamp::from_unix_ns(time),
            leaf,
            event,
            signal: envelope.signal,
            item,
            resource,
            collector,
            link,
        })
    }

    fn resource(&mut self, envelope: &Envelope<'a>) -> Result<Rc<Attributes<'a>>, String> {
        if let Some((bytes, encoding, read)) = &self.resource
            && *bytes == envelope.resource
            && *encoding == envelope.encoding
        {
            return Ok(Rc::clone(read));
        }
        let read = Resource::decode(envelope.encoding, envelope.resource)
            .map_err(|error| format!("its resource is not OTLP: {error}"))?;
        let read = Rc::new(read.attributes);
        self.resource = Some((envelope.resource, envelope.encoding, Rc::clone(&read)));
        Ok(read)
    }

    fn collector(&mut self, envelope: &Envelope<'a>) -> Result<Rc<CollectorPart>, String> {
        if let Some((bytes, read)) = &self.collector
            && *bytes == envelope.collector
        {
            return Ok(Rc::clone(read));
        }
        let read = CollectorPart::decode(envelope.collector)
            .map_err(|error| format!("the collector's part cannot be read: {error}"))?;
        let read = Rc::new(read);
        self.collector = Some((envelope.collector, Rc::clone(&read)));
        Ok(read)
    }
}

impl Told<'_> {
    /// A text attribute of the record.
    pub(crate) fn text(&self, key: &str) -> Option<String> {
        self.item.attributes.get(key).and_then(plain)
    }

    /// A text attribute of the record, else of its resource.
    pub(crate) fn text_anywhere(&self, key: &str) -> Option<String> {
        self.text(key)
            .or_else(|| self.resource.get(key).and_then(plain))
    }

    /// A whole number that is not negative.
    pub(crate) fn count(&self, key: &str) -> Option<u64> {
        u64::try_from(self.item.attributes.int(key)?).ok()
    }

    /// A list of texts; one text alone is a list of one.
    pub(crate) fn texts(&self, key: &str) -> Vec<String> {
        match self.item.attributes.get(key) {
            Some(ledger::otlp::Value::Str(one)) => vec![one.to_string()],
            _ => self
                .item
                .attributes
                .strings(key)
                .map(str::to_owned)
                .collect(),
        }
    }

    /// A word of a closed set.
    pub(crate) fn word<W: std::str::FromStr>(&self, key: &str) -> Option<W> {
        self.item.attributes.str(key)?.parse().ok()
    }
}

/// A scalar as text.
pub(crate) fn plain(value: &ledger::otlp::Value<'_>) -> Option<String> {
    use ledger::otlp::Value;
    match value {
        Value::Str(text) => Some(text.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Int(number) => Some(number.to_string()),
        Value::Double(number) => Some(number.to_string()),
        Value::Empty | Value::Bytes(_) | Value::Array(_) | Value::Map(_) => None,
    }
}
