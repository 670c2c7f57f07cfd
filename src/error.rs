//! The one public error: what happened, what the caller can do, and whether a retry helps.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

/// The result of every fallible call of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error with a stable code, its most likely cause and a remedy.
///
/// `Display` is one line without the text of the source: walk [`StdError::source`] for that.
/// No secret, query string, body or personal data is ever part of it.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    code: Cow<'static, str>,
    message: Cow<'static, str>,
    remedy: Cow<'static, str>,
    retry: Retry,
    effect: Effect,
    context: Vec<(&'static str, String)>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// What the caller can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A setting is missing or wrong: correct it; no retry helps.
    Config,
    /// The connector, the store or this build cannot do that: ask its capabilities first.
    Unsupported,
    /// The credentials were refused: give new ones.
    Auth,
    /// The credentials are right, but may not do this: give them the right.
    Forbidden,
    /// The record does not exist (any more).
    NotFound,
    /// The platform refused the request as wrong: correct it; no retry helps.
    Rejected,
    /// The platform refused for its limits, and the deadline did not allow to wait longer.
    RateLimited,
    /// The store did not answer, or answered with a server error: try later.
    Unavailable,
    /// The deadline of the call passed.
    Timeout,
    /// Too many faults of late: the store is left in peace for a while.
    CircuitOpen,
    /// The answer is not what the platform documents: an HTML page, broken JSON, a redirect.
    Protocol,
    /// A body, list or value is over its bound.
    TooLarge,
    /// Our own state (checkpoint, write log, lease) could not be read or written.
    State,
    /// The sink could not take the records.
    Sink,
    /// The caller cancelled.
    Cancelled,
}

/// Whether the same call may succeed later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Retry {
    /// The same call fails again until something is changed.
    Never,
    /// The same call may succeed, at a time that nobody named.
    Later,
    /// The same call may succeed after this time.
    After(Duration),
}

/// Whether the request of a failed call may have taken effect at the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It had none: nothing was sent, or the platform refused it.
    None,
    /// It may have had one: read before you write again.
    Possible,
}

impl Error {
    /// Makes an error of a kind with a stable code (`snake_case`) and a message that names the thing and
    /// the expectation, in lower case and without a full stop.
    pub fn new(
        kind: ErrorKind,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        let retry = match kind {
            ErrorKind::RateLimited
            | ErrorKind::Unavailable
            | ErrorKind::Timeout
            | ErrorKind::CircuitOpen
            | ErrorKind::Cancelled => Retry::Later,
            ErrorKind::Config
            | ErrorKind::Unsupported
            | ErrorKind::Auth
            | ErrorKind::Forbidden
            | ErrorKind::NotFound
            | ErrorKind::Rejected
            | ErrorKind::Protocol
            | ErrorKind::TooLarge
            | ErrorKind::State
            | ErrorKind::Sink => Retry::Never,
        };
        Self(Box::new(Inner {
            kind,
            code: code.into(),
            message: message.into(),
            remedy: Cow::Borrowed(""),
            retry,
            effect: Effect::None,
            context: Vec::new(),
            source: None,
        }))
    }

    /// Says what to do about it, as one clause.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<Cow<'static, str>>) -> Self {
        self.0.remedy = remedy.into();
        self
    }

    /// Says whether a retry helps, where it differs from the kind's default.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.0.retry = retry;
        self
    }

    /// Says whether the request may have taken effect (default: [`Effect::None`]).
    #[must_use]
    pub fn with_effect(mut self, effect: Effect) -> Self {
        self.0.effect = effect;
        self
    }

    /// Adds a fact: a name and a value that is no secret, body or query string.
    #[must_use]
    pub fn with_context(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.context.push((name, value.into()));
        self
    }

    /// Adds the underlying error. Its text must hold no secret, since callers print it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The same error for another of those who waited for one thing, without its source.
    pub(crate) fn copied(&self) -> Self {
        Self(Box::new(Inner {
            kind: self.0.kind,
            code: self.0.code.clone(),
            message: self.0.message.clone(),
            remedy: self.0.remedy.clone(),
            retry: self.0.retry,
            effect: self.0.effect,
            context: self.0.context.clone(),
            source: None,
        }))
    }

    /// What the caller can do.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The stable code: it never changes its meaning between releases.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// What happened, without the code, the remedy and the context.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do about it; empty where nothing better than the kind is known.
    #[must_use]
    pub fn remedy(&self) -> &str {
        &self.0.remedy
    }

    /// Whether a retry helps.
    #[must_use]
    pub fn retry(&self) -> Retry {
        self.0.retry
    }

    /// Whether the request may have taken effect at the platform.
    #[must_use]
    pub fn effect(&self) -> Effect {
        self.0.effect
    }

    /// The facts that were added on the way, oldest first.
    #[must_use]
    pub fn context(&self) -> &[(&'static str, String)] {
        &self.0.context
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.0.message, self.0.code)?;
        for (name, value) in &self.0.context {
            write!(f, " {name}={value}")?;
        }
        if !self.0.remedy.is_empty() {
            write!(f, "; {}", self.0.remedy)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("code", &self.0.code)
            .field("message", &self.0.message)
            .field("remedy", &self.0.remedy)
            .field("retry", &self.0.retry)
            .field("effect", &self.0.effect)
            .field("context", &self.0.context)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_is_one_line_with_code_context_and_remedy_and_without_the_source() {
        let error = Error::new(ErrorKind::Auth, "key_refused", "the store refused the key")
            .with_context("store", "shop.example")
            .with_remedy("make a new key")
            .with_source(std::io::Error::other("inner text"));
        assert_eq!(
            error.to_string(),
            "the store refused the key [key_refused] store=shop.example; make a new key"
        );
        assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("inner text"));
        assert_eq!(error.retry(), Retry::Never);
        assert_eq!(error.effect(), Effect::None);
    }
}
