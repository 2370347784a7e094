//! The terminal and the command line as a library: `recount` looks at ledgers, and never changes one.

pub mod args;
pub mod failure;

pub mod source;

pub mod app;
mod screen;

pub mod command;
pub mod runtime;
