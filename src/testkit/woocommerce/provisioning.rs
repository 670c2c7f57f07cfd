//! Keys that a merchant grants in the browser: the pages of `wc-auth`, and the merchant.

use std::time::Duration;

use url::Url;

use super::auth::{ApiKey, Permissions, Role};
use super::deliveries::{Message, limits};
use super::query::Params;
use super::site;
use super::store::WooStore;
use crate::error::{Error, ErrorKind, Result};
use crate::testkit::exchange::Response;
use crate::testkit::json::Json;
use crate::time::Timestamp;

/// The longest wait for the answer to a callback.
const CALLBACK_TIMEOUT: Duration = Duration::from_secs(60);

/// The parameters of a request for a key, in the order of their checks.
const PARAMETERS: [&str; 5] = ["app_name", "user_id", "return_url", "callback_url", "scope"];

/// A request for a key, checked.
struct Wanted {
    user_id: String,
    return_url: Url,
    callback_url: Url,
    scope: String,
    permissions: Permissions,
}

impl Wanted {
    /// Reads the parameters; what is wrong is told as the page tells it.
    fn read(params: &Params) -> std::result::Result<Self, String> {
        for name in PARAMETERS {
            if params.get(name).is_none_or(str::is_empty) {
                return Err(format!("Missing parameter {name}"));
            }
        }
        let text = |name: &str| params.get(name).unwrap_or_default().to_owned();
        let scope = text("scope");
        let permissions = match scope.as_str() {
            "read" => Permissions::Read,
            "write" => Permissions::Write,
            "read_write" => Permissions::ReadWrite,
            _ => return Err("Invalid scope".to_owned()),
        };
        let address = |name: &str| {
            // An address without a scheme is taken to be https.
            let text = text(name);
            let text = if text.contains("://") { text } else { format!("https://{text}") };
            Url::parse(&text).map_err(|_| format!("The {name} is not a valid URL"))
        };
        let (return_url, callback_url) = (address("return_url")?, address("callback_url")?);
        if callback_url.scheme() != "https" {
            return Err("The callback_url needs to be over SSL".to_owned());
        }
        Ok(Self { user_id: text("user_id"), return_url, callback_url, scope, permissions })
    }

    /// Where the browser is sent at the end.
    fn way_back(&self, success: &str) -> Url {
        let mut url = self.return_url.clone();
        url.query_pairs_mut().append_pair("success", success).append_pair("user_id", &self.user_id);
        url
    }
}

/// A page below `wc-auth/v1/`, as a browser without a login sees it.
pub(super) fn page(path: &str, params: &Params, home: &str, now: Timestamp) -> Response {
    let route = path.trim_start_matches("wc-auth/v1/").trim_end_matches('/').to_ascii_lowercase();
    if let Err(problem) = Wanted::read(params) {
        return site::denied(&problem, now);
    }
    match route.as_str() {
        "authorize" => {
            let text = |name: &str| params.get(name).unwrap_or_default();
            let query: Vec<String> = ["app_name", "user_id", "return_url", "callback_url", "scope"]
                .iter()
                .map(|name| format!("{name}={}", super::auth::rfc3986(text(name))))
                .collect();
            site::redirect(302, &format!("{home}/wc-auth/v1/login/?{}", query.join("&")), now)
        }
        "login" => site::page("Login", "A form for the name and the password.", now),
        _ => site::denied("You do not have permission to access this page", now),
    }
}

impl WooStore {
    /// Stands for a merchant who opens the page, logs in and approves: makes a key of the wanted scope,
    /// posts it to the callback, and gives the address that the browser is sent to, with `success=1`.
    ///
    /// The callback must be https and on loopback; [`WooStore::deliver_over`] takes a transport that trusts
    /// the certificate of a test. Any answer but 200 withdraws the key again.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] where the page refuses the address, with what it says, or where the callback is
    /// not on loopback; [`ErrorKind::Unavailable`] where the callback answers anything but 200; otherwise
    /// what the transport says.
    pub async fn approve(&self, authorize_url: &str) -> Result<Url> {
        let (home, wanted) = wanted(authorize_url)?;
        let (id, key) = self.grant(wanted.permissions);
        let body = Json::object([
            ("key_id", Json::from(id)),
            ("user_id", Json::text(wanted.user_id.clone())),
            ("consumer_key", Json::text(key.consumer_key.clone())),
            ("consumer_secret", Json::text(key.consumer_secret.clone())),
            ("key_permissions", Json::text(wanted.scope.clone())),
        ]);
        let headers = vec![
            ("content-type", "application/json;charset=UTF-8".to_owned()),
            ("connection", "close".to_owned()),
        ];
        let agent = format!("WordPress/6.9.7; {home}");
        let message = Message { agent, headers, body: body.to_php() };
        let sent = self.send(wanted.callback_url.as_str(), &message, &limits(CALLBACK_TIMEOUT)).await;
        let refused = match sent {
            Ok(200) => return Ok(wanted.way_back("1")),
            Ok(status) => Error::new(
                ErrorKind::Unavailable,
                "callback_refused",
                format!("the callback must answer 200, and answered {status}"),
            )
            .with_remedy("answer the callback with 200 once the key is kept"),
            Err(error) => error,
        };
        self.revoke_key(&key.consumer_key);
        Err(refused)
    }

    /// Stands for a merchant who denies the access; gives the address that the browser is sent to, with
    /// `success=0`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] where the page refuses the address, with what it says.
    pub fn deny(&self, authorize_url: &str) -> Result<Url> {
        wanted(authorize_url).map(|(_, wanted)| wanted.way_back("0"))
    }

    /// Makes a key of a manager with its number.
    fn grant(&self, permissions: Permissions) -> (u64, ApiKey) {
        let (id, name) = {
            let mut state = self.state();
            let id = state.next_key;
            state.next_key += 1;
            (id, format!("granted {id} {}", state.random.next_u64()))
        };
        let key = ApiKey::named(&name, permissions, Role::Manager);
        self.add_key(key.clone());
        (id, key)
    }
}

/// The site's address and the checked parameters of the page.
fn wanted(authorize_url: &str) -> Result<(String, Wanted)> {
    let refused = |message: String| {
        Error::new(ErrorKind::Config, "authorize_refused", message).with_remedy(
            "open {site}/wc-auth/v1/authorize with app_name, scope, user_id, return_url and callback_url",
        )
    };
    let url = Url::parse(authorize_url).map_err(|_| refused("this is no address".to_owned()))?;
    let path = url.path().trim_end_matches('/');
    let folder = path
        .strip_suffix("/wc-auth/v1/authorize")
        .ok_or_else(|| refused("this is not the page that grants keys".to_owned()))?;
    let home = format!("{}{folder}", url.origin().ascii_serialization());
    let params = Params::parse(url.query().unwrap_or_default());
    Ok((home, Wanted::read(&params).map_err(refused)?))
}
