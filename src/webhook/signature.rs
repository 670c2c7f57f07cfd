//! HMAC-SHA256 over the raw body, compared in constant time.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::error::{Error, ErrorKind, Result};
use crate::model::{MAX_KEYS, Mac};

/// The most secrets that are tried on one delivery: the one in use, and those of a rotation.
pub const MAX_SECRETS: usize = MAX_KEYS;

/// The length of a signature in base64.
const BASE64_LENGTH: usize = 44;

/// A signature as a delivery carries it: 32 bytes.
///
/// Its bytes are no secret, but what they should have been is: nothing of either is ever shown.
#[derive(Debug, Clone, Copy)]
pub struct Signature(Mac);

impl Signature {
    /// Reads the base64 of a header. Only the canonical spelling is taken: one signature has one text.
    ///
    /// # Errors
    /// `Auth` with code `webhook_unsigned` where there is none, `webhook_signature_wrong` where it is no
    /// signature.
    pub fn from_base64(header: Option<&str>) -> Result<Self> {
        let text = header.ok_or_else(|| {
            Error::new(ErrorKind::Auth, "webhook_unsigned", "the delivery has no signature")
                .with_remedy("answer 401; see that a proxy passes all headers on")
        })?;
        if text.len() != BASE64_LENGTH {
            return Err(wrong());
        }
        let bytes = STANDARD.decode(text).map_err(|_| wrong())?;
        bytes.try_into().map(|bytes| Self(Mac::from_bytes(bytes))).map_err(|_| wrong())
    }

    /// Checks that one of the keys signed these bytes.
    ///
    /// Every key is tried, and each comparison takes the same time wherever the bytes differ.
    ///
    /// # Errors
    /// `Auth` with code `webhook_signature_wrong`; `Config` where there is no key, an empty one, or more than
    /// [`MAX_SECRETS`].
    pub fn must_be_of(&self, body: &[u8], keys: &[impl AsRef<[u8]>]) -> Result<()> {
        // With an empty key everybody can sign.
        if keys.is_empty() || keys.iter().any(|key| key.as_ref().is_empty()) {
            return Err(unusable("a delivery is verified by one secret or more, none of them empty")
                .with_remedy("give the secret that the subscription was made with"));
        }
        if keys.len() > MAX_SECRETS {
            return Err(unusable("too many secrets to try").with_context("bound", MAX_SECRETS.to_string()));
        }
        if self.0.is_of(body, keys)? { Ok(()) } else { Err(wrong()) }
    }
}

fn wrong() -> Error {
    Error::new(
        ErrorKind::Auth,
        "webhook_signature_wrong",
        "the delivery's signature is not by a secret of ours",
    )
    .with_remedy("answer 401; verify the raw body, with the secret that the subscription was made with")
}

fn unusable(message: &'static str) -> Error {
    Error::new(ErrorKind::Config, "webhook_secret_unusable", message)
}

#[cfg(test)]
mod tests {
    use hmac::{Hmac, KeyInit, Mac as _};
    use sha2::Sha256;

    use super::*;

    /// RFC 4231, section 4.3: test case 2.
    const KEY: &str = "Jefe";
    const BODY: &[u8] = b"what do ya want for nothing?";
    const MAC: [u8; 32] = [
        0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e, 0x6a, 0x04, 0x24, 0x26, 0x08, 0x95, 0x75, 0xc7, 0x5a,
        0x00, 0x3f, 0x08, 0x9d, 0x27, 0x39, 0x83, 0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43,
    ];

    fn code(result: Result<()>) -> String {
        result.map_or_else(|error| error.code().to_owned(), |()| "ok".to_owned())
    }

    #[test]
    fn h1_the_published_vector_verifies_and_no_other_bytes_key_or_signature_do() {
        let header = STANDARD.encode(MAC);
        let signature = Signature::from_base64(Some(&header)).unwrap();
        assert_eq!(code(signature.must_be_of(BODY, &[KEY])), "ok");
        assert_eq!(code(signature.must_be_of(BODY, &["jefe"])), "webhook_signature_wrong");
        for at in 0..BODY.len() {
            let mut flipped = BODY.to_vec();
            flipped[at] ^= 1;
            assert_eq!(code(signature.must_be_of(&flipped, &[KEY])), "webhook_signature_wrong");
        }
        for at in 0..32 {
            let mut flipped = MAC;
            flipped[at] ^= 0x80;
            let header = STANDARD.encode(flipped);
            let signature = Signature::from_base64(Some(&header)).unwrap();
            assert_eq!(code(signature.must_be_of(BODY, &[KEY])), "webhook_signature_wrong");
        }
    }

    #[test]
    fn each_secret_of_a_rotation_verifies_and_an_empty_one_never_does() {
        let signature = Signature(Mac::from_bytes(MAC));
        assert_eq!(code(signature.must_be_of(BODY, &["old", KEY])), "ok");
        assert_eq!(code(signature.must_be_of(BODY, &[KEY, "new"])), "ok");
        assert_eq!(code(signature.must_be_of(BODY, &["old", "new"])), "webhook_signature_wrong");
        assert_eq!(code(signature.must_be_of(BODY, &[KEY, ""])), "webhook_secret_unusable");
        assert_eq!(code(signature.must_be_of(BODY, &[] as &[&str])), "webhook_secret_unusable");
        assert_eq!(code(signature.must_be_of(BODY, &[KEY; MAX_SECRETS + 1])), "webhook_secret_unusable");
        // What everybody can make with the empty key is refused, too.
        let mut mac = Hmac::<Sha256>::new_from_slice(b"").unwrap();
        mac.update(BODY);
        let forged = Signature(Mac::from_bytes(mac.finalize().into_bytes().into()));
        assert_eq!(code(forged.must_be_of(BODY, &[""])), "webhook_secret_unusable");
    }

    #[test]
    fn only_the_canonical_spelling_of_a_signature_is_read() {
        let header = STANDARD.encode(MAC);
        assert_eq!(Signature::from_base64(None).unwrap_err().code(), "webhook_unsigned");
        let unpadded = header.trim_end_matches('=').to_owned();
        // The last letter before the padding has two bits that count for nothing.
        let mut other_bits = header.clone().into_bytes();
        other_bits[42] += 1;
        let other_bits = String::from_utf8(other_bits).unwrap();
        let url_safe = header.replacen('W', "-", 1);
        for text in ["", &unpadded, &other_bits, &url_safe, &format!(" {header}"), &header[1..], "\u{e9}="] {
            let error = Signature::from_base64(Some(text)).unwrap_err();
            assert_eq!(error.code(), "webhook_signature_wrong", "{text}");
            assert!(text.len() < 40 || !format!("{error} {error:?}").contains(text));
        }
    }
}
