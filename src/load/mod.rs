//! Columns become partitioned Parquet, and Parquet becomes visible. It knows no source.
//!
//! Nothing outside the staging directory is written before [`commit`].

mod column;
pub mod commit;
pub mod compact;
pub mod keys;
pub mod ledger;
pub mod loader;
pub mod manifest;
pub mod parquet_file;
pub mod partition;
pub mod quarantine;
pub mod read_back;
pub mod replaced;
mod spill;
