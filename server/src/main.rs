//! The binary `kenami`: see `kenami --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    kenami_server::cli::main(std::env::args_os())
}
