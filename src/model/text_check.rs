//! Tests of texts that several platforms ask for.

use super::TextCheck;

impl TextCheck {
    /// One line, without blanks at its ends: platforms take them off.
    pub const ONE_LINE: Self = Self { name: "one_line", altered: one_line };
    /// Plain text for a page's head: kept byte for byte, and shown without being read as HTML.
    pub const PLAIN: Self = Self { name: "no_markup", altered: markup };
    /// Plain text of one line.
    pub const PLAIN_LINE: Self = Self { name: "no_markup", altered: plain_line };
    /// The readable part of an address, as platforms would make it themselves: small Latin letters, digits, and single
    /// hyphens between them.
    pub const SLUG: Self = Self { name: "slug", altered: slug };
    /// A global trade item number: 8, 12, 13 or 14 digits, the last of which is the check digit of the others (GS1
    /// General Specifications, section 7.9). A wrong one sells another product.
    pub const GTIN: Self = Self { name: "gtin", altered: gtin };

    /// Says why a text is not one line of at most so many characters. A check is a function without a bound of its own,
    /// so each platform names a function that calls this with its bound.
    #[must_use]
    pub fn line(text: &str, most: usize) -> Option<&'static str> {
        if text.chars().count() > most { Some("it is longer than the store takes") } else { one_line(text) }
    }
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

fn plain_line(text: &str) -> Option<&'static str> {
    markup(text).or_else(|| one_line(text))
}

fn slug(text: &str) -> Option<&'static str> {
    let plain = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    let ends = text.starts_with('-') || text.ends_with('-') || text.contains("--");
    (!plain || ends).then_some("it has small letters, digits and single hyphens between them")
}

fn gtin(text: &str) -> Option<&'static str> {
    let digits = text.bytes().rev().map(|byte| byte.is_ascii_digit().then(|| u32::from(byte - b'0')));
    let Some(digits) = digits.collect::<Option<Vec<u32>>>().filter(|it| matches!(it.len(), 8 | 12..=14))
    else {
        return Some("it has 8, 12, 13 or 14 digits, and nothing else");
    };
    // From the right: the check digit itself counts once, and each second one three times.
    let sum: u32 = digits.iter().zip([1, 3].iter().cycle()).map(|(digit, weight)| digit * weight).sum();
    (!sum.is_multiple_of(10)).then_some("its last digit is not the check digit of the others")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_number_has_its_length_and_its_check_digit() {
        let altered = |text: &str| (TextCheck::GTIN.altered)(text);
        for right in ["96385074", "012345678905", "4006381333931", "00012345678905", "9780306406157"] {
            assert_eq!(altered(right), None, "{right}");
        }
        let none = "";
        for wrong in [
            none,
            "4006381333932",
            "400638133393",
            "4006381333931 ",
            "400-6381333931",
            "1234567",
            "٤006381333931",
        ] {
            assert!(altered(wrong).is_some(), "{wrong}");
        }
    }

    #[test]
    fn what_a_platform_would_change_is_named() {
        let altered = |check: TextCheck, text: &str| (check.altered)(text).is_some();
        for wrong in [" a", "a ", "a\nb", "a\r"] {
            assert!(altered(TextCheck::ONE_LINE, wrong), "{wrong:?}");
        }
        assert!(!altered(TextCheck::ONE_LINE, "Salt & Pepper  Set"));
        // Characters count, and not bytes.
        assert_eq!(TextCheck::line(&"\u{e9}".repeat(250), 250), None);
        assert!(TextCheck::line(&"e".repeat(251), 250).is_some() && TextCheck::line("a\nb", 250).is_some());
        assert!(altered(TextCheck::PLAIN, "x <script>") && altered(TextCheck::PLAIN, "</b>"));
        assert!(!altered(TextCheck::PLAIN, "5 < 6 & 7 > 2 <3"));
        assert!(altered(TextCheck::PLAIN_LINE, "a<b>") && altered(TextCheck::PLAIN_LINE, "a "));
        assert!(!altered(TextCheck::PLAIN_LINE, "5 < 6"));
        for wrong in ["A", "a b", "-a", "a-", "a--b", "caf\u{e9}"] {
            assert!(altered(TextCheck::SLUG, wrong), "{wrong}");
        }
        assert!(!altered(TextCheck::SLUG, "blue-cap-2"));
    }
}
