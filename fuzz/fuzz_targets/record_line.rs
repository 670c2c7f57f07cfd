//! A line of canonical records: what was read is written and read as the same.
#![no_main]

use lily_connect::model::Record;
use lily_connect_fuzz::again;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(record) = serde_json::from_slice::<Record>(data) {
        assert_eq!(again(&record), record);
    }
});
