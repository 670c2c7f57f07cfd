//! Credentials without copying: the merchant activates an integration, and the store sends its keys to a callback.
//!
//! 1. The merchant makes an integration with our callback and identity addresses, and activates it.
//! 2. The store POSTs a form to the callback: read it with [`Activation::read`], keep it, and answer 200 at once.
//! 3. The store opens the identity address in the merchant's browser: read its query with [`read_identity`], and call
//!    [`Activation::exchange`], which gives the access token. Keep that, then send the browser on.
//!
//! Nothing in the callback is signed: whoever knows its address can send one. So it is read for the site that is
//! expected, and its keys are used against that site alone. (Fact sheet of 2026-11-22, section 3.2.)

use std::fmt;
use std::sync::Arc;

use http::Method;
use url::{Url, form_urlencoded};

use super::PLATFORM;
use super::config::{MagentoBuilder, MagentoConfig};
use crate::auth::{OAuth1, Origin, ParameterOrder};
use crate::error::{Error, ErrorKind, Result};
use crate::http::ApiRequest;
use crate::model::{Secret, StoreKey, Text};
use crate::runtime::Runtime;

/// The largest form that is read: a real one has some 300 bytes.
const MAX_FORM: usize = 16 * 1024;
/// The longest key, token or secret: the platform's have 32 characters.
const MAX_KEY: usize = 200;

/// What a store sends to the callback when an integration is activated: good for one exchange.
#[derive(Clone)]
pub struct Activation {
    origin: Origin,
    consumer_key: Text,
    consumer_secret: Secret,
    verifier: Secret,
}

impl fmt::Debug for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Activation").field("site", &self.origin.authority()).finish_non_exhaustive()
    }
}

/// The access token of an integration, with its consumer's keys.
#[derive(Clone)]
#[non_exhaustive]
pub struct Granted {
    /// The site's address.
    pub site: String,
    /// The consumer key.
    pub consumer_key: Secret,
    /// The consumer secret.
    pub consumer_secret: Secret,
    /// The access token.
    pub token: Secret,
    /// The access token's secret.
    pub token_secret: Secret,
}

impl fmt::Debug for Granted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Granted").field("site", &self.site).finish_non_exhaustive()
    }
}

impl Granted {
    /// The settings of a connector to the site.
    #[must_use]
    pub fn settings(&self) -> MagentoBuilder {
        MagentoConfig::builder(&self.site).integration(
            self.consumer_key.expose(),
            self.consumer_secret.clone(),
            self.token.expose(),
            self.token_secret.clone(),
        )
    }
}

impl Activation {
    /// Reads the form of the callback, for the site that it is expected of, `https://shop.example`.
    ///
    /// # Errors
    /// `Config` where the expected address is unusable; `Rejected` with code `activation_foreign` where another site is
    /// named; `Protocol` with code `activation_unreadable` where it is no such form. None of them shows a key.
    pub fn read(form: &[u8], site: &str) -> Result<Self> {
        let origin = Origin::as_given(site)?;
        let named = field(form, "store_base_url")?;
        let named = Url::parse(&named).map_err(|_| unreadable())?;
        if named.origin() != origin.base().origin() {
            return Err(Error::new(
                ErrorKind::Rejected,
                "activation_foreign",
                "the activation is of another site than the expected one",
            )
            .with_remedy(
                "give each merchant a callback address of their own, and expect the site that they named",
            ));
        }
        Ok(Self {
            origin,
            consumer_key: field(form, "oauth_consumer_key")?.into(),
            consumer_secret: Secret::new(field(form, "oauth_consumer_secret")?),
            verifier: Secret::new(field(form, "oauth_verifier")?),
        })
    }

    /// The consumer key: the identity address is opened with it.
    #[must_use]
    pub fn consumer_key(&self) -> &str {
        &self.consumer_key
    }

    /// Exchanges the keys for an access token, once. Private addresses only where `private_hosts` allows them.
    ///
    /// # Errors
    /// `Auth` where the store refuses the keys or has exchanged them already; `Protocol` where its answer is no token;
    /// else what the pipeline says.
    pub async fn exchange(&self, runtime: &Runtime, private_hosts: bool) -> Result<Granted> {
        let signer = || {
            OAuth1::new(self.origin.clone(), &self.consumer_key, &self.consumer_secret)
                .map(|signer| signer.order(ParameterOrder::Natural))
        };
        let (token, secret) = self.token(runtime, private_hosts, signer()?, "oauth/token/request").await?;
        let signer = signer()?.token(token.expose(), &secret)?.verifier(self.verifier.clone());
        let (token, token_secret) = self.token(runtime, private_hosts, signer, "oauth/token/access").await?;
        Ok(Granted {
            site: self.origin.base().to_string(),
            consumer_key: Secret::new(self.consumer_key.to_string()),
            consumer_secret: self.consumer_secret.clone(),
            token,
            token_secret,
        })
    }

    async fn token(
        &self,
        runtime: &Runtime,
        private_hosts: bool,
        signer: OAuth1,
        path: &'static str,
    ) -> Result<(Secret, Secret)> {
        let account = format!("{}#activation", self.origin.authority());
        let store = StoreKey::new("activation", PLATFORM, account);
        let client = runtime
            .client(store, self.origin.clone(), Arc::new(signer))
            .private_hosts(private_hosts)
            .build()?;
        let mut call = ApiRequest::write(Method::POST, path, String::new());
        call.body = None;
        let response = client.execute(call).await.map_err(|error| match error.kind() {
            ErrorKind::Auth | ErrorKind::Rejected | ErrorKind::Forbidden => Error::new(
                ErrorKind::Auth,
                "activation_refused",
                "the store refuses the keys of the activation",
            )
            .with_remedy("have the merchant activate the integration again: keys are good for one exchange")
            .with_source(error),
            _ => error,
        })?;
        let form = response.body();
        Ok((Secret::new(field(form, "oauth_token")?), Secret::new(field(form, "oauth_token_secret")?)))
    }
}

/// What the identity address is opened with: the consumer key, and where the browser goes on to.
///
/// # Errors
/// `Rejected` with code `activation_foreign` where the browser would be sent to another site than the activation's or
/// the key is another one; `Protocol` with code `activation_unreadable`.
pub fn read_identity(query: &str, activation: &Activation) -> Result<Url> {
    let foreign = || {
        Error::new(ErrorKind::Rejected, "activation_foreign", "the identity call is not of this activation")
    };
    if field(query.as_bytes(), "oauth_consumer_key")? != activation.consumer_key() {
        return Err(foreign());
    }
    let url = Url::parse(&field(query.as_bytes(), "success_call_back")?).map_err(|_| unreadable())?;
    if url.origin() == activation.origin.base().origin() { Ok(url) } else { Err(foreign()) }
}

/// The one field of that name of a form.
fn field(form: &[u8], name: &str) -> Result<String> {
    if form.len() > MAX_FORM {
        return Err(unreadable());
    }
    let mut found = form_urlencoded::parse(form).filter(|(known, _)| known == name);
    match (found.next(), found.next()) {
        (Some((_, value)), None) if fits(name, &value) => Ok(value.into_owned()),
        _ => Err(unreadable()),
    }
}

fn fits(name: &str, value: &str) -> bool {
    let most = if name.starts_with("oauth_") { MAX_KEY } else { 2048 };
    !value.is_empty() && value.len() <= most && value.bytes().all(|byte| byte.is_ascii_graphic())
}

fn unreadable() -> Error {
    Error::new(ErrorKind::Protocol, "activation_unreadable", "this is no form of an activation")
        .with_remedy("check that the integration's addresses lead to the right place")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &str = "store_base_url=https%3A%2F%2Fshop.example%2F&oauth_verifier=v&oauth_consumer_key=ck\
        &oauth_consumer_secret=planted";

    #[test]
    fn a_callback_is_read_for_the_site_that_is_expected() {
        let read = Activation::read(FORM.as_bytes(), "https://shop.example").unwrap();
        assert!(read.consumer_key() == "ck" && !format!("{read:?}").contains("planted"));
        let code =
            |form: &str, site: &str| Activation::read(form.as_bytes(), site).unwrap_err().code().to_owned();
        assert_eq!(code(FORM, "https://other.example"), "activation_foreign");
        assert_eq!(code(FORM, "https://shop.example:8443"), "activation_foreign");
        for broken in ["", "x", &FORM.replace("=v&", "=&"), &format!("{FORM}&oauth_verifier=w")] {
            assert_eq!(code(broken, "https://shop.example"), "activation_unreadable", "{broken}");
        }
    }

    #[test]
    fn a_browser_is_sent_on_to_the_site_alone() {
        let read = Activation::read(FORM.as_bytes(), "https://shop.example").unwrap();
        let to = |url: &str, key: &str| {
            let query = form_urlencoded::Serializer::new(String::new())
                .append_pair("oauth_consumer_key", key)
                .append_pair("success_call_back", url)
                .finish();
            read_identity(&query, &read).map(|url| url.to_string()).map_err(|error| error.code().to_owned())
        };
        assert_eq!(to("https://shop.example/admin/x", "ck").unwrap(), "https://shop.example/admin/x");
        assert_eq!(to("https://evil.example/", "ck").unwrap_err(), "activation_foreign");
        assert_eq!(to("https://shop.example/", "other").unwrap_err(), "activation_foreign");
        assert_eq!(to("no url", "ck").unwrap_err(), "activation_unreadable");
    }
}
