//! Bulk reads: the platform runs a query by itself, past its budget, and writes a file of JSON lines.
//!
//! Facts: the platform's fact sheet of 2026-11-22, section 7.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::json;
use url::{Position, Url};

use super::connector::Shopify;
use super::wire::{self, Order};
use super::{client, documents, map};
use crate::auth::{NoCredentials, Origin};
use crate::connector::{
    Branch, BulkBody, BulkDone, BulkJob, BulkSource, BulkState, Detail, Joints, Prediction, PullRequest,
    Select, StartedJob, Total,
};
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::graphql::{Document, UserErrors};
use crate::http::{ApiClient, ApiRequest};
use crate::model::{Entity, StoreKey};
use crate::time::Clock;

/// The largest file that is read: the platform itself bounds none.
const MAX_BYTES: u64 = 1 << 40;
/// How long the file's host may be silent, and how long the head of its answer may take.
const FILE_TIMEOUT: Duration = Duration::from_secs(60);
/// How many of the latest jobs are looked through for one of ours.
const LATEST: u32 = 50;
/// What a record is taken to cost, where none was seen yet, and what comes back in a second on the smallest plan.
const POINTS_A_RECORD: f64 = 25.0;
const RESTORED: f64 = 100.0;

const MEDIA: &str = "/media/nodes";
static OF_PRODUCT: &[Branch] = &[
    Branch::new("/ProductVariant/", "/variants/nodes"),
    Branch::new("/MediaImage/", MEDIA),
    Branch::new("/Metafield/", "/metafields/nodes"),
    Branch::new("/Collection/", "/collections/nodes"),
    Branch::new("/Video/", MEDIA),
    Branch::new("/ExternalVideo/", MEDIA),
    Branch::new("/Model3d/", MEDIA),
];
static OF_VARIANT: &[Branch] = &[
    Branch::new("/MediaImage/", MEDIA),
    Branch::new("/Video/", MEDIA),
    Branch::new("/ExternalVideo/", MEDIA),
    Branch::new("/Model3d/", MEDIA),
];
static PRODUCTS: Joints = Joints::new("id", "__parentId", "/Product/", OF_PRODUCT).lists(map::PRODUCT_LISTS);
static VARIANTS: Joints =
    Joints::new("id", "__parentId", "/ProductVariant/", OF_VARIANT).lists(map::VARIANT_LISTS);
static COLLECTIONS: Joints = Joints::new("id", "__parentId", "/Collection/", &[]);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Started {
    pub(super) bulk_operation: Option<Named>,
    #[serde(default)]
    pub(super) user_errors: UserErrors,
}

#[derive(Debug, Deserialize)]
pub(super) struct Named {
    pub(super) id: String,
}

#[derive(Debug, Deserialize)]
struct Latest {
    nodes: Vec<Known>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Known {
    id: String,
    created_at: crate::time::Timestamp,
    query: String,
}

/// A job as the platform tells of it; its numbers are texts.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Operation {
    status: String,
    error_code: Option<String>,
    object_count: Option<String>,
    root_object_count: Option<String>,
    file_size: Option<String>,
    url: Option<String>,
    partial_data_url: Option<String>,
}

impl Operation {
    fn number(text: Option<&String>) -> Option<u64> {
        text.and_then(|text| text.parse().ok())
    }

    pub(super) fn is_being_cancelled(&self) -> bool {
        self.status == "CANCELING"
    }

    pub(super) fn state(&self) -> BulkState {
        let objects = Self::number(self.object_count.as_ref());
        match self.status.as_str() {
            "COMPLETED" if self.url.is_some() => BulkState::Done(BulkDone::with_data(
                objects,
                Self::number(self.root_object_count.as_ref()),
                Self::number(self.file_size.as_ref()),
            )),
            "COMPLETED" => BulkState::Done(BulkDone::without_data(objects)),
            "FAILED" => BulkState::Failed {
                code: self.error_code.as_deref().filter(|code| is_word(code)).unwrap_or("unknown").into(),
                partial: self.partial_data_url.is_some(),
            },
            "EXPIRED" => BulkState::Expired,
            "CANCELED" | "CANCELING" => BulkState::Cancelled,
            _ => BulkState::Running { objects },
        }
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

fn document(entity: Entity) -> &'static Document {
    match entity {
        Entity::Variant => &documents::BULK_VARIANTS,
        Entity::Category => &documents::BULK_COLLECTIONS,
        _ => &documents::BULK_PRODUCTS,
    }
}

/// The query of a job: it takes no variables, so the filter stands in its text. It is named as we call the job, since
/// a name outlives whatever the platform does to the text.
fn query(request: &PullRequest, tag: &str) -> Result<String> {
    let filter = json!(wire::filter(&request.select, Order::Id, 0)?).to_string();
    let document = document(request.entity);
    let head = format!("query {}($filter: String)", document.name());
    Ok(document.text().replace(&head, &format!("query {}", mark(tag))).replace("$filter", &filter))
}

pub(super) fn mark(tag: &str) -> String {
    let plain: String = tag.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("LilyConnect_{plain}_")
}

#[async_trait]
impl BulkSource for Shopify {
    async fn predict(&self, request: &PullRequest) -> Result<Option<Prediction>> {
        if request.detail != Detail::Full || matches!(request.select, Select::Ids(_)) {
            return Ok(None);
        }
        let records = match self.count(request).await? {
            Total::Exact(records) | Total::AtLeast(records) => records,
            Total::NotGiven => return Ok(None),
        };
        let (per_page, per_record) = self.sizes.predicted(request.entity, POINTS_A_RECORD);
        #[expect(clippy::cast_precision_loss, reason = "a prediction")]
        let takes = Duration::from_secs_f64((records as f64 * per_record / RESTORED).min(1e9));
        Ok(Some(Prediction::new(records.div_ceil(u64::from(per_page)), Some(takes))))
    }

    async fn start(&self, request: &PullRequest, tag: &str) -> Result<StartedJob> {
        let call = self.bulk_call(&documents::RUN_BULK_QUERY, &json!({ "query": query(request, tag)? }))?;
        let began = self.server_time().await?;
        let started: Started = client::member(&self.client, call, &["bulkOperationRunQuery"]).await?;
        if let Some(error) = started.user_errors.list.first() {
            return Err(match error.code.as_deref() {
                Some("LIMIT_REACHED" | "OPERATION_IN_PROGRESS") => Error::new(
                    ErrorKind::RateLimited,
                    "bulk_limit_reached",
                    "the store runs as many bulk jobs as the platform allows",
                ),
                _ => Error::new(ErrorKind::Rejected, "bulk_refused", "the store takes no such bulk job")
                    .with_context("platform_says", error.message.clone()),
            });
        }
        let job = started.bulk_operation.ok_or_else(wire::unreadable)?;
        Ok(StartedJob::new(job.id, began))
    }

    async fn find(&self, _: &PullRequest, tag: &str) -> Result<Option<StartedJob>> {
        let call = self.bulk_call(&documents::BULK_OPERATIONS, &json!({ "first": LATEST }))?;
        let latest: Latest = client::member(&self.client, call, &["bulkOperations"]).await?;
        let mark = mark(tag);
        let ours = latest.nodes.into_iter().find(|known| known.query.contains(&mark));
        Ok(ours.map(|known| StartedJob::new(known.id, Some(known.created_at))))
    }

    async fn poll(&self, job: &BulkJob) -> Result<BulkState> {
        Ok(self.operation(job).await?.map_or(BulkState::Gone, |operation| operation.state()))
    }

    async fn open(&self, job: &BulkJob, from: u64) -> Result<BulkBody> {
        self.open_file(job, from).await
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(self.runtime.clock())
    }

    async fn cancel(&self, job: &BulkJob) -> Result<()> {
        self.cancel_job(job).await
    }

    fn joints(&self, entity: Entity) -> &'static Joints {
        match entity {
            Entity::Variant => &VARIANTS,
            Entity::Category => &COLLECTIONS,
            _ => &PRODUCTS,
        }
    }

    fn max_parallel(&self) -> NonZeroU32 {
        // Five since 2026-01; jobs that are being cancelled count for minutes.
        NonZeroU32::MIN.saturating_add(4)
    }
}

fn is_job(job: &BulkJob) -> bool {
    job.0.starts_with("gid://shopify/BulkOperation/")
}

impl Shopify {
    /// Opens the file of a job: its address is asked for anew, since it may have expired.
    pub(super) async fn open_file(&self, job: &BulkJob, from: u64) -> Result<BulkBody> {
        let gone = || {
            Error::new(ErrorKind::NotFound, "bulk_file_gone", "the bulk job has no file any more")
                .with_remedy("start again: a new job is started")
        };
        let operation = self.operation(job).await?.ok_or_else(gone)?;
        let address = operation.url.or(operation.partial_data_url).ok_or_else(gone)?;
        let (host, path) = self.storage(&address)?;
        let call = ApiRequest::get(path).attempt_limits(FILE_TIMEOUT, FILE_TIMEOUT).from_byte(from);
        let stream = match host.open(call, MAX_BYTES).await {
            // A signature that is over is answered so; what is asked for behind the end is not.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::Forbidden | ErrorKind::Auth | ErrorKind::NotFound | ErrorKind::Rejected
                ) && !error.context().iter().any(|(name, value)| *name == "status" && value == "416") =>
            {
                return Err(gone().with_source(error));
            }
            stream => stream?,
        };
        Ok(BulkBody::new(stream.from(), stream.whole(), stream))
    }

    /// The way to the platform's storage, without a credential of the shop, and the address below its root.
    pub(super) fn storage(&self, address: &str) -> Result<(ApiClient, String)> {
        let url = Url::parse(address).map_err(|_| wire::unreadable())?;
        let root = url.origin().ascii_serialization();
        let is_ours = url.origin() == self.client.origin().base().origin();
        // A signed address is the platform's own storage; plain http is for test servers on the store's own.
        let origin =
            if is_ours && url.scheme() == "http" { Origin::http(&root)? } else { Origin::https(&root)? };
        // Its limits are its own: what it refuses must not slow the shop.
        let StoreKey { tenant, platform, account } = self.info.store.clone();
        let files = StoreKey::new(tenant, platform, format!("{account}#files"));
        let host = self
            .runtime
            .client(files, origin, Arc::new(NoCredentials))
            .private_hosts(self.private_hosts)
            .max_in_flight(self.max_in_flight)
            .build()?;
        Ok((host, url[Position::BeforePath..].trim_start_matches('/').to_owned()))
    }

    pub(super) async fn cancel_job(&self, job: &BulkJob) -> Result<()> {
        if !is_job(job) {
            return Ok(());
        }
        let call = self.bulk_call(&documents::CANCEL_BULK, &json!({ "id": job.0 }))?;
        let asked: Started = client::member(&self.client, call, &["bulkOperationCancel"]).await?;
        if asked.user_errors.list.is_empty() {
            return Ok(());
        }
        // One that has ended is refused, which is as well.
        match self.operation(job).await?.map(|it| (it.is_being_cancelled(), it.state())) {
            Some((false, BulkState::Running { .. })) => Err(Error::new(
                ErrorKind::Rejected,
                "bulk_cancel_refused",
                "the store does not cancel a bulk job that runs",
            )
            .with_retry(Retry::Later)),
            _ => Ok(()),
        }
    }

    pub(super) async fn operation(&self, job: &BulkJob) -> Result<Option<Operation>> {
        // The platform takes no other text for an id, and has no such job.
        if !is_job(job) {
            return Ok(None);
        }
        let call = self.bulk_call(&documents::BULK_OPERATION, &json!({ "id": job.0 }))?;
        client::member(&self.client, call, &["bulkOperation"]).await
    }

    /// The platform's time now: a job reads no earlier.
    async fn server_time(&self) -> Result<Option<crate::time::Timestamp>> {
        let call = self.bulk_call(&documents::BULK_OPERATIONS, &json!({ "first": 1 }))?;
        Ok(client::answered(&self.client, self.version, call).await?.server_time())
    }

    pub(super) fn bulk_call(
        &self,
        document: &'static Document,
        variables: &serde_json::Value,
    ) -> Result<ApiRequest> {
        Ok(document
            .request(self.version.path(), variables)?
            .attempt_limits(wire::READ_TIMEOUT, wire::ATTEMPT_TIMEOUT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jobs_query_has_no_variables_and_names_itself() {
        let mut request = PullRequest::all(Entity::Product);
        let text = query(&request, "run-7\n}evil").unwrap();
        assert!(!text.contains('$') && text.contains("products(query: null, sortKey: ID)"), "{text}");
        assert!(text.starts_with("query LilyConnect_run7evil_ {"), "{text}");
        request.select = Select::Since("2026-11-22T10:00:00Z".parse().unwrap());
        let text = query(&request, "x").unwrap();
        assert!(
            text.contains(r#"products(query: "updated_at:>='2026-11-22T10:00:00Z'", sortKey: ID)"#),
            "{text}"
        );
    }

    #[test]
    fn each_status_is_read() {
        let state = |json: &str| serde_json::from_str::<Operation>(json).unwrap().state();
        let done = state(
            r#"{"status":"COMPLETED","objectCount":"17","rootObjectCount":"1","fileSize":"900","url":"https://x/y",
            "errorCode":null,"partialDataUrl":null}"#,
        );
        assert_eq!(done, BulkState::Done(BulkDone::with_data(Some(17), Some(1), Some(900))));
        let empty = state(r#"{"status":"COMPLETED","objectCount":"0","url":null}"#);
        assert_eq!(empty, BulkState::Done(BulkDone::without_data(Some(0))));
        assert_eq!(
            state(r#"{"status":"FAILED","errorCode":"TIMEOUT","partialDataUrl":"https://x"}"#),
            BulkState::Failed { code: "TIMEOUT".into(), partial: true }
        );
        assert_eq!(state(r#"{"status":"CANCELING"}"#), BulkState::Cancelled);
        assert_eq!(state(r#"{"status":"NEW"}"#), BulkState::Running { objects: None });
    }
}
