//! The lines of a bulk job's file: nodes of connections, each a line of its own.

use crate::testkit::json::Json;
use crate::testkit::random::SeededRandom;

#[derive(Debug)]
struct Line {
    json: Json,
    /// The streams of the line's own connections.
    children: Vec<usize>,
}

#[derive(Debug, Default)]
struct Stream {
    parent: Option<String>,
    lines: Vec<usize>,
}

/// Lines, in streams: one for each connection of each parent.
#[derive(Debug, Default)]
pub(super) struct Lines {
    lines: Vec<Line>,
    streams: Vec<Stream>,
    /// The lines that are being filled, outermost first.
    open: Vec<usize>,
}

impl Lines {
    /// Starts the connection of a parent.
    pub(super) fn open(&mut self, parent: Option<String>) -> usize {
        let stream = self.streams.len();
        // The root is no parent that a line could name.
        let parent = if self.open.is_empty() { None } else { parent };
        self.streams.push(Stream { parent, lines: Vec::new() });
        if let Some(line) = self.open.last().and_then(|at| self.lines.get_mut(*at)) {
            line.children.push(stream);
        }
        stream
    }

    /// Makes room for a line, which comes before its children.
    pub(super) fn reserve(&mut self, stream: usize) -> usize {
        let at = self.lines.len();
        self.lines.push(Line { json: Json::Null, children: Vec::new() });
        if let Some(stream) = self.streams.get_mut(stream) {
            stream.lines.push(at);
        }
        self.open.push(at);
        at
    }

    /// Fills a line whose children are complete.
    pub(super) fn fill(&mut self, at: usize, json: Json) {
        self.open.pop();
        if let Some(line) = self.lines.get_mut(at) {
            line.json = json;
        }
    }

    /// How many lines there are, and how many of them are of the root.
    pub(super) fn counts(&self) -> (usize, usize) {
        let roots =
            self.streams.iter().filter(|stream| stream.parent.is_none()).map(|it| it.lines.len()).sum();
        (self.lines.len(), roots)
    }

    /// The lines in the order of the file: grouped under their parents, or mixed by a seed, in which children
    /// come after their parent but not right after it, and each connection keeps its order.
    pub(super) fn ordered(mut self, mixed: Option<&mut SeededRandom>) -> Vec<Json> {
        let mut done = Vec::with_capacity(self.lines.len());
        // A stream that is being emitted: its number, and its next line.
        let mut active: Vec<(usize, usize)> = if self.streams.is_empty() { Vec::new() } else { vec![(0, 0)] };
        let mut random = mixed;
        while !active.is_empty() {
            let at = match &mut random {
                Some(random) => {
                    let bound = u64::try_from(active.len()).unwrap_or(u64::MAX);
                    usize::try_from(random.below(bound)).unwrap_or(0)
                }
                None => active.len() - 1,
            };
            let Some((stream, next)) = active.get(at).copied() else { break };
            let found =
                self.streams.get(stream).and_then(|it| Some((*it.lines.get(next)?, it.parent.clone())));
            let Some((line, parent)) = found else {
                if random.is_some() {
                    active.swap_remove(at)
                } else {
                    active.remove(at)
                };
                continue;
            };
            if let Some(entry) = active.get_mut(at) {
                entry.1 += 1;
            }
            let Some(line) = self.lines.get_mut(line) else { continue };
            let mut json = std::mem::replace(&mut line.json, Json::Null);
            if let (Json::Object(entries), Some(parent)) = (&mut json, parent) {
                entries.push(("__parentId".to_owned(), Json::text(parent)));
            }
            done.push(json);
            // The last one pushed is taken first, so they go in backwards.
            active.extend(line.children.iter().rev().map(|stream| (*stream, 0)));
        }
        done
    }
}
