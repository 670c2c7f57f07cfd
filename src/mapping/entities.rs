//! HTML entities in plain text.

use std::borrow::Cow;

/// Writes `&`, `<` and `>` as entities.
pub(super) fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>']) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            other => out.push(other),
        }
    }
    Cow::Owned(out)
}

/// Reads the entities that platforms make of plain text: the five of XML, the blank that does not break, and
/// numbers. Others stay as they are; the caller keeps the spelling where escaping does not lead back to it.
pub fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let entity = after.split_once(';').filter(|(name, _)| name.len() <= 8);
        if let Some((character, behind)) = entity.and_then(|(name, behind)| Some((character(name)?, behind)))
        {
            out.push(character);
            rest = behind;
        } else {
            out.push('&');
            rest = after;
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn character(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some('\u{a0}'),
        number => {
            let code = number.strip_prefix('#')?;
            let code = match code.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => code.parse().ok()?,
            };
            char::from_u32(code).filter(|character| !character.is_control())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_escaped_is_read_back() {
        for text in ["", "Cap", "Salt & Pepper", "5 < 6 and 7 > 3", "&amp;", "a;b&c;", "💡 & עברית"] {
            assert_eq!(unescape(&escape(text)), text);
        }
    }

    #[test]
    fn unknown_and_broken_entities_stay_as_they_are() {
        assert_eq!(unescape("R&amp;D &#8211; &#x41; &quot;x&quot;"), "R&D – A \"x\"");
        for text in ["&eacute;", "&", "&;", "&#;", "&#x;", "&#xD800;", "&#0;", "&longerthanany;", "a & b"] {
            assert_eq!(unescape(text), text);
        }
    }
}
