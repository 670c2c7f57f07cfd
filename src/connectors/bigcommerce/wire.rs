//! Requests and answers as pure functions.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use memchr::memmem;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::connector::{Detail, Page, Select};
use crate::error::{Error, ErrorKind, Result};
use crate::http::{ApiRequest, ApiResponse, BodyFault};
use crate::model::{Cursor, Entity, ExternalId};
use crate::time::Timestamp;

/// The most records that a page can hold (`limit`; over it is refused, not cut).
pub(super) const MAX_PAGE: u32 = 250;

pub(super) const PRODUCTS: &str = "v3/catalog/products";
pub(super) const VARIANTS: &str = "v3/catalog/variants";
const CATEGORIES: &str = "v3/catalog/trees/categories";
const BRANDS: &str = "v3/catalog/brands";

/// What comes with a product. With `options` or `modifiers` among them a page has ten products at most, whatever is
/// asked for: options are read out of the variants instead.
const INCLUDE: &str = "variants,images,custom_fields,channels";
/// Of a product, what can change without moving its time; and its id, which always comes.
const UNCLOCKED: &str =
    "categories,brand_id,custom_url,gtin,upc,mpn,price,calculated_price,inventory_level,inventory_tracking";
/// Of a variant, all that is read: it keeps no time of its own.
const UNCLOCKED_VARIANT: &str = "product_id,image_url,option_values,sku,gtin,upc,mpn,price,calculated_price,weight,width,depth,height,inventory_level";
/// `id` cannot be asked for by name, since it always comes.
const ONLY_ID: &str = "type";

/// A page of 250 products with all that is in them may take the platform long.
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(30);
pub(super) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(60);
/// How many calls must be left of the quota before a record is read that is to be written: the read, and what follows
/// it within the guard's window. What is not used stays there.
pub(super) const ROOM_TO_WRITE: u32 = 8;
/// A lost answer costs more than a long wait.
pub(super) const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// A position in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Position {
    /// Behind the record of this id.
    Behind(u64),
    /// The page of this number, from 1 on; and the id that the page before ended with.
    Number { page: u64, last: u64 },
    /// Of ids that are asked for: how many were before.
    Offset(u64),
}

impl Position {
    pub(super) fn read(cursor: &Cursor) -> Result<Self> {
        Self::parse(cursor.as_str()).ok_or_else(unreadable_cursor)
    }

    fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = (text.get(..1)?, text.get(1..)?);
        Some(match kind {
            ">" => Self::Behind(whole(rest)?),
            "#" => {
                let (page, last) = rest.split_once('/')?;
                Self::Number { page: whole(page).filter(|page| *page > 0)?, last: whole(last)? }
            }
            "+" => Self::Offset(whole(rest)?),
            _ => return None,
        })
    }

    pub(super) fn cursor(self) -> Cursor {
        Cursor::new(match self {
            Self::Behind(id) => format!(">{id}"),
            Self::Number { page, last } => format!("#{page}/{last}"),
            Self::Offset(before) => format!("+{before}"),
        })
    }

    /// How many ids were asked for before.
    pub(super) fn offset(cursor: Option<&Cursor>) -> Result<u64> {
        match cursor.map(Self::read).transpose()? {
            None => Ok(0),
            Some(Self::Offset(before)) => Ok(before),
            Some(_) => Err(unreadable_cursor()),
        }
    }
}

/// A whole number as it is written here: without a sign and without zeros before it.
pub(super) fn whole(text: &str) -> Option<u64> {
    text.parse::<u64>().ok().filter(|number| number.to_string() == text)
}

pub(super) fn unreadable_cursor() -> Error {
    Error::new(ErrorKind::Config, "cursor_unreadable", "the cursor is not one of this connector")
}

/// An id that may stand in a path.
pub(super) fn is_id(id: &ExternalId) -> bool {
    whole(id.as_str()).is_some_and(|number| number > 0)
}

fn get(path: impl Into<Cow<'static, str>>) -> ApiRequest {
    ApiRequest::get(path).attempt_limits(READ_TIMEOUT, ATTEMPT_TIMEOUT)
}

/// A page of the list of all products.
pub(super) fn products(select: &Select, detail: Detail, position: Position, limit: u32) -> ApiRequest {
    let request =
        get(PRODUCTS).query("limit", limit.to_string()).query("sort", "id").query("direction", "asc");
    let request = match position {
        Position::Behind(0) | Position::Offset(_) => request,
        Position::Behind(id) => request.query("id:greater", id.to_string()),
        Position::Number { page, .. } => request.query("page", page.to_string()),
    };
    detailed(changed_since(request, select), detail)
}

/// Of the products that a list has, one: its answer says how many there are.
pub(super) fn count_of_products(select: &Select) -> ApiRequest {
    changed_since(get(PRODUCTS).query("limit", "1"), select).query("include_fields", ONLY_ID)
}

/// Whether products can be read at all.
pub(super) fn probe() -> ApiRequest {
    count_of_products(&Select::All)
}

/// Products by their ids, as they are stored.
pub(super) fn products_by_id(ids: &[ExternalId], detail: Detail) -> ApiRequest {
    let request = get(PRODUCTS).query("id:in", joined(ids)).query("limit", MAX_PAGE.to_string());
    detailed(request, detail)
}

/// One product by its own route.
pub(super) fn product(id: &ExternalId) -> ApiRequest {
    detailed(get(format!("{PRODUCTS}/{id}")), Detail::Full)
}

/// The products that have a name, whole and to the letter.
pub(super) fn products_of_name(name: &str) -> ApiRequest {
    get(PRODUCTS).query("name", name).query("limit", MAX_PAGE.to_string()).query("include_fields", "name")
}

fn detailed(request: ApiRequest, detail: Detail) -> ApiRequest {
    match detail {
        Detail::Full => request.query("include", INCLUDE),
        Detail::Unclocked => request.query("include", INCLUDE).query("include_fields", UNCLOCKED),
        Detail::IdsOnly => request.query("include_fields", ONLY_ID),
    }
}

/// With a time of the day, always: to a mere date the platform adds the present one.
fn changed_since(request: ApiRequest, select: &Select) -> ApiRequest {
    match select {
        Select::Since(since) => {
            let since = since.saturating_sub(Duration::from_secs(1));
            request.query("date_modified:min", format!("{}Z", since.to_utc_civil()))
        }
        _ => request,
    }
}

/// A page of the variants of some products.
pub(super) fn variants_of(products: &[u64], detail: Detail, page: u64, limit: u32) -> ApiRequest {
    let products: Vec<String> = products.iter().map(u64::to_string).collect();
    let request = get(VARIANTS)
        .query("product_id:in", products.join(","))
        .query("page", page.to_string())
        .query("limit", limit.to_string());
    match detail {
        Detail::Unclocked => request.query("include_fields", UNCLOCKED_VARIANT),
        Detail::Full | Detail::IdsOnly => request,
    }
}

/// A page of the ids of all variants.
pub(super) fn variant_ids(page: u64, limit: u32) -> ApiRequest {
    get(VARIANTS)
        .query("page", page.to_string())
        .query("limit", limit.to_string())
        .query("include_fields", "product_id")
}

/// One variant: the platform takes no list of their ids.
pub(super) fn variant(id: &ExternalId) -> ApiRequest {
    get(VARIANTS).query("id", id.as_str()).query("limit", "2")
}

/// A page of all categories or brands: the platform lists them by the numbers of pages only.
pub(super) fn taxons(entity: Entity, detail: Detail, page: u64, limit: u32) -> ApiRequest {
    let request = get(list_of(entity)).query("page", page.to_string()).query("limit", limit.to_string());
    match detail {
        Detail::Full => request,
        Detail::IdsOnly | Detail::Unclocked => request.query("include_fields", id_key(entity)),
    }
}

/// Categories or brands by their ids.
pub(super) fn taxons_by_id(entity: Entity, ids: &[ExternalId]) -> ApiRequest {
    let filter = if entity == Entity::Category { "category_id:in" } else { "id:in" };
    get(list_of(entity)).query(filter, joined(ids)).query("limit", MAX_PAGE.to_string())
}

/// A page of the metafields in some namespaces, of one product or of all.
pub(super) fn metafields(product: Option<u64>, namespaces: &str, page: u64) -> ApiRequest {
    metafields_of(product, namespaces)
        .query("direction", "asc")
        .query("page", page.to_string())
        .query("limit", MAX_PAGE.to_string())
}

/// The newest one of such metafields, and how many there are.
pub(super) fn newest_metafield(product: Option<u64>, namespaces: &str) -> ApiRequest {
    metafields_of(product, namespaces).query("direction", "desc").query("limit", "1")
}

fn metafields_of(product: Option<u64>, namespaces: &str) -> ApiRequest {
    let path = match product {
        Some(product) => format!("{PRODUCTS}/{product}/metafields"),
        None => format!("{PRODUCTS}/metafields"),
    };
    get(path).query("namespace:in", namespaces)
}

/// Categories or brands by name, whole and to the letter or nearly so: whoever asks compares.
pub(super) fn taxons_of_name(entity: Entity, name: &str) -> ApiRequest {
    get(list_of(entity)).query("name", name).query("limit", MAX_PAGE.to_string())
}

fn list_of(entity: Entity) -> &'static str {
    if entity == Entity::Category { CATEGORIES } else { BRANDS }
}

/// The key of an id: a category has another one than everything else.
fn id_key(entity: Entity) -> &'static str {
    if entity == Entity::Category { "category_id" } else { "id" }
}

fn joined(ids: &[ExternalId]) -> String {
    let ids: Vec<&str> = ids.iter().map(ExternalId::as_str).collect();
    ids.join(",")
}

/// The store's settings, which only V2 tells.
pub(super) fn store() -> ApiRequest {
    get("v2/store")
}

#[derive(Debug, Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(super) struct StoreInformation {
    pub(super) currency: String,
    pub(super) weight_units: String,
    pub(super) dimension_units: String,
    pub(super) language: String,
    pub(super) status: String,
    pub(super) timezone: TimeZone,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TimeZone {
    pub(super) name: String,
    pub(super) raw_offset: i32,
}

/// What an answer says of the list that its records are of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Pagination {
    pub(super) total: Option<u64>,
    pub(super) count: Option<u64>,
    pub(super) per_page: Option<u64>,
    pub(super) current_page: Option<u64>,
    pub(super) total_pages: Option<u64>,
}

/// An answer with records.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) body: Bytes,
    pub(super) pagination: Pagination,
    server_time: Option<Timestamp>,
    took: Duration,
}

impl Answered {
    /// Takes over what the answer says beside its records. Of several answers, the first one's time counts: nothing of
    /// the page was read before it.
    pub(super) fn fill(&self, page: &mut Page) {
        if page.server_time.is_none() {
            page.server_time = self.server_time;
        }
        page.took = page.took.saturating_add(self.took);
    }

    /// How long the store had the request.
    pub(super) fn took(&self) -> Duration {
        self.took
    }

    /// The ids of the records.
    pub(super) fn ids(&self) -> Result<Vec<ExternalId>> {
        #[derive(Deserialize)]
        struct Id {
            #[serde(alias = "category_id")]
            id: u64,
        }
        let data: Data<Vec<Id>> = read(&self.body)?;
        Ok(data.data.into_iter().map(|id| ExternalId::from(id.id.to_string())).collect())
    }

    /// The records, each as far as `T` reads it.
    pub(super) fn records<T: DeserializeOwned>(&self) -> Result<Vec<T>> {
        read::<Data<Vec<T>>>(&self.body).map(|data| data.data)
    }
}

/// The records of an answer as they came, each an object.
pub(super) fn raw_records(body: &[u8]) -> Result<Vec<&RawValue>> {
    let records: Vec<&RawValue> = read::<Data<Vec<&RawValue>>>(body)?.data;
    Ok(records.into_iter().filter(|record| record.get().starts_with('{')).collect())
}

/// The id of a record.
pub(super) fn id_of(record: &RawValue) -> Result<u64> {
    #[derive(Deserialize)]
    struct Id {
        id: u64,
    }
    read::<Id>(record.get().as_bytes()).map(|record| record.id)
}

/// The answer about one record as a list of it would have it.
pub(super) fn as_list(body: &Bytes) -> Result<Bytes> {
    let one: Data<&RawValue> = serde_json::from_slice(body).map_err(|_| {
        Error::new(ErrorKind::Protocol, "answer_unreadable", "the store's answer has no record")
    })?;
    Ok(Bytes::from(format!("{{\"data\":[{}]}}", one.data.get())))
}

#[derive(Deserialize)]
struct Data<T> {
    data: T,
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(|error| {
        Error::new(ErrorKind::Protocol, "answer_unreadable", "the store's list cannot be read")
            .with_context("line", error.line().to_string())
            .with_context("column", error.column().to_string())
    })
}

/// Reads an answer that should be an object, and what it says of its list.
pub(super) fn answered(response: ApiResponse) -> Result<Answered, BodyFault> {
    let (server_time, took) = (response.server_time_before(), response.took());
    let body = response.into_body();
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    let last = body.iter().rfind(|byte| !byte.is_ascii_whitespace());
    match (first, last) {
        (Some(b'{'), Some(b'}')) => {}
        (Some(b'{'), _) => {
            return Err(BodyFault::Broken(
                Error::new(ErrorKind::Protocol, "answer_cut", "the store's answer ends before its JSON does")
                    .with_remedy("look for a proxy that cuts long answers; ask for smaller pages"),
            ));
        }
        _ => {
            return Err(BodyFault::Broken(
                Error::new(
                    ErrorKind::Protocol,
                    "answer_not_json",
                    "the store answered with a page instead of JSON",
                )
                .with_remedy("look for a maintenance page or a proxy before the store's API"),
            ));
        }
    }
    let pagination = pagination(&body).map_err(BodyFault::Broken)?;
    Ok(Answered { body, pagination, server_time, took })
}

/// Reads what stands behind the records, where it stands there; else the whole body is read for it.
fn pagination(body: &Bytes) -> Result<Pagination> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Meta {
        pagination: Option<Pagination>,
    }
    #[derive(Deserialize)]
    struct Envelope {
        #[serde(default)]
        meta: Option<Meta>,
    }
    const KEY: &[u8] = b"\"meta\":";
    let behind = memmem::rfind(body, KEY).and_then(|at| body.get(at + KEY.len()..));
    let tail = behind.and_then(|tail| tail.trim_ascii_end().strip_suffix(b"}"));
    let read_at_end = tail.and_then(|tail| serde_json::from_slice::<Meta>(tail).ok());
    let meta = match read_at_end {
        Some(meta) => Some(meta),
        None => read::<Envelope>(body)?.meta,
    };
    Ok(meta.and_then(|meta| meta.pagination).unwrap_or_default())
}

/// The id of the last product of a page, out of the last thing in it that names its product; `None` where nothing does.
///
/// An image or a variant names it, so that a large page need not be read once more. Should it be an earlier product of
/// the page, a part of it comes again; should it be none of the list's, the count of the list tells.
pub(super) fn last_named_product(body: &[u8]) -> Option<u64> {
    const KEY: &[u8] = b"\"product_id\":";
    let rest = body.get(memmem::rfind(body, KEY)? + KEY.len()..)?.trim_ascii_start();
    digits(rest)
}

fn digits(bytes: &[u8]) -> Option<u64> {
    let end = bytes.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(bytes.len());
    std::str::from_utf8(bytes.get(..end)?).ok()?.parse().ok()
}

/// Whether a page of products came without what it should include. Channels may be missing: then it is not known
/// where a product is sold.
pub(super) fn lacks_included(body: &[u8]) -> bool {
    let has = |key: &str| memmem::find(body, format!("\"{key}\":").as_bytes()).is_some();
    has("id") && !["variants", "images", "custom_fields"].into_iter().all(has)
}

/// The ids of categories and brands that a page's products name. No key can stand within a text like this, since the
/// quotation marks of a text are escaped.
pub(super) fn named(body: &[u8]) -> (BTreeSet<u64>, BTreeSet<u64>) {
    const CATEGORIES: &[u8] = b"\"categories\":";
    const BRAND: &[u8] = b"\"brand_id\":";
    let (mut categories, mut brands) = (BTreeSet::new(), BTreeSet::new());
    for at in memmem::find_iter(body, CATEGORIES) {
        let Some(list) = body.get(at + CATEGORIES.len()..).map(<[u8]>::trim_ascii_start) else { continue };
        let Some(list) = list.strip_prefix(b"[") else { continue };
        let end = list.iter().position(|byte| *byte == b']').unwrap_or(0);
        let ids = list.get(..end).unwrap_or_default().split(|byte| *byte == b',');
        categories.extend(ids.filter_map(|id| digits(id.trim_ascii())));
    }
    for at in memmem::find_iter(body, BRAND) {
        let id = body.get(at + BRAND.len()..).map(<[u8]>::trim_ascii_start).and_then(digits);
        brands.extend(id.filter(|id| *id > 0));
    }
    (categories, brands)
}

/// The ids of the products that an answer to a write says are saved; none where it cannot be read.
pub(super) fn saved(body: &Bytes) -> Vec<u64> {
    #[derive(Deserialize)]
    struct Saved {
        id: u64,
    }
    serde_json::from_slice::<Data<Vec<Saved>>>(body)
        .map(|data| data.data.into_iter().map(|saved| saved.id).collect())
        .unwrap_or_default()
}

/// The records that an answer to a write shows; none where it cannot be read.
pub(super) fn rows(body: &[u8]) -> Vec<Map<String, Value>> {
    serde_json::from_slice::<Data<Vec<Map<String, Value>>>>(body).map(|data| data.data).unwrap_or_default()
}

/// Reads a small JSON answer.
pub(super) fn json<T: DeserializeOwned>(response: ApiResponse) -> Result<T, BodyFault> {
    serde_json::from_slice(response.body()).map_err(|_| {
        BodyFault::Broken(Error::new(
            ErrorKind::Protocol,
            "answer_unreadable",
            "the store's answer lacks a field",
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_back_and_a_foreign_one_is_refused() {
        for position in [
            Position::Behind(0),
            Position::Behind(77),
            Position::Number { page: 3, last: 9 },
            Position::Offset(25),
        ] {
            assert_eq!(Position::read(&position.cursor()).unwrap(), position);
        }
        for text in ["", ">", "7", ">-1", ">+1", ">01", "#0/1", "#1", "#/1", "é1", "+", "?1"] {
            assert_eq!(Position::read(&Cursor::new(text)).unwrap_err().code(), "cursor_unreadable", "{text}");
        }
        assert!(Position::offset(Some(&Position::Behind(1).cursor())).is_err());
    }

    #[test]
    fn what_stands_behind_the_records_is_read_without_them_and_wherever_it_stands() {
        let expected =
            Pagination { total: Some(246), count: Some(5), total_pages: Some(50), ..Pagination::default() };
        let meta = r#""meta":{"pagination":{"total":246,"count":5,"total_pages":50,"links":{}}}"#;
        for text in [
            format!(r#"{{"data":[{{"id":1}}],{meta}}}"#),
            format!(r#"{{{meta},"data":[{{"id":1,"description":"\"meta\":{{}}"}}]}}"#),
            format!("{{ \"data\" : [],\n {meta} }}\n"),
        ] {
            assert_eq!(pagination(&Bytes::from(text.clone())).unwrap(), expected, "{text}");
        }
        for nothing in [r#"{"data":[]}"#, r#"{"data":[],"meta":{}}"#, r#"{"data":[],"meta":null}"#] {
            assert_eq!(pagination(&Bytes::from(nothing)).unwrap(), Pagination::default());
        }
        assert!(pagination(&Bytes::from(r#"{"data":[}"#)).is_err());
    }

    #[test]
    fn ids_are_found_in_a_page_and_not_in_its_texts() {
        let body = br#"{"data":[{"id":7,"description":"\"categories\":[9],\"brand_id\":8,\"product_id\":99","categories":[ 23 ,21],"brand_id":36,
            "images":[{"product_id":7}]},{"id":8,"categories":[],"brand_id":0,"variants":[{"id":1,"product_id": 8}]}]}"#;
        let (categories, brands) = named(body);
        assert_eq!(categories.into_iter().collect::<Vec<_>>(), [21, 23]);
        assert_eq!(brands.into_iter().collect::<Vec<_>>(), [36]);
        assert_eq!(last_named_product(body), Some(8));
        assert_eq!(last_named_product(br#"{"data":[{"id":7}]}"#), None);
        assert_eq!(last_named_product(br#"{"product_id":"x"}"#), None);
        assert!(lacks_included(body), "custom fields are missing");
        assert!(!lacks_included(br#"{"data":[{"id":7,"variants":[],"images":[],"custom_fields":[]}]}"#));
        assert!(!lacks_included(br#"{"data":[],"meta":{}}"#));
    }
}
