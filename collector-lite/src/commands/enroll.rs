//! `enroll`, `producers` and `revoke`: who may send, kept in the store, noticed by a running collector at once.

use std::path::Path;

use ledger::producer::AgentKey;
use ledger::store::StoreError;
use serde_json::{Value, json};
use vocabulary::Timestamp;

use crate::cli::{self, Form};
use crate::clock;
use crate::error::{Error, exit};
use crate::producers::entry::{
    CertificateKey, Enrolment, Name, TokenHash, bytes32, hex, new_token,
};
use crate::producers::file;
use crate::producers::roll::{Refused, Roll};
use crate::settings::Settings;
use crate::tls::files;

/// Enrols a producer and prints its token.
pub(super) fn enroll(settings: &Settings, options: &cli::Enroll) -> Result<u8, Error> {
    let store = holds_ledger(&settings.store)?;
    let name = named(&options.name)?;
    let key = options.key.as_deref().map(public_key).transpose()?;
    let certificates = certificate_keys(&options.certificate)?;
    let token = match options.no_token || !certificates.is_empty() {
        true => None,
        false => Some(new_token().map_err(|error| Error::System {
            doing: "draw a token",
            source: std::io::Error::other(error.to_string()),
        })?),
    };
    let now = Timestamp::from_unix_ns(clock::now_ns());
    let enrolment = Enrolment {
        name: name.clone(),
        enrolled: now,
        revoked: None,
        token: token.as_deref().map(TokenHash::of),
        certificates: certificates.clone(),
        uid: options.uid,
        key,
        recorder: options.recorder,
    };
    let renew = options.renew;
    let renewed = file::change(store, move |roll| {
        let renewed = renew && roll.revoke(&enrolment.name, now).is_some();
        roll.add(enrolment).map_err(|refused| not_added(&refused))?;
        Ok::<bool, Error>(renewed)
    })?;
    match options.output.output {
        Form::Json => say!(
            "{}",
            json!({
                "name": name.as_str(),
                "token": token,
                "certificates": shown(&certificates),
                "renewed": renewed,
            })
        ),
        Form::Text => {
            tell(&name, token.as_deref(), options.uid, renewed);
            tell_certificates(&certificates);
        }
    }
    Ok(exit::DONE)
}

fn tell(name: &Name, token: Option<&str>, uid: Option<u32>, renewed: bool) {
    match renewed {
        true => say!("enrolled {name} anew; its earlier credentials count no longer"),
        false => say!("enrolled {name}"),
    }
    if let Some(token) = token {
        say!("token   {token}");
        say!("It is shown this once; only its SHA-256 is kept. Give it to the producer alone:");
        say!("  the SDK         RECOUNT_TOKEN={token}");
        say!("  OpenTelemetry   OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20{token}");
    }
    if let Some(uid) = uid {
        say!("It must run as user {uid} and send to the agent socket (serve --agent-socket PATH).");
    }
}

fn tell_certificates(keys: &[CertificateKey]) {
    if keys.is_empty() {
        return;
    }
    for key in keys {
        say!("key     {} (SHA-256 of the certificate's)", hex(&key.0));
    }
    say!("It shows its certificate to a collector that asks for one (serve --tls-client-ca FILE):");
    say!("  the SDK         RECOUNT_CLIENT_CERT=FILE RECOUNT_CLIENT_KEY=FILE");
    say!(
        "  OpenTelemetry   OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE=FILE OTEL_EXPORTER_OTLP_CLIENT_KEY=FILE"
    );
}

fn shown(keys: &[CertificateKey]) -> Vec<String> {
    keys.iter().map(|key| hex(&key.0)).collect()
}

/// Prints who is enrolled.
pub(super) fn list(settings: &Settings, form: Form) -> Result<u8, Error> {
    let roll = file::read(holds_ledger(&settings.store)?)?;
    match form {
        Form::Json => {
            let all: Vec<Value> = roll.all().iter().map(|one| row(one)).collect();
            say!(
                "{:#}",
                json!({ "required": settings.require_enrolment, "producers": all })
            );
        }
        Form::Text => print(&roll),
    }
    Ok(exit::DONE)
}

fn row(one: &Enrolment) -> Value {
    json!({
        "name": one.name.as_str(),
        "enrolled_at": one.enrolled,
        "revoked_at": one.revoked,
        "token": one.token.map(|token| token.short()),
        "certificates": shown(&one.certificates),
        "uid": one.uid,
        "key": one.key.map(|key| hex(&key)),
        "recorder": one.recorder,
    })
}

fn print(roll: &Roll) {
    if roll.all().is_empty() {
        return say!("no producer is enrolled; enrol one with: recount-collector enroll NAME");
    }
    for one in roll.all() {
        say!("{:<24} {}", one.name.as_str(), one.described());
    }
}

/// Takes a producer's credentials out of force.
pub(super) fn revoke(settings: &Settings, name: &str) -> Result<u8, Error> {
    let store = holds_ledger(&settings.store)?;
    let name = named(name)?;
    let now = Timestamp::from_unix_ns(clock::now_ns());
    file::change(store, |roll| match roll.revoke(&name, now) {
        Some(()) => Ok(()),
        None => Err(unknown(roll, &name)),
    })?;
    say!("revoked {name}; a running collector refuses its credentials from the next request on");
    Ok(exit::DONE)
}

fn unknown(roll: &Roll, name: &Name) -> Error {
    let was = roll.all().iter().rev().find(|one| one.name == *name);
    let what = match was.and_then(|one| one.revoked) {
        Some(at) => format!("{name} was revoked at {at}"),
        None => format!("no producer {name:?} is enrolled", name = name.as_str()),
    };
    let active = roll.all().iter().filter(|one| one.is_active());
    let near: Vec<String> = active.map(|one| one.name.to_string()).take(10).collect();
    let hint = match near.as_slice() {
        [] => "nobody is enrolled now".to_owned(),
        near => format!("enrolled are: {}", near.join(", ")),
    };
    Error::Unknown { what, hint }
}

fn named(text: &str) -> Result<Name, Error> {
    Name::parse(text).map_err(|error| Error::Usage {
        why: error.to_string(),
        hint: "give it a name like billing-agent".to_owned(),
    })
}

fn not_added(refused: &Refused) -> Error {
    let hint = match refused {
        Refused::Enrolled { .. } => {
            "--renew enrols it anew, with another token; or choose another name"
        }
        Refused::Certificate { .. } => {
            "give each producer a key of its own, or revoke that enrolment first"
        }
        Refused::User { .. } => {
            "leave --no-token out: a token tells two producers of one user apart"
        }
        Refused::Full => "take lines of revoked producers out of producers.jsonl",
    };
    Error::Usage {
        why: refused.to_string(),
        hint: hint.to_owned(),
    }
}

/// Enrolments belong to a ledger.
fn holds_ledger(store: &Path) -> Result<&Path, Error> {
    if store.join("ledger.db").exists() {
        return Ok(store);
    }
    Err(Error::Store(StoreError::Missing {
        dir: store.to_path_buf(),
        file: "ledger.db".to_owned(),
    }))
}

/// A public key as given, or that of an agent's key file, which holds the secret one.
fn public_key(given: &str) -> Result<[u8; 32], Error> {
    if let Ok(key) = bytes32(given, "") {
        return Ok(key);
    }
    let path = Path::new(given);
    let text = std::fs::read_to_string(path).map_err(|source| Error::Usage {
        why: format!(
            "{given:?} is neither a public key in 64 hexadecimal digits nor a file: {source}"
        ),
        hint: "give the public key, or the file that RECOUNT_AGENT_KEY names".to_owned(),
    })?;
    let key = AgentKey::parse(&text).ok_or_else(|| Error::Usage {
        why: format!("{given} holds no agent's key: 64 hexadecimal digits are wanted"),
        hint: "give the file that RECOUNT_AGENT_KEY names".to_owned(),
    })?;
    Ok(key.public())
}

/// How many certificates one producer may have at once.
const CERTIFICATES: usize = 4;

/// The keys of client certificates as given: files, or what `openssl` calculates of one.
fn certificate_keys(given: &[String]) -> Result<Vec<CertificateKey>, Error> {
    let mut keys = Vec::new();
    for given in given {
        let key = certificate_key(given)?;
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    match keys.len() {
        0..=CERTIFICATES => Ok(keys),
        many => Err(Error::Usage {
            why: format!("{many} certificates; a producer has at most {CERTIFICATES}"),
            hint: "enrol the one in use and the next one".to_owned(),
        }),
    }
}

fn certificate_key(given: &str) -> Result<CertificateKey, Error> {
    if let Ok(key) = bytes32(given, "") {
        return Ok(CertificateKey(key));
    }
    let unusable = |why: String| Error::Usage {
        why,
        hint:
            "give the client's certificate (not its key), in PEM, or the SHA-256 of its public key"
                .to_owned(),
    };
    let chain = files::certificates("certificate", Path::new(given))
        .map_err(|error| unusable(error.to_string()))?;
    let key = chain.first().and_then(CertificateKey::of);
    key.ok_or_else(|| unusable(format!("certificate {given}: it is not X.509 version 3")))
}
