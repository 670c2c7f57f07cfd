//! Percent-encoding as RFC 3986 has it, which is stricter than that of web forms.

/// Appends the text with everything encoded that is not unreserved (`A-Z a-z 0-9 - . _ ~`): a blank
/// becomes `%20`, never `+`.
pub(crate) fn percent_encode(text: &str, out: &mut String) {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| !is_unreserved(byte)) {
        let (plain, other) = rest.split_at(at);
        out.push_str(plain);
        let mut chars = other.chars();
        if let Some(char) = chars.next() {
            let mut buffer = [0; 4];
            for byte in char.encode_utf8(&mut buffer).bytes() {
                out.push('%');
                for digit in [byte >> 4, byte & 15] {
                    out.extend(HEX.get(usize::from(digit)));
                }
            }
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unreserved_characters_stay() {
        let mut out = String::new();
        percent_encode("aZ0-._~ *é&+%,[]'日", &mut out);
        assert_eq!(out, "aZ0-._~%20%2A%C3%A9%26%2B%25%2C%5B%5D%27%E6%97%A5");
    }
}
