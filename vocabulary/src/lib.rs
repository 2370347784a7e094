//! The words recount speaks: one type per idea, no I/O, no SQL, no OTLP types.
