//! The terminal and the command line as a library.
