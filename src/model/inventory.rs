//! Stock.

use serde::{Deserialize, Serialize};

/// Whether an item can be bought as far as stock goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Availability {
    /// There is stock.
    InStock,
    /// There is none.
    OutOfStock,
    /// There is none, and orders are taken.
    OnBackorder,
}

/// Where the quantity of an item is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StockTracking {
    /// On the item itself.
    Own,
    /// On the product that the variant belongs to.
    Product,
    /// Nowhere.
    None,
}

/// The stock of a product or variant.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Inventory {
    /// Where the quantity is counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracking: Option<StockTracking>,
    /// Units in stock; negative where more were sold than there were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<rust_decimal::Decimal>,
    /// Whether it can be bought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub availability: Option<Availability>,
}
