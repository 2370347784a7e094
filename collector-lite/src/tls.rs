//! TLS at the agent doors: certificates that are read anew when their files change, and clients that show theirs.
//!
//! [`files`] reads what the settings name, [`gate`] lets connections in.

pub(crate) mod files;
mod gate;

pub(crate) use gate::{Gate, Standing};
