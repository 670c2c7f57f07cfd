//! The natural order of PHP's `strnatcmp`, by which the platform sorts the parameters that it signs.

use std::cmp::Ordering;

/// Compares two texts as PHP 8 does: runs of digits by their number, all else byte by byte.
///
/// Blanks are passed over. Runs that begin with a zero are compared as fractions, digit by digit from the
/// left; before that, zeros that lead a number at the start of either text are passed over.
#[must_use]
pub fn strnatcmp(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.is_empty() || b.is_empty() {
        return a.len().cmp(&b.len());
    }
    let (mut i, mut j) = (leading_zeros(a), leading_zeros(b));
    loop {
        while at(a, i).is_ascii_whitespace() {
            i += 1;
        }
        while at(b, j).is_ascii_whitespace() {
            j += 1;
        }
        let (x, y) = (at(a, i), at(b, j));
        if x.is_ascii_digit() && y.is_ascii_digit() {
            let order = if x == b'0' || y == b'0' {
                fraction(a, &mut i, b, &mut j)
            } else {
                number(a, &mut i, b, &mut j)
            };
            if order != Ordering::Equal {
                return order;
            }
            match (i >= a.len(), j >= b.len()) {
                (true, true) => return Ordering::Equal,
                (true, false) => return Ordering::Less,
                (false, true) => return Ordering::Greater,
                (false, false) => continue,
            }
        }
        if x != y {
            return x.cmp(&y);
        }
        i += 1;
        j += 1;
        match (i >= a.len(), j >= b.len()) {
            (true, true) => return Ordering::Equal,
            (true, false) => return Ordering::Less,
            (false, true) => return Ordering::Greater,
            (false, false) => {}
        }
    }
}

fn at(text: &[u8], index: usize) -> u8 {
    text.get(index).copied().unwrap_or(0)
}

/// How many zeros of the start to pass over: those that another digit follows.
fn leading_zeros(text: &[u8]) -> usize {
    let mut index = 0;
    while at(text, index) == b'0' && at(text, index + 1).is_ascii_digit() {
        index += 1;
    }
    index
}

/// The longer run of digits is the larger number; of two of one length the first digit that differs counts.
fn number(a: &[u8], i: &mut usize, b: &[u8], j: &mut usize) -> Ordering {
    let mut bias = Ordering::Equal;
    loop {
        let (x, y) = (at(a, *i), at(b, *j));
        match (x.is_ascii_digit(), y.is_ascii_digit()) {
            (false, false) => return bias,
            (false, true) => return Ordering::Less,
            (true, false) => return Ordering::Greater,
            (true, true) => bias = bias.then(x.cmp(&y)),
        }
        *i += 1;
        *j += 1;
    }
}

/// Digit by digit from the left.
fn fraction(a: &[u8], i: &mut usize, b: &[u8], j: &mut usize) -> Ordering {
    loop {
        let (x, y) = (at(a, *i), at(b, *j));
        match (x.is_ascii_digit(), y.is_ascii_digit()) {
            (false, false) => return Ordering::Equal,
            (false, true) => return Ordering::Less,
            (true, false) => return Ordering::Greater,
            (true, true) if x != y => return x.cmp(&y),
            (true, true) => {}
        }
        *i += 1;
        *j += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_comes_after_two_and_bytes_order_the_rest() {
        let mut names = ["f[10][a]", "f[2][a]", "f[1][b]", "f[1][a]", "oauth_nonce", "B", "a"];
        names.sort_by(|a, b| strnatcmp(a, b));
        assert_eq!(names, ["B", "a", "f[1][a]", "f[1][b]", "f[2][a]", "f[10][a]", "oauth_nonce"]);
    }

    #[test]
    fn zeros_make_fractions_inside_and_nothing_at_the_start() {
        assert_eq!(strnatcmp("007", "7"), Ordering::Equal);
        assert_eq!(strnatcmp("a01", "a1"), Ordering::Less);
        assert_eq!(strnatcmp("a1", "a10"), Ordering::Less);
        assert_eq!(strnatcmp("a", ""), Ordering::Greater);
    }
}
