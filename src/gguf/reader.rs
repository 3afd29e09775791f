//! Reads numbers and texts one after the other, and never past the end.

use super::GgufError;

/// A place in a file's bytes.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],

    /// The byte that is read next.
    pub at: usize,
}

/// A number of fixed size, in little-endian order.
pub(super) trait Number: Sized {
    const SIZE: usize;
    fn of(bytes: &[u8]) -> Self;
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Number for $number {
            const SIZE: usize = size_of::<$number>();
            fn of(bytes: &[u8]) -> Self {
                Self::from_le_bytes(bytes.try_into().expect("as many bytes as the number has"))
            }
        }
    )*};
}

numbers!(u8, i8, u16, i16, u32, i32, u64, i64, f32, f64);

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next bytes. `what` they are is for the message if the file ends before.
    pub fn take(&mut self, what: &str, len: usize) -> Result<&'a [u8], GgufError> {
        let end = self.at.saturating_add(len);
        let found = self.bytes.get(self.at..end);
        let found = found.ok_or_else(|| GgufError::CutShort { what: what.to_owned(), end })?;
        self.at = end;
        Ok(found)
    }

    pub fn number<N: Number>(&mut self, what: &str) -> Result<N, GgufError> {
        self.take(what, N::SIZE).map(N::of)
    }

    /// A 64-bit number that counts something in memory.
    pub fn size(&mut self, what: &str) -> Result<usize, GgufError> {
        Ok(usize::try_from(self.number::<u64>(what)?).unwrap_or(usize::MAX))
    }

    /// A text after its length.
    pub fn text(&mut self, what: &str) -> Result<&'a str, GgufError> {
        let len = self.size(what)?;
        let bytes = self.take(what, len)?;
        str::from_utf8(bytes).map_err(|_not_text| self.invalid(&format!("{what} is no UTF-8 text")))
    }

    pub fn invalid(&self, what: &str) -> GgufError {
        GgufError::Invalid(format!("{what} (before byte {})", self.at))
    }
}
