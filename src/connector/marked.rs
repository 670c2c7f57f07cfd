//! The mark by which our subscriptions are known, where the platform has no field of its own for it: the end of the
//! address that it delivers to.

use super::Subscription;
use crate::error::{Error, ErrorKind, Result};

/// How the mark in an address begins; the label follows.
const MARK: &str = "lily-connect=";
/// The longest address that is read or sent.
const MAX_ADDRESS: usize = 2_048;

impl Subscription {
    /// The delivery address with the mark of the label.
    ///
    /// # Errors
    /// `Config` with code `delivery_url_unusable` where it is too long, or not https; plain http is taken where
    /// private hosts are, since a test server is near, and has no certificate.
    pub fn marked_address(&self, private_hosts: bool) -> Result<String> {
        let url = &self.delivery_url;
        let unusable = |message: &'static str| {
            Error::new(ErrorKind::Config, "delivery_url_unusable", message)
                .with_remedy("take deliveries by https, at an address that the platform can reach")
        };
        if url.scheme() != "https" && !private_hosts {
            return Err(unusable("the platform delivers by https only"));
        }
        let sign = if url.query().is_some() { '&' } else { '?' };
        let address = format!("{url}{sign}{MARK}{}", self.label);
        if address.len() > MAX_ADDRESS {
            return Err(unusable("the delivery address is too long"));
        }
        Ok(address)
    }

    /// The address before the mark, and the label in it; `None` of an address that has no mark of ours.
    #[must_use]
    pub fn unmarked(address: &str) -> Option<(&str, &str)> {
        if address.len() > MAX_ADDRESS {
            return None;
        }
        let (before, label) = address.rsplit_once(MARK)?;
        let own = before.strip_suffix(['?', '&'])?;
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        (!label.is_empty() && label.bytes().all(plain)).then_some((own, label))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_ours_by_its_mark_alone_and_comes_back_as_it_was() {
        let base = "https://a.example/hook";
        for address in [base, "https://a.example/hook?", "https://a.example/hook?shop=7&x="] {
            let sign = if address.contains('?') { '&' } else { '?' };
            let marked = format!("{address}{sign}{MARK}main-2");
            assert_eq!(Subscription::unmarked(&marked), Some((address, "main-2")));
        }
        for foreign in [
            base.to_owned(),
            format!("{base}/{MARK}main"),
            format!("{base}?{MARK}"),
            format!("{base}?{MARK}Main"),
            format!("{base}?{MARK}main&x=1"),
            format!("{base}?x{MARK}main"),
            format!("{base}?{}={MARK}main", "x".repeat(MAX_ADDRESS)),
            format!("pubsub://project:topic{MARK}main"),
        ] {
            assert_eq!(Subscription::unmarked(&foreign), None, "{foreign}");
        }
    }

    #[test]
    fn an_address_is_https_and_bounded_with_its_mark() {
        let address = |url: &str, private_hosts| {
            let wanted =
                Subscription::new(url, crate::model::Secret::new("not used")).unwrap().label("main").unwrap();
            wanted.marked_address(private_hosts).map_err(|error| error.code().to_owned())
        };
        let base = "https://a.example/hook?x=";
        let longest = MAX_ADDRESS - base.len() - format!("&{MARK}main").len();
        let of = |length: usize| format!("{base}{}", "x".repeat(length));
        assert_eq!(address(&of(longest), false).unwrap().len(), MAX_ADDRESS);
        let unusable = || Err("delivery_url_unusable".to_owned());
        assert_eq!(address(&of(longest + 1), false), unusable());
        assert_eq!(address("http://a.example/hook", false), unusable());
        assert_eq!(
            address("http://127.0.0.1/hook", true).unwrap(),
            format!("http://127.0.0.1/hook?{MARK}main")
        );
    }
}
