//! `/platform`: the operators' pages. Counts, never content; every act asks for a code of the second factor.

mod act;
mod enter;
mod second;
mod show;

pub use act::{brake, plan, resume, storm, suspend};
pub use enter::{choose, finish};
pub use second::{show as show_second, turn_on};
pub use show::show;
