//! Texts of the platform that go into errors of ours.

/// The longest text that is kept, in characters.
pub(super) const MAX_TEXT: usize = 300;

/// The text without control characters and other marks that are not seen, cut to so many characters.
pub(super) fn plain(text: &str, most: usize) -> String {
    // What comes in place of a line's end keeps the words apart.
    let seen = |c: char| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c };
    let hidden = |c: &char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let mut kept = String::new();
    let mut left = most;
    for c in text.trim().chars().filter(|c| !hidden(c)).map(seen) {
        if left == 0 {
            kept.push('…');
            break;
        }
        left -= 1;
        kept.push(c);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_line_and_bounded() {
        assert_eq!(plain(" a\r\nb\u{1b}[31m\u{202e}c\u{0} ", 300), "a  b [31mc ");
        assert_eq!(plain(&"é".repeat(400), 3), "ééé…");
        assert_eq!(plain("abc", 3), "abc");
    }
}
