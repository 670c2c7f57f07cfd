//! Ways to prove who we are: what the settings give, and the authenticator that a runtime makes of it.

use std::fmt;
use std::mem::discriminant;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;

use super::classify::Proof;
use super::said::Said;
use super::wire::Api;
use crate::auth::{
    Authenticator, HeaderKey, OAuth1, Origin, ParameterOrder, Refreshed, RequestToSign, TokenAnswer,
    TokenEncoding, TokenGrant, TokenRepeat, TokenRequest, TokenSet, TokenSlot, TokenVault, read_token_answer,
};
use crate::error::{Error, ErrorKind, Result};
use crate::http::{RefreshingToken, TokenClient};
use crate::model::{Secret, StoreKey, Text};
use crate::runtime::Runtime;
use crate::state::{MemoryState, StateVault};

/// Where Adobe's identity service stands, and the scopes of the cloud service (fact sheet section 3.3, 2026-11-22).
const IMS: &str = "https://ims-na1.adobelogin.com";
const IMS_PATH: &str = "ims/token/v3";
const IMS_SCOPES: &str = "openid,AdobeID,email,profile,additional_info.roles,additional_info.projectedProductContext,commerce.accs";
/// A token's life that its own claims do not say, or say absurdly, is not known.
const MAX_LIFE: Duration = Duration::from_secs(366 * 24 * 3600);

/// The project at Adobe whose credentials a store of the cloud service takes.
#[derive(Debug, Clone)]
pub struct CloudProject {
    client_id: String,
    client_secret: Secret,
    organisation: String,
    ims: Option<String>,
}

impl CloudProject {
    /// Names a project by its OAuth server-to-server credentials and its organisation's id at the identity service.
    #[must_use]
    pub fn new(client_id: impl Into<String>, client_secret: Secret, organisation: impl Into<String>) -> Self {
        Self { client_id: client_id.into(), client_secret, organisation: organisation.into(), ims: None }
    }

    /// Sets another address of the identity service than Adobe's, such as that of a test server.
    #[must_use]
    pub fn identity_service(mut self, url: impl Into<String>) -> Self {
        self.ims = Some(url.into());
        self
    }
}

/// Gives the code of the moment of an administrator's second factor.
#[async_trait]
pub trait OneTimePassword: fmt::Debug + Send + Sync + 'static {
    /// The code; it is asked for once for each token.
    ///
    /// # Errors
    /// What keeps the code from being had.
    async fn code(&self) -> Result<Secret>;
}

/// The second factor of an administrator.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum SecondFactor {
    /// The module is off.
    None,
    /// A code of an authenticator app (provider `google`).
    Google(Arc<dyn OneTimePassword>),
    /// A code of Authy.
    Authy(Arc<dyn OneTimePassword>),
    /// Duo (provider `duo_security`): a push message that a person answers. No program can do that, and settings with it
    /// are refused.
    Duo,
    /// A hardware key (provider `u2fkey`), which signs in a browser. Settings with it are refused.
    U2f,
}

/// What a builder was given, at most one of each kind: the last.
#[derive(Debug, Clone, Default)]
pub(super) struct Given {
    ways: Vec<Way>,
    vault: Option<Arc<dyn TokenVault>>,
}

/// One way to prove who we are.
#[derive(Debug, Clone)]
pub(super) enum Way {
    /// An integration's access token, as a bearer.
    Token(Secret),
    /// An integration's four credentials: each request is signed.
    Signed { consumer_key: Secret, consumer_secret: Secret, token: Secret, token_secret: Secret },
    /// An administrator, whose tokens last for hours.
    Administrator { user: String, password: Secret, factor: SecondFactor },
    /// A project of the cloud service.
    Cloud(CloudProject),
    /// An authenticator of the application's own.
    Authenticator(Arc<dyn Authenticator>),
}

impl Given {
    pub(super) fn way(&mut self, way: Way) {
        self.ways.retain(|known| discriminant(known) != discriminant(&way));
        self.ways.push(way);
    }

    pub(super) fn vault(&mut self, vault: Arc<dyn TokenVault>) {
        self.vault = Some(vault);
    }

    /// The one way that was given.
    ///
    /// # Errors
    /// `Config` where none was, several, or a part of one is missing.
    pub(super) fn credentials(self, origin: &Origin, api: Api) -> Result<Credentials> {
        let mut ways = self.ways.into_iter();
        let way = ways.next().ok_or_else(missing)?;
        if ways.next().is_some() {
            return Err(contradictory(
                "a store takes one kind of credentials, and the settings give several",
            ));
        }
        let is_session = matches!(way, Way::Administrator { .. } | Way::Cloud(_));
        if self.vault.is_some() && !is_session {
            return Err(contradictory(
                "the setting vault goes with the credentials of an administrator or a cloud project",
            ));
        }
        let vault =
            || self.vault.clone().unwrap_or_else(|| Arc::new(StateVault::new(Arc::new(MemoryState::new()))));
        Ok(match way {
            Way::Token(token) if token.is_empty() => return Err(missing()),
            Way::Token(token) => {
                Credentials::ready(Arc::new(HeaderKey::bearer(origin.clone(), &token)?), Proof::Integration)
            }
            Way::Signed { consumer_key, consumer_secret, token, token_secret } => {
                let signer = OAuth1::new(origin.clone(), consumer_key.expose(), &consumer_secret)?;
                let signer = signer.token(token.expose(), &token_secret)?.order(ParameterOrder::Natural);
                Credentials::ready(Arc::new(signer), Proof::Signature)
            }
            Way::Authenticator(authenticator) => Credentials::ready(authenticator, Proof::Unknown),
            Way::Administrator { user, password, factor } => {
                if user.is_empty() || password.is_empty() {
                    return Err(missing());
                }
                if matches!(factor, SecondFactor::Duo | SecondFactor::U2f) {
                    return Err(needs_a_person());
                }
                let slot = format!("admin:{user}");
                let grant = Administrator { origin: origin.clone(), api, user, password, factor };
                Credentials::session(Arc::new(grant), slot, vault(), Vec::new())
            }
            Way::Cloud(project) => {
                if project.client_id.is_empty()
                    || project.client_secret.is_empty()
                    || project.organisation.is_empty()
                {
                    return Err(missing());
                }
                let headers = vec![
                    (HeaderName::from_static("x-api-key"), header(&project.client_id)?),
                    (HeaderName::from_static("x-gw-ims-org-id"), header(&project.organisation)?),
                ];
                let slot = format!("ims:{}", project.client_id);
                Credentials::session(Arc::new(Ims::new(project)?), slot, vault(), headers)
            }
        })
    }
}

fn header(text: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(text).map_err(|_| {
        Error::new(
            ErrorKind::Config,
            "credential_unusable",
            "a credential has bytes that no header can carry",
        )
        .with_remedy("copy the credential again, without line breaks")
    })
}

/// The one way, with all that it needs but a runtime.
#[derive(Debug, Clone)]
pub(super) struct Credentials {
    pub(super) proof: Proof,
    way: Opened,
}

#[derive(Debug, Clone)]
enum Opened {
    /// It is ready, whatever runtime it is used with.
    Ready(Arc<dyn Authenticator>),
    /// Tokens that a grant gets, kept in a vault.
    Granted {
        grant: Arc<dyn TokenGrant>,
        slot: Text,
        vault: Arc<dyn TokenVault>,
        headers: Vec<(HeaderName, HeaderValue)>,
    },
}

impl Credentials {
    fn ready(authenticator: Arc<dyn Authenticator>, proof: Proof) -> Self {
        Self { proof, way: Opened::Ready(authenticator) }
    }

    fn session(
        grant: Arc<dyn TokenGrant>,
        slot: String,
        vault: Arc<dyn TokenVault>,
        headers: Vec<(HeaderName, HeaderValue)>,
    ) -> Self {
        Self { proof: Proof::Session, way: Opened::Granted { grant, slot: slot.into(), vault, headers } }
    }

    /// The authenticator, which sends through the runtime what it must; nothing is sent here.
    pub(super) fn open(
        &self,
        runtime: &Runtime,
        store: &StoreKey,
        origin: &Origin,
        private_hosts: bool,
    ) -> Result<Arc<dyn Authenticator>> {
        match &self.way {
            Opened::Ready(authenticator) => Ok(Arc::clone(authenticator)),
            Opened::Granted { grant, slot, vault, headers } => {
                let client =
                    TokenClient::new(runtime.shared().clone(), store.clone()).private_hosts(private_hosts);
                let slot = TokenSlot::new(store.clone(), slot.clone());
                let token = RefreshingToken::builder(
                    client,
                    origin.clone(),
                    slot,
                    Arc::clone(grant),
                    Arc::clone(vault),
                );
                Ok(Arc::new(Labelled { token: token.build()?, headers: headers.clone() }))
            }
        }
    }
}

/// A token, and headers that name whose it is.
#[derive(Debug)]
struct Labelled {
    token: RefreshingToken,
    headers: Vec<(HeaderName, HeaderValue)>,
}

#[async_trait]
impl Authenticator for Labelled {
    async fn headers(&self, request: &RequestToSign<'_>) -> Result<Vec<(HeaderName, HeaderValue)>> {
        let mut headers = self.token.headers(request).await?;
        headers.extend(self.headers.iter().cloned());
        Ok(headers)
    }

    async fn refresh(&self, rejected: &HeaderMap) -> Result<Refreshed> {
        self.token.refresh(rejected).await
    }

    async fn accepted(&self, sent: &HeaderMap) {
        self.token.accepted(sent).await;
    }
}

/// Gets an administrator's token: 4 hours by default, and no way to refresh it but to ask again.
#[derive(Debug)]
struct Administrator {
    origin: Origin,
    api: Api,
    user: String,
    password: Secret,
    factor: SecondFactor,
}

#[async_trait]
impl TokenGrant for Administrator {
    async fn request(&self, _: Option<&TokenSet>, _: crate::time::Timestamp) -> Result<Option<TokenRequest>> {
        let (below, code) = match &self.factor {
            SecondFactor::None => ("integration/admin/token", None),
            SecondFactor::Google(source) => ("tfa/provider/google/authenticate", Some(source.code().await?)),
            SecondFactor::Authy(source) => ("tfa/provider/authy/authenticate", Some(source.code().await?)),
            SecondFactor::Duo | SecondFactor::U2f => return Err(needs_a_person()),
        };
        let path = match self.api {
            Api::Site => format!("rest/all/V1/{below}"),
            Api::Cloud => format!("V1/{below}"),
        };
        let request = TokenRequest::new(self.origin.clone(), path)
            .encoding(TokenEncoding::Json)
            .field("username", &self.user)
            .secret("password", self.password.clone());
        Ok(Some(match code {
            // A code is used up by the first request that arrives.
            Some(code) => request.secret("otp", code).repeat(TokenRepeat::Once),
            None => request,
        }))
    }

    fn read(&self, answer: &TokenAnswer, _: Option<&TokenSet>) -> Result<TokenSet> {
        if !answer.status.is_success() {
            let status = answer.status.as_u16();
            if status == 429 || answer.status.is_server_error() {
                return read_token_answer(answer, None);
            }
            let error = Error::new(ErrorKind::Auth, "admin_refused", "the store refuses the administrator")
                .with_context("status", status.to_string())
                .with_remedy(
                    "check name and password; where two-factor authentication is on, set the second factor; better \
                     make an integration",
                );
            let said = Said::read(&answer.body).map(|said| said.message).filter(|said| !said.is_empty());
            return Err(match said {
                Some(said) => error.with_context("said", said),
                None => error,
            });
        }
        // A bare text, with its quotes; a page in its place says that the address is wrong.
        let token: String = serde_json::from_slice(&answer.body).map_err(|_| {
            Error::new(ErrorKind::Protocol, "token_unreadable", "the store's answer is no token")
                .with_remedy("check the address: it leads to a page")
        })?;
        let fits =
            !token.is_empty() && token.len() <= 8 * 1024 && token.bytes().all(|byte| byte.is_ascii_graphic());
        if !fits {
            return Err(Error::new(
                ErrorKind::Protocol,
                "token_unreadable",
                "the store's token cannot be a header",
            ));
        }
        let life = life_of(&token);
        let mut set = TokenSet::permanent(Secret::new(token), answer.asked_at);
        set.expires_at = life.map(|life| answer.asked_at.saturating_add(life));
        Ok(set)
    }
}

/// How long a token lives by its own claims, which nobody needs to verify here: they only say when to ask again.
fn life_of(token: &str) -> Option<Duration> {
    #[derive(Deserialize)]
    struct Claims {
        iat: u64,
        exp: u64,
    }
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let Claims { iat, exp } = serde_json::from_slice(&claims).ok()?;
    Some(Duration::from_secs(exp.checked_sub(iat)?)).filter(|life| !life.is_zero() && *life <= MAX_LIFE)
}

/// Gets tokens of Adobe's identity service with a project's own credentials.
#[derive(Debug)]
struct Ims {
    project: CloudProject,
    origin: Origin,
}

impl Ims {
    fn new(project: CloudProject) -> Result<Self> {
        let address = project.ims.as_deref().unwrap_or(IMS);
        let origin = Origin::as_given(address)?;
        Ok(Self { project, origin })
    }
}

#[async_trait]
impl TokenGrant for Ims {
    async fn request(&self, _: Option<&TokenSet>, _: crate::time::Timestamp) -> Result<Option<TokenRequest>> {
        let request = TokenRequest::new(self.origin.clone(), IMS_PATH)
            .field("grant_type", "client_credentials")
            .field("client_id", &self.project.client_id)
            .secret("client_secret", self.project.client_secret.clone())
            .field("scope", IMS_SCOPES);
        Ok(Some(request))
    }

    fn read(&self, answer: &TokenAnswer, _: Option<&TokenSet>) -> Result<TokenSet> {
        read_token_answer(answer, None)
    }
}

fn missing() -> Error {
    Error::new(ErrorKind::Config, "setting_missing", "no credentials are set, or a part of them is missing")
        .with_remedy(
            "make an integration in the shop under System, Integrations, and copy its four credentials",
        )
}

fn needs_a_person() -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "second_factor_needs_a_person",
        "this second factor needs a person at a browser for each token",
    )
    .with_remedy(
        "make an integration, which needs none; or give the user the provider Google Authenticator or Authy",
    )
}

fn contradictory(what: &'static str) -> Error {
    Error::new(ErrorKind::Config, "settings_contradictory", what).with_remedy("leave out what is not meant")
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::StatusCode;

    use super::*;
    use crate::time::Timestamp;

    fn grant(factor: SecondFactor) -> Administrator {
        Administrator {
            origin: Origin::https("https://shop.example").unwrap(),
            api: Api::Site,
            user: "someone".to_owned(),
            password: Secret::new("never_seen"),
            factor,
        }
    }

    fn read(status: u16, body: &str) -> Result<TokenSet> {
        let status = StatusCode::from_u16(status).unwrap();
        let answer = TokenAnswer::new(status, Bytes::from(body.to_owned()), Timestamp::UNIX_EPOCH);
        grant(SecondFactor::None).read(&answer, None)
    }

    #[test]
    fn an_administrators_token_is_a_bare_text_whose_life_it_says_itself() {
        let claims = URL_SAFE_NO_PAD.encode(r#"{"uid":1,"iat":1000,"exp":15400}"#);
        let set = read(200, &format!("\"eyJ.{claims}.sig\"")).unwrap();
        assert_eq!(set.expires_at.unwrap().unix_seconds(), 14_400);
        assert_eq!(read(200, "\"opaque\"").unwrap().expires_at, None);
        assert_eq!(read(200, "<html>").unwrap_err().code(), "token_unreadable");
        let refused = read(401, r#"{"message":"Nein, %1","parameters":["x"]}"#).unwrap_err();
        assert_eq!((refused.kind(), refused.code()), (ErrorKind::Auth, "admin_refused"));
        assert!(refused.to_string().contains("Nein, x"));
        assert_eq!(read(503, "").unwrap_err().kind(), ErrorKind::Unavailable);
    }

    #[derive(Debug)]
    struct Fixed;

    #[async_trait]
    impl OneTimePassword for Fixed {
        async fn code(&self) -> Result<Secret> {
            Ok(Secret::new("123456"))
        }
    }

    #[tokio::test]
    async fn a_second_factor_has_a_route_and_a_code_of_its_own() {
        let now = Timestamp::UNIX_EPOCH;
        for (factor, path, fields) in [
            (SecondFactor::None, "rest/all/V1/integration/admin/token", 2),
            (SecondFactor::Google(Arc::new(Fixed)), "rest/all/V1/tfa/provider/google/authenticate", 3),
            (SecondFactor::Authy(Arc::new(Fixed)), "rest/all/V1/tfa/provider/authy/authenticate", 3),
        ] {
            let grant = grant(factor);
            assert!(!format!("{grant:?}").contains("never_seen"));
            let request = grant.request(None, now).await.unwrap().unwrap();
            assert_eq!((request.path.as_ref(), request.fields.len()), (path, fields));
            assert_eq!(request.repeat == TokenRepeat::Once, fields == 3);
        }
    }

    #[test]
    fn a_second_factor_that_needs_a_person_is_refused_when_the_settings_are_checked() {
        let origin = Origin::https("https://shop.example").unwrap();
        for factor in [SecondFactor::Duo, SecondFactor::U2f] {
            let mut given = Given::default();
            given.way(Way::Administrator { user: "u".to_owned(), password: Secret::new("p"), factor });
            let error = given.credentials(&origin, Api::Site).map(drop).unwrap_err();
            assert_eq!(
                (error.kind(), error.code()),
                (ErrorKind::Unsupported, "second_factor_needs_a_person")
            );
            assert!(error.remedy().contains("integration"));
        }
    }

    #[test]
    fn one_way_is_needed_and_no_more() {
        let origin = Origin::https("https://shop.example").unwrap();
        let code = |given: Given| {
            given.credentials(&origin, Api::Site).map(|made| made.proof).map_err(|e| e.code().to_owned())
        };
        assert_eq!(code(Given::default()), Err("setting_missing".to_owned()));
        let mut given = Given::default();
        given.way(Way::Token(Secret::new("t")));
        assert_eq!(code(given.clone()), Ok(Proof::Integration));
        given.way(Way::Cloud(CloudProject::new("id", Secret::new("s"), "org")));
        assert_eq!(code(given), Err("settings_contradictory".to_owned()));
        let mut given = Given::default();
        given.way(Way::Signed {
            consumer_key: Secret::new("ck"),
            consumer_secret: Secret::new("cs"),
            token: Secret::new("t"),
            token_secret: Secret::new(""),
        });
        assert_eq!(code(given), Err("oauth1_unusable".to_owned()));
    }
}
