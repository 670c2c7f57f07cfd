//! The whole main job on one product: check, pull, enrich, plan, apply, verify, undo.
//!
//! With nothing set it starts a sandbox store in this process; with `LILY_SANDBOX=1` it is that of the platform
//! that `LILY_CONNECTOR` names. With `LILY_CONNECTOR` and that platform's variables (`lily_connect::registry`) it
//! works on the real store named there: on one product, which it names and restores.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use async_trait::async_trait;
use clap::Parser;
use lily_connect::connector::Severity;
use lily_connect::model::{Edit, Entity, FieldChange, FieldName, Product};
use lily_connect::state::{PushId, RowQuery, SinkMark};
use lily_connect::sync::{Delivery, Rejected};
use lily_connect::{Approvals, Enrichment, MemoryState, Plan, Pull, Push, Record, Sink, StateStore};
use serde_json::Value;
use support::{Bars, Ended, Failure, Store, say};

mod support;

/// Checks a store, pulls it, writes made-up content to one product, and takes it back.
#[derive(Parser)]
struct Args {
    /// Where the log of what is written is kept [default: lily-connect.db; in the sandbox, nowhere].
    #[arg(long)]
    state: Option<PathBuf>,
    /// The id of the product to work on [default: the first one].
    #[arg(long)]
    product: Option<String>,
}

fn main() -> ExitCode {
    support::run(quickstart)
}

async fn quickstart(args: Args) -> Result<Ended, Failure> {
    let is_named =
        ["LILY_CONNECTOR", "LILY_CONNECTOR_FILE"].iter().any(|name| std::env::var_os(name).is_some());
    let store = if is_named || support::wants_sandbox()? == Some(false) {
        Store::from_env(args.state.as_deref()).await?
    } else {
        Store::sandbox(args.state.as_deref()).await?
    };
    if store.connector.capabilities().entity(Entity::Product).is_none() {
        return Err("unsupported: the store has no products to work on; `pull_catalog` reads what it has [products_unsupported]".into());
    }
    // One for the whole run: an interrupt between two waits is not lost.
    let mut interrupt = std::pin::pin!(tokio::signal::ctrl_c());
    let reads = async {
        step(1, "check the store");
        check(&store).await?;
        step(2, "pull the catalogue");
        pull(&store, args.product.as_deref()).await
    };
    let (product, pulled) = unless_interrupted(reads, interrupt.as_mut(), "the store").await?;

    step(3, "enrich one product");
    let enrichment = enrich(&store, &product);
    let name =
        format!("{}, {:?}", product.reference, product.title.value().map_or("", |title| title.as_str()));
    say!("made-up content for {name}");

    step(4, "plan: reads and compares, writes nothing");
    let push = store.push();
    let enrichments = [enrichment];
    let planned = async { Ok(push.plan(&enrichments).await?) };
    let plan = unless_interrupted(planned, interrupt.as_mut(), &name).await?;
    support::show(&plan);
    if plan.to_apply().next().is_none() {
        say!("there is nothing to apply");
        return Ok(Ended::Partly);
    }

    let pushed = tokio::select! {
        pushed = push_and_undo(&store, &push, &plan, &name) => pushed,
        _ = interrupt => {
            say!("\ninterrupted");
            let may_differ = how_to_undo(&store, &plan).await?;
            let what = if may_differ { "may not be as it was" } else { "was not touched" };
            return Err(format!("{name} {what}").into());
        }
    };
    match pushed {
        Ok(pushed) => Ok(pulled.and(pushed)),
        Err(error) => {
            how_to_undo(&store, &plan).await?;
            Err(error)
        }
    }
}

/// Does what only reads, and ends it where it is interrupted.
async fn unless_interrupted<T>(
    reads: impl Future<Output = Result<T, Failure>>,
    interrupt: impl Future,
    name: &str,
) -> Result<T, Failure> {
    tokio::select! {
        read = reads => read,
        _ = interrupt => Err(format!("interrupted: {name} was not touched").into()),
    }
}

fn step(number: u32, what: &str) {
    say!("\n{number}. {what}");
}

async fn check(store: &Store) -> Result<(), Failure> {
    let info = store.connector.info();
    let version = info.profile.version.as_deref().filter(|version| !version.is_empty());
    let version = version.map_or_else(String::new, |version| format!(" {version}"));
    say!("{}{version} at {}", info.store.platform, info.store.account);
    let health = store.connector.check().await?;
    for finding in &health.findings {
        say!("{:?} {}: {}; {}", finding.severity, finding.code, finding.evidence, finding.remedy);
    }
    if health.findings.iter().any(|finding| finding.severity == Severity::Error) {
        return Err("the check found what work cannot go on with".into());
    }
    say!("nothing stands in the way");
    Ok(())
}

/// Pulls every kind of record, and keeps one product.
async fn pull(store: &Store, id: Option<&str>) -> Result<(Box<Product>, Ended), Failure> {
    // The pages are not kept, so there is nothing to resume: the checkpoints live as long as this process.
    let checkpoints: Arc<dyn StateStore> = Arc::new(MemoryState::new());
    let mut sink = Keep { id: id.map(ToOwned::to_owned), found: None, count: 0 };
    let mut ended = Ended::Fully;
    let bars = Bars::new();
    for capabilities in &store.connector.capabilities().entities {
        let pull = Pull::new(Arc::clone(&store.connector), Arc::clone(&checkpoints), capabilities.entity);
        let bar = bars.begin(capabilities.entity);
        let certificate = pull.run(&mut sink, &|progress| bar.follow(progress)).await?;
        bar.end();
        bars.say(&certificate.to_string());
        ended = ended.and(Ended::fully_if(certificate.is_complete()));
    }
    let product = sink.found.ok_or("the store shows no such product")?;
    Ok((product, ended))
}

/// Made-up content, with the tokens of what was pulled: if the merchant edits meanwhile, the merchant wins.
fn enrich(store: &Store, product: &Product) -> Enrichment {
    let title = product.title.value().map_or("", |title| title.as_str());
    let value = |field: &'static str, text: String| {
        let name = FieldName::new(field);
        let base = product.base.get(&name).cloned();
        (name, FieldChange { value: Some(Value::from(text)), base, ..FieldChange::default() })
    };
    let tags = FieldName::new("tags");
    let base_keys = product.base.keys(&tags).map(|keys| keys.iter().cloned().collect::<BTreeMap<_, _>>());
    let edit = Edit { add: vec!["Everyday essentials".into(), "Gift ideas".into()], ..Edit::default() };
    // A store without tags gets a title for search engines in their place.
    let claims = store.connector.capabilities().entity(Entity::Product);
    let third = match claims.is_some_and(|claims| claims.writable(&tags).is_some()) {
        true => (tags, FieldChange { edit: Some(edit), base_keys, ..FieldChange::default() }),
        false => value("seo.title", format!("{title} for every day")),
    };
    let fields = BTreeMap::from([
        value("title", format!("{title} – comfortable, every day")),
        value(
            "description",
            "<p>Made to be worn often: soft to the touch, easy to care for, and cut to keep its shape.</p>\n\
             <ul>\n<li>Pairs with what is already in the wardrobe</li>\n<li>Washes at 30 °C</li>\n</ul>"
                .to_owned(),
        ),
        third,
    ]);
    Enrichment {
        id: None,
        target: product.reference.clone(),
        locale: product.locale.clone(),
        scope: product.scope.clone(),
        made_at: store.runtime.clock().now(),
        from: BTreeMap::new(),
        from_locale: None,
        fields,
        provenance: lily_connect::model::Provenance::default(),
    }
}

async fn push_and_undo(store: &Store, push: &Push, plan: &Plan, name: &str) -> Result<Ended, Failure> {
    step(5, "apply what was planned, and read it back");
    if !store.is_sandbox() {
        say!("this writes to the real store at {}, and takes it back", store.connector.info().store.account);
    }
    say!("where an answer is lost, this waits up to 90 s for what became of it");
    let (id, applied) = match push.apply(plan, &Approvals::Only(plan.approve_all())).await {
        Ok(receipt) => {
            support::show(&receipt);
            (receipt.push, Ok(Ended::fully_if(receipt.is_full_success())))
        }
        // Some of it may have landed, so it is taken back all the same.
        Err(error) => match pushed(store, plan).await? {
            Some(id) => (id, Err(error)),
            None => return Err(error.into()),
        },
    };
    step(6, "undo");
    let report = match pushed(store, plan).await? {
        Some(_) => Some(push.undo(id).await?),
        None => None,
    };
    let Some(report) = report.filter(|report| !report.cells.is_empty()) else {
        say!("nothing landed, so there is nothing to take back");
        return Ok(applied?);
    };
    support::show(&report);
    let undone = Ended::fully_if(report.is_full_success());
    if undone == Ended::Fully {
        say!(
            "\nDone with {name}: its texts and tags are as before; its modified time moved. Where tags are records of \
             their own, new ones stay in the shop, unused."
        );
    }
    Ok(applied?.and(undone))
}

/// The push that wrote the plan, as the log knows it.
async fn pushed(store: &Store, plan: &Plan) -> Result<Option<PushId>, Failure> {
    let Some(change) = plan.changes.first() else { return Ok(None) };
    let query = RowQuery::Holder(change.cell.holder.clone());
    let rows = store.state.rows(&store.connector.info().store, &query).await?;
    Ok(rows.iter().rev().find(|row| row.plan == plan.hash).map(|row| row.push))
}

/// Says how to take back what was written, and whether anything may have been.
async fn how_to_undo(store: &Store, plan: &Plan) -> Result<bool, Failure> {
    let pushed = pushed(store, plan).await?;
    match pushed {
        Some(_) if store.is_sandbox() => say!("the sandbox is gone, and what was written with it"),
        Some(id) => say!(
            "to take back what was written, wait two minutes for lost answers to settle, then run:\n  \
             cargo run --example undo_push --all-features -- --push {id} --state {}",
            store.state_path.display()
        ),
        None => say!("nothing was written"),
    }
    Ok(pushed.is_some())
}

/// A sink that counts, and keeps the product that is asked for.
#[derive(Debug)]
struct Keep {
    id: Option<String>,
    found: Option<Box<Product>>,
    count: u64,
}

#[async_trait]
impl Sink for Keep {
    fn delivery(&self) -> Delivery {
        Delivery::Once
    }

    async fn write(&mut self, records: &[Record]) -> lily_connect::Result<()> {
        self.count += records.len() as u64;
        for record in records {
            let is_wanted = match &self.id {
                Some(id) => record.reference().id.as_str() == id,
                None => self.found.is_none(),
            };
            if let (true, Record::Product(product)) = (is_wanted, record) {
                self.found = Some(product.clone());
            }
        }
        Ok(())
    }

    async fn reject(&mut self, rejected: &Rejected) -> lily_connect::Result<()> {
        say!("{} {:?} could not be mapped: {}", rejected.entity, rejected.id, rejected.reasons.join("; "));
        Ok(())
    }

    async fn mark(&mut self) -> lily_connect::Result<SinkMark> {
        Ok(SinkMark(self.count))
    }

    async fn rewind(&mut self, mark: SinkMark) -> lily_connect::Result<()> {
        self.count = mark.0;
        Ok(())
    }
}
