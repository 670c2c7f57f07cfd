//! Arguments of fields, coerced: variables put in, defaults filled, absent and null kept apart.

use apollo_compiler::Schema;
use apollo_compiler::ast::{Type, Value};
use apollo_compiler::executable::Field;
use apollo_compiler::schema::ExtendedType;
use serde_json::Value as Plain;

use super::value::Args;

/// The arguments of a field; one that was not given and has no default is absent.
pub(super) fn coerce(schema: &Schema, field: &Field, variables: &Args) -> Args {
    let mut args = Args::new();
    for definition in &field.definition.arguments {
        let given = field.arguments.iter().find(|argument| argument.name == definition.name);
        let value = given
            .and_then(|argument| plain(&argument.value, variables))
            .or_else(|| definition.default_value.as_ref().and_then(|value| plain(value, variables)));
        if let Some(value) = value {
            args.insert(definition.name.to_string(), typed(schema, value, &definition.ty));
        }
    }
    if let Some(key) = field.directives.get("idempotent").and_then(|it| it.specified_argument_by_name("key"))
        && let Some(key) = plain(key, variables)
    {
        args.insert(IDEMPOTENT.to_owned(), key);
    }
    args
}

/// Where the key of `@idempotent` is put; no argument has that name.
pub(super) const IDEMPOTENT: &str = "@idempotent";

/// A value of the document as JSON; `None` for a variable that was not given.
pub(super) fn plain(value: &Value, variables: &Args) -> Option<Plain> {
    Some(match value {
        Value::Null => Plain::Null,
        Value::Enum(name) => Plain::from(name.as_str()),
        Value::Variable(name) => return variables.get(name.as_str()).cloned(),
        Value::String(text) => Plain::from(text.as_str()),
        Value::Float(number) => Plain::from(number.try_to_f64().unwrap_or_default()),
        Value::Int(number) => number
            .as_str()
            .parse::<i64>()
            .map_or_else(|_| Plain::from(number.try_to_f64().unwrap_or_default()), Plain::from),
        Value::Boolean(value) => Plain::from(*value),
        Value::List(items) => {
            Plain::Array(items.iter().map(|item| plain(item, variables).unwrap_or(Plain::Null)).collect())
        }
        Value::Object(entries) => Plain::Object(
            entries
                .iter()
                .filter_map(|(name, value)| Some((name.to_string(), plain(value, variables)?)))
                .collect(),
        ),
    })
}

/// Wraps single values of lists, and fills the defaults of input objects.
fn typed(schema: &Schema, value: Plain, ty: &Type) -> Plain {
    if value.is_null() {
        return value;
    }
    if ty.is_list() {
        let items = match value {
            Plain::Array(items) => items,
            single => vec![single],
        };
        let inner = ty.item_type();
        return Plain::Array(items.into_iter().map(|item| typed(schema, item, inner)).collect());
    }
    let name = ty.inner_named_type();
    match (value, schema.types.get(name)) {
        (Plain::Object(mut entries), Some(ExtendedType::InputObject(input))) => {
            for (name, field) in &input.fields {
                match entries.remove(name.as_str()) {
                    Some(value) => {
                        entries.insert(name.to_string(), typed(schema, value, &field.ty));
                    }
                    None => {
                        if let Some(default) = &field.default_value
                            && let Some(value) = plain(default, &Args::new())
                        {
                            entries.insert(name.to_string(), value);
                        }
                    }
                }
            }
            Plain::Object(entries)
        }
        (Plain::Number(number), _) if name == "ID" => Plain::from(number.to_string()),
        (value, _) => value,
    }
}
