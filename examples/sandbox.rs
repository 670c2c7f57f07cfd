//! Serves the stand-in of a platform on loopback, for other programs: `sandbox --platform woocommerce`.
//!
//! The first line on standard output is `{"address":…,"url":…,"key":…,"secret":…}`; the key and the secret are
//! made up, and open nothing else. It serves until it is interrupted or terminated.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use lily_connect::testkit::exchange::Transport;
use lily_connect::testkit::faults::FaultSpec;
use lily_connect::testkit::server::Service;
use lily_connect::testkit::woocommerce::{Permissions, Role, WooStore};
use lily_connect::time::SystemClock;
use support::{Ended, Failure, say};

mod support;

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
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Platform {
    Woocommerce,
}

fn main() -> ExitCode {
    support::run(serve)
}

async fn serve(args: Args) -> Result<Ended, Failure> {
    let Platform::Woocommerce = args.platform;
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
    let service = Service::new(store.clone());
    if let Some(faults) = args.faults {
        service.faults().seed(faults);
    }
    let server = service
        .start_at(args.listen, Transport::Plain)
        .await
        .map_err(|error| format!("--listen {} cannot be used: {error}", args.listen))?;
    let line = serde_json::json!({
        "address": server.addr().to_string(),
        "url": server.url(),
        "key": key.consumer_key,
        "secret": key.consumer_secret,
    });
    support::data(&line.to_string())?;
    say!(
        "This is a sandbox with {} products and {} variations, at {}.",
        store.product_count(),
        store.variation_count(),
        server.url()
    );
    say!("To connect the other examples to it:");
    for (name, value) in [
        ("LILY_CONNECTOR", "woocommerce"),
        ("LILY_ALLOW_PRIVATE_HOSTS", "1"),
        ("WOOCOMMERCE_URL", &server.url()),
        ("WOOCOMMERCE_KEY", &key.consumer_key),
        ("WOOCOMMERCE_SECRET", &key.consumer_secret),
    ] {
        say!("export {name}={value}");
    }
    stopped().await?;
    say!("stopped after {} requests", server.traffic().requests());
    Ok(Ended::Fully)
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
