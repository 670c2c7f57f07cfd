//! Lists of products and variations: filters, order, pages.

use std::cmp::Ordering;
use std::collections::HashSet;

use super::errors::ApiError;
use super::product::{Product, Taxonomy};
use super::query::{Arg, Kind, Params, WpDate, arg, check};
use super::render::{Place, Renderer, amount};
use super::{Answer, Call};
use crate::testkit::json::Json;

const STATUSES: &[&str] = &["any", "future", "trash", "draft", "pending", "private", "publish"];
const TYPES: &[&str] = &["simple", "grouped", "external", "variable"];
const STOCK: &[&str] = &["instock", "outofstock", "onbackorder"];
/// The orders, with the repetitions that the real list has.
const ORDERS: &[&str] = &[
    "date",
    "id",
    "include",
    "title",
    "slug",
    "modified",
    "popularity",
    "rating",
    "post__in",
    "price",
    "sales",
    "menu_order",
    "random",
    "popularity",
    "rating",
    "menu_order",
    "price",
    "popularity",
    "rating",
];

/// The parameters that lists of products and variations declare, in the order of their checks.
pub(super) const ARGS: &[Arg] = &[
    arg("context", Kind::Enum(&["view", "edit"])),
    arg("page", Kind::AtLeast(1)),
    arg("per_page", Kind::Between(1, 100)),
    arg("search", Kind::Text),
    arg("after", Kind::Date),
    arg("before", Kind::Date),
    arg("modified_after", Kind::Date),
    arg("modified_before", Kind::Date),
    arg("dates_are_gmt", Kind::Flag),
    arg("exclude", Kind::Ids),
    arg("include", Kind::Ids),
    arg("offset", Kind::Whole),
    arg("order", Kind::Enum(&["asc", "desc"])),
    arg("orderby", Kind::Enum(ORDERS)),
    arg("parent", Kind::Ids),
    arg("parent_exclude", Kind::Ids),
    arg("slug", Kind::Text),
    arg("status", Kind::Enum(STATUSES)),
    arg("type", Kind::Enum(TYPES)),
    arg("sku", Kind::Text),
    arg("featured", Kind::Flag),
    arg("on_sale", Kind::Flag),
    arg("stock_status", Kind::Enum(STOCK)),
    arg("include_status", Kind::EnumList(STATUSES)),
    arg("exclude_status", Kind::EnumList(STATUSES)),
    arg("include_types", Kind::EnumList(TYPES)),
    arg("exclude_types", Kind::EnumList(TYPES)),
    arg("virtual", Kind::Flag),
    arg("downloadable", Kind::Flag),
];

/// Which objects a list is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    Products,
    /// The variations of one product.
    Children(u64),
    /// The variations of all products.
    AllChildren,
}

/// Answers a list.
pub(super) fn list(call: &Call<'_>, render: Renderer<'_>, of: Of) -> Result<Answer, ApiError> {
    check(&call.params, ARGS)?;
    call.may("cannot_view", "Sorry, you cannot list resources.")?;
    let params = &call.params;
    let filter = Filter::new(params, render, of);
    let mut found: Vec<&Product> = match of {
        Of::Children(parent) => {
            render.state.variations_of(parent).filter(|product| filter.takes(product)).collect()
        }
        Of::Products | Of::AllChildren => {
            render.state.products.values().filter(|product| filter.takes(product)).collect()
        }
    };
    sort(&mut found, params, render);

    let cap = render.state.conditions.page_cap.unwrap_or(u64::MAX);
    let per_page = params.number("per_page").unwrap_or(10).min(cap);
    let page = params.number("page").unwrap_or(1);
    let total = u64::try_from(found.len()).unwrap_or(u64::MAX);
    let start = params.number("offset").unwrap_or_else(|| (page - 1).saturating_mul(per_page));
    let items = found
        .into_iter()
        .skip(usize::try_from(start).unwrap_or(usize::MAX))
        .take(usize::try_from(per_page).unwrap_or(100))
        .filter(|product| {
            !filter.include.is_empty() || !render.state.conditions.dropped.contains(&product.id)
        })
        .map(|product| match of {
            Of::Products => render.product(product, &call.related(product.id)),
            Of::Children(_) => render.variation(product, Place::OfProduct),
            Of::AllChildren => render.variation(product, Place::OfAll),
        })
        .map(|item| keep_meta(item, params))
        .collect();
    let pages = total.div_ceil(per_page);
    Ok(Answer::ok(Json::Array(items))
        .paged(total, pages, call.paging_links(ARGS, page, pages))
        .allowing(if of == Of::AllChildren { "GET" } else { "GET, POST" }))
}

/// Applies `include_meta` and `exclude_meta` to an object.
pub(super) fn keep_meta(item: Json, params: &Params) -> Json {
    let include = params.list("include_meta").unwrap_or_default();
    let exclude = params.list("exclude_meta").unwrap_or_default();
    let Json::Object(mut entries) = item else { return item };
    if let Some((_, Json::Array(rows))) = entries.iter_mut().find(|(key, _)| key == "meta_data") {
        rows.retain(|row| {
            let key = row.get("key").and_then(Json::as_str).unwrap_or_default().to_owned();
            (include.is_empty() || include.contains(&key)) && !exclude.contains(&key)
        });
    }
    Json::Object(entries)
}

struct Filter<'a> {
    render: Renderer<'a>,
    params: &'a Params,
    of: Of,
    include: HashSet<u64>,
    exclude: HashSet<u64>,
    parents: HashSet<u64>,
    skus: Vec<String>,
    search: Vec<String>,
    statuses: Vec<String>,
    no_statuses: Vec<String>,
    no_parents: Vec<u64>,
    /// Whether any parameter looks at texts, at fields of products, or at stock: a list of all products
    /// asks for none of them, and is asked for often.
    by_text: bool,
    by_search_fields: bool,
    by_field: bool,
    by_stock: bool,
    created: (Option<i64>, Option<i64>),
    modified: (Option<i64>, Option<i64>),
}

impl<'a> Filter<'a> {
    fn new(params: &'a Params, render: Renderer<'a>, of: Of) -> Self {
        let gmt = params.flag("dates_are_gmt").unwrap_or(false);
        let offset = render.state.settings.utc_offset_seconds;
        let date = |name| params.get(name).and_then(WpDate::parse).map(|date| date.compared_at(gmt, offset));
        let skus = match params.get("sku").filter(|sku| !sku.is_empty()) {
            // The whole text is tried too, since a SKU may hold a comma.
            Some(text) => text.split(',').chain([text]).map(|sku| sku.trim().to_lowercase()).collect(),
            None => Vec::new(),
        };
        let any = |names: &[&str]| names.iter().any(|name| params.list(name).is_some());
        let statuses = params.list("include_status").filter(|list| !list.is_empty());
        Self {
            statuses: statuses.unwrap_or_else(|| vec![params.get("status").unwrap_or("any").to_owned()]),
            no_statuses: params.list("exclude_status").unwrap_or_default(),
            no_parents: params.ids("parent_exclude"),
            by_text: any(&["sku", "search_sku", "search_name_or_sku", "search", "slug"]),
            by_search_fields: params.list("search_fields").is_some_and(|list| !list.is_empty())
                && params.get("search").is_some_and(|search| !search.trim().is_empty()),
            by_field: any(&[
                "type",
                "include_types",
                "exclude_types",
                "featured",
                "category",
                "tag",
                "brand",
                "shipping_class",
                "attribute",
            ]),
            by_stock: any(&["stock_status", "virtual", "downloadable", "on_sale", "min_price", "max_price"]),
            render,
            params,
            of,
            include: params.ids("include").into_iter().collect(),
            exclude: params.ids("exclude").into_iter().collect(),
            parents: params.ids("parent").into_iter().collect(),
            skus,
            search: params
                .get("search")
                .unwrap_or_default()
                .split_whitespace()
                .map(str::to_lowercase)
                .collect(),
            created: (date("after"), date("before")),
            modified: (date("modified_after"), date("modified_before")),
        }
    }

    fn takes(&self, product: &Product) -> bool {
        let kind_fits = match self.of {
            // A search by SKU also finds variations.
            // So does one in fields that are named.
            Of::Products => !product.is_variation() || !self.skus.is_empty() || self.by_search_fields,
            Of::Children(_) | Of::AllChildren => product.is_variation(),
        };
        kind_fits
            && self.render.state.conditions.hidden_status.as_deref() != Some(product.status.as_str())
            && self.takes_status(&product.status)
            && self.takes_ids(product)
            && self.takes_dates(product)
            && (!self.by_text || self.takes_texts(product))
            && (!self.by_field || self.of != Of::Products || self.takes_product(product))
            && (!self.by_stock || self.takes_stock(product))
    }

    fn takes_status(&self, status: &str) -> bool {
        let one = |wanted: &str| match wanted {
            "any" => !matches!(status, "trash" | "auto-draft"),
            _ => wanted == status,
        };
        self.statuses.iter().any(|wanted| one(wanted))
            && !self.no_statuses.iter().any(|known| known == status)
    }

    fn takes_ids(&self, product: &Product) -> bool {
        (self.include.is_empty() || self.include.contains(&product.id))
            && !self.exclude.contains(&product.id)
            && (self.parents.is_empty() || self.parents.contains(&product.parent_id))
            && !self.no_parents.contains(&product.parent_id)
    }

    fn takes_dates(&self, product: &Product) -> bool {
        // The comparison is strict on both sides, at the precision of a second.
        let between = |at: i64, (after, before): (Option<i64>, Option<i64>)| {
            after.is_none_or(|after| at > after) && before.is_none_or(|before| at < before)
        };
        between(product.created.unix_seconds(), self.created)
            && between(product.modified.unix_seconds(), self.modified)
    }

    fn takes_texts(&self, product: &Product) -> bool {
        let sku = product.sku.to_lowercase();
        let part = self.params.get("search_sku").unwrap_or_default().to_lowercase();
        let either = self.params.get("search_name_or_sku").unwrap_or_default().to_lowercase();
        let name = product.name.to_lowercase();
        let in_texts = |word: &String| {
            name.contains(word)
                || product.description.to_lowercase().contains(word)
                || product.short_description.to_lowercase().contains(word)
        };
        // The search looks where it is told, and else at names and texts.
        let fields = self.params.list("search_fields").unwrap_or_default();
        let found = |word: &String| match fields.iter().any(|field| field == "global_unique_id") {
            true => product.global_unique_id.contains(word.as_str()),
            false => in_texts(word),
        };
        (self.skus.is_empty() || (!sku.is_empty() && self.skus.contains(&sku)))
            && sku.contains(&part)
            && (either.is_empty() || name.contains(&either) || sku.contains(&either))
            && self.search.iter().all(found)
            && self.params.get("slug").is_none_or(|slug| slug.split(',').any(|slug| slug == product.slug))
    }

    fn takes_product(&self, product: &Product) -> bool {
        let params = self.params;
        let kind = product.kind.as_str();
        let has = |list: Option<Vec<String>>, found: &dyn Fn(&str) -> bool| {
            list.filter(|list| !list.is_empty()).is_none_or(|list| list.iter().any(|item| found(item)))
        };
        let terms = |name: &str, ids: &[u64]| {
            let wanted = params.ids(name);
            wanted.is_empty() || wanted.iter().any(|id| ids.contains(id))
        };
        params.get("type").is_none_or(|wanted| wanted == kind)
            && has(params.list("include_types"), &|wanted| wanted == kind)
            && !params.list("exclude_types").unwrap_or_default().iter().any(|known| known == kind)
            && params.flag("featured").is_none_or(|wanted| wanted == product.featured)
            && terms("category", &product.categories)
            && terms("tag", &product.tags)
            && terms("brand", &product.brands)
            && terms("shipping_class", &[product.shipping_class])
            && self.takes_attribute(product)
    }

    fn takes_attribute(&self, product: &Product) -> bool {
        let Some(slug) = self.params.get("attribute") else { return true };
        let state = self.render.state;
        let Some(attribute) = state.attributes.values().find(|a| a.slug == slug) else { return true };
        let wanted = self.params.ids("attribute_term");
        let names: Vec<_> = wanted
            .iter()
            .filter_map(|id| state.terms.get(id))
            .filter(|term| term.taxonomy == Taxonomy::Attribute(attribute.id))
            .map(|term| term.name.as_str())
            .collect();
        product
            .attributes
            .iter()
            .any(|a| a.id == attribute.id && a.options.iter().any(|option| names.contains(&option.as_str())))
    }

    fn takes_stock(&self, product: &Product) -> bool {
        let params = self.params;
        let price = || self.render.prices(product).first().map_or(0.0, |price| amount(price));
        params.get("stock_status").is_none_or(|wanted| wanted == product.stock_status)
            && params.flag("virtual").is_none_or(|wanted| wanted == product.is_virtual)
            && params.flag("downloadable").is_none_or(|wanted| wanted == product.downloadable)
            && params.flag("on_sale").is_none_or(|wanted| wanted == product.is_on_sale(self.render.now))
            && params.get("min_price").is_none_or(|least| price() >= amount(least))
            && params.get("max_price").is_none_or(|most| price() <= amount(most))
    }
}

fn sort(found: &mut [&Product], params: &Params, render: Renderer<'_>) {
    let order = params.get("orderby").unwrap_or("date");
    let up = params.get("order").unwrap_or("desc") == "asc";
    let turned = |ordering: Ordering| if up { ordering } else { ordering.reverse() };
    let price = |p: &Product| render.prices(p).first().map_or(0.0, |price| amount(price));
    match order {
        "include" | "post__in" => {
            let include = params.ids("include");
            found.sort_by_key(|p| include.iter().position(|id| *id == p.id));
        }
        "id" => found.sort_by(|a, b| turned(a.id.cmp(&b.id))),
        "title" => found.sort_by(|a, b| turned(a.name.to_lowercase().cmp(&b.name.to_lowercase()))),
        "slug" => found.sort_by(|a, b| turned(a.slug.cmp(&b.slug))),
        // The id breaks ties, in the same direction.
        "modified" => found.sort_by(|a, b| turned((a.modified, a.id).cmp(&(b.modified, b.id)))),
        "popularity" | "sales" => found.sort_by(|a, b| turned(a.total_sales.cmp(&b.total_sales))),
        "rating" => {
            found.sort_by(|a, b| turned(amount(&a.average_rating).total_cmp(&amount(&b.average_rating))))
        }
        "price" => found.sort_by(|a, b| turned(price(a).total_cmp(&price(b)))),
        "menu_order" => found.sort_by(|a, b| turned(a.menu_order.cmp(&b.menu_order))),
        "random" => found.sort_by_key(|p| p.id.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
        _ => found.sort_by(|a, b| turned((a.created, a.id).cmp(&(b.created, b.id)))),
    }
}
