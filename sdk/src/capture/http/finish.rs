//! The end of an attempt: when the body of its answer is at its end.

use vocabulary::{
    action::{Outcome, ReadAfter},
    content::Content,
    record::ContentState,
};

use super::{
    tee::{Ended, Passed},
    watch::Changed,
};
use crate::{
    Action, Diff,
    capture::step::{self, End, Fault},
};

/// The body is at its end: the diffs if there are any, then the end of the action.
pub(super) fn finish(
    action: Action,
    mut end: End,
    changed: Vec<Changed>,
    passed: Passed,
    media_type: &str,
) {
    let body = output(&passed, media_type);
    for one in changed {
        let (after, read_after) = one.after.unwrap_or_else(|| match passed.ended {
            Ended::Whole => (body.clone(), ReadAfter::ResponseBody),
            _ => (
                Content::not_captured(None, "the answer was not read to its end"),
                ReadAfter::NotRead,
            ),
        });
        let diff = Diff::of(one.resource.named(&passed.beginning))
            .before(one.before)
            .after(after);
        action.diff(
            diff.read_before(one.read_before)
                .read_after(read_after)
                .effect(one.effect),
        );
    }
    if let Ended::Failed(message) = &passed.ended {
        end.outcome = Outcome::Failure;
        end.fault = Some(Fault {
            class: "body".to_owned(),
            native: None,
            message: message.clone(),
        });
    }
    end.output = Some(body);
    step::end(action, end);
}

/// What passed as content.
fn output(passed: &Passed, media_type: &str) -> Content {
    if passed.size == 0 && passed.ended == Ended::Whole {
        return Content::absent();
    }
    let mut content = Content::redacted(&passed.beginning, media_type);
    if passed.size > passed.beginning.len() as u64 {
        content.state = ContentState::Truncated;
        content.size = Some(passed.size);
        // With something removed, the digest of all that passed would be one of a credential too.
        content.digest = content
            .redactions
            .is_empty()
            .then_some(vocabulary::digest::Digest::Sha256(passed.digest));
    }
    match &passed.ended {
        Ended::Whole => {}
        Ended::Failed(_) => incomplete(&mut content, "the connection failed here"),
        Ended::Dropped => incomplete(&mut content, "not read any further"),
    }
    content
}

fn incomplete(content: &mut Content, why: &str) {
    content.state = ContentState::Truncated;
    content.why = Some(why.to_owned());
    content.size = None;
    content.digest = None;
}
