//! Sizes and counts as a person reads them.

/// Bytes: `548 MB`.
pub fn size(n_bytes: u64) -> String {
    let (value, unit) = match n_bytes {
        0..1_000 => return format!("{n_bytes} B"),
        1_000..1_000_000 => (n_bytes as f64 / 1e3, "kB"),
        1_000_000..1_000_000_000 => (n_bytes as f64 / 1e6, "MB"),
        _ => (n_bytes as f64 / 1e9, "GB"),
    };
    if value < 10.0 { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}

/// Parameters: `75 k`, `124 M`, `1.5 B`.
pub fn count(n: u64) -> String {
    match n {
        0..1_000_000 => format!("{} k", (n as f64 / 1e3).round()),
        1_000_000..1_000_000_000 => format!("{} M", (n as f64 / 1e6).round()),
        _ => format!("{:.1} B", n as f64 / 1e9),
    }
}
