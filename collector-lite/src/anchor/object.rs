//! A bucket of an S3-compatible store with Object Lock: one object per checkpoint, locked as it is written.
//!
//! The key ends in the size, so a fork or a rollback meets an object that is there; `If-None-Match: *` keeps it from
//! being written over, and the lock, read back every time, from being removed.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

use super::sigv4::{Credentials, Unsigned};
use super::spec::Bucket;
use super::web::{Answer, Web};
use super::{Anchor, Failed, Given, Submission, compare};

/// One bucket.
#[derive(Debug)]
pub(crate) struct Object {
    bucket: Bucket,
    web: Web,
}

/// A request to the bucket.
struct Ask<'a> {
    method: &'a str,
    /// Empty for the bucket itself.
    key: &'a str,
    query: &'a [(&'a str, &'a str)],
    headers: &'a [(&'a str, &'a str)],
    body: &'a [u8],
}

impl Object {
    pub(crate) fn new(bucket: Bucket, timeout: Duration) -> Self {
        let web = Web::new(timeout, bucket.ca.as_deref());
        Self { bucket, web }
    }

    fn credentials(&self) -> Result<Credentials, Failed> {
        let path = &self.bucket.credentials;
        let wrong = |why: &dyn std::fmt::Display| {
            Failed::Wrong(format!("credentials in {}: {why}", path.display()))
        };
        let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        match (lines.next(), lines.next(), lines.next()) {
            (Some(access), Some(secret), None) => Ok(Credentials {
                access: access.to_owned(),
                secret: secret.to_owned(),
            }),
            _ => Err(wrong(
                &"two lines are expected: the access key and its secret",
            )),
        }
    }

    fn ask(&mut self, ask: &Ask<'_>, now_ns: u64) -> Result<Answer, Failed> {
        let endpoint = self.bucket.endpoint.clone();
        let host = endpoint.split_once("://").map_or("", |(_, host)| host);
        let path = format!("/{}/{}", self.bucket.bucket, ask.key);
        let path = if ask.key.is_empty() {
            path.trim_end_matches('/')
        } else {
            &path
        };
        let unsigned = Unsigned {
            method: ask.method,
            host,
            path,
            query: ask.query,
            headers: ask.headers,
            body: ask.body,
            region: &self.bucket.region,
            time: &time(now_ns, "%Y%m%dT%H%M%SZ")?,
        };
        let signed = unsigned.sign(&self.credentials()?);
        let headers: Vec<(&str, &str)> = signed
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let url = format!("{endpoint}{}", unsigned.target());
        let answer = self.web.ask(ask.method, &url, &headers, ask.body)?;
        match answer.status {
            500.. | 429 => Err(Failed::Later(says(&answer))),
            _ => Ok(answer),
        }
    }

    fn key(&self, origin: &str, size: u64) -> String {
        format!("{}{size:020}", self.folder(origin))
    }

    fn folder(&self, origin: &str) -> String {
        format!("{}{origin}/", self.bucket.prefix)
    }

    /// A checkpoint with more leaves than this ledger has: the ledger was rolled back. Stores that do not let this key
    /// list are taken as they are.
    fn newer(&mut self, submission: &Submission<'_>) -> Result<(), Failed> {
        let origin = &submission.checkpoint.origin;
        let (folder, after) = (
            self.folder(origin),
            self.key(origin, submission.checkpoint.head.size),
        );
        let query = [
            ("list-type", "2"),
            ("prefix", folder.as_str()),
            ("start-after", after.as_str()),
            ("max-keys", "1"),
        ];
        let list = Ask {
            method: "GET",
            key: "",
            query: &query,
            headers: &[],
            body: b"",
        };
        let answer = self.ask(&list, submission.now_ns)?;
        let text = String::from_utf8_lossy(&answer.body);
        let Some(newer) = element(&text, "Key").filter(|_| answer.status == 200) else {
            return Ok(());
        };
        let newer = newer.to_owned();
        let found = self.read(&newer, submission.now_ns)?;
        compare(submission, &found.body).map(drop)
    }

    fn read(&mut self, key: &str, now_ns: u64) -> Result<Answer, Failed> {
        let answer = self.ask(
            &Ask {
                method: "GET",
                key,
                query: &[],
                headers: &[],
                body: b"",
            },
            now_ns,
        )?;
        if answer.status == 200 {
            Ok(answer)
        } else {
            Err(Failed::Wrong(says(&answer)))
        }
    }

    /// Mode and end of the lock, as the store tells them.
    fn lock(&mut self, key: &str, version: &str, now_ns: u64) -> Result<(String, String), Failed> {
        let head = Ask {
            method: "HEAD",
            key,
            query: &[("versionId", version)],
            headers: &[],
            body: b"",
        };
        let answer = self.ask(&head, now_ns)?;
        let mode = answer.header("x-amz-object-lock-mode");
        let until = answer.header("x-amz-object-lock-retain-until-date");
        match (mode, until) {
            (Some(mode), Some(until)) if answer.status == 200 => {
                Ok((mode.to_owned(), until.to_owned()))
            }
            _ => Err(Failed::Wrong(format!(
                "{key} was written, and the store does not say that it is locked (it answers {}): the bucket needs \
                 Object Lock, the account the right to see it",
                answer.status
            ))),
        }
    }
}

impl Anchor for Object {
    fn submit(&mut self, submission: &Submission<'_>) -> Result<Given, Failed> {
        self.newer(submission)?;
        let now_ns = submission.now_ns;
        let key = self.key(
            &submission.checkpoint.origin,
            submission.checkpoint.head.size,
        );
        let kept_ns = u64::from(self.bucket.days) * 86_400_000_000_000;
        let until = time(now_ns.saturating_add(kept_ns), "%Y-%m-%dT%H:%M:%SZ")?;
        let mode = self.bucket.mode.clone();
        let checksum = STANDARD.encode(Sha256::digest(submission.note));
        let headers = [
            ("if-none-match", "*"),
            ("content-type", "text/plain"),
            ("x-amz-checksum-sha256", checksum.as_str()),
            ("x-amz-sdk-checksum-algorithm", "SHA256"),
            ("x-amz-object-lock-mode", mode.as_str()),
            ("x-amz-object-lock-retain-until-date", until.as_str()),
        ];
        let put = Ask {
            method: "PUT",
            key: &key,
            query: &[],
            headers: &headers,
            body: submission.note,
        };
        let answer = self.ask(&put, now_ns)?;
        let version = match answer.status {
            200 => answer.header("x-amz-version-id").map(str::to_owned),
            // It is there: an answer that was lost, or another history.
            412 => {
                let found = self.read(&key, now_ns)?;
                if found.body != submission.note {
                    compare(submission, &found.body)?;
                }
                found.header("x-amz-version-id").map(str::to_owned)
            }
            409 => return Err(Failed::Later(says(&answer))),
            _ => return Err(Failed::Wrong(says(&answer))),
        };
        let version = version.ok_or_else(|| {
            Failed::Wrong("the bucket keeps no versions, so nothing in it is locked".to_owned())
        })?;
        let (found, ends) = self.lock(&key, &version, now_ns)?;
        if answer.status == 200 && (found != mode || second(&ends) < second(&until)) {
            return Err(Failed::Wrong(format!(
                "{key} is locked as {found} until {ends}, not as {mode} until {until}"
            )));
        }
        Ok(Given {
            receipt: format!("key {key}\nversion {version}\nmode {found}\nuntil {ends}\n")
                .into_bytes(),
            handle: version,
            ..Given::default()
        })
    }
}

/// `2026-01-02T03:04:05`: times to the second compare as text.
fn second(time: &str) -> &str {
    time.get(..19).unwrap_or(time)
}

fn time(ns: u64, form: &str) -> Result<String, Failed> {
    let time = jiff::Timestamp::from_nanosecond(i128::from(ns)).map_err(Failed::wrong)?;
    Ok(time.strftime(form).to_string())
}

/// What a store says in an answer that is not the one hoped for.
fn says(answer: &Answer) -> String {
    let text = String::from_utf8_lossy(&answer.body);
    match (element(&text, "Code"), element(&text, "Message")) {
        (Some(code), Some(message)) => {
            format!("the store answers {} {code}: {message}", answer.status)
        }
        _ => format!("the store answers {} {}", answer.status, answer.excerpt()),
    }
}

/// The text of the first element of this name. Enough for the flat answers that are read here.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(text)
}
