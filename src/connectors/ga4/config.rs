//! Settings of a property: checked without a call; [`Ga4Config::connect`] is the step that calls.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use twox_hash::XxHash3_64;

use super::PLATFORM;
use super::classify::{FORBIDDEN, GoogleClassifier};
use super::connector::Ga4;
use super::credentials::{Credentials, Opening};
use super::discover::{Found, discover};
use super::events::{Region, Sender};
use super::identity::{Identities, ItemIds};
use crate::auth::{Origin, TokenVault};
use crate::error::{Error, ErrorKind, Result};
use crate::http::{ApiClient, ErrorAllowance};
use crate::model::performance::SubjectKind;
use crate::model::{Secret, StoreKey, StoreProfile, Text};
use crate::runtime::Runtime;
use crate::state::{MemoryState, StateVault};

const DATA_URL: &str = "https://analyticsdata.googleapis.com";
const ADMIN_URL: &str = "https://analyticsadmin.googleapis.com";
/// So many server errors in an hour lock a project out of a property.
const LOCKED_OUT: u32 = 10;
/// Nothing is sent behind this many, or fewer where more calls may be in flight when the last of them comes.
const SERVER_ERRORS: u32 = 7;
/// Each further attempt may be one of the ten.
const ATTEMPTS: u32 = 3;

/// How to reach a Google Analytics property.
///
/// ```
/// # use lily_connect::connectors::ga4::Ga4Config;
/// # use lily_connect::model::Secret;
/// let file = r#"{"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"}"#;
/// let config = Ga4Config::builder("123456").credentials(Secret::new(file)).build()?;
/// # Ok::<(), lily_connect::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Ga4Config {
    property: u64,
    store: StoreKey,
    credentials: Credentials,
    vault: Arc<dyn TokenVault>,
    data: Origin,
    admin: Origin,
    private_hosts: bool,
    edits: bool,
    max_in_flight: NonZeroU32,
    reserve: f64,
    profile: Option<StoreProfile>,
    sender: Option<Sender>,
    pub(super) reads: Reads,
}

/// What is read, and how.
#[derive(Debug, Clone)]
pub(super) struct Reads {
    pub(super) items: bool,
    pub(super) pages: bool,
    pub(super) search_landings: bool,
    pub(super) skip_empty: bool,
    pub(super) settles_after_days: u32,
    pub(super) identities: Identities,
}

impl Reads {
    /// The reports that are read, in their order.
    pub(super) fn kinds(&self) -> impl DoubleEndedIterator<Item = SubjectKind> + '_ {
        SubjectKind::ALL.into_iter().filter(|kind| match kind {
            SubjectKind::Item => self.items,
            SubjectKind::Page => self.pages,
            SubjectKind::SearchLanding => self.search_landings,
        })
    }

    /// A print of what decides which rows come and what they say; so does the time zone of their days.
    pub(super) fn print(&self, time_zone: Option<&str>) -> u64 {
        let hash = |text: &str| XxHash3_64::oneshot(text.as_bytes());
        let Identities { items, page_prefixes, known } = &self.identities;
        // A set has no order.
        let known = known
            .as_deref()
            .map(|known| (known.len(), known.iter().fold(0_u64, |sum, id| sum.wrapping_add(hash(id)))));
        let of_rows = (self.skip_empty, time_zone);
        let kinds: Vec<SubjectKind> = self.kinds().collect();
        hash(&format!("{kinds:?} {of_rows:?} {items:?} {page_prefixes:?} {known:?}"))
    }
}

impl Ga4Config {
    /// Begins with the property's number, such as `123456` (`properties/123456` does as well).
    #[must_use]
    pub fn builder(property: impl Into<String>) -> Ga4Builder {
        Ga4Builder {
            property: property.into(),
            credentials: None,
            vault: None,
            data_url: None,
            admin_url: None,
            token_url: None,
            collect_url: None,
            tenant: "default".into(),
            private_hosts: false,
            edits: false,
            max_in_flight: NonZeroU32::MIN.saturating_add(1),
            reserve: 0.1,
            profile: None,
            stream: None,
            region: Region::Global,
            reads: Reads {
                items: true,
                pages: true,
                search_landings: false,
                skip_empty: false,
                settles_after_days: 3,
                identities: Identities::default(),
            },
        }
    }

    /// The property, as everything that is kept about it is keyed.
    #[must_use]
    pub fn store(&self) -> &StoreKey {
        &self.store
    }

    /// Reads the property's time zone and currency, unless a profile was supplied, and gives the connector.
    ///
    /// # Errors
    /// `Auth` or `Forbidden` where the account is refused; else what the pipeline says.
    pub async fn connect(&self, runtime: &Runtime) -> Result<Ga4> {
        let data = self.client(runtime, &self.data)?;
        let admin = self.client(runtime, &self.admin)?;
        let events = match &self.sender {
            Some(sender) => Some(sender.open(runtime, self.private_hosts)?),
            None => None,
        };
        let found = match &self.profile {
            Some(profile) => Found::supplied(profile.clone()),
            None => {
                let found = discover(&data, &admin, self.property, runtime).await;
                found.map_err(|error| match self.account() {
                    Some(account) if error.code() == FORBIDDEN => {
                        error.with_context("account", account.to_string())
                    }
                    _ => error,
                })?
            }
        };
        Ga4::new(found, (data, admin, events), runtime.clone(), self)
    }

    fn client(&self, runtime: &Runtime, origin: &Origin) -> Result<ApiClient> {
        let opening = Opening { private_hosts: self.private_hosts, edits: self.edits };
        let authenticator = self.credentials.open(runtime, &self.store, origin, &self.vault, opening)?;
        runtime
            .client(self.store.clone(), origin.clone(), authenticator)
            .classifier(Arc::new(GoogleClassifier::new(self.reserve)))
            .private_hosts(self.private_hosts)
            .max_in_flight(self.max_in_flight)
            .attempts(ATTEMPTS)
            .errors(ErrorAllowance::new(
                SERVER_ERRORS.min(LOCKED_OUT.saturating_sub(self.max_in_flight.get())),
                Duration::from_secs(3600),
            ))
            .build()
    }

    pub(super) fn account(&self) -> Option<&Text> {
        self.credentials.account()
    }

    pub(super) fn property(&self) -> u64 {
        self.property
    }

    pub(super) fn sender(&self) -> Option<&Sender> {
        self.sender.as_ref()
    }
}

/// Settings of a [`Ga4Config`].
#[derive(Debug, Clone)]
pub struct Ga4Builder {
    property: String,
    credentials: Option<Secret>,
    vault: Option<Arc<dyn TokenVault>>,
    data_url: Option<String>,
    admin_url: Option<String>,
    token_url: Option<String>,
    collect_url: Option<String>,
    tenant: Text,
    private_hosts: bool,
    edits: bool,
    max_in_flight: NonZeroU32,
    reserve: f64,
    profile: Option<StoreProfile>,
    stream: Option<(String, Secret)>,
    region: Region,
    reads: Reads,
}

impl Ga4Builder {
    /// Sets the text of a credential file: the JSON of a service account's key (`service_account`), or of gcloud's
    /// application default login (`authorized_user`).
    #[must_use]
    pub fn credentials(mut self, file: Secret) -> Self {
        self.credentials = Some(file);
        self
    }

    /// Sets the vault that access tokens are kept in (default: memory).
    #[must_use]
    pub fn vault(mut self, vault: Arc<dyn TokenVault>) -> Self {
        self.vault = Some(vault);
        self
    }

    /// Sets another root of the Data API, such as that of a test server.
    #[must_use]
    pub fn data_url(mut self, url: impl Into<String>) -> Self {
        self.data_url = Some(url.into());
        self
    }

    /// Sets another root of the Admin API.
    #[must_use]
    pub fn admin_url(mut self, url: impl Into<String>) -> Self {
        self.admin_url = Some(url.into());
        self
    }

    /// Sets another token endpoint than the credential file names, with its path.
    #[must_use]
    pub fn token_url(mut self, url: impl Into<String>) -> Self {
        self.token_url = Some(url.into());
        self
    }

    /// Sets another root of the Measurement Protocol than the region's.
    #[must_use]
    pub fn collect_url(mut self, url: impl Into<String>) -> Self {
        self.collect_url = Some(url.into());
        self
    }

    /// Sets the web stream that events are sent to, by its measurement id and one of its secrets (default none:
    /// nothing is sent).
    #[must_use]
    pub fn stream(mut self, measurement_id: impl Into<String>, api_secret: Secret) -> Self {
        self.stream = Some((measurement_id.into(), api_secret));
        self
    }

    /// Sets where events are received (default [`Region::Global`]).
    #[must_use]
    pub fn region(mut self, region: Region) -> Self {
        self.region = region;
        self
    }

    /// Sets whose property it is (default `default`).
    #[must_use]
    pub fn tenant(mut self, tenant: impl Into<Text>) -> Self {
        self.tenant = tenant.into();
        self
    }

    /// Allows loopback and private addresses (default forbidden).
    #[must_use]
    pub fn private_hosts(mut self, allowed: bool) -> Self {
        self.private_hosts = allowed;
        self
    }

    /// Asks for the scope that making custom dimensions needs (default: reading alone).
    #[must_use]
    pub fn edits(mut self, wanted: bool) -> Self {
        self.edits = wanted;
        self
    }

    /// Sets the most calls in flight at the property, from 1 to 9 (default 2; the platform allows 10, for all its
    /// users, and each may end in one of the ten server errors that lock the project out).
    #[must_use]
    pub fn max_in_flight(mut self, calls: NonZeroU32) -> Self {
        self.max_in_flight = calls;
        self
    }

    /// Sets which share of the tokens of an hour is left to others, from 0 to below 1 (default 0.1); of those of a
    /// day, a tenth of it.
    #[must_use]
    pub fn quota_reserve(mut self, share: f64) -> Self {
        self.reserve = share;
        self
    }

    /// Supplies the profile, with time zone and currency: connecting then makes no call.
    #[must_use]
    pub fn profile(mut self, profile: StoreProfile) -> Self {
        self.profile = Some(profile);
        self
    }

    /// Sets whether items are read (default yes).
    #[must_use]
    pub fn items(mut self, read: bool) -> Self {
        self.reads.items = read;
        self
    }

    /// Sets whether pages are read (default yes).
    #[must_use]
    pub fn pages(mut self, read: bool) -> Self {
        self.reads.pages = read;
        self
    }

    /// Sets whether the pages are read that visits out of unpaid search results began with (default no: it is one more
    /// report of each range of days).
    #[must_use]
    pub fn search_landings(mut self, read: bool) -> Self {
        self.reads.search_landings = read;
        self
    }

    /// Leaves out rows without a key (default no): what they hold is then in no sum, and each record says so.
    #[must_use]
    pub fn skip_empty(mut self, skip: bool) -> Self {
        self.reads.skip_empty = skip;
        self
    }

    /// Sets for how many days behind a day its numbers are taken to move (default 3).
    #[must_use]
    pub fn settles_after_days(mut self, days: u32) -> Self {
        self.reads.settles_after_days = days;
        self
    }

    /// Sets what the shop's tags send as the id of an item (default [`ItemIds::Sku`]).
    #[must_use]
    pub fn item_ids(mut self, form: ItemIds) -> Self {
        self.reads.identities.items = form;
        self
    }

    /// Sets the ids that the catalogue has, in the form of the items' ids: others then count as unmatched. Of
    /// [`ItemIds::ShopifyFeed`], the variants' ids.
    #[must_use]
    pub fn known_items(mut self, ids: impl IntoIterator<Item = Text>) -> Self {
        self.reads.identities.known = Some(Arc::new(ids.into_iter().collect()));
        self
    }

    /// Adds what stands before the slug in the path of a product's page, such as `/products/`.
    #[must_use]
    pub fn page_prefix(mut self, prefix: impl Into<Text>) -> Self {
        self.reads.identities.page_prefixes.push(prefix.into());
        self
    }

    /// Checks the settings; nothing is sent.
    ///
    /// # Errors
    /// `Config` where the property is no number, credentials are missing or unreadable, an address is none, or the
    /// share or the calls in flight are out of bounds; `Unsupported` where the credential file is of a form that is not supported.
    pub fn build(self) -> Result<Ga4Config> {
        let property = number(&self.property)?;
        let file = self.credentials.as_ref().ok_or_else(|| {
            Error::new(ErrorKind::Config, "setting_missing", "no credentials are set")
                .with_remedy("give the JSON file of a service account that has a role on the property")
        })?;
        let credentials = Credentials::read(file, self.token_url.as_deref())?;
        if !(0.0..1.0).contains(&self.reserve) {
            return Err(wrong("quota_reserve_unusable", "the share that is left must be from 0 to below 1"));
        }
        if self.max_in_flight.get() >= LOCKED_OUT {
            return Err(wrong("max_in_flight_unusable", "at most 9 calls may be in flight at a property"));
        }
        if self.reads.kinds().next().is_none() {
            return Err(wrong("nothing_to_read", "items, pages or landings must be read"));
        }
        let store = StoreKey::new(self.tenant, PLATFORM, property.to_string());
        let sender = match self.stream {
            Some((id, secret)) => {
                let url = self.collect_url.as_deref().unwrap_or(self.region.url());
                Some(Sender::new(&store, &id, secret, Origin::as_given(url)?)?)
            }
            None => None,
        };
        Ok(Ga4Config {
            property,
            store,
            credentials,
            vault: self.vault.unwrap_or_else(|| Arc::new(StateVault::new(Arc::new(MemoryState::new())))),
            data: Origin::as_given(self.data_url.as_deref().unwrap_or(DATA_URL))?,
            admin: Origin::as_given(self.admin_url.as_deref().unwrap_or(ADMIN_URL))?,
            private_hosts: self.private_hosts,
            edits: self.edits,
            max_in_flight: self.max_in_flight,
            reserve: self.reserve,
            profile: self.profile,
            sender,
            reads: self.reads,
        })
    }
}

fn number(text: &str) -> Result<u64> {
    let digits = text.trim().strip_prefix("properties/").unwrap_or(text.trim());
    let is_number =
        !digits.is_empty() && digits.len() <= 19 && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|number| is_number && *number > 0).ok_or_else(|| {
        wrong("property_unusable", "the property must be its number, such as 123456")
            .with_remedy("find it under Admin, Property details; G- and UA- ids are not it")
    })
}

fn wrong(code: &'static str, what: &'static str) -> Error {
    Error::new(ErrorKind::Config, code, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"{"type":"authorized_user","client_id":"c","client_secret":"s3cret-app","refresh_token":"s3cret-user"}"#;

    fn builder(property: &str) -> Ga4Builder {
        Ga4Config::builder(property).credentials(Secret::new(FILE))
    }

    #[test]
    fn a_property_is_named_by_its_number() {
        for text in ["123456", "properties/123456", " 123456 "] {
            assert_eq!(builder(text).build().unwrap().store().account.as_str(), "123456");
        }
        for text in ["", "G-ABC", "UA-1-2", "properties/", "12x", "0", "-1", "99999999999999999999"] {
            assert_eq!(builder(text).build().unwrap_err().code(), "property_unusable", "{text}");
        }
    }

    #[test]
    fn a_print_is_of_what_is_read_and_of_nothing_else() {
        let known = |ids: &[&'static str]| ids.iter().map(|id| Text::from(*id)).collect::<Vec<_>>();
        let print = |builder: Ga4Builder, zone| builder.build().unwrap().reads.print(Some(zone));
        let plain = print(builder("1"), "UTC");
        assert_eq!(print(builder("1").quota_reserve(0.5).tenant("other"), "UTC"), plain);
        for other in [
            builder("1").items(false),
            builder("1").pages(false),
            builder("1").search_landings(true),
            builder("1").skip_empty(true),
            builder("1").item_ids(ItemIds::VariantId),
            builder("1").page_prefix("/products/"),
            builder("1").known_items(known(&["a", "b"])),
        ] {
            assert_ne!(print(other.clone(), "UTC"), plain, "{other:?}");
        }
        assert_ne!(print(builder("1"), "Europe/Vienna"), plain);
        let of = |ids| print(builder("1").known_items(known(ids)), "UTC");
        assert_eq!(of(&["a", "b"]), of(&["b", "a"]));
        assert_ne!(of(&["a", "b"]), of(&["a", "c"]));
        assert_ne!(of(&["a", "b"]), of(&[]));
    }

    #[test]
    fn wrong_settings_are_named_and_no_secret_is_shown() {
        assert_eq!(Ga4Config::builder("1").build().unwrap_err().code(), "setting_missing");
        for share in [-0.1, 1.0, f64::NAN] {
            assert_eq!(
                builder("1").quota_reserve(share).build().unwrap_err().code(),
                "quota_reserve_unusable"
            );
        }
        let many = builder("1").max_in_flight(NonZeroU32::new(10).unwrap()).build().unwrap_err();
        assert_eq!(many.code(), "max_in_flight_unusable");
        let none = builder("1").items(false).pages(false).build().unwrap_err();
        assert_eq!(none.code(), "nothing_to_read");
        let full = builder("1").stream("G-ABC123", Secret::new("s3cret-mp"));
        let shown = format!("{full:?} {:?}", full.clone().build().unwrap());
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}
