//! Flags that take any text, even one that begins with a hyphen: `--prompt "-5 degrees is"`.

use clap::{Arg, Command};

/// What the values of such flags are called in help.
const TEXTS: &[&str] = &["TEXT", "ID", "RELATION"];

/// Takes what follows a flag for text as its text, but for the name of another flag: there the text
/// was forgotten.
pub fn taking_text(command: Command) -> Command {
    taking_text_but(command, &[])
}

fn taking_text_but(command: Command, inherited: &[String]) -> Command {
    let own = command.get_arguments().filter_map(|it| Some(format!("--{}", it.get_long()?)));
    let flags: Vec<String> = inherited.iter().cloned().chain(own).collect();
    let within = flags.clone();
    command
        .mut_args(move |arg| {
            // Elsewhere `-1` is a number that is too small, and no flag.
            if is_text(&arg) {
                of_text(arg, flags.clone())
            } else {
                arg.allow_negative_numbers(true)
            }
        })
        .mut_subcommands(move |it| taking_text_but(it, &within))
}

fn is_text(arg: &Arg) -> bool {
    arg.get_value_names().is_some_and(|names| names.iter().any(|it| TEXTS.contains(&it.as_str())))
}

fn of_text(arg: Arg, flags: Vec<String>) -> Arg {
    arg.allow_hyphen_values(true).value_parser(move |text: &str| -> Result<String, String> {
        if flags.iter().any(|flag| flag == text) {
            return Err(format!("a text is missing here: `{text}` is a flag"));
        }
        Ok(text.to_owned())
    })
}
