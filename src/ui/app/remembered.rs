//! Settings as they are kept from one start to the next. They are read field by field, so that one
//! value that another version wrote does not cost the others.

use eframe::Storage;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::ui::settings_file::back_up;

/// Each apart, so that none is lost with another that another version wrote.
const SPEC_TEXT_KEY: &str = "experiment";
pub(super) const SETTINGS_KEY: &str = "settings";
pub(super) const PREFERENCES_KEY: &str = "preferences";
pub(super) const WORKSPACE_KEY: &str = "workspace";
pub(super) const KEYS: [&str; 4] = [SPEC_TEXT_KEY, SETTINGS_KEY, PREFERENCES_KEY, WORKSPACE_KEY];

/// What was kept at the end of the last start.
pub(super) struct Remembered<'a> {
    storage: Option<&'a dyn Storage>,

    /// The names of those values that could not be read.
    refused: Vec<String>,
}

impl<'a> Remembered<'a> {
    pub(super) fn new(storage: Option<&'a dyn Storage>) -> Self {
        Self { storage, refused: Vec::new() }
    }

    /// Settings; what cannot be read is as at the first start.
    pub(super) fn fields<T: Default + Serialize + DeserializeOwned>(&mut self, key: &str) -> T {
        match self.whole(key) {
            Some(kept @ Value::Object(_)) => fields(&kept, &mut self.refused),
            Some(_) => {
                self.refused.push(key.to_owned());
                T::default()
            }
            None => T::default(),
        }
    }

    /// A value that has no parts that can be read alone. `None` if it was not kept, or cannot be read.
    pub(super) fn whole<T: DeserializeOwned>(&mut self, key: &str) -> Option<T> {
        let text = self.storage?.get_string(key)?;
        let read = serde_json::from_str(&text).ok();
        if read.is_none() {
            self.refused.push(key.to_owned());
        }
        read
    }

    /// The text of the experiment.
    pub(super) fn spec_text(&mut self) -> String {
        self.whole(SPEC_TEXT_KEY).unwrap_or_default()
    }

    /// Says what could not be read, after the file was copied as it is: it is written anew later.
    pub(super) fn complaint(self) -> Option<String> {
        if self.refused.is_empty() {
            return None;
        }
        let names = self.refused.join(", ");
        Some(format!(
            "Some settings that another version wrote cannot be read, and are as at the first \
             start: {names}{}",
            back_up().unwrap_or_default()
        ))
    }
}

/// Writes what [`Remembered::fields`] and [`Remembered::whole`] read, as JSON: eframe's own form is made
/// by code that is as large as that of a view.
pub(super) fn keep(storage: &mut dyn Storage, key: &str, value: &impl Serialize) {
    if let Ok(text) = serde_json::to_string(value) {
        storage.set_string(key, text);
    }
}

pub(super) fn set_spec_text(storage: &mut dyn Storage, text: &str) {
    keep(storage, SPEC_TEXT_KEY, &text);
}

/// The default with all that is kept and can be read in its place.
fn fields<T: Default + Serialize + DeserializeOwned>(kept: &Value, refused: &mut Vec<String>) -> T {
    let Ok(mut read) = serde_json::to_value(T::default()) else { return T::default() };
    let mut path = Vec::new();
    take::<T>(&mut read, kept, &mut path, refused);
    serde_json::from_value(read).unwrap_or_default()
}

/// Puts what is kept at a place into `whole`, as far as that can still be read then.
fn take<T: DeserializeOwned>(
    whole: &mut Value,
    kept: &Value,
    path: &mut Vec<String>,
    refused: &mut Vec<String>,
) {
    let is_there = path.split_last().is_none_or(|(name, path)| at(whole, path).get(name).is_some());
    let before = std::mem::replace(at(whole, path), kept.clone());
    if serde_json::from_value::<T>(whole.clone()).is_ok() {
        return;
    }
    let has_parts = before.is_object();
    match path.split_last() {
        // An entry that the default lacks leaves none behind.
        Some((name, path)) if !is_there => {
            if let Some(parts) = at(whole, path).as_object_mut() {
                parts.remove(name);
            }
        }
        _ => *at(whole, path) = before,
    }
    match kept {
        Value::Object(parts) if has_parts => {
            for (name, part) in parts {
                path.push(name.clone());
                take::<T>(whole, part, path, refused);
                path.pop();
            }
        }
        _ => refused.push(path.join(" ")),
    }
}

fn at<'a>(whole: &'a mut Value, path: &[String]) -> &'a mut Value {
    path.iter().fold(whole, |value, name| &mut value[name.as_str()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Metric;
    use crate::ui::pane::View;
    use crate::ui::state::{Preferences, Settings};

    #[derive(Default)]
    struct Kept(std::collections::BTreeMap<String, String>);

    impl Storage for Kept {
        fn get_string(&self, key: &str) -> Option<String> {
            self.0.get(key).cloned()
        }

        fn set_string(&mut self, key: &str, value: String) {
            self.0.insert(key.to_owned(), value);
        }

        fn remove_string(&mut self, key: &str) {
            self.0.remove(key);
        }

        fn flush(&mut self) {}
    }

    #[test]
    fn settings_are_read_as_they_were_written() {
        let mut settings = Settings::default();
        settings.trace.seed = 7;
        settings.ranges.hold("Probability", (0.0, 0.5));
        let mut storage = Kept::default();
        keep(&mut storage, SETTINGS_KEY, &settings);
        let mut remembered = Remembered::new(Some(&storage));
        assert_eq!(remembered.fields::<Settings>(SETTINGS_KEY), settings);
        assert_eq!(remembered.fields::<Preferences>(PREFERENCES_KEY), Preferences::default());
        assert_eq!(remembered.refused, [""; 0]);
    }

    #[test]
    fn one_value_of_another_version_does_not_cost_the_others() {
        let mut settings = Settings::default();
        settings.trace.seed = 7;
        settings.trace.n_samples = 3;
        let mut storage = Kept::default();
        keep(&mut storage, SETTINGS_KEY, &settings);
        let (was, other) = (r#""trace":{"component":"hidden""#, r#""trace":{"component":"heart""#);
        let text = storage.0[SETTINGS_KEY].replace(was, other);
        storage.0.insert(SETTINGS_KEY.to_owned(), text);
        let mut remembered = Remembered::new(Some(&storage));
        assert_eq!(remembered.fields::<Settings>(SETTINGS_KEY), settings);
        assert_eq!(remembered.refused, ["trace component"]);
        settings.own_metrics.insert(View::Ablation, Metric::Logit);
        keep(&mut storage, SETTINGS_KEY, &settings);
        let (was, other) = (r#""Ablation":"#, r#""Sonar":"Prob","Ablation":"#);
        let text = storage.0[SETTINGS_KEY].replace(was, other);
        storage.0.insert(SETTINGS_KEY.to_owned(), text);
        let mut remembered = Remembered::new(Some(&storage));
        assert_eq!(remembered.fields::<Settings>(SETTINGS_KEY), settings);
        assert_eq!(remembered.refused, ["own_metrics Sonar"]);
        storage.0.insert(SETTINGS_KEY.to_owned(), "(trace: Some(".to_owned());
        let mut remembered = Remembered::new(Some(&storage));
        assert_eq!(remembered.fields::<Settings>(SETTINGS_KEY), Settings::default());
        assert_eq!(remembered.refused, [SETTINGS_KEY]);
    }
}
