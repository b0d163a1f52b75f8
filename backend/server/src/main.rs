//! The program `mendwright`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    server::run(server::cli::Cli::parse())
}
