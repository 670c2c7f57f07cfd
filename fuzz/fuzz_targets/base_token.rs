//! A base token: what was read is written and read as the same, in plain form and in JSON.
#![no_main]

use lily_connect::model::BaseToken;
use lily_connect_fuzz::again;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let token: BaseToken = text.parse().unwrap();
    assert_eq!(token.to_string().parse::<BaseToken>().unwrap(), token);
    assert_eq!(again(&token), token);
    match token.read() {
        Some(digest) => assert_eq!(BaseToken::from(digest), token),
        None => assert_eq!(token.to_string(), text, "what is not understood is kept"),
    }
});
