//! Bodies that are a row of pieces: records, and what belongs to the lists of the record before.
//!
//! So come the lines of a bulk job, where a record and the elements of its lists are lines of their own, and lists
//! that were paged to their end behind the page that their record came in.

use super::compile::NodeId;
use super::json::{Broken, Json};
use super::walk::Out;
use super::{Given, MappedPage, SchemaMap, broken, reject};
use crate::error::Result;
use crate::model::{PartKind, Place, RawItems};

/// The lists that a body's parts name, each looked up once.
struct Places<'m> {
    map: &'m SchemaMap,
    known: Vec<(Place, Option<NodeId>)>,
}

impl Places<'_> {
    fn find(&mut self, place: Place) -> Option<NodeId> {
        let known = self.known.iter().find(|(known, _)| std::ptr::eq(*known, place) || *known == place);
        if let Some((_, node)) = known {
            return *node;
        }
        let node = self.map.tree.list_at(place);
        self.known.push((place, node));
        node
    }
}

/// A record that waits for its parts.
struct Open<'m> {
    out: Out<'m>,
    is_broken: bool,
}

impl SchemaMap {
    /// Reads a body's parts. A piece that is no JSON rejects its record alone.
    ///
    /// # Errors
    /// `Protocol` where a part lies outside of the body, or belongs to no record.
    pub(super) fn parts(
        &self,
        body: &str,
        items: &RawItems,
        given: Given<'_>,
        page: &mut MappedPage,
    ) -> Result<()> {
        let mut places = Places { map: self, known: Vec::new() };
        let lists: Vec<NodeId> = items.lists.iter().filter_map(|place| places.find(place)).collect();
        let mut open: Option<Open<'_>> = None;
        let mut json = Json::new(body);
        for part in &items.parts {
            let (start, end) = (usize::try_from(part.range.start), usize::try_from(part.range.end));
            let piece = start.ok().zip(end.ok());
            if !piece.is_some_and(|(start, end)| start <= end && json.go_to(body, start, end)) {
                return Err(broken("not in the pieces that it was cut into"));
            }
            match part.kind {
                PartKind::Record => {
                    self.close(open.take(), page);
                    let mut out = self.out(given);
                    let is_broken = whole(&mut json, |json| out.record(json).map(drop)).is_err();
                    lists.iter().for_each(|list| out.begin_once(*list));
                    open = Some(Open { out, is_broken });
                }
                PartKind::Element(place) | PartKind::Elements(place) => {
                    let several = matches!(part.kind, PartKind::Elements(_));
                    let Some(open) = &mut open else {
                        return Err(broken("a piece of a list without the record that it belongs to"));
                    };
                    if let (Some(list), false) = (places.find(place), open.is_broken) {
                        open.is_broken = whole(&mut json, |json| open.out.part(json, list, several)).is_err();
                    }
                }
            }
        }
        self.close(open, page);
        Ok(())
    }

    fn close(&self, open: Option<Open<'_>>, page: &mut MappedPage) {
        match open {
            Some(Open { out, is_broken: false }) => self.finish(out, page),
            Some(Open { out, is_broken: true }) => reject(out, page),
            None => {}
        }
    }
}

/// Reads a piece to its end.
fn whole<'a>(
    json: &mut Json<'a>,
    read: impl FnOnce(&mut Json<'a>) -> Result<(), Broken>,
) -> Result<(), Broken> {
    read(json)?;
    if json.is_at_end() { Ok(()) } else { Err(Broken) }
}
