//! Times and amounts: what was read is written and read as the same.
#![no_main]

use lily_connect::model::{Currency, Money};
use lily_connect::time::Timestamp;
use lily_connect_fuzz::again;

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(time) = text.parse::<Timestamp>() {
        assert_eq!(time.to_string().parse::<Timestamp>().unwrap(), time);
        assert_eq!(again(&time), time);
    }
    if let Ok(time) = Timestamp::parse_utc_civil(text) {
        assert_eq!(Timestamp::parse_utc_civil(time.to_string().trim_end_matches('Z')).unwrap(), time);
        assert!(text.starts_with(&time.to_utc_civil()), "{text} is {time}");
    }
    if let Ok(time) = Timestamp::parse_http_date(text)
        && (0..=9999).contains(&(time.unix_seconds() / 31_556_952 + 1970))
    {
        assert_eq!(Timestamp::parse_http_date(&time.to_http_date()).unwrap(), time);
    }
    let euro: Currency = "EUR".parse().unwrap();
    if let Ok(money) = Money::parse(text, euro) {
        assert_eq!(Money::parse(&money.amount(), euro).unwrap(), money);
        assert_eq!(again(&money), money);
    }
});
