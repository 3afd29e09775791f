//! How a path that is being typed may go on, as a shell completes it.

use std::fs;
use std::path::Path;

use super::path_field::typed_path;

/// Ways to go on with a path, looked up when its text changes and not every frame.
#[derive(Debug, Default)]
pub struct Completions {
    of: Option<String>,

    /// Whole paths, as they would be typed; folders end with a separator.
    pub found: Vec<String>,
}

impl Completions {
    /// `dir`: the folder that a relative path is in. `is_wanted`: whether a file is listed beside the
    /// folders.
    pub fn look(&mut self, text: &str, dir: &Path, is_wanted: fn(&Path) -> bool) {
        if self.of.as_deref() != Some(text) {
            self.of = Some(text.to_owned());
            self.found = completions(text, dir, is_wanted);
        }
    }

    /// The text with all that its completions have in common. `None` if they add nothing.
    pub fn completed(&self, text: &str) -> Option<String> {
        let (first, rest) = self.found.split_first()?;
        let shared = rest.iter().fold(first.as_str(), |shared, path| {
            let n = shared.char_indices().zip(path.chars());
            let end = n.take_while(|((_, a), b)| a == b).last();
            &shared[..end.map_or(0, |((at, char), _)| at + char.len_utf8())]
        });
        (shared.len() > text.len()).then(|| shared.to_owned())
    }
}

fn completions(text: &str, base: &Path, is_wanted: fn(&Path) -> bool) -> Vec<String> {
    let start = text.rfind(std::path::is_separator).map_or(0, |at| at + 1);
    let (dir, begun) = text.split_at(start);
    // An empty field lists nothing: what is in the folder is not asked for yet.
    if dir.is_empty() && begun.is_empty() {
        return Vec::new();
    }
    let Ok(entries) = fs::read_dir(base.join(typed_path(dir))) else { return Vec::new() };
    let found = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        let name = entry.file_name().into_string().ok()?;
        let is_hidden = name.starts_with('.') && !begun.starts_with('.');
        if !name.starts_with(begun) || is_hidden {
            return None;
        }
        // The target of a link counts, not the link.
        let is_folder = fs::metadata(entry.path()).is_ok_and(|it| it.is_dir());
        if !is_folder && !is_wanted(&entry.path()) {
            return None;
        }
        let end = if is_folder { std::path::MAIN_SEPARATOR_STR } else { "" };
        Some(format!("{dir}{name}{end}"))
    });
    let mut found: Vec<String> = found.filter(|path| path != text).collect();
    found.sort_unstable();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::is_weight_file;

    #[test]
    fn a_path_is_completed_as_far_as_it_is_certain() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["facts-a.json", "facts-b.json", "ähnlich.json", ".hidden", "small.gguf"] {
            fs::write(dir.path().join(name), "[]").unwrap();
        }
        fs::create_dir(dir.path().join("models")).unwrap();
        let typed = |name: &str| format!("{}/{name}", dir.path().display());
        let look_at = |text: &str, is_wanted| {
            let mut completions = Completions::default();
            completions.look(text, dir.path(), is_wanted);
            completions
        };
        let look = |name: &str| look_at(&typed(name), |_| true);
        let facts = look("fa");
        assert_eq!(facts.found, [typed("facts-a.json"), typed("facts-b.json")]);
        assert_eq!(facts.completed(&typed("fa")), Some(typed("facts-")));
        assert_eq!(look("facts-").completed(&typed("facts-")), None);
        let umlaut = look("ä");
        assert_eq!(umlaut.completed(&typed("ä")), Some(typed("ähnlich.json")));
        // A model is a folder or a weight file.
        assert_eq!(
            look_at(&typed(""), is_weight_file).found,
            [typed("models/"), typed("small.gguf")]
        );
        assert_eq!(look(".h").found, [typed(".hidden")]);
        assert!(look("").found.iter().all(|it| !it.contains("hidden")));
        assert!(look("facts-a.json").found.is_empty());
        assert!(look("nowhere/a").found.is_empty());
        // In the folder of the field.
        assert_eq!(look_at("fa", |_| true).found, ["facts-a.json", "facts-b.json"]);
        assert!(look_at("", |_| true).found.is_empty());
    }
}
