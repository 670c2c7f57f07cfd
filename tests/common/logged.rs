//! What a test's thread logs, at its loudest.

use std::io::{Write, sink};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::{Dispatch, Level, subscriber};

/// Everything that this thread logs, from [`Logged::all`] on.
pub(crate) struct Logged {
    text: Text,
    _second: Dispatch,
    _guard: subscriber::DefaultGuard,
}

impl Logged {
    /// Begins to listen.
    pub(crate) fn all() -> Self {
        // While a process has one subscriber only, a place that another thread comes by first is switched
        // off for all threads: a second one keeps every place open.
        let second = Dispatch::new(tracing_subscriber::fmt().with_writer(sink).finish());
        let text = Text::default();
        let writer = text.clone();
        let loudest = tracing_subscriber::fmt().with_max_level(Level::TRACE);
        let own = loudest.with_writer(move || writer.clone()).finish();
        Self { text, _second: second, _guard: subscriber::set_default(own) }
    }

    /// What was logged so far; fails where nothing was, for then nothing was looked at.
    pub(crate) fn text(&self) -> String {
        let bytes = self.text.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(text.contains("TRACE") || text.contains("DEBUG"), "nothing was logged: {text}");
        text
    }
}

#[derive(Clone, Default)]
struct Text(Arc<Mutex<Vec<u8>>>);

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
