//! Tokens as they rest: sealed with XChaCha20-Poly1305, and bound to their place.

use std::borrow::Cow;
use std::fmt;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{KeyId, KeyProvider, VaultKey};
use crate::auth::{TokenRecord, TokenSet, TokenSlot, TokenVersion};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Secret, Text};
use crate::time::{Entropy, Timestamp};

/// Says what the bytes are, and how they are made: another way gets another word.
const PURPOSE: &[u8] = b"lily-connect tokens 1";

/// A record of tokens that rests: it opens with its key, in its slot and as its version only.
///
/// Tenant, platform, account, slot, key id and version are authenticated with it. So what is moved to another
/// place, or put under another version, does not open. An older state of a whole slot, version included, does:
/// only whoever keeps versions elsewhere could tell.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SealedTokens {
    /// The key that it was sealed with.
    pub key: KeyId,
    /// Random bytes that are used once.
    pub nonce: [u8; 24],
    /// What was sealed, with its tag.
    pub bytes: Vec<u8>,
}

impl SealedTokens {
    /// Puts together what was read.
    #[must_use]
    pub fn new(key: KeyId, nonce: [u8; 24], bytes: Vec<u8>) -> Self {
        Self { key, nonce, bytes }
    }

    /// Seals a record with the current key.
    ///
    /// # Errors
    /// `Config` where there is no key, `State` where there are no random bytes.
    pub fn seal(
        slot: &TokenSlot,
        version: TokenVersion,
        record: &TokenRecord,
        keys: &dyn KeyProvider,
        entropy: &dyn Entropy,
    ) -> Result<Self> {
        let (key, secret) = keys.current()?;
        let mut nonce = [0; 24];
        entropy.fill(&mut nonce)?;
        let plain = write(record)?;
        let place = place(slot, version, &key);
        let bytes = cipher(&secret)
            .encrypt(&XNonce::from(nonce), Payload { msg: &plain, aad: &place })
            .map_err(|_| unsealable())?;
        Ok(Self { key, nonce, bytes })
    }

    /// Opens a record.
    ///
    /// # Errors
    /// `Config` with code `vault_key_unknown` where its key is not given (any more), `State` with code
    /// `vault_does_not_open` where it was changed or moved, or the key is another one of the same name.
    pub fn open(
        &self,
        slot: &TokenSlot,
        version: TokenVersion,
        keys: &dyn KeyProvider,
    ) -> Result<TokenRecord> {
        let secret = keys.key(&self.key)?.ok_or_else(|| {
            Error::new(
                ErrorKind::Config,
                "vault_key_unknown",
                "tokens were sealed with a key that is not given",
            )
            .with_context("key", self.key.as_str())
            .with_remedy("give that key beside the current one, or authorise the app again")
        })?;
        let place = place(slot, version, &self.key);
        let plain = cipher(&secret)
            .decrypt(&XNonce::from(self.nonce), Payload { msg: &self.bytes, aad: &place })
            .map(Zeroizing::new)
            .map_err(|_| {
                Error::new(
                    ErrorKind::State,
                    "vault_does_not_open",
                    "sealed tokens were changed or moved, or their key is another one",
                )
                .with_context("key", self.key.as_str())
                .with_remedy("give the key that sealed them, or forget them and authorise the app again")
            })?;
        read(&plain)
    }
}

impl fmt::Debug for SealedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedTokens")
            .field("key", &self.key)
            .field("bytes", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

fn cipher(key: &VaultKey) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(<&Key>::from(key.bytes()))
}

/// What is authenticated: each part with its length, so that no two places have one text.
fn place(slot: &TokenSlot, version: TokenVersion, key: &KeyId) -> Vec<u8> {
    let store = &slot.store;
    let version = version.0.to_le_bytes();
    let parts: [&[u8]; 7] = [
        PURPOSE,
        store.tenant.as_bytes(),
        store.platform.as_str().as_bytes(),
        store.account.as_bytes(),
        slot.name.as_bytes(),
        key.as_str().as_bytes(),
        &version,
    ];
    let mut place = Vec::with_capacity(128);
    for part in parts {
        place.extend_from_slice(&(part.len() as u64).to_le_bytes());
        place.extend_from_slice(part);
    }
    place
}

#[derive(Serialize, Deserialize)]
struct PlainRecord<'a> {
    #[serde(borrow)]
    current: PlainSet<'a>,
    #[serde(borrow)]
    predecessor: Option<PlainSet<'a>>,
    mark: Option<Text>,
}

#[derive(Serialize, Deserialize)]
struct PlainSet<'a> {
    #[serde(borrow)]
    access: Cow<'a, str>,
    #[serde(borrow)]
    refresh: Option<Cow<'a, str>>,
    expires_at: Option<Timestamp>,
    refresh_expires_at: Option<Timestamp>,
    scopes: Cow<'a, [Text]>,
    obtained_at: Timestamp,
}

/// Written into one allocation, since one that grows leaves copies behind.
fn write(record: &TokenRecord) -> Result<Zeroizing<Vec<u8>>> {
    // Six bytes at most for each byte of a text.
    let size = |set: &TokenSet| {
        let texts =
            set.access.expose().len() + set.refresh.as_ref().map_or(0, |refresh| refresh.expose().len());
        1024 + 6 * (texts + set.scopes.iter().map(|scope| scope.len() + 3).sum::<usize>())
    };
    let sets = size(&record.current) + record.predecessor.as_ref().map_or(0, size);
    let mut plain =
        Zeroizing::new(Vec::with_capacity(sets + 6 * record.mark.as_ref().map_or(0, |mark| mark.len())));
    let shown = PlainRecord {
        current: PlainSet::of(&record.current),
        predecessor: record.predecessor.as_ref().map(PlainSet::of),
        mark: record.mark.clone(),
    };
    serde_json::to_writer(&mut *plain, &shown).map_err(|_| unsealable())?;
    Ok(plain)
}

fn read(plain: &[u8]) -> Result<TokenRecord> {
    let shown: PlainRecord<'_> = serde_json::from_slice(plain).map_err(|_| {
        Error::new(ErrorKind::State, "state_unreadable", "the state holds unreadable tokens")
            .with_remedy("use the version of this crate that wrote them")
    })?;
    Ok(TokenRecord::new(shown.current.into_set())
        .replacing(shown.predecessor.map(PlainSet::into_set))
        .marked(shown.mark))
}

impl<'a> PlainSet<'a> {
    fn of(set: &'a TokenSet) -> Self {
        Self {
            access: Cow::Borrowed(set.access.expose()),
            refresh: set.refresh.as_ref().map(|refresh| Cow::Borrowed(refresh.expose())),
            expires_at: set.expires_at,
            refresh_expires_at: set.refresh_expires_at,
            scopes: Cow::Borrowed(&set.scopes),
            obtained_at: set.obtained_at,
        }
    }

    fn into_set(self) -> TokenSet {
        let mut set = TokenSet::permanent(Secret::new(self.access), self.obtained_at);
        set.refresh = self.refresh.map(Secret::new);
        set.expires_at = self.expires_at;
        set.refresh_expires_at = self.refresh_expires_at;
        set.scopes = self.scopes.into_owned();
        set
    }
}

fn unsealable() -> Error {
    Error::new(ErrorKind::State, "vault_cannot_seal", "tokens could not be sealed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Platform, StoreKey};
    use crate::state::FixedKeys;
    use crate::time::SystemEntropy;

    fn keys(id: &str, byte: u8) -> FixedKeys {
        FixedKeys::new(KeyId::new(id).unwrap(), VaultKey::new([byte; 32]))
    }

    fn slot(tenant: &str, platform: &'static str, account: &str, name: &str) -> TokenSlot {
        TokenSlot::new(StoreKey::new(tenant, Platform::new(platform), account), name)
    }

    fn record() -> TokenRecord {
        let mut set = TokenSet::permanent(Secret::new("acc\"ess-s3cret"), Timestamp::UNIX_EPOCH);
        let old = set.clone();
        set.refresh = Some(Secret::new("refresh-s3cret"));
        set.expires_at = Some(Timestamp::from_unix_seconds(3600).unwrap());
        set.scopes = vec!["read_x".into()];
        TokenRecord::new(set).replacing(Some(old)).marked(Some("moved".into()))
    }

    #[test]
    fn what_is_sealed_opens_in_its_place_and_nowhere_else() {
        let (home, version) = (slot("t", "p", "a", "main"), TokenVersion(3));
        let given = keys("k1", 7);
        let sealed = SealedTokens::seal(&home, version, &record(), &given, &SystemEntropy).unwrap();
        assert_eq!(sealed.open(&home, version, &given).unwrap(), record());
        let bytes = String::from_utf8_lossy(&sealed.bytes).into_owned();
        assert!(!bytes.contains("s3cret") && !bytes.contains("read_x"));
        let again = SealedTokens::seal(&home, version, &record(), &given, &SystemEntropy).unwrap();
        assert_ne!(again.nonce, sealed.nonce);

        let moved = |slot: &TokenSlot, version| sealed.open(slot, version, &given).unwrap_err();
        for other in [
            slot("u", "p", "a", "main"),
            slot("t", "q", "a", "main"),
            slot("t", "p", "b", "main"),
            slot("t", "p", "a", "other"),
            // The same letters, cut elsewhere.
            slot("tp", "", "a", "main"),
            slot("t", "p", "am", "ain"),
        ] {
            assert_eq!(moved(&other, version).code(), "vault_does_not_open", "{other:?}");
        }
        assert_eq!(moved(&home, TokenVersion(4)).code(), "vault_does_not_open");
        assert_eq!(moved(&home, TokenVersion(2)).code(), "vault_does_not_open");
        for at in 0..sealed.bytes.len() {
            let mut flipped = sealed.clone();
            flipped.bytes[at] ^= 1;
            assert!(flipped.open(&home, version, &given).is_err());
        }
        let mut renamed = sealed.clone();
        renamed.key = KeyId::new("k2").unwrap();
        let both = keys("k2", 7).older(KeyId::new("k1").unwrap(), VaultKey::new([7; 32]));
        assert_eq!(renamed.open(&home, version, &both).unwrap_err().code(), "vault_does_not_open");
    }

    #[test]
    fn a_key_is_rotated_by_keeping_the_old_one() {
        let (home, version) = (slot("t", "p", "a", "main"), TokenVersion(1));
        let sealed = SealedTokens::seal(&home, version, &record(), &keys("k1", 7), &SystemEntropy).unwrap();
        let rotated = keys("k2", 8).older(KeyId::new("k1").unwrap(), VaultKey::new([7; 32]));
        assert_eq!(sealed.open(&home, version, &rotated).unwrap(), record());
        let anew = SealedTokens::seal(&home, version, &record(), &rotated, &SystemEntropy).unwrap();
        assert_eq!(anew.key.as_str(), "k2");
        let lost = sealed.open(&home, version, &keys("k2", 8)).unwrap_err();
        assert_eq!((lost.kind(), lost.code()), (ErrorKind::Config, "vault_key_unknown"));
        assert!(!lost.remedy().is_empty());
        assert_eq!(sealed.open(&home, version, &keys("k1", 8)).unwrap_err().code(), "vault_does_not_open");
    }
}
