//! Dumps become chunks of whole records: find the dumps, undo compression, find where records end.
//!
//! It parses no payments. What it must know of sources, the keys of their envelopes and whether a record is told, is
//! handed in.

pub mod chunks;
pub mod decompress;
pub mod discover;
mod mask;
mod object;
pub mod reread;
mod resync;
mod scanner;
mod value;
