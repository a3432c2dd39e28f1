//! The integration tests: one binary, one file per theme, each a table of inputs and what they must come to.
//!
//! What is a matter of the whole program runs the real binary; what must be tried thousands of times goes through the
//! library. [`harness`] is all they share.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail where it stands, and may use floats"
)]

mod check;
mod cli;
mod config;
mod determinism;
mod faults;
mod floors;
mod generate;
mod golden;
mod harness;
mod inspect;
mod json;
mod log;
mod maintain;
mod merge;
mod money;
mod personal;
mod reasons;
mod report;
mod scanner;
mod settings;
mod shapes;
mod sources;
mod suite;
mod time;
mod warehouse;
