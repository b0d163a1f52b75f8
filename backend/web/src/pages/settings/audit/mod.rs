//! The audit of the organization: searched, and taken away as a file.

mod download;
mod filter;
mod list;

pub use download::{download, send};
pub use list::list;
