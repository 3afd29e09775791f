//! Makes panics of other people's code errors: drivers, and readers of damaged files, panic where they
//! should fail.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

/// A panic that was made an error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Panic {
    pub text: String,

    /// The file and the line.
    pub place: String,
}

thread_local! {
    /// The place of the last panic of this thread, while its panics are made errors.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `work`, and makes its panic an error. Nothing is printed.
pub fn quietly<T>(work: impl FnOnce() -> T) -> Result<T, Panic> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if PLACE.with_borrow(Option::is_none) {
                usual(panic);
            } else {
                PLACE.set(Some(panic.location().map(ToString::to_string).unwrap_or_default()));
            }
        }));
    });
    let before = PLACE.replace(Some(String::new()));
    let outcome = panic::catch_unwind(AssertUnwindSafe(work));
    let place = PLACE.replace(before).unwrap_or_default();
    outcome.map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        Panic { text: text.unwrap_or_else(|| "unknown panic".to_owned()), place }
    })
}

#[cfg(test)]
mod tests {
    use super::quietly;

    #[test]
    fn a_panic_is_an_error_that_knows_its_place() {
        assert_eq!(quietly(|| 3), Ok(3));
        let inner = quietly(|| quietly(|| panic!("within")).map_err(|it| it.text));
        assert_eq!(inner, Ok(Err::<(), _>("within".to_owned())));
        let panic = quietly(|| panic!("{} is wrong", 7)).map(|()| 0).unwrap_err();
        assert_eq!(panic.text, "7 is wrong");
        assert!(panic.place.contains("quiet.rs"), "{}", panic.place);
    }
}
