//! The product knows nothing of the demo: an account that does would answer from memory, not from records.

use crate::tree;
use examples::world::customers::CUSTOMERS;

const PRODUCT: &[&str] = &[
    "vocabulary/src",
    "ledger/src",
    "account/src",
    "sdk/src",
    "collector-lite/src",
    "tui/src",
];

#[test]
fn no_customer_service_or_rule_of_the_demo_stands_in_the_product() {
    let mut words: Vec<&str> = CUSTOMERS.iter().map(|customer| customer.name).collect();
    words.extend([
        "desk.example.test",
        "drafts-only",
        "most_valuable",
        "renewal_status",
    ]);
    let mut found = Vec::new();
    for path in tree::files("rs") {
        let shown = tree::shown(&path);
        if !PRODUCT.iter().any(|folder| shown.starts_with(folder)) || shown.contains("tests") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a readable source file");
        for (number, line) in text.lines().enumerate() {
            if line.trim_start().starts_with("#[cfg(test)]") {
                break;
            }
            let is_prose = line.trim_start().starts_with("//");
            if !is_prose && words.iter().any(|word| line.contains(word)) {
                found.push(format!("{shown}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert!(
        found.is_empty(),
        "the product knows the demo:\n{}",
        found.join("\n")
    );
}
