//! Translations of products in a further language of a channel.
//!
//! In beta, and for Catalyst storefronts (documents `store-operations/translations` and `settings/locales`, read
//! 2026-11-30). That a field without a translation has `null` was reported of a live store on 2026-09-05.

use std::collections::HashMap;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::language::{
    Edges, Edit, MAX_PAGE, Texts, answered, call, change, member, question, quoted, resource,
};
use super::wire;
use crate::connector::{FieldAnswer, Outcomes, PullRequest, PushRequest};
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::http::{ApiClient, Idempotency};
use crate::model::{FieldName, Lane, Text, View};

/// Translations in a language of a channel.
#[derive(Debug)]
pub(super) struct Translations {
    pub(super) locale: Text,
    pub(super) channel: Text,
}

fn refused() -> Error {
    let what = "the store does not answer questions about translations";
    Error::new(ErrorKind::Unsupported, "translations_refused", what).with_remedy(
        "use a channel of a Catalyst storefront, and give the API account the scope Store Translations",
    )
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Locale {
    code: Text,
    #[serde(default)]
    is_default: bool,
}

/// The further languages of channels, as views.
///
/// # Errors
/// What the platform says: that the token may not read them, or that the store has no such interface.
pub(super) async fn views(client: &ApiClient, channels: &[u64]) -> Result<Vec<View>> {
    #[derive(Deserialize)]
    struct Store {
        locales: Edges<Locale>,
    }
    let mut views = Vec::new();
    for channel in channels {
        let text = format!(
            "query {{ store {{ locales(input: {{ channelId: \"bc/store/channel/{channel}\" }}) {{ edges {{ node {{ code isDefault }} }} }} }} }}"
        );
        // The names of the interface's input types are in no document: values stand in the text.
        let call = call(json!({ "query": text })).idempotency(Idempotency::Safe).lane(Lane::Interactive);
        let call = call.attempt_limits(wire::READ_TIMEOUT, wire::ATTEMPT_TIMEOUT);
        let store: Store = member(&answered(client, call, refused).await?, "store")?;
        let further = store.locales.nodes().filter(|locale| !locale.is_default);
        views.extend(further.map(|locale| View {
            scope: Some(channel.to_string().into()),
            ..View::in_language(locale.code)
        }));
    }
    Ok(views)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    resource_id: String,
    fields: Vec<Translation>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Translation {
    field_name: String,
    #[serde(default)]
    translation: Option<String>,
}

/// What the platform says of a mutation: nothing where all was done.
#[derive(Debug, Deserialize)]
struct Done {
    errors: Vec<Refusal>,
}

#[derive(Debug, Deserialize)]
struct Refusal {
    #[serde(default)]
    message: String,
    /// The fields that it is about; none where it is about all.
    #[serde(default)]
    fields: Vec<String>,
}

impl Translations {
    /// What every question about translations begins with.
    fn head(&self) -> String {
        format!(
            "resourceType: PRODUCTS, channelId: {}, localeId: {}",
            quoted(&format!("bc/store/channel/{}", self.channel)),
            quoted(&format!("bc/store/locale/{}", self.locale)),
        )
    }

    async fn step(
        &self,
        mutation: &str,
        input: &str,
        fields: &[(FieldName, &str)],
        (client, request): (&ApiClient, &PushRequest),
        outcomes: &mut Outcomes,
    ) {
        let text = format!(
            "mutation {{ translation {{ {mutation}(input: {{ {}, {input} }}) {{ errors {{ __typename ... on Error {{ message }} ... on InvalidTranslationEntityFieldsError {{ fields }} }} }} }} }}",
            self.head(),
        );
        let names: Vec<FieldName> = fields.iter().map(|(field, _)| field.clone()).collect();
        let done = match answered(client, change(json!({ "query": text }), request), refused).await {
            Ok(body) => member::<HashMap<String, Done>>(&body, "translation")
                .map_err(|error| error.with_effect(Effect::Possible))
                .map(|mut done| done.remove(mutation).map(|done| done.errors).unwrap_or_default()),
            Err(error) => Err(error),
        };
        let refusals = match done {
            Ok(refusals) => refusals,
            Err(error) => return outcomes.failed(&names, error),
        };
        for (field, name) in fields {
            let about =
                |refusal: &&Refusal| refusal.fields.is_empty() || refusal.fields.iter().any(|it| it == name);
            let answer = match refusals.iter().find(about) {
                Some(refusal) => FieldAnswer::Refused {
                    code: "translation_refused".to_owned(),
                    why: refusal.message.chars().filter(|letter| !letter.is_control()).take(200).collect(),
                },
                None => FieldAnswer::Accepted,
            };
            outcomes.said(std::slice::from_ref(field), &answer);
        }
    }
}

#[async_trait]
impl Texts for Translations {
    async fn read(
        &self,
        client: &ApiClient,
        ids: &[u64],
        request: &PullRequest,
    ) -> Result<HashMap<u64, Map<String, Value>>> {
        #[derive(Deserialize)]
        struct Store {
            translations: Edges<Node>,
        }
        let mut of: HashMap<u64, Map<String, Value>> = HashMap::new();
        for some in ids.chunks(MAX_PAGE as usize) {
            let names: Vec<String> = some.iter().map(|id| quoted(&resource(*id))).collect();
            let text = format!(
                "query {{ store {{ translations(filters: {{ {}, resourceIds: [{}] }}, first: {MAX_PAGE}) {{ edges {{ node {{ resourceId fields {{ fieldName original translation }} }} }} }} }} }}",
                self.head(),
                names.join(", "),
            );
            let store: Store = member(&answered(client, question(&text, request), refused).await?, "store")?;
            let mut named: HashMap<String, u64> = some.iter().map(|id| (resource(*id), *id)).collect();
            for node in store.translations.nodes() {
                let Some(id) = named.remove(&node.resource_id) else { continue };
                let texts =
                    node.fields.into_iter().filter_map(|it| Some((it.field_name, it.translation?.into())));
                of.entry(id).or_default().extend(texts);
            }
        }
        Ok(of)
    }

    async fn write(
        &self,
        client: &ApiClient,
        edit: Edit<'_>,
        request: &PushRequest,
        outcomes: &mut Outcomes,
    ) {
        let Edit { id, set, gone } = edit;
        let resource = quoted(&resource(id));
        if !set.is_empty() {
            let field = |(_, name, text): &(FieldName, &str, &str)| {
                format!("{{ fieldName: {}, value: {} }}", quoted(name), quoted(text))
            };
            let fields = set.iter().map(field).collect::<Vec<_>>().join(", ");
            let input = format!("entities: [{{ resourceId: {resource}, fields: [{fields}] }}]");
            let fields: Vec<_> = set.into_iter().map(|(field, name, _)| (field, name)).collect();
            self.step("updateTranslations", &input, &fields, (client, request), outcomes).await;
        }
        if !gone.is_empty() {
            let names = gone.iter().map(|(_, name)| quoted(name)).collect::<Vec<_>>().join(", ");
            let input = format!("resources: [{{ resourceId: {resource}, fields: [{names}] }}]");
            self.step("deleteTranslations", &input, &gone, (client, request), outcomes).await;
        }
    }
}
