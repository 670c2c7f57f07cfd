//! The query of a request that a platform sent a browser to the app with.

use std::borrow::Cow;
use std::fmt;

use url::form_urlencoded;

use crate::error::{Error, ErrorKind, Result};

/// The longest query that is looked at, and the most parameters of one.
const MAX_QUERY: usize = 8 * 1024;
const MAX_PARAMETERS: usize = 64;

/// The parameters of such a query, bounded. `Debug` shows none of it.
pub struct CallbackQuery<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> CallbackQuery<'a> {
    /// Reads a query as it came: still encoded, without the question mark. `read` names the parameters that are
    /// read: each may be there once.
    ///
    /// # Errors
    /// `Auth` with code `callback_malformed` where it is too long, or has a parameter twice that is read.
    pub fn parse(query: &'a str, read: &[&str]) -> Result<Self> {
        if query.len() > MAX_QUERY {
            return Err(malformed());
        }
        let parameters: Vec<_> = form_urlencoded::parse(query.as_bytes()).take(MAX_PARAMETERS + 1).collect();
        let once = |name: &&str| parameters.iter().filter(|(key, _)| key == name).count() <= 1;
        if parameters.len() > MAX_PARAMETERS || !read.iter().all(once) {
            return Err(malformed());
        }
        Ok(Self(parameters))
    }

    /// The value of a parameter, where it is there.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_ref())
    }

    /// The value of a parameter that must be there.
    ///
    /// # Errors
    /// `Auth` with code `callback_malformed` where it is missing or empty.
    pub fn required(&self, name: &str) -> Result<&str> {
        self.get(name).filter(|value| !value.is_empty()).ok_or_else(malformed)
    }

    /// All parameters, in their order.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), value.as_ref()))
    }
}

impl fmt::Debug for CallbackQuery<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallbackQuery").field("parameters", &self.0.len()).finish()
    }
}

fn malformed() -> Error {
    Error::new(ErrorKind::Auth, "callback_malformed", "the request is no callback of the platform")
}
