//! The collector as a library: it listens, seals and serves.
