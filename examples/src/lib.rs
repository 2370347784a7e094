//! What the example programs share: the renewal agent, the world it works in, and the demo around both.

pub mod collector;
pub mod demo;
pub mod http;
pub mod renewal;
pub mod world;
