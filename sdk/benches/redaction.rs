//! What a redaction policy with everything on costs: a clean payload, one with much that looks like something, a record.

#![allow(
    clippy::expect_used,
    reason = "a benchmark that cannot be set up has nothing to measure"
)]

use divan::{Bencher, black_box};
use recount::redaction::{Operator, Personal, Policy};
use recount::{Attributes, Content};

fn main() {
    divan::main();
}

fn everything() -> Policy {
    Policy::new()
        .key([7; 32])
        .all_credentials()
        .personal(Personal::Email, Operator::Hmac)
        .personal(Personal::Card, Operator::Mask(4))
        .personal(Personal::Iban, Operator::Commit)
        .personal(Personal::Phone, Operator::Remove)
        .personal(Personal::SocialSecurity, Operator::Hmac)
}

/// A body as a CRM answers it: names, numbers, dates, a text with an escaped line end now and then.
fn clean(bytes: usize) -> Vec<u8> {
    let mut body = String::from("{\"accounts\":[");
    for id in 1000.. {
        if body.len() + 180 > bytes {
            break;
        }
        body.push_str(&format!(
            "{{\"id\":{id},\"name\":\"Northwind {id}\",\"stage\":\"renewal\",\"ends\":\"2027-01-{:02}\",\
             \"note\":\"asked for a call\\nnext week about the seats\"}},",
            id % 28 + 1
        ));
    }
    body.pop();
    body.push_str("]}");
    body.into_bytes()
}

#[divan::bench(args = [4, 64, 256])]
fn clean_kib(bencher: Bencher<'_, '_>, kib: usize) {
    let (policy, body) = (everything(), clean(kib << 10));
    assert!(policy.clean(&body).1.is_empty());
    bencher.bench(|| policy.clean(black_box(&body)).1.len());
}

#[divan::bench]
fn clean_4_kib_common_credentials_only(bencher: Bencher<'_, '_>) {
    let (policy, body) = (Policy::new(), clean(4 << 10));
    bencher.bench(|| policy.clean(black_box(&body)).1.len());
}

/// As a content is recorded without a policy: looked at, digested, encoded.
#[divan::bench]
fn content_of_4_kib_encoded(bencher: Bencher<'_, '_>) {
    let body = clean(4 << 10);
    bencher.bench(|| {
        let mut attributes = Attributes::new();
        let content = Content::redacted(black_box(&body), "application/json");
        attributes.content("recount.input", &content);
    });
}

#[divan::bench]
fn dense_4_kib(bencher: Bencher<'_, '_>) {
    let policy = everything();
    let body = "Bearer of news: the api_key and the slack, github and stripe tokens. ".repeat(60);
    policy.clean(body.as_bytes());
    bencher.bench(|| policy.clean(black_box(body.as_bytes())).1.len());
}
