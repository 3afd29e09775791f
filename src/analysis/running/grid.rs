//! A table of values over layers and positions, or layers and heads.

use serde::{Deserialize, Serialize};

/// Values over layers and positions, or layers and heads. `[layer, column]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked<T>")]
pub struct Grid<T> {
    n_columns: usize,
    values: Vec<T>,
}

/// A grid as a file has it, whose rows may not be whole.
#[derive(Deserialize)]
struct Unchecked<T> {
    n_columns: usize,
    values: Vec<T>,
}

impl<T> TryFrom<Unchecked<T>> for Grid<T> {
    type Error = String;

    fn try_from(Unchecked { n_columns, values }: Unchecked<T>) -> Result<Self, String> {
        if n_columns == 0 || !values.len().is_multiple_of(n_columns) {
            return Err(format!("{} values do not fill rows of {n_columns}", values.len()));
        }
        Ok(Self { n_columns, values })
    }
}

impl<T> Grid<T> {
    /// A grid of these values, row by row.
    ///
    /// # Panics
    ///
    /// If `values` does not fill whole rows.
    pub fn new(n_columns: usize, values: Vec<T>) -> Self {
        assert!(n_columns > 0 && values.len().is_multiple_of(n_columns), "rows must be whole");
        Self { n_columns, values }
    }

    pub fn n_rows(&self) -> usize {
        self.values.len() / self.n_columns
    }

    pub fn n_columns(&self) -> usize {
        self.n_columns
    }

    pub fn rows(&self) -> impl Iterator<Item = &[T]> {
        self.values.chunks(self.n_columns)
    }

    pub fn get(&self, row: usize, column: usize) -> Option<&T> {
        if column >= self.n_columns {
            return None;
        }
        self.values.get(row * self.n_columns + column)
    }

    /// All values, row by row.
    pub fn values(&self) -> &[T] {
        &self.values
    }

    pub fn map<U>(&self, f: impl FnMut(&T) -> U) -> Grid<U> {
        Grid { n_columns: self.n_columns, values: self.values.iter().map(f).collect() }
    }
}
