//! The binary: hands over to the library and turns what happened into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    portreeve::cli::run()
}
