//! Names of stores and records.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::Text;

/// A platform's name, such as `woocommerce`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Platform(Cow<'static, str>);

impl Platform {
    /// Names a platform; connectors do it once, in a constant.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A kind of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Entity {
    /// A product, with its content.
    Product,
    /// One sellable variant of a product.
    Variant,
    /// A picture or other file, which several products may show. It is no record of its own yet: it holds the
    /// cells of what is written on it.
    Media,
    /// A category of products.
    Category,
    /// A tag of products.
    Tag,
    /// A brand.
    Brand,
    /// An attribute that products share, such as a colour.
    Attribute,
    /// One value of a shared attribute, such as blue.
    AttributeValue,
    /// The numbers of one day for one item or page.
    Performance,
}

impl Entity {
    /// All kinds that are records of their own.
    pub const ALL: [Self; 8] = [
        Self::Product,
        Self::Variant,
        Self::Category,
        Self::Tag,
        Self::Brand,
        Self::Attribute,
        Self::AttributeValue,
        Self::Performance,
    ];

    /// The name as it is written in records and on command lines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Product => "product",
            Self::Variant => "variant",
            Self::Media => "media",
            Self::Category => "category",
            Self::Tag => "tag",
            Self::Brand => "brand",
            Self::Attribute => "attribute",
            Self::AttributeValue => "attribute_value",
            Self::Performance => "performance",
        }
    }

    /// The kind of that name; none where there is no such kind.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|entity| entity.as_str() == name)
    }

    /// What a record of this kind stands below, where kinds have such a place: a category below a category, a
    /// value below its attribute.
    #[must_use]
    pub const fn parent(self) -> Option<Self> {
        match self {
            Self::Variant => Some(Self::Product),
            Self::Category | Self::Brand => Some(self),
            Self::AttributeValue => Some(Self::Attribute),
            Self::Product | Self::Tag | Self::Attribute | Self::Media | Self::Performance => None,
        }
    }
}

impl fmt::Display for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A record's id at its platform: opaque text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExternalId(Text);

impl ExternalId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl<T: Into<Text>> From<T> for ExternalId {
    fn from(id: T) -> Self {
        Self(id.into())
    }
}

impl fmt::Display for ExternalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A record of a store: platform, kind and id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RecordRef {
    /// The platform that gave the id.
    pub platform: Platform,
    /// The kind of record.
    pub kind: Entity,
    /// The platform's id.
    pub id: ExternalId,
}

impl RecordRef {
    /// Names a record.
    #[must_use]
    pub fn new(platform: Platform, kind: Entity, id: impl Into<ExternalId>) -> Self {
        Self { platform, kind, id: id.into() }
    }
}

impl fmt::Display for RecordRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.id)
    }
}

/// A merchant's store, as we key everything that we keep about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StoreKey {
    /// Whose store it is, in the words of the service that uses this crate.
    pub tenant: Text,
    /// The platform.
    pub platform: Platform,
    /// The account at the platform: a shop domain, a store hash, a site address.
    pub account: Text,
}

impl StoreKey {
    /// Names a store.
    #[must_use]
    pub fn new(tenant: impl Into<Text>, platform: Platform, account: impl Into<Text>) -> Self {
        Self { tenant: tenant.into(), platform, account: account.into() }
    }
}

impl fmt::Display for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.tenant, self.platform, self.account)
    }
}
