//! What changed, for people: one edit, or all edits to a resource as one, each line and field with what is behind it.

mod behind;
mod blame;
mod fields;
mod lines;
mod origin;
mod seen;
mod words;

pub use behind::{Behind, Index};
pub use blame::{Blame, Blamed, Part, blame};
pub use fields::Field;
pub use lines::{Line, Sign, hunks, text};
pub use origin::Origin;
pub use seen::{Seen, Shape, Step, stands};
pub use words::{MARKS, marked, words};
