//! What an enrichment wants to a value that may leave: bounds, control characters, HTML.

use std::borrow::Cow;

use serde_json::Value;

use super::verdict::Rejection;
use crate::mapping::{HtmlVerdict, sanitise_html};
use crate::model::{CellValue, Normaliser, WritableField};

/// Bounds, control characters, HTML: what may leave, or why nothing does.
pub(super) fn prepare(
    writable: &WritableField,
    text: &str,
    notes: &mut Vec<String>,
) -> Result<CellValue, Rejection> {
    if text.len() > writable.max_bytes {
        return Err(Rejection::TooLong { max_bytes: writable.max_bytes });
    }
    let allowed = |c: char| writable.html && matches!(c, '\n' | '\r' | '\t');
    if text.chars().any(|c| c.is_control() && !allowed(c)) {
        return Err(Rejection::ControlCharacters);
    }
    let text = if writable.html {
        match sanitise_html(text) {
            Ok(HtmlVerdict::Clean) => Cow::Borrowed(text),
            Ok(HtmlVerdict::Cleaned(clean)) => {
                notes.push("the HTML was cleaned: what is shown is what would be sent".to_owned());
                Cow::Owned(clean)
            }
            Err(_) => return Err(Rejection::HtmlUnsupported),
        }
    } else {
        Cow::Borrowed(text.trim())
    };
    if text.is_empty() && !writable.empty {
        return Err(Rejection::Empty);
    }
    if let Some(reason) = writable.check.and_then(|check| (check.altered)(&text)) {
        return Err(Rejection::Altered { reason: reason.to_owned() });
    }
    Ok(CellValue::text(&text))
}

/// The value of a key: a text, or texts where the field holds several.
pub(super) fn prepare_value(
    writable: &WritableField,
    label: &str,
    value: &Value,
    notes: &mut Vec<String>,
) -> Result<CellValue, Rejection> {
    match (value, writable.normaliser) {
        (Value::Array(values), Normaliser::Values1) => {
            prepare(writable, label, notes)?;
            let texts = values.iter().map(|value| {
                let text = value.as_str().ok_or(Rejection::WrongKind)?;
                Ok(prepare(writable, text, notes)?.as_text().unwrap_or_default().to_owned())
            });
            let texts = texts.collect::<Result<Vec<String>, Rejection>>()?;
            if texts.is_empty() { Err(Rejection::Empty) } else { Ok(CellValue::Value(texts.into())) }
        }
        (Value::String(text), Normaliser::Values1) => {
            prepare_value(writable, label, &Value::from(vec![text.as_str()]), notes)
        }
        (Value::String(text), _) => prepare(writable, text, notes),
        _ => Err(Rejection::WrongKind),
    }
}
