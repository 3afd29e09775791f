//! Where the paths of a source file lead.
//!
//! Reads the file as tokens, not as lines, so that groups, nested modules and `super` are seen; comments
//! and strings are not.

/// What a path leads to.
pub enum Use {
    /// A module directly below the crate.
    Room(String),

    /// The first name of a path, which may be a crate.
    Crate(String),

    /// `crate::*` or `crate as x`: nothing could be said of what follows.
    Everything,
}

/// Names and punctuation; comments and literals are gone.
pub fn tokens(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut found: Vec<String> = Vec::new();
    let mut i = 0;
    while i < chars.len() {
        match at(i) {
            '/' if at(i + 1) == '/' => {
                while i < chars.len() && at(i) != '\n' {
                    i += 1;
                }
            }
            '/' if at(i + 1) == '*' => {
                let mut depth = 0;
                while i < chars.len() {
                    if at(i) == '/' && at(i + 1) == '*' {
                        depth += 1;
                        i += 2;
                    } else if at(i) == '*' && at(i + 1) == '/' {
                        depth -= 1;
                        i += 2;
                        if depth == 0 {
                            break;
                        }
                    } else {
                        i += 1;
                    }
                }
            }
            '"' => {
                i += 1;
                while i < chars.len() && at(i) != '"' {
                    i += if at(i) == '\\' { 2 } else { 1 };
                }
                i += 1;
            }
            // A character, unless it is a lifetime.
            '\'' if at(i + 1) == '\\' => {
                i += 3;
                while i < chars.len() && at(i) != '\'' {
                    i += 1;
                }
                i += 1;
            }
            '\'' if at(i + 2) == '\'' => i += 3,
            'r' | 'b' | 'c' if raw_string(&chars, i).is_some() => {
                i = raw_string(&chars, i).unwrap_or(i);
            }
            c if is_word(c) => {
                let start = i;
                while is_word(at(i)) {
                    i += 1;
                }
                let word: String = chars[start..i].iter().collect();
                if word == "r" && at(i) == '#' {
                    // A raw name: `r#type`.
                    i += 1;
                } else {
                    found.push(word);
                }
            }
            ':' if at(i + 1) == ':' => {
                found.push("::".to_owned());
                i += 2;
            }
            c if c.is_whitespace() => i += 1,
            c => {
                found.push(c.to_string());
                i += 1;
            }
        }
    }
    found
}

/// Where a raw string that starts here ends: `r"…"`, `br#"…"#`.
fn raw_string(chars: &[char], start: usize) -> Option<usize> {
    if start > 0 && (chars[start - 1].is_alphanumeric() || chars[start - 1] == '_') {
        return None;
    }
    let rest = &chars[start..];
    let r = rest.iter().take(2).position(|&c| c == 'r')?;
    let n_hashes = rest[r + 1..].iter().take_while(|&&c| c == '#').count();
    if rest.get(r + 1 + n_hashes) != Some(&'"') {
        return None;
    }
    let body = r + 2 + n_hashes;
    let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', n_hashes)).collect();
    let len = rest[body..].windows(end.len()).position(|it| it == end.as_slice())?;
    Some(start + body + len + end.len())
}

/// Everything that paths in the tokens of a module lead to.
pub fn uses(module: &[String], tokens: &[String]) -> Vec<Use> {
    let mut found = Vec::new();
    // Modules written out in this file, by the depth of their braces.
    let mut inner: Vec<usize> = Vec::new();
    let mut depth = 0;
    let mut i = 0;
    while i < tokens.len() {
        let token = tokens[i].as_str();
        let before = i.checked_sub(1).map_or("", |i| tokens[i].as_str());
        let next = tokens.get(i + 1).map_or("", |it| it.as_str());
        match token {
            "mod" if tokens.get(i + 2).is_some_and(|it| it == "{") => {
                inner.push(depth);
                depth += 1;
                i += 3;
                continue;
            }
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                if inner.last() == Some(&depth) {
                    inner.pop();
                }
            }
            "use" => {
                let here = module.len() + inner.len();
                i = use_tree(tokens, i + 1, Some(Place::Start), here, &mut found);
                continue;
            }
            _ if next == "::" && is_name(token) && before != "::" => {
                // A path in code: only its beginning can lead elsewhere.
                let here = module.len() + inner.len();
                i = use_tree(tokens, i, Some(Place::Start), here, &mut found);
                continue;
            }
            "extern" if next == "crate" => {
                found.extend(tokens.get(i + 2).map(|name| Use::Crate(name.clone())));
            }
            // `::burn::…`, but not `Vec::<…>` or `<X as Y>::Z`.
            "::" if !is_name(before) && (before != ">" || tokens[i - 2] == "-") => {
                found.push(Use::Crate(next.to_owned()));
            }
            _ => (),
        }
        i += 1;
    }
    found
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// How far a path has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,

    /// How many modules a file is below the crate's root.
    Below(usize),
}

/// Reads one path, with its groups, from `i`; returns where it ends. `place` is nothing once it is
/// known where the path leads.
fn use_tree(
    tokens: &[String],
    mut i: usize,
    mut place: Option<Place>,
    here: usize,
    found: &mut Vec<Use>,
) -> usize {
    loop {
        let token = tokens.get(i).map_or("", |it| it.as_str());
        let next = tokens.get(i + 1).map_or("", |it| it.as_str());
        match token {
            "::" => {
                i += 1;
                continue;
            }
            "{" if i > 0
                && (tokens[i - 1] == "::"
                    || ["use", "{", ","].contains(&tokens[i - 1].as_str())) =>
            {
                i += 1;
                while tokens.get(i).is_some_and(|it| it != "}") {
                    let end = use_tree(tokens, i, place, here, found);
                    // What no path begins with, a comma above all, is passed over.
                    i = end + usize::from(end == i || tokens.get(end).is_some_and(|it| it == ","));
                }
                return i + 1;
            }
            "crate" if place == Some(Place::Start) => place = Some(Place::Below(0)),
            "self" if place == Some(Place::Start) => place = Some(Place::Below(here)),
            "super" => match place {
                Some(Place::Start) => place = Some(Place::Below(here - 1)),
                Some(Place::Below(n)) => place = Some(Place::Below(n.saturating_sub(1))),
                None => (),
            },
            "*" if place == Some(Place::Below(0)) => found.push(Use::Everything),
            "self" | "*" => (),
            // The path has ended: `Vec::<…>`.
            other if !is_name(other) => return i,
            name => match place.take() {
                Some(Place::Start) => found.push(Use::Crate(name.to_owned())),
                Some(Place::Below(0)) => found.push(Use::Room(name.to_owned())),
                Some(Place::Below(_)) | None => (),
            },
        }
        i += 1;
        if next == "as" {
            if place == Some(Place::Below(0)) {
                found.push(Use::Everything);
            }
            return i + 2;
        }
        if next != "::" {
            return i;
        }
    }
}
