//! Mass and length, in grams and millimetres, with what the platform said beside it.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// A unit of mass of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MassUnit {
    /// Gram.
    #[serde(rename = "g")]
    Gram,
    /// Kilogram.
    #[serde(rename = "kg")]
    Kilogram,
    /// Pound, of 453.59237 g exactly.
    #[serde(rename = "lb")]
    Pound,
    /// Ounce, of 28.349523125 g exactly.
    #[serde(rename = "oz")]
    Ounce,
}

/// A unit of length of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LengthUnit {
    /// Millimetre.
    #[serde(rename = "mm")]
    Millimetre,
    /// Centimetre.
    #[serde(rename = "cm")]
    Centimetre,
    /// Metre.
    #[serde(rename = "m")]
    Metre,
    /// Inch, of 25.4 mm exactly.
    #[serde(rename = "in")]
    Inch,
    /// Yard, of 914.4 mm exactly.
    #[serde(rename = "yd")]
    Yard,
}

/// Multiplies; `None` where the result has more than 28 digits, which the type beneath would round.
fn exactly(number: Decimal, factor: Decimal) -> Option<Decimal> {
    let (number, factor) = (number.normalize(), factor.normalize());
    let product = number.checked_mul(factor)?;
    (number.is_zero() || product.scale() == number.scale() + factor.scale()).then(|| product.normalize())
}

impl MassUnit {
    fn grams(self) -> Decimal {
        match self {
            Self::Gram => Decimal::ONE,
            Self::Kilogram => Decimal::ONE_THOUSAND,
            Self::Pound => Decimal::new(45_359_237, 5),
            Self::Ounce => Decimal::new(28_349_523_125, 9),
        }
    }
}

impl LengthUnit {
    fn millimetres(self) -> Decimal {
        match self {
            Self::Millimetre => Decimal::ONE,
            Self::Centimetre => Decimal::TEN,
            Self::Metre => Decimal::ONE_THOUSAND,
            Self::Inch => Decimal::new(254, 1),
            Self::Yard => Decimal::new(9_144, 1),
        }
    }
}

/// A mass: in grams, and as the platform gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mass {
    grams: Decimal,
    source: Decimal,
    source_unit: MassUnit,
}

impl Mass {
    /// Converts; `None` where the result has more than 28 digits.
    pub(crate) fn of(source: Decimal, source_unit: MassUnit) -> Option<Self> {
        let grams = exactly(source, source_unit.grams())?;
        Some(Self { grams, source, source_unit })
    }

    /// The mass in grams, as decimal text.
    #[must_use]
    pub fn grams(&self) -> String {
        self.grams.to_string()
    }
}

/// A length: in millimetres, and as the platform gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Length {
    millimetres: Decimal,
    source: Decimal,
    source_unit: LengthUnit,
}

impl Length {
    /// Converts; `None` where the result has more than 28 digits.
    pub(crate) fn of(source: Decimal, source_unit: LengthUnit) -> Option<Self> {
        let millimetres = exactly(source, source_unit.millimetres())?;
        Some(Self { millimetres, source, source_unit })
    }

    /// The length in millimetres, as decimal text.
    #[must_use]
    pub fn millimetres(&self) -> String {
        self.millimetres.to_string()
    }
}

/// The outer dimensions of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Dimensions {
    /// Length, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<Length>,
    /// Width, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<Length>,
    /// Height, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<Length>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_convert_exactly_and_keep_what_the_platform_said() {
        let mass = Mass::of("1.5".parse().unwrap(), MassUnit::Pound).unwrap();
        assert_eq!(mass.grams(), "680.388555");
        assert_eq!(
            serde_json::to_string(&mass).unwrap(),
            r#"{"grams":"680.388555","source":"1.5","source_unit":"lb"}"#
        );
        let length = Length::of("24".parse().unwrap(), LengthUnit::Inch).unwrap();
        assert_eq!(length.millimetres(), "609.6");
    }

    #[test]
    fn a_measure_that_would_be_rounded_is_none() {
        let pounds = |source: &str| Mass::of(source.parse().unwrap(), MassUnit::Pound);
        assert_eq!(pounds("1234567890.1234567890123456789"), None);
        assert_eq!(pounds("0.0000000000000000000000000001"), None);
        assert_eq!(pounds("0.00").unwrap().grams(), "0");
        assert_eq!(pounds("1.0000000000000000000000000").unwrap().grams(), "453.59237");
        assert_eq!(pounds("79228162514264337593543950335"), None);
    }
}
