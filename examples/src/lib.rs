//! What the example programs share: the renewal agent and the world it works in.

pub mod collector;
pub mod http;
pub mod world;
