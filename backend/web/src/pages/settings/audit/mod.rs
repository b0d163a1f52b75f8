//! The audit of the organization: searched, and taken away as a file.

mod download;
mod filter;
mod list;

pub use download::download;
pub use list::list;

use domain::access::Act;

use crate::{Failure, member::Member};

/// Goes on only for who may read the audit of the whole organization; to a member of some clients it is not there.
fn reader(member: &Member) -> Result<(), Failure> {
    if !member.sees_all() {
        return Err(Failure::NOT_FOUND);
    }
    member.must(Act::ReadAudit)
}
