//! Normalizes raw JSON dumps of payment APIs to one Arrow schema and writes partitioned Parquet.
//!
//! # The map
//!
//! ```text
//! dump ──chunks──▶ Chunk ──normalize(source)──▶ Batch ──loader──▶ staged Parquet ──commit──▶ snapshot
//!                          └──▶ rejects ──quarantine──┘    └──▶ counts ──▶ report, manifest
//! ```
//!
//! Imports only point down, and neighbours never import each other:
//!
//! ```text
//! 4  main · cli · progress
//! 3  pipeline │ inspect │ settings │ log │ processor
//! 2  normalize │ config │ report │ warehouse
//! 1  extract │ sources │ load
//! 0  model
//! ```
//!
//! # Invariants
//!
//! - **[`model`] knows no files, no threads, no source. [`sources`] do no I/O**: a source sees one record.
//! - **[`extract`] parses no payments, [`load`] knows no source.**
//! - **What rules for personal data take out of a row ([`model::personal`]) is gone before the row is kept anywhere.**
//! - **Bad data is a value ([`model::reject::Reject`]), only the environment is an `Err`.** A record gives its row or its
//!   reject, never half.
//! - **Parallelism is seen in [`pipeline`], in [`load`]'s writers and in [`inspect`] alone**; the number of threads never
//!   changes a byte of output.
//! - **Nothing outside staging is written before [`load::commit`].**
//! - **Every fact is written once**: a column in [`model::columns`], a source in [`sources::ALL`], a reason in
//!   [`model::reject`].

pub mod config;
pub mod extract;
pub mod inspect;
pub mod load;
pub mod model;
pub mod normalize;
pub mod pipeline;
pub mod report;
pub mod settings;
pub mod sources;
pub mod warehouse;
