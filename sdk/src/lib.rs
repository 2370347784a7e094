//! Record what an AI agent does, why, and on whose authority, while it happens.
