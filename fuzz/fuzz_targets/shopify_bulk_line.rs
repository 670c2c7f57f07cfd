//! Lines of a bulk job's file, joined and mapped: the first byte chooses the list.
//!
//! Every record of a page comes out of it, and no page goes back.
#![no_main]

use std::fs::{File, OpenOptions};
use std::io::{Seek as _, Write as _};
use std::sync::{LazyLock, Mutex};

use lily_connect::connector::Connector;
use lily_connect::model::Entity;
use lily_connect::sync::Cancel;
use lily_connect::sync::bulk::{Join, JoinSettings};
use lily_connect_fuzz::{SHOPIFY, check_error, first};

static FILE: LazyLock<Mutex<File>> = LazyLock::new(|| {
    let path = std::env::temp_dir().join(format!("lily-fuzz-{}.jsonl", std::process::id()));
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    Mutex::new(file)
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((choice, body)) = first(data) else { return };
    let entity = [Entity::Product, Entity::Variant][choice % 2];
    let mut file = FILE.lock().unwrap();
    file.set_len(0).unwrap();
    file.rewind().unwrap();
    file.write_all(&body).unwrap();
    let joints = SHOPIFY.connector.bulk().unwrap().joints(entity);
    let mut settings = JoinSettings::default();
    settings.page_records = 1 + choice / 2 % 8;
    let mut join =
        Join::open(file.try_clone().unwrap(), entity, joints, &settings, &Cancel::default()).unwrap();
    let mut at = 0;
    while let Some(page) = join.next_page().unwrap() {
        assert!(page.first >= at && page.next > page.first, "{} to {} after {at}", page.first, page.next);
        at = page.next;
        match SHOPIFY.map(&page.items) {
            Ok(mapped) => {
                assert_eq!((mapped.records.len() + mapped.rejected.len()) as u64, page.next - page.first);
            }
            Err(error) => check_error(&error),
        }
    }
    assert!(at <= join.counts().roots, "more records than the file has");
});
