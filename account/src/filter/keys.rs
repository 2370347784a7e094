//! The keys and flags that a filter knows, and the nearest one to a word that is none.

/// A closed set of words, each with what it means.
macro_rules! known {
    ($(#[$doc:meta])* $name:ident { $($(#[$say:meta])* $variant:ident = $word:literal $(| $alias:literal)*, )* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$say])* $variant,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The word that users write.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }

            /// Reads a word or another one for the same.
            #[must_use]
            pub fn read(word: &str) -> Option<Self> {
                match word {
                    $($word $(| $alias)* => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

known! {
    /// Keys whose values are text.
    Text {
        /// The request.
        Request = "request",
        /// The session, by its name in the account or its id.
        Session = "session",
        /// The agent's name.
        Agent = "agent",
        /// Who asked.
        User = "user" | "by",
        /// Who approved.
        Approver = "approver",
        /// Who owns the agent.
        Owner = "owner",
        /// Where it ran.
        Host = "host",
        /// The language model.
        Model = "model",
        /// Through what kind of interface.
        Kind = "kind",
        /// What it did to its target.
        Access = "access",
        /// What it was called.
        Tool = "tool" | "name",
        /// The resource.
        Path = "path" | "resource",
        /// What policy said.
        Verdict = "verdict",
        /// The rule that said it.
        Rule = "rule",
        /// How it ended.
        Outcome = "outcome" | "status",
        /// What became of the world.
        Effect = "effect",
        /// How a command ended.
        Exit = "exit",
        /// The kind of problem.
        Problem = "problem",
        /// Whether the record is whole.
        Integrity = "integrity" | "record",
        /// What an investigator called it.
        Tag = "tag",
        /// What an investigator wrote about it.
        Note = "note",
        /// The trace.
        Trace = "trace",
    }
}

known! {
    /// Keys whose values are numbers.
    Number {
        /// The index in its stream.
        Seq = "seq" | "ref",
        /// Tokens in and out.
        Tokens = "tokens",
        /// Which attempt it was.
        Attempt = "attempt",
        /// How long it took, in milliseconds.
        Took = "took",
    }
}

known! {
    /// What can be asked with `is:` and `has:`.
    Flag {
        /// Something is wrong with it.
        Problem = "problem",
        /// A verdict forbade it.
        Denied = "denied",
        /// Policy asked a person.
        Asked = "asked",
        /// A person approved it.
        Approved = "approved",
        /// A person decided.
        Human = "human",
        /// It failed.
        Error = "error",
        /// Something is missing: a loss, a gap, an action without end.
        Lost = "lost",
        /// Something changed by it.
        Changed = "changed" | "diff",
        /// It is beyond the declared scope.
        Outside = "outside" | "out-of-scope",
        /// It has not ended.
        Live = "live" | "running",
        /// What was recorded of it is not whole.
        Broken = "broken",
        /// An investigator wrote about it.
        Noted = "note",
        /// An investigator marked it.
        Marked = "mark",
        /// Something secret was removed from it.
        Secret = "secret",
        /// It is the agent's own word.
        Stated = "stated",
        /// A recorder saw it.
        Observed = "observed",
    }
}

/// The keys that take a time.
pub(super) const TIMES: [&str; 3] = ["time", "since", "until"];

/// Every key, as users write it.
pub fn keys() -> impl Iterator<Item = &'static str> {
    let texts = Text::ALL.iter().map(|key| key.word());
    let numbers = Number::ALL.iter().map(|key| key.word());
    texts.chain(numbers).chain(TIMES).chain(["is", "has"])
}

/// The nearest of some words to one that is none of them, if it is near enough for a slip of the finger.
pub(super) fn nearest(
    word: &str,
    known: impl Iterator<Item = &'static str>,
) -> Option<&'static str> {
    let most = (word.chars().count() / 3).max(1) + 1;
    known
        .map(|known| (distance(word, known), known))
        .filter(|(distance, _)| *distance <= most)
        .min()
        .map(|(_, known)| known)
}

/// How many insertions, deletions and replacements lead from one word to the other (Levenshtein 1966).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut above: Vec<usize> = (0..=other.len()).collect();
    for (n, a) in one.chars().enumerate() {
        let mut row = vec![n + 1];
        for (m, b) in other.iter().enumerate() {
            let replaced = above[m] + usize::from(a != *b);
            row.push(replaced.min(above[m + 1] + 1).min(row[m] + 1));
        }
        above = row;
    }
    above[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_means_two_keys() {
        let all: Vec<&str> = keys().collect();
        for (n, word) in all.iter().enumerate() {
            assert!(!all[..n].contains(word), "{word}");
        }
    }

    #[test]
    fn a_slip_of_the_finger_is_recognised_and_another_word_is_not() {
        assert_eq!(
            nearest("dneied", Flag::ALL.iter().map(|it| it.word())),
            Some("denied")
        );
        assert_eq!(nearest("kidn", keys()), Some("kind"));
        assert_eq!(nearest("zzzzzz", keys()), None);
    }
}
