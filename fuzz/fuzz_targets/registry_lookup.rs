//! The values of variables, one a line: connector, address, key, secret, key in the query, private hosts.
//!
//! An error names the variable, and nothing shows the secret. No file is named, so none is opened.
#![no_main]

use lily_connect::ConnectorConfig;
use lily_connect::error::ErrorKind;
use lily_connect_fuzz::check_error;

const NAMES: [&str; 6] = [
    "LILY_CONNECTOR",
    "WOOCOMMERCE_URL",
    "WOOCOMMERCE_KEY",
    "WOOCOMMERCE_SECRET",
    "WOOCOMMERCE_KEY_IN_QUERY",
    "LILY_ALLOW_PRIVATE_HOSTS",
];
const PLANTED: &str = "planted5e1f";

libfuzzer_sys::fuzz_target!(|text: &str| {
    let mut values = [const { String::new() }; NAMES.len()];
    for (value, line) in values.iter_mut().zip(text.split('\n')) {
        value.push_str(line);
    }
    if text.contains(PLANTED) {
        return;
    }
    if !values[3].is_empty() {
        values[3].insert_str(0, PLANTED);
    }
    let lookup =
        |name: &str| NAMES.iter().position(|known| *known == name).map(|at| values[at].clone().into());
    let shown = match ConnectorConfig::from_lookup(&lookup) {
        Ok(config) => format!("{config:?}"),
        Err(error) => {
            check_error(&error);
            assert_eq!(error.kind(), ErrorKind::Config, "{error}");
            format!("{error} {error:?}")
        }
    };
    assert!(!shown.contains(PLANTED), "{shown}");
});
