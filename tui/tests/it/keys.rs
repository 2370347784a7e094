//! Sequences of keys.
