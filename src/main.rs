//! The `erlrc` command; also every `erlrc-<command>` that is a link to it.

fn main() -> std::process::ExitCode {
    erlrc::cli::main(std::env::args_os())
}
