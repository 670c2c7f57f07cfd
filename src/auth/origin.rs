//! Where credentials may go.

use std::fmt;

use url::{Host, Url};

use crate::error::{Error, ErrorKind, Result};

/// Scheme, host, port and base path of an API: https, unless plain http was asked for by name.
///
/// Credentials are bound to it: a request to anywhere else is refused before it is signed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    base: Url,
}

impl Origin {
    /// Takes an https address, with a base path or without.
    ///
    /// # Errors
    /// `Config` where the text is no address, has credentials, a query or a fragment, or is not https.
    pub fn https(address: &str) -> Result<Self> {
        let base = parse(address)?;
        if base.scheme() == "https" {
            Ok(Self { base })
        } else {
            Err(wrong("the address must begin with https://").with_remedy(
                "use https, or an authenticator that never transmits its secret together with Origin::http",
            ))
        }
    }

    /// Takes a plain http address: only for loopback, or for authenticators that never transmit the secret.
    ///
    /// # Errors
    /// `Config` where the text is no http address, or has credentials, a query or a fragment.
    pub fn http(address: &str) -> Result<Self> {
        let base = parse(address)?;
        if base.scheme() == "http" {
            Ok(Self { base })
        } else {
            Err(wrong("the address must begin with http://"))
        }
    }

    /// Takes an address as a setting gives it, https or plain http. An authenticator that transmits its secret
    /// refuses plain http by itself, but on loopback.
    ///
    /// # Errors
    /// `Config` where the text is no http or https address, or has credentials, a query or a fragment.
    pub fn as_given(address: &str) -> Result<Self> {
        Self::http(address).or_else(|_| Self::https(address))
    }

    /// Whether it is https.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.base.scheme() == "https"
    }

    /// Whether its host is a loopback address or `localhost`.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self.base.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        }
    }

    /// The base address, which ends with a slash.
    #[must_use]
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// The host, with the port where it is not the scheme's own.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = self.base.host_str().unwrap_or_default();
        self.base.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// Host, port and base path without the last slash: what tells one self-hosted store from another.
    #[must_use]
    pub fn account(&self) -> String {
        format!("{}{}", self.authority(), self.base.path().trim_end_matches('/'))
    }

    /// The address of a path below the base; the path is relative and already percent-encoded.
    ///
    /// # Errors
    /// `Config` where the path leads out of the base.
    pub fn join(&self, path: &str) -> Result<Url> {
        let url =
            self.base.join(path.trim_start_matches('/')).map_err(|_| wrong("a path must be relative"))?;
        if self.holds(&url) && !path.contains("..") {
            Ok(url)
        } else {
            Err(wrong("a path must stay below the base address"))
        }
    }

    /// Whether an address has this origin and lies below its base path.
    #[must_use]
    pub fn holds(&self, url: &Url) -> bool {
        url.scheme() == self.base.scheme()
            && url.host_str() == self.base.host_str()
            && url.port_or_known_default() == self.base.port_or_known_default()
            && url.username().is_empty()
            && url.password().is_none()
            && url.path().starts_with(self.base.path())
    }
}

fn parse(address: &str) -> Result<Url> {
    let mut url = Url::parse(address.trim()).map_err(|_| wrong("the address is not a URL"))?;
    if url.host().is_none() || !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("the address must have a host, and no credentials in it"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("the address must have no query and no fragment"));
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

fn wrong(message: &'static str) -> Error {
    Error::new(ErrorKind::Config, "origin_invalid", message)
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.base, f)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin({})", self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_stay_below_their_base() {
        let origin = Origin::https("https://shop.example/sub").unwrap();
        assert_eq!(origin.join("wp-json/x?y=1").unwrap().as_str(), "https://shop.example/sub/wp-json/x?y=1");
        assert_eq!(origin.join("/wp-json").unwrap().as_str(), "https://shop.example/sub/wp-json");
        for path in ["//evil.example/x", "https://evil.example/", "../x", "a/../../x"] {
            let joined = origin.join(path);
            assert!(
                joined.is_err() || joined.as_ref().is_ok_and(|url| origin.holds(url)),
                "{path}: {joined:?}"
            );
        }
        assert!(origin.join("../x").is_err());
    }

    #[test]
    fn plain_http_has_to_be_asked_for() {
        assert_eq!(Origin::https("http://shop.example").unwrap_err().kind(), ErrorKind::Config);
        assert!(Origin::http("http://shop.example").is_ok());
        for bad in ["", "shop.example", "https://u:p@shop.example", "https://shop.example/?a=1", "https:///"]
        {
            assert!(Origin::https(bad).is_err(), "{bad}");
            assert!(Origin::as_given(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_is_taken_as_it_is_given_and_names_the_store() {
        for (address, account) in [
            (" https://shop.example ", "shop.example"),
            ("http://127.0.0.1:8080/sub/", "127.0.0.1:8080/sub"),
            ("HTTPS://shop.example:443/a/b", "shop.example/a/b"),
        ] {
            assert_eq!(Origin::as_given(address).unwrap().account(), account);
        }
        let error = Origin::as_given("ftp://shop.example").unwrap_err();
        assert!(error.to_string().contains("https://"), "{error}");
    }
}
