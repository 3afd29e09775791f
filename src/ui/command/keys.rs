//! The keys of commands.

use eframe::egui::{Key, KeyboardShortcut, ModifierNames, Modifiers};

use super::{Command, Step};

const fn key(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::NONE, key)
}

const fn ctrl(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::COMMAND, key)
}

const fn ctrl_shift(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::COMMAND.plus(Modifiers::SHIFT), key)
}

const fn ctrl_alt(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::COMMAND.plus(Modifiers::ALT), key)
}

/// A command and its keys; the first of them are shown in menus.
pub type Keyed = (Command, &'static [KeyboardShortcut]);

/// The commands that have keys, by topic.
pub const KEYS: [(&str, &[Keyed]); 5] = [
    (
        "Files",
        &[
            (Command::OpenModel, &[ctrl_shift(Key::O)]),
            (Command::OpenDataset, &[ctrl(Key::O)]),
            (Command::OpenSession, &[ctrl_alt(Key::O)]),
            (Command::SaveSession, &[ctrl(Key::S)]),
            (Command::SaveSessionAs, &[ctrl_shift(Key::S)]),
            (Command::SaveScreenshot, &[ctrl_alt(Key::S)]),
            (Command::Quit, &[ctrl(Key::Q)]),
        ],
    ),
    (
        "Facts",
        &[
            (Command::NextFact, &[ctrl(Key::ArrowDown), key(Key::ArrowDown)]),
            (Command::PreviousFact, &[ctrl(Key::ArrowUp), key(Key::ArrowUp)]),
            (Command::FocusSearch, &[ctrl(Key::F)]),
            (Command::EditFact, &[key(Key::F2)]),
            (Command::RemoveFact, &[key(Key::Delete)]),
            (Command::Flip, &[ctrl(Key::I)]),
            (Command::KeepBeside, &[ctrl(Key::B)]),
            (Command::DropBeside, &[ctrl_shift(Key::B)]),
        ],
    ),
    (
        "Layer, head and token",
        &[
            (Command::StepLayer(Step::Next), &[key(Key::CloseBracket)]),
            (Command::StepLayer(Step::Previous), &[key(Key::OpenBracket)]),
            (Command::StepHead(Step::Next), &[key(Key::Period)]),
            (Command::StepHead(Step::Previous), &[key(Key::Comma)]),
            (Command::StepToken(Step::Next), &[key(Key::ArrowRight)]),
            (Command::StepToken(Step::Previous), &[key(Key::ArrowLeft)]),
        ],
    ),
    (
        "Methods",
        &[
            (Command::Trace, &[ctrl(Key::T), key(Key::F5)]),
            (Command::RunSpec, &[ctrl(Key::Enter)]),
            (Command::Cancel, &[key(Key::Escape)]),
        ],
    ),
    (
        "Window",
        &[
            (Command::ShowPalette, &[ctrl(Key::K), ctrl(Key::P)]),
            (Command::Undo, &[ctrl(Key::Z)]),
            (Command::Redo, &[ctrl_shift(Key::Z), ctrl(Key::Y)]),
            (Command::ZoomIn, &[ctrl(Key::Plus)]),
            (Command::ZoomOut, &[ctrl(Key::Minus)]),
            (Command::ZoomReset, &[ctrl(Key::Num0)]),
        ],
    ),
];

impl Command {
    /// The first are shown in menus.
    pub fn shortcuts(&self) -> &'static [KeyboardShortcut] {
        let mut keyed = KEYS.iter().flat_map(|(_, keyed)| *keyed);
        keyed.find(|(command, _)| command == self).map_or(&[], |(_, keys)| keys)
    }

    /// The keys that are shown in menus, if it has any.
    pub fn keys_text(&self) -> Option<String> {
        self.shortcuts().first().copied().map(keys_text)
    }

    /// egui listens to the keys of these itself.
    pub fn is_zoom(&self) -> bool {
        matches!(self, Self::ZoomIn | Self::ZoomOut | Self::ZoomReset)
    }
}

/// Keys as they are written on a keyboard, such as `Ctrl+]`.
pub fn keys_text(keys: KeyboardShortcut) -> String {
    let is_mac = cfg!(target_os = "macos");
    let modifiers = ModifierNames::NAMES.format(&keys.modifiers, is_mac);
    let key = match keys.logical_key {
        Key::ArrowDown => "Down",
        Key::ArrowUp => "Up",
        Key::ArrowLeft => "Left",
        Key::ArrowRight => "Right",
        key => key.symbol_or_name(),
    };
    if modifiers.is_empty() { key.to_owned() } else { format!("{modifiers}+{key}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_commands_share_keys() {
        let mut seen = Vec::new();
        for (command, keys) in KEYS.iter().flat_map(|(_, keyed)| *keyed) {
            assert!(!keys.is_empty(), "{command:?}");
            for keys in *keys {
                assert!(!seen.contains(keys), "{command:?}: {keys:?}");
                seen.push(*keys);
            }
        }
    }

    #[test]
    fn keys_are_written_as_they_stand_on_a_keyboard() {
        let check = |command: Command, expected: &str| {
            assert_eq!(command.keys_text().as_deref(), Some(expected));
        };
        check(Command::StepLayer(Step::Next), "]");
        check(Command::StepHead(Step::Next), ".");
        check(Command::StepToken(Step::Previous), "Left");
        if cfg!(not(target_os = "macos")) {
            check(Command::SaveSessionAs, "Ctrl+Shift+S");
        }
    }
}
