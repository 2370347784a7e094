//! An application that uses `tracing`, made visible without rewriting it: its spans are actions, its events log lines.
//!
//! ```
//! # let recorder = recount::Recorder::testing();
//! # let as_before = tracing_subscriber::registry();
//! use tracing_subscriber::layer::SubscriberExt as _;
//!
//! let subscriber = as_before.with(recount::capture::tracing::Layer::new(&recorder));
//! # tracing::subscriber::with_default(subscriber, || {
//! let run = tracing::info_span!("run", recount.request = "47892", recount.intent = "draft it");
//! run.in_scope(|| tracing::info_span!("draft", customer = 17).in_scope(|| ()));
//! # });
//! # drop(run);
//! ```
//!
//! The rule, whole:
//!
//! - A span with the field `recount.request` opens a session for that request, with `recount.intent` as its intent. It
//!   ends with the span: `failed` after an event at `ERROR` directly in it, else `completed`.
//! - A span inside it (or in code that runs in a session) at `INFO` or above is an action, part of the nearest such
//!   span around it. Its kind is the field `recount.kind`; else `http`, `db` or `llm` where OpenTelemetry's fields for
//!   these are there; else `tool`. Its access is `recount.access`; else what an HTTP method or the first word of an SQL
//!   text does; else `execute`. Its target is `recount.target`, else kind and name. Its input is its fields, as JSON.
//! - It fails with an event at `ERROR` directly in it, or with `otel.status_code` `ERROR`; else it succeeds.
//! - Any other event at `INFO` or above is a log line of the session.
//! - What is outside every session is not recorded.
//!
//! All of this is what the program says of itself: no span has what was there before, and none is held back. Begins
//! are spooled, so that nothing waits and nothing is refused; an action that must not run unrecorded is begun with the
//! SDK. Code in a span runs in its context: captures and `Handle`s of the SDK find it.

mod fields;

#[cfg(test)]
mod tests;

use std::cell::RefCell;

use ::tracing::span::{Attributes as New, Id, Record};
use ::tracing::{Event as Happened, Level, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};
use vocabulary::action::{Access, Durability, Kind};
use vocabulary::content::Content;
use vocabulary::id::ActionId;
use vocabulary::{Event, attribute};

use self::fields::Fields;
use crate::{Action, Ambient, Attributes, EndReason, Handle, Recorder, Session};

thread_local! {
    /// What was the context before each span that this thread is in.
    static BEFORE: RefCell<Vec<(u64, Option<Ambient>)>> = const { RefCell::new(Vec::new()) };
}

/// The layer; see the [module](self).
#[derive(Debug, Clone)]
pub struct Layer {
    recorder: Recorder,
}

/// What a span is.
struct Seen {
    ambient: Ambient,
    session: Option<Session>,
    action: Option<Action>,
    failed: Option<String>,
    /// Fields that were recorded after the span began.
    late: Fields,
}

impl Layer {
    /// Records with `recorder`.
    pub fn new(recorder: &Recorder) -> Self {
        Self {
            recorder: recorder.clone(),
        }
    }

    fn session(&self, request: &str, name: &str, fields: &Fields) -> Session {
        let mut builder = self
            .recorder
            .session(request)
            .trigger(crate::TriggerKind::Unknown, format!("the span {name}"));
        if let Some(intent) = fields.text("recount.intent") {
            builder = builder.intent(intent);
        }
        builder.start_blocking()
    }
}

/// The context of the nearest recorded span around, else that of the running code.
fn around<'a, S>(span: &SpanRef<'a, S>) -> Option<Ambient>
where
    S: Subscriber + for<'l> LookupSpan<'l>,
{
    span.scope()
        .skip(1)
        .find_map(|span| Some(span.extensions().get::<Seen>()?.ambient.clone()))
        .or_else(Ambient::current)
}

impl<S> tracing_subscriber::Layer<S> for Layer
where
    S: Subscriber + for<'l> LookupSpan<'l>,
{
    fn on_new_span(&self, new: &New<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        new.record(&mut fields);
        let name = span.metadata().name();
        let seen = if let Some(request) = fields.text("recount.request") {
            let session = self.session(&request, name, &fields);
            let ambient = Ambient::new(&session);
            ambient.session().can_see("tool:calls");
            (ambient, Some(session), None)
        } else {
            let Some(ambient) = around(&span) else { return };
            if *span.metadata().level() > Level::INFO {
                return;
            }
            let Some(action) = begun(&ambient, name, &fields) else {
                return;
            };
            (action.ambient(), None, Some(action))
        };
        let (ambient, session, action) = seen;
        span.extensions_mut().insert(Seen {
            ambient,
            session,
            action,
            failed: None,
            late: Fields::default(),
        });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(seen) = span.extensions_mut().get_mut::<Seen>()
        {
            values.record(&mut seen.late);
        }
    }

    fn on_event(&self, event: &Happened<'_>, context: Context<'_, S>) {
        let level = *event.metadata().level();
        if level > Level::INFO {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        let span = context.event_span(event);
        if level == Level::ERROR
            && let Some(span) = &span
            && let Some(seen) = span.extensions_mut().get_mut::<Seen>()
        {
            seen.failed.get_or_insert_with(|| fields.line());
            return;
        }
        let ambient = span.and_then(|span| {
            let own = span
                .extensions()
                .get::<Seen>()
                .map(|seen| seen.ambient.clone());
            own.or_else(|| around(&span))
        });
        let Some(ambient) = ambient.or_else(Ambient::current) else {
            return;
        };
        let mut attributes = Attributes::new();
        attributes
            .content(attribute::CONTENT, &Content::text(&fields.line()))
            .text(attribute::LINE_SOURCE, event.metadata().target());
        let span = ambient.action().map(crate::span_id);
        ambient
            .session()
            .record_at(Event::LogLine, span, &attributes);
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        let ambient = context
            .span(id)
            .and_then(|span| Some(span.extensions().get::<Seen>()?.ambient.clone()));
        if let Some(ambient) = ambient {
            let before = Ambient::swap(Some(ambient));
            let _ = BEFORE.try_with(|stack| stack.borrow_mut().push((id.into_u64(), before)));
        }
    }

    fn on_exit(&self, id: &Id, _: Context<'_, S>) {
        let before = BEFORE.try_with(|stack| {
            let mut stack = stack.borrow_mut();
            let at = stack.iter().rposition(|(of, _)| *of == id.into_u64())?;
            let last = at + 1 == stack.len();
            let (_, before) = stack.remove(at);
            if last {
                return Some(before);
            }
            // Left before one that was entered later: that one leads back to where this one came from.
            if let Some((_, later)) = stack.get_mut(at) {
                *later = before;
            }
            None
        });
        if let Ok(Some(before)) = before {
            Ambient::swap(before);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let seen = context
            .span(&id)
            .and_then(|span| span.extensions_mut().remove::<Seen>());
        let Some(seen) = seen else { return };
        let stated = seen.late.text("otel.status_code").as_deref() == Some("ERROR");
        let failed = seen
            .failed
            .or_else(|| stated.then(|| seen.late.text("otel.status_message").unwrap_or_default()));
        if let Some(action) = seen.action {
            if !seen.late.is_empty() {
                action.output(Content::from_bytes(
                    seen.late.json().as_bytes(),
                    "application/json",
                ));
            }
            match &failed {
                Some(message) => action.end_failure("event", None, message),
                None => action.end_success(),
            }
        }
        if let Some(session) = seen.session {
            session.end_blocking(match failed {
                Some(_) => EndReason::Failed,
                None => EndReason::Completed,
            });
        }
    }
}

/// The action that a span is.
fn begun(ambient: &Ambient, name: &str, fields: &Fields) -> Option<Action> {
    let session: &Handle = ambient.session();
    let kind = kind(fields);
    let access = access(fields);
    let mut builder = ambient
        .run(|| session.action(kind, name, access))
        .durability(Durability::Spool)
        .input(Content::from_bytes(
            fields.json().as_bytes(),
            "application/json",
        ));
    if let Some(parent) = ambient.action() {
        let parent: ActionId = parent;
        builder = builder.part_of(parent);
    }
    if let Some(target) = fields.text("recount.target") {
        builder = builder.target(&target);
    }
    // Spooled, so refused only by a recorder that is closed.
    builder.begin_blocking().ok()
}

fn kind(fields: &Fields) -> Kind {
    if let Some(kind) = fields.text("recount.kind") {
        return Kind::read(&kind);
    }
    let has = |names: &[&str]| names.iter().any(|name| fields.text(name).is_some());
    if has(&["http.request.method", "http.method"]) {
        Kind::Http
    } else if has(&[
        "db.system",
        "db.system.name",
        "db.statement",
        "db.query.text",
    ]) {
        Kind::Db
    } else if has(&["gen_ai.operation.name", "gen_ai.request.model"]) {
        Kind::Llm
    } else {
        Kind::Tool
    }
}

fn access(fields: &Fields) -> Access {
    let text = |names: &[&str]| names.iter().find_map(|name| fields.text(name));
    if let Some(access) = text(&["recount.access"]).and_then(|word| Access::parse(&word)) {
        return access;
    }
    if let Some(method) = text(&["http.request.method", "http.method"]) {
        return match method.as_str() {
            "GET" | "HEAD" | "OPTIONS" | "TRACE" => Access::Read,
            "DELETE" => Access::Delete,
            _ => Access::Write,
        };
    }
    let sql = text(&[
        "db.query.text",
        "db.statement",
        "db.operation",
        "db.operation.name",
    ]);
    let word = sql.as_deref().and_then(|sql| sql.split_whitespace().next());
    match word.map(str::to_ascii_uppercase).as_deref() {
        Some("SELECT" | "SHOW" | "EXPLAIN") => Access::Read,
        Some("DELETE" | "TRUNCATE" | "DROP") => Access::Delete,
        Some(_) => Access::Write,
        None => Access::Execute,
    }
}
