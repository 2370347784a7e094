//! The repository checks its own promises: what prose says about the code is a test.
#![expect(clippy::expect_used, reason = "a test may panic: that is how it fails")]

mod credential_rules;
mod dependency_direction;
mod first_release;
mod instrumenting;
mod ledger_size;
mod module_headers;
mod named_paths;
mod no_demo_in_the_product;
mod sdk_features;
mod threat_model;
mod tree;
