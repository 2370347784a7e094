//! `key`: what a ledger is recognised by, to be written down where nobody who can write the store can change it.

use std::io::IsTerminal as _;

use ledger::fingerprint::Fingerprint;
use ledger::note::VerifierKey;
use ledger::verify::{Trusted, Verifier};
use qrcode::{EcLevel, QrCode};

use super::source::Source;
use crate::cli::KeyForm;
use crate::error::{Error, exit};
use crate::settings::Settings;

/// Prints key, words and QR code of a ledger whose checkpoint holds. The words are computed from proven leaves.
pub(super) fn key(settings: &Settings, form: &KeyForm) -> Result<u8, Error> {
    let source = Source::open(settings)?;
    let mut verifier = Verifier::open(source.reader(), &Trusted::FirstSeen)?;
    let wrong = |what: String| Error::NotIntact { what };
    let fingerprint = verifier
        .fingerprint()
        .map_err(|finding| wrong(format!("{}: {}", finding.place, finding.what)))?;
    let ledger = verifier.ledger();
    if let Some(finding) = ledger.findings.first() {
        return Err(wrong(format!("{}: {}", finding.place, finding.what)));
    }
    let (Some(key), Some(fingerprint)) = (&ledger.key, fingerprint) else {
        return Err(wrong("the ledger names no key".to_owned()));
    };
    match (form.words, form.qr) {
        (true, _) => say!("{}", fingerprint.words()),
        (_, true) => print_qr(key, &fingerprint),
        _ => show(key, &fingerprint),
    }
    Ok(exit::DONE)
}

/// Prints all three forms; the picture only where somebody can see it.
pub(super) fn show(key: &VerifierKey, fingerprint: &Fingerprint) {
    say!("key     {key}");
    let mut name = "words";
    for line in fingerprint.word_lines() {
        say!("{name:<7} {line}");
        name = "";
    }
    // A script has no camera.
    if std::io::stdout().is_terminal() {
        print_qr(key, fingerprint);
    }
}

/// The key and the words in one QR code, two rows of modules per line of text, light on dark or dark on light alike:
/// four modules of quiet zone are part of it.
fn print_qr(key: &VerifierKey, fingerprint: &Fingerprint) {
    const QUIET: usize = 4;
    let text = format!("{key}\n{}\n", fingerprint.words());
    let Ok(code) = QrCode::with_error_correction_level(text, EcLevel::L) else {
        // Only an origin of thousands of bytes does not fit.
        return say!("qr      the key is too long for a QR code");
    };
    let width = code.width();
    let modules = code.to_colors();
    let side = width + 2 * QUIET;
    let dark = |x: usize, y: usize| {
        let inside = (QUIET..QUIET + width).contains(&x) && (QUIET..QUIET + width).contains(&y);
        inside
            && modules
                .get((y - QUIET) * width + (x - QUIET))
                .is_some_and(|color| *color == qrcode::Color::Dark)
    };
    for y in (0..side).step_by(2) {
        // Blocks are the light modules: most terminals are dark.
        let row: String = (0..side)
            .map(|x| match (dark(x, y), y + 1 >= side || dark(x, y + 1)) {
                (false, false) => '\u{2588}',
                (false, true) => '\u{2580}',
                (true, false) => '\u{2584}',
                (true, true) => ' ',
            })
            .collect();
        say!("{row}");
    }
}
