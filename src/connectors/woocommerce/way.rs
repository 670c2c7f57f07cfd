//! The way to a store: where its API stands, and how its host lets credentials through.

use std::borrow::Cow;
use std::num::NonZeroU32;
use std::sync::Arc;

use super::classify::{Signs, WooClassifier};
use super::wire::{self, Offset};
use crate::auth::{Authenticator, Basic, OAuth1, Origin, QueryKey};
use crate::connector::{Detail, Select};
use crate::error::{Error, ErrorKind, Result};
use crate::http::{ApiClient, ApiResponse, BodyFault};
use crate::model::{Entity, Secret, StoreKey};
use crate::runtime::Runtime;

/// Whether key and secret may go in the query of each request, over https: some hosts drop the
/// `Authorization` header. Access logs then hold both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum KeyInQuery {
    /// Never: such a host is an error.
    Never,
    /// Where the header was refused with 401 when connecting, and the query is taken.
    #[default]
    WhenStripped,
    /// Always, without trying the header.
    Always,
}

/// Where the site's API stands, which follows from its permalinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Permalinks {
    /// Connecting finds it out.
    #[default]
    Detect,
    /// Below `/wp-json/`.
    Pretty,
    /// Behind `?rest_route=`: the site's permalinks are Plain.
    Plain,
}

/// The way that requests take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) api: Api,
    pub(super) key: Key,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Api {
    Pretty,
    Plain,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// The secret signs and stays.
    Signs,
    InHeader,
    InQuery,
}

/// What leads to a store.
#[derive(Debug)]
pub(super) struct Reach<'a> {
    pub(super) runtime: &'a Runtime,
    pub(super) store: &'a StoreKey,
    pub(super) origin: &'a Origin,
    pub(super) key: &'a str,
    pub(super) secret: &'a Secret,
    pub(super) key_in_query: KeyInQuery,
    pub(super) permalinks: Permalinks,
    pub(super) private_hosts: bool,
    pub(super) max_in_flight: NonZeroU32,
}

/// A way that was found, with the site's index where it could be read.
#[derive(Debug)]
pub(super) struct Reached {
    pub(super) client: ApiClient,
    pub(super) way: Way,
    pub(super) index: Option<wire::Index>,
}

impl Reach<'_> {
    /// The way that the settings name.
    pub(super) fn configured(&self) -> Way {
        Way {
            api: if self.permalinks == Permalinks::Plain { Api::Plain } else { Api::Pretty },
            key: match self.key_in_query {
                _ if !self.origin.is_https() => Key::Signs,
                KeyInQuery::Always => Key::InQuery,
                KeyInQuery::Never | KeyInQuery::WhenStripped => Key::InHeader,
            },
        }
    }

    pub(super) fn client(&self, way: Way) -> Result<ApiClient> {
        let origin = self.origin.clone();
        let authenticator: Arc<dyn Authenticator> = match way.key {
            Key::Signs => Arc::new(OAuth1::new(origin, self.key, self.secret)?),
            Key::InHeader => Arc::new(Basic::new(origin, self.key, self.secret)?),
            Key::InQuery => {
                let pairs =
                    vec![("consumer_key", Secret::new(self.key)), ("consumer_secret", self.secret.clone())];
                Arc::new(QueryKey::new(origin, pairs)?)
            }
        };
        let signs = if way.key == Key::Signs { Signs::Yes } else { Signs::No };
        self.client_with(way.api, authenticator, signs)
    }

    fn client_with(
        &self,
        api: Api,
        authenticator: Arc<dyn Authenticator>,
        signs: Signs,
    ) -> Result<ApiClient> {
        let mut builder = self
            .runtime
            .client(self.store.clone(), self.origin.clone(), authenticator)
            .classifier(Arc::new(WooClassifier::new(self.origin.clone(), signs)))
            .private_hosts(self.private_hosts)
            .max_in_flight(self.max_in_flight);
        if api == Api::Plain {
            builder = builder.route(by_rest_route);
        }
        builder.build()
    }

    /// Finds the way that works, and proves the key on it.
    pub(super) async fn find(&self) -> Result<Reached> {
        let (way, index) = self.find_api().await?;
        let client = self.client(way)?;
        match prove(&client).await {
            Ok(()) => Ok(Reached { client, way, index }),
            Err(error) if error.code() == "key_refused" && self.origin.is_https() => {
                let (client, way) = self.past_the_host(way, error).await?;
                Ok(Reached { client, way, index })
            }
            Err(error) => Err(error),
        }
    }

    /// Where the API stands. Its index is read without rights, and some sites close it: then nothing is known
    /// of it, and the key's own proof decides.
    async fn find_api(&self) -> Result<(Way, Option<wire::Index>)> {
        let way = self.configured();
        let refused = match read_index(&self.client(way)?).await {
            Ok(index) => return Ok((way, Some(index))),
            Err(error) => error,
        };
        let certain = refused.code() == "redirected_to_itself";
        let suspected = matches!(refused.code(), "api_not_found" | "answer_not_json" | "redirected");
        if self.permalinks == Permalinks::Detect && (certain || suspected) {
            let plain = Way { api: Api::Plain, ..way };
            match read_index(&self.client(plain)?).await {
                Ok(index) if certain => return Ok((plain, Some(index))),
                Ok(index) => {
                    // A page in the place of the index may be gone by now, as that of a cache is.
                    let again = read_index(&self.client(way)?).await;
                    return Ok(if again.is_ok() { (way, again.ok()) } else { (plain, Some(index)) });
                }
                Err(closed) if certain && is_closed(&closed) => return Ok((plain, None)),
                Err(_) => {}
            }
        }
        let is_site = matches!(
            refused.kind(),
            ErrorKind::Auth
                | ErrorKind::Forbidden
                | ErrorKind::NotFound
                | ErrorKind::Unsupported
                | ErrorKind::Protocol
        );
        if certain || !is_site || refused.code() == "address_wrong" {
            return Err(refused);
        }
        Ok((way, None))
    }

    /// Over https the header named nobody: either nobody is the key's owner, or the header does not arrive, or
    /// the site takes https for http and reads no key. Each is told by one request. A signed one holds no secret,
    /// so it goes first: what stands in a query stays in logs.
    async fn past_the_host(&self, way: Way, refused: Error) -> Result<(ApiClient, Way)> {
        // A site that takes https for http checks signatures, over its address with http.
        let seen = self.origin.base().as_str().replacen("https://", "http://", 1);
        let signer = OAuth1::new(self.origin.clone(), self.key, self.secret)?.signing_base(&seen)?;
        let client = self.client_with(way.api, Arc::new(signer), Signs::Yes)?;
        match prove(&client).await {
            Ok(()) => return Err(https_not_seen()),
            Err(error) if error.code() == "key_lacks_rights" => return Err(https_not_seen()),
            Err(_) => {}
        }
        if way.key == Key::InHeader && self.key_in_query == KeyInQuery::WhenStripped {
            let way = Way { key: Key::InQuery, ..way };
            let client = self.client(way)?;
            match prove(&client).await {
                Ok(()) => return Ok((client, way)),
                // The key was known this way, so this is what is wrong with it.
                Err(error) if matches!(error.code(), "secret_refused" | "key_lacks_rights") => {
                    return Err(error);
                }
                Err(_) => {}
            }
        }
        Err(refused)
    }
}

/// Asks for the id of one product: nothing less proves a key.
async fn prove(client: &ApiClient) -> Result<()> {
    let probe = wire::list(Entity::Product, &Select::All, Detail::IdsOnly, Offset(0), 1);
    client.execute_with(probe, |answer| wire::answered(answer, b'[')).await.map(drop)
}

/// The site's index. A page in its place is not asked for again: it is the site's doing.
pub(super) async fn read_index(client: &ApiClient) -> Result<wire::Index> {
    let read = |answer: ApiResponse| {
        wire::json::<wire::Index>(answer).map_err(|fault| match fault {
            BodyFault::Broken(error) if error.code() == "answer_not_json" => BodyFault::Final(error),
            other => other,
        })
    };
    client.execute_with(wire::index(), read).await
}

/// Whether the site keeps its index from the public.
pub(super) fn is_closed(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Auth | ErrorKind::Forbidden)
}

fn https_not_seen() -> Error {
    Error::new(
        ErrorKind::Config,
        "https_not_seen",
        "the key is right, but the site takes https for http and so reads no key",
    )
    .with_context("status", "401")
    .with_remedy(
        "let the proxy before the site send X-Forwarded-Proto, and let wp-config.php set HTTPS by it",
    )
}

/// A site with Plain permalinks serves its API by a query parameter. It looks for keys only where the address
/// holds `wp-json/wc/` as plain text, so a parameter that nobody reads holds it. `index.php` is named because
/// the server signs the bare address without its slash.
fn by_rest_route(path: &str) -> Cow<'_, str> {
    let Some(below) = path.trim_start_matches('/').strip_prefix("wp-json") else {
        return Cow::Borrowed(path);
    };
    let (route, query) = below.split_once('?').unwrap_or((below, ""));
    let route = if route.is_empty() { "/" } else { route };
    let keyed = ["/wc/", "/wc-"].iter().any(|ours| route.starts_with(ours));
    // What a path may hold and a query may not.
    let route = route.replace('&', "%26").replace('+', "%2B");
    let mut text = format!("index.php?rest_route={route}");
    if keyed {
        text.push_str("&_lily=wp-json/wc/");
    }
    if !query.is_empty() {
        text.push('&');
        text.push_str(query);
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_becomes_a_route_with_the_text_that_keys_need() {
        for (path, routed) in [
            ("wp-json/", "index.php?rest_route=/"),
            ("wp-json/wc/v3/products", "index.php?rest_route=/wc/v3/products&_lily=wp-json/wc/"),
            ("/wp-json/wc/v3/a+b?x=1", "index.php?rest_route=/wc/v3/a%2Bb&_lily=wp-json/wc/&x=1"),
            ("wp-json/wp/v2/media/5", "index.php?rest_route=/wp/v2/media/5"),
            ("elsewhere", "elsewhere"),
        ] {
            assert_eq!(by_rest_route(path), routed, "{path}");
        }
    }
}
