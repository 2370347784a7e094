//! `docs/records.md`, generated from the catalogue.

use std::fmt::Write as _;

use vocabulary::catalogue::{self, Field, Kind};

use crate::committed;

#[test]
fn the_committed_document_is_current() {
    committed::is_current("docs/records.md", &document());
}

const HEAD: &str = "# Records

Generated from `vocabulary/src/catalogue/` by `RECOUNT_BLESS=1 cargo test -p vocabulary`; normative. Version: `recount.records/1`. Adding events, attributes or words keeps the version; removing or changing one makes a new one.

## How a record travels

A record is one OTLP **LogRecord**. Its `event_name` is the event, its `time_unix_nano` the time (UTC), its attributes those below; `trace_id` and `span_id` name the session's trace and the action's span. Surroundings that do not change while a producer runs are attributes of the **Resource**. Unknown event names and unknown attributes are kept as they came; a name outside this catalogue is shown with `x-` before it.

Log records can be sent when something begins, spans only when it ends: an agent that crashes would leave nothing.

Any OpenTelemetry sender may send these events. What a sender other than the SDK leaves out is listed in the account's `unknown[]`; the SDK is tested to leave out nothing that is required.

**Needed**: *required*; *if known* (sent whenever it is known, and its lack is a lack of knowledge); *optional* (sent where it applies).

### Types

| type | OTLP `AnyValue` | in the JSON form |
|---|---|---|
| string, word, open word, UUID, resource | stringValue | string |
| int | intValue | number; string beyond 2^53 |
| bool | boolValue | boolean |
| bytes | bytesValue | `{\"base64\": \"…\"}` |
| strings | arrayValue of stringValue | array of strings |
| content, candidates | kvlistValue | object |
| discarded, redactions | arrayValue of kvlistValue | array of objects |

A *word* is one of a closed set; an *open word* may be another one than those listed. A *resource* is `kind:place` in canonical form: `http:crm.example.test/accounts/17` (host in lower case, default port, user info, query and fragment left out), `file:pending-review/x.md`, `db:contracts/main.contracts`. It has no `.` or `..` segments.

The JSON form, used by the samples in `vocabulary/fixtures/` and the schemas in `docs/schema/records/`, is `{\"event\", \"time\", \"resource\": {…}, \"attributes\": {…}}`. It is for people and tests; what is sealed are always the bytes received.

### Content

Content is never a bare string. It is a kvlist with these keys; all but `state` are left out where there is nothing to say.

| key | value |
|---|---|
| `state` | `present`, `absent` (there is none, and that is a fact), `unknown`, `redacted` (all of it removed), `erased`, `truncated`, `not_captured` |
| `digest` | `sha256:<hex>` or `hmac-sha256:<hex>` under `recount.session.key`; of the whole, after redaction |
| `size` | bytes of the whole, after redaction |
| `media_type` | media type |
| `inline` | the bytes, as stringValue where they are UTF-8, else bytesValue; of more than 262,144 bytes the first ones (up to three fewer, so that a character stays whole), state `truncated` |
| `ref` | where the bytes are instead: the digest under which another record of the session has them, or a place outside |
| `redactions` | arrayValue of kvlists `path`, `rule`, `len`: what was removed before sealing; never the value, never a hash of it |
| `why` | why it is not all there |

Messages, tool definitions and retrieved items are recorded once per session as `agent.context` under an HMAC digest; a call lists digests.

A database row is content of media type `application/vnd.recount.row+json`: `docs/schema/recount.row-1.json`. The key of a cell is its type and its value a text, since JSON numbers are not exact everywhere; a cell longer than 32,768 bytes is kept by size and digest. One row change is one `agent.diff`.

### What was removed

The SDK removes credentials before it encodes, and leaves `[removed:<rule>]` in their place. Each removal is listed once, as a kvlist of `path`, `rule` and `len` (bytes that were removed): those from a content in its `redactions`, those from any other attribute in the record's `recount.redactions`, whose `path` is the key of the attribute, followed by `/` and the index where the attribute is a list, or `resource/` and the key for an attribute of the Resource, which the start of each session tells. Neither the value nor a hash of it is kept.

### The producer chain

`P_i = SHA-256(pad32(\"recount/producer/v1\") ‖ P_{i-1} ‖ u64be(i) ‖ SHA-256(item))`, `P_{-1}` being 32 zero bytes, `i` being `recount.seq`, and `item` the LogRecord message as sent with the 32 bytes of the value of `recount.chain` set to zero. `recount.chain` is the last attribute of the item. The chain shows origin and omission, never inclusion.

An agent that has a key signs: each export carries, for each session in it, an `agent.session.checkpoint` with the signature over the link of that session's last record in front of it. What follows the last signature of a run is not signed. Signatures are not among the records that the end of a session counts. `docs/ledger-format.md` §15 has the bytes.

### Scope entries

`ACCESS KIND:PATTERN`. ACCESS is one of `read`, `write`, `delete`, `execute`, `send`; none implies another. PATTERN is compared with the place of a canonical resource byte by byte: `*` stands for any run without `/`, `**` for any run, `\\` takes the next character as it is. `accounts/**` covers what is below `accounts`, not `accounts` itself. A resource with a `.` or `..` segment is covered by nothing.
";

fn document() -> String {
    let mut text = HEAD.to_owned();
    text.push_str("\n## Resource\n\n");
    table(&mut text, catalogue::RESOURCE);
    text.push_str("\n## Every record\n\n");
    table(&mut text, catalogue::EVERY_RECORD);
    text.push_str("\n## Events\n");
    for entry in catalogue::entries() {
        let event = entry.event;
        write!(
            text,
            "\n### {event}\n\n{} Sent by {}. ",
            entry.when,
            entry.senders.as_str()
        )
        .unwrap();
        writeln!(
            text,
            "Schema: `docs/schema/records/{event}.json`; sample: `vocabulary/fixtures/{event}.json`.\n"
        )
        .unwrap();
        table(&mut text, entry.fields);
    }
    text
}

fn table(text: &mut String, fields: &[Field]) {
    text.push_str("| attribute | type | needed | |\n|---|---|---|---|\n");
    for field in fields {
        let (key, need, doc) = (field.key, field.need.as_str(), field.doc);
        writeln!(text, "| `{key}` | {} | {need} | {doc} |", kind(field.kind)).unwrap();
    }
}

fn kind(kind: Kind) -> String {
    match kind {
        Kind::Bytes(count) => format!("{count} bytes"),
        Kind::Word(words) => format!("word: {}", words().join(", ")),
        Kind::OpenWord(words) => format!("open word: {}, …", words().join(", ")),
        other => other.as_str().to_owned(),
    }
}
