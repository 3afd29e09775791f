//! An array of numbers as `numpy.save` writes it.
//!
//! The format: numpy.lib.format. Its head is a Python dictionary of three entries, which is read
//! here in the form in which numpy itself writes it. The crate npyz would save some sixty lines of this and bring a parser
//! generator, big integers and an old zip along.

/// An array in C order.
pub(super) struct Array {
    pub shape: Vec<usize>,
    pub values: Vec<f64>,
}

const MAGIC: &[u8] = b"\x93NUMPY";

/// Reads an array. The error says what is wrong, and how to set it right.
pub(super) fn parse(bytes: &[u8]) -> Result<Array, String> {
    let no_array = || "this is no array that `numpy.save` has written".to_owned();
    let rest = bytes.strip_prefix(MAGIC).ok_or_else(no_array)?;
    let (version, rest) = rest.split_at_checked(2).ok_or_else(no_array)?;
    let n_digits = if version[0] == 1 { 2 } else { 4 };
    let (len, rest) = rest.split_at_checked(n_digits).ok_or_else(no_array)?;
    let len = len.iter().rev().fold(0_usize, |sum, &byte| sum << 8 | usize::from(byte));
    let (head, data) = rest.split_at_checked(len).ok_or_else(no_array)?;
    let head = std::str::from_utf8(head).ok().ok_or_else(no_array)?;

    let dtype = entry(head, "descr").and_then(quoted).ok_or_else(|| {
        "the noise is no array of plain numbers; save it with `noise.astype('float32')`".to_owned()
    })?;
    let order = entry(head, "fortran_order").ok_or_else(no_array)?;
    let shape = entry(head, "shape").and_then(tuple).ok_or_else(no_array)?;
    let width = match dtype {
        "<f4" => 4,
        "<f8" => 8,
        ">f4" | ">f8" => {
            return Err(format!(
                "the noise is stored with the highest byte first ({dtype}); save it with \
                 `noise.astype('<f4')`"
            ));
        }
        _ => {
            return Err(format!(
                "the noise is stored as {dtype}, and must be float32 or float64; save it with \
                 `noise.astype('float32')`"
            ));
        }
    };
    if !order.starts_with("False") && shape.len() > 1 {
        return Err("the noise is stored column by column (Fortran order); save it with \
                    `numpy.ascontiguousarray(noise)`"
            .to_owned());
    }
    let n_values = shape.iter().try_fold(1_usize, |product, &side| product.checked_mul(side));
    let n_bytes = n_values.and_then(|it| it.checked_mul(width));
    let n_bytes = n_bytes
        .ok_or_else(|| "the noise's shape has more numbers than a file can have".to_owned())?;
    if n_bytes == 0 {
        return Err(format!("the noise has no numbers: its shape is {}", shape_text(&shape)));
    }
    if data.len() != n_bytes {
        return Err(format!(
            "the file is torn: its shape {} needs {n_bytes} bytes of numbers, and has {}",
            shape_text(&shape),
            data.len()
        ));
    }
    let values = if width == 4 {
        let (numbers, _) = data.as_chunks::<4>();
        numbers.iter().map(|it| f64::from(f32::from_le_bytes(*it))).collect()
    } else {
        let (numbers, _) = data.as_chunks::<8>();
        numbers.iter().map(|it| f64::from_le_bytes(*it)).collect()
    };
    Ok(Array { shape, values })
}

/// A shape as Python writes it, such as `(3, 2)`.
pub(super) fn shape_text(shape: &[usize]) -> String {
    match shape {
        [one] => format!("({one},)"),
        many => {
            let sides: Vec<String> = many.iter().map(ToString::to_string).collect();
            format!("({})", sides.join(", "))
        }
    }
}

/// The text that follows a key of the head.
fn entry<'a>(head: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = head.split_once(&format!("'{key}':"))?;
    Some(rest.trim_start())
}

/// The text within the quotes that a text begins with.
fn quoted(text: &str) -> Option<&str> {
    text.strip_prefix('\'')?.split_once('\'').map(|(quoted, _)| quoted)
}

/// The numbers of a Python tuple.
fn tuple(text: &str) -> Option<Vec<usize>> {
    let (inside, _) = text.strip_prefix('(')?.split_once(')')?;
    let sides = inside.split(',').map(str::trim).filter(|it| !it.is_empty());
    sides.map(|it| it.trim_end_matches('L').parse().ok()).collect()
}
