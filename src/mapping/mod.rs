//! Wire JSON to and from canonical records, as data.
/// Placeholder.
#[derive(Debug)]
pub struct SchemaMap;
/// Placeholder
pub mod fields {}
