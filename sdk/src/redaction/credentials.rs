//! The credential rules of gitleaks: a keyword search first, then the rules whose keyword is there.
//!
//! A rule's expression is compiled when its keyword is first met, so that a program pays for the rules it needs. Left
//! out are the rule for file names, and `generic-api-key`: what it looks for is found by name already, and it would
//! take most of the time.

mod table;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{LazyLock, OnceLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use regex::bytes::{Regex, RegexBuilder};

/// One rule as gitleaks has it.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) id: &'static str,
    pub(super) regex: &'static str,
    /// The least Shannon entropy of the credential, in bits per byte; 0 for any.
    pub(super) entropy: f64,
    /// Which group is the credential; 0 for the first that matched, or all of it.
    pub(super) group: usize,
    pub(super) keywords: &'static [&'static str],
}

/// What a compiled expression may take, in bytes; the largest takes a tenth of it.
const SIZE: usize = 64 << 20;

static SEARCH: LazyLock<Option<Search>> = LazyLock::new(Search::new);
static COMPILED: LazyLock<Vec<OnceLock<Option<Regex>>>> =
    LazyLock::new(|| table::RULES.iter().map(|_| OnceLock::new()).collect());
static IDS: LazyLock<HashMap<String, usize>> = LazyLock::new(|| {
    let name = |(at, rule): (usize, &Rule)| (name(rule), at);
    table::RULES.iter().enumerate().map(name).collect()
});

/// The rules by their keywords.
struct Search {
    words: AhoCorasick,
    /// By keyword, the rules that have it.
    rules: Vec<Vec<usize>>,
}

impl Search {
    fn new() -> Option<Self> {
        let mut by_word: HashMap<&str, Vec<usize>> = HashMap::new();
        for (at, rule) in table::RULES.iter().enumerate() {
            for word in rule.keywords {
                by_word.entry(word).or_default().push(at);
            }
        }
        let (words, rules): (Vec<&str>, Vec<Vec<usize>>) = by_word.into_iter().unzip();
        let words = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::DFA))
            .build(words)
            .ok()?;
        Some(Self { words, rules })
    }
}

/// The rule's name in `redactions[]`.
fn name(rule: &Rule) -> String {
    format!("gitleaks.{}", rule.id)
}

/// Whether a rule has this name.
pub(super) fn knows(rule: &str) -> bool {
    rule.starts_with("gitleaks.") && IDS.contains_key(rule)
}

/// All credentials that a rule finds, and which; they may overlap.
pub(super) fn find(bytes: &[u8]) -> Vec<(Range<usize>, String)> {
    let Some(search) = SEARCH.as_ref() else {
        return Vec::new();
    };
    let mut wanted = [false; table::RULES.len()];
    let mut any = false;
    for met in search.words.find_overlapping_iter(bytes) {
        for rule in search
            .rules
            .get(met.pattern().as_usize())
            .into_iter()
            .flatten()
        {
            wanted[*rule] = true;
            any = true;
        }
    }
    let mut found = Vec::new();
    if !any {
        return found;
    }
    for (at, rule) in table::RULES.iter().enumerate() {
        if wanted[at] {
            by_rule(at, rule, bytes, &mut found);
        }
    }
    found
}

fn by_rule(at: usize, rule: &Rule, bytes: &[u8], found: &mut Vec<(Range<usize>, String)>) {
    let Some(regex) = COMPILED
        .get(at)
        .and_then(|one| one.get_or_init(|| compile(rule)).as_ref())
    else {
        return;
    };
    let mut from = 0;
    while let Some(groups) = regex.captures_at(bytes, from) {
        let Some(whole) = groups.get(0) else { return };
        let group = match rule.group {
            0 => groups.iter().skip(1).flatten().next(),
            given => groups.get(given),
        };
        // A group of a few bytes is a part of the credential, not all of it.
        let secret = group.filter(|one| one.len() >= 8).unwrap_or(whole);
        if rule.entropy == 0.0 || entropy(secret.as_bytes()) >= rule.entropy {
            found.push((secret.range(), name(rule)));
        }
        // What ends one may begin the next.
        from = secret.end().max(whole.start() + 1);
    }
}

fn compile(rule: &Rule) -> Option<Regex> {
    RegexBuilder::new(rule.regex)
        .unicode(false)
        .size_limit(SIZE)
        .build()
        .ok()
}

/// Shannon entropy in bits per byte.
fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in bytes {
        counts[usize::from(*byte)] += 1;
    }
    let all = bytes.len() as f64;
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| {
            let share = f64::from(*count) / all;
            -share * share.log2()
        })
        .sum()
}

#[cfg(test)]
pub(super) fn rules() -> &'static [Rule] {
    table::RULES
}

#[cfg(test)]
pub(super) fn compiles(rule: &Rule) -> bool {
    compile(rule).is_some()
}
