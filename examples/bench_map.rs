//! Maps a file of raw answers in memory, for the yardstick: `bench_map FILE SHAPE TIMES`.
//!
//! `lines` is the result of a bulk job, a record or an element of its lists a line; `nodes` one answer of a graph,
//! and `floor` the same answer read for its ids alone, to compare with.
//! The last line on standard output is
//! `{"records":n,"bytes":b,"seconds":x}`.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::ExitCode;

use bytes::Bytes;
use clap::Parser;
use lily_connect::mapping::{Direction::Read as Only, Rule, SchemaMap, Transform, rule};
use lily_connect::model::{Entity, PartKind, Platform, RawItems, RawPart, Shape, StoreProfile};
use lily_connect::runtime::Runtime;
use serde::Deserialize;
use serde_json::value::RawValue;
use support::{Ended, Failure};

mod support;

/// How much of a file of lines is mapped at a time.
const PIECE: usize = 1 << 18;
const LISTS: &[&str] = &["/variants/nodes", "/media/nodes", "/metafields/nodes"];

/// Maps a file of raw answers, and says how long it took.
#[derive(Parser)]
struct Args {
    /// The file.
    file: PathBuf,
    /// What it holds.
    shape: Holds,
    /// How often it is mapped.
    #[arg(default_value_t = 1)]
    times: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Holds {
    Lines,
    Nodes,
    Floor,
}

/// As little of an answer as tells that it is whole.
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    data: Data<'a>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    products: Products<'a>,
}

#[derive(Deserialize)]
struct Products<'a> {
    #[serde(borrow)]
    nodes: Vec<Node<'a>>,
}

#[derive(Deserialize)]
struct Node<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
}

fn main() -> ExitCode {
    support::run(bench)
}

fn rules() -> Vec<Rule> {
    const STATUS: Transform =
        Transform::Word(&[("ACTIVE", "active"), ("ARCHIVED", "archived"), ("DRAFT", "draft")]);
    const TRACKED: Transform = Transform::Word(&[("true", "own"), ("false", "none")]);
    vec![
        rule("/id", "ref.id", Transform::LastSegment, Only),
        rule("/title", "title", Transform::Text, Only),
        rule("/handle", "slug", Transform::Text, Only),
        rule("/descriptionHtml", "description", Transform::Html, Only),
        rule("/productType", "product_type", Transform::Text, Only),
        rule("/status", "status", STATUS, Only),
        rule("/totalInventory", "inventory.quantity", Transform::Decimal, Only),
        rule("/tracksInventory", "inventory.tracking", TRACKED, Only),
        rule("/createdAt", "created_at", Transform::Rfc3339, Only),
        rule("/updatedAt", "modified_at", Transform::Rfc3339, Only),
        rule("/seo/title", "seo.title", Transform::Text, Only),
        rule("/seo/description", "seo.description", Transform::Text, Only),
        rule("/tags/*", "tags[].name", Transform::Text, Only),
        rule("/variants/nodes/*/id", "variants[]", Transform::LastSegment, Only),
        rule("/media/nodes/*/id", "media[].id", Transform::LastSegment, Only),
        rule("/media/nodes/*/alt", "media[].alt", Transform::Text, Only),
        rule("/media/nodes/*/image/url", "media[].url", Transform::Text, Only),
        rule("/metafields/nodes/*/id", "attributes[].id", Transform::LastSegment, Only),
        rule("/metafields/nodes/*/namespace", "attributes[].namespace", Transform::Text, Only),
        rule("/metafields/nodes/*/key", "attributes[].key", Transform::Text, Only),
        rule("/metafields/nodes/*/type", "attributes[].value_type", Transform::Text, Only),
        rule("/metafields/nodes/*/value", "attributes[].values[]", Transform::JsonList("list."), Only),
    ]
}

async fn bench(args: Args) -> Result<Ended, Failure> {
    let runtime = Runtime::new();
    let map = SchemaMap::compile(Platform::new("shopify"), Entity::Product, &rules())?;
    let begun = runtime.clock().elapsed();
    let (mut records, mut bytes) = (0, 0);
    for _ in 0..args.times {
        let mut file = BufReader::with_capacity(PIECE, File::open(&args.file)?);
        match args.shape {
            Holds::Floor | Holds::Nodes => {
                let mut body = Vec::new();
                file.read_to_end(&mut body)?;
                bytes += body.len();
                if args.shape == Holds::Floor {
                    let answer: Answer<'_> = serde_json::from_slice(&body)?;
                    records +=
                        answer.data.products.nodes.iter().filter(|node| node.id.get().len() > 2).count();
                    continue;
                }
                let shape = Shape::ListAt(&["data", "products", "nodes"]);
                records += mapped(&map, &RawItems::new(Entity::Product, body.into(), shape))?;
            }
            Holds::Lines => {
                let mut lines = Lines::default();
                loop {
                    let read = file.read_until(b'\n', &mut lines.body)?;
                    bytes += read;
                    lines.add(read)?;
                    if read == 0 || lines.is_full() {
                        records += mapped(&map, &lines.take(read == 0))?;
                    }
                    if read == 0 {
                        break;
                    }
                }
            }
        }
    }
    let seconds = (runtime.clock().elapsed() - begun).as_secs_f64();
    support::data(&format!(r#"{{"records":{records},"bytes":{bytes},"seconds":{seconds:.6}}}"#))?;
    Ok(Ended::fully_if(true))
}

fn mapped(map: &SchemaMap, items: &RawItems) -> Result<usize, Failure> {
    let page = map.map(items, &StoreProfile::unknown())?;
    match (page.rejected.as_slice(), page.issues.as_slice()) {
        ([], []) => Ok(page.records.len()),
        _ => Err("a record could not be mapped whole".into()),
    }
}

/// Lines that wait to be mapped, of which the last record may not be whole.
#[derive(Default)]
struct Lines {
    body: Vec<u8>,
    parts: Vec<RawPart>,
    /// The part that begins the last record.
    last: usize,
}

impl Lines {
    fn add(&mut self, read: usize) -> Result<(), Failure> {
        let end = u32::try_from(self.body.len())?;
        let start = end - u32::try_from(read)?;
        let line = self.body.get(self.body.len() - read..).unwrap_or_default();
        let of_type = line.strip_prefix(br#"{"__typename":""#).unwrap_or_default();
        let kind = match of_type.split(|byte| *byte == b'"').next().unwrap_or_default() {
            b"" => return Ok(()),
            b"Product" => {
                self.last = self.parts.len();
                PartKind::Record
            }
            b"ProductVariant" => PartKind::Element("/variants/nodes"),
            b"MediaImage" => PartKind::Element("/media/nodes"),
            _ => PartKind::Element("/metafields/nodes"),
        };
        self.parts.push(RawPart::new(start..end, kind));
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.body.len() >= PIECE && self.last + 1 == self.parts.len() && self.last > 0
    }

    /// The lines of whole records; what begins another one stays.
    fn take(&mut self, all: bool) -> RawItems {
        let keep = if all { self.parts.len() } else { self.last };
        let cut = self.parts.get(keep).map_or(self.body.len(), |part| part.range.start as usize);
        let mut rest = Vec::with_capacity(PIECE + PIECE / 4);
        rest.extend_from_slice(self.body.get(cut..).unwrap_or_default());
        self.body.truncate(cut);
        let left: Vec<RawPart> = self.parts.split_off(keep);
        let body = Bytes::from(std::mem::replace(&mut self.body, rest));
        let parts = std::mem::take(&mut self.parts);
        let moved = u32::try_from(cut).unwrap_or(u32::MAX);
        self.parts = left
            .into_iter()
            .map(|part| RawPart::new(part.range.start - moved..part.range.end - moved, part.kind))
            .collect();
        self.last = 0;
        RawItems::of_parts(Entity::Product, body, parts, LISTS)
    }
}
