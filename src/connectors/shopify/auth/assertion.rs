//! Tokens by an assertion that the app signs with a private key of its own.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::app::{ShopApp, read_answer};
use crate::auth::{TokenAnswer, TokenGrant, TokenRequest, TokenSet};
use crate::error::Result;
use crate::model::Secret;
use crate::time::Timestamp;

/// Makes the assertion: a short-lived JWT, signed with a private key whose public half Shopify knows. The key
/// stays with whoever implements this.
#[async_trait]
pub trait AssertionSource: fmt::Debug + Send + Sync + 'static {
    /// Signs an assertion that is good from now on.
    ///
    /// # Errors
    /// What the signer gives.
    async fn assertion(&self, app: &ShopApp, now: Timestamp) -> Result<Secret>;
}

/// Gets tokens with assertions in place of the client secret (application-only access tokens).
///
/// UNVERIFIED: Shopify's page names neither the claims of the assertion nor the fields of the request. The claims
/// are the source's own; the fields are those of RFC 7523, section 2.2, unless others are given. There is no
/// refresh token, so the grant is asked for again.
#[derive(Debug, Clone)]
pub struct ClientAssertion {
    app: ShopApp,
    source: Arc<dyn AssertionSource>,
    assertion: Cow<'static, str>,
    fields: Vec<(Cow<'static, str>, Cow<'static, str>)>,
}

impl ClientAssertion {
    /// Gets tokens for an app in a shop.
    #[must_use]
    pub fn new(app: ShopApp, source: Arc<dyn AssertionSource>) -> Self {
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        Self {
            app,
            source,
            assertion: Cow::Borrowed("client_assertion"),
            fields: vec![
                (Cow::Borrowed("grant_type"), Cow::Borrowed("client_credentials")),
                (Cow::Borrowed("client_assertion_type"), Cow::Borrowed(kind)),
            ],
        }
    }

    /// Sets the request's fields: the name of the one that holds the assertion, and the others. The client id
    /// always goes along.
    #[must_use]
    pub fn fields(
        mut self,
        assertion: impl Into<Cow<'static, str>>,
        fields: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    ) -> Self {
        self.assertion = assertion.into();
        self.fields = fields;
        self
    }
}

#[async_trait]
impl TokenGrant for ClientAssertion {
    async fn request(&self, _: Option<&TokenSet>, now: Timestamp) -> Result<Option<TokenRequest>> {
        let assertion = self.source.assertion(&self.app, now).await?;
        let mut request = self.app.unsigned()?;
        for (name, value) in &self.fields {
            request = request.field(name.clone(), value.as_ref());
        }
        Ok(Some(request.secret(self.assertion.clone(), assertion)))
    }

    fn read(&self, answer: &TokenAnswer, _: Option<&TokenSet>) -> Result<TokenSet> {
        read_answer(answer, None)
    }
}
