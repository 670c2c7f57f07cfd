//! What the shop has of products: their lists say nothing of it, so the places that keep stock are asked.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;

use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::connector::Magento;
use super::dress::Stock;
use super::search::Search;
use super::wire::{self, Scope};
use super::{php, read};
use crate::connector::PullRequest;
use crate::error::{Error, ErrorKind, Result};

/// The most SKUs of one question, and the most bytes that they have: an address has to stay short.
const MAX_SKUS: usize = 100;
const MAX_SKU_BYTES: usize = 3000;
/// The most pages of one question, and how often it is asked where rows move meanwhile.
const MAX_PAGES: usize = 1000;
const TRIES: u32 = 3;

#[derive(Deserialize)]
struct SourceItem<'a> {
    sku: String,
    #[serde(default, borrow)]
    source_code: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow)]
    quantity: Option<&'a RawValue>,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
}

impl Magento {
    /// The stock of products by their SKUs in small letters; of a shop that does not tell, nothing.
    pub(super) async fn stock(
        &self,
        request: &PullRequest,
        skus: &[String],
    ) -> Result<HashMap<String, Stock>> {
        let mut stock: HashMap<String, Stock> = HashMap::new();
        for some in parts(skus) {
            let mut tries = 0;
            loop {
                if !self.reads_stock.load(Ordering::Relaxed) {
                    return Ok(HashMap::new());
                }
                if let Some(found) = self.stock_of(request, &some).await? {
                    stock.extend(found);
                    break;
                }
                tries += 1;
                if tries == TRIES {
                    return Err(read::page_repeats());
                }
            }
        }
        Ok(stock)
    }

    /// The stock of some SKUs; none where rows came or went between two pages, so that one may have slipped.
    async fn stock_of(&self, request: &PullRequest, skus: &[&str]) -> Result<Option<HashMap<String, Stock>>> {
        let mut stock: HashMap<String, Stock> = HashMap::new();
        // The platform numbers these rows, and does not tell the numbers: they are paged by SKU and place.
        let mut seen: HashSet<(String, String)> = HashSet::new();
        for page in 1..=MAX_PAGES {
            let search = Search::page("sku", wire::MAX_SHORT_PAGE)
                .then("source_code")
                .one_of("sku", skus)
                .number(u32::try_from(page).unwrap_or(u32::MAX));
            let answered = match self.searched(request, &Scope::All, "inventory/source-items", search).await {
                Err(error) if self.is_new_of_stock(&error) => {
                    self.reads_stock.store(false, Ordering::Relaxed);
                    return Ok(None);
                }
                answered => answered?,
            };
            let listed = answered.listed()?;
            let mut fresh = 0;
            for raw in &listed.records {
                let item: SourceItem<'_> = serde_json::from_str(raw.get()).map_err(|_| wire::unreadable())?;
                let key = (item.sku.to_lowercase(), item.source_code.unwrap_or_default().into_owned());
                // A page past the end repeats the last one, and rows come twice where the order is not strict.
                if !seen.insert(key.clone()) {
                    continue;
                }
                fresh += 1;
                let quantity = item.quantity.and_then(|raw| decimal(raw.get())).unwrap_or_default();
                let available = php::truth(item.status).unwrap_or(false);
                let known = stock.entry(key.0).or_insert(Stock { quantity: Decimal::ZERO, available: false });
                known.quantity = known.quantity.checked_add(quantity).unwrap_or(known.quantity);
                known.available |= available;
            }
            if seen.len() as u64 >= listed.total {
                return Ok(Some(stock));
            }
            if fresh == 0 {
                break;
            }
        }
        Ok(None)
    }

    /// Whether an error says for the first time that the shop does not tell its stock: with a supplied profile, nobody
    /// asked it before. What is refused for what was asked is another thing.
    fn is_new_of_stock(&self, error: &Error) -> bool {
        !self.stock_was_asked && error.kind() != ErrorKind::Rejected && Self::tells_no_stock(error)
    }

    /// Whether the shop tells its stock to these credentials: the module may be off, and the right may lack.
    pub(super) fn tells_no_stock(error: &Error) -> bool {
        matches!(
            error.kind(),
            ErrorKind::NotFound
                | ErrorKind::Forbidden
                | ErrorKind::Auth
                | ErrorKind::Unsupported
                | ErrorKind::Rejected
        )
    }
}

fn decimal(text: &str) -> Option<Decimal> {
    let text = text.trim_matches('"');
    Decimal::from_str_exact(text)
        .ok()
        .or_else(|| Decimal::from_scientific(text).ok())
        .map(|it| it.normalize())
}

/// Questions of a length that an address can have.
fn parts(skus: &[String]) -> Vec<Vec<&str>> {
    let mut parts: Vec<Vec<&str>> = Vec::new();
    let mut bytes = 0;
    for sku in skus {
        let is_full =
            parts.last().is_none_or(|part| part.len() >= MAX_SKUS || bytes + sku.len() > MAX_SKU_BYTES);
        if is_full {
            parts.push(Vec::new());
            bytes = 0;
        }
        bytes += sku.len() + 1;
        if let Some(part) = parts.last_mut() {
            part.push(sku);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_short() {
        let skus: Vec<String> = (0..250).map(|n| format!("{n:064}")).collect();
        let parts = parts(&skus);
        assert!(parts.iter().all(|part| part.len() <= 47), "{}", parts.len());
        assert_eq!(parts.concat().len(), 250);
        assert_eq!(decimal("1000"), Some(1000.into()));
        assert_eq!(decimal("\"3.5000\"").map(|it| it.to_string()).as_deref(), Some("3.5"));
    }
}
