//! What the fakes may call: nobody but this machine.

use url::{Host, Url};

use crate::error::{Error, ErrorKind, Result};

/// An address that the stand-in may call: a literal of the loopback network, or `localhost`.
pub(super) fn loopback(address: &str) -> Result<Url> {
    let refused = |what: &'static str| {
        Error::new(ErrorKind::Config, "delivery_refused", format!("the stand-in calls loopback only, {what}"))
            .with_remedy("give an address such as http://127.0.0.1:8080/")
    };
    let url = Url::parse(address).map_err(|_| refused("and this is no address"))?;
    let near = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if near { Ok(url) } else { Err(refused("and this is another host")) }
}
