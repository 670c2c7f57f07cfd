//! Which addresses may be reached: the guard against requests into networks that are none of ours.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// Why a host was refused before anything was sent to it.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the host is, or resolves to, an address that is not public")]
pub(super) struct NotPublic;

/// Checks the host of an address where it is a literal; names are checked when they are resolved, since
/// a resolver is never asked about a literal.
pub(super) fn check_literal(url: &Url) -> Result<(), NotPublic> {
    let public = match url.host() {
        Some(Host::Ipv4(address)) => is_public_v4(address),
        Some(Host::Ipv6(address)) => is_public_v6(address),
        Some(Host::Domain(name)) => !name.is_empty(),
        None => false,
    };
    if public { Ok(()) } else { Err(NotPublic) }
}

/// Whether an address lies in the public internet.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// By the IANA special-purpose registry for IPv4 (read 2026-11-22): everything in it is refused.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !matches!(
        (a, b, c),
        (0 | 10 | 127 | 224..=255, _, _)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (192, 168, _)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    )
}

/// By the IANA special-purpose registry for IPv6 (read 2026-11-22): only global unicast passes, and an
/// address that carries an IPv4 address passes where that one does.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match (a, b) {
        // IPv4-mapped.
        (0, 0) if (c, d, e, f) == (0, 0, 0, 0xffff) => v4(g, h),
        // The well-known prefix of translators (NAT64).
        (0x0064, 0xff9b) if (c, d, e, f) == (0, 0, 0, 0) => v4(g, h),
        // Protocol assignments (Teredo and ORCHID among them), documentation, 6to4.
        (0x2001, 0..=0x01ff | 0x0db8) | (0x3fff, 0..=0x0fff) => false,
        (0x2002, _) => v4(b, c),
        _ => a & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_that_are_not_public_are_refused_in_every_spelling() {
        for host in [
            "127.0.0.1",
            "2130706433",
            "0x7f.1",
            "0177.0.0.1",
            "127.1",
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "169.254.169.254",
            "172.31.255.255",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "[::1]",
            "[::]",
            "[::ffff:7f00:1]",
            "[::ffff:10.0.0.1]",
            "[64:ff9b::a00:1]",
            "[fe80::1]",
            "[fd00::1]",
            "[ff02::1]",
            "[2001:db8::1]",
            "[2002:7f00:1::]",
        ] {
            let url = Url::parse(&format!("https://{host}/")).unwrap();
            assert!(check_literal(&url).is_err(), "{host}");
        }
    }

    #[test]
    fn public_literals_and_names_pass() {
        for host in ["8.8.8.8", "172.32.0.1", "[2606:4700::1111]", "[::ffff:8.8.8.8]", "shop.example"] {
            let url = Url::parse(&format!("https://{host}/")).unwrap();
            assert!(check_literal(&url).is_ok(), "{host}");
        }
        assert!(is_public("1.1.1.1".parse().unwrap()));
        assert!(!is_public("::ffff:192.168.0.1".parse().unwrap()));
    }
}
