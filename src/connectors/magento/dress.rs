//! What a record lacks is added to it: labels for ids of options, names for ids of categories, addresses of pictures,
//! and its stock. The record's own bytes stay as they came.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::dictionary::{Attribute, Dictionary};
use super::php;

/// What is read of a product to add the rest.
#[derive(Debug, Deserialize)]
pub(super) struct Skim<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub(super) sku: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    extension_attributes: Option<&'a RawValue>,
    #[serde(default, borrow)]
    custom_attributes: Option<&'a RawValue>,
    #[serde(default, borrow)]
    media_gallery_entries: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct Extension<'a> {
    #[serde(default, borrow)]
    category_links: Option<&'a RawValue>,
    #[serde(default, borrow)]
    configurable_product_options: Option<&'a RawValue>,
    #[serde(default, borrow)]
    configurable_product_links: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Link<'a> {
    #[serde(borrow)]
    category_id: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ConfigurableOption<'a> {
    #[serde(borrow)]
    attribute_id: Option<&'a RawValue>,
    #[serde(default, borrow)]
    values: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct OptionValue<'a> {
    #[serde(borrow)]
    value_index: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct CustomAttribute<'a> {
    #[serde(borrow)]
    attribute_code: Cow<'a, str>,
    #[serde(default, borrow)]
    value: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(default, borrow)]
    label: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    file: Option<Cow<'a, str>>,
}

/// How many pieces of a product the shop has.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Stock {
    /// In all places together.
    pub(super) quantity: rust_decimal::Decimal,
    /// Whether one of them sells it.
    pub(super) available: bool,
}

/// What is added. A part that could not be read is not there, and counts as not read.
#[derive(Debug, Default, Serialize)]
struct Dressing<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    options: Option<Vec<Choice<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<Vec<Shown<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    categories: Option<Vec<Category<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    media: Option<Vec<Picture<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stock: Option<Stock>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    blank: BTreeMap<&'a str, &'static str>,
}

#[derive(Debug, Serialize)]
struct Shown<'a> {
    id: u64,
    code: &'a str,
    label: &'a str,
    input: &'a str,
    shown: bool,
    option: bool,
    values: Vec<Held<'a>>,
}

/// A value of an attribute; where it is an option, with its id.
#[derive(Debug, Serialize)]
struct Held<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    text: Cow<'a, str>,
}

#[derive(Debug, Serialize)]
struct Choice<'a> {
    id: u64,
    code: &'a str,
    label: &'a str,
    value: Cow<'a, str>,
}

#[derive(Debug, Serialize)]
struct Category<'a> {
    id: u64,
    name: &'a str,
}

#[derive(Debug, Serialize)]
struct Picture<'a> {
    id: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    label: Option<Cow<'a, str>>,
}

/// What products are dressed with.
#[derive(Debug)]
pub(super) struct Wardrobe<'a> {
    pub(super) dictionary: &'a Dictionary,
    /// By SKU, in small letters: the platform does not tell them apart by case.
    pub(super) stock: &'a HashMap<String, Stock>,
    /// Where pictures stand.
    pub(super) media_url: Option<&'a str>,
    /// Whose child each record is, where these are variants.
    pub(super) parents: Option<&'a HashMap<u64, Family>>,
    /// The codes of texts that the view hides, by product.
    pub(super) blanks: &'a HashMap<u64, Vec<String>>,
}

/// A configurable product, as its children need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Family {
    pub(super) parent: u64,
    /// The ids of the attributes by which they differ, in the product's order.
    pub(super) options: Vec<u64>,
}

/// Reads what is needed of a record; none where it is no such object.
pub(super) fn skim(raw: &RawValue) -> Option<Skim<'_>> {
    if raw.get().starts_with('{') { serde_json::from_str(raw.get()).ok() } else { None }
}

impl Skim<'_> {
    pub(super) fn id(&self) -> Option<u64> {
        php::number(self.id)
    }

    /// The ids of the children, and of the attributes by which they differ.
    pub(super) fn family(&self) -> Option<(Vec<u64>, Vec<u64>)> {
        let extension: Extension<'_> = php::object(self.extension_attributes)?;
        let links: Vec<&RawValue> = php::list(extension.configurable_product_links)?;
        let children: Option<Vec<u64>> = links.into_iter().map(|raw| php::number(Some(raw))).collect();
        let options: Vec<ConfigurableOption<'_>> = php::list(extension.configurable_product_options)?;
        let options = options.iter().filter_map(|option| php::number(option.attribute_id)).collect();
        Some((children?, options))
    }
}

/// The records of a page as one list, each with what is added to it. A record that is no such object stays as it is.
pub(super) fn dress(records: &[&RawValue], wardrobe: &Wardrobe<'_>) -> Bytes {
    let mut body = String::with_capacity(records.iter().map(|raw| raw.get().len() + 512).sum::<usize>() + 2);
    body.push('[');
    for (at, raw) in records.iter().enumerate() {
        if at > 0 {
            body.push(',');
        }
        let dressing = skim(raw).and_then(|skim| serde_json::to_string(&wardrobe.dressing(&skim)).ok());
        let rest = raw.get().strip_prefix('{');
        match (dressing, rest) {
            (Some(dressing), Some(rest)) => {
                body.push_str("{\"_lily\":");
                body.push_str(&dressing);
                if !rest.trim_start().starts_with('}') {
                    body.push(',');
                }
                body.push_str(rest);
            }
            _ => body.push_str(raw.get()),
        }
    }
    body.push(']');
    Bytes::from(body)
}

impl<'a> Wardrobe<'a> {
    fn dressing<'r>(&self, skim: &'r Skim<'_>) -> Dressing<'r>
    where
        'a: 'r,
    {
        let extension: Option<Extension<'_>> = php::object(skim.extension_attributes);
        let values: Option<Vec<CustomAttribute<'_>>> = php::list(skim.custom_attributes);
        let values: Option<HashMap<&str, &RawValue>> = values.as_ref().map(|values| {
            values.iter().filter_map(|one| Some((one.attribute_code.as_ref(), one.value?))).collect()
        });
        let mut dressing = Dressing {
            media: self.media(skim),
            stock: skim.sku.as_ref().and_then(|sku| self.stock.get(&sku.to_lowercase()).copied()),
            ..Dressing::default()
        };
        let blanks = skim.id().and_then(|id| self.blanks.get(&id));
        dressing.blank = blanks.into_iter().flatten().map(|code| (code.as_str(), "")).collect();
        match (self.parents, skim.id()) {
            (Some(parents), Some(id)) => {
                if let Some(family) = parents.get(&id) {
                    dressing.parent = Some(family.parent);
                    dressing.options = values.as_ref().and_then(|values| self.choices(family, values));
                }
            }
            _ => {
                dressing.categories = extension.as_ref().and_then(|extension| self.categories(extension));
                dressing.attributes = extension
                    .as_ref()
                    .zip(values.as_ref())
                    .and_then(|(it, values)| self.attributes(it, values));
            }
        }
        dressing
    }

    fn media<'r>(&self, skim: &Skim<'r>) -> Option<Vec<Picture<'r>>> {
        let entries: Vec<Entry<'r>> = php::list(skim.media_gallery_entries)?;
        let picture = |entry: Entry<'r>| {
            let url = self.media_url.zip(entry.file.as_deref()).map(|(base, file)| {
                format!("{}/catalog/product/{}", base.trim_end_matches('/'), file.trim_start_matches('/'))
            });
            Some(Picture { id: php::number(entry.id)?, url, label: entry.label })
        };
        entries.into_iter().map(picture).collect()
    }

    fn categories(&self, extension: &Extension<'_>) -> Option<Vec<Category<'a>>> {
        let links: Vec<Link<'_>> = php::list(extension.category_links)?;
        let category = |link: &Link<'_>| {
            let id = php::number(link.category_id)?;
            Some(Category { id, name: self.dictionary.category(id)? })
        };
        links.iter().map(category).collect()
    }

    /// Those that the merchant made and that have a value, by code; and those by which variants differ, with the
    /// values that they have.
    fn attributes(
        &self,
        extension: &Extension<'_>,
        values: &HashMap<&str, &RawValue>,
    ) -> Option<Vec<Shown<'a>>> {
        let options: Vec<ConfigurableOption<'_>> = php::list(extension.configurable_product_options)?;
        let mut shown: Vec<Shown<'a>> = Vec::new();
        for option in &options {
            let Some(attribute) =
                php::number(option.attribute_id).and_then(|id| self.dictionary.attribute_of_id(id))
            else {
                continue;
            };
            let indexes: Vec<OptionValue<'_>> = php::list(option.values)?;
            let ids =
                indexes.iter().filter_map(|value| php::number(value.value_index)).map(|id| id.to_string());
            let values = ids.map(|id| labelled(attribute, id)).collect();
            shown.push(of(attribute, true, values));
        }
        let mut own: Vec<&Attribute> = self
            .dictionary
            .attributes()
            .filter(|attribute| values.contains_key(attribute.code.as_str()))
            .filter(|attribute| !shown.iter().any(|known| known.id == attribute.id))
            .filter(|attribute| !matches!(attribute.input.as_str(), "media_image" | "gallery" | "weee"))
            .collect();
        own.sort_by(|one, other| one.code.cmp(&other.code));
        for attribute in own {
            let texts = values.get(attribute.code.as_str()).and_then(|raw| values_of(attribute, raw))?;
            if !texts.is_empty() {
                shown.push(of(attribute, false, texts));
            }
        }
        Some(shown)
    }

    fn choices(&self, family: &Family, values: &HashMap<&str, &RawValue>) -> Option<Vec<Choice<'a>>> {
        let mut choices = Vec::new();
        for attribute in family.options.iter().filter_map(|id| self.dictionary.attribute_of_id(*id)) {
            let Some(raw) = values.get(attribute.code.as_str()) else { continue };
            let value = values_of(attribute, raw)?.into_iter().next();
            let value = value.map(|value| value.text).unwrap_or_default();
            choices.push(Choice { id: attribute.id, code: &attribute.code, label: &attribute.label, value });
        }
        Some(choices)
    }
}

fn of<'a>(attribute: &'a Attribute, option: bool, values: Vec<Held<'a>>) -> Shown<'a> {
    Shown {
        id: attribute.id,
        code: &attribute.code,
        label: &attribute.label,
        input: &attribute.input,
        shown: attribute.is_shown,
        option,
        values,
    }
}

/// An option that the store does not name any more is shown by its id: nothing else is known of it.
fn labelled(attribute: &Attribute, id: String) -> Held<'_> {
    let text = attribute.option(&id).map_or_else(|| Cow::Owned(id.clone()), Cow::Borrowed);
    Held { id: Some(id), text }
}

/// The values of a product: of an attribute with options, their labels. Several stand in one text with commas between,
/// or in a list.
fn values_of<'a>(attribute: &'a Attribute, raw: &RawValue) -> Option<Vec<Held<'a>>> {
    let texts = php::texts(raw)?;
    if !attribute.has_options() {
        let texts = texts.into_iter().filter(|text| !text.is_empty());
        return Some(texts.map(|text| Held { id: None, text: text.into() }).collect());
    }
    let ids = texts.iter().flat_map(|text| text.split(',')).map(str::trim).filter(|id| !id.is_empty());
    Some(ids.map(|id| labelled(attribute, id.to_owned())).collect())
}

/// The ids and SKUs of a page's products.
pub(super) fn skus(records: &[&RawValue]) -> Vec<String> {
    records.iter().filter_map(|raw| skim(raw)?.sku.map(Cow::into_owned)).collect()
}

/// The ids of a record's pictures.
pub(super) fn pictures(raw: &RawValue) -> Option<Vec<u64>> {
    let entries: Vec<Entry<'_>> = php::list(skim(raw)?.media_gallery_entries)?;
    entries.iter().map(|entry| php::number(entry.id)).collect()
}

/// What a record names and the dictionary does not know, each as a word: a category or an option may be new, or gone.
/// Of what is no such record nothing is to be learned.
pub(super) fn unknown(
    raw: &RawValue,
    dictionary: &Dictionary,
    families: Option<&HashMap<u64, Family>>,
) -> Vec<String> {
    let find = || {
        let skim = skim(raw)?;
        let extension: Extension<'_> = php::object(skim.extension_attributes)?;
        let links: Vec<Link<'_>> = php::list(extension.category_links)?;
        let options: Vec<ConfigurableOption<'_>> = php::list(extension.configurable_product_options)?;
        let values: Vec<CustomAttribute<'_>> = php::list(skim.custom_attributes)?;
        let mut unknown = Vec::new();
        if families.is_none() {
            let categories = links.iter().filter_map(|link| php::number(link.category_id));
            let new = categories.filter(|id| dictionary.category(*id).is_none());
            unknown.extend(new.map(|id| format!("category {id}")));
        }
        let attributes = options.iter().filter_map(|option| php::number(option.attribute_id));
        let new = attributes.filter(|id| dictionary.attribute_of_id(*id).is_none());
        unknown.extend(new.map(|id| format!("attribute {id}")));
        for value in &values {
            let attribute = dictionary.attribute(&value.attribute_code).filter(|it| it.has_options());
            let (Some(attribute), Some(raw)) = (attribute, value.value) else { continue };
            let texts = php::texts(raw).unwrap_or_default();
            let ids =
                texts.iter().flat_map(|text| text.split(',')).map(str::trim).filter(|id| !id.is_empty());
            let new = ids.filter(|id| attribute.option(id).is_none());
            unknown.extend(new.map(|id| format!("option {} {id}", attribute.code)));
        }
        Some(unknown)
    };
    find().unwrap_or_default()
}
