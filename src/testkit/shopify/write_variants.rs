//! `productVariantsBulkUpdate` and `productOptionUpdate`, as far as content goes.

use super::errors::FieldError;
use super::metafield::Owner;
use super::product::OptionValue;
use super::state::State;
use super::value::{Args, Obj, Out, Read, number_of};
use super::variant::Variant;
use super::write_product::{Mistake, user_errors};

/// `productVariantsBulkUpdate`.
pub(super) fn bulk_update(state: &mut State, args: &Args) -> Result<Out, FieldError> {
    let payload = |product: Option<u64>, variants: Out, mistakes: &[Mistake]| {
        Ok(Out::record(
            "ProductVariantsBulkUpdatePayload",
            vec![
                ("product", Out::object(product.map(Obj::Product))),
                ("productVariants", variants),
                user_errors("ProductVariantsBulkUpdateUserError", mistakes),
            ],
        ))
    };
    let product = args.text("productId").and_then(|id| number_of(id, "Product"));
    let Some(product) = product.filter(|id| state.products.contains_key(id)) else {
        let mistake = Mistake::coded(&["productId"], "PRODUCT_DOES_NOT_EXIST", "Product does not exist");
        return payload(None, Out::NULL, &[mistake]);
    };
    let entries: Vec<Args> = args.list("variants").iter().filter_map(|it| it.as_object().cloned()).collect();
    let (mut mistakes, mut good) = (Vec::new(), Vec::new());
    for (at, entry) in entries.iter().enumerate() {
        match check(state, product, entry, at) {
            Ok(id) => good.push((id, entry)),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    if !mistakes.is_empty() && !args.flag("allowPartialUpdates") {
        return payload(Some(product), Out::NULL, &mistakes);
    }
    let mut done = Vec::new();
    let now = state.now;
    for (id, entry) in good {
        if let Some(variant) = state.variants.get_mut(&id) {
            apply(variant, entry);
            variant.updated_at = now;
            done.push(Obj::Variant(id));
        }
        for metafield in entry.list("metafields") {
            if let Some(metafield) = metafield.as_object() {
                super::write_metafields::put(state, Owner::Variant(id), metafield);
            }
        }
    }
    if !done.is_empty() {
        state.change_product(product, |_| ());
    }
    payload(Some(product), Out::list(done), &mistakes)
}

fn check(state: &State, product: u64, entry: &Args, at: usize) -> Result<u64, Mistake> {
    let index = at.to_string();
    let wrong = |name: &str, code: &'static str, message: &str| {
        Err(Mistake::coded(&["variants", &index, name], code, message))
    };
    let Some(id) = entry.text("id") else {
        return wrong("id", "PRODUCT_VARIANT_ID_MISSING", "Product variant is missing ID attribute");
    };
    let variant = number_of(id, "ProductVariant").and_then(|id| state.variants.get(&id));
    let Some(variant) = variant.filter(|variant| variant.product == product) else {
        return wrong("id", "PRODUCT_VARIANT_DOES_NOT_EXIST", "Product variant does not exist");
    };
    if let Some(price) = entry.text("price") {
        match price.parse::<f64>() {
            Ok(price) if price >= 0.0 => {}
            _ => {
                return wrong(
                    "price",
                    "GREATER_THAN_OR_EQUAL_TO",
                    "Price must be greater than or equal to 0",
                );
            }
        }
    }
    Ok(variant.id)
}

/// Applies the fields that are given.
pub(super) fn apply(variant: &mut Variant, entry: &Args) {
    if let Some(barcode) = entry.given("barcode") {
        variant.barcode = barcode;
    }
    if let Some(Some(price)) = entry.given("price") {
        variant.price = price;
    }
    if let Some(price) = entry.given("compareAtPrice") {
        variant.compare_at_price = price;
    }
    if let Some(Some(policy)) = entry.given("inventoryPolicy") {
        variant.inventory_policy = policy;
    }
    if let Some(taxable) = entry.get("taxable").and_then(serde_json::Value::as_bool) {
        variant.taxable = taxable;
    }
    let item = entry.map("inventoryItem").cloned().unwrap_or_default();
    if let Some(sku) = item.given("sku").or_else(|| entry.given("sku")) {
        variant.sku = sku;
    }
    if let Some(tracked) = item.get("tracked").and_then(serde_json::Value::as_bool) {
        variant.tracked = tracked;
    }
    let weight = item.map("measurement").and_then(|it| it.map("weight"));
    if let Some(weight) = weight {
        let value = weight.get("value").and_then(serde_json::Value::as_f64).unwrap_or_default();
        variant.weight = Some((value, weight.text("unit").unwrap_or("KILOGRAMS").to_owned()));
    }
}

/// `productOptionUpdate`: names of an option and of its values.
pub(super) fn update_option(state: &mut State, args: &Args) -> Result<Out, FieldError> {
    let payload = |product: Option<u64>, mistakes: &[Mistake]| {
        Ok(Out::record(
            "ProductOptionUpdatePayload",
            vec![
                ("product", Out::object(product.map(Obj::Product))),
                user_errors("ProductOptionUpdateUserError", mistakes),
            ],
        ))
    };
    let found = args.text("productId").and_then(|id| number_of(id, "Product"));
    let Some(mut product) = found.and_then(|id| state.products.get(&id)).cloned() else {
        let mistake = Mistake::coded(&["productId"], "PRODUCT_DOES_NOT_EXIST", "Product does not exist");
        return payload(None, &[mistake]);
    };
    let id = product.id;
    let input = args.map("option").cloned().unwrap_or_default();
    let option_id = input.text("id").and_then(|id| number_of(id, "ProductOption"));
    let wanted = input.text("name").map(str::to_owned);
    let is_taken = wanted.as_ref().is_some_and(|name| {
        product.options.iter().any(|other| Some(other.id) != option_id && other.name == *name)
    });
    let fresh: Vec<(u64, String)> = args
        .list("optionValuesToAdd")
        .iter()
        .filter_map(|value| value.get("name")?.as_str().map(str::to_owned))
        .map(|name| (state.take_id(), name))
        .collect();
    let used: Vec<u64> = product
        .variants
        .iter()
        .filter_map(|id| state.variants.get(id))
        .flat_map(|variant| variant.values.iter().map(|(_, value)| *value))
        .collect();
    let Some(option) = product.options.iter_mut().find(|option| Some(option.id) == option_id) else {
        let mistake = Mistake::coded(&["option", "id"], "OPTION_DOES_NOT_EXIST", "Option does not exist");
        return payload(Some(id), &[mistake]);
    };
    if let Some(name) = wanted {
        if name.trim().is_empty() || name.chars().count() > 255 {
            let mistake = Mistake::coded(&["option", "name"], "INVALID_NAME", "Option name is not valid");
            return payload(Some(id), &[mistake]);
        }
        if is_taken {
            let mistake =
                Mistake::coded(&["option", "name"], "OPTION_ALREADY_EXISTS", "Option already exists");
            return payload(Some(id), &[mistake]);
        }
        option.name = name;
    }
    let changes = args.list("optionValuesToUpdate");
    if option.linked.is_some() && !changes.is_empty() {
        let mistake = Mistake::coded(
            &["optionValuesToUpdate"],
            "CANNOT_COMBINE_LINKED_AND_NONLINKED_OPTION_VALUES",
            "A linked option takes its values from its metafield",
        );
        return payload(Some(id), &[mistake]);
    }
    for change in changes.iter().filter_map(|it| it.as_object()) {
        let wanted = change.text("id").and_then(|id| number_of(id, "ProductOptionValue"));
        let Some(value) = option.values.iter_mut().find(|value| Some(value.id) == wanted) else {
            let mistake = Mistake::coded(
                &["optionValuesToUpdate"],
                "OPTION_VALUE_DOES_NOT_EXIST",
                "Option value does not exist",
            );
            return payload(Some(id), &[mistake]);
        };
        if let Some(name) = change.text("name") {
            if name.trim().is_empty() || name.chars().count() > 255 {
                let code = if name.trim().is_empty() { "INVALID_NAME" } else { "OPTION_VALUE_NAME_TOO_LONG" };
                let mistake =
                    Mistake::coded(&["optionValuesToUpdate", "name"], code, "Option value name is not valid");
                return payload(Some(id), &[mistake]);
            }
            name.clone_into(&mut value.name);
        }
    }
    // All of an input's names at once: two values may swap theirs (UNVERIFIED of the platform).
    let mut names: Vec<String> = option.values.iter().map(|value| value.name.to_lowercase()).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair.first() == pair.last()) {
        let mistake = Mistake::coded(
            &["optionValuesToUpdate"],
            "OPTION_VALUE_ALREADY_EXISTS",
            "Option value already exists",
        );
        return payload(Some(id), &[mistake]);
    }
    for gone in args.texts("optionValuesToDelete") {
        let gone = number_of(&gone, "ProductOptionValue");
        if gone.is_some_and(|gone| used.contains(&gone)) {
            let mistake = Mistake::coded(
                &["optionValuesToDelete"],
                "OPTION_VALUE_HAS_VARIANTS",
                "Option value has variants and cannot be deleted",
            );
            return payload(Some(id), &[mistake]);
        }
        option.values.retain(|value| Some(value.id) != gone);
    }
    option.values.extend(fresh.into_iter().map(|(id, name)| OptionValue::new(id, &name)));
    state.change_product(id, |known| known.options = product.options);
    payload(Some(id), &[])
}
