use super::*;
use crate::model::{Field, Platform, Product, RecordRef, Variant};

fn reference(kind: Entity, id: &str) -> RecordRef {
    RecordRef::new(Platform::new("woocommerce"), kind, id)
}

fn product(id: &str, title: &str) -> Record {
    let mut product = Product::new(reference(Entity::Product, id));
    product.title = Field::Value(title.into());
    Record::Product(Box::new(product))
}

fn localised(id: &str, locale: Option<&str>, scope: Option<&str>) -> Record {
    let mut product = Product::new(reference(Entity::Product, id));
    product.locale = locale.map(Into::into);
    product.scope = scope.map(Into::into);
    Record::Product(Box::new(product))
}

fn variant(id: &str) -> Record {
    Record::Variant(Box::new(Variant::new(reference(Entity::Variant, id))))
}

fn rejected(id: &str) -> Rejected {
    Rejected::new(Entity::Product, Some(id.into()), vec!["price: expected a decimal".to_owned()])
}

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("out.jsonl")
    }

    fn partial(&self) -> PathBuf {
        self.folder.path().join("out.jsonl.partial")
    }

    fn open(&self) -> JsonlSink {
        JsonlSink::create(self.path()).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn records(&self) -> Vec<Record> {
        read(&self.path())
    }

    fn rejected_ids(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.path().join("out.jsonl.rejected")).unwrap_or_default();
        text.lines()
            .map(|line| {
                serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].as_str().unwrap().into()
            })
            .collect()
    }
}

fn read(path: &Path) -> Vec<Record> {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn records_are_written_one_a_line_and_no_other_file_is_left() {
    let place = Place::new();
    let records =
        [product("1", "Caf\u{e9} \u{1f9e2}\n\u{2028}\"quoted\" \u{0}"), variant("1"), product("2", "")];
    let mut sink = place.open();
    assert_eq!(sink.delivery(), Delivery::Once);
    sink.write(&records[..2]).await.unwrap();
    sink.write(&records[2..]).await.unwrap();
    assert_eq!(place.names(), ["out.jsonl.partial"]);
    let finished = sink.finish().await.unwrap();
    assert_eq!((finished.records, finished.repeated), (3, 0));
    assert_eq!(place.records(), records);
    assert_eq!(place.names(), ["out.jsonl"]);
}

#[tokio::test]
async fn a_run_without_records_makes_an_empty_file() {
    let place = Place::new();
    let mut sink = place.open();
    assert_eq!(sink.mark().await.unwrap(), SinkMark(0));
    sink.rewind(SinkMark(0)).await.unwrap();
    sink.finish().await.unwrap();
    assert!(place.records().is_empty());
}

#[tokio::test]
async fn a_mark_is_the_length_on_the_disk() {
    let place = Place::new();
    let mut sink = place.open();
    sink.write(&[product("1", "Cap")]).await.unwrap();
    let first = sink.mark().await.unwrap();
    assert_eq!(first.0, std::fs::metadata(place.partial()).unwrap().len());
    assert_eq!(sink.mark().await.unwrap(), first);
    sink.write(&[product("2", "Hat")]).await.unwrap();
    let second = sink.mark().await.unwrap();
    assert!(second > first);
    assert_eq!(second.0, std::fs::metadata(place.partial()).unwrap().len());
}

#[tokio::test]
async fn r8_a_rewind_drops_what_came_after_the_mark() {
    let place = Place::new();
    let mut sink = place.open();
    sink.write(&[product("1", "Cap")]).await.unwrap();
    let mark = sink.mark().await.unwrap();
    // Both what is in memory and what is in the file already.
    sink.write(&[product("2", "Hat")]).await.unwrap();
    sink.mark().await.unwrap();
    sink.write(&[product("3", "Bag")]).await.unwrap();
    sink.rewind(mark).await.unwrap();
    sink.write(&[product("4", "Belt")]).await.unwrap();
    sink.finish().await.unwrap();
    assert_eq!(place.records(), [product("1", "Cap"), product("4", "Belt")]);
}

#[tokio::test]
async fn r8_a_sink_behind_the_mark_is_an_error_and_takes_nothing_more() {
    let place = Place::new();
    let mut sink = place.open();
    sink.write(&[product("1", "Cap")]).await.unwrap();
    let mark = sink.mark().await.unwrap();
    let error = sink.rewind(SinkMark(mark.0 + 1)).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Sink, "sink_behind"));
    assert_eq!(sink.write(&[product("2", "Hat")]).await.unwrap_err().code(), "sink_failed");
    let error = sink.rewind(SinkMark(mark.0 - 1)).await.unwrap_err();
    assert_eq!(error.code(), "sink_mark_unknown");
    sink.rewind(mark).await.unwrap();
    sink.write(&[product("2", "Hat")]).await.unwrap();
    assert_eq!(sink.finish().await.unwrap().records, 2);
}

#[tokio::test]
async fn of_a_record_that_comes_again_the_last_line_stays() {
    let place = Place::new();
    let mut sink = place.open();
    sink.write(&[
        product("1", "old"),
        product("2", "Hat"),
        variant("1"),
        localised("1", Some("de"), None),
        localised("1", None, Some("de")),
        localised("1", Some(""), None),
    ])
    .await
    .unwrap();
    sink.write(&[product("1", "newer"), product("3", "Bag"), product("1", "newest")]).await.unwrap();
    let finished = sink.finish().await.unwrap();
    assert_eq!((finished.records, finished.repeated), (7, 2));
    let expected = [
        product("2", "Hat"),
        variant("1"),
        localised("1", Some("de"), None),
        localised("1", None, Some("de")),
        localised("1", Some(""), None),
        product("3", "Bag"),
        product("1", "newest"),
    ];
    assert_eq!(place.records(), expected);
    assert_eq!(place.names(), ["out.jsonl"]);
}

#[tokio::test]
async fn a_record_that_comes_again_in_a_resumed_run_is_kept_once() {
    for rewound_in_between in [false, true] {
        let place = Place::new();
        let mut sink = place.open();
        sink.write(&[product("1", "old"), product("\u{fc}-2 \"q\"", "Hat")]).await.unwrap();
        let mark = sink.mark().await.unwrap();
        if rewound_in_between {
            sink.rewind(mark).await.unwrap();
        }
        drop(sink);
        let mut sink = place.open();
        sink.rewind(mark).await.unwrap();
        sink.write(&[product("\u{fc}-2 \"q\"", "Hut"), product("3", "Bag")]).await.unwrap();
        let finished = sink.finish().await.unwrap();
        assert_eq!((finished.records, finished.repeated), (3, 1));
        let expected = [product("1", "old"), product("\u{fc}-2 \"q\"", "Hut"), product("3", "Bag")];
        assert_eq!(place.records(), expected);
    }
}

#[tokio::test]
async fn a_kill_at_any_byte_leaves_a_file_that_goes_on() {
    let place = Place::new();
    let mut sink = place.open();
    let records = [product("1", "Caf\u{e9}"), product("2", "\u{1f9e2}"), variant("9")];
    let mut marks = vec![sink.mark().await.unwrap()];
    for record in &records {
        sink.write(std::slice::from_ref(record)).await.unwrap();
        marks.push(sink.mark().await.unwrap());
    }
    drop(sink);
    let whole = std::fs::read(place.partial()).unwrap();
    for length in 0..=whole.len() {
        std::fs::write(place.partial(), &whole[..length]).unwrap();
        let mut sink = place.open();
        let mut kept = 0;
        for (lines, mark) in marks.iter().enumerate() {
            if mark.0 <= length as u64 {
                kept = lines;
            } else {
                assert_eq!(sink.rewind(*mark).await.unwrap_err().code(), "sink_behind");
            }
        }
        sink.rewind(marks[kept]).await.unwrap();
        sink.write(&records[kept..]).await.unwrap();
        sink.finish().await.unwrap();
        assert_eq!(place.records(), records, "{length} bytes");

        // Without a rewind, too, a torn line never runs into the next one.
        std::fs::write(place.partial(), &whole[..length]).unwrap();
        let mut sink = place.open();
        sink.write(&records[kept..]).await.unwrap();
        sink.finish().await.unwrap();
        assert_eq!(place.records(), records, "{length} bytes");
    }
}

#[tokio::test]
async fn rejected_records_have_a_file_that_is_rewound_with_the_lines() {
    let place = Place::new();
    let mut sink = place.open();
    sink.write(&[product("1", "Cap")]).await.unwrap();
    sink.reject(&rejected("r1")).await.unwrap();
    sink.write(&[product("2", "Hat")]).await.unwrap();
    let mark = sink.mark().await.unwrap();
    assert_eq!(place.rejected_ids(), ["r1"]);
    sink.write(&[product("3", "Bag")]).await.unwrap();
    sink.reject(&rejected("r2")).await.unwrap();
    sink.mark().await.unwrap();
    sink.rewind(mark).await.unwrap();
    assert_eq!(place.rejected_ids(), ["r1"]);
    sink.write(&[product("3", "Bag")]).await.unwrap();
    sink.reject(&rejected("r2")).await.unwrap();
    drop(sink);

    let mut sink = place.open();
    sink.rewind(mark).await.unwrap();
    sink.reject(&rejected("r3")).await.unwrap();
    sink.finish().await.unwrap();
    assert_eq!(place.rejected_ids(), ["r1", "r3"]);
    assert_eq!(place.names(), ["out.jsonl", "out.jsonl.rejected"]);

    // A new run begins without those of the run before.
    place.open().finish().await.unwrap();
    assert_eq!(place.names(), ["out.jsonl"]);
}

#[tokio::test]
async fn a_path_has_one_sink_at_a_time() {
    let place = Place::new();
    let mut sink = place.open();
    assert_eq!(JsonlSink::create(place.path()).unwrap_err().code(), "sink_in_use");
    sink.write(&[product("1", "Cap")]).await.unwrap();
    sink.finish().await.unwrap();
    // A new run leaves the finished file alone until it is finished itself.
    let mut sink = place.open();
    sink.rewind(SinkMark(0)).await.unwrap();
    assert_eq!(place.records().len(), 1);
    sink.finish().await.unwrap();
    assert!(place.records().is_empty());
}

#[tokio::test]
async fn many_long_records_come_out_whole_and_the_buffers_stay_small() {
    let place = Place::new();
    let mut sink = place.open();
    let long = "x".repeat(6_000);
    let records: Vec<Record> = (0..300).map(|id| product(&id.to_string(), &long)).collect();
    for page in records.chunks(100) {
        sink.write(page).await.unwrap();
        assert!(sink.lines.memory_bytes() <= 1024 * 1024, "{}", sink.lines.memory_bytes());
    }
    let huge = product("huge", &"y".repeat(3_000_000));
    sink.write(std::slice::from_ref(&huge)).await.unwrap();
    sink.mark().await.unwrap();
    assert!(sink.lines.memory_bytes() <= 1024 * 1024);
    sink.finish().await.unwrap();
    let found = place.records();
    assert_eq!((&found[..300], &found[300]), (records.as_slice(), &huge));
}

#[tokio::test]
async fn a_line_that_is_no_record_is_reported_with_its_number() {
    let place = Place::new();
    std::fs::write(place.partial(), "{\"entity\":\"product\",\"ref\":{\"id\":\"1\"}}\nno json\n").unwrap();
    let error = place.open().finish().await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Sink, "sink_line_unreadable"));
    assert_eq!(error.context(), [("line", "2".to_owned())]);
    assert_eq!(place.names(), ["out.jsonl.partial"]);
}

#[test]
fn a_folder_that_is_missing_is_an_error() {
    let place = Place::new();
    let path = place.folder.path().join("none").join("out.jsonl");
    let error = JsonlSink::create(&path).unwrap_err();
    assert_eq!(error.code(), "sink_failed");
    assert_eq!(error.context(), [("file", path.display().to_string())]);
}

fn is_refused(place: &Place, path: &Path) {
    let before = place.names();
    let error = JsonlSink::create(path).unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Sink, "sink_not_a_file"));
    assert_eq!(error.context(), [("file", path.display().to_string())]);
    assert_eq!(error.remedy(), "name a file that does not exist yet, or one that may be replaced");
    assert_eq!(place.names(), before);
}

#[test]
fn a_folder_in_the_files_place_is_refused_before_anything_is_made() {
    let place = Place::new();
    std::fs::create_dir(place.path()).unwrap();
    is_refused(&place, &place.path());
}

#[cfg(unix)]
#[test]
fn a_link_in_the_files_place_is_refused_before_anything_is_made() {
    let place = Place::new();
    let target = place.folder.path().join("target");
    std::os::unix::fs::symlink(&target, place.path()).unwrap();
    is_refused(&place, &place.path());
    std::fs::write(&target, "kept").unwrap();
    is_refused(&place, &place.path());
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "kept");
}
