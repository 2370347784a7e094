//! How records are kept, and how anyone can check that nothing changed.

pub mod otlp;
