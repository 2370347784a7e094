//! The example programs and their world, driven as a user drives them.

mod small;
mod world;
