//! The fast ways against the slow ones, on seeded bodies.

use serde_json::json;

use super::Document;
use super::answer::Answer;
use super::page_info::{PageInfo, from_head, from_tail, whole};
use crate::error::ErrorKind;
use crate::http::Idempotency;
use crate::testkit::random::SeededRandom;

const SEED: u64 = 0x6c1a;

/// Texts that look like what is searched for.
const HOSTILE: &[&str] = &[
    "",
    "plain",
    r#"},"extensions":{"cost":{}}}"#,
    r#"\"},"extensions":{"#,
    r#"","errors":[{"message":"x"}],"a":""#,
    "\"pageInfo\":{\"hasNextPage\":true}}}}}",
    r#"\\"#,
    "}}}}]]",
    "{\"data\":{",
    "é\u{2028}\n\t\u{0}",
    "extensions",
    "errors",
    "pageInfo",
];

/// Writes JSON with names and texts that try to mislead; `wide` bodies have blanks.
struct Writer {
    random: SeededRandom,
    out: String,
    blanks: bool,
}

impl Writer {
    fn blank(&mut self) {
        if self.blanks && self.random.chance(200) {
            self.out.push([' ', '\n', '\t'][usize::try_from(self.random.below(3)).unwrap()]);
        }
    }

    fn push(&mut self, text: &str) {
        self.blank();
        self.out.push_str(text);
        self.blank();
    }

    fn text(&mut self) {
        let text = *self.random.pick(HOSTILE).unwrap();
        self.push(&serde_json::to_string(text).unwrap());
    }

    fn name(&mut self) {
        let name = [
            "a",
            "b",
            "nodes",
            "extensions",
            "errors",
            "pageInfo",
            "data",
            "\\\"extensions",
            "x\\\"pageInfo",
        ][usize::try_from(self.random.below(9)).unwrap()];
        self.push(&format!("\"{name}\":"));
    }

    fn value(&mut self, depth: u32) {
        match self.random.below(if depth == 0 { 5 } else { 8 }) {
            0 => self.push("null"),
            1 => self.push("-1.5e3"),
            2 => self.push("true"),
            3 | 4 => self.text(),
            5 => self.list(depth - 1),
            _ => self.object(depth - 1),
        }
    }

    fn list(&mut self, depth: u32) {
        self.push("[");
        for n in 0..self.random.below(4) {
            if n > 0 {
                self.push(",");
            }
            self.value(depth);
        }
        self.push("]");
    }

    fn object(&mut self, depth: u32) {
        self.push("{");
        for n in 0..self.random.below(4) {
            if n > 0 {
                self.push(",");
            }
            self.name();
            self.value(depth);
        }
        self.push("}");
    }

    fn page_info(&mut self) {
        let cursor = *self.random.pick(HOSTILE).unwrap();
        let info = match self.random.below(8) {
            0 => "null".to_owned(),
            1 => r#"{"hasNextPage":7}"#.to_owned(),
            2 => r#"{"endCursor":null,"hasNextPage":false}"#.to_owned(),
            3 => json!({ "hasNextPage": true, "endCursor": cursor, "more": { "pageInfo": {} } }).to_string(),
            _ => json!({ "hasNextPage": true, "endCursor": cursor }).to_string(),
        };
        self.push("\"pageInfo\":");
        self.push(&info);
    }

    /// The members of an answer in some order, each of them sometimes odd.
    fn answer(&mut self) {
        let mut members = vec!["data"];
        if self.random.chance(200) {
            members.push("errors");
        }
        if self.random.chance(800) {
            members.push("extensions");
        }
        if self.random.chance(100) {
            members.push("other");
        }
        if self.random.chance(150) {
            let by = usize::try_from(self.random.below(4)).unwrap() % members.len();
            members.rotate_left(by);
        }
        self.push("{");
        for (n, member) in members.into_iter().enumerate() {
            if n > 0 {
                self.push(",");
            }
            self.push(&format!("\"{member}\":"));
            match self.random.below(10) {
                0 => self.value(3),
                1 => self.list(2),
                _ => self.object(4),
            }
        }
        self.push("}");
    }
}

fn writer(random: &mut SeededRandom) -> Writer {
    let blanks = random.chance(200);
    Writer { random: SeededRandom::new(random.next_u64()), out: String::new(), blanks }
}

#[test]
fn an_answer_read_from_its_ends_is_the_one_read_as_a_whole() {
    eprintln!("seed {SEED:#x}");
    let mut random = SeededRandom::new(SEED);
    let mut fast = 0;
    for n in 0..30_000 {
        let mut writer = writer(&mut random);
        writer.answer();
        let body = writer.out;
        // Names may come twice in these bodies, which no reader of types takes.
        if serde_json::from_str::<serde_json::Value>(&body).is_err() {
            panic!("the test writes JSON: {body}");
        }
        let slow = Answer::whole(body.as_bytes()).map(|answer| format!("{answer:?}")).map_err(|_| ());
        if let Some(answer) = Answer::from_ends(body.as_bytes()) {
            fast += 1;
            assert_eq!(Ok(format!("{answer:?}")), slow, "{n}: {body}");
        }
    }
    assert!(fast > 4000, "only {fast} were read from their ends");
}

#[test]
fn an_end_of_a_list_that_is_found_from_an_end_of_the_body_is_the_one_of_a_whole_read() {
    eprintln!("seed {SEED:#x}");
    let mut random = SeededRandom::new(SEED);
    let (mut heads, mut tails) = (0, 0);
    for n in 0..30_000 {
        let path =
            [&["list"][..], &["one", "list"], &["a", "b", "list"]][usize::try_from(random.below(3)).unwrap()];
        let sole = random.chance(600);
        let mut writer = writer(&mut random);
        let sibling = |writer: &mut Writer, name: &str| {
            writer.push(&format!("\"{name}\":"));
            writer.object(3);
        };
        writer.push("{");
        writer.push("\"data\":");
        writer.push("{");
        for name in path {
            if !sole && writer.random.chance(300) {
                sibling(&mut writer, "before");
                writer.push(",");
            }
            writer.push(&format!("\"{name}\":"));
            writer.push("{");
        }
        // The list's own members, in one of their orders.
        let first = writer.random.chance(300);
        if first {
            writer.page_info();
            writer.push(",");
        }
        writer.push("\"nodes\":");
        writer.list(4);
        if !first && writer.random.chance(900) {
            writer.push(",");
            writer.page_info();
        }
        if writer.random.chance(100) {
            writer.push(",");
            sibling(&mut writer, "more");
        }
        for _ in path {
            writer.push("}");
            if !sole && writer.random.chance(300) {
                writer.push(",");
                sibling(&mut writer, "after");
            }
        }
        writer.push("}");
        if writer.random.chance(700) {
            writer.push(",");
            sibling(&mut writer, "extensions");
        }
        writer.push("}");
        let body = writer.out.as_bytes();

        let slow = whole(body, path).map_err(|_| ());
        if let Some(info) = from_head(body, path) {
            heads += 1;
            assert_eq!(Ok(Some(info)), slow, "{n}: {}", writer.out);
        }
        if sole && let Some(info) = from_tail(body, path) {
            tails += 1;
            assert_eq!(Ok(Some(info)), slow, "{n}: {}", writer.out);
        }
    }
    assert!(heads > 1000 && tails > 1000, "{heads} from the head, {tails} from the tail");
}

#[test]
fn no_cut_of_a_body_makes_a_reader_panic() {
    let body = r#"{"data":{"list":{"nodes":[{"a":"é\"}"}],"pageInfo":{"hasNextPage":true,"endCursor":"c"}}},"errors":[{"message":"m","path":["a",1]}],"extensions":{"cost":{"n":1}}}"#;
    for end in 0..=body.len() {
        for start in [0, 1, 9, 30] {
            let part = &body.as_bytes()[start.min(end)..end];
            drop(Answer::read(part));
            drop(PageInfo::read(part, &["list"]));
            drop(PageInfo::read_sole(part, &["list"]));
        }
    }
}

#[test]
fn an_answer_tells_data_errors_and_extensions() {
    let read = |body: &'static str| Answer::read(body.as_bytes()).unwrap();
    let answer = read(r#"{"data":{"a":1},"extensions":{"cost":{"n":7}}}"#);
    assert_eq!((answer.data, answer.errors.len()), (super::Data::Present, 0));
    assert_eq!(answer.extensions::<serde_json::Value>(), Some(json!({"cost":{"n":7}})));
    assert_eq!(answer.extensions::<Vec<u8>>(), None);
    let answer = read(
        r#"{"errors":[{"message":"Throttled","extensions":{"code":"THROTTLED"}}],"extensions":{"n":1}}"#,
    );
    assert_eq!(answer.data, super::Data::Absent);
    assert!(answer.error("THROTTLED").is_some() && answer.error("OTHER").is_none());
    assert!(answer.extensions::<serde_json::Value>().is_some());
    let answer = read(r#"{"data":null,"errors":"is refused"}"#);
    assert_eq!((answer.data, answer.errors[0].message.as_str()), (super::Data::Null, "is refused"));
    for broken in ["", "[]", "[1]", "null", "<html>", r#"{"data":{"a":1}"#] {
        assert_eq!(Answer::read(broken.as_bytes()).unwrap_err().kind(), ErrorKind::Protocol, "{broken}");
    }
}

#[test]
fn a_list_that_goes_on_has_a_cursor_and_one_that_is_null_no_end() {
    let read = |body: &str| PageInfo::read(body.as_bytes(), &["one", "list"]);
    let info =
        read(r#"{"data":{"one":{"list":{"pageInfo":{"hasNextPage":true,"endCursor":"c"},"nodes":["#).unwrap();
    assert_eq!(info.unwrap().next().unwrap().as_deref(), Some("c"));
    let info =
        read(r#"{"data":{"x":1,"one":{"list":{"nodes":[],"pageInfo":{"hasNextPage":false}}}}}"#).unwrap();
    assert_eq!(info.unwrap().next().unwrap(), None);
    assert!(read(r#"{"data":{"one":null}}"#).unwrap().is_none());
    for missing in
        [r#"{"data":{}}"#, r#"{"data":{"one":{"list":{"nodes":[]}}}}"#, r#"{"data":{"one":7}}"#, "x"]
    {
        assert_eq!(read(missing).unwrap_err().code(), "page_info_missing", "{missing}");
    }
    let long =
        json!({"data":{"one":{"list":{"pageInfo":{"hasNextPage":true,"endCursor":"c".repeat(9000)}}}}});
    assert_eq!(read(&long.to_string()).unwrap_err().code(), "cursor_too_long");
    // The name of a member may end as the one that is looked for.
    let other =
        r#"{"data":{"one":{"list":{"nodes":[],"x\"pageInfo":{"hasNextPage":true,"endCursor":"c"}}}}}"#;
    assert_eq!(
        PageInfo::read_sole(other.as_bytes(), &["one", "list"]).unwrap_err().code(),
        "page_info_missing"
    );
    let nowhere = r#"{"data":{"one":{"list":{"pageInfo":{"hasNextPage":true,"endCursor":null}}}}}"#;
    assert_eq!(read(nowhere).unwrap().unwrap().next().unwrap_err().code(), "cursor_missing");
}

static PAGE: Document = Document::new(
    "page",
    "query Page($first: Int!, $after: String) { items(first: $first, after: $after) { nodes { id ...Rest } } }
     fragment Rest on Item { name }",
);
static RENAME: Document = Document::new(
    "rename",
    "mutation($ids: [ID!]!) { rename(items: $ids) { item { id } userErrors { message } } }",
);

#[test]
fn a_document_makes_the_request_with_its_cost_and_shape() {
    let page = |first: u32| PAGE.request("graphql.json", &json!({ "first": first, "after": "c\"" })).unwrap();
    let request = page(50);
    let body: serde_json::Value = serde_json::from_slice(request.body.as_deref().unwrap()).unwrap();
    assert_eq!(
        body,
        json!({ "query": PAGE.text(), "variables": { "first": 50, "after": "c\"" }, "operationName": "Page" })
    );
    assert_eq!((request.idempotency, request.cost), (Idempotency::Safe, 52));
    assert_eq!(request.method, http::Method::POST);
    // Another place in the list is the same shape, another size is not, and both are of one family.
    let (same, other) = (PAGE.request("g", &json!({ "first": 50, "after": null })).unwrap(), page(51));
    assert_eq!(same.cost_key, request.cost_key);
    assert_ne!(other.cost_key, request.cost_key);
    let family = |request: &crate::http::ApiRequest| request.cost_key.map(|key| key >> 32);
    assert_eq!(family(&other), family(&request));

    let rename = |ids: &[&str]| RENAME.request("g", &json!({ "ids": ids })).unwrap();
    let request = rename(&["a"]);
    assert_eq!((request.idempotency, request.cost), (Idempotency::Once, 12));
    assert!(RENAME.is_mutation().unwrap() && !PAGE.is_mutation().unwrap());
    assert_eq!(rename(&["b"]).cost_key, request.cost_key);
    assert_ne!(rename(&["a", "b"]).cost_key, request.cost_key);
    assert!(!request.body.as_deref().unwrap().windows(13).any(|part| part == b"operationName"));
    assert_ne!(family(&request), family(&page(50)));
}

#[test]
fn what_is_no_document_and_no_variables_is_told_by_name() {
    static BROKEN: Document = Document::new("broken", "query {\n a(first: ) { b } }");
    let error = BROKEN.request("g", &json!({})).unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Config, "document_unreadable"));
    assert!(error.to_string().contains("document=broken line=2 expected=a value"), "{error}");
    for variables in [json!([]), json!("s3cret"), json!(1)] {
        let error = PAGE.request("g", &variables).unwrap_err();
        assert_eq!(error.code(), "variables_unusable");
        assert!(!error.to_string().contains("s3cret"));
    }
    assert!(PAGE.request("g", &()).is_ok());
}
