//! The commands.

mod csv;
