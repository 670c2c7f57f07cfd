//! Serves the stand-in of a platform on loopback, for other programs: `sandbox --platform woocommerce`, `shopify`,
//! `bigcommerce`, `magento` or `ga4`.
//!
//! The first line on standard output is `{"address":…,"url":…,"key":…,"secret":…}`, for Shopify with `token`,
//! `shop`, `client_id` and `client_secret` in place of the last two, for BigCommerce with `token`,
//! `store_hash`, `client_id` and `client_secret`, for Magento with `consumer_key`, `consumer_secret`,
//! `token` and `token_secret`, for Google Analytics with `property`, `credentials_file`, a service account's,
//! `measurement_id` and `api_secret`. All of them are made up, and open nothing
//! else. It serves until it is interrupted or terminated.
//!
//! Changes are delivered to webhooks at once, to addresses of the loopback network only. With `--tls` it speaks
//! https with a certificate that it makes for itself; the line then holds it as `certificate`, a PEM text.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use lily_connect::testkit::bigcommerce::{BigCommerceFake, Plan};
use lily_connect::testkit::exchange::Transport;
use lily_connect::testkit::faults::FaultSpec;
use lily_connect::testkit::ga4::Ga4Fake;
use lily_connect::testkit::magento::MagentoFake;
use lily_connect::testkit::server::{Server, Service};
use lily_connect::testkit::shopify::ShopifyFake;
use lily_connect::testkit::woocommerce::{Permissions, Role, WooStore};
use lily_connect::time::SystemClock;
use support::{Ended, Failure, say};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

mod support;

/// The most TLS connections at one time; the next ones wait to be accepted.
const CONNECTION_LIMIT: usize = 256;

/// Serves the stand-in of a platform on loopback until it is interrupted.
#[derive(Parser)]
struct Args {
    /// The platform.
    #[arg(long)]
    platform: Platform,
    /// Where to listen: an address of the loopback network; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// A JSON file with products to begin with [default: the sample catalogue].
    #[arg(long, conflicts_with = "products")]
    catalog: Option<PathBuf>,
    /// Begins with that many generated products instead.
    #[arg(long)]
    products: Option<usize>,
    /// How many generated variations they have among them.
    #[arg(long, requires = "products", default_value_t = 0)]
    variations: usize,
    /// Faults to play, such as rate=0.1,kinds=reset+503,seed=7.
    #[arg(long)]
    faults: Option<FaultSpec>,
    /// Speaks https, with a certificate made for this run.
    #[arg(long)]
    tls: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Platform {
    Woocommerce,
    Shopify,
    Ga4,
    Magento,
    Bigcommerce,
}

fn main() -> ExitCode {
    support::run(serve)
}

async fn serve(args: Args) -> Result<Ended, Failure> {
    // Deliveries that fail or are refused are told in the log.
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_max_level(tracing_subscriber::filter::LevelFilter::WARN)
        .init();
    let stand_in = match args.platform {
        Platform::Woocommerce => woocommerce(&args)?,
        Platform::Shopify => shopify(&args)?,
        Platform::Ga4 => ga4(&args)?,
        Platform::Magento => magento(&args)?,
        Platform::Bigcommerce => bigcommerce(&args)?,
    };
    let service = stand_in.service;
    if let Some(faults) = args.faults {
        service.faults().seed(faults);
    }
    let unusable = |error| format!("--listen {} cannot be used: {error}", args.listen);
    let mut certificate = None;
    let served = if args.tls {
        let tls = Tls::new(stand_in.names)?;
        certificate = Some(tls.certificate.clone());
        tls.serve(service.clone(), args.listen).await.map_err(unusable)?
    } else {
        Served::Plain(service.clone().start_at(args.listen, Transport::Plain).await.map_err(unusable)?)
    };
    let (address, url) = (served.address(), served.url());
    let mut line = serde_json::json!({ "address": address.to_string(), "url": url });
    if let Some(line) = line.as_object_mut() {
        line.extend(stand_in.keys.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into())));
        line.extend(certificate.map(|certificate| ("certificate".to_owned(), certificate.into())));
    }
    support::data(&line.to_string())?;
    say!("This is a sandbox with {}, at {url}.", stand_in.holds);
    say!("To connect the other examples to it:");
    say!("export LILY_CONNECTOR={}", stand_in.connector);
    say!("export LILY_ALLOW_PRIVATE_HOSTS=1");
    for (name, path) in stand_in.addresses {
        say!("export {name}={url}{path}");
    }
    for (name, value) in &stand_in.variables {
        say!("export {name}={value}");
    }
    stopped().await?;
    drop(served);
    say!("stopped after {} requests", service.traffic().requests());
    Ok(Ended::Fully)
}

/// A platform's stand-in, ready to serve.
struct StandIn {
    service: Service,
    connector: &'static str,
    /// What it is called, beside its address; a certificate holds these, too.
    names: Vec<String>,
    /// What the printed line holds beside the address.
    keys: Vec<(&'static str, String)>,
    holds: String,
    /// The variables that name the address to the other examples, each with a path below it, and those with the
    /// credentials.
    addresses: &'static [(&'static str, &'static str)],
    variables: Vec<(&'static str, String)>,
    /// A folder that is gone with it.
    _folder: Option<tempfile::TempDir>,
}

fn woocommerce(args: &Args) -> Result<StandIn, Failure> {
    let store = WooStore::new(Arc::new(SystemClock::default()));
    match (&args.catalog, args.products) {
        (Some(path), _) => {
            let text = std::fs::read(path)
                .map_err(|error| format!("--catalog {} cannot be read: {error}", path.display()))?;
            store
                .seed_catalog(&text)
                .map_err(|error| format!("--catalog {} is no catalogue: {error}", path.display()))?;
        }
        (None, Some(products)) => {
            store.seed_generated(products, args.variations, 7);
        }
        (None, None) => {
            let _ids = store.seed_sample();
        }
    }
    let key = store.issue_key("sandbox", Permissions::ReadWrite, Role::Manager);
    store.deliver_at_once(true);
    Ok(StandIn {
        service: Service::new(store.clone()),
        connector: "woocommerce",
        names: Vec::new(),
        keys: vec![("key", key.consumer_key.clone()), ("secret", key.consumer_secret.clone())],
        holds: format!("{} products and {} variations", store.product_count(), store.variation_count()),
        addresses: &[("WOOCOMMERCE_URL", "")],
        variables: vec![("WOOCOMMERCE_KEY", key.consumer_key), ("WOOCOMMERCE_SECRET", key.consumer_secret)],
        _folder: None,
    })
}

fn shopify(args: &Args) -> Result<StandIn, Failure> {
    if args.catalog.is_some() || args.variations > 0 {
        return Err("--catalog and --variations are for woocommerce; use --products".into());
    }
    let shop = ShopifyFake::builder(Arc::new(SystemClock::default())).seed(7).build();
    shop.seed_products(args.products.unwrap_or(20));
    let token = shop.issue_token("sandbox");
    shop.deliver_at_once(true);
    let settings = shop.settings();
    let domain = settings.myshopify_domain;
    Ok(StandIn {
        service: Service::new(shop.clone()),
        connector: "shopify",
        names: vec![domain.clone()],
        keys: vec![
            ("token", token.clone()),
            ("shop", domain.clone()),
            ("client_id", settings.client_id),
            ("client_secret", settings.client_secret),
        ],
        holds: format!("{} products and {} variants", shop.product_count(), shop.variant_count()),
        addresses: &[("SHOPIFY_URL", "")],
        variables: vec![("SHOPIFY_SHOP", domain), ("SHOPIFY_ACCESS_TOKEN", token)],
        _folder: None,
    })
}

fn ga4(args: &Args) -> Result<StandIn, Failure> {
    const PROPERTY: u64 = 123;
    if args.catalog.is_some() || args.variations > 0 {
        return Err("--catalog and --variations are for woocommerce; use --products".into());
    }
    let analytics = Ga4Fake::new(Arc::new(SystemClock::default()));
    let items = u32::try_from(args.products.unwrap_or(20))?;
    analytics.seed_property(PROPERTY, items, 10, 28);
    let key = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048)?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("credentials.json");
    std::fs::write(&file, analytics.issue_account(&key.serialize_pem())?)?;
    let file = file.display().to_string();
    let measurement_id = analytics.property(PROPERTY).map(|property| property.measurement_id);
    let stream = (measurement_id.unwrap_or_default(), analytics.api_secret());
    Ok(StandIn {
        service: Service::new(analytics),
        connector: "ga4",
        names: Vec::new(),
        keys: vec![
            ("property", PROPERTY.to_string()),
            ("credentials_file", file.clone()),
            ("measurement_id", stream.0.clone()),
            ("api_secret", stream.1.clone()),
        ],
        holds: format!("a property of {items} items and 10 pages a day"),
        addresses: &[
            ("GA4_DATA_URL", ""),
            ("GA4_ADMIN_URL", ""),
            ("GA4_TOKEN_URL", "/token"),
            ("GA4_COLLECT_URL", ""),
        ],
        variables: vec![
            ("GA4_PROPERTY", PROPERTY.to_string()),
            ("GA4_CREDENTIALS_FILE", file),
            ("GA4_MEASUREMENT_ID", stream.0),
            ("GA4_API_SECRET", stream.1),
        ],
        _folder: Some(folder),
    })
}

fn magento(args: &Args) -> Result<StandIn, Failure> {
    if args.catalog.is_some() || args.variations > 0 {
        return Err("--catalog and --variations are for woocommerce; use --products".into());
    }
    let store = MagentoFake::builder(Arc::new(SystemClock::default())).seed(7).build();
    let visible = store.seed_products(args.products.unwrap_or(20)).len();
    let keys = store.issue_integration("sandbox");
    Ok(StandIn {
        service: Service::new(store.clone()),
        connector: "magento",
        names: Vec::new(),
        keys: vec![
            ("consumer_key", keys.consumer_key.clone()),
            ("consumer_secret", keys.consumer_secret.clone()),
            ("token", keys.access_token.clone()),
            ("token_secret", keys.access_token_secret.clone()),
        ],
        holds: format!("{visible} visible products and {} variants", store.product_count() - visible),
        addresses: &[("MAGENTO_URL", "")],
        variables: vec![
            ("MAGENTO_CONSUMER_KEY", keys.consumer_key),
            ("MAGENTO_CONSUMER_SECRET", keys.consumer_secret),
            ("MAGENTO_TOKEN", keys.access_token),
            ("MAGENTO_TOKEN_SECRET", keys.access_token_secret),
        ],
        _folder: None,
    })
}

fn bigcommerce(args: &Args) -> Result<StandIn, Failure> {
    if args.catalog.is_some() || args.variations > 0 {
        return Err("--catalog and --variations are for woocommerce; use --products".into());
    }
    // Without a quota: whoever tries a client here does not wait for windows to end.
    let store =
        BigCommerceFake::builder(Arc::new(SystemClock::default())).plan(Plan::Unlimited).seed(7).build();
    store.seed_products(args.products.unwrap_or(20));
    let token = store.issue_token("sandbox");
    store.allow_local_destinations(true);
    store.deliver_at_once(true);
    let settings = store.settings();
    Ok(StandIn {
        service: Service::new(store.clone()),
        connector: "bigcommerce",
        names: vec!["api.bigcommerce.com".to_owned()],
        keys: vec![
            ("token", token.clone()),
            ("store_hash", settings.store_hash.clone()),
            ("client_id", settings.client_id),
            ("client_secret", settings.client_secret),
        ],
        holds: format!("{} products and {} variants", store.ids().len(), store.variant_ids().len()),
        addresses: &[("BIGCOMMERCE_URL", "")],
        variables: vec![("BIGCOMMERCE_STORE_HASH", settings.store_hash), ("BIGCOMMERCE_ACCESS_TOKEN", token)],
        _folder: None,
    })
}

/// What serves, until it is dropped.
enum Served {
    Plain(Server),
    Tls(SocketAddr, tokio::task::JoinHandle<()>),
}

impl Served {
    fn address(&self) -> SocketAddr {
        match self {
            Self::Plain(server) => server.addr(),
            Self::Tls(address, _) => *address,
        }
    }

    fn url(&self) -> String {
        match self {
            Self::Plain(server) => server.url(),
            Self::Tls(address, _) => format!("https://{address}"),
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Self::Tls(_, task) = self {
            task.abort();
        }
    }
}

/// A certificate for the loopback network and the store's own names, made for one run, and what accepts connections with it.
struct Tls {
    certificate: String,
    acceptor: TlsAcceptor,
}

impl Tls {
    fn new(mut names: Vec<String>) -> Result<Self, Failure> {
        names.extend(["localhost", "127.0.0.1", "::1"].map(str::to_owned));
        let made = rcgen::generate_simple_self_signed(names)?;
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.into())?;
        Ok(Self { certificate: made.cert.pem(), acceptor: TlsAcceptor::from(Arc::new(config)) })
    }

    /// Listens, and serves each connection in a task of its own.
    async fn serve(self, service: Service, address: SocketAddr) -> std::io::Result<Served> {
        if !address.ip().is_loopback() {
            return Err(std::io::Error::new(
                std::io::ErrorKind::InvalidInput,
                format!("the sandbox listens on loopback only, got {}", address.ip()),
            ));
        }
        let listener = tokio::net::TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept(), if connections.len() < CONNECTION_LIMIT => {
                        let Ok((stream, _)) = accepted else { continue };
                        let (service, acceptor) = (service.clone(), self.acceptor.clone());
                        connections.spawn(async move {
                            // A peer that does not shake hands is no concern of the others.
                            if let Ok(stream) = acceptor.accept(stream).await {
                                service.serve_connection(stream, Transport::Tls).await;
                            }
                        });
                    }
                    _ = connections.join_next(), if !connections.is_empty() => {}
                }
            }
        });
        Ok(Served::Tls(address, task))
    }
}

/// Waits for an interrupt, or where the system has it for a request to terminate.
async fn stopped() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}
