//! Which hosts are shops: credentials are sent to no other one.

use std::fmt;
use std::str::FromStr;

use crate::auth::Origin;
use crate::error::{Error, ErrorKind, Result};
use crate::model::Text;

const SUFFIX: &str = ".myshopify.com";
const ADMIN: &str = "admin.shopify.com/store/";
/// A label of a host name has 63 bytes at most (RFC 1035, section 2.3.4).
const MAX_NAME: usize = 63;

/// A shop's permanent domain: `name.myshopify.com`, in lower case, and nothing else.
///
/// Shopify's own libraries also take `shopify.com`, `myshopify.io`, `shop.dev`, capitals and slashes behind it
/// (`shop-validator.ts` of shopify-app-js, read 2026-11-22). Merchants' shops need none of these.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShopDomain(Text);

impl ShopDomain {
    /// Takes a domain as Shopify writes it. What a merchant typed goes through [`ShopDomain::typed`].
    ///
    /// # Errors
    /// `Config` with code `shop_domain_invalid`.
    pub fn new(domain: &str) -> Result<Self> {
        let name = domain.strip_suffix(SUFFIX).ok_or_else(invalid)?;
        let inner =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
        let begins =
            name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if begins && name.len() <= MAX_NAME && name.bytes().all(inner) {
            Ok(Self(domain.into()))
        } else {
            Err(invalid())
        }
    }

    /// Takes what a person gives for a shop: its domain in any case, or the address of its admin
    /// (`admin.shopify.com/store/name`), with `https://` or without, and with slashes behind it.
    ///
    /// # Errors
    /// As [`ShopDomain::new`].
    pub fn typed(text: &str) -> Result<Self> {
        if text.len() > 4 * MAX_NAME {
            return Err(invalid());
        }
        let text = text.trim().to_ascii_lowercase();
        let text = text.strip_prefix("https://").unwrap_or(&text).trim_end_matches('/');
        match text.strip_prefix(ADMIN) {
            Some(name) => Self::new(&format!("{name}{SUFFIX}")),
            None => Self::new(text),
        }
    }

    /// The domain.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where the shop's admin stands.
    ///
    /// # Errors
    /// `Config` where the domain is none: it is checked anew each time that credentials go there.
    pub fn origin(&self) -> Result<Origin> {
        let checked = Self::new(&self.0)?;
        Origin::https(&format!("https://{checked}"))
    }
}

impl FromStr for ShopDomain {
    type Err = Error;

    fn from_str(domain: &str) -> Result<Self> {
        Self::new(domain)
    }
}

impl fmt::Display for ShopDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ShopDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn invalid() -> Error {
    Error::new(ErrorKind::Config, "shop_domain_invalid", "a shop is named by its domain at myshopify.com")
        .with_remedy("give it as name.myshopify.com, in lower case")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_permanent_domain_of_a_shop_is_one() {
        for good in ["a.myshopify.com", "some-shop.myshopify.com", "7_x-.myshopify.com"] {
            assert_eq!(ShopDomain::new(good).unwrap().as_str(), good);
            assert_eq!(ShopDomain::new(good).unwrap().origin().unwrap().authority(), good);
        }
        let long = format!("{}{SUFFIX}", "a".repeat(MAX_NAME + 1));
        for bad in [
            "",
            ".myshopify.com",
            "myshopify.com",
            "-a.myshopify.com",
            "_a.myshopify.com",
            "a.b.myshopify.com",
            "A.myshopify.com",
            "a.myshopify.com/",
            "a.myshopify.com.",
            "a.myshopify.com\n",
            "\na.myshopify.com",
            "a .myshopify.com",
            " a.myshopify.com",
            "https://a.myshopify.com",
            "a.myshopify.com.evil.com",
            "evil.com/a.myshopify.com",
            "evil.com?.myshopify.com",
            "evil.com#.myshopify.com",
            "u@a.myshopify.com",
            "a:80.myshopify.com",
            "a.myshopify.com:80",
            "a.myshopify.com/path",
            "amyshopify.com",
            "a.shopify.com",
            "a.myshopify.io",
            "a.shop.dev",
            "\u{e9}.myshopify.com",
            "a\0.myshopify.com",
            &long,
        ] {
            let error = ShopDomain::new(bad).unwrap_err();
            assert_eq!(error.code(), "shop_domain_invalid", "{bad:?}");
        }
    }

    #[test]
    fn what_a_person_types_leads_to_the_domain_or_nowhere() {
        for typed in [
            "Some-Shop.myshopify.com",
            " https://some-shop.myshopify.com/ ",
            "admin.shopify.com/store/some-shop",
            "https://admin.shopify.com/store/some-shop//",
        ] {
            assert_eq!(ShopDomain::typed(typed).unwrap().as_str(), "some-shop.myshopify.com");
        }
        for bad in [
            "some-shop",
            "http://some-shop.myshopify.com",
            "https://https://a.myshopify.com",
            "admin.shopify.com/store/",
            "admin.shopify.com/store/a/products",
            "admin.shopify.com/store/a.evil.com",
            "evil.com/admin.shopify.com/store/a",
            "a.myshopify.com/admin",
        ] {
            assert!(ShopDomain::typed(bad).is_err(), "{bad}");
        }
    }
}
