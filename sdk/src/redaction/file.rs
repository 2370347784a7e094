//! The policy file: JSON, every word of it known.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{ContentPolicy, Label, Operator, Personal, Policy, PolicyError};

/// The shortest key that withstands guessing, in bytes.
const KEY_BYTES: usize = 32;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credentials: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_file: Option<String>,
    personal: serde_json::Map<String, serde_json::Value>,
    labels: Vec<Labels>,
    closed: Vec<String>,
    allow: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Labels {
    of: String,
    at: String,
    label: String,
}

pub(super) fn read(file: &Path) -> Result<Policy, PolicyError> {
    let unreadable = |file: &Path| {
        let file = file.to_owned();
        move |source| PolicyError::Unreadable { file, source }
    };
    let text = std::fs::read_to_string(file).map_err(unreadable(file))?;
    let raw: File = serde_json::from_str(&text).map_err(|source| PolicyError::Malformed {
        file: file.to_owned(),
        source,
    })?;
    let mut policy = Policy::new();
    if let Some(word) = &raw.content {
        policy = policy.content(content(word)?);
    }
    if let Some(name) = &raw.key_file {
        let path = file.parent().unwrap_or(Path::new(".")).join(name);
        let key = std::fs::read(&path).map_err(unreadable(&path))?;
        if key.len() < KEY_BYTES {
            return Err(PolicyError::ShortKey {
                file: path,
                len: key.len(),
            });
        }
        policy = policy.key(key);
    }
    policy = credentials(policy, raw.credentials.as_deref())?;
    for (sort, operator) in &raw.personal {
        policy = policy.personal(personal(sort)?, self::operator(operator)?);
    }
    for one in &raw.labels {
        policy = policy.label(&one.of, &one.at, label(&one.label)?)?;
    }
    for of in &raw.closed {
        policy = policy.closed(of)?;
    }
    for value in &raw.allow {
        policy = policy.allow(value);
    }
    Ok(policy)
}

fn unknown<T>(word: &str, what: &'static str, known: &'static str) -> Result<T, PolicyError> {
    Err(PolicyError::UnknownWord {
        word: word.to_owned(),
        what,
        known,
    })
}

fn content(word: &str) -> Result<ContentPolicy, PolicyError> {
    match word {
        "full" => Ok(ContentPolicy::Full),
        "redacted" => Ok(ContentPolicy::Redacted),
        "digest" => Ok(ContentPolicy::Digest),
        _ => unknown(word, "content policy", "full, redacted, digest"),
    }
}

fn credentials(policy: Policy, word: Option<&str>) -> Result<Policy, PolicyError> {
    match word {
        None | Some("common") => Ok(policy),
        #[cfg(feature = "detectors")]
        Some("all") => Ok(policy.all_credentials()),
        #[cfg(not(feature = "detectors"))]
        Some("all") => Err(PolicyError::NoDetectors),
        Some(word) => unknown(word, "set of credential rules", "common, all"),
    }
}

fn personal(word: &str) -> Result<Personal, PolicyError> {
    let found = Personal::ALL.into_iter().find(|sort| sort.rule() == word);
    match found {
        Some(sort) => Ok(sort),
        None => unknown(
            word,
            "sort of personal data",
            "email, card, iban, phone, social_security",
        ),
    }
}

fn operator(value: &serde_json::Value) -> Result<Operator, PolicyError> {
    const KNOWN: &str = "keep, remove, mask:1 to mask:8, hmac, commit";
    let word = value.as_str().unwrap_or_default();
    match word {
        "keep" => Ok(Operator::Keep),
        "remove" => Ok(Operator::Remove),
        "hmac" => Ok(Operator::Hmac),
        "commit" => Ok(Operator::Commit),
        _ => match word.strip_prefix("mask:").and_then(|n| n.parse().ok()) {
            Some(last @ 1..=8) => Ok(Operator::Mask(last)),
            _ => unknown(&value.to_string(), "operator", KNOWN),
        },
    }
}

fn label(word: &str) -> Result<Label, PolicyError> {
    match word {
        "public" => Ok(Label::Public),
        "internal" => Ok(Label::Internal),
        "sensitive" => Ok(Label::Sensitive),
        "secret" => Ok(Label::Secret),
        _ => unknown(word, "label", "public, internal, sensitive, secret"),
    }
}

/// The policy as records tell it: no key, no allowed value.
pub(super) fn told(policy: &Policy) -> serde_json::Value {
    let operator = |operator: Operator| match operator {
        Operator::Keep => "keep".to_owned(),
        Operator::Remove => "remove".to_owned(),
        Operator::Mask(last) => format!("mask:{last}"),
        Operator::Hmac => "hmac".to_owned(),
        Operator::Commit => "commit".to_owned(),
    };
    let personal: serde_json::Map<_, _> = policy
        .cleaner
        .personal_rules()
        .map(|(sort, how)| (sort.rule().to_owned(), operator(how).into()))
        .collect();
    let label = |label| match label {
        Label::Public => "public",
        Label::Internal => "internal",
        Label::Sensitive => "sensitive",
        Label::Secret => "secret",
    };
    let labels: Vec<_> = policy
        .labels
        .iter()
        .map(|one| {
            serde_json::json!({
                "of": one.of.text, "at": one.at.to_string(), "label": label(one.label),
            })
        })
        .collect();
    serde_json::json!({
        "content": match policy.content {
            ContentPolicy::Full => "full",
            ContentPolicy::Redacted => "redacted",
            ContentPolicy::Digest => "digest",
        },
        "credentials": if policy.cleaner.has_all_credentials() { "all" } else { "common" },
        "keyed": policy.key.is_some(),
        "personal": personal,
        "labels": labels,
        "closed": policy.closed.iter().map(|of| &of.text).collect::<Vec<_>>(),
        "allowed_values": policy.cleaner.allowed(),
    })
}
