//! A key without copying: the merchant approves in the browser, and the store sends the key to a callback.
//!
//! 1. Make a [`OneTimeValue`], keep it with whose store it is, and send the merchant's browser to
//!    [`authorize_url`].
//! 2. The store POSTs the key to `callback_url`: read it with [`read_callback`], store it, and answer
//!    **exactly 200 within 60 s**. To anything else the store deletes the new key, and the merchant sees an
//!    error page. So prove the key with [`verify`] after the answer, not before it.
//! 3. The browser comes back to `return_url`: [`read_return`] says whether the merchant approved. The two come
//!    in either order.
//!
//! Nothing in the callback is signed: whoever knows the one-time value can send one. So the value is random,
//! goes with the first callback that brings it, and no key is used before [`verify`] has called the store with
//! it. `callback_url` has to be reachable from the store: it refuses plain http and internal addresses. The
//! site needs permalinks other than Plain.
//! (Observed on WooCommerce 10.5.0; its `includes/class-wc-auth.php`, read on 2026-11-22.)

use std::fmt;
use std::hint::black_box;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use url::Url;

use super::config::WooCommerceBuilder;
use super::connector::WooCommerce;
use super::object::Object;
use crate::auth::Origin;
use crate::error::{Error, ErrorKind, Result};
use crate::model::Secret;
use crate::runtime::Runtime;
use crate::time::Entropy;

/// The largest callback that is read: a real one has some 200 bytes.
const MAX_CALLBACK_BYTES: usize = 16 * 1024;
/// The longest query of a return that is read.
const MAX_RETURN_BYTES: usize = 4 * 1024;
/// The longest name that the merchant is shown.
const MAX_NAME: usize = 100;
/// The random bytes of a one-time value.
const VALUE_BYTES: usize = 24;

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Scope {
    /// Read: enough for pulls.
    Read,
    /// Write only.
    Write,
    /// Read and write.
    ReadWrite,
}

impl Scope {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::ReadWrite => "read_write",
        }
    }
}

/// The value that ties a callback to the request that it answers: 192 random bits, good for one callback.
#[derive(Debug, Clone)]
pub struct OneTimeValue(Secret);

impl OneTimeValue {
    /// Draws a new one.
    ///
    /// # Errors
    /// `State` where there are no random bytes.
    pub fn new(entropy: &dyn Entropy) -> Result<Self> {
        let mut bytes = [0; VALUE_BYTES];
        entropy.fill(&mut bytes)?;
        Ok(Self(Secret::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())))
    }

    /// Takes back one that was kept.
    ///
    /// # Errors
    /// `Config` where it is none that [`OneTimeValue::new`] drew.
    pub fn kept(value: Secret) -> Result<Self> {
        let text = value.expose();
        if text.len() == 2 * VALUE_BYTES && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            Ok(Self(value))
        } else {
            Err(Error::new(ErrorKind::Config, "one_time_value_unusable", "this is no one-time value"))
        }
    }

    /// The value, to be kept until its callback came.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        &self.0
    }

    /// Whether it is this text, in a time that does not depend on either.
    fn is(&self, text: &str) -> bool {
        let (own, given) = (Sha256::digest(self.0.expose()), Sha256::digest(text));
        let differ = own.iter().zip(given.iter()).fold(0, |differ, (a, b)| black_box(differ | (a ^ b)));
        differ == 0
    }
}

/// What the merchant is asked to approve.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProvisionRequest {
    /// The name that the merchant is shown, and that the key gets.
    pub app_name: String,
    /// What the key shall do.
    pub scope: Scope,
    /// What ties the callback to this request; the store calls it `user_id`.
    pub user_id: OneTimeValue,
    /// Where the browser comes back to; https.
    pub return_url: String,
    /// Where the store sends the key to; https, and reachable from the store.
    pub callback_url: String,
}

impl ProvisionRequest {
    /// Describes a request.
    #[must_use]
    pub fn new(
        app_name: impl Into<String>,
        scope: Scope,
        user_id: OneTimeValue,
        return_url: impl Into<String>,
        callback_url: impl Into<String>,
    ) -> Self {
        Self {
            app_name: app_name.into(),
            scope,
            user_id,
            return_url: return_url.into(),
            callback_url: callback_url.into(),
        }
    }
}

/// The page of the site where the merchant approves. It holds the one-time value: do not log it.
///
/// # Errors
/// `Config` where the site's address, the name or one of the two addresses is unusable.
///
/// # Examples
/// ```
/// use lily_connect::connectors::woocommerce::provision::{self, OneTimeValue, ProvisionRequest, Scope};
/// # use lily_connect::time::SystemEntropy;
///
/// let value = OneTimeValue::new(&SystemEntropy)?;
/// let request = ProvisionRequest::new(
///     "Catalogue service",
///     Scope::ReadWrite,
///     value,
///     "https://service.example/connected",
///     "https://service.example/hooks/key",
/// );
/// let page = provision::authorize_url("https://shop.example", &request)?;
/// assert_eq!(page.path(), "/wc-auth/v1/authorize");
/// # Ok::<(), lily_connect::Error>(())
/// ```
pub fn authorize_url(site: &str, request: &ProvisionRequest) -> Result<Url> {
    let origin = Origin::as_given(site)?;
    let name = request.app_name.trim();
    if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(Error::new(
            ErrorKind::Config,
            "app_name_unusable",
            format!("app_name must have 1 to {MAX_NAME} bytes and no control characters"),
        ));
    }
    let return_url = https("return_url", &request.return_url)?;
    let callback_url = https("callback_url", &request.callback_url)?;
    let mut url = origin.join("wc-auth/v1/authorize")?;
    url.query_pairs_mut()
        .append_pair("app_name", name)
        .append_pair("scope", request.scope.as_str())
        .append_pair("user_id", request.user_id.0.expose())
        .append_pair("return_url", return_url.as_str())
        .append_pair("callback_url", callback_url.as_str());
    Ok(url)
}

fn https(name: &'static str, address: &str) -> Result<Url> {
    let url = Url::parse(address.trim()).ok().filter(|url| {
        url.scheme() == "https"
            && url.host().is_some()
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none()
    });
    url.ok_or_else(|| {
        Error::new(
            ErrorKind::Config,
            "provision_address_unusable",
            format!("{name} must begin with https:// and have no credentials and no fragment"),
        )
        .with_remedy("the store takes callbacks over https only, at an address that it can reach")
    })
}

/// A key that a store sent, not yet proved: see [`verify`].
#[derive(Clone)]
#[non_exhaustive]
pub struct ProvisionedKey {
    /// The key's number at the store.
    pub key_id: u64,
    /// The consumer key, `ck_…`.
    pub consumer_key: String,
    /// The consumer secret, `cs_…`.
    pub consumer_secret: Secret,
    /// What it may do: what was asked for.
    pub scope: Scope,
}

impl fmt::Debug for ProvisionedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProvisionedKey")
            .field("key_id", &self.key_id)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Callback {
    key_id: u64,
    user_id: String,
    consumer_key: String,
    consumer_secret: String,
    key_permissions: Scope,
}

/// Reads the request that the store sent to `callback_url`, by its content type and its whole body.
///
/// Forget the one-time value after a success: a second callback with it is somebody else's.
///
/// # Errors
/// `TooLarge` or `Rejected` where it is no such request, `Auth` (`callback_not_expected`) where it does not
/// bring the one-time value, `Forbidden` (`callback_scope_differs`) where the key may do other things than were
/// asked for. Answer none of them with 200.
pub fn read_callback(
    content_type: &str,
    body: &[u8],
    expected: &OneTimeValue,
    scope: Scope,
) -> Result<ProvisionedKey> {
    if body.len() > MAX_CALLBACK_BYTES {
        return Err(Error::new(
            ErrorKind::TooLarge,
            "callback_too_large",
            format!("a callback has at most {MAX_CALLBACK_BYTES} bytes"),
        ));
    }
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        return Err(unreadable("the callback is not JSON"));
    }
    // The parser's error would repeat what was sent.
    let Object(callback): Object<Callback> =
        serde_json::from_slice(body).map_err(|_| unreadable("the callback lacks a field of a key"))?;
    let Callback { key_id, user_id, consumer_key, consumer_secret, key_permissions } = callback;
    let consumer_secret = Secret::new(consumer_secret);
    if !expected.is(&user_id) {
        return Err(Error::new(
            ErrorKind::Auth,
            "callback_not_expected",
            "the callback does not bring the one-time value of the request",
        )
        .with_remedy("begin anew with a new value; do not use the key that came"));
    }
    if !is_key("ck_", &consumer_key) || !is_key("cs_", consumer_secret.expose()) {
        return Err(unreadable("the callback's key or secret is none"));
    }
    if key_permissions != scope {
        return Err(Error::new(
            ErrorKind::Forbidden,
            "callback_scope_differs",
            "the key may do other things than were asked for",
        )
        .with_context("asked", scope.as_str())
        .with_context("given", key_permissions.as_str())
        .with_remedy("delete the key in the store, and begin anew"));
    }
    Ok(ProvisionedKey { key_id, consumer_key, consumer_secret, scope })
}

fn is_key(prefix: &str, text: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|rest| {
        (20..=100).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

fn unreadable(message: &'static str) -> Error {
    Error::new(ErrorKind::Rejected, "callback_unreadable", message)
        .with_remedy("a store sends application/json with the key's fields; this came from elsewhere")
}

/// What the merchant decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Approved: the key came or comes to the callback.
    Approved,
    /// Denied: there is no key.
    Denied,
}

/// Reads the query that the browser brought back to `return_url`. It comes from the browser, so it is a hint
/// for what to show, and proves nothing.
///
/// # Errors
/// `Rejected` where it is no such query, `Auth` where it does not bring the one-time value.
pub fn read_return(query: &str, expected: &OneTimeValue) -> Result<Decision> {
    let wrong = || {
        Error::new(
            ErrorKind::Rejected,
            "return_unreadable",
            "the address has no success=0 or success=1 and no user_id",
        )
    };
    if query.len() > MAX_RETURN_BYTES {
        return Err(wrong());
    }
    let (mut decision, mut user_id) = (None, None);
    // The last of several counts, as it does where the address is made: by adding parameters at its end.
    for (name, value) in url::form_urlencoded::parse(query.trim_start_matches('?').as_bytes()) {
        match &*name {
            "success" => {
                decision = match &*value {
                    "1" => Some(Decision::Approved),
                    "0" => Some(Decision::Denied),
                    _ => None,
                }
            }
            "user_id" => user_id = Some(value),
            _ => {}
        }
    }
    let (Some(decision), Some(user_id)) = (decision, user_id) else { return Err(wrong()) };
    if !expected.is(&user_id) {
        return Err(Error::new(
            ErrorKind::Auth,
            "return_not_expected",
            "the address does not bring the one-time value of the request",
        ));
    }
    Ok(decision)
}

/// Proves a key by calling the store with it, and gives the connector. `settings` names the site, and whatever
/// else is set; its key and secret are replaced.
///
/// # Errors
/// As [`super::WooCommerceConfig::connect`]; `Forbidden` (`key_cannot_write`) where it may not write though that
/// was asked for.
pub async fn verify(
    key: &ProvisionedKey,
    settings: WooCommerceBuilder,
    runtime: &Runtime,
) -> Result<WooCommerce> {
    let config = settings.key(&key.consumer_key).secret(key.consumer_secret.clone()).build()?;
    let store = config.connect(runtime).await?;
    if key.scope == Scope::ReadWrite {
        store.prove_write().await?;
    }
    Ok(store)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::SystemEntropy;

    const BODY: &str = r#"{"key_id":4,"user_id":"USER","consumer_key":"ck_eaac3b9b9f7096f00f20e51c86d8fc760ef061ed",
        "consumer_secret":"cs_d118eef3bc933e7c100dcf33e6307fc50d72074c","key_permissions":"read_write"}"#;

    fn value() -> OneTimeValue {
        OneTimeValue::new(&SystemEntropy).unwrap()
    }

    fn body(value: &OneTimeValue) -> String {
        BODY.replace("USER", value.secret().expose())
    }

    #[test]
    fn a_value_is_random_kept_and_not_shown() {
        let (one, two) = (value(), value());
        assert!(!one.is(two.secret().expose()));
        assert_eq!(one.secret().expose().len(), 48, "192 bits");
        assert!(OneTimeValue::kept(one.secret().clone()).unwrap().is(one.secret().expose()));
        assert!(OneTimeValue::kept(Secret::new("tenant-42")).is_err());
        let request = ProvisionRequest::new("App", Scope::Read, one.clone(), "https://a/", "https://a/");
        assert!(!format!("{one:?} {request:?}").contains(one.secret().expose()));
    }

    #[test]
    fn the_page_names_all_that_the_store_asks_for() {
        let value = value();
        let mut request = ProvisionRequest::new(
            "My app & co",
            Scope::ReadWrite,
            value.clone(),
            "https://a.example/r",
            "https://a.example/c?x=1",
        );
        let url = authorize_url("https://shop.example/sub", &request).unwrap();
        assert_eq!(
            url.as_str(),
            format!(
                "https://shop.example/sub/wc-auth/v1/authorize?app_name=My+app+%26+co&scope=read_write&user_id={}\
                 &return_url=https%3A%2F%2Fa.example%2Fr&callback_url=https%3A%2F%2Fa.example%2Fc%3Fx%3D1",
                value.secret().expose()
            )
        );
        for bad in ["http://a.example/c", "https://u:p@a.example/", "https://a.example/#x", "a.example", ""] {
            request.callback_url = bad.to_owned();
            let error = authorize_url("https://shop.example", &request).unwrap_err();
            assert_eq!(error.code(), "provision_address_unusable", "{bad}");
        }
        request.callback_url = "https://a.example/c".to_owned();
        for bad in ["", "a\nb", &"x".repeat(101)] {
            request.app_name = bad.to_owned();
            assert_eq!(
                authorize_url("https://shop.example", &request).unwrap_err().code(),
                "app_name_unusable"
            );
        }
    }

    #[test]
    fn a_callback_is_read_only_with_the_value_and_the_scope_that_were_asked_for() {
        let (ours, theirs) = (value(), value());
        let json = "application/json;charset=UTF-8";
        let key = read_callback(json, body(&ours).as_bytes(), &ours, Scope::ReadWrite).unwrap();
        assert_eq!((key.key_id, key.scope), (4, Scope::ReadWrite));
        assert!(key.consumer_key.starts_with("ck_eaac"));
        assert!(!format!("{key:?}").contains("eaac") && !format!("{key:?}").contains("d118"));

        let code = |kind: &str, body: &str, scope| {
            let error = read_callback(kind, body.as_bytes(), &ours, scope).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("d118") && !shown.contains(ours.secret().expose()), "{shown}");
            error.code().to_owned()
        };
        let good = body(&ours);
        assert_eq!(code(json, &body(&theirs), Scope::ReadWrite), "callback_not_expected");
        assert_eq!(code(json, &good, Scope::Read), "callback_scope_differs");
        assert_eq!(code("text/html", &good, Scope::ReadWrite), "callback_unreadable");
        assert_eq!(code(json, &good.replace("cs_d118", "xx_d118"), Scope::ReadWrite), "callback_unreadable");
        assert_eq!(
            code(json, &good.replace("ck_eaac", "ck_\\u0000"), Scope::ReadWrite),
            "callback_unreadable"
        );
        assert_eq!(code(json, "{}", Scope::ReadWrite), "callback_unreadable");
        // The values alone, in the order of the fields.
        let value = ours.secret().expose();
        let key = "00112233445566778899";
        let array = format!(r#"[4,"{value}","ck_{key}","cs_{key}","read_write"]"#);
        assert_eq!(code(json, &array, Scope::ReadWrite), "callback_unreadable");
        let padded = format!("{good}{}", " ".repeat(MAX_CALLBACK_BYTES));
        assert_eq!(code(json, &padded, Scope::ReadWrite), "callback_too_large");
    }

    #[test]
    fn a_return_says_what_was_decided() {
        let ours = value();
        let id = ours.secret().expose();
        let read = |query: &str| read_return(query, &ours);
        assert_eq!(read(&format!("success=1&user_id={id}")).unwrap(), Decision::Approved);
        assert_eq!(read(&format!("?x=1&success=0&user_id={id}")).unwrap(), Decision::Denied);
        assert_eq!(read("success=1&user_id=tenant-42").unwrap_err().code(), "return_not_expected");
        for odd in [format!("success=yes&user_id={id}"), format!("user_id={id}"), "success=1".to_owned()] {
            assert_eq!(read(&odd).unwrap_err().code(), "return_unreadable", "{odd}");
        }
        let long = format!("success=1&user_id={id}&x={}", "y".repeat(MAX_RETURN_BYTES));
        assert_eq!(read(&long).unwrap_err().code(), "return_unreadable");
    }
}
