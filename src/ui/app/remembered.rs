//! Settings as they are kept from one start to the next. They are read field by field, so that one
//! value that another version wrote does not cost the others.

use eframe::{APP_KEY, Storage};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::ui::settings_file::back_up;
use crate::ui::state::FirstSettings;

/// Each apart, so that none is lost with another that an older version wrote.
const SPEC_TEXT_KEY: &str = "experiment";
pub(super) const SETTINGS_KEY: &str = "settings";
pub(super) const PREFERENCES_KEY: &str = "preferences";
pub(super) const WORKSPACE_KEY: &str = "workspace";

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
        let Some(storage) = self.storage else { return T::default() };
        let text = storage.get_string(key);
        match text.as_deref().and_then(|text| serde_json::from_str(text).ok()) {
            Some(kept @ Value::Object(_)) => fields(&kept, &mut self.refused),
            // Earlier versions wrote another form, and all under one name before that.
            _ => self.whole_of(storage, [key, APP_KEY]).unwrap_or_default(),
        }
    }

    /// A value that has no parts that can be read alone.
    pub(super) fn whole<T: Default + DeserializeOwned>(&mut self, key: &str) -> T {
        self.storage.and_then(|it| self.whole_of(it, [key, key])).unwrap_or_default()
    }

    /// The text of the experiment, which was among the settings before.
    pub(super) fn spec_text(&mut self) -> String {
        let Some(storage) = self.storage else { return String::new() };
        let first = || Some(eframe::get_value::<FirstSettings>(storage, APP_KEY)?.spec_text);
        eframe::get_value(storage, SPEC_TEXT_KEY).or_else(first).unwrap_or_default()
    }

    fn whole_of<T: DeserializeOwned>(
        &mut self,
        storage: &dyn Storage,
        keys: [&str; 2],
    ) -> Option<T> {
        let found = keys.into_iter().find_map(|key| eframe::get_value(storage, key));
        if found.is_none() && storage.get_string(keys[0]).is_some() {
            self.refused.push(keys[0].to_owned());
        }
        found
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

/// Writes what [`Remembered::fields`] reads.
pub(super) fn set_fields(storage: &mut dyn Storage, key: &str, value: &impl Serialize) {
    if let Ok(text) = serde_json::to_string(value) {
        storage.set_string(key, text);
    }
}

pub(super) fn set_spec_text(storage: &mut dyn Storage, text: &str) {
    eframe::set_value(storage, SPEC_TEXT_KEY, &text);
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
    let before = std::mem::replace(at(whole, path), kept.clone());
    if serde_json::from_value::<T>(whole.clone()).is_ok() {
        return;
    }
    let has_parts = before.is_object();
    *at(whole, path) = before;
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
        set_fields(&mut storage, SETTINGS_KEY, &settings);
        let mut remembered = Remembered::new(Some(&storage));
        assert_eq!(remembered.fields::<Settings>(SETTINGS_KEY), settings);
        assert_eq!(remembered.fields::<Preferences>(PREFERENCES_KEY), Preferences::default());
        assert_eq!(remembered.refused, [""; 0]);
        // As the versions before this one wrote them.
        eframe::set_value(&mut storage, SETTINGS_KEY, &settings);
        let mut remembered = Remembered::new(Some(&storage));
        assert_eq!(remembered.fields::<Settings>(SETTINGS_KEY), settings);
    }

    #[test]
    fn one_value_of_another_version_does_not_cost_the_others() {
        let mut settings = Settings::default();
        settings.trace.seed = 7;
        settings.trace.n_samples = 3;
        let mut storage = Kept::default();
        set_fields(&mut storage, SETTINGS_KEY, &settings);
        let (was, other) = (r#""trace":{"component":"hidden""#, r#""trace":{"component":"heart""#);
        let text = storage.0[SETTINGS_KEY].replace(was, other);
        storage.0.insert(SETTINGS_KEY.to_owned(), text);
        let mut remembered = Remembered::new(Some(&storage));
        assert_eq!(remembered.fields::<Settings>(SETTINGS_KEY), settings);
        assert_eq!(remembered.refused, ["trace component"]);
        storage.0.insert(SETTINGS_KEY.to_owned(), "(trace: Some(".to_owned());
        let mut remembered = Remembered::new(Some(&storage));
        assert_eq!(remembered.fields::<Settings>(SETTINGS_KEY), Settings::default());
        assert_eq!(remembered.refused, [SETTINGS_KEY]);
    }
}
