//! Which edit left a line of a file, a column of a row or a field of a resource as it is.

use vocabulary::action::Kind;
use vocabulary::record::ContentState;

use super::lines::{Traced, replaced, text};
use super::origin::Origin;
use super::seen::{Seen, Shape, Step};

/// A part of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A line of a text, from 1.
    Line(usize),
    /// A column of a row, or a value by its path.
    Field(String),
}

/// One part of a resource as the last recorded edit left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blamed {
    /// Which part.
    pub part: Part,
    /// What stands there.
    pub now: String,
    /// What stood there before the edit named; `None` where nothing did or nobody knows.
    pub before: Option<String>,
    /// The edit, or why none can be named.
    pub by: Origin,
}

/// A resource, part by part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blame {
    /// Its parts, in order.
    Parts(Vec<Blamed>),
    /// The last edit removed it.
    Gone,
    /// What the last edit left is no text, or not kept.
    Opaque,
}

/// Edits of one resource in their order, told part by part. Origins count in `steps`.
#[must_use]
pub fn blame(kind: &Kind, steps: &[Step<'_>]) -> Blame {
    let Some(seen) = Seen::of(kind, steps) else {
        return Blame::Parts(Vec::new());
    };
    if seen.after.state == ContentState::Absent {
        return Blame::Gone;
    }
    let alone = |edit: usize| {
        let step = steps.get(edit).copied()?;
        Seen::of(kind, &[step]).map(|seen| seen.shape)
    };
    if let Shape::Fields(fields) = seen.shape {
        let before = |name: &str, by: Origin| match alone(by.edit()?)? {
            Shape::Fields(fields) => fields.into_iter().find(|it| it.field == name)?.before,
            Shape::Lines(_) | Shape::Opaque => None,
        };
        let parts = fields.into_iter().filter_map(|field| {
            Some(Blamed {
                now: field.after?,
                before: before(&field.field, field.by),
                by: field.by,
                part: Part::Field(field.field),
            })
        });
        return Blame::Parts(parts.collect());
    }
    if text(seen.after).is_none() {
        return Blame::Opaque;
    }
    let Some(left) = Traced::of(steps).left() else {
        return Blame::Opaque;
    };
    let edits: Vec<Option<Shape>> = (0..steps.len()).map(alone).collect();
    let before = |by: Origin, born: usize| match edits.get(by.edit()?)?.as_ref()? {
        Shape::Lines(lines) => replaced(lines, born + 1).map(str::to_owned),
        Shape::Fields(_) | Shape::Opaque => None,
    };
    let parts = left.into_iter().enumerate();
    let parts = parts.map(|(n, (now, by, born))| Blamed {
        part: Part::Line(n + 1),
        now,
        before: before(by, born),
        by,
    });
    Blame::Parts(parts.collect())
}

#[cfg(test)]
mod tests {
    use super::{Blame, Part, blame};
    use crate::change::{Origin, Step};
    use crate::model::{Content, Inline};
    use vocabulary::action::Kind;
    use vocabulary::record::ContentState;

    fn content(text: &str, media_type: &str) -> Content {
        Content {
            state: ContentState::Present,
            media_type: Some(media_type.to_owned()),
            inline: Some(Inline::Text(text.to_owned())),
            ..Content::absent()
        }
    }

    fn told(
        kind: &Kind,
        states: &[(&Content, &Content)],
    ) -> Vec<(Part, String, Option<String>, Origin)> {
        let steps: Vec<Step<'_>> = states
            .iter()
            .map(|(before, after)| Step { before, after })
            .collect();
        let Blame::Parts(parts) = blame(kind, &steps) else {
            return Vec::new();
        };
        let told = parts.into_iter();
        told.map(|it| (it.part, it.now, it.before, it.by)).collect()
    }

    #[test]
    fn a_line_names_its_edit_and_what_it_took_the_place_of() {
        let text = |text: &str| content(text, "text/plain");
        let (a, b, c) = (
            text("1\n2\n3\n"),
            text("1\ntwo\n3\n"),
            text("0\n1\ntwo\n3\n"),
        );
        let told = told(&Kind::File, &[(&a, &b), (&b, &c)]);
        assert_eq!(told[0], (Part::Line(1), "0".into(), None, Origin::Edit(1)));
        assert_eq!(told[1].3, Origin::Earlier);
        let two = (
            Part::Line(3),
            "two".into(),
            Some("2".into()),
            Origin::Edit(0),
        );
        assert_eq!(told[2], two);
    }

    #[test]
    fn a_field_names_the_last_edit_that_changed_it() {
        let json = |text: &str| content(text, "application/json");
        let (a, b) = (
            json(r#"{"stage":"open","owner":"x"}"#),
            json(r#"{"stage":"won","owner":"x"}"#),
        );
        // Somebody unrecorded gave it another owner in between.
        let (c, d) = (
            json(r#"{"stage":"won","owner":"y"}"#),
            json(r#"{"stage":"won","owner":"y","n":1}"#),
        );
        let told = told(&Kind::Http, &[(&a, &b), (&c, &d)]);
        let stage = (
            Part::Field("stage".into()),
            "\"won\"".into(),
            Some("\"open\"".into()),
            Origin::Edit(0),
        );
        assert_eq!(told[0], stage);
        assert_eq!(told[1].3, Origin::Unrecorded);
        assert_eq!(told[2].3, Origin::Edit(1));
    }

    #[test]
    fn what_was_removed_has_no_parts() {
        let (a, b) = (content("1\n", "text/plain"), Content::absent());
        let step = Step {
            before: &a,
            after: &b,
        };
        assert_eq!(blame(&Kind::File, &[step]), Blame::Gone);
    }
}
