//! Custom fields: a row a value, of which the platform has no list that can be replaced.

use http::Method;
use serde_json::json;

use super::writable::fits_custom_field;
use super::write::Step;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Attribute, FieldName, Text};

/// The calls that make one list of custom fields of another: rows are changed in place, then added, then removed, so
/// that whatever breaks off in between leaves too much rather than too little.
pub(super) fn steps(
    product: &str,
    before: &[Attribute],
    after: &[Attribute],
    field: &FieldName,
) -> Result<Vec<Step>> {
    let base = format!("v3/catalog/products/{product}/custom-fields");
    let (mut puts, mut posts, mut deletes) = (Vec::new(), Vec::new(), Vec::new());
    // What is as it was stays as it is: two rows may differ in case only, and are no others' to change.
    let moved = |attribute: &&Attribute| !is_option(attribute) && !before.contains(attribute);
    for attribute in after.iter().filter(moved) {
        if ![&attribute.label].into_iter().chain(&attribute.values).all(|text| fits_custom_field(text)) {
            return Err(Error::new(
                ErrorKind::Rejected,
                "custom_field_unusable",
                "name and value of a custom field are one line of at most 250 characters",
            )
            .with_remedy("shorten it, or write it as a metafield"));
        }
        if before.iter().filter(|known| is_same(known, attribute)).count() > 1 {
            return Err(Error::new(
                ErrorKind::Rejected,
                "custom_field_ambiguous",
                "the product has custom fields whose names differ in case only",
            )
            .with_remedy("rename one of them in the store"));
        }
        let known = before.iter().find(|known| is_same(known, attribute));
        let mut free: Vec<&str> = Vec::new();
        let mut wanted: Vec<&Text> = attribute.values.iter().collect();
        if let Some(known) = known {
            for (row, value) in rows(known)? {
                match wanted.iter().position(|wanted| *wanted == value) {
                    Some(at) => drop(wanted.remove(at)),
                    None => free.push(row),
                }
            }
        }
        let label = known.map_or(&attribute.label, |known| &known.label);
        let mut free = free.into_iter();
        for value in wanted {
            let body = json!({ "name": label, "value": value });
            match free.next() {
                Some(row) => puts.push(Step::new(Method::PUT, format!("{base}/{row}"), body, field)),
                None => posts.push(Step::new(Method::POST, base.clone(), body, field)),
            }
        }
        deletes.extend(free.map(|row| Step::delete(format!("{base}/{row}"), field)));
    }
    for gone in
        before.iter().filter(|known| !is_option(known) && !after.iter().any(|kept| is_same(kept, known)))
    {
        for (row, _) in rows(gone)? {
            deletes.push(Step::delete(format!("{base}/{row}"), field));
        }
    }
    Ok([puts, posts, deletes].concat())
}

fn is_option(attribute: &Attribute) -> bool {
    attribute.distinguishes_variants == Some(true)
}

fn is_same(one: &Attribute, other: &Attribute) -> bool {
    is_option(one) == is_option(other) && one.list_key() == other.list_key()
}

/// The ids of an attribute's rows, each with its value.
fn rows(attribute: &Attribute) -> Result<Vec<(&str, &Text)>> {
    let ids: Vec<&str> = attribute.version.as_deref().unwrap_or_default().split(',').collect();
    let is_id = |id: &&str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    if ids.len() != attribute.values.len() || !ids.iter().all(is_id) {
        return Err(Error::new(
            ErrorKind::Rejected,
            "rows_unknown",
            "which rows of the store hold the attribute's values is not known",
        )
        .with_remedy("plan again"));
    }
    Ok(ids.into_iter().zip(&attribute.values).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(label: &str, values: &[&str], rows: &str) -> Attribute {
        Attribute {
            label: label.into(),
            values: values.iter().map(|value| Text::from(*value)).collect(),
            version: Some(rows).filter(|rows| !rows.is_empty()).map(Text::from),
            ..Attribute::default()
        }
    }

    fn calls(before: &[Attribute], after: &[Attribute]) -> Vec<String> {
        let shown = |step: Step| {
            let path =
                step.path.rsplit_once("custom-fields").map(|(_, rest)| rest.to_owned()).unwrap_or_default();
            let value = step
                .body
                .as_ref()
                .map(|body| format!(" {}={}", body["name"], body["value"]))
                .unwrap_or_default();
            format!("{} {path}{value}", step.method).replace('"', "")
        };
        steps("7", before, after, &FieldName::new("attributes")).unwrap().into_iter().map(shown).collect()
    }

    #[test]
    fn only_the_rows_that_differ_are_touched_and_a_row_is_changed_in_place() {
        let before = [attribute("Fit", &["Slim"], "1"), attribute("Material", &["Wool", "Silk"], "2,3")];
        assert_eq!(calls(&before, &before), Vec::<String>::new());
        let mut after = before.clone();
        after[1].values = vec!["Silk".into(), "Linen".into(), "Jute".into()];
        assert_eq!(calls(&before, &after), ["PUT /2 Material=Linen", "POST  Material=Jute"]);
        after[1].values = vec!["Silk".into()];
        assert_eq!(calls(&before, &after), ["DELETE /2"]);
        assert_eq!(calls(&before, &before[..1]), ["DELETE /2", "DELETE /3"]);
        assert_eq!(calls(&[], &[attribute("Care", &["Cold"], "")]), ["POST  Care=Cold"]);
    }

    #[test]
    fn an_option_of_the_same_name_is_another_thing_and_is_left_alone() {
        let mut option = attribute("Fit", &["S", "M"], "");
        option.distinguishes_variants = Some(true);
        let before = [option.clone(), attribute("Fit", &["Slim"], "1")];
        assert_eq!(calls(&before, &[option, attribute("Fit", &["Wide"], "1")]), ["PUT /1 Fit=Wide"]);
    }

    #[test]
    fn rows_that_are_not_known_are_not_guessed() {
        for rows in ["", "1", "1,x", "1,2,3"] {
            let before = [attribute("Material", &["Wool", "Silk"], rows)];
            let error = steps("7", &before, &[], &FieldName::new("attributes")).unwrap_err();
            assert_eq!(error.code(), "rows_unknown", "{rows}");
        }
    }

    #[test]
    fn rows_that_differ_in_case_only_are_not_touched_for_another_one_and_not_taken_for_each_other() {
        let before = [
            attribute("Material", &["Wool", "Silk"], "2,3"),
            attribute("material", &["Cotton"], "5"),
            attribute("Fit", &["Slim"], "1"),
        ];
        let mut after = before.clone();
        after[2].values = vec!["Wide".into()];
        assert_eq!(calls(&before, &after).len(), 1, "{:?}", calls(&before, &after));
        after[1].values = vec!["Linen".into()];
        let field = FieldName::new("attributes");
        assert_eq!(steps("7", &before, &after, &field).err().unwrap().code(), "custom_field_ambiguous");
    }
}
