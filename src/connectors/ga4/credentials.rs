//! Credential files as Google gives them, and the ways to tokens that they open (fact sheet of 2026-11-22, from the
//! platform's own client library).

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use twox_hash::XxHash3_64;

use crate::auth::{
    Authenticator, GRANT_REFUSED, JwtBearer, Origin, Refreshed, RequestToSign, Rs256, TokenAnswer,
    TokenGrant, TokenRequest, TokenSet, TokenSlot, TokenVault, read_token_answer,
};
use crate::error::{Error, ErrorKind, Result};
use crate::http::{RefreshingToken, TokenClient};
use crate::model::{Secret, StoreKey, Text};
use crate::runtime::Runtime;
use crate::time::Timestamp;

/// The endpoint of users' tokens, and of service accounts whose file names none.
const TOKEN_URL: &str = "https://oauth2.googleapis.com/token";
/// What reads reports and settings.
const READ: &str = "https://www.googleapis.com/auth/analytics.readonly";
/// What makes custom dimensions.
const EDIT: &str = "https://www.googleapis.com/auth/analytics.edit";
/// The largest file.
const MAX_BYTES: usize = 64 * 1024;

/// Forms of files that are known and not supported, each with what to do.
const UNSUPPORTED: [(&str, &str); 4] = [
    ("external_account", "make a key of a service account, or sign in as a user"),
    ("external_account_authorized_user", "make a key of a service account, or sign in as a user"),
    ("impersonated_service_account", "give the file of the service account itself, or of a user"),
    ("gdch_service_account", "give the file of a service account of the public cloud"),
];

/// What a file holds.
#[derive(Clone)]
pub(super) struct Credentials {
    principal: Principal,
    /// Where tokens are asked for: the origin, and the path below it.
    endpoint: (Origin, Text),
    /// What the endpoint calls itself.
    audience: Text,
    /// The project that calls are charged to, of a user.
    quota_project: Option<HeaderValue>,
}

#[derive(Clone)]
enum Principal {
    Account { email: Text, key: Secret, key_id: Option<Text> },
    User { client: Text, secret: Secret, refresh: Secret },
}

#[derive(Deserialize)]
struct File {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    client_email: String,
    #[serde(default)]
    private_key: String,
    #[serde(default)]
    private_key_id: Option<String>,
    #[serde(default)]
    token_uri: Option<String>,
    #[serde(default)]
    universe_domain: Option<String>,
    #[serde(default)]
    client_id: String,
    #[serde(default)]
    client_secret: String,
    #[serde(default)]
    refresh_token: String,
    #[serde(default)]
    quota_project_id: Option<String>,
}

impl Credentials {
    /// Reads a file's text. `token_url` stands in the place of the endpoint that the file names.
    ///
    /// # Errors
    /// `Config` where the text is no such file, names a foreign endpoint, or its key is none; `Unsupported` where it is
    /// of a form that is not supported. No error quotes it.
    pub(super) fn read(text: &Secret, token_url: Option<&str>) -> Result<Self> {
        let wrong = |what: &'static str| {
            Error::new(ErrorKind::Config, "credentials_unreadable", what).with_remedy(
                "give the JSON file of a service account's key, or of gcloud's application default login",
            )
        };
        if text.expose().len() > MAX_BYTES {
            return Err(wrong("the credential file is over 64 KiB"));
        }
        let file: File = serde_json::from_str(text.expose())
            .map_err(|_| wrong("the credentials are no JSON object with texts in it"))?;
        if file.universe_domain.as_deref().is_some_and(|domain| domain != "googleapis.com") {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "credentials_of_another_cloud",
                "the credentials belong to another cloud than googleapis.com",
            )
            .with_remedy("give credentials of the public cloud"));
        }
        let given = |text: &str, what| if text.is_empty() { Err(wrong(what)) } else { Ok(()) };
        let principal = match file.kind.as_str() {
            "service_account" => {
                given(&file.client_email, "the service account's file has no client_email")?;
                given(&file.private_key, "the service account's file has no private_key")?;
                let key = Secret::new(file.private_key);
                let key_id = file.private_key_id.map(Text::from);
                // It is made anew when it is opened; a wrong one is found here.
                Rs256::new(&key, key_id.clone())?;
                Principal::Account { email: file.client_email.into(), key, key_id }
            }
            "authorized_user" => {
                given(&file.client_id, "the user's file has no client_id")?;
                given(&file.client_secret, "the user's file has no client_secret")?;
                given(&file.refresh_token, "the user's file has no refresh_token")?;
                Principal::User {
                    client: file.client_id.into(),
                    secret: Secret::new(file.client_secret),
                    refresh: Secret::new(file.refresh_token),
                }
            }
            other => return Err(unsupported(other)),
        };
        let named = file.token_uri.as_deref().unwrap_or(TOKEN_URL);
        let address = match token_url {
            Some(url) => url,
            None => own(named)?,
        };
        let quota_project = match (&principal, file.quota_project_id) {
            (Principal::User { .. }, Some(project)) => HeaderValue::from_str(&project).ok(),
            _ => None,
        };
        Ok(Self { principal, endpoint: split(address)?, audience: address.into(), quota_project })
    }

    /// The e-mail of a service account, which has to be let in on the property.
    pub(super) fn account(&self) -> Option<&Text> {
        match &self.principal {
            Principal::Account { email, .. } => Some(email),
            Principal::User { .. } => None,
        }
    }

    /// The place of their tokens in a vault.
    fn slot(&self, store: &StoreKey, scope: &str) -> TokenSlot {
        let who = match &self.principal {
            Principal::Account { email, .. } => email,
            Principal::User { client, .. } => client,
        };
        let name = format!("google-{:016x}", XxHash3_64::oneshot(format!("{who} {scope}").as_bytes()));
        TokenSlot::new(store.clone(), name)
    }

    /// An authenticator for an origin; nothing is sent.
    pub(super) fn open(
        &self,
        runtime: &Runtime,
        store: &StoreKey,
        origin: &Origin,
        vault: &Arc<dyn TokenVault>,
        settings: Opening,
    ) -> Result<Arc<dyn Authenticator>> {
        let scope = if settings.edits { format!("{READ} {EDIT}") } else { READ.to_owned() };
        let (token_origin, path) = self.endpoint.clone();
        let grant: Arc<dyn TokenGrant> = match &self.principal {
            Principal::Account { email, key, key_id } => {
                let key = Rs256::new(key, key_id.clone())?;
                let audience = self.audience.clone();
                Arc::new(JwtBearer::new(token_origin, path, key, email.clone(), audience, scope.as_str()))
            }
            Principal::User { client, secret, refresh } => Arc::new(UserGrant {
                endpoint: (token_origin, path),
                client: client.clone(),
                secret: secret.clone(),
                refresh: refresh.clone(),
            }),
        };
        let client =
            TokenClient::new(runtime.shared().clone(), store.clone()).private_hosts(settings.private_hosts);
        let slot = self.slot(store, &scope);
        let token =
            RefreshingToken::builder(client, origin.clone(), slot, grant, Arc::clone(vault)).build()?;
        Ok(Arc::new(GoogleToken { token, quota_project: self.quota_project.clone() }))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.principal {
            Principal::Account { .. } => "service_account",
            Principal::User { .. } => "authorized_user",
        };
        f.debug_struct("Credentials").field("type", &kind).finish_non_exhaustive()
    }
}

/// How an authenticator is opened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opening {
    pub(super) private_hosts: bool,
    /// Whether custom dimensions are to be made.
    pub(super) edits: bool,
}

fn unsupported(kind: &str) -> Error {
    match UNSUPPORTED.iter().find(|(name, _)| *name == kind) {
        Some((name, remedy)) => Error::new(
            ErrorKind::Unsupported,
            "credential_type_unsupported",
            format!("credential files of the type {name} are not supported"),
        )
        .with_remedy(*remedy),
        None => Error::new(
            ErrorKind::Config,
            "credential_type_unknown",
            "the credential file is of no type that is known",
        )
        .with_remedy("give a file of the type service_account or authorized_user"),
    }
}

/// The file's own endpoint, where it is Google's: a hostile file must not have a signed assertion sent elsewhere.
fn own(address: &str) -> Result<&str> {
    let url = url::Url::parse(address).ok();
    let is_google = url.is_some_and(|url| {
        let host = url.host_str().unwrap_or_default();
        url.scheme() == "https" && (host == "googleapis.com" || host.ends_with(".googleapis.com"))
    });
    if is_google {
        return Ok(address);
    }
    Err(Error::new(
        ErrorKind::Config,
        "token_uri_foreign",
        "the credential file's token_uri is none of Google's, so nothing is sent there",
    )
    .with_remedy("download the file again; for a test server, set token_url"))
}

/// An address as an origin and a path below it.
fn split(address: &str) -> Result<(Origin, Text)> {
    let wrong = || {
        Error::new(
            ErrorKind::Config,
            "token_url_unusable",
            "the token endpoint must be an address with a path",
        )
    };
    let url = url::Url::parse(address).map_err(|_| wrong())?;
    let path = url.path().trim_start_matches('/').to_owned();
    let mut base = url.clone();
    base.set_path("/");
    Ok((Origin::as_given(base.as_str())?, path.into()))
}

/// A user's refresh token, which does not change.
#[derive(Debug)]
struct UserGrant {
    endpoint: (Origin, Text),
    client: Text,
    secret: Secret,
    refresh: Secret,
}

#[async_trait]
impl TokenGrant for UserGrant {
    async fn request(&self, current: Option<&TokenSet>, _: Timestamp) -> Result<Option<TokenRequest>> {
        let (origin, path) = self.endpoint.clone();
        // Normally no new one is given; where one was, it takes the place of the file's.
        let refresh =
            current.and_then(|current| current.refresh.clone()).unwrap_or_else(|| self.refresh.clone());
        let request = TokenRequest::new(origin, path.as_str().to_owned())
            .field("grant_type", "refresh_token")
            .field("client_id", self.client.as_str())
            .secret("client_secret", self.secret.clone())
            .secret("refresh_token", refresh);
        Ok(Some(request))
    }

    fn read(&self, answer: &TokenAnswer, current: Option<&TokenSet>) -> Result<TokenSet> {
        read_token_answer(answer, current).map_err(|error| {
            if error.code() != GRANT_REFUSED {
                return error;
            }
            Error::new(ErrorKind::Auth, GRANT_REFUSED, "Google takes this refresh token no more").with_remedy(
                "sign in again; where the consent screen is in testing, tokens die after seven days: publish it",
            )
        })
    }
}

/// A token, with the project that calls are charged to.
#[derive(Debug)]
struct GoogleToken {
    token: RefreshingToken,
    quota_project: Option<HeaderValue>,
}

#[async_trait]
impl Authenticator for GoogleToken {
    async fn headers(&self, request: &RequestToSign<'_>) -> Result<Vec<(HeaderName, HeaderValue)>> {
        let mut headers = self.token.headers(request).await?;
        let name = HeaderName::from_static("x-goog-user-project");
        headers.extend(self.quota_project.iter().map(|project| (name.clone(), project.clone())));
        Ok(headers)
    }

    async fn refresh(&self, rejected: &HeaderMap) -> Result<Refreshed> {
        self.token.refresh(rejected).await
    }

    async fn accepted(&self, sent: &HeaderMap) {
        self.token.accepted(sent).await;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn user() -> Value {
        json!({"type": "authorized_user", "client_id": "c", "client_secret": "s3cret-of-the-app",
            "refresh_token": "1//s3cret"})
    }

    fn read(file: &Value) -> Result<Credentials> {
        Credentials::read(&Secret::new(file.to_string()), None)
    }

    #[test]
    fn a_users_file_is_read_and_never_shown() {
        let credentials = read(&user()).unwrap();
        assert_eq!(credentials.audience.as_str(), TOKEN_URL);
        assert!(!format!("{credentials:?}").contains("s3cret"));
    }

    #[test]
    fn what_cannot_be_supported_is_refused_by_its_name_with_a_remedy() {
        for (kind, _) in UNSUPPORTED {
            let error = read(&json!({"type": kind, "private_key": "s3cret"})).unwrap_err();
            assert_eq!((error.kind(), error.code()), (ErrorKind::Unsupported, "credential_type_unsupported"));
            assert!(error.message().contains(kind) && !error.remedy().is_empty());
            assert!(!format!("{error:?}").contains("s3cret"));
        }
        let odd = read(&json!({"type": "s3cret_type"})).unwrap_err();
        assert_eq!(odd.code(), "credential_type_unknown");
        assert!(!format!("{odd:?}").contains("s3cret"));
    }

    #[test]
    fn a_foreign_endpoint_is_refused_unless_the_settings_name_it() {
        for uri in [
            "https://evil.example/token",
            "http://oauth2.googleapis.com/token",
            "https://googleapis.com.evil.example/token",
            "https://evilgoogleapis.com/token",
            "not an address",
        ] {
            let mut file = user();
            file["token_uri"] = json!(uri);
            assert_eq!(read(&file).unwrap_err().code(), "token_uri_foreign", "{uri}");
            let text = Secret::new(file.to_string());
            assert!(Credentials::read(&text, Some("http://127.0.0.1:1/token")).is_ok());
        }
    }

    #[test]
    fn what_lacks_is_named_and_nothing_is_quoted() {
        for member in ["client_id", "client_secret", "refresh_token"] {
            let mut file = user();
            file.as_object_mut().unwrap().remove(member);
            let error = read(&file).unwrap_err();
            assert!(error.message().contains(member), "{error}");
        }
        for text in ["", "s3cret", "[]", "{\"type\": 7}"] {
            let error = Credentials::read(&Secret::new(text), None).unwrap_err();
            assert!(!format!("{error:?}").contains("s3cret"));
        }
        let mut other = user();
        other["universe_domain"] = json!("cloud.example");
        assert_eq!(read(&other).unwrap_err().code(), "credentials_of_another_cloud");
        let account = json!({"type": "service_account", "client_email": "a@b", "private_key": "s3cret"});
        let error = read(&account).unwrap_err();
        assert_eq!(error.code(), "private_key_unreadable");
        assert!(!format!("{error:?}").contains("s3cret"));
    }
}
