//! The field of every number, which says below itself where it did not take what was typed.

use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::rc::Rc;

use eframe::egui::emath::{Numeric, format_with_decimals_in_range};
use eframe::egui::{DragValue, Key, Response, Tooltip, Ui, Widget};

use crate::ui::theme;

/// A number to drag or to type. What is typed holds with Enter, or when the field is left: on the way
/// to `100` nothing is run with `1`.
pub fn number_field<T: Numeric>(value: &mut T) -> NumberField<'_> {
    NumberField {
        drag: DragValue::new(value).update_while_editing(false),
        kind: Kind {
            least: T::MIN.to_f64(),
            most: T::MAX.to_f64(),
            is_whole: T::INTEGRAL,
            kept: |typed| T::from_f64(typed).to_f64(),
        },
    }
}

/// A field for a number, to be added as any widget.
pub struct NumberField<'a> {
    drag: DragValue<'a>,
    kind: Kind,
}

/// Which numbers a field takes.
#[derive(Clone, Copy, Debug)]
struct Kind {
    least: f64,
    most: f64,
    is_whole: bool,

    /// A number as its type keeps it.
    kept: fn(f64) -> f64,
}

impl NumberField<'_> {
    #[must_use]
    pub fn range<T: Numeric>(mut self, range: RangeInclusive<T>) -> Self {
        (self.kind.least, self.kind.most) = (range.start().to_f64(), range.end().to_f64());
        self.drag = self.drag.range(range);
        self
    }

    /// How much the number changes with a point of dragging.
    #[must_use]
    pub fn speed(mut self, speed: impl Into<f64>) -> Self {
        self.drag = self.drag.speed(speed);
        self
    }

    #[must_use]
    pub fn max_decimals(mut self, n: usize) -> Self {
        self.drag = self.drag.max_decimals(n);
        self
    }

    #[must_use]
    pub fn prefix(mut self, text: &'static str) -> Self {
        self.drag = self.drag.prefix(text);
        self
    }

    #[must_use]
    pub fn suffix(mut self, text: &'static str) -> Self {
        self.drag = self.drag.suffix(text);
        self
    }
}

impl Widget for NumberField<'_> {
    fn ui(self, ui: &mut Ui) -> Response {
        let Self { drag, kind } = self;
        let shown = Rc::new(RefCell::new((0.0, String::new())));
        let typed = Rc::new(RefCell::new(None));
        let (showing, heard) = (Rc::clone(&shown), Rc::clone(&typed));
        let drag = drag.custom_formatter(move |value, decimals| {
            let text = format_with_decimals_in_range(value, decimals);
            showing.replace((value, text.clone()));
            text
        });
        let response = ui.add(drag.custom_parser(move |text| {
            // A field that is only passed through keeps the number with all its digits.
            let (value, shown) = &*shown.borrow();
            if text == shown {
                return Some(*value);
            }
            heard.replace(Some(text.to_owned()));
            number(text)
        }));
        let id = response.id.with("not taken");
        // A person who presses elsewhere or types anew has read the message.
        let is_read = ui.input(|it| it.pointer.any_pressed() || it.key_pressed(Key::Escape));
        if is_read || response.gained_focus() {
            ui.data_mut(|it| it.remove::<String>(id));
        }
        if let Some(typed) = typed.take() {
            let refusal = kind.refusal(&typed);
            ui.data_mut(|it| {
                it.remove::<String>(id);
                if let Some(refusal) = refusal {
                    it.insert_temp(id, refusal);
                }
            });
        }
        if let Some(refusal) = ui.data(|it| it.get_temp::<String>(id)) {
            // Over what is below, so that no control moves.
            Tooltip::for_widget(&response).show(|ui| {
                ui.colored_label(theme::palette(ui).warning, refusal);
            });
        }
        response
    }
}

impl Kind {
    /// Why the field does not show what was typed, and what it shows instead. `None` if it does.
    fn refusal(self, typed: &str) -> Option<String> {
        let Some(wanted) = number(typed) else {
            let wanted = typed.trim();
            let nothing = "Nothing was typed: the number is as it was";
            return Some(match wanted {
                "" => nothing.to_owned(),
                _ => format!("“{wanted}” is no number: the number is as it was"),
            });
        };
        let taken = (self.kept)(wanted.clamp(self.least, self.most));
        let is_taken = (taken - wanted).abs() <= ROUNDED * wanted.abs();
        let is_exact = typed.trim().parse().is_ok_and(|wanted: i128| wanted == taken as i128);
        if is_taken && (!self.is_whole || is_exact || wanted.abs() < EXACT) {
            return None;
        }
        let range = if wanted < self.least || wanted > self.most {
            self.range()
        } else if taken.abs() < EXACT {
            "Only whole numbers".to_owned()
        } else {
            "Not exact".to_owned()
        };
        Some(format!("{range}: {} was taken", text(taken)))
    }

    /// Such as `Only 1 to 1000`.
    fn range(self) -> String {
        let Self { least, most, .. } = self;
        // Nobody means the ends of a type.
        match (least.abs() < EXACT, most.abs() < EXACT) {
            (_, true) => format!("Only {} to {}", text(least), text(most)),
            (true, false) => format!("Only {} or more", text(least)),
            (false, false) => "Too large".to_owned(),
        }
    }
}

/// How far a number may be from what was typed because its type has fewer digits, as a part of it.
const ROUNDED: f64 = 1e-6;

/// Whole numbers from here on are not all exact while they are typed: 2⁵³.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A number as it was meant, whichever type keeps it: the f32 of 0.7 has more digits as an f64. Whole
/// numbers have all their digits.
fn text(number: f64) -> String {
    let short = number as f32;
    if f64::from(short) == number && number.fract() != 0.0 {
        short.to_string()
    } else {
        number.to_string()
    }
}

/// The number that a text says, without regard to spaces.
fn number(text: &str) -> Option<f64> {
    let text: String = text.chars().filter(|it| !it.is_whitespace()).collect();
    text.replace('−', "-").parse().ok().filter(|it: &f64| it.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: Numeric>(range: Option<RangeInclusive<T>>, typed: &str, says: Option<&str>) {
        let mut value = T::from_f64(1.0);
        let field = number_field(&mut value);
        let field = match range {
            Some(range) => field.range(range),
            None => field,
        };
        assert_eq!(field.kind.refusal(typed).as_deref(), says, "{typed}");
    }

    #[test]
    fn what_is_not_taken_is_said_with_the_range() {
        check(Some(1..=1000), "12", None);
        check(Some(1..=1000), "−1", Some("Only 1 to 1000: 1 was taken"));
        check(Some(1..=1000), "5000", Some("Only 1 to 1000: 1000 was taken"));
        check(Some(1..=1000), "3.7", Some("Only whole numbers: 3 was taken"));
        check(Some(1..=1000), "many", Some("“many” is no number: the number is as it was"));
        check(Some(1..=1000), " ", Some("Nothing was typed: the number is as it was"));
        check(Some(0.01..=10.0_f32), "0.7", None);
        check(Some(0.01..=1.0_f32), "0", Some("Only 0.01 to 1: 0.01 was taken"));
        check(None::<RangeInclusive<u64>>, "-3", Some("Only 0 or more: 0 was taken"));
        check(
            None::<RangeInclusive<u64>>,
            "9007199254740993",
            Some("Not exact: 9007199254740992 was taken"),
        );
        check(None::<RangeInclusive<u64>>, "18014398509481984", None);
        check(Some(0.0..=1.0), "nan", Some("“nan” is no number: the number is as it was"));
        check(Some(0.0..=1.0), "1e400", Some("“1e400” is no number: the number is as it was"));
    }
}
