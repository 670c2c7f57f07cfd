//! A shop in one of its further languages: what is translated is read and written, and nothing else.
//!
//! Lists and counts are those of the shop's own records; their translations are read by id, which gives those of
//! unpublished languages, too, and the digest of each text that is translated (Admin GraphQL 2026-10,
//! `TranslatableResource`, read 2026-11-30).

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::client::{self, Answered};
use super::connector::Shopify;
use super::discover::Found;
use super::read::{MAX_COST, PageSizes, is_too_costly};
use super::wire::{self, MAX_PAGE, Position};
use super::write::Step;
use super::{PLATFORM, documents, map};
use crate::connector::{Page, Patch, PatchValue, PullRequest};
use crate::error::{Error, ErrorKind, Result};
use crate::mapping::SchemaMap;
use crate::model::{
    Capabilities, DeltaClock, Entity, ExternalId, FieldName, RawItems, Shape, Text, View, WritableField,
};

/// Where the translated records stand in an answer.
const NODES: &[&str] = &["data", "translatableResourcesByIds", "nodes"];

/// The texts of a product that have translations, each with the platform's key (UNVERIFIED which keys a resource
/// has: a text without a key of its own cannot be written, and the plan says so).
const KEYS: [(&str, &str); 6] = [
    ("title", "title"),
    ("description", "body_html"),
    ("slug", "handle"),
    ("product_type", "product_type"),
    ("seo.title", "meta_title"),
    ("seo.description", "meta_description"),
];

/// A further language of a shop, with the connector of the shop's own.
#[derive(Debug, Clone)]
pub(super) struct Language {
    locale: Text,
    pub(super) origin: Arc<Shopify>,
}

/// The further languages that a token can read, as views.
pub(super) fn views(found: &Found) -> Vec<View> {
    match found.may("read_translations") {
        true => found.profile.locales.iter().cloned().map(View::in_language).collect(),
        false => Vec::new(),
    }
}

/// What a write of the shop's own text does to its translations, for the plan.
pub(super) fn spill_into(views: &[View], writable: &mut [WritableField]) {
    if views.is_empty() {
        return;
    }
    let languages: Vec<&str> = views.iter().filter_map(|view| view.locale.as_deref()).collect();
    let note = format!("translations of it ({}) stay, and are then marked as outdated", languages.join(", "));
    for field in writable {
        if KEYS.iter().any(|(name, _)| field.field.as_str() == *name) {
            field.spill = Some(note.clone().into());
        }
    }
}

/// What can be done in a language: the shop's claims, narrowed to what has translations.
fn capabilities(own: &Capabilities, may_write: bool) -> Capabilities {
    let mut claims = own.clone();
    claims.entities.retain(|entity| matches!(entity.entity, Entity::Product | Entity::Category));
    for entity in &mut claims.entities {
        // Whether a translation moves its record's time is not known (2026-11-30).
        entity.delta = DeltaClock::CanLie;
        entity.unclocked = Vec::new();
        // A translation has no status of its own.
        entity.statuses = Vec::new();
        entity.unavailable.retain(|(field, _)| key_of(field).is_some());
        entity.writable.retain(|field| key_of(&field.field).is_some() && may_write);
        for field in &mut entity.writable {
            (field.removable, field.empty, field.unique, field.bound) = (true, false, false, true);
            (field.spill, field.moves_stamp) = (None, false);
            field.followed_by = Vec::new();
            if field.field.as_str() == "slug" {
                field.partly = Some("whether the present address leads on to the new one is not known");
            }
        }
    }
    claims
}

fn key_of(field: &FieldName) -> Option<&'static str> {
    KEYS.iter().find(|(name, _)| field.as_str() == *name).map(|(_, key)| *key)
}

impl Shopify {
    /// The same shop in one of its further languages.
    pub(super) fn translated(&self, view: &View) -> Result<Self> {
        let wanted = view.locale.as_deref().unwrap_or_default();
        let known = self.views.iter().find(|known| {
            view.scope.is_none()
                && known.locale.as_deref().is_some_and(|locale| locale.eq_ignore_ascii_case(wanted))
        });
        let Some(locale) = known.and_then(|view| view.locale.clone()) else {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "view_unknown",
                format!("the shop has no further language {view}"),
            )
            .with_context("languages", self.info.profile.locales.join(", "))
            .with_remedy(
                "add the language in the shop's settings, and the scope read_translations to the app",
            ));
        };
        Ok(Self {
            capabilities: capabilities(&self.capabilities, self.writes_translations),
            products: Arc::new(SchemaMap::compile(PLATFORM, Entity::Product, map::TRANSLATED_PRODUCT)?),
            collections: Arc::new(SchemaMap::compile(
                PLATFORM,
                Entity::Category,
                map::TRANSLATED_COLLECTION,
            )?),
            info: self.info.in_view(View::in_language(locale.clone())),
            views: Vec::new(),
            sizes: Arc::new(PageSizes::default()),
            language: Some(Language { locale, origin: Arc::new(self.clone()) }),
            ..self.clone()
        })
    }

    /// The translations of the records of a page, in as many answers as one query may cost.
    pub(super) async fn translations(
        &self,
        language: &Language,
        request: &PullRequest,
        ids: &[ExternalId],
    ) -> Result<Vec<Answered>> {
        let (mut rest, mut most) = (ids, MAX_PAGE as usize);
        let mut answers = Vec::new();
        while !rest.is_empty() {
            let some = rest.get(..rest.len().min(most)).unwrap_or(rest);
            let gids: Vec<String> = some.iter().map(|id| wire::gid(request.entity, id.as_str())).collect();
            let variables = json!({ "first": some.len(), "ids": gids, "locale": language.locale });
            let call = self.call(&documents::TRANSLATIONS_BY_ID, &variables, request)?;
            if call.cost > MAX_COST && some.len() > 1 {
                let fits = some.len() as u64 * u64::from(MAX_COST) / u64::from(call.cost);
                most = usize::try_from(fits).unwrap_or(1).clamp(1, some.len() - 1);
                continue;
            }
            match client::answered(&self.client, self.version, call).await {
                Err(error) if is_too_costly(&error) && some.len() > 1 => most = some.len() / 2,
                answered => {
                    answers.push(answered?);
                    rest = rest.get(some.len()..).unwrap_or_default();
                }
            }
        }
        Ok(answers)
    }

    /// Fills a page with translations. Gives the ids that were answered.
    pub(super) async fn fill_translated(
        &self,
        language: &Language,
        request: &PullRequest,
        ids: &[ExternalId],
        page: &mut Page,
    ) -> Result<Vec<ExternalId>> {
        let began = self.runtime.clock().elapsed();
        let before = page.took;
        let mut answered = Vec::new();
        for answer in self.translations(language, request, ids).await? {
            for id in wire::ids(&answer.body, NODES)? {
                match id {
                    Some(id) if ids.contains(&id) && !answered.contains(&id) => answered.push(id),
                    _ => return Err(wire::unreadable()),
                }
            }
            answer.fill(page);
            page.items.push(RawItems::new(request.entity, answer.body, Shape::ListAt(NODES)));
        }
        // Read no earlier than the first of these calls, and of a list, than the list.
        page.took = before.saturating_add(self.runtime.clock().elapsed().saturating_sub(began));
        Ok(answered)
    }

    /// Translations by the ids of what is translated.
    pub(super) async fn translated_ids_page(
        &self,
        language: &Language,
        request: &PullRequest,
        ids: &[ExternalId],
    ) -> Result<Page> {
        let from = usize::try_from(Position::read(request.cursor.as_ref())?.seen).unwrap_or(usize::MAX);
        let rest = ids.get(from..).unwrap_or_default();
        let some = rest.get(..rest.len().min(MAX_PAGE as usize)).unwrap_or_default();
        let mut page = Page::default();
        let mut known: Vec<ExternalId> = some.iter().filter(|id| wire::is_id(id)).cloned().collect();
        known.sort();
        known.dedup();
        let answered = self.fill_translated(language, request, &known, &mut page).await?;
        page.missing = some.iter().filter(|id| !answered.contains(id)).cloned().collect();
        if rest.len() > some.len() {
            let seen = (from + some.len()) as u64;
            page.next = Some(Position { seen, ..Position::default() }.cursor());
        }
        Ok(page)
    }
}

/// The mutations that a patch of translations needs: those that come in one call, those that go in another.
pub(super) fn steps(language: &Language, id: &str, patch: &Patch) -> Result<Vec<Step>> {
    let (mut entries, mut gone) = (Vec::new(), Vec::new());
    for change in &patch.changes {
        let key = key_of(&change.field).ok_or_else(|| super::write::not_writable(&change.field))?;
        match &change.value {
            PatchValue::Text { text, .. } => {
                let digest = change.version.as_ref().ok_or_else(|| {
                    Error::new(
                        ErrorKind::Rejected,
                        "translation_without_source",
                        format!("the shop has no text of its own in {}", change.field),
                    )
                    .with_remedy("write the shop's own text first")
                })?;
                let entry = [
                    ("locale", Value::from(language.locale.as_str())),
                    ("key", key.into()),
                    ("value", text.as_str().into()),
                    ("translatableContentDigest", digest.as_str().into()),
                ];
                let entry: Map<String, Value> =
                    entry.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
                entries.push((change.field.clone(), entry));
            }
            PatchValue::Removed => gone.push((change.field.clone(), key)),
            _ => return Err(super::write::not_writable(&change.field)),
        }
    }
    let mut steps = Vec::new();
    if !gone.is_empty() {
        let keys: Vec<&str> = gone.iter().map(|(_, key)| *key).collect();
        let variables = json!({ "id": id, "keys": keys, "locales": [language.locale] });
        let fields = gone.into_iter().map(|(field, _)| field).collect();
        steps.push(Step::of_fields(
            &documents::REMOVE_TRANSLATIONS,
            "translationsRemove",
            variables,
            fields,
            Vec::new(),
        ));
    }
    steps.extend(registered(id, entries));
    Ok(steps)
}

/// One call for translations that come; none where there are none.
pub(super) fn registered(id: &str, entries: Vec<(FieldName, Map<String, Value>)>) -> Option<Step> {
    if entries.is_empty() {
        return None;
    }
    let given: Vec<&Map<String, Value>> = entries.iter().map(|(_, entry)| entry).collect();
    let variables = json!({ "id": id, "translations": given });
    let fields = entries.iter().map(|(field, _)| field.clone()).collect();
    Some(Step::of_fields(
        &documents::REGISTER_TRANSLATIONS,
        "translationsRegister",
        variables,
        fields,
        entries,
    ))
}
