//! Adversaries who send, or store, bytes that mean two things.

use ledger::envelope::Envelope;
use libtest_mimic::Failed;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use prost::Message as _;

use crate::attack::When;
use crate::case::Case;
use crate::forge::Forge;
use crate::scene;

pub(super) fn moved_boundary(case: &mut Case) -> Result<(), Failed> {
    case.as_file_editor(|dir| {
        let forge = Forge::open(dir)?;
        forge.edit("s-c", |records| {
            let whole = records[3].envelope.clone();
            let old = Envelope::decode(&whole)?;
            let (scope, moved) = old.scope.split_at(old.scope.len() - 1);
            let item = [moved, old.item].concat();
            let scope_schema_url = old.scope_schema_url;
            let item = item.as_slice();
            records[3].envelope = Envelope {
                scope,
                scope_schema_url,
                item,
                ..old
            }
            .encode();
            if records[3].envelope.len() != whole.len() {
                return Err("the same bytes in the same order".into());
            }
            Ok(())
        })?;
        forge.close()
    })?;
    case.verify_finds("Payload", "record 3:")
}

/// Attributes whose values parsers disagree about, each as it is sent.
const AMBIGUOUS: &[&str] = &[
    r#"{"key":"n","value":{"intValue":"9007199254740993"}}"#,
    r#"{"key":"f","value":{"doubleValue":1.0}},{"key":"g","value":{"doubleValue":-0}}"#,
    r#"{"key":"twice","value":{"stringValue":"first"}},{"key":"twice","value":{"stringValue":"last"}}"#,
    r#"{"key":"é","value":{"stringValue":"e\u0301"}}"#,
];

/// Records that say two things at once, or nothing.
const CONTRADICTORY: &[&str] = &[
    r#"{"body":{"stringValue":"paid"},"body":{"stringValue":"not paid"}}"#,
    r#"{"eventName":"a","eventName":"b"}"#,
    r#"{"body":{"stringValue":"\ud800"}}"#,
];

pub(super) fn ambiguous_json(case: &mut Case) -> Result<(), Failed> {
    let mut collector = case.start()?;
    let sent: Vec<String> = case.forge(|| {
        let attribute = AMBIGUOUS.iter().map(|text| format!(",{text}"));
        let record = |(i, text): (u64, String)| scene::record("odd", i, &text);
        Ok((0..).zip(attribute).map(record).collect())
    })?;
    scene::sealed(&collector, &scene::wrapped("", &sent))?;
    for twice in CONTRADICTORY {
        let export = scene::wrapped("", &[(*twice).to_owned()]);
        let answer = scene::post(&collector, &export)?;
        let refused = answer.status == 400 || answer.body.contains("rejectedLogRecords");
        if !refused || answer.retry_after {
            return Err(format!("{twice}: {} {}", answer.status, answer.body).into());
        }
    }
    case.caught(When::Ingest);
    collector.stop()?;
    let stored = scene::items(&case.store(), "odd")?;
    let sent: Vec<Vec<u8>> = sent.into_iter().map(String::into_bytes).collect();
    if stored != sent {
        return Err("the sealed bytes are not those that were sent".into());
    }
    case.verify()?.finds_nothing()
}

pub(super) fn look_alike(case: &mut Case) -> Result<(), Failed> {
    let mut collector = case.start()?;
    // The last letter is Cyrillic; and one composed, one decomposed.
    case.attack(|_| {
        for name in ["s-\u{430}", "s-\u{e9}", "s-e\u{301}"] {
            scene::sealed(&collector, &scene::export(name, 0..1))?;
        }
        Ok(())
    })?;
    collector.stop()?;
    let one = |name: &str| Ok::<_, Failed>(scene::items(&case.store(), name)?.len());
    let counts = [
        one("s-a")?,
        one("s-\u{430}")?,
        one("s-\u{e9}")?,
        one("s-e\u{301}")?,
    ];
    if counts != [290, 1, 1, 1] {
        return Err(format!("streams were joined: {counts:?}").into());
    }
    case.caught(When::Ingest);
    Ok(())
}

pub(super) fn ambiguous_protobuf(case: &mut Case) -> Result<(), Failed> {
    let mut collector = case.start()?;
    let json = scene::record("proto", 0, "");
    let request: ExportLogsServiceRequest = serde_json::from_str(&scene::wrapped("", &[json]))?;
    let record = request.resource_logs[0].scope_logs[0].log_records[0].encode_to_vec();
    let (odd, twice) = case.forge(|| {
        // Field 99, unknown, its length in an overlong number; then the severity in two bytes where one would do.
        let unknown = [0x9a, 0x06, 0x83, 0x00, b'o', b'd', b'd'];
        let overlong = [0x10, 0x89, 0x00];
        let odd = [record.as_slice(), &unknown, &overlong].concat();
        let twice = [record.as_slice(), &overlong, &overlong].concat();
        Ok((odd, twice))
    })?;
    let headers = [("content-type", "application/x-protobuf")];
    let answer = scene::send(&collector, &headers, &export(&odd))?;
    if answer.status != 200 || answer.receipt.is_none() {
        return Err(format!("{}: {}", answer.status, answer.body).into());
    }
    scene::send(&collector, &headers, &export(&twice))?;
    case.caught(When::Ingest);
    collector.stop()?;
    if scene::items(&case.store(), "proto")? != [odd] {
        return Err("not the bytes that were sent, or the contradiction was sealed too".into());
    }
    Ok(())
}

/// One log record's bytes as an export.
fn export(record: &[u8]) -> Vec<u8> {
    let field = |number: u8, bytes: &[u8]| {
        let mut out = vec![number << 3 | 2];
        prost::encode_length_delimiter(bytes.len(), &mut out).unwrap_or_default();
        out.extend_from_slice(bytes);
        out
    };
    field(1, &field(2, &field(2, record)))
}
