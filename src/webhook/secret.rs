//! Secrets that sign deliveries.

use crate::error::{Error, ErrorKind, Result};
use crate::model::Secret;
use crate::time::Entropy;

/// How many characters a secret has: 297 bits.
const LENGTH: usize = 50;
/// How often random bytes are asked for; a source that gives no usable ones in so many is broken.
const DRAWS: usize = 20;
/// No platform rewrites these, as some do with `&`, `<` and quotes.
const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Makes a secret of 50 letters and digits for a subscription.
///
/// Keep it before you subscribe: platforms do not give it back.
///
/// # Errors
/// `State` where there are no random bytes.
pub fn new_secret(entropy: &dyn Entropy) -> Result<Secret> {
    let mut secret = String::with_capacity(LENGTH);
    let mut bytes = [0; 64];
    for _ in 0..DRAWS {
        entropy.fill(&mut bytes)?;
        // Bytes from 248 on are left out, since they would make some characters likelier than others.
        let usable = bytes.iter().filter(|byte| usize::from(**byte) < 4 * ALPHABET.len());
        let drawn = usable.filter_map(|byte| ALPHABET.get(usize::from(*byte) % ALPHABET.len()));
        secret.extend(drawn.take(LENGTH - secret.len()).map(|letter| char::from(*letter)));
        if secret.len() == LENGTH {
            return Ok(Secret::new(secret));
        }
    }
    Err(Error::new(ErrorKind::State, "no_entropy", "the source of randomness gives no usable bytes"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::time::SystemEntropy;

    #[test]
    fn secrets_have_fifty_letters_and_digits_and_differ() {
        let made: HashSet<String> =
            (0..200).map(|_| new_secret(&SystemEntropy).unwrap().expose().to_owned()).collect();
        assert_eq!(made.len(), 200);
        assert!(
            made.iter().all(|text| text.len() == 50 && text.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        );
        let used: HashSet<u8> = made.iter().flat_map(|text| text.bytes()).collect();
        assert_eq!(used.len(), 62, "every letter and digit occurs");
    }

    #[test]
    fn a_source_that_gives_nothing_usable_is_an_error() {
        #[derive(Debug)]
        struct Stuck;
        impl Entropy for Stuck {
            fn fill(&self, buffer: &mut [u8]) -> Result<()> {
                buffer.fill(255);
                Ok(())
            }
        }
        assert_eq!(new_secret(&Stuck).unwrap_err().code(), "no_entropy");
    }
}
