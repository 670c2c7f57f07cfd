//! The Admin API, as far as reading and exposure need it: which properties there are, and custom dimensions.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::connector::Ga4;
use super::rows;
use crate::error::{Error, ErrorKind, Result};
use crate::http::{ApiRequest, ApiResponse, BodyFault};
use crate::model::Text;

/// The most pages of a list, and the most entries.
const MAX_PAGES: usize = 500;
const MAX_ENTRIES: usize = 100_000;

/// A property that the account may see.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PropertySummary {
    /// Its number: what [`Ga4Config::builder`](super::Ga4Config::builder) takes.
    pub property: u64,
    /// Its name.
    pub display_name: Text,
    /// The account that it belongs to.
    pub account: Text,
}

/// What a custom dimension is counted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[non_exhaustive]
pub enum DimensionScope {
    /// On events.
    Event,
    /// On users.
    User,
    /// On items.
    Item,
}

/// A custom dimension: a parameter of events that reports can be asked for. What it is of cannot be changed later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CustomDimension {
    /// The parameter's name: letters, digits and underscores, at most 40, a letter first.
    pub parameter_name: Text,
    /// The name that people see, at most 82 letters.
    pub display_name: Text,
    /// What it is counted on.
    pub scope: DimensionScope,
}

impl CustomDimension {
    /// A custom dimension.
    ///
    /// # Errors
    /// `Rejected` where one of the names cannot be.
    pub fn new(
        parameter: impl Into<Text>,
        display_name: impl Into<Text>,
        scope: DimensionScope,
    ) -> Result<Self> {
        let (parameter_name, display_name) = (parameter.into(), display_name.into());
        let fits = super::events::is_name(&parameter_name)
            && !display_name.is_empty()
            && display_name.chars().count() <= 82;
        if !fits {
            return Err(Error::new(
                ErrorKind::Rejected,
                "dimension_unusable",
                "a custom dimension needs a parameter of letters, digits and underscores, and a name of at most 82",
            ));
        }
        Ok(Self { parameter_name, display_name, scope })
    }

    /// Those that events on content are told apart by: item, version and arm.
    #[must_use]
    pub fn of_exposure() -> Vec<Self> {
        [
            (super::events::ITEM, "Lily item"),
            (super::events::VERSION, "Lily content version"),
            (super::events::ARM, "Lily experiment arm"),
        ]
        .into_iter()
        .map(|(parameter, name)| Self {
            parameter_name: parameter.into(),
            display_name: name.into(),
            scope: DimensionScope::Event,
        })
        .collect()
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Summaries {
    account_summaries: Vec<Account>,
    next_page_token: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Account {
    display_name: Text,
    property_summaries: Vec<Summary>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Summary {
    property: String,
    display_name: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Dimensions {
    custom_dimensions: Vec<CustomDimension>,
    next_page_token: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Streams {
    data_streams: Vec<Stream>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Stream {
    web_stream_data: WebStream,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WebStream {
    measurement_id: Text,
}

fn parse<T: serde::de::DeserializeOwned>(response: ApiResponse) -> Result<T, BodyFault> {
    serde_json::from_slice(response.body())
        .map_err(|_| BodyFault::Broken(rows::unreadable("none that is known")))
}

/// Where a list of so many entries goes on, which it may not do twice at one place.
fn next(used: &mut BTreeSet<String>, token: String, entries: usize) -> Result<Option<String>> {
    if entries > MAX_ENTRIES {
        return Err(Error::new(ErrorKind::Protocol, "list_too_long", "a list has more than 100,000 entries"));
    }
    if token.is_empty() {
        return Ok(None);
    }
    if used.len() >= MAX_PAGES || !used.insert(token.clone()) {
        return Err(Error::new(
            ErrorKind::Protocol,
            "cursor_repeated",
            "a list gave the same position twice",
        ));
    }
    Ok(Some(token))
}

impl Ga4 {
    /// The properties that the account may see, of any account.
    ///
    /// # Errors
    /// What the pipeline says.
    pub async fn list_properties(&self) -> Result<Vec<PropertySummary>> {
        let (mut found, mut used, mut token) = (Vec::new(), BTreeSet::new(), None);
        loop {
            let mut call = ApiRequest::get("v1beta/accountSummaries").query("pageSize", "200");
            if let Some(token) = token {
                call = call.query("pageToken", token);
            }
            let page: Summaries = self.admin.execute_with(call, parse).await?;
            for account in page.account_summaries {
                for summary in account.property_summaries {
                    let number = summary.property.strip_prefix("properties/").and_then(|it| it.parse().ok());
                    if let Some(property) = number {
                        let display_name = summary.display_name;
                        found.push(PropertySummary {
                            property,
                            display_name,
                            account: account.display_name.clone(),
                        });
                    }
                }
            }
            token = next(&mut used, page.next_page_token, found.len())?;
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    /// The custom dimensions of the property.
    ///
    /// # Errors
    /// What the pipeline says.
    pub async fn custom_dimensions(&self) -> Result<Vec<CustomDimension>> {
        let (mut found, mut used, mut token) = (Vec::new(), BTreeSet::new(), None);
        loop {
            let mut call = ApiRequest::get(self.of_property("customDimensions")).query("pageSize", "200");
            if let Some(token) = token {
                call = call.query("pageToken", token);
            }
            let page: Dimensions = self.admin.execute_with(call, parse).await?;
            found.extend(page.custom_dimensions);
            token = next(&mut used, page.next_page_token, found.len())?;
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    /// Makes those of these custom dimensions that the property does not have, and gives the ones that were made. It
    /// needs the scope that [`edits`](super::Ga4Builder::edits) asks for.
    ///
    /// # Errors
    /// `Forbidden` without the right; what the pipeline says. Those that were made before an error stay.
    pub async fn create_custom_dimensions(&self, wanted: &[CustomDimension]) -> Result<Vec<CustomDimension>> {
        let known = self.custom_dimensions().await?;
        let is_there = |one: &&CustomDimension| {
            known.iter().any(|it| it.scope == one.scope && it.parameter_name == one.parameter_name)
        };
        let mut made = Vec::new();
        for dimension in wanted.iter().filter(|one| !is_there(one)) {
            let body = serde_json::to_vec(dimension).map_err(|_| rows::unreadable("not to be written"))?;
            let call = ApiRequest::write(http::Method::POST, self.of_property("customDimensions"), body);
            match self.admin.execute(call).await {
                Ok(_) => made.push(dimension.clone()),
                // Somebody else was quicker.
                Err(error) if error.code() == "already_exists" => {}
                Err(error) => return Err(error),
            }
        }
        Ok(made)
    }

    /// The measurement ids of the property's web streams.
    pub(super) async fn measurement_ids(&self) -> Result<Vec<Text>> {
        let call = ApiRequest::get(self.of_property("dataStreams")).query("pageSize", "200");
        let streams: Streams = self.admin.execute_with(call, parse).await?;
        let ids = streams.data_streams.into_iter().map(|stream| stream.web_stream_data.measurement_id);
        Ok(ids.filter(|id| !id.is_empty()).collect())
    }

    fn of_property(&self, what: &str) -> String {
        format!("v1beta/properties/{}/{what}", self.property)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_ends_where_it_turns_in_a_circle_or_grows_too_long() {
        let mut used = BTreeSet::new();
        assert_eq!(next(&mut used, String::new(), 1).unwrap(), None);
        assert_eq!(next(&mut used, "a".to_owned(), 1).unwrap().as_deref(), Some("a"));
        assert_eq!(next(&mut used, "a".to_owned(), 1).unwrap_err().code(), "cursor_repeated");
        assert_eq!(next(&mut used, "b".to_owned(), MAX_ENTRIES + 1).unwrap_err().code(), "list_too_long");
        for n in 0.. {
            if let Err(error) = next(&mut used, n.to_string(), 1) {
                assert_eq!((error.code(), n), ("cursor_repeated", MAX_PAGES - 1));
                break;
            }
        }
    }
}
