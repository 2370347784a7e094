//! What an import sends: one `agent.log.line` per line, at last one `agent.session.end` per session, in exports.

use sha2::{Digest, Sha256};
use vocabulary::digest::Digest as Sum;
use vocabulary::{Event, attribute as a};

use super::lines::Line;
use super::proto::{Value, attribute, bytes, fixed};

/// Records and bytes of one export.
const EXPORT_RECORDS: usize = 1000;
const EXPORT_BYTES: usize = 1 << 20;

/// What all records of one import share.
#[derive(Debug, Clone)]
pub(crate) struct Import {
    /// The agent that is said to have written the lines.
    pub(crate) agent: String,
    /// The file's name, without its folder.
    pub(crate) file: String,
    /// SHA-256 of the file.
    pub(crate) digest: [u8; 32],
    /// How lines are read: the same file read otherwise is another import.
    pub(crate) options: String,
    /// Who imports, and on which host.
    pub(crate) by: String,
    pub(crate) host: String,
}

/// Where a line belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Belongs {
    pub(crate) session: String,
    pub(crate) request: String,
    /// When it happened, as the line says: Unix nanoseconds; 0 where it does not.
    pub(crate) time_ns: u64,
}

/// An `ExportLogsServiceRequest` in the making.
#[derive(Debug)]
pub(crate) struct Exports<'i> {
    import: &'i Import,
    resource: Vec<u8>,
    next: u64,
    items: Vec<u8>,
    count: usize,
}

impl Import {
    /// The name of a session that no field names.
    pub(crate) fn session(&self, request: &str) -> String {
        format!("import:{}:{request}", &hex(&self.digest)[..16])
    }

    /// The request of lines that name none.
    pub(crate) fn own_request(&self) -> String {
        format!("import:{}", &hex(&self.digest)[..16])
    }

    /// A UUID (version 8) that follows from the file, and where asked from the options.
    fn uuid(&self, what: &str, options: &str) -> String {
        let mut hash = Sha256::new();
        for part in [
            what.as_bytes(),
            &self.digest,
            self.agent.as_bytes(),
            options.as_bytes(),
        ] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let mut digits = hex(&hash.finalize())[..32].to_owned();
        digits.replace_range(12..13, "8");
        digits.replace_range(16..17, "8");
        let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
        format!(
            "{}-{}-{}-{}-{}",
            part(0, 8),
            part(8, 12),
            part(12, 16),
            part(16, 20),
            part(20, 32)
        )
    }

    fn resource(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let pairs = [
            (a::SERVICE_NAME, self.agent.clone()),
            (a::AGENT_NAME, self.agent.clone()),
            (a::PRODUCER, self.uuid("recount/import/producer", "")),
            (a::RUN, self.uuid("recount/import/run", &self.options)),
            (a::IMPORTED_BY, self.by.clone()),
            (a::HOST_NAME, self.host.clone()),
        ];
        for (key, value) in &pairs {
            attribute(&mut out, 1, key, Value::Text(value));
        }
        out
    }
}

impl<'i> Exports<'i> {
    pub(crate) fn new(import: &'i Import) -> Self {
        Self {
            import,
            resource: import.resource(),
            next: 0,
            items: Vec::new(),
            count: 0,
        }
    }

    /// Adds a line; the export that is full with it.
    pub(crate) fn line(&mut self, line: &Line, belongs: &Belongs) -> Option<(Vec<u8>, usize)> {
        let digest = format!("sha256:{}", hex(&line.digest));
        let size = line.size;
        let text = std::str::from_utf8(&line.bytes);
        let (kind, inline) = match text {
            Ok(text) if is_json(text) => ("application/json", Value::Text(text)),
            Ok(text) => ("text/plain; charset=utf-8", Value::Text(text)),
            Err(_) => ("application/octet-stream", Value::Bytes(&line.bytes)),
        };
        let state = if line.is_whole() {
            "present"
        } else {
            "truncated"
        };
        let content = [
            ("state", Value::Text(state)),
            ("digest", Value::Text(&digest)),
            ("size", Value::Int(size)),
            ("media_type", Value::Text(kind)),
            ("inline", inline),
        ];
        let file = Sum::Sha256(self.import.digest).to_string();
        self.record(
            Event::LogLine,
            belongs,
            &[
                (a::CONTENT, Value::Map(&content)),
                (a::LINE_SOURCE, Value::Text(&self.import.file)),
                (a::LINE_NUMBER, Value::Int(line.number)),
                (a::LINE_FILE, Value::Text(&file)),
            ],
        )
    }

    /// Ends a session: nothing more comes of this file. Whether the agent was done, nobody knows.
    pub(crate) fn end(&mut self, belongs: &Belongs, records: u64) -> Option<(Vec<u8>, usize)> {
        self.record(
            Event::SessionEnd,
            belongs,
            &[
                (a::SESSION_END_REASON, Value::Text("unknown")),
                (a::SESSION_RECORDS, Value::Int(records)),
            ],
        )
    }

    fn record(
        &mut self,
        event: Event,
        belongs: &Belongs,
        own: &[(&str, Value<'_>)],
    ) -> Option<(Vec<u8>, usize)> {
        let mut item = Vec::new();
        if belongs.time_ns > 0 {
            fixed(&mut item, 1, belongs.time_ns);
        }
        let shared = [
            (a::SESSION_ID, Value::Text(&belongs.session)),
            (a::REQUEST_ID, Value::Text(&belongs.request)),
            (a::SEQ, Value::Int(self.next)),
        ];
        for (key, value) in shared.iter().chain(own) {
            attribute(&mut item, 6, key, *value);
        }
        bytes(&mut item, 12, event.name().as_bytes());
        bytes(&mut self.items, 2, &item);
        self.next += 1;
        self.count += 1;
        (self.count >= EXPORT_RECORDS || self.items.len() >= EXPORT_BYTES)
            .then(|| self.take())
            .flatten()
    }

    /// What was added since the last export, as one.
    pub(crate) fn take(&mut self) -> Option<(Vec<u8>, usize)> {
        let count = std::mem::take(&mut self.count);
        let items = std::mem::take(&mut self.items);
        if count == 0 {
            return None;
        }
        let mut scope = Vec::new();
        bytes(&mut scope, 1, b"recount-collector import");
        bytes(&mut scope, 2, env!("CARGO_PKG_VERSION").as_bytes());
        let mut of_scope = Vec::new();
        bytes(&mut of_scope, 1, &scope);
        of_scope.extend_from_slice(&items);
        let mut of_resource = Vec::new();
        bytes(&mut of_resource, 1, &self.resource);
        bytes(&mut of_resource, 2, &of_scope);
        let mut export = Vec::new();
        bytes(&mut export, 1, &of_resource);
        Some((export, count))
    }
}

/// Whether a line is a JSON object or array; a bare word or number is text.
fn is_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '['])
        && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
    use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
    use prost::Message;

    use super::*;

    fn import(options: &str) -> Import {
        Import {
            agent: "nightly".to_owned(),
            file: "nightly.jsonl".to_owned(),
            digest: [7; 32],
            options: options.to_owned(),
            by: "ops".to_owned(),
            host: "host-a".to_owned(),
        }
    }

    fn belongs() -> Belongs {
        Belongs {
            session: "s".to_owned(),
            request: "47892".to_owned(),
            time_ns: 5,
        }
    }

    fn line(bytes: &[u8]) -> Line {
        Line {
            number: 3,
            bytes: bytes.to_vec(),
            size: bytes.len() as u64,
            digest: Sha256::digest(bytes).into(),
        }
    }

    #[test]
    fn an_export_reads_as_the_official_type_with_the_line_as_it_was() {
        let import = import("");
        let mut exports = Exports::new(&import);
        assert!(
            exports
                .line(&line(b"{\"n\": 1.50}\r"), &belongs())
                .is_none()
        );
        assert!(exports.line(&line(b"\xff\x00"), &belongs()).is_none());
        assert!(exports.end(&belongs(), 2).is_none());
        let (export, count) = exports.take().unwrap();
        assert_eq!(count, 3);
        let read = ExportLogsServiceRequest::decode(&export[..]).unwrap();
        let records = &read.resource_logs[0].scope_logs[0].log_records;
        assert_eq!(records[0].event_name, "agent.log.line");
        assert_eq!(records[2].event_name, "agent.session.end");
        assert_eq!(records[0].time_unix_nano, 5);
        let of = |record: usize, key: &str| {
            let found = records[record].attributes.iter().find(|it| it.key == key);
            found.unwrap().value.clone().unwrap().value.unwrap()
        };
        assert_eq!(of(0, "recount.line.number"), Any::IntValue(3));
        assert_eq!(of(2, "recount.seq"), Any::IntValue(2));
        let Any::KvlistValue(content) = of(0, "recount.content") else {
            panic!("no content")
        };
        let inline = content.values.iter().find(|it| it.key == "inline").unwrap();
        let inline = inline.value.clone().unwrap().value.unwrap();
        assert_eq!(inline, Any::StringValue("{\"n\": 1.50}\r".to_owned()));
        let Any::KvlistValue(content) = of(1, "recount.content") else {
            panic!("no content")
        };
        let inline = content.values.iter().find(|it| it.key == "inline").unwrap();
        assert_eq!(
            inline.value.clone().unwrap().value.unwrap(),
            Any::BytesValue(vec![0xff, 0])
        );
    }

    #[test]
    fn the_same_file_is_the_same_run_and_read_otherwise_another() {
        let (one, again, other) = (import("a"), import("a"), import("b"));
        assert_eq!(one.resource(), again.resource());
        assert_ne!(
            one.uuid("run", &one.options),
            other.uuid("run", &other.options)
        );
        let uuid = one.uuid("run", "");
        let version = (uuid.len(), uuid.as_bytes()[14], uuid.as_bytes()[19]);
        assert_eq!(version, (36, b'8', b'8'));
    }
}
