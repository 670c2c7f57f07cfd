//! Deliveries that are signed by Standard Webhooks (github.com/standard-webhooks/standard-webhooks,
//! spec/standard-webhooks.md, read 2026-11-22): id, time and body in one signature.

use std::time::Duration;

use super::{Incoming, Signature, must_be_fresh};
use crate::error::{Error, ErrorKind, Result};
use crate::time::Timestamp;

/// The header of the delivery's id.
pub const STANDARD_ID: &str = "webhook-id";
/// The header of the time at which it was sent, in seconds since the start of 1970.
pub const STANDARD_TIMESTAMP: &str = "webhook-timestamp";
/// The header of the signatures, one for each key in use.
pub const STANDARD_SIGNATURE: &str = "webhook-signature";
/// How far the time may be off, either way: what the standard's libraries take.
const TOLERANCE: Duration = Duration::from_secs(300);
/// The most signatures that are tried.
const MAX_SIGNATURES: usize = 8;
/// The longest id and the longest list of signatures that are read.
const MAX_ID: usize = 200;
const MAX_LIST: usize = 1_024;

/// A delivery whose signature is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StandardDelivery<'i> {
    /// Its id, which a repetition has, too.
    pub id: &'i str,
    /// When it was sent.
    pub sent: Timestamp,
}

/// Checks that one of the keys signed id, time and body, and that the time is near. A key is the bytes that sign:
/// a secret that is written in base64 is decoded before.
///
/// # Errors
/// `Auth` with code `webhook_unsigned` or `webhook_signature_wrong`; `Rejected` with code `webhook_not_fresh`; `Config`
/// where there is no usable key.
pub fn verify_standard<'i>(
    incoming: &'i Incoming,
    keys: &[impl AsRef<[u8]>],
) -> Result<StandardDelivery<'i>> {
    let unsigned = || {
        Error::new(ErrorKind::Auth, "webhook_unsigned", "the delivery has no signature")
            .with_remedy("answer 401; see that a proxy passes all headers on")
    };
    let id = incoming
        .header(STANDARD_ID)
        .filter(|id| !id.is_empty() && id.len() <= MAX_ID)
        .ok_or_else(unsigned)?;
    let time = incoming.header(STANDARD_TIMESTAMP).ok_or_else(unsigned)?;
    let list =
        incoming.header(STANDARD_SIGNATURE).filter(|list| list.len() <= MAX_LIST).ok_or_else(unsigned)?;
    let mut signed = Vec::with_capacity(id.len() + time.len() + 2 + incoming.body().len());
    for part in [id.as_bytes(), b".", time.as_bytes(), b".", incoming.body()] {
        signed.extend_from_slice(part);
    }
    let mut last = None;
    for signature in list.split(' ').filter_map(|one| one.strip_prefix("v1,")).take(MAX_SIGNATURES) {
        match Signature::from_base64(Some(signature))
            .and_then(|signature| signature.must_be_of(&signed, keys))
        {
            Ok(()) => {
                let seconds = time.parse::<i64>().ok().filter(|seconds| seconds.to_string() == time);
                let sent = seconds.and_then(|seconds| Timestamp::from_unix_seconds(seconds).ok());
                let sent = sent.ok_or_else(unsigned)?;
                must_be_fresh(sent, incoming.received(), TOLERANCE)?;
                return Ok(StandardDelivery { id, sent });
            }
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(unsigned))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use http::{HeaderMap, HeaderValue};

    use super::*;
    use crate::model::Mac;

    fn incoming(headers: &[(&'static str, &str)], body: &str, received: i64) -> Incoming {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, HeaderValue::from_str(value).unwrap());
        }
        Incoming::new(map, body.to_owned(), Timestamp::from_unix_seconds(received).unwrap()).unwrap()
    }

    /// The published vector of the standard's libraries: key, id, time, body and signature.
    #[test]
    fn the_published_vector_verifies_by_the_decoded_key_and_not_by_its_text() {
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let headers = [
            (STANDARD_ID, "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            (STANDARD_TIMESTAMP, "1614265330"),
            (STANDARD_SIGNATURE, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        ];
        let body = r#"{"test": 2432232314}"#;
        let known = incoming(&headers, body, 1_614_265_330);
        assert_eq!(verify_standard(&known, &[&key]).unwrap().id, "msg_p5jXN8AQM9LWM0D4loKWxJek");
        let by_text = verify_standard(&known, &[b"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]).unwrap_err();
        assert_eq!(by_text.code(), "webhook_signature_wrong");
        for late in [1_614_265_330 + 301, 1_614_265_330 - 301] {
            assert_eq!(
                verify_standard(&incoming(&headers, body, late), &[&key]).unwrap_err().code(),
                "webhook_not_fresh"
            );
        }
    }

    #[test]
    fn id_time_and_body_are_signed_and_any_of_several_signatures_will_do() {
        let sign =
            |text: &str, key: &[u8]| STANDARD.encode(Mac::of(text.as_bytes(), key).unwrap().as_bytes());
        let good = format!("v1,{}", sign("m1.1000.{}", b"key"));
        let other = format!("v1,{}", sign("m1.1000.{}", b"old"));
        let code = |id: &str, time: &str, list: &str, body: &str| {
            let headers = [(STANDARD_ID, id), (STANDARD_TIMESTAMP, time), (STANDARD_SIGNATURE, list)];
            match verify_standard(&incoming(&headers, body, 1000), &[b"key"]) {
                Ok(_) => "ok".to_owned(),
                Err(error) => error.code().to_owned(),
            }
        };
        assert_eq!(code("m1", "1000", &good, "{}"), "ok");
        assert_eq!(code("m1", "1000", &format!("v1a,x {other} {good}"), "{}"), "ok");
        assert_eq!(code("m2", "1000", &good, "{}"), "webhook_signature_wrong");
        assert_eq!(code("m1", "1001", &good, "{}"), "webhook_signature_wrong");
        assert_eq!(code("m1", "1000", &good, "{ }"), "webhook_signature_wrong");
        assert_eq!(code("m1", "1000", &other, "{}"), "webhook_signature_wrong");
        for nothing in ["", "v2,abc", &good[3..]] {
            assert_eq!(code("m1", "1000", nothing, "{}"), "webhook_unsigned", "{nothing}");
        }
        assert_eq!(code("", "1000", &good, "{}"), "webhook_unsigned");
        let odd = format!("v1,{}", sign("m1.+1000.{}", b"key"));
        assert_eq!(code("m1", "+1000", &odd, "{}"), "webhook_unsigned");
    }
}
