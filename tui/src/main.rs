//! `recount`: a thin entry into the library.

fn main() {}
