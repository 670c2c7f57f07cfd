//! Tokens that a platform gave, and their life.

use std::time::Duration;

use crate::model::{Secret, StoreKey, Text};
use crate::time::Timestamp;

/// An access token with what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenSet {
    /// The token that requests carry.
    pub access: Secret,
    /// The token that a new set is asked for with; none where the platform gave none.
    pub refresh: Option<Secret>,
    /// When the access token ends; none for a permanent one.
    pub expires_at: Option<Timestamp>,
    /// When the refresh token ends, where the platform says so.
    pub refresh_expires_at: Option<Timestamp>,
    /// What the token may do, in the platform's words.
    pub scopes: Vec<Text>,
    /// When the set was asked for, by our clock.
    pub obtained_at: Timestamp,
}

impl TokenSet {
    /// A permanent token: it does not expire and cannot be refreshed.
    #[must_use]
    pub fn permanent(access: Secret, obtained_at: Timestamp) -> Self {
        Self {
            access,
            refresh: None,
            expires_at: None,
            refresh_expires_at: None,
            scopes: Vec::new(),
            obtained_at,
        }
    }

    /// Whether the access token is over.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| now >= end)
    }

    /// From when on it should be replaced: so long before its end, but never before half of its life.
    #[must_use]
    pub fn due_at(&self, early: Duration) -> Option<Timestamp> {
        let end = self.expires_at?;
        let life = end.since(self.obtained_at);
        Some(end.saturating_sub(early.min(life / 2)))
    }
}

/// A place in a vault: a store, and a name for what one store has several tokens of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct TokenSlot {
    /// The store.
    pub store: StoreKey,
    /// The name within the store, such as `main`.
    pub name: Text,
}

impl TokenSlot {
    /// Names a place.
    #[must_use]
    pub fn new(store: StoreKey, name: impl Into<Text>) -> Self {
        Self { store, name: name.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_early_window_is_never_longer_than_half_the_life() {
        let seconds = Duration::from_secs;
        let start = Timestamp::UNIX_EPOCH;
        let mut set = TokenSet::permanent(Secret::new("a"), start);
        assert_eq!((set.due_at(seconds(300)), set.is_expired(start)), (None, false));
        for (life, due) in [(3600, 3300), (600, 300), (60, 30), (1, 0)] {
            set.expires_at = Some(start.saturating_add(seconds(life)));
            let at = set.due_at(seconds(300)).unwrap();
            assert_eq!(at.unix_seconds(), due, "{life}");
            assert!(!set.is_expired(start) && set.is_expired(start.saturating_add(seconds(life))));
        }
    }
}
