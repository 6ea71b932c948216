//! Grounded chat.
