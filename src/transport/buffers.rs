//! Memory of megabytes, used again instead of asked for and given back with every page.

use std::collections::VecDeque;

use bytes::Bytes;

/// The most buffers that are remembered.
const MOST: usize = 4;

/// Buffers that were handed out: the memory of one is used again once nobody else holds any of it. One that is held
/// on to is forgotten when others come behind it.
#[derive(Debug, Default)]
pub(crate) struct Buffers(VecDeque<Bytes>);

impl Buffers {
    /// An empty buffer, with the memory of one that was handed out; none where all are held.
    pub(crate) fn take(&mut self) -> Option<Vec<u8>> {
        let at = self.0.iter().position(|bytes| bytes.is_unique() && !bytes.is_empty())?;
        let mut bytes = self.0.remove(at)?;
        // What is left of it would be moved to the front.
        bytes.truncate(1);
        let mut buffer = Vec::from(bytes);
        buffer.clear();
        Some(buffer)
    }

    /// Remembers a buffer that is handed out.
    pub(crate) fn lend(&mut self, bytes: Bytes) {
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_used_again_once_nobody_holds_it_and_what_is_held_is_forgotten() {
        let mut buffers = Buffers::default();
        assert_eq!(buffers.take(), None);
        let first = Bytes::from(vec![1; 1000]);
        let place = first.as_ptr();
        buffers.lend(first.clone());
        let piece = first.slice(10..20);
        drop(first);
        assert_eq!(buffers.take(), None);
        drop(piece);
        let again = buffers.take().unwrap();
        assert_eq!((again.as_ptr(), again.len(), again.capacity()), (place, 0, 1000));

        let held: Vec<Bytes> = (0..=MOST).map(|_| Bytes::from(vec![2; 10])).collect();
        held.iter().for_each(|bytes| buffers.lend(bytes.clone()));
        assert_eq!(buffers.0.len(), MOST);
        assert!(held.first().is_some_and(Bytes::is_unique));
    }
}
