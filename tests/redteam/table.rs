//! The table of attacks: on the terminal after a run, and in the threat model.

use libtest_mimic::{Failed, Trial};

use super::attack::{Attack, When, verdict};
use super::scene;

const DOCUMENT: &str = "docs/threat-model.md";
const BEGIN: &str =
    "<!-- attacks: written by RECOUNT_BLESS=1 cargo test -p tests --test redteam -->\n";
const END: &str = "<!-- end of attacks -->\n";

pub(crate) fn trials(attacks: &'static [Attack]) -> Vec<Trial> {
    vec![
        Trial::test("the_threat_model_holds_this_table", || document(attacks)),
        Trial::test("every_row_is_there_once_and_in_order", || order(attacks)),
    ]
}

/// What the run showed: one block per attack that was carried out, then how many.
pub(crate) fn print(attacks: &[Attack]) {
    let (mut held, mut failed, mut not_built) = (0, 0, 0);
    println!(
        "\n{:<4} {:<15} {:<4} {:<22} attack · detected by · residual risk",
        "id", "by", "when", "verdict"
    );
    for attack in attacks {
        let word = match (attack.end.play(), verdict(attack.id)) {
            (None, _) => {
                not_built += 1;
                attack.end.word()
            }
            (Some(_), None) => continue,
            (Some(_), Some(true)) => {
                held += 1;
                attack.end.word()
            }
            (Some(_), Some(false)) => {
                failed += 1;
                "MISSED"
            }
        };
        let when = When::letters(attack.when);
        println!(
            "{:<4} {:<15} {:<4} {:<22} {}",
            attack.id,
            attack.tier.word(),
            when,
            word,
            attack.name
        );
        println!("{:49}by: {}", "", attack.by);
        println!("{:49}left: {}", "", attack.residual);
    }
    println!(
        "\n{held} attacks end as the table says, {failed} missed, {not_built} without a defence (NOT BUILT)\n"
    );
}

fn document(attacks: &[Attack]) -> Result<(), Failed> {
    let path = tests::root().join(DOCUMENT);
    let text = String::from_utf8(scene::read(&path)?)?;
    let (before, rest) = text
        .split_once(BEGIN)
        .ok_or("no mark where the table begins")?;
    let (found, after) = rest.split_once(END).ok_or("no mark where the table ends")?;
    let wanted = markdown(attacks);
    if found == wanted {
        return Ok(());
    }
    if std::env::var_os("RECOUNT_BLESS").is_some() {
        return Ok(std::fs::write(
            &path,
            [before, BEGIN, &wanted, END, after].concat(),
        )?);
    }
    Err(
        format!("{DOCUMENT} holds another table; RECOUNT_BLESS=1 writes this one:\n{wanted}")
            .into(),
    )
}

fn markdown(attacks: &[Attack]) -> String {
    let mut text = String::from(
        "| id | attack | adversary, and what it can do | detected by | when | residual risk | verdict |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for attack in attacks {
        let row = [
            attack.id,
            attack.name,
            &format!("{}: {}", attack.tier.word(), attack.can),
            attack.by,
            &When::letters(attack.when),
            attack.residual,
            attack.end.word(),
        ];
        text.push_str(&format!("| {} |\n", row.join(" | ")));
    }
    text
}

/// Rows per family.
const FAMILIES: &[(char, usize)] = &[('S', 20), ('K', 14), ('P', 20), ('E', 15), ('O', 11)];

fn order(attacks: &[Attack]) -> Result<(), Failed> {
    let wanted: Vec<String> = FAMILIES
        .iter()
        .flat_map(|(family, rows)| (1..=*rows).map(move |row| format!("{family}{row:02}")))
        .collect();
    let found: Vec<&str> = attacks.iter().map(|attack| attack.id).collect();
    if wanted == found {
        return Ok(());
    }
    Err(format!("{found:?}").into())
}
