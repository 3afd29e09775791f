//! The commands and their flags.
//!
//! Results go to stdout or a file, everything else to stderr; a command that fails exits with 1, a
//! wrong flag with 2.

use std::ffi::OsString;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, Parser};

use commands::Command;
use flags::text::taking_text;
use machine::Machine;

mod machine;
mod progress;
mod inquiry;
#[cfg(feature = "parquet")]
mod interrupt;
mod json;
mod script_keys;
mod output;
mod overwritten;
mod wrong_number;
mod terminal;
mod serve;
mod flags;
mod commands;

/// A desktop microscope for facts in language models.
///
/// Without a command the window opens, with the flags of `explore`.
#[derive(Parser)]
#[command(version, arg_required_else_help = false)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    /// A session file, or the folder of a sweep, to open in the window
    #[arg(value_name = "FILE.factscope", value_parser = commands::session_file)]
    session: Option<PathBuf>,

    #[command(flatten)]
    machine: Machine,
}

/// Runs the program.
pub fn main() -> ExitCode {
    let typed: Vec<OsString> = std::env::args_os().collect();
    let cli = match parsed(&typed) {
        Ok(cli) => cli,
        Err(message) => return print(&message),
    };
    // The message and place of a panic were printed when it happened.
    let outcome = catch_unwind(AssertUnwindSafe(|| run(cli)));
    match outcome {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            complain(&told(&error));
            ExitCode::FAILURE
        }
        Err(_) => {
            complain("this is a fault of the program; please report it with the lines above");
            ExitCode::FAILURE
        }
    }
}

/// What is typed, of which texts may begin with a hyphen.
fn parsed(typed: &[OsString]) -> Result<Cli, clap::Error> {
    let mut command = taking_text(Cli::command());
    let matches = command
        .try_get_matches_from_mut(typed)
        .or_else(|error| as_of_window(&mut command, typed, error))
        .map_err(|error| wrong_number::in_plain_words(error, &command))?;
    overwritten::check(&command, &matches)
        .map_err(|reason| command.error(ErrorKind::ArgumentConflict, reason))?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// What is typed without a command, read again with the flags of the window, which opens then.
fn as_of_window(
    command: &mut clap::Command,
    typed: &[OsString],
    error: clap::Error,
) -> Result<ArgMatches, clap::Error> {
    let names_command = typed.iter().skip(1).any(|it| command.find_subcommand(it).is_some());
    if error.kind() != ErrorKind::UnknownArgument || names_command {
        return Err(error);
    }
    let (program, flags) = typed.split_at(typed.len().min(1));
    let explore = [OsString::from("explore")];
    command.try_get_matches_from_mut(program.iter().chain(&explore).chain(flags))
}

/// An error with its causes, but for those that it has told itself.
fn told(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |told, cause| match cause.to_string() {
        cause if told.is_empty() => cause,
        cause if told.contains(&cause) => told,
        cause => format!("{told}: {cause}"),
    })
}

/// Prints help, the version, or what is wrong with the flags.
fn print(message: &clap::Error) -> ExitCode {
    // The message names what was typed, and a terminal would carry control characters out.
    let is_plain = !message.use_stderr()
        || std::env::args_os().all(|it| !it.to_string_lossy().contains(terminal::is_carried_out));
    let printed = if is_plain {
        message.print()
    } else {
        writeln!(std::io::stderr(), "{}", terminal::shown(message.to_string()))
    };
    match printed.and_then(|()| std::io::stdout().flush()) {
        Ok(()) => ExitCode::from(u8::try_from(message.exit_code()).unwrap_or(2)),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("this cannot be printed: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let machine = cli.machine.telling();
    // Where the system allows no more threads, that is said here; later it would be a panic.
    rayon::ThreadPoolBuilder::new()
        .num_threads(machine.threads.map_or(0, usize::from))
        .build_global()
        .map_err(|error| {
            anyhow::anyhow!(
                "no threads to compute with ({error}); `ulimit -u` says how many may run"
            )
        })?;
    cli.command.unwrap_or_else(|| Command::window(cli.session)).run(&machine)
}

fn complain(message: &str) {
    // Where even stderr is closed there is nobody to tell.
    _ = writeln!(std::io::stderr(), "factscope: {}", terminal::shown(message));
}

/// The reader of our output has gone, as `head` does: not a failure of ours.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>());
    io.is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_are_consistent() {
        taking_text(Cli::command()).debug_assert();
    }
}
