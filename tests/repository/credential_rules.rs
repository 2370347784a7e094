//! The SDK's table of credential rules is what gitleaks publishes.

use crate::tree;

const FROM: &str = "sdk/rules/gitleaks.toml";
const TABLE: &str = "sdk/src/redaction/credentials/table.rs";

/// Rules that are left out: one is about file names, the other is slow and finds what names give away already.
const LEFT_OUT: &[&str] = &["pkcs12-file", "generic-api-key"];

#[test]
fn the_table_of_credential_rules_is_made_from_those_of_gitleaks() {
    let text = std::fs::read_to_string(tree::root().join(FROM)).expect("the rules");
    let made = table(&toml::from_str(&text).expect("toml"));
    let path = tree::root().join(TABLE);
    if std::env::var_os("RECOUNT_BLESS").is_some() {
        std::fs::write(&path, &made).expect("a writable table");
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        found == made,
        "{TABLE} is not made from {FROM}: RECOUNT_BLESS=1 cargo test -p tests --test repository credential"
    );
    assert!(made.lines().count() > 200);
}

fn table(rules: &toml::Table) -> String {
    let rules = rules["rules"].as_array().expect("a list of rules");
    let mut out = String::from(
        "//! The rules of gitleaks: MIT license, Copyright (c) 2019 Zachary Rice, see `sdk/rules/gitleaks.LICENSE`.\n\
         //!\n\
         //! Made from `sdk/rules/gitleaks.toml` by a test of the repository (`tests/repository/credential_rules.rs`).\n\n\
         use super::Rule;\n\n\
         #[rustfmt::skip]\n\
         pub(super) static RULES: &[Rule] = &[\n",
    );
    for rule in rules {
        let text = |key: &str| rule.get(key).and_then(|value| value.as_str());
        let (Some(id), Some(regex)) = (text("id"), text("regex")) else {
            continue;
        };
        if LEFT_OUT.contains(&id) {
            continue;
        }
        let entropy = rule.get("entropy").map_or(0.0, |value| {
            let whole = value.as_integer().map(|whole| whole as f64);
            value.as_float().or(whole).expect("a number")
        });
        let group = rule.get("secretGroup").and_then(|value| value.as_integer());
        let keywords: Vec<String> = rule["keywords"]
            .as_array()
            .expect("keywords")
            .iter()
            .map(|word| format!("{:?}", word.as_str().expect("a keyword").to_lowercase()))
            .collect();
        out.push_str(&format!(
            "    Rule {{ id: {id:?}, entropy: {entropy:?}, group: {}, keywords: &[{}], regex: r###\"{regex}\"### }},\n",
            group.unwrap_or(0),
            keywords.join(", "),
        ));
    }
    out.push_str("];\n");
    out
}
