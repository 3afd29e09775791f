//! The field of every number.

use eframe::egui::DragValue;
use eframe::egui::emath::Numeric;

/// A number to drag or to type. What is typed holds with Enter, or when the field is left: on the way
/// to `100` nothing is run with `1`.
pub fn number_field<T: Numeric>(value: &mut T) -> DragValue<'_> {
    DragValue::new(value).update_while_editing(false)
}
