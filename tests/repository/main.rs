//! The repository checks its own promises: what prose says about the code is a test.
#![expect(
    missing_docs,
    reason = "a test binary has no readers of its documentation"
)]

mod dependency_direction;
mod module_headers;
mod named_paths;
mod tree;
