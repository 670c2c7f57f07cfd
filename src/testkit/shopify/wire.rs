//! JSON as the platform writes it: plain UTF-8, with `<`, `>` and `&` as `\u003c` and their kind.

use std::fmt::Write as _;

use crate::testkit::json::Json;

/// Writes a value.
pub(super) fn text(json: &Json) -> String {
    let mut out = String::new();
    write(&mut out, json, false);
    out
}

/// Writes a value as the files of bulk jobs hold it: with `\/`.
pub(super) fn line(json: &Json, out: &mut String) {
    write(out, json, true);
    out.push('\n');
}

fn write(out: &mut String, json: &Json, slashes: bool) {
    match json {
        Json::Null => out.push_str("null"),
        Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Json::Int(number) => {
            let _ = write!(out, "{number}");
        }
        Json::Float(number) => {
            let _ = if number.fract() == 0.0 && number.abs() < 1e15 {
                write!(out, "{number:.1}")
            } else {
                write!(out, "{number}")
            };
        }
        Json::String(text) => string(out, text, slashes),
        Json::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write(out, item, slashes);
            }
            out.push(']');
        }
        Json::Object(entries) => {
            out.push('{');
            for (at, (key, value)) in entries.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                string(out, key, slashes);
                out.push(':');
                write(out, value, slashes);
            }
            out.push('}');
        }
    }
}

fn string(out: &mut String, text: &str, slashes: bool) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '/' if slashes => out.push_str("\\/"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(letter));
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
}
