//! What happened, computed from records: the answer and its renderings.
