//! A platform's stand-in in this process.

use std::path::Path;
use std::sync::Arc;

use lily_connect::connector::Connector;
use lily_connect::runtime::Runtime;

use super::Failure;

pub(super) use stand_in::Sandbox;

#[cfg(feature = "testkit")]
mod stand_in {
    use std::collections::BTreeMap;

    use lily_connect::ConnectorConfig;
    use lily_connect::testkit::bigcommerce::{BigCommerceFake, Plan};
    use lily_connect::testkit::ga4::Ga4Fake;
    use lily_connect::testkit::magento::MagentoFake;
    use lily_connect::testkit::server::{Server, Service};
    use lily_connect::testkit::shopify::ShopifyFake;
    use lily_connect::testkit::woocommerce::{Permissions, Role, WooStore};
    use lily_connect::time::SystemClock;

    use super::*;

    /// How many products a shop has to begin with, where the platform has no sample catalogue.
    const PRODUCTS: usize = 20;
    /// The property that the stand-in of Google Analytics has.
    const PROPERTY: u64 = 123;

    /// A running stand-in, and a folder that is gone with it.
    pub(in super::super) struct Sandbox {
        config: ConnectorConfig,
        folder: tempfile::TempDir,
        _server: Server,
    }

    impl Sandbox {
        /// Starts the stand-in of the platform that `LILY_CONNECTOR` names, else of the first that is built in.
        pub(in super::super) async fn start() -> Result<Self, Failure> {
            let first = match () {
                () if cfg!(feature = "woocommerce") => "woocommerce",
                () if cfg!(feature = "shopify") => "shopify",
                () if cfg!(feature = "bigcommerce") => "bigcommerce",
                () => "magento",
            };
            let named = std::env::var_os("LILY_CONNECTOR").filter(|name| !name.is_empty());
            let name = named.unwrap_or_else(|| first.into()).into_string().unwrap_or_default();
            let (server, own) = match name.as_str() {
                "bigcommerce" => bigcommerce().await?,
                "ga4" => ga4().await?,
                "magento" => magento().await?,
                "shopify" => shopify().await?,
                "woocommerce" => woocommerce().await?,
                _ => {
                    let names = "bigcommerce, ga4, magento, shopify or woocommerce";
                    return Err(format!("with LILY_SANDBOX=1, LILY_CONNECTOR must be {names}").into());
                }
            };
            let variables: BTreeMap<&str, String> = own
                .into_iter()
                .chain([("LILY_CONNECTOR", name), ("LILY_ALLOW_PRIVATE_HOSTS", "1".to_owned())])
                .collect();
            let config = ConnectorConfig::from_lookup(&|name| variables.get(name).map(Into::into))?;
            Ok(Self { config, folder: tempfile::tempdir()?, _server: server })
        }

        pub(in super::super) fn folder(&self) -> &Path {
            self.folder.path()
        }

        pub(in super::super) async fn connect(&self) -> Result<(Arc<dyn Connector>, Runtime), Failure> {
            let runtime = Runtime::new();
            Ok((self.config.connect(&runtime).await?, runtime))
        }
    }

    /// A stand-in, and the variables that lead to it.
    type Started = (Server, Vec<(&'static str, String)>);

    async fn woocommerce() -> Result<Started, Failure> {
        let store = WooStore::new(Arc::new(SystemClock::default()));
        let _ids = store.seed_sample();
        let key = store.issue_key("sandbox", Permissions::ReadWrite, Role::Manager);
        let server = Server::start(store).await?;
        let variables = vec![
            ("WOOCOMMERCE_URL", server.url()),
            ("WOOCOMMERCE_KEY", key.consumer_key),
            ("WOOCOMMERCE_SECRET", key.consumer_secret),
        ];
        Ok((server, variables))
    }

    async fn ga4() -> Result<Started, Failure> {
        let analytics = Ga4Fake::new(Arc::new(SystemClock::default()));
        analytics.seed_property(PROPERTY, 20, 10, 28);
        let credentials = analytics.issue_user("sandbox");
        let (id, secret) = (analytics.property(PROPERTY), analytics.api_secret());
        let server = Service::new(analytics).start().await?;
        let url = server.url();
        let variables = vec![
            ("GA4_PROPERTY", PROPERTY.to_string()),
            ("GA4_CREDENTIALS", credentials),
            ("GA4_MEASUREMENT_ID", id.map(|property| property.measurement_id).unwrap_or_default()),
            ("GA4_API_SECRET", secret),
            ("GA4_DATA_URL", url.clone()),
            ("GA4_ADMIN_URL", url.clone()),
            ("GA4_TOKEN_URL", format!("{url}/token")),
            ("GA4_COLLECT_URL", url),
        ];
        Ok((server, variables))
    }

    async fn magento() -> Result<Started, Failure> {
        let store = MagentoFake::builder(Arc::new(SystemClock::default())).seed(7).build();
        let _ids = store.seed_products(PRODUCTS);
        let keys = store.issue_integration("sandbox");
        let server = Service::new(store).start().await?;
        let variables = vec![
            ("MAGENTO_URL", server.url()),
            ("MAGENTO_CONSUMER_KEY", keys.consumer_key),
            ("MAGENTO_CONSUMER_SECRET", keys.consumer_secret),
            ("MAGENTO_TOKEN", keys.access_token),
            ("MAGENTO_TOKEN_SECRET", keys.access_token_secret),
        ];
        Ok((server, variables))
    }

    async fn bigcommerce() -> Result<Started, Failure> {
        let store =
            BigCommerceFake::builder(Arc::new(SystemClock::default())).plan(Plan::Unlimited).seed(7).build();
        let _ids = store.seed_products(PRODUCTS);
        let token = store.issue_token("sandbox");
        let settings = store.settings();
        let server = Service::new(store).start().await?;
        let variables = vec![
            ("BIGCOMMERCE_STORE_HASH", settings.store_hash),
            ("BIGCOMMERCE_URL", server.url()),
            ("BIGCOMMERCE_ACCESS_TOKEN", token),
            ("BIGCOMMERCE_CLIENT_SECRET", settings.client_secret),
        ];
        Ok((server, variables))
    }

    async fn shopify() -> Result<Started, Failure> {
        let shop = ShopifyFake::builder(Arc::new(SystemClock::default())).seed(7).build();
        let _ids = shop.seed_products(PRODUCTS);
        let (token, domain) = (shop.issue_token("sandbox"), shop.settings().myshopify_domain);
        let server = Service::new(shop).start().await?;
        let variables =
            vec![("SHOPIFY_SHOP", domain), ("SHOPIFY_URL", server.url()), ("SHOPIFY_ACCESS_TOKEN", token)];
        Ok((server, variables))
    }
}

#[cfg(not(feature = "testkit"))]
mod stand_in {
    use super::*;

    /// This build has none.
    pub(in super::super) enum Sandbox {}

    impl Sandbox {
        #[allow(clippy::unused_async, reason = "it stands where the other build waits")]
        pub(in super::super) async fn start() -> Result<Self, Failure> {
            Err("the sandbox needs the feature testkit".into())
        }

        pub(in super::super) fn folder(&self) -> &Path {
            match *self {}
        }

        #[allow(clippy::unused_async, reason = "it stands where the other build waits")]
        pub(in super::super) async fn connect(&self) -> Result<(Arc<dyn Connector>, Runtime), Failure> {
            match *self {}
        }
    }
}
