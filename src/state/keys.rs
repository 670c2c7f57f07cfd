//! Keys that seal what rests on a disk.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::{Zeroize, Zeroizing};

use crate::error::{Error, ErrorKind, Result};
use crate::model::{Secret, Text};

/// The most keys that are held at a time.
const MAX_KEYS: usize = 32;
const MAX_ID: usize = 64;

/// Gives the keys of a vault: the one that seals, and by its id any that once sealed. So a key is rotated by
/// adding another one and keeping the old one until nothing is sealed with it.
pub trait KeyProvider: fmt::Debug + Send + Sync + 'static {
    /// The key to seal with, and its id.
    ///
    /// # Errors
    /// `Config` where there is none.
    fn current(&self) -> Result<(KeyId, VaultKey)>;

    /// The key of an id; `None` where it is not known (any more).
    ///
    /// # Errors
    /// `Config` or `Unavailable` where it could not be fetched.
    fn key(&self, id: &KeyId) -> Result<Option<VaultKey>>;
}

/// The name of a key: up to 64 letters, digits, `.`, `_` and `-`. It is kept beside what the key seals.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyId(Text);

impl KeyId {
    /// Names a key.
    ///
    /// # Errors
    /// `Config` where the text is no such name.
    pub fn new(id: &str) -> Result<Self> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if id.is_empty() || id.len() > MAX_ID || !id.bytes().all(fits) {
            return Err(wrong("a key's id is 1 to 64 letters, digits, dots, hyphens and low lines"));
        }
        Ok(Self(id.into()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A key of 32 random bytes. `Debug` does not show it, and it is wiped on drop.
#[derive(Clone)]
pub struct VaultKey(Box<[u8; 32]>);

impl VaultKey {
    /// Takes a key over.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Box::new(bytes))
    }

    /// Reads a key from base64.
    ///
    /// # Errors
    /// `Config` where the text is not the base64 of 32 bytes.
    pub fn from_base64(text: &Secret) -> Result<Self> {
        let unusable = || {
            wrong("a key is the base64 of 32 random bytes")
                .with_remedy("make one, such as with: openssl rand -base64 32")
        };
        let bytes = Zeroizing::new(STANDARD.decode(text.expose().trim()).map_err(|_| unusable())?);
        let key: &[u8; 32] = bytes.as_slice().try_into().map_err(|_| unusable())?;
        // One byte over and over is no random key, but what an unset variable was padded with.
        if key.iter().all(|byte| Some(byte) == key.first()) {
            return Err(unusable());
        }
        Ok(Self(Box::new(*key)))
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Drop for VaultKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for VaultKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VaultKey([redacted])")
    }
}

/// Keys that are at hand, such as from the environment: the first one seals.
#[derive(Debug, Clone)]
pub struct FixedKeys {
    current: (KeyId, VaultKey),
    older: Vec<(KeyId, VaultKey)>,
}

impl FixedKeys {
    /// Seals with this key.
    #[must_use]
    pub fn new(id: KeyId, key: VaultKey) -> Self {
        Self { current: (id, key), older: Vec::new() }
    }

    /// Still opens what this key sealed.
    #[must_use]
    pub fn older(mut self, id: KeyId, key: VaultKey) -> Self {
        self.older.push((id, key));
        self
    }

    /// Reads `id:base64`, several with blanks between them, the one to seal with first.
    ///
    /// # Errors
    /// `Config` where the text is not of that form, or an id comes twice. It never quotes a key.
    pub fn parse(text: &Secret) -> Result<Self> {
        let mut keys: Vec<(KeyId, VaultKey)> = Vec::new();
        for pair in text.expose().split_whitespace() {
            let (id, key) = pair.split_once(':').ok_or_else(|| wrong("keys are given as id:base64"))?;
            let id = KeyId::new(id)?;
            if keys.len() == MAX_KEYS || keys.iter().any(|(known, _)| *known == id) {
                return Err(wrong("each key's id is given once, and no more than 32 keys"));
            }
            keys.push((id, VaultKey::from_base64(&Secret::new(key))?));
        }
        let mut keys = keys.into_iter();
        let current = keys.next().ok_or_else(|| wrong("a key must be given, as id:base64"))?;
        Ok(Self { current, older: keys.collect() })
    }
}

impl KeyProvider for FixedKeys {
    fn current(&self) -> Result<(KeyId, VaultKey)> {
        Ok(self.current.clone())
    }

    fn key(&self, id: &KeyId) -> Result<Option<VaultKey>> {
        let known = std::iter::once(&self.current).chain(&self.older).find(|(known, _)| known == id);
        Ok(known.map(|(_, key)| key.clone()))
    }
}

fn wrong(message: &'static str) -> Error {
    Error::new(ErrorKind::Config, "vault_key_unusable", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    #[test]
    fn keys_are_read_and_never_shown() {
        let keys =
            FixedKeys::parse(&Secret::new(format!("new:{ONE}\n old-1:{}", ONE.replace("AAEC", "AAED"))));
        let keys = keys.unwrap();
        assert_eq!(keys.current().unwrap().0.as_str(), "new");
        let old = keys.key(&KeyId::new("old-1").unwrap()).unwrap().unwrap();
        assert_ne!(old.bytes(), keys.current().unwrap().1.bytes());
        assert!(keys.key(&KeyId::new("gone").unwrap()).unwrap().is_none());
        assert!(!format!("{keys:?}").contains("AAEC"));

        let zero = STANDARD.encode([0; 32]);
        for bad in
            ["", "x", ONE, &format!("a b:{ONE}"), &format!("a:{ONE}=="), "a:AAEC", &format!("a:{zero}")]
        {
            let error = FixedKeys::parse(&Secret::new(bad)).unwrap_err();
            assert_eq!(error.code(), "vault_key_unusable", "{bad}");
            assert!(!format!("{error:?}").contains("AAEC"));
        }
        assert!(FixedKeys::parse(&Secret::new(format!("a:{ONE} a:{ONE}"))).is_err());
    }
}
