//! What programs write behind the name of a column that another one has too.

/// A plain name without what only a program writes behind it: pandas' `object.1`, `object_(2)` and Polars'
/// `object_duplicated_0`.
pub(super) fn without_number(plain: &str) -> &str {
    let (named, is_closed) = match plain.strip_suffix(')') {
        Some(named) => (named, true),
        None => (plain, false),
    };
    let bare = named.trim_end_matches(|c: char| c.is_ascii_digit());
    if bare.len() == named.len() {
        return plain;
    }
    let before = if is_closed {
        bare.strip_suffix('(').map(|it| it.trim_end_matches('_'))
    } else {
        bare.strip_suffix("_duplicated_").or_else(|| bare.strip_suffix('.'))
    };
    before.unwrap_or(plain)
}

/// A plain name without what a program or a person writes behind it: `DuckDB`'s `object_1`, `object2`, and
/// `object_right` of a join.
pub(super) fn base(plain: &str) -> Option<&str> {
    let bare = plain.trim_end_matches(|c: char| c.is_ascii_digit());
    let bare = if bare.len() < plain.len() {
        bare.strip_suffix('_').unwrap_or(bare)
    } else {
        plain.strip_suffix("_right")?
    };
    (!bare.is_empty()).then_some(bare)
}
