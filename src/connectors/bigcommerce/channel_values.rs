//! What a channel shows of a product in a language, in place of the store's own texts.
//!
//! For Enterprise stores and partner sandboxes (documents `store-operations/catalog/msf-international-enhancements` of
//! 2026-04-01, read 2026-11-30). UNVERIFIED: how many products an answer holds, whether a text that a call does not name
//! stays as it is, and the names by which one of two texts is taken back, of which the documents have those of titles only.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::language::{Edges, Edit, MAX_PAGE, Texts, answered, change, member, question, quoted, resource};
use crate::connector::{FieldAnswer, Outcomes, PullRequest, PushRequest};
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::http::ApiClient;
use crate::model::{FieldName, Text};

/// A channel's own values in a language.
#[derive(Debug)]
pub(super) struct ChannelValues {
    pub(super) locale: Text,
    pub(super) channel: Text,
}

/// Texts that go in one call.
struct Group {
    set: Mutation,
    remove: Mutation,
    texts: [Name; 2],
}

struct Mutation {
    name: &'static str,
    /// The type of its input.
    input: &'static str,
}

struct Name {
    map: &'static str,
    platform: &'static str,
    removal: &'static str,
}

const GROUPS: [Group; 2] = [
    Group {
        set: Mutation { name: "setProductBasicInformation", input: "SetProductBasicInformationInput" },
        remove: Mutation {
            name: "removeProductBasicInformationOverrides",
            input: "RemoveProductBasicInformationOverridesInput",
        },
        texts: [
            Name { map: "name", platform: "name", removal: "PRODUCT_NAME_FIELD" },
            Name { map: "description", platform: "description", removal: "PRODUCT_DESCRIPTION_FIELD" },
        ],
    },
    Group {
        set: Mutation { name: "setProductSeoInformation", input: "SetProductSeoInformationInput" },
        remove: Mutation {
            name: "removeProductSeoInformationOverrides",
            input: "RemoveProductSeoInformationOverridesInput",
        },
        texts: [
            Name { map: "page_title", platform: "pageTitle", removal: "PRODUCT_PAGE_TITLE_FIELD" },
            Name {
                map: "meta_description",
                platform: "metaDescription",
                removal: "PRODUCT_META_DESCRIPTION_FIELD",
            },
        ],
    },
];

fn refused() -> Error {
    let what = "the store refused what was asked of a channel's values";
    Error::new(ErrorKind::Unsupported, "channel_values_refused", what).with_remedy(
        "they are for Enterprise stores: have the platform's support switch them on, and look up channel and language",
    )
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    id: String,
    overrides_for_locale: Option<Overrides>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Overrides {
    basic_information: Option<HashMap<String, Option<String>>>,
    seo_information: Option<HashMap<String, Option<String>>>,
}

impl Overrides {
    fn texts(self) -> Map<String, Value> {
        let mut found = self.basic_information.unwrap_or_default();
        found.extend(self.seo_information.unwrap_or_default());
        let names = GROUPS.iter().flat_map(|group| &group.texts);
        names.filter_map(|name| Some((name.map.to_owned(), found.remove(name.platform)??.into()))).collect()
    }
}

impl ChannelValues {
    /// What every change of a product begins with.
    fn of(&self, product: u64) -> Map<String, Value> {
        let context =
            json!({ "channelId": format!("bc/store/channel/{}", self.channel), "locale": self.locale });
        Map::from_iter([
            ("productId".to_owned(), resource(product).into()),
            ("localeContext".to_owned(), context),
        ])
    }

    async fn step(
        &self,
        mutation: &Mutation,
        input: Map<String, Value>,
        fields: &[FieldName],
        (client, request): (&ApiClient, &PushRequest),
        outcomes: &mut Outcomes,
    ) {
        let Mutation { name, input: of_type } = mutation;
        let text = format!(
            "mutation ($input: {of_type}!) {{ product {{ {name}(input: $input) {{ product {{ id }} }} }} }}"
        );
        let call = change(json!({ "query": text, "variables": { "input": input } }), request);
        let done = match answered(client, call, refused).await {
            Ok(body) => member::<HashMap<String, Map<String, Value>>>(&body, "product"),
            Err(error) => return outcomes.failed(fields, error),
        };
        match done {
            Ok(done) if done.get(*name).and_then(|it| it.get("product")).is_some_and(Value::is_object) => {
                outcomes.said(fields, &FieldAnswer::Accepted);
            }
            Ok(_) => {
                let what = "the store's answer does not say that the value is set";
                let error = Error::new(ErrorKind::Protocol, "answer_unreadable", what);
                outcomes.failed(fields, error.with_effect(Effect::Possible));
            }
            Err(error) => outcomes.failed(fields, error.with_effect(Effect::Possible)),
        }
    }
}

#[async_trait]
impl Texts for ChannelValues {
    async fn read(
        &self,
        client: &ApiClient,
        ids: &[u64],
        request: &PullRequest,
    ) -> Result<HashMap<u64, Map<String, Value>>> {
        #[derive(Deserialize)]
        struct Store {
            products: Edges<Node>,
        }
        let context = format!(
            "{{ channelId: {}, locale: {} }}",
            quoted(&format!("bc/store/channel/{}", self.channel)),
            quoted(&self.locale),
        );
        let mut of = HashMap::new();
        let mut left: BTreeMap<String, u64> = ids.iter().map(|id| (resource(*id), *id)).collect();
        while !left.is_empty() {
            let names: Vec<String> = left.keys().take(MAX_PAGE as usize).map(|name| quoted(name)).collect();
            let text = format!(
                "query {{ store {{ products(filters: {{ ids: [{}] }}) {{ edges {{ node {{ id overridesForLocale(localeContext: {context}) {{ basicInformation {{ name description }} seoInformation {{ pageTitle metaDescription }} }} }} }} }} }} }}",
                names.join(", "),
            );
            let store: Store = member(&answered(client, question(&text, request), refused).await?, "store")?;
            let before = left.len();
            for node in store.products.nodes() {
                let Some(id) = left.remove(&node.id) else { continue };
                of.insert(id, node.overrides_for_locale.map(Overrides::texts).unwrap_or_default());
            }
            // A short answer is asked on; one that holds none of what was asked for would be for ever.
            if left.len() == before {
                break;
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
        for group in &GROUPS {
            let of_group = |map: &str| group.texts.iter().find(|name| name.map == map);
            let (mut data, mut set) = (Map::new(), Vec::new());
            for (field, map, text) in &edit.set {
                if let Some(name) = of_group(map) {
                    data.insert(name.platform.to_owned(), (*text).into());
                    set.push(field.clone());
                }
            }
            if !set.is_empty() {
                let mut input = self.of(edit.id);
                input.insert("data".to_owned(), data.into());
                self.step(&group.set, input, &set, (client, request), outcomes).await;
            }
            let gone = edit.gone.iter().filter_map(|(field, map)| Some((field, of_group(map)?)));
            let (gone, names): (Vec<FieldName>, Vec<&str>) =
                gone.map(|(field, name)| (field.clone(), name.removal)).unzip();
            if !gone.is_empty() {
                let mut input = self.of(edit.id);
                // Both go where none is named, which needs no name that the documents lack.
                if gone.len() < group.texts.len() {
                    input.insert("overridesToRemove".to_owned(), names.into());
                }
                self.step(&group.remove, input, &gone, (client, request), outcomes).await;
            }
        }
    }

    fn names_each(&self) -> bool {
        true
    }

    fn partly(&self, field: &FieldName) -> Option<&'static str> {
        let is_named = matches!(field.as_str(), "title" | "seo.title");
        (!is_named).then_some("where the channel had none, it is taken back by a name that is not documented")
    }
}
