//! HMAC-SHA256, made and compared in constant time.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac as _};
use sha2::Sha256;

use super::Secret;
use crate::error::{Error, ErrorKind, Result};

/// The most keys that are tried on one signature: the one in use, and those of a rotation.
pub const MAX_KEYS: usize = 8;

/// An HMAC-SHA256: 32 bytes.
///
/// Its bytes are no secret, but what they should have been is: `Debug` shows neither.
#[derive(Clone, Copy)]
pub struct Mac([u8; 32]);

impl Mac {
    /// Signs bytes.
    ///
    /// # Errors
    /// `Config` where the key is empty: with an empty key everybody can sign.
    pub fn of(bytes: &[u8], key: &[u8]) -> Result<Self> {
        keyed(bytes, key).map(|mac| Self(mac.finalize().into_bytes().into()))
    }

    /// Takes a signature over as it came.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads 64 lower-case hexadecimal digits; `None` for any other text, so that one signature has one text.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != 32 || !rest.is_empty() {
            return None;
        }
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let mut bytes = [0; 32];
        for (to, [high, low]) in bytes.iter_mut().zip(pairs) {
            *to = digit(*high)? << 4 | digit(*low)?;
        }
        Some(Self(bytes))
    }

    /// The bytes, for whoever sends a signature.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether one of the keys signed these bytes. Every key is tried, and each comparison takes the same time
    /// wherever the bytes differ.
    ///
    /// # Errors
    /// `Config` where there is no key, an empty one, or more than [`MAX_KEYS`].
    pub fn is_of(&self, bytes: &[u8], keys: &[impl AsRef<[u8]>]) -> Result<bool> {
        if keys.is_empty() || keys.len() > MAX_KEYS {
            return Err(unusable("a signature is verified by one to eight keys"));
        }
        let mut signed = false;
        for key in keys {
            signed |= keyed(bytes, key.as_ref())?.verify_slice(&self.0).is_ok();
        }
        Ok(signed)
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mac")
    }
}

impl AsRef<[u8]> for Secret {
    fn as_ref(&self) -> &[u8] {
        self.expose().as_bytes()
    }
}

fn keyed(bytes: &[u8], key: &[u8]) -> Result<Hmac<Sha256>> {
    if key.is_empty() {
        return Err(unusable("a key of a signature must not be empty"));
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| unusable("a secret cannot be a key"))?;
    mac.update(bytes);
    Ok(mac)
}

fn unusable(message: &'static str) -> Error {
    Error::new(ErrorKind::Config, "mac_key_unusable", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_signature_has_one_text_in_hexadecimal_digits() {
        let text = "4712bf92ffc2917d15a2f5a273e39f0116667419aa4b6ac0b3baaf26fa3c4d20";
        assert_eq!(Mac::from_hex(text).unwrap().as_bytes()[..3], [0x47, 0x12, 0xbf]);
        for other in ["", &text[1..], &text.to_uppercase(), &format!("{text}0"), &text.replace('4', "\u{e9}")]
        {
            assert!(Mac::from_hex(other).is_none(), "{other}");
        }
    }

    #[test]
    fn an_empty_key_neither_signs_nor_verifies() {
        assert_eq!(Mac::of(b"x", b"").unwrap_err().code(), "mac_key_unusable");
        let mac = Mac::of(b"x", b"key").unwrap();
        assert!(mac.is_of(b"x", &["other", "key"]).unwrap());
        assert!(!mac.is_of(b"y", &["key"]).unwrap());
        assert!(mac.is_of(b"x", &["key", ""]).is_err());
        assert!(mac.is_of(b"x", &[] as &[&str]).is_err());
        assert!(mac.is_of(b"x", &["key"; MAX_KEYS + 1]).is_err());
    }
}
