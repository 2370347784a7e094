//! The collector's side of the witness protocol: shows a checkpoint and why it extends the last one.

use std::path::Path;
use std::time::Duration;

use ledger::cosignature::WitnessKey;
use ledger::note::Note;
use ledger::verify::consistency_proof;
use sha2::{Digest, Sha256};

use super::web::{Answer, Web};
use super::{Anchor, Failed, Given, Submission};
use crate::witness::door::VKEY;
use crate::witness::request;

/// One witness.
#[derive(Debug)]
pub(crate) struct Client {
    url: String,
    vkey: String,
    web: Web,
}

impl Client {
    pub(crate) fn new(url: &str, vkey: &str, ca: Option<&Path>, timeout: Duration) -> Self {
        Self {
            url: format!("{url}/add-checkpoint"),
            vkey: vkey.to_owned(),
            web: Web::new(timeout, ca),
        }
    }

    fn ask(&mut self, submission: &Submission<'_>, old: u64) -> Result<Answer, Failed> {
        let size = submission.checkpoint.head.size;
        let proof = consistency_proof(submission.reader, old, size).map_err(Failed::later)?;
        let body = request::body(old, &proof, submission.note);
        let vkey = submission.key.to_string();
        let headers = [(VKEY, vkey.as_str()), ("content-type", "text/plain")];
        self.web.ask("POST", &self.url, &headers, &body)
    }
}

impl Anchor for Client {
    fn submit(&mut self, submission: &Submission<'_>) -> Result<Given, Failed> {
        let size = submission.checkpoint.head.size;
        let mut old = submission.before.map_or(0, |taken| taken.size.min(size));
        let mut answer = self.ask(submission, old)?;
        if answer.status == 409 {
            let held = held(&answer)?;
            if held > size {
                return Err(conflict(
                    submission,
                    &answer,
                    format!("it cosigned {held} leaves of this ledger, which has {size}"),
                ));
            }
            if held != old {
                old = held;
                answer = self.ask(submission, old)?;
            }
        }
        match answer.status {
            200 => given(submission, &self.vkey, &answer),
            409 if held(&answer)? == old => {
                let why = format!("it cosigned another root of {old} leaves");
                Err(conflict(submission, &answer, why))
            }
            // Somebody else shows it checkpoints of this ledger at this moment; the next attempt will tell.
            409 => Err(Failed::Later("it moved on meanwhile".to_owned())),
            422 => Err(conflict(
                submission,
                &answer,
                format!("this ledger does not extend the {old} leaves that it cosigned"),
            )),
            404 => Err(Failed::Wrong(format!(
                "it does not know {}: on the witness, `recount-collector witness trust {}`",
                submission.checkpoint.origin, submission.key
            ))),
            403 => Err(Failed::Wrong(format!(
                "it trusts another key for {}",
                submission.checkpoint.origin
            ))),
            status if status >= 500 || status == 408 || status == 429 => Err(Failed::Later(
                format!("it answers {status}: {}", answer.excerpt()),
            )),
            status => Err(Failed::Wrong(format!(
                "it answers {status}: {}",
                answer.excerpt()
            ))),
        }
    }
}

/// The size in a 409.
fn held(answer: &Answer) -> Result<u64, Failed> {
    let text = std::str::from_utf8(&answer.body).unwrap_or_default();
    let size = text.strip_suffix('\n').and_then(request::decimal);
    let typed = answer
        .header("content-type")
        .is_some_and(|kind| kind.starts_with("text/x.tlog.size"));
    size.filter(|_| typed).ok_or_else(|| {
        Failed::Wrong(format!(
            "it answers 409 without a size: {}",
            answer.excerpt()
        ))
    })
}

/// A witness's word is not signed. It is believed here nevertheless: stopping to sign harms nobody but an attacker.
fn conflict(submission: &Submission<'_>, answer: &Answer, what: String) -> Failed {
    let mut theirs = Sha256::new();
    theirs.update(answer.status.to_be_bytes());
    theirs.update(&answer.body);
    Failed::Conflict {
        what: format!(
            "{what}\nasked with:\n{}",
            String::from_utf8_lossy(submission.note)
        ),
        theirs: theirs.finalize().into(),
    }
}

/// Takes over the lines by this witness's key, once they hold over this very checkpoint. Others are passed over.
fn given(submission: &Submission<'_>, vkey: &str, answer: &Answer) -> Result<Given, Failed> {
    let key = WitnessKey::parse(vkey).map_err(Failed::wrong)?;
    let whole = [submission.note, &answer.body].concat();
    let note = Note::parse(&whole)
        .map_err(|error| Failed::Wrong(format!("its answer is no cosignature: {error}")))?;
    let time = key.cosigned(&note).map_err(Failed::wrong)?;
    let time =
        time.ok_or_else(|| Failed::Wrong("it answers without its own cosignature".to_owned()))?;
    let text = std::str::from_utf8(&answer.body).unwrap_or_default();
    let own = format!("\u{2014} {} ", key.name());
    let lines: String = text
        .split_inclusive('\n')
        .filter(|line| line.starts_with(&own))
        .take(1)
        .collect();
    Ok(Given {
        receipt: lines.clone().into_bytes(),
        handle: format!("time {time}"),
        cosignature: Some(lines),
        ..Given::default()
    })
}
