//! What time stamps and witnesses prove about time, in a ledger that was not touched and in ones that were.

use ledger::checkpoint::Checkpoint;
use ledger::cosignature::Cosigner;
use ledger::leaf::{ControlBody, Receipt, TreeHead};
use ledger::policy::Policy;
use ledger::stamp::{Authorities, BadToken, Stamp, add_times, check_token, stated};
use ledger::verify::report::{Evidence, Property, PropertyState, Report, Verdict};
use ledger::verify::{FindingKind, Trusted, Verifier, verify_all};

use crate::memory::{Memory, item};

/// Made by `openssl ts -reply` over the text `recount` and a newline, and the CA that certified its signer.
const TOKEN: &[u8] = include_bytes!("../../fuzz/seeds/stamp/token");
const CA: &[u8] = include_bytes!("times/ca.pem");
const OTHER_CA: &[u8] = include_bytes!("times/other.pem");
/// 2026-11-21T20:43:18Z, and SHA-256 of the text.
const TIME_S: u64 = 1_795_293_798;
const STAMPED: [u8; 32] = [
    0x1e, 0x73, 0x1b, 0xf0, 0xb3, 0xe4, 0x6f, 0x6f, 0xad, 0x88, 0x7c, 0x92, 0xec, 0xc0, 0xd9, 0xc4,
    0x2d, 0xb9, 0x21, 0xce, 0x87, 0xa8, 0xac, 0xc6, 0x2e, 0xe5, 0x19, 0x56, 0xe0, 0x69, 0x0d, 0x69,
];

fn ca(pem: &[u8]) -> Authorities {
    Authorities::pem(pem).unwrap()
}

#[test]
fn a_token_is_what_its_authority_signed_and_nothing_else() {
    let stamp = |traced| {
        Ok(Stamp {
            time_s: TIME_S,
            traced,
        })
    };
    assert_eq!(check_token(TOKEN, Some(&STAMPED), &ca(CA)), stamp(true));
    assert_eq!(check_token(TOKEN, None, &ca(CA)), stamp(true));
    assert_eq!(check_token(TOKEN, None, &Authorities::none()), stamp(false));
    assert_eq!(stated(TOKEN), Some(TIME_S));
    let other = check_token(TOKEN, Some(&[7; 32]), &ca(CA));
    assert_eq!(other, Err(BadToken::Imprint));
    let foreign = check_token(TOKEN, None, &ca(OTHER_CA));
    assert!(matches!(foreign, Err(BadToken::Chain(_))), "{foreign:?}");
    let mut both = ca(OTHER_CA);
    both.extend(ca(CA));
    assert_eq!(check_token(TOKEN, None, &both), stamp(true));
    let longer = [TOKEN, &[0]].concat();
    assert!(check_token(&longer, None, &ca(CA)).is_err());
    for broken in [
        &b""[..],
        b"no pem",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        assert!(Authorities::pem(broken).is_err());
    }
}

/// What lies outside the signature (version numbers, the name of the signer) may differ; what is read may not.
#[test]
fn no_flipped_bit_of_a_token_makes_it_say_something_else() {
    let (authorities, mut refused) = (ca(CA), 0);
    for bit in (0..TOKEN.len() * 8).step_by(5) {
        let mut token = TOKEN.to_vec();
        token[bit / 8] ^= 1 << (bit % 8);
        match check_token(&token, Some(&STAMPED), &authorities) {
            Ok(stamp) => assert_eq!((stamp.time_s, stamp.traced), (TIME_S, true), "bit {bit}"),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > TOKEN.len(), "{refused}");
}

fn beacon(memory: &mut Memory) {
    let value = TOKEN.to_vec();
    memory.append(ControlBody::Beacon { kind: 1, value }, None);
}

fn stream(memory: &mut Memory) {
    let at = memory.open("session", "47892");
    memory.record(at, &item(0));
    memory.head(at, true);
}

fn receipt(memory: &mut Memory, kind: u8, holder: &str, receipt: &[u8], head: TreeHead) {
    let private = Receipt {
        holder: holder.to_owned(),
        receipt: receipt.to_vec(),
    };
    memory.seal(&private, |commitment| ControlBody::AnchorReceipt {
        head,
        kind,
        commitment,
    });
}

/// A ledger whose leaves are a little younger than the token.
fn memory() -> Memory {
    let mut memory = Memory::new();
    memory.from_ns = (TIME_S + 60) * 1_000_000_000;
    memory
}

fn evidence(memory: &Memory, authorities: &Authorities) -> Evidence {
    let whole = verify_all(memory, &Trusted::FirstSeen, &mut |_| {}).unwrap();
    let mut evidence = Evidence::of_whole(&whole);
    let mut verifier = Verifier::open(memory, &Trusted::FirstSeen).unwrap();
    add_times(&mut verifier, &mut evidence, authorities);
    evidence
}

fn text(report: &Report) -> String {
    report.text(&str::to_owned).join("\n")
}

#[test]
fn what_was_opened_behind_a_beacon_is_not_older_than_it() {
    let mut memory = memory();
    beacon(&mut memory);
    stream(&mut memory);
    memory.sign();
    let report = Report::judge(&evidence(&memory, &ca(CA)), None);
    assert_eq!(report.verdict(), Verdict::Holds, "{}", text(&report));
    let bound = report.not_before.clone().unwrap();
    assert_eq!(bound.unix_ns, TIME_S * 1_000_000_000);
    assert_eq!(bound.by, "beacon in leaf 1");
    assert_eq!(
        report.json("memory")["not_before"]["at"],
        "2026-11-21T20:43:18.000000Z"
    );
    assert!(!text(&report).contains("no beacon"), "{}", text(&report));
}

#[test]
fn a_beacon_of_nobody_in_particular_is_shown_and_proves_nothing() {
    let mut memory = memory();
    beacon(&mut memory);
    stream(&mut memory);
    memory.sign();
    let report = Report::judge(&evidence(&memory, &Authorities::none()), None);
    assert_eq!(report.not_before, None);
    let said = text(&report);
    assert!(
        said.contains("not before 2026-11-21T20:43:18.000000Z (beacon in leaf 1)"),
        "{said}"
    );
    assert!(
        said.contains("not checked: its authority is not known; give its CA with --tsa-ca"),
        "{said}"
    );
    assert!(
        said.contains("no beacon in front of it was checked"),
        "{said}"
    );
    let json = report.json("memory");
    assert_eq!(json["times"][0]["checked"], false, "{json}");
}

#[test]
fn what_was_opened_before_a_beacon_may_be_older() {
    let mut memory = memory();
    stream(&mut memory);
    beacon(&mut memory);
    memory.sign();
    let report = Report::judge(&evidence(&memory, &ca(CA)), None);
    assert_eq!(report.not_before, None, "{}", text(&report));
    assert!(
        text(&report).contains("a part of what was checked; checked"),
        "{}",
        text(&report)
    );
}

#[test]
fn a_changed_beacon_bounds_nothing_and_an_older_leaf_around_it_is_told() {
    let mut memory = memory();
    let mut value = TOKEN.to_vec();
    *value.last_mut().unwrap() ^= 1;
    memory.append(ControlBody::Beacon { kind: 1, value }, None);
    stream(&mut memory);
    memory.sign();
    let void = evidence(&memory, &ca(CA));
    assert_eq!(
        void.times,
        [],
        "a signature that does not hold bounds nothing"
    );
    // The same ledger, written half a year earlier by its own account.
    let mut early = Memory::new();
    beacon(&mut early);
    stream(&mut early);
    early.sign();
    let told = evidence(&early, &Authorities::none());
    let [finding] = &told.findings[..] else {
        panic!("{:?}", told.findings)
    };
    assert_eq!(finding.kind, FindingKind::Control);
    assert!(finding.what.contains("made afterwards"), "{}", finding.what);
}

#[test]
fn a_time_stamp_of_something_else_is_void() {
    let mut memory = memory();
    stream(&mut memory);
    memory.sign();
    let head = memory.root();
    receipt(
        &mut memory,
        5,
        "rfc3161:http://tsa.example.test",
        TOKEN,
        head,
    );
    memory.sign();
    let report = Report::judge(&evidence(&memory, &ca(CA)), None);
    assert_eq!(report.not_after, None);
    assert_eq!(report.state(Property::Anchors), PropertyState::NotShown);
    assert!(
        text(&report).contains("void: it stamps something else"),
        "{}",
        text(&report)
    );
}

fn witness(n: u8) -> Cosigner {
    Cosigner::new(&format!("w{n}.example.test"), &[n; 32]).unwrap()
}

fn cosigned(memory: &Memory, by: &Cosigner, head: TreeHead, time_s: u64) -> Vec<u8> {
    let origin = memory.origin.clone();
    by.cosign(&Checkpoint { origin, head }.text(), time_s)
        .into_bytes()
}

/// A ledger with one stream and a receipt of witness 1, made by `line` for a head of its own choice.
fn witnessed(
    line: impl Fn(&Memory, TreeHead) -> Vec<u8>,
    head: impl Fn(TreeHead) -> TreeHead,
) -> Memory {
    let mut memory = memory();
    stream(&mut memory);
    memory.sign();
    let head = head(memory.root());
    let line = line(&memory, head);
    receipt(&mut memory, 4, &witness(1).key().to_string(), &line, head);
    memory.sign();
    memory
}

fn policy(lines: &str) -> Policy {
    Policy::parse(
        format!(
            "witness a {}\n{lines}quorum none\nrequire integrity\n",
            witness(1).key()
        )
        .as_bytes(),
    )
    .unwrap()
}

#[test]
fn a_witness_that_the_policy_names_bounds_the_time_and_another_does_not() {
    let time_s = TIME_S + 90;
    let memory = witnessed(
        |memory, head| cosigned(memory, &witness(1), head, time_s),
        |head| head,
    );
    let evidence = evidence(&memory, &Authorities::none());
    let named = Report::judge(&evidence, Some(&policy("")));
    assert_eq!(
        named.state(Property::Anchors),
        PropertyState::Shown,
        "{}",
        text(&named)
    );
    let bound = named.not_after.clone().unwrap();
    assert_eq!(bound.unix_ns, time_s * 1_000_000_000);
    assert_eq!(bound.by, "cosignature of w1.example.test");
    // Whoever writes the ledger can make a witness up.
    let unnamed = Report::judge(&evidence, None);
    assert_eq!(unnamed.state(Property::Anchors), PropertyState::NotShown);
    assert_eq!(unnamed.not_after, None);
    assert!(
        text(&unnamed).contains("no policy names the witness"),
        "{}",
        text(&unnamed)
    );
}

#[test]
fn a_false_cosignature_in_a_receipt_of_a_live_ledger_fails() {
    let forged = witnessed(
        |memory, head| cosigned(memory, &witness(2), head, 7),
        |head| head,
    );
    let report = Report::judge(&evidence(&forged, &Authorities::none()), None);
    assert_eq!(report.verdict(), Verdict::Failed);
    assert!(
        text(&report).contains("the receipt of a witness: not signed by w1.example.test"),
        "{}",
        text(&report)
    );
    let another_text = witnessed(
        |memory, _| {
            cosigned(
                memory,
                &witness(1),
                TreeHead {
                    size: 3,
                    root: [9; 32],
                },
                7,
            )
        },
        |head| head,
    );
    let report = Report::judge(&evidence(&another_text, &Authorities::none()), None);
    assert_eq!(report.verdict(), Verdict::Failed, "{}", text(&report));
}

#[test]
fn a_receipt_for_another_tree_is_a_fork() {
    let other = |head: TreeHead| TreeHead {
        size: head.size,
        root: [9; 32],
    };
    let memory = witnessed(|memory, head| cosigned(memory, &witness(1), head, 7), other);
    let found = evidence(&memory, &Authorities::none()).findings;
    let [finding] = &found[..] else {
        panic!("{found:?}")
    };
    assert_eq!(finding.kind, FindingKind::Fork);
}

#[test]
fn a_quorum_over_an_older_checkpoint_counts_and_bounds_only_what_it_covers() {
    let mut memory = memory();
    stream(&mut memory);
    let mut older = memory.sign();
    let head = memory.root();
    older.extend(cosigned(&memory, &witness(1), head, TIME_S + 90));
    let lines = format!(
        "witness a {}\nquorum a\nrequire witnesses\n",
        witness(1).key()
    );
    let policy = Policy::parse(lines.as_bytes()).unwrap();
    let judged = |memory: &Memory| {
        let mut evidence = evidence(memory, &Authorities::none());
        let mut verifier = Verifier::open(memory, &Trusted::FirstSeen).unwrap();
        evidence.add_witnessed(&mut verifier, Some(older.clone()));
        Report::judge(&evidence, Some(&policy))
    };
    // A leaf more that is about no record: everything that was checked is witnessed.
    beacon(&mut memory);
    memory.sign();
    let all = judged(&memory);
    assert_eq!(all.verdict(), Verdict::Holds, "{}", text(&all));
    assert_eq!(all.not_after.as_ref().unwrap().by, "quorum a");
    assert!(
        text(&all).contains("the 1 signed since are not witnessed yet"),
        "{}",
        text(&all)
    );
    // A record more: the quorum is met, and says nothing of when that one was there.
    memory.record(0, &item(1));
    memory.head(0, true);
    memory.sign();
    let part = judged(&memory);
    assert_eq!(part.state(Property::Witnesses), PropertyState::Shown);
    assert_eq!(part.not_after, None, "{}", text(&part));
    // One of another history is no fallback but a finding.
    let mut other = Memory::named([7; 32], [42; 32]);
    other.open("another", "1");
    let mut forked = other.sign();
    forked.extend(cosigned(&other, &witness(1), other.root(), 7));
    let mut evidence = evidence(&memory, &Authorities::none());
    let mut verifier = Verifier::open(&memory, &Trusted::FirstSeen).unwrap();
    evidence.add_witnessed(&mut verifier, Some(forked));
    assert_eq!(
        Report::judge(&evidence, Some(&policy)).verdict(),
        Verdict::Failed
    );
}
