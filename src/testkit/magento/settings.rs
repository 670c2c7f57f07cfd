//! What the installation is, and what is wrong with it, as switches that a test sets.

use std::time::Duration;

/// Which product the store runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edition {
    /// Magento Open Source.
    OpenSource,
    /// Adobe Commerce, on its own servers or Adobe's.
    Commerce,
    /// Mage-OS.
    MageOs,
    /// Adobe Commerce as a Cloud Service: its own addresses and tokens.
    CloudService,
}

/// The release line that sets the [`Conditions`] at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Release {
    /// 2.4.2: saves at a view copy every inherited value; bearer tokens work; pages repeat.
    V2_4_2,
    /// 2.4.6.
    V2_4_6,
    /// 2.4.7: signatures are made over un-escaped paths.
    V2_4_7,
    /// 2.4.8; Mage-OS 2.
    V2_4_8,
    /// 2.4.9; Mage-OS 3.
    V2_4_9,
}

/// What the installation is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// The product.
    pub edition: Edition,
    /// The path below the host that the store lives at, such as `/shop`; empty for none.
    pub base_path: String,
    /// The address that media and links begin with, without a slash at the end.
    pub home: String,
    /// The tenant's id in addresses of the cloud service.
    pub tenant: String,
    /// The unit of weights: `kgs` or `lbs`.
    pub weight_unit: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            edition: Edition::OpenSource,
            base_path: String::new(),
            home: "https://store.test".to_owned(),
            tenant: "Tenant7Fq".to_owned(),
            weight_unit: "kgs".to_owned(),
        }
    }
}

/// Which ids the operations of a bulk show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationIds {
    /// The place in the bulk, from 0.
    Index,
    /// The id of the database's row.
    Database,
}

/// Who works on asynchronous operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consumer {
    /// Nobody: operations stay open for ever.
    Off,
    /// A consumer that takes that long for each operation, one after the other.
    Every(Duration),
    /// A consumer as above that does each operation twice, as a broker may that delivers again.
    Twice(Duration),
}

/// The state of the installation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Conditions {
    /// Tokens of integrations work alone as bearer tokens (default false since 2.4.4).
    pub bearer_tokens: bool,
    /// Admins need a second factor (default true).
    pub two_factor: bool,
    /// How long admin tokens live (default 4 h).
    pub admin_token_life: Duration,
    /// How far ahead a signed request's timestamp may be (default 600 s).
    pub timestamp_window: Duration,
    /// Signatures are checked over the un-escaped path, as before the change of 2024.
    pub unescapes_signed_paths: bool,
    /// The store sits behind a proxy that ends TLS without telling PHP, so signatures are made over `http`.
    pub sees_plain_http: bool,
    /// `%2F` in a path reaches the application (default false: the web server answers 404 with a page).
    pub encoded_slashes: bool,
    /// Only addresses with `/index.php` work.
    pub needs_index_php: bool,
    /// A page past the last one repeats the last one.
    pub repeats_last_page: bool,
    /// Records that compare equal in the order that was asked for come in another order in each answer.
    pub unstable_ties: bool,
    /// The largest page that the store gives (the platform's own limit is 300; default: none).
    pub page_size_limit: Option<u64>,
    /// The size of a page that nobody asked a size of (default: no limit).
    pub default_page_size: Option<u64>,
    /// The most entries of a list in a body (the platform's own limit is 20; default: none).
    pub input_limit: Option<usize>,
    /// The most operations of one bulk (default 5000).
    pub bulk_limit: usize,
    /// Limits are told with the number in the message, and not as a parameter (default true).
    pub limits_filled_in: bool,
    /// Filters whose value PHP calls empty, `"0"` among them, are refused (default in 2.4.9).
    pub refuses_empty_filters: bool,
    /// A save at a view copies all inherited values into the view, as up to 2.4.2.
    pub copies_inherited: bool,
    /// A save at a view copies labels, places and visibility of pictures into the view, as before 2.4.9.
    pub copies_media: bool,
    /// `null` of an attribute is refused, as before 2.2.
    pub refuses_null: bool,
    /// Values of multiselect attributes are read as lists, and not as comma texts.
    pub multiselect_lists: bool,
    /// Texts that are empty are left out of answers, as those are that are kept as `NULL` (default false).
    pub leaves_out_empty: bool,
    /// Lists of products leave `stock_item` out (default true).
    pub lists_without_stock: bool,
    /// Empty objects come as `[]` (default true), as PHP writes an empty array.
    pub empty_lists_for_objects: bool,
    /// `category_links` that are sent are added to the old ones, as in 2.2.
    pub merges_categories: bool,
    /// A save of a category at a view copies what the view inherits (default true; magento/magento2 issue 39498,
    /// open for 2.4.7).
    pub categories_copy_inherited: bool,
    /// Of operations in one bulk that make a product of one SKU, each makes one, as before 2.4.9.
    pub bulk_makes_twins: bool,
    /// A media entry without its required fields is refused (default true); without, they are emptied.
    pub media_fields_required: bool,
    /// Changes of stock move `updated_at`.
    pub stock_moves_clock: bool,
    /// Changes of pictures alone move `updated_at`.
    pub media_moves_clock: bool,
    /// Changes of many products at once in the admin move `updated_at`.
    pub mass_moves_clock: bool,
    /// The answer to a new option is `id_7` and not `7`.
    pub option_id_prefix: bool,
    /// The answer to a new option has the option made twice.
    pub option_twice: bool,
    /// What `/magento_version` at the root of the web tells, such as `Magento/2.4 (Community)`; a page of 404
    /// where `None` (default).
    pub told_version: Option<String>,
    /// The language of messages, `de`; `None` for English.
    pub language: Option<String>,
    /// The store is being worked on: 503 with a page.
    pub maintenance: bool,
    /// A firewall stands before the store: 403 with a page.
    pub firewall: bool,
    /// Who works on asynchronous operations.
    pub consumer: Consumer,
    /// Which ids operations show.
    pub operation_ids: OperationIds,
    /// Asynchronous routes are missing, as where the module is off.
    pub without_async: bool,
    /// Modules of events are missing (default true but for the cloud service).
    pub without_events: bool,
}

impl Conditions {
    /// The conditions of a release as it is installed.
    #[must_use]
    pub fn of(release: Release, edition: Edition) -> Self {
        Self {
            bearer_tokens: release <= Release::V2_4_2,
            two_factor: true,
            admin_token_life: Duration::from_secs(4 * 3600),
            timestamp_window: Duration::from_secs(600),
            unescapes_signed_paths: release <= Release::V2_4_7,
            sees_plain_http: false,
            encoded_slashes: false,
            needs_index_php: false,
            repeats_last_page: release <= Release::V2_4_2,
            unstable_ties: false,
            page_size_limit: None,
            default_page_size: None,
            input_limit: None,
            bulk_limit: 5000,
            limits_filled_in: true,
            refuses_empty_filters: release >= Release::V2_4_9,
            copies_inherited: release <= Release::V2_4_2,
            copies_media: release < Release::V2_4_9,
            refuses_null: false,
            multiselect_lists: false,
            leaves_out_empty: false,
            lists_without_stock: true,
            empty_lists_for_objects: true,
            merges_categories: false,
            categories_copy_inherited: true,
            bulk_makes_twins: false,
            media_fields_required: true,
            stock_moves_clock: false,
            media_moves_clock: false,
            mass_moves_clock: false,
            option_id_prefix: false,
            option_twice: false,
            told_version: None,
            language: None,
            maintenance: false,
            firewall: false,
            consumer: Consumer::Every(Duration::from_secs(1)),
            operation_ids: OperationIds::Database,
            without_async: false,
            without_events: edition != Edition::CloudService,
        }
    }
}
