//! Reading Rust by its text, as far as the ladder needs it: code without comments, texts and tests.

/// The code of a file, with comments, texts and what is behind `cfg(test)` or the testkit's feature blanked. Line
/// numbers stay.
pub(crate) struct Code {
    pub(crate) text: String,
    /// The modules with a file of their own that exist only in tests.
    pub(crate) test_modules: Vec<String>,
}

impl Code {
    pub(crate) fn of(source: &str) -> Self {
        let mut text = without_texts(source);
        let mut test_modules = Vec::new();
        let mut from = 0;
        while let Some(start) = text[from..].find("#[").map(|at| from + at) {
            let (gates, item) = attributes(&text, source, start);
            let end = end_of_item(&text, item);
            let (test, testkit) = (gates.iter().copied().any(is_test), gates.iter().copied().any(is_testkit));
            if test {
                let words: Vec<&str> = text[item..end].split_whitespace().collect();
                let module = words.iter().position(|word| *word == "mod").and_then(|at| words.get(at + 1));
                test_modules.extend(module.and_then(|name| name.strip_suffix(';')).map(str::to_owned));
            }
            if test || testkit {
                text.replace_range(start..end, &blank(&text[start..end]));
            }
            // Inside an item that stays there may be further ones.
            from = if test || testkit { end } else { item.max(start + 2) };
        }
        Self { text, test_modules }
    }

    /// The line of a position, from 1.
    pub(crate) fn line(&self, at: usize) -> usize {
        self.text[..at].matches('\n').count() + 1
    }

    /// Where a path such as `std::env` stands, on word boundaries and whatever blanks it has.
    pub(crate) fn find(&self, path: &str) -> Vec<usize> {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let bounds = |at: usize| {
            let before = self.text[..at].chars().next_back();
            let after = self.text[at + path.len()..].chars().next();
            !before.is_some_and(is_word) && !after.is_some_and(is_word)
        };
        self.text.match_indices(path).map(|(at, _)| at).filter(|at| bounds(*at)).collect()
    }

    /// The statics, each with its name and type.
    pub(crate) fn statics(&self) -> Vec<(usize, &str)> {
        let declared = |at: &usize| !self.text[..*at].ends_with('\'');
        let kind = |at: usize| {
            let rest = &self.text[at + "static".len()..];
            (at, rest.split(['=', ';']).next().unwrap_or_default())
        };
        self.find("static").into_iter().filter(declared).map(kind).collect()
    }

    /// The first segments of the paths that follow a prefix, groups in braces included: `crate::{a, b::c}` gives
    /// `a` and `b`, each with its position.
    pub(crate) fn after(&self, prefix: &str) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        let starts = self.text.match_indices(prefix).filter(|(at, _)| {
            !self.text[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')
        });
        for (at, _) in starts {
            let rest = self.text[at + prefix.len()..].trim_start();
            match rest.strip_prefix('{') {
                None => found.push((at, identifier(rest))),
                Some(group) => {
                    let mut depth = 0;
                    let mut fresh = true;
                    for (offset, c) in group.char_indices() {
                        match c {
                            '{' => depth += 1,
                            '}' if depth == 0 => break,
                            '}' => depth -= 1,
                            ',' if depth == 0 => fresh = true,
                            c if fresh && !c.is_whitespace() => {
                                fresh = false;
                                found.push((at, identifier(&group[offset..])));
                            }
                            _ => {}
                        }
                    }
                }
            }
        }
        found
    }
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn is_test(gate: &str) -> bool {
    let words = gate.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.clone().any(|word| word == "test") && !gate.contains("not(test)")
}

fn is_testkit(gate: &str) -> bool {
    gate.contains("feature = \"testkit\"") && !gate.contains("not(feature = \"testkit\")")
}

/// The `cfg` gates of the attributes that begin here, as they are in the source, and where the item begins.
fn attributes<'s>(text: &str, source: &'s str, start: usize) -> (Vec<&'s str>, usize) {
    let mut gates = Vec::new();
    let mut at = start;
    while text[at..].starts_with("#[") {
        let end = at + closing(&text[at + 1..]) + 1;
        if text[at..].starts_with("#[cfg(") {
            gates.push(&source[at..end]);
        }
        at = end + (text[end..].len() - text[end..].trim_start().len());
    }
    (gates, at)
}

/// The length of what the bracket at the start opens, with its end.
fn closing(text: &str) -> usize {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    text.len()
}

/// An item ends with its semicolon, its block, or, for a field or statement, its comma.
fn end_of_item(text: &str, start: usize) -> usize {
    let mut at = start;
    let is_use = text[start..].trim_start_matches("pub ").starts_with("use ");
    while let Some(c) = text[at..].chars().next() {
        match c {
            ';' => return at + 1,
            ',' if !is_use => return at + 1,
            '}' | ')' | ']' => return at,
            '{' if !is_use => return at + closing(&text[at..]),
            '(' | '[' | '{' => at += closing(&text[at..]),
            c => at += c.len_utf8(),
        }
    }
    text.len()
}

fn blank(text: &str) -> String {
    text.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect()
}

/// Blanks comments, texts and letters in quotes, byte for byte.
fn without_texts(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    while let Some(c) = source[at..].chars().next() {
        let rest = &source[at..];
        let word_before = source[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            comment(rest)
        } else if c == '"' {
            1 + string(&rest[1..])
        } else if let Some(raw) = raw_string(rest).filter(|_| !word_before) {
            raw
        } else if c == '\'' {
            letter(rest)
        } else {
            0
        };
        if length == 0 {
            out.push(c);
            at += c.len_utf8();
        } else {
            out.push_str(&blank(&rest[..length]));
            at += length;
        }
    }
    out
}

/// Block comments nest.
fn comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// The length of a text up to its quote, with it.
fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

fn raw_string(text: &str) -> Option<usize> {
    let rest = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    let body = rest[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = body.find(&end).map_or(body.len(), |at| at + end.len());
    Some(text.len() - body.len() + length)
}

/// A letter in quotes; a lifetime has none behind it.
fn letter(text: &str) -> usize {
    let mut letters = text[1..].char_indices();
    match letters.next() {
        Some((_, '\\')) => text[3..].find('\'').map_or(0, |at| at + 4),
        Some((_, c)) if text[1 + c.len_utf8()..].starts_with('\'') => 2 + c.len_utf8(),
        _ => 0,
    }
}
