//! The commands and their flags as data, for programs that offer them under names of their own.

use std::any::TypeId;
use std::path::PathBuf;

use clap::{Arg, ArgAction, Command, CommandFactory as _};
use serde_json::{Value, json};

use crate::cli::Cli;
use crate::cli::flags::text::taking_text;
use crate::figure::program;

/// All commands that can be asked for in a request, in the order of `--help`, and the flags that each of
/// them has.
pub(in crate::cli) fn described() -> Value {
    let mut program_itself = taking_text(Cli::command());
    program_itself.build();
    let globals: Vec<Value> =
        program_itself.get_arguments().filter(|it| it.is_global_set()).map(flag).collect();
    let mut commands = Vec::new();
    for command in program_itself.get_subcommands() {
        list(command, "", &mut commands);
    }
    json!({ "program": program(), "flags": globals, "commands": commands })
}

/// Whether a request cannot ask for a command: it would open a window, or serve somebody itself.
const NOT_SERVED: [&str; 3] = ["explore", "serve", "help"];

/// Adds a command, or those that stand below it.
fn list(command: &Command, above: &str, all: &mut Vec<Value>) {
    let name = format!("{above} {}", command.get_name());
    let name = name.trim();
    if NOT_SERVED.contains(&command.get_name()) {
        return;
    }
    if command.has_subcommands() {
        command.get_subcommands().for_each(|it| list(it, name, all));
        return;
    }
    let is_own = |it: &&Arg| !it.is_global_set() && !it.is_hide_set() && it.get_id() != "help";
    let text = |it: Option<&clap::builder::StyledStr>| it.map(ToString::to_string);
    all.push(json!({
        "name": name,
        "about": text(command.get_about()),
        "long_about": text(command.get_long_about()),
        "flags": command.get_arguments().filter(is_own).map(flag).collect::<Vec<_>>(),
    }));
}

/// A flag, or what stands without one.
fn flag(arg: &Arg) -> Value {
    let takes_value = arg.get_action().takes_values();
    let n_values = arg.get_num_args().filter(|_| takes_value);
    let n_values = n_values.map_or(1, |it| it.min_values().max(1));
    let is_several = takes_value && n_values == 1 && matches!(arg.get_action(), ArgAction::Append);
    let values = arg.get_possible_values();
    let values = values.iter().filter(|it| takes_value && !it.is_hide_set());
    let values: Vec<Value> = values
        .map(|it| json!({ "name": it.get_name(), "help": it.get_help().map(ToString::to_string) }))
        .collect();
    let defaults: Vec<String> = arg
        .get_default_values()
        .iter()
        .filter(|_| takes_value)
        .map(|it| it.to_string_lossy().into_owned())
        .collect();
    let value_names = arg.get_value_names().unwrap_or_default();
    json!({
        // `None` for what stands without a flag.
        "flag": arg.get_long().map(|it| format!("--{it}")),
        "name": arg.get_long().unwrap_or_else(|| arg.get_id().as_str()),
        "help": arg.get_long_help().or_else(|| arg.get_help()).map(ToString::to_string),
        "kind": if takes_value { kind(arg) } else { "switch" },
        "value_name": value_names.first().filter(|_| takes_value).map(ToString::to_string),
        // Whether the flag may be given several times.
        "is_several": is_several,
        // How many values each takes, and what may part several in one.
        "n_values": n_values,
        "delimiter": arg.get_value_delimiter().filter(|_| takes_value),
        "is_required": arg.is_required_set(),
        "values": values,
        "default": defaults,
    })
}

/// What kind of value is taken.
fn kind(arg: &Arg) -> &'static str {
    let id = arg.get_value_parser().type_id();
    let is_any = |all: &[TypeId]| all.iter().any(|it| id == *it);
    let whole =
        [TypeId::of::<usize>(), TypeId::of::<u64>(), TypeId::of::<u32>(), TypeId::of::<u16>()];
    if is_any(&whole) {
        "integer"
    } else if is_any(&[TypeId::of::<f64>(), TypeId::of::<f32>()]) {
        "number"
    } else if is_any(&[TypeId::of::<PathBuf>()]) {
        "path"
    } else {
        "text"
    }
}
