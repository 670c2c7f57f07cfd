//! A line of enrichments: what was read is written and read as the same.
#![no_main]

use lily_connect::model::Enrichment;
use lily_connect_fuzz::again;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(enrichment) = serde_json::from_slice::<Enrichment>(data) {
        // A number of JSON may take one more trip to settle.
        let once = again(&enrichment);
        assert_eq!(again(&once), once);
        assert_eq!(once.fields.len(), enrichment.fields.len());
        assert_eq!((&once.target, once.made_at), (&enrichment.target, enrichment.made_at));
    }
});
