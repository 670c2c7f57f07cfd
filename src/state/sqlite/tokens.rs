//! Tokens: sealed before they reach the file.

#[cfg(feature = "vault")]
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};

use super::unit::Writer;
use super::{file, refuse, store_id, unreadable};
use crate::auth::{Claim, StoredTokens, TokenRecord, TokenSlot, TokenVersion};
use crate::error::{Error, ErrorKind, Result};
use crate::model::StoreKey;
#[cfg(feature = "vault")]
use crate::state::{KeyId, KeyProvider, SealedTokens};
#[cfg(feature = "vault")]
use crate::time::Entropy;
use crate::time::Timestamp;

/// What seals and opens; without keys it does neither.
#[derive(Debug, Clone, Default)]
pub(super) struct Sealing {
    #[cfg(feature = "vault")]
    pub(super) keys: Option<(Arc<dyn KeyProvider>, Arc<dyn Entropy>)>,
}

/// What a row holds of its tokens.
struct Row {
    key: String,
    nonce: Vec<u8>,
    bytes: Vec<u8>,
}

#[cfg(feature = "vault")]
impl Sealing {
    fn seal(&self, slot: &TokenSlot, version: TokenVersion, record: &TokenRecord) -> Result<Row> {
        let (keys, entropy) = self.keys.as_ref().ok_or_else(keyless)?;
        let sealed = SealedTokens::seal(slot, version, record, keys.as_ref(), entropy.as_ref())?;
        Ok(Row { key: sealed.key.as_str().to_owned(), nonce: sealed.nonce.to_vec(), bytes: sealed.bytes })
    }

    fn open(&self, slot: &TokenSlot, version: TokenVersion, row: Row) -> Result<TokenRecord> {
        let (keys, _) = self.keys.as_ref().ok_or_else(keyless)?;
        let key = KeyId::new(&row.key).map_err(|_| unreadable("key id"))?;
        let nonce = row.nonce.try_into().map_err(|_| unreadable("nonce"))?;
        SealedTokens::new(key, nonce, row.bytes).open(slot, version, keys.as_ref())
    }
}

#[cfg(not(feature = "vault"))]
impl Sealing {
    fn seal(&self, _: &TokenSlot, _: TokenVersion, _: &TokenRecord) -> Result<Row> {
        Err(keyless())
    }

    fn open(&self, _: &TokenSlot, _: TokenVersion, row: Row) -> Result<TokenRecord> {
        drop((row.key, row.nonce, row.bytes));
        Err(keyless())
    }
}

fn keyless() -> Error {
    let error = Error::new(
        ErrorKind::Config,
        "vault_key_missing",
        "tokens are kept in this state only sealed, and it has no key",
    );
    if cfg!(feature = "vault") {
        error.with_remedy("give the state keys: SqliteState::with_keys")
    } else {
        error.with_remedy("build with the feature vault, and give the state keys")
    }
}

pub(super) fn load(
    connection: &Connection,
    sealing: &Sealing,
    store: &StoreKey,
    slot: &str,
) -> Result<StoredTokens> {
    let Some(id) = store_id(connection, store)? else { return Ok(StoredTokens::default()) };
    let found = connection
        .prepare_cached("SELECT version, key, nonce, sealed FROM tokens WHERE store = ?1 AND slot = ?2")
        .and_then(|mut found| {
            found
                .query_row(params![id, slot], |row| {
                    let sealed: Option<Vec<u8>> = row.get(3)?;
                    let sealed = match sealed {
                        Some(bytes) => Some(Row { key: row.get(1)?, nonce: row.get(2)?, bytes }),
                        None => None,
                    };
                    Ok((row.get::<_, i64>(0)?, sealed))
                })
                .optional()
        })
        .map_err(file::failed)?;
    let Some((version, sealed)) = found else { return Ok(StoredTokens::default()) };
    let version = TokenVersion(u64::try_from(version).map_err(|_| unreadable("version of tokens"))?);
    let slot = TokenSlot::new(store.clone(), slot);
    let record = sealed.map(|sealed| sealing.open(&slot, version, sealed)).transpose()?;
    Ok(StoredTokens::new(version, record))
}

impl Writer<'_> {
    pub(super) fn replace_tokens(
        &self,
        slot: &str,
        expected: TokenVersion,
        record: &TokenRecord,
    ) -> Result<()> {
        let next = TokenVersion(expected.0.saturating_add(1));
        let sealed = self.sealing.seal(&TokenSlot::new(self.key.clone(), slot), next, record)?;
        // What no row can have is no row's version.
        let signed =
            |version: TokenVersion| i64::try_from(version.0).map_err(|_| refuse::tokens_moved(expected));
        let written = if expected.0 == 0 {
            self.execute(
                "INSERT INTO tokens (store, slot, version, key, nonce, sealed) VALUES (?1, ?2, 1, ?3, ?4, ?5)
                 ON CONFLICT DO NOTHING",
                params![self.store, slot, sealed.key, sealed.nonce, sealed.bytes],
            )?
        } else {
            self.execute(
                "UPDATE tokens SET version = ?3, key = ?4, nonce = ?5, sealed = ?6
                 WHERE store = ?1 AND slot = ?2 AND version = ?7",
                params![
                    self.store,
                    slot,
                    signed(next)?,
                    sealed.key,
                    sealed.nonce,
                    sealed.bytes,
                    signed(expected)?
                ],
            )?
        };
        if written == 0 { Err(refuse::tokens_moved(expected)) } else { Ok(()) }
    }

    pub(super) fn forget_tokens(&self, slot: Option<&str>) -> Result<()> {
        self.execute(
            "UPDATE tokens SET version = version + 1, key = NULL, nonce = NULL, sealed = NULL
             WHERE store = ?1 AND (?2 IS NULL OR slot = ?2) AND sealed IS NOT NULL",
            params![self.store, slot],
        )
        .map(drop)
    }

    pub(super) fn claim_tokens(&self, slot: &str, claim: &Claim) -> Result<()> {
        let held: Option<(String, String)> = self
            .transaction
            .prepare_cached("SELECT holder, until FROM token_claims WHERE store = ?1 AND slot = ?2")
            .and_then(|mut held| {
                held.query_row(params![self.store, slot], |row| Ok((row.get(0)?, row.get(1)?))).optional()
            })
            .map_err(file::failed)?;
        if let Some((holder, until)) = held {
            let until: Timestamp = until.parse().map_err(|_| unreadable("claim"))?;
            if until > claim.now && holder != claim.holder.as_str() {
                return Err(refuse::tokens_claimed(until));
            }
        }
        self.execute(
            "INSERT INTO token_claims (store, slot, holder, until) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET holder = ?3, until = ?4",
            params![self.store, slot, claim.holder.as_str(), claim.until.to_string()],
        )
        .map(drop)
    }

    pub(super) fn unclaim_tokens(&self, slot: &str, holder: &str) -> Result<()> {
        self.execute(
            "DELETE FROM token_claims WHERE store = ?1 AND slot = ?2 AND holder = ?3",
            params![self.store, slot, holder],
        )
        .map(drop)
    }
}
