//! `status`: how the ledger stands, and what its protection is worth here.

use std::os::unix::fs::MetadataExt;

use ledger::checkpoint::Checkpoint;
use ledger::note::Note;
use ledger::reader::{Find, StreamHint};
use ledger::store::{previous, space_of};
use serde_json::{Value, json};

use super::source::Source;
use crate::cli::Form;
use crate::error::{Error, exit};
use crate::producers::file::{self, FileError};
use crate::settings::Settings;

/// Prints the status.
pub(super) fn status(settings: &Settings, form: Form) -> Result<u8, Error> {
    let source = Source::open(settings)?;
    let mut status = gather(settings, &source)?;
    drop(source);
    if let Value::Object(status) = &mut status {
        status.insert("anchors".to_owned(), super::anchor::told(settings)?);
    }
    match form {
        Form::Json => say!("{status:#}"),
        Form::Text => print(&status),
    }
    Ok(exit::DONE)
}

fn gather(settings: &Settings, source: &Source) -> Result<Value, Error> {
    let reader = source.reader();
    let state = reader.state()?;
    let streams = reader.find(&Find::All)?;
    let note = reader.checkpoint()?;
    let signed = note
        .as_deref()
        .and_then(|note| Note::parse(note).ok())
        .and_then(|note| {
            let checkpoint = Checkpoint::parse(note.text).ok()?;
            Some(json!({ "origin": checkpoint.origin, "size": checkpoint.head.size }))
        });
    let running = match source {
        Source::Running { place, .. } => json!(place),
        Source::Folder(_) => Value::Null,
    };
    Ok(json!({
        "store": settings.store,
        "store_from": settings.store_origin.to_string(),
        "running_reader": running,
        "key": std::fs::read_to_string(settings.store.join("ledger.pub")).ok().map(|key| key.trim().to_owned()),
        "commit": state.commit,
        "size": state.size,
        "acked_commit": state.acked.map(|acked| acked.commit),
        "signed": signed,
        "streams": streams.len(),
        "records": streams.iter().map(|hint| hint.records).sum::<u64>(),
        "open_streams": streams.iter().filter(|hint: &&StreamHint| !hint.closed).count(),
        "disk": disk(settings),
        "previous": previous(&settings.store),
        "same_user": same_user(settings),
        "producers": producers(settings, source),
        "tls": health(source).and_then(|mut health| health.get_mut("tls").map(Value::take)),
    }))
}

/// What a running collector says of itself.
fn health(source: &Source) -> Option<Value> {
    let Source::Running { door, .. } = source else {
        return None;
    };
    serde_json::from_slice(&door.get("/healthz").ok()?).ok()
}

/// Who may send: what a running collector says, else the file in the store; `null` for who may not read that.
fn producers(settings: &Settings, source: &Source) -> Value {
    if let Some(told) =
        health(source).and_then(|mut health| health.get_mut("producers").map(Value::take))
    {
        return told;
    }
    match file::read(&settings.store) {
        Ok(roll) => {
            let enrolled = roll.all().iter().filter(|one| one.is_active()).count();
            json!({
                "enrolled": enrolled,
                "revoked": roll.all().len() - enrolled,
                "required": settings.require_enrolment,
            })
        }
        Err(FileError::Io { .. }) => Value::Null,
        Err(error) => json!({ "trouble": error.to_string() }),
    }
}

/// How many are enrolled, whether all have to be, and what was refused since the collector started.
fn print_producers(told: &Value) {
    if let Some(trouble) = told.get("trouble").and_then(Value::as_str) {
        say!("producers   {trouble}");
    }
    let number = |key| told.get(key).and_then(Value::as_u64);
    let Some(enrolled) = number("enrolled") else {
        return;
    };
    let others = match told.get("required").and_then(Value::as_bool) {
        Some(true) => "others are refused",
        _ => "others are taken, and called unauthenticated",
    };
    say!("producers   {enrolled} enrolled; {others}");
    let count = |key| number(key).unwrap_or(0);
    let (refused, foreign) = (count("refused_exports"), count("foreign_records"));
    if refused + foreign > 0 {
        say!(
            "            refused since the start: {refused} exports for their credential, {foreign} records of sessions \
             of others"
        );
    }
}

/// Whether the agent doors speak TLS, and whose handshakes failed since the start.
fn print_tls(told: &Value) {
    let number = |key| told.get(key).and_then(Value::as_u64);
    let Some(failed) = number("failed_handshakes") else {
        return;
    };
    let clients = match told.get("asks_clients").and_then(Value::as_bool) {
        Some(true) => "client certificates are asked for",
        _ => "no client certificates are asked for",
    };
    say!("tls         on; {clients}");
    if let Some(trouble) = told.get("trouble").and_then(Value::as_str) {
        say!("            not in force: {trouble}");
    }
    if failed > 0 {
        say!(
            "            failed since the start: {failed} handshakes, {} of them for the client's certificate",
            number("refused_certificates").unwrap_or(0)
        );
    }
}

/// How much room there is, and what a collector does about it.
fn disk(settings: &Settings) -> Value {
    let Some(space) = space_of(&settings.store) else {
        return Value::Null;
    };
    json!({
        "stage": settings.disk.stage(space).name(),
        "free": space.free,
        "total": space.total,
        "reserve": std::fs::metadata(settings.store.join("reserve")).map_or(0, |meta| meta.len()),
    })
}

/// Whether the store belongs to the user who asks; `null` when that cannot be told.
fn same_user(settings: &Settings) -> Option<bool> {
    let owner = std::fs::metadata(&settings.store).ok()?.uid();
    Some(std::fs::metadata("/proc/self").ok()?.uid() == owner)
}

fn print(status: &Value) {
    let text = |key: &str| match status.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => "unknown".to_owned(),
        Some(other) => other.to_string(),
    };
    say!(
        "store       {} (from {})",
        text("store"),
        text("store_from")
    );
    match status.get("running_reader") {
        Some(Value::String(place)) => say!("collector   running, reader door {place}"),
        _ => say!("collector   not running"),
    }
    say!("key         {}", text("key"));
    say!(
        "ledger      {} leaves, commit {}",
        text("size"),
        text("commit")
    );
    match status.get("signed") {
        Some(Value::Object(signed)) => {
            let size = signed.get("size").map(Value::to_string).unwrap_or_default();
            say!("checkpoint  size {size}");
        }
        _ => say!("checkpoint  none yet"),
    }
    say!(
        "records     {} in {} streams, {} of them open",
        text("records"),
        text("streams"),
        text("open_streams")
    );
    if let Some(told) = status.get("producers") {
        print_producers(told);
    }
    if let Some(told) = status.get("tls") {
        print_tls(told);
    }
    for older in status
        .get("previous")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        say!("older       {}", older.as_str().unwrap_or_default());
    }
    if let Some(Value::Object(disk)) = status.get("disk") {
        let mib = |key| disk.get(key).and_then(Value::as_u64).unwrap_or(0) / (1024 * 1024);
        say!(
            "disk        {}: {} of {} MiB are free",
            disk.get("stage")
                .and_then(Value::as_str)
                .unwrap_or("unknown"),
            mib("free"),
            mib("total")
        );
    }
    for line in status
        .get("anchors")
        .map(super::anchor::summary)
        .unwrap_or_default()
    {
        say!("{line}");
    }
    if status.get("same_user") == Some(&Value::Bool(true)) {
        say!(
            "protection  the store belongs to you: an agent that runs as you could change it. A change would be\n            \
             evident against a checkpoint kept elsewhere, but nothing prevents it."
        );
    }
    say!("these numbers are from the index; `verify` recomputes everything");
}
