//! Each file operation as one action: look, begin, do, look again.

use std::{
    fs::{self, OpenOptions, Permissions},
    io::{self, Write as _},
    path::Path,
};

use vocabulary::{
    Event,
    action::{Access, Effect, Kind, Outcome, ReadAfter, ReadBefore},
    attribute,
    content::Content,
};

use super::{
    FileError, Files,
    place::{self, Place},
    state::{self, Links},
    unresolved,
};
use crate::{
    Action, Attributes, Diff,
    capture::{
        Error,
        step::{self, End, Fault, Plan},
    },
};

/// What an operation is, before it runs.
struct Operation<'a> {
    verb: &'static str,
    /// As the caller named them.
    paths: &'a [&'a Path],
    access: Access,
    input: Content,
    places: &'a [Place],
    /// Which state of each place is looked at.
    links: Links,
}

impl Files {
    pub(super) fn do_read(&self, path: &Path) -> Result<Vec<u8>, FileError> {
        let place = self.place(path, Links::Follow);
        let begun = self.begin("read", Access::Read, Content::absent(), &place)?;
        let result = fs::read(path);
        let output = result
            .as_ref()
            .ok()
            .map(|bytes| Content::redacted(bytes, state::media_type(path, bytes)));
        let text = result.as_ref().map_or_else(
            |_| "failed".to_owned(),
            |bytes| format!("{} bytes", bytes.len()),
        );
        Self::end(begun, &result, Effect::None, text, output);
        result.map_err(Error::Own)
    }

    pub(super) fn do_write(&self, path: &Path, content: &[u8]) -> Result<(), FileError> {
        let input = Content::redacted(content, state::media_type(path, content));
        self.change(path, "write", Access::Write, input, || {
            fs::write(path, content)
        })
    }

    pub(super) fn do_append(&self, path: &Path, content: &[u8]) -> Result<(), FileError> {
        let input = Content::redacted(content, state::media_type(path, content));
        self.change(path, "append", Access::Write, input, || {
            OpenOptions::new()
                .append(true)
                .create(true)
                .open(path)?
                .write_all(content)
        })
    }

    pub(super) fn do_edit(
        &self,
        path: &Path,
        edit: impl FnOnce(String) -> String,
    ) -> Result<(), FileError> {
        self.change(path, "edit", Access::Write, Content::absent(), || {
            let text = fs::read_to_string(path)?;
            fs::write(path, edit(text))
        })
    }

    pub(super) fn do_remove(&self, path: &Path) -> Result<(), FileError> {
        let places = [self.place(path, Links::Keep)];
        let operation = Operation {
            verb: "remove",
            paths: &[path],
            access: Access::Delete,
            input: Content::absent(),
            places: &places,
            links: Links::Keep,
        };
        self.run(operation, || fs::remove_file(path))
    }

    pub(super) fn do_rename(&self, from: &Path, to: &Path) -> Result<(), FileError> {
        let places = [self.place(from, Links::Keep), self.place(to, Links::Keep)];
        let input = Content::redacted(
            format!("to {}", places[1].resource).as_bytes(),
            "text/plain; charset=utf-8",
        );
        let operation = Operation {
            verb: "rename",
            paths: &[from, to],
            access: Access::Write,
            input,
            places: &places,
            links: Links::Keep,
        };
        self.run(operation, || fs::rename(from, to))
    }

    /// An operation that changes the content of one file.
    fn change(
        &self,
        path: &Path,
        verb: &'static str,
        access: Access,
        input: Content,
        work: impl FnOnce() -> io::Result<()>,
    ) -> Result<(), FileError> {
        let places = [self.place(path, Links::Follow)];
        let operation = Operation {
            verb,
            paths: &[path],
            access,
            input,
            places: &places,
            links: Links::Follow,
        };
        self.run(operation, work)
    }

    /// Begins, looks, works, looks again, ends.
    fn run(
        &self,
        operation: Operation<'_>,
        work: impl FnOnce() -> io::Result<()>,
    ) -> Result<(), FileError> {
        let Operation {
            verb,
            paths,
            access,
            input,
            places,
            links,
        } = operation;
        let Some(main) = places.first() else {
            return work().map_err(Error::Own);
        };
        let begun = self.begin(verb, access, input, main)?;
        let before: Vec<Content> = places
            .iter()
            .map(|place| state::state(&place.path, links))
            .collect();
        let result = work();
        let after: Vec<Content> = places
            .iter()
            .map(|place| state::state(&place.path, links))
            .collect();
        let mut changed = 0;
        for (place, (before, after)) in places.iter().zip(before.into_iter().zip(after)) {
            // A failed write may have left a beginning behind: what is there decides, not the error.
            if before == after {
                continue;
            }
            changed += 1;
            // Nobody holds the file: both sides are what was there when it was looked at.
            let diff = Diff::of(place.resource.as_str())
                .before(before)
                .after(after)
                .read_before(ReadBefore::Unlocked)
                .read_after(ReadAfter::LaterRead);
            begun.diff(diff.effect(Effect::Committed));
        }
        let effect = if changed > 0 || result.is_ok() {
            Effect::Committed
        } else {
            Effect::None
        };
        let mut text = match (&result, changed) {
            (Err(_), 0) => "failed".to_owned(),
            (Err(_), _) => "failed midway".to_owned(),
            (Ok(()), 0) => "unchanged".to_owned(),
            (Ok(()), _) => "done".to_owned(),
        };
        for (path, place) in paths.iter().zip(places) {
            let remarks = self.remarks(path, place, links, verb);
            for remark in remarks {
                text.push_str("; ");
                text.push_str(&remark);
            }
        }
        Self::end(begun, &result, effect, text, None);
        result.map_err(Error::Own)
    }

    /// What is odd about a place that was worked on.
    fn remarks(&self, path: &Path, place: &Place, links: Links, verb: &str) -> Vec<String> {
        let mut remarks = Vec::new();
        if place.through_link {
            remarks.push("through a symbolic link".to_owned());
        }
        if let (Links::Follow, 2..) = (links, state::names(&place.path)) {
            let names = state::names(&place.path);
            remarks.push(format!(
                "the file has {names} names, and changed under each"
            ));
        }
        // Taken away by the operation itself, a link leads nowhere any more.
        let now = self.place(path, links);
        if now.path != place.path && !matches!(verb, "remove" | "rename") {
            remarks.push(format!("the path leads to {} now", now.resource));
        }
        remarks
    }

    pub(super) fn do_set_permissions(
        &self,
        path: &Path,
        permissions: Permissions,
    ) -> Result<(), FileError> {
        let place = self.place(path, Links::Follow);
        let input = Content::text(&state::mode_of(&permissions));
        let begun = self.begin("set permissions", Access::Write, input, &place)?;
        let before = state::mode(&place.path);
        let result = fs::set_permissions(path, permissions);
        let after = state::mode(&place.path);
        let changed = before != after;
        if changed {
            // Not the file's content: a resource of its own.
            let diff = Diff::of(format!("{}#mode", place.resource))
                .before(before)
                .after(after)
                .effect(Effect::Committed);
            begun.diff(diff);
        }
        let (effect, text) = match (&result, changed) {
            (_, true) => (Effect::Committed, "done"),
            (Ok(()), false) => (Effect::Committed, "unchanged"),
            (Err(_), false) => (Effect::None, "failed"),
        };
        let mut text = text.to_owned();
        for remark in self.remarks(path, &place, Links::Follow, "set permissions") {
            text.push_str("; ");
            text.push_str(&remark);
        }
        Self::end(begun, &result, effect, text, None);
        result.map_err(Error::Own)
    }

    /// Where `path` leads; if that cannot be told, the path as it is.
    fn place(&self, path: &Path, links: Links) -> Place {
        place::place(path, links, &self.roots).unwrap_or_else(|_| {
            let path = unresolved(path);
            Place {
                resource: place::resource(&path, &self.roots),
                path,
                through_link: false,
            }
        })
    }

    fn begin(
        &self,
        verb: &str,
        access: Access,
        input: Content,
        place: &Place,
    ) -> Result<Action, FileError> {
        let mut attributes = Attributes::new();
        attributes.text(attribute::FILE_PATH, &place.path.to_string_lossy());
        let name = place
            .path
            .file_name()
            .unwrap_or(place.path.as_os_str())
            .to_string_lossy();
        let plan = Plan {
            kind: Kind::File,
            access,
            name: format!("{verb} {name}"),
            operation: verb.to_owned(),
            target: place.resource.clone(),
            input,
            attributes,
        };
        plan.in_session(&self.session)
            .begin_blocking()
            .map_err(Error::Refused)
    }

    fn end<T>(
        begun: Action,
        result: &io::Result<T>,
        effect: Effect,
        text: String,
        output: Option<Content>,
    ) {
        let (outcome, fault) = match result {
            Ok(_) => (Outcome::Success, None),
            Err(error) => (Outcome::Failure, Some(fault(error))),
        };
        if result
            .as_ref()
            .err()
            .is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
        {
            begun.security(
                Event::SecurityAccessUnauthorized,
                "the system denied access",
                &Attributes::new(),
            );
        }
        step::end(
            begun,
            End {
                outcome,
                effect,
                result: text,
                output,
                fault,
                attributes: Attributes::new(),
            },
        );
    }
}

/// The error as the system names it.
pub(in crate::capture) fn fault(error: &io::Error) -> Fault {
    Fault {
        class: format!("{:?}", error.kind()),
        native: error.raw_os_error().map(|code| format!("errno:{code}")),
        message: error.to_string(),
    }
}
