//! Types that files hold as the text that people type.

/// Stores types as [`Display`](std::fmt::Display) writes them, and reads them by
/// [`FromStr`](std::str::FromStr).
macro_rules! stored_as_text {
    ($($stored:ty),*) => {$(
        impl serde::Serialize for $stored {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $stored {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
pub(crate) use stored_as_text;
