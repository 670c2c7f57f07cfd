//! An app as its platform knows it.

use std::fmt;

use crate::error::{Error, ErrorKind, Result};
use crate::model::{Secret, Text};

/// An app: its client id, its client secret, and the secret before that one while the platform still signs with it.
#[derive(Clone)]
pub struct App {
    client_id: Text,
    secret: Secret,
    old_secret: Option<Secret>,
}

impl App {
    /// Names an app.
    ///
    /// # Errors
    /// `Config` where the id or the secret is empty, or the id is no word.
    pub fn new(client_id: impl Into<Text>, secret: Secret) -> Result<Self> {
        let client_id = client_id.into();
        let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if client_id.is_empty() || client_id.len() > 128 || !client_id.bytes().all(word) || secret.is_empty()
        {
            return Err(Error::new(
                ErrorKind::Config,
                "app_unusable",
                "an app is given by its client id and its client secret",
            )
            .with_remedy("copy both from the app's settings"));
        }
        Ok(Self { client_id, secret, old_secret: None })
    }

    /// Also takes what the secret before a rotation signed.
    #[must_use]
    pub fn old_secret(mut self, secret: Secret) -> Self {
        self.old_secret = Some(secret).filter(|secret| !secret.is_empty());
        self
    }

    /// The client id.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The client secret in use.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// The secrets that signatures are verified with, the one in use first.
    #[must_use]
    pub fn secrets(&self) -> Vec<Secret> {
        std::iter::once(&self.secret).chain(&self.old_secret).cloned().collect()
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}
