//! An existing log, brought in line by line: what was written elsewhere and is sealed afterwards.
//!
//! Nothing about an import depends on when or by whom it is made but the time of receipt and who is named on the
//! Resource: the same file under the same options gives the same run with the same numbers, so that it is sealed once.

pub(crate) mod fields;
pub(crate) mod lines;
mod proto;
pub(crate) mod record;
