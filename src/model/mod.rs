//! The vocabulary every other module speaks: the unified row and the types its values are made of.
//!
//! It knows no file, no thread and no source, and imports nothing of ours.

pub mod cells;
pub mod columns;
pub mod counts;
pub mod cube;
pub mod json;
pub(crate) mod memory;
pub mod money;
pub mod paths;
pub mod personal;
pub mod progress;
pub mod reject;
pub mod sum;
pub mod time;
pub mod transaction;
pub mod vocabulary;
