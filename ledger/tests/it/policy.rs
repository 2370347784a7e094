//! Cosignatures and policies: what a witness adds, and what a person demands.

use ledger::checkpoint::Checkpoint;
use ledger::cosignature::Cosigner;
use ledger::leaf::TreeHead;
use ledger::note::{Note, SignerKey};
use ledger::policy::Policy;
use ledger::verify::report::Property;

fn log() -> SignerKey {
    SignerKey::new("recount.local/test", &[1; 32]).unwrap()
}

fn witness(n: u8) -> Cosigner {
    Cosigner::new(&format!("witness.example/{n}"), &[100 + n; 32]).unwrap()
}

fn text() -> String {
    let head = TreeHead {
        size: 12,
        root: [7; 32],
    };
    let origin = "recount.local/test".to_owned();
    Checkpoint { origin, head }.text()
}

/// A checkpoint that these witnesses cosigned, each at its time.
fn cosigned(by: &[(u8, u64)]) -> String {
    let mut note = String::from_utf8(log().sign(&text()).unwrap()).unwrap();
    for (n, time) in by {
        note.push_str(&witness(*n).cosign(&text(), *time));
    }
    note
}

fn vkey(n: u8) -> String {
    witness(n).key().to_string()
}

fn policy(rest: &str) -> Policy {
    let mut file = format!("# who is believed\n\nlog {}\n", log().verifier());
    for n in 1..=3 {
        file.push_str(&format!("witness W{n} {} https://w{n}.example/\n", vkey(n)));
    }
    file.push_str(rest);
    Policy::parse(file.as_bytes()).unwrap()
}

fn refused(file: &str) -> String {
    Policy::parse(file.as_bytes()).unwrap_err().to_string()
}

#[test]
fn a_quorum_counts_each_witness_in_its_groups() {
    let two = policy("group two 2 W1 W2 W3\nquorum two\n");
    let weigh = |policy: &Policy, by: &[(u8, u64)]| {
        let note = cosigned(by);
        policy
            .quorum(&Note::parse(note.as_bytes()).unwrap())
            .unwrap()
    };
    let none = weigh(&two, &[]);
    assert_eq!((none.met, none.of, none.by), (false, 3, None));
    assert!(!weigh(&two, &[(1, 5)]).met);
    // The same witness twice is one witness.
    assert!(!weigh(&two, &[(1, 5), (1, 6)]).met);
    let met = weigh(&two, &[(3, 9), (1, 5), (2, 7)]);
    assert!(met.met && met.demanded);
    assert_eq!(met.by, Some(7), "the second witness makes the quorum");
    let names: Vec<&str> = met.cosigned.iter().map(|it| it.0.as_str()).collect();
    assert_eq!(names, ["W1", "W2", "W3"]);
    // Groups of groups; strangers do not count.
    let nested = policy("group a any W1 W2\ngroup b all a W3\nquorum b\n");
    assert!(weigh(&nested, &[(2, 1), (3, 1)]).met);
    assert!(!weigh(&nested, &[(1, 1), (2, 1)]).met);
    assert!(!weigh(&nested, &[(7, 1), (8, 1), (9, 1)]).met);
    assert!(weigh(&policy("quorum W2\n"), &[(2, 1)]).met);
    let nobody = weigh(&policy("quorum none\n"), &[]);
    assert_eq!((nobody.met, nobody.demanded), (true, false));
    // A line in a witness's name that it did not write spoils the whole note.
    let forged = cosigned(&[(1, 5)]).replace("\n12\n", "\n13\n");
    let forged = Note::parse(forged.as_bytes()).unwrap();
    assert!(policy("quorum none\n").quorum(&forged).is_err());
    // A witness that states no time proves none.
    assert_eq!(weigh(&policy("quorum W2\n"), &[(2, 0)]).by, None);
}

/// redteam: E10
#[test]
fn a_policy_waives_nothing_by_leaving_it_out() {
    let plain = policy("quorum none\n");
    let demanded: Vec<Property> = plain.required().iter().copied().collect();
    assert_eq!(demanded, Property::DEMANDED);
    assert!(
        policy("quorum W1\n")
            .required()
            .contains(&Property::Witnesses)
    );
    let chosen = policy("quorum W1\nrequire integrity\nanchor git https://git.example/a\n");
    let chosen: Vec<Property> = chosen.required().iter().copied().collect();
    assert_eq!(chosen, [Property::Integrity, Property::Witnesses]);
    assert!(refused("quorum none\nrequire witnesses\n").contains("quorum is none"));
    assert!(refused("").contains("no quorum"));
    assert!(plain.accepts(&log().verifier()));
    assert!(
        !plain.accepts(
            &SignerKey::new("recount.local/test", &[2; 32])
                .unwrap()
                .verifier()
        )
    );
}

#[test]
fn a_policy_in_any_other_shape_is_refused_with_its_line() {
    let (one, two) = (vkey(1), vkey(2));
    let w = format!("witness a {one}\nwitness b {two}\n");
    for (bad, line) in [
        (format!("{w}quorum c\n"), 3),
        (format!("{w}quorum a\nquorum b\n"), 4),
        (format!("{w}group g 0 a b\nquorum g\n"), 3),
        (format!("{w}group g 3 a b\nquorum g\n"), 3),
        (format!("{w}group g 02 a b\nquorum g\n"), 3),
        (format!("{w}group g +1 a b\nquorum g\n"), 3),
        (format!("{w}group g any\nquorum g\n"), 3),
        (format!("{w}group g any a a\nquorum g\n"), 3),
        (format!("{w}group g any g\nquorum g\n"), 3),
        (format!("{w}group g any a\ngroup h any a\nquorum h\n"), 4),
        (format!("{w}group g any none\nquorum g\n"), 3),
        (format!("{w}group none any a\nquorum none\n"), 3),
        (format!("{w}group a any b\nquorum a\n"), 3),
        (format!("witness a {one}\nwitness b {one}\nquorum a\n"), 2),
        (format!("witness a {}\nquorum a\n", log().verifier()), 1),
        (
            format!("log {0}\nlog {0}\nquorum none\n", log().verifier()),
            2,
        ),
        (format!("log {one}\nquorum none\n"), 1),
        ("quorum\n".to_owned(), 1),
        ("quorum none none\n".to_owned(), 1),
        ("quorum none\nrequire everything\n".to_owned(), 2),
        (
            "quorum none\nrequire integrity\nrequire integrity\n".to_owned(),
            3,
        ),
        ("quorum none\nanchor carrier pigeon\n".to_owned(), 2),
        ("quorum none\r\n".to_owned(), 1),
        ("quorum\u{a0}none\n".to_owned(), 1),
        ("quorum none".to_owned(), 1),
        ("allow everything\nquorum none\n".to_owned(), 1),
        ("quorum none # all of them\n".to_owned(), 1),
    ] {
        let error = Policy::parse(bad.as_bytes()).unwrap_err();
        assert_eq!(error.line, line, "{bad:?}: {error}");
    }
    assert!(Policy::parse(b"quorum none\n# \xff\n").is_err());
    assert!(Policy::parse(b" \t quorum \t none \t\n \t\n\t# x\n").is_ok());
}
