//! `metafieldsSet` and `metafieldsDelete`.

use super::metafield::{Metafield, Owner, namespace};
use super::state::State;
use super::value::{Args, Read};

/// Puts a metafield in, over one of the same namespace and key; gives its id.
pub(super) fn put(state: &mut State, owner: Owner, entry: &Args) -> u64 {
    let namespace = namespace(state, entry.text("namespace"));
    let key = entry.text("key").unwrap_or_default().to_owned();
    let value = entry.text("value").unwrap_or_default().to_owned();
    let now = state.now;
    let fresh = state.take_id();
    let all = state.metafields.entry(owner).or_default();
    if let Some(known) = all.iter_mut().find(|known| known.namespace == namespace && known.key == key) {
        if let Some(kind) = entry.text("type") {
            kind.clone_into(&mut known.kind);
        }
        if known.value != value {
            known.value = value;
            known.updated_at = now;
        }
        return known.id;
    }
    let kind = entry.text("type").unwrap_or("single_line_text_field");
    all.push(Metafield::new(fresh, &namespace, &key, kind, &value, now));
    state.metafield_owners.insert(fresh, owner);
    fresh
}
