//! Tests of texts that several platforms ask for.

use super::TextCheck;

impl TextCheck {
    /// One line, without blanks at its ends: platforms take them off.
    pub const ONE_LINE: Self = Self { name: "one_line", altered: one_line };
    /// Plain text for a page's head: kept byte for byte, and shown without being read as HTML.
    pub const PLAIN: Self = Self { name: "no_markup", altered: markup };
}

fn one_line(text: &str) -> Option<&'static str> {
    match text {
        _ if text.trim() != text => Some("blanks at its ends are taken off"),
        _ if text.contains(['\n', '\r']) => Some("it has one line only"),
        _ => None,
    }
}

fn markup(text: &str) -> Option<&'static str> {
    let mut after = text.split('<').skip(1).map(|rest| rest.bytes().next());
    let opens =
        |byte: Option<u8>| matches!(byte, Some(b'/' | b'!')) || byte.is_some_and(|b| b.is_ascii_alphabetic());
    after.any(opens).then_some("this is plain text, and has markup")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_platform_would_change_is_named() {
        let altered = |check: TextCheck, text: &str| (check.altered)(text).is_some();
        for wrong in [" a", "a ", "a\nb", "a\r"] {
            assert!(altered(TextCheck::ONE_LINE, wrong), "{wrong:?}");
        }
        assert!(!altered(TextCheck::ONE_LINE, "Salt & Pepper  Set"));
        assert!(altered(TextCheck::PLAIN, "x <script>") && altered(TextCheck::PLAIN, "</b>"));
        assert!(!altered(TextCheck::PLAIN, "5 < 6 & 7 > 2 <3"));
    }
}
