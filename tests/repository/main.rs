//! The repository checks its own promises: what prose says about the code is a test.

mod dependency_direction;
mod module_headers;
mod named_paths;
mod tree;
