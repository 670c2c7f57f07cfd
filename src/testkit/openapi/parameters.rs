//! What a query, the headers and the path of a request must be.

use std::collections::BTreeMap;

use serde_json::{Map, Number, Value, json};

use super::super::exchange::Request;
use super::document::{Document, Operation};
use super::schema::{Schema, Way};

/// What is wrong in a place, such as `query limit`, and what was expected there.
pub(super) type Wrong = (String, String);

/// How names of query parameters are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    Plain,
    Bracketed,
}

/// Checks the path, the query and the headers of a request against one operation.
pub(super) fn wrong(
    document: &Document,
    operation: &Operation,
    request: &Request,
    path: &str,
    names: Names,
) -> Vec<Wrong> {
    let parameters = document.parameters(operation);
    let mut found = Vec::new();
    in_path(document, operation, &parameters, path, &mut found);
    in_query(document, &parameters, &request.query, names, &mut found);
    in_headers(document, operation, &parameters, request, &mut found);
    found
}

fn of_kind<'a>(parameters: &[&'a Value], kind: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let here: Vec<&'a Value> =
        parameters.iter().copied().filter(|it| it.get("in").and_then(Value::as_str) == Some(kind)).collect();
    here.into_iter().filter_map(|it| Some((it.get("name")?.as_str()?, it)))
}

fn in_path(
    document: &Document,
    operation: &Operation,
    parameters: &[&Value],
    path: &str,
    found: &mut Vec<Wrong>,
) {
    let declared: BTreeMap<&str, &Value> = of_kind(parameters, "path").collect();
    for (template, segment) in operation.path.split('/').zip(path.split('/')) {
        let Some(name) = template.strip_prefix('{').and_then(|name| name.strip_suffix('}')) else { continue };
        let Some(parameter) = declared.get(name) else { continue };
        // A segment has no plus sign for a blank.
        let text = decoded(&segment.replace('+', "%2B"));
        let place = format!("path {name}");
        found.extend(value_wrong(document, parameter, &[&text]).into_iter().map(|it| (place.clone(), it)));
    }
}

fn in_query(document: &Document, parameters: &[&Value], query: &str, names: Names, found: &mut Vec<Wrong>) {
    let common = |name: &str| match names {
        Names::Plain => name.to_owned(),
        Names::Bracketed => common_name(name),
    };
    let declared: BTreeMap<String, &Value> =
        of_kind(parameters, "query").map(|(name, parameter)| (common(name), parameter)).collect();
    let mut given: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        given.entry(name.into_owned()).or_default().push(value.into_owned());
    }
    for (name, values) in &given {
        let place = format!("query {name}");
        match declared.get(&common(name)) {
            None => found.push((place, "a declared parameter".to_owned())),
            Some(parameter) => {
                let values: Vec<&str> = values.iter().map(String::as_str).collect();
                let wrong = value_wrong(document, parameter, &values);
                found.extend(wrong.into_iter().map(|it| (place.clone(), it)));
            }
        }
    }
    for (name, parameter) in &declared {
        let asked = parameter.get("required") == Some(&Value::Bool(true));
        if asked && !given.keys().any(|given| common(given) == *name) {
            found.push((format!("query {name}"), "to be given".to_owned()));
        }
    }
}

fn in_headers(
    document: &Document,
    operation: &Operation,
    parameters: &[&Value],
    request: &Request,
    found: &mut Vec<Wrong>,
) {
    for (name, parameter) in of_kind(parameters, "header") {
        let place = format!("header {}", name.to_ascii_lowercase());
        // What a body is, is asked only where there is one.
        let asked = parameter.get("required") == Some(&Value::Bool(true))
            && !(name.eq_ignore_ascii_case("content-type") && request.body.is_empty());
        match request.header(name) {
            Some(value) => {
                let wrong = value_wrong(document, parameter, &[value]);
                found.extend(wrong.into_iter().map(|it| (place.clone(), it)));
            }
            None if asked => found.push((place, "to be given".to_owned())),
            None => {}
        }
    }
    let keys = document.key_headers(operation);
    let held = |alternative: &Vec<&str>| alternative.iter().all(|name| request.headers.contains_key(*name));
    if !keys.is_empty() && !keys.iter().any(held) {
        let names = keys.concat().join(" or ").to_ascii_lowercase();
        found.push((format!("header {names}"), "to be given".to_owned()));
    }
}

/// What is wrong with the texts that a parameter was given.
fn value_wrong(document: &Document, parameter: &Value, texts: &[&str]) -> Vec<String> {
    // In OpenAPI 3.0 the schema is a node of its own, in Swagger 2.0 it is the parameter.
    let node = parameter.get("schema").unwrap_or(parameter);
    let resolved = document.resolve(node);
    let list = resolved.get("type").and_then(Value::as_str) == Some("array");
    let value = if list {
        let item = resolved.get("items").map(|items| document.resolve(items));
        let texts: Vec<&str> = match separator(document, parameter) {
            Some(separator) => texts.iter().flat_map(|text| text.split(separator)).collect(),
            None => texts.to_vec(),
        };
        if separator(document, parameter).is_some() && texts.iter().any(|text| text.is_empty()) {
            return vec!["a list without empty items".to_owned()];
        }
        Value::Array(texts.iter().map(|text| typed(item, text)).collect())
    } else {
        let [text] = texts else { return vec!["to be given once".to_owned()] };
        typed(Some(resolved), text)
    };
    // A parameter of Swagger 2.0 has `required` beside its type, where a schema has its list of names.
    let mut plain: Map<String, Value> = resolved.as_object().cloned().unwrap_or_default();
    plain.remove("required");
    plain.remove("properties");
    let schema = Schema::new(document, &Value::Object(plain), Way::Request);
    schema
        .wrong(&value)
        .into_iter()
        .map(|(pointer, wrong)| if pointer.is_empty() { wrong } else { format!("items of {wrong}") })
        .collect()
}

/// What cuts a list in one text; none where each item is a parameter of its own.
fn separator(document: &Document, parameter: &Value) -> Option<char> {
    let word = |key: &str| parameter.get(key).and_then(Value::as_str);
    if document.is_swagger() {
        return match word("collectionFormat") {
            Some("multi") => None,
            Some("ssv") => Some(' '),
            Some("tsv") => Some('\t'),
            Some("pipes") => Some('|'),
            _ => Some(','),
        };
    }
    let form = matches!(word("style"), None | Some("form")) && word("in") == Some("query");
    let explode = parameter.get("explode").and_then(Value::as_bool).unwrap_or(form);
    match word("style") {
        _ if explode => None,
        Some("spaceDelimited") => Some(' '),
        Some("pipeDelimited") => Some('|'),
        _ => Some(','),
    }
}

/// A text as the value that its schema asks for; the text itself where it is none, so that the schema says
/// so.
fn typed(schema: Option<&Value>, text: &str) -> Value {
    let number = || {
        let plain =
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || b"-.eE+".contains(&byte));
        plain.then(|| text.parse::<Number>().ok()).flatten()
    };
    match schema.and_then(|schema| schema.get("type")).and_then(Value::as_str) {
        Some("integer" | "number") => number().map_or_else(|| json!(text), Value::Number),
        Some("boolean") => match text {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => json!(text),
        },
        _ => json!(text),
    }
}

/// A name in brackets as its index 0 and in camel case: documents of Magento declare this one alone, and the
/// platform takes any index and `snake_case` as well.
fn common_name(name: &str) -> String {
    let mut common = String::with_capacity(name.len());
    for (at, part) in name.split('[').enumerate() {
        let (part, close) = match part.strip_suffix(']') {
            Some(part) if at > 0 => (part, "]"),
            _ => (part, ""),
        };
        if at > 0 {
            common.push('[');
        }
        if at > 0 && part.bytes().all(|byte| byte.is_ascii_digit()) {
            common.push('0');
        } else {
            let mut words = part.split('_');
            common.push_str(words.next().unwrap_or_default());
            for word in words {
                let mut letters = word.chars();
                common.extend(letters.next().map(|first| first.to_ascii_uppercase()));
                common.push_str(letters.as_str());
            }
        }
        common.push_str(close);
    }
    common
}

fn decoded(text: &str) -> String {
    let pair = format!("={text}");
    url::form_urlencoded::parse(pair.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_brackets_meet_at_index_zero_in_camel_case() {
        for name in [
            "searchCriteria[filterGroups][0][filters][0][conditionType]",
            "searchCriteria[filter_groups][12][filters][3][condition_type]",
            "search_criteria[filterGroups][][filters][3][conditionType]",
        ] {
            assert_eq!(common_name(name), "searchCriteria[filterGroups][0][filters][0][conditionType]");
        }
        assert_eq!(common_name("fields"), "fields");
    }
}
