//! Every noun that two rooms share: canonical records, references, cells, money, secrets, capabilities.
//!
//! No platform word lives here, and nothing here does IO or reads a clock.

mod attribute;
mod capabilities;
mod cell;
mod cursor;
mod enrichment;
mod field;
mod inventory;
mod mac;
mod measure;
mod media;
mod money;
mod names;
pub mod performance;
mod product;
mod profile;
mod raw;
mod record;
mod reference;
mod secret;
mod taxon;
mod text;
mod text_check;
mod variant;
mod view;

pub use attribute::{Attribute, Term};
pub use capabilities::{
    AnswerHolds, Calls, Capabilities, DeltaClock, EntityCapabilities, GuardKind, ListKind, NameSource,
    Reversible, TextCheck, Unavailable, WindowClaims, WritableField,
};
pub use cell::{BaseToken, Cell, CellState, CellValue, FieldName, Normaliser, TokenDigest};
pub use cursor::{Cursor, Lane};
pub use enrichment::{Edit, Enrichment, EnrichmentId, Expectation, FieldChange, Provenance};
pub use field::Field;
pub use inventory::{Availability, Inventory, StockTracking};
pub use mac::{MAX_KEYS, Mac};
pub use measure::{Dimensions, Length, LengthUnit, Mass, MassUnit};
pub use media::Media;
pub use money::{Currency, Money};
pub use names::Names;
pub use performance::Performance;
pub use product::{Product, ProductStatus, Seo};
pub use profile::StoreProfile;
pub use raw::{Inheritance, PartKind, Place, RawItems, RawPart, Shape};
pub use record::{ContentHash, Record, Tokens};
pub use reference::{Entity, ExternalId, Platform, RecordRef, StoreKey};
pub use secret::Secret;
pub use taxon::Taxon;
pub use text::Text;
pub use variant::{OptionValue, Variant};
pub use view::View;
