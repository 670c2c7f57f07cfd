//! A channel's own texts of products (`store-operations/catalog/msf-international-enhancements` of the vendor's documents
//! of 2026-04-01, read 2026-11-30): they name the mutations, the types of their inputs, and the members.

use apollo_compiler::ast::{Field, OperationDefinition, Type, Value};

use super::graphql::{argument, channel, edges, member, of_kind};
use super::state::State;
use crate::testkit::json::Json;

/// A member that texts stand in, and what sets and takes them back.
struct Group {
    member: &'static str,
    set: &'static str,
    remove: &'static str,
    /// The store's own name, the interface's, and the one that takes it back.
    texts: [[&'static str; 3]; 2],
}

const GROUPS: [Group; 2] = [
    Group {
        member: "basicInformation",
        set: "setProductBasicInformation",
        remove: "removeProductBasicInformationOverrides",
        texts: [
            ["name", "name", "PRODUCT_NAME_FIELD"],
            ["description", "description", "PRODUCT_DESCRIPTION_FIELD"],
        ],
    },
    Group {
        member: "seoInformation",
        set: "setProductSeoInformation",
        remove: "removeProductSeoInformationOverrides",
        texts: [
            ["page_title", "pageTitle", "PRODUCT_PAGE_TITLE_FIELD"],
            ["meta_description", "metaDescription", "PRODUCT_META_DESCRIPTION_FIELD"],
        ],
    },
];

/// Channel and language of a context, where there are such.
fn place(state: &State, context: &Json) -> Option<(u64, String)> {
    let place = (channel(context)?, context.get("locale")?.as_str()?.to_owned());
    let is_own = state.channels.contains_key(&place.0) && place.1 == state.settings.language;
    (is_own || state.locales.contains(&place)).then_some(place)
}

pub(super) fn read(state: &State, field: &Field) -> Option<Json> {
    if state.conditions.without_channel_values {
        return None;
    }
    let node = member(&member(&field.selection_set, "edges")?.selection_set, "node")?;
    let overrides = member(&node.selection_set, "overridesForLocale")?;
    let (channel, locale) = place(state, &argument(overrides, "localeContext")?)?;
    let filters = argument(field, "filters")?;
    let ids = filters.get("ids")?.as_array()?.iter();
    let ids = ids.map(|id| id.as_str()?.strip_prefix("bc/store/product/")?.parse().ok());
    let known = ids.collect::<Option<Vec<u64>>>()?.into_iter().filter(|id| state.products.contains_key(id));
    let nodes = known.take(state.conditions.channel_values_page).map(|id| {
        let group = |group: &Group| {
            let texts: Vec<(&str, Json)> = group
                .texts
                .iter()
                .map(|[own, name, _]| {
                    let key = (channel, locale.clone(), id, (*own).to_owned());
                    (*name, state.channel_values.get(&key).map_or(Json::Null, Json::text))
                })
                .collect();
            let is_none = texts.iter().all(|(_, text)| *text == Json::Null);
            (group.member, if is_none { Json::Null } else { Json::object(texts) })
        };
        Json::object([
            ("id", Json::text(format!("bc/store/product/{id}"))),
            ("overridesForLocale", Json::object(GROUPS.iter().map(group))),
        ])
    });
    Some(edges(nodes.collect()))
}

/// Sets texts of a product, or takes them back; the input is the operation's one variable, of the mutation's own type.
pub(super) fn change(
    state: &mut State,
    operation: &OperationDefinition,
    field: &Field,
    name: &str,
    variables: Option<&Json>,
) -> Option<Json> {
    let [declared] = operation.variables.as_slice() else { return None };
    let [argument] = field.arguments.as_slice() else { return None };
    let of_type = format!("{}{}Input", name.get(..1)?.to_uppercase(), name.get(1..)?);
    let is_input = matches!(&*declared.ty, Type::NonNullNamed(ty) if *ty == *of_type)
        && matches!(&*argument.value, Value::Variable(it) if *it == declared.name)
        && argument.name == "input";
    let input =
        variables?.get(&declared.name).filter(|_| is_input && !state.conditions.without_channel_values)?;
    let (channel, locale) = place(state, input.get("localeContext")?)?;
    let id: u64 = of_kind(input, "productId", "product")?.parse().ok()?;
    if !state.products.contains_key(&id) {
        return None;
    }
    let key = |own: &str| (channel, locale.clone(), id, own.to_owned());
    let group = GROUPS.iter().find(|group| group.set == name || group.remove == name)?;
    if group.set == name {
        let data = input.get("data")?;
        let told = group.texts.map(|[own, name, _]| (own, data.get(name).map(Json::as_str)));
        for (own, text) in told {
            match text {
                Some(text) => drop(state.channel_values.insert(key(own), text?.to_owned())),
                None if state.conditions.channel_values_unset => drop(state.channel_values.remove(&key(own))),
                None => {}
            }
        }
    } else {
        let named = input.get("overridesToRemove").map(|names| names.as_array());
        let is_meant = |removal: &str| match named {
            Some(names) => names.is_some_and(|names| names.iter().any(|it| it.as_str() == Some(removal))),
            None => true,
        };
        let is_unknown =
            |removal: &str| named.is_some() && is_meant(removal) && removal.contains("DESCRIPTION");
        let strict = state.conditions.documented_removals_only;
        if strict && group.texts.iter().any(|[_, _, removal]| is_unknown(removal)) {
            return None;
        }
        for [own, _, removal] in group.texts {
            if is_meant(removal) {
                state.channel_values.remove(&key(own));
            }
        }
    }
    state.changes += 1;
    let product = Json::object([("id", Json::text(format!("bc/store/product/{id}")))]);
    Some(Json::object([("product", product)]))
}
