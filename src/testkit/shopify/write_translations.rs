//! `translationsRegister` and `translationsRemove`; the digest guards what is translated.

use super::errors::FieldError;
use super::state::State;
use super::translation::{self, Translation};
use super::value::{Args, Out, Read};
use super::write_product::{Mistake, user_errors};

/// The most translations of one call.
const KEY_LIMIT: usize = 100;

fn payload(type_name: &'static str, translations: Out, mistakes: &[Mistake]) -> Out {
    Out::record(
        type_name,
        vec![("translations", translations), user_errors("TranslationUserError", mistakes)],
    )
}

/// `translationsRegister`: all or nothing.
pub(super) fn register(state: &mut State, args: &Args) -> Result<Out, FieldError> {
    const PAYLOAD: &str = "TranslationsRegisterPayload";
    let resource = args.text("resourceId").unwrap_or_default().to_owned();
    let Some(contents) = translation::contents(state, &resource) else {
        let message = format!("Resource {resource} not found");
        let mistake = Mistake::coded(&["resourceId"], "RESOURCE_NOT_FOUND", message);
        return Ok(payload(PAYLOAD, Out::NULL, &[mistake]));
    };
    let entries: Vec<Args> =
        args.list("translations").iter().filter_map(|entry| entry.as_object().cloned()).collect();
    if entries.len() > KEY_LIMIT {
        let mistake =
            Mistake::coded(&["resourceId"], "TOO_MANY_KEYS_FOR_RESOURCE", "Too many translation keys");
        return Ok(payload(PAYLOAD, Out::NULL, &[mistake]));
    }
    let mut mistakes = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        let index = at.to_string();
        let mut wrong = |name: &str, code: &'static str, message: String| {
            mistakes.push(Mistake::coded(&["translations", &index, name], code, message));
        };
        let key = entry.text("key").unwrap_or_default();
        let locale = entry.text("locale").unwrap_or_default();
        let Some(content) = contents.iter().find(|content| content.key == key) else {
            wrong("key", "INVALID_KEY_FOR_MODEL", format!("Key {key} is not a valid translatable field"));
            continue;
        };
        if !state.shop.locales.iter().skip(1).any(|known| known.code == locale) {
            wrong(
                "locale",
                "INVALID_LOCALE_FOR_SHOP",
                format!("Locale {locale} is not a valid locale for the shop"),
            );
        } else if entry.text("translatableContentDigest") != Some(content.digest().as_str()) {
            let message = "Translatable content hash is invalid".to_owned();
            wrong("translatableContentDigest", "INVALID_TRANSLATABLE_CONTENT", message);
        } else if entry.text("value").unwrap_or_default().is_empty() {
            wrong("value", "BLANK", "Value can't be blank".to_owned());
        }
    }
    if !mistakes.is_empty() {
        return Ok(payload(PAYLOAD, Out::NULL, &mistakes));
    }
    let now = state.now;
    let mut done = Vec::new();
    for entry in &entries {
        let text = |name: &str| entry.text(name).unwrap_or_default().to_owned();
        let (key, locale) = (text("key"), text("locale"));
        let translation =
            Translation { value: text("value"), digest: text("translatableContentDigest"), updated_at: now };
        done.push(translation::record(&key, &locale, &translation, false));
        state.translations.insert((resource.clone(), locale, key), translation);
    }
    Ok(payload(PAYLOAD, Out::List(done), &[]))
}

/// `translationsRemove`.
pub(super) fn remove(state: &mut State, args: &Args) -> Result<Out, FieldError> {
    const PAYLOAD: &str = "TranslationsRemovePayload";
    let resource = args.text("resourceId").unwrap_or_default().to_owned();
    if translation::contents(state, &resource).is_none() {
        let message = format!("Resource {resource} not found");
        let mistake = Mistake::coded(&["resourceId"], "RESOURCE_NOT_FOUND", message);
        return Ok(payload(PAYLOAD, Out::NULL, &[mistake]));
    }
    let mut done = Vec::new();
    for locale in args.texts("locales") {
        for key in args.texts("translationKeys") {
            let place = (resource.clone(), locale.clone(), key);
            if let Some(translation) = state.translations.remove(&place) {
                done.push(translation::record(&place.2, &locale, &translation, false));
            }
        }
    }
    Ok(payload(PAYLOAD, Out::List(done), &[]))
}
