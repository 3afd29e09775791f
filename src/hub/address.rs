//! The parts of an address, and where a redirect leads.

/// Scheme, host and port.
pub(super) fn origin(url: &str) -> String {
    let end = url.find("://").map_or(0, |it| it + 3);
    let length = url[end..].find(['/', '?', '#']).map_or(url.len(), |it| end + it);
    url[..length].to_ascii_lowercase()
}

pub(super) fn host(url: &str) -> String {
    origin(url).split("://").last().unwrap_or_default().to_owned()
}

/// Where a redirect leads.
pub(super) fn join(url: &str, location: &str) -> String {
    if location.contains("://") {
        return location.to_owned();
    }
    let origin = origin(url);
    if location.starts_with("//") {
        let scheme = origin.split("//").next().unwrap_or_default();
        return format!("{scheme}{location}");
    }
    if location.starts_with('/') {
        return format!("{origin}{location}");
    }
    let path = url.split(['?', '#']).next().unwrap_or(url);
    match path.rfind('/') {
        Some(end) if end >= origin.len() => format!("{}{location}", &path[..=end]),
        _ => format!("{origin}/{location}"),
    }
}
