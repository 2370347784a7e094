//! Patterns with `*` and `**`, compared in time that no pattern can blow up.

use std::fmt;

/// A pattern, compared by following all its positions at once: at most
/// (bytes of the resource) × (symbols of the pattern) steps, no backtracking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    symbols: Vec<Symbol>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Symbol {
    /// This byte.
    Byte(u8),
    /// `*`: any run without `/`.
    Segment,
    /// `**`: any run.
    Any,
}

impl Symbol {
    /// Whether a wildcard can take what another pattern has at one place.
    fn takes(self, other: Self) -> bool {
        match self {
            Self::Byte(_) => false,
            Self::Segment => !matches!(other, Self::Byte(b'/') | Self::Any),
            Self::Any => true,
        }
    }
}

impl Pattern {
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Err("the pattern is empty");
        }
        if text.len() > super::PATTERN_BYTES {
            return Err("the pattern is longer than 1024 bytes");
        }
        if text.bytes().any(|byte| byte < 0x20 || byte == 0x7f) {
            return Err("the pattern has a control character");
        }
        let mut symbols = Vec::with_capacity(text.len());
        let mut bytes = text.bytes().peekable();
        while let Some(byte) = bytes.next() {
            symbols.push(match byte {
                b'\\' => Symbol::Byte(bytes.next().ok_or("nothing after the last \\")?),
                b'*' if bytes.next_if_eq(&b'*').is_some() => Symbol::Any,
                b'*' => Symbol::Segment,
                byte => Symbol::Byte(byte),
            });
        }
        let wild = |symbol: &Symbol| !matches!(symbol, Symbol::Byte(_));
        if symbols.windows(2).any(|pair| pair.iter().all(wild)) {
            return Err("more than two * in a row");
        }
        Ok(Self { symbols })
    }

    pub(super) fn matches(&self, resource: &str) -> bool {
        self.run(resource.bytes().map(Symbol::Byte))
    }

    /// Whether every text of `other` is a text of this pattern. Each symbol of
    /// `other` must be taken by one of ours, which is enough and not necessary.
    pub(super) fn includes(&self, other: &Self) -> bool {
        self.run(other.symbols.iter().copied())
    }

    fn run(&self, input: impl Iterator<Item = Symbol>) -> bool {
        let count = self.symbols.len();
        let mut here = vec![false; count + 1];
        let mut next = vec![false; count + 1];
        self.enter(&mut here, 0);
        for symbol in input {
            next.fill(false);
            let mut alive = false;
            for position in (0..count).filter(|&position| here[position]) {
                let own = self.symbols[position];
                if own.takes(symbol) {
                    self.enter(&mut next, position);
                    alive = true;
                } else if own == symbol {
                    self.enter(&mut next, position + 1);
                    alive = true;
                }
            }
            if !alive {
                return false;
            }
            std::mem::swap(&mut here, &mut next);
        }
        here[count]
    }

    /// Marks a position, and the one after it where the wildcard there may
    /// stand for nothing. Wildcards never follow each other.
    fn enter(&self, positions: &mut [bool], position: usize) {
        positions[position] = true;
        if matches!(
            self.symbols.get(position),
            Some(Symbol::Segment | Symbol::Any)
        ) {
            positions[position + 1] = true;
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::with_capacity(self.symbols.len());
        for symbol in &self.symbols {
            match symbol {
                Symbol::Byte(byte @ (b'*' | b'\\')) => text.extend([b'\\', *byte]),
                Symbol::Byte(byte) => text.push(*byte),
                Symbol::Segment => text.push(b'*'),
                Symbol::Any => text.extend(b"**"),
            }
        }
        f.write_str(&String::from_utf8_lossy(&text))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The obvious definition, exponential, for small inputs.
    fn naive(pattern: &[Symbol], text: &[u8]) -> bool {
        match (pattern.first(), text.first()) {
            (None, None) => true,
            (None, Some(_)) => false,
            (Some(Symbol::Byte(wanted)), Some(got)) if wanted == got => {
                naive(&pattern[1..], &text[1..])
            }
            (Some(Symbol::Byte(_)), _) => false,
            (Some(wild), got) => {
                naive(&pattern[1..], text)
                    || got.is_some_and(|&got| {
                        wild.takes(Symbol::Byte(got)) && naive(pattern, &text[1..])
                    })
            }
        }
    }

    fn pattern() -> impl Strategy<Value = Pattern> {
        "([ab/]|\\*|\\*\\*){1,8}"
            .prop_filter_map("wildcards in a row", |text| Pattern::parse(&text).ok())
    }

    #[test]
    fn a_hostile_pattern_costs_no_more_than_its_length_times_the_resource() {
        let pattern = Pattern::parse(&"*a".repeat(super::super::PATTERN_BYTES / 2)).unwrap();
        let resource = "a".repeat(100_000) + "b";
        // With backtracking this would not end in the lifetime of the machine.
        assert!(!pattern.matches(&resource));
    }

    proptest! {
        #[test]
        fn matching_agrees_with_the_definition(pattern in pattern(), text in "[ab/]{0,8}") {
            prop_assert_eq!(pattern.matches(&text), naive(&pattern.symbols, text.as_bytes()));
        }

        #[test]
        fn what_is_included_is_matched(
            outer in pattern(), inner in pattern(), text in "[ab/]{0,8}",
        ) {
            if outer.includes(&inner) && inner.matches(&text) {
                prop_assert!(outer.matches(&text));
            }
        }

        #[test]
        fn a_pattern_is_written_as_it_was_read(text in "[a*/\\\\é]{1,12}") {
            if let Ok(pattern) = Pattern::parse(&text) {
                prop_assert_eq!(Pattern::parse(&pattern.to_string()), Ok(pattern));
            }
        }

        #[test]
        fn a_text_with_its_wildcards_escaped_matches_itself_only(text in "[ab*/\\\\]{1,12}", other in "[ab*/\\\\]{1,12}") {
            let escaped = text.replace('\\', r"\\").replace('*', r"\*");
            let pattern = Pattern::parse(&escaped).unwrap();
            prop_assert!(pattern.matches(&text));
            prop_assert_eq!(pattern.matches(&other), text == other);
        }
    }
}
