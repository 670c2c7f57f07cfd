//! A property: its settings, its numbers by day, and what is wrong with them.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::quota::{Quotas, Used};
use crate::time::{Day, Timestamp};

/// An item on a day, with its numbers.
pub(super) type ItemRow = (Day, String, Numbers);

/// Numbers of a row, by the API's name of the metric.
pub type Numbers = BTreeMap<String, Decimal>;

/// A property as a test sees it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Property {
    /// Its number.
    pub id: u64,
    /// Its name.
    pub display_name: String,
    /// Its time zone's IANA name.
    pub time_zone: String,
    /// Its currency.
    pub currency: String,
    /// Whether it is one of the paid service.
    pub is_360: bool,
    /// The measurement id of its web stream.
    pub measurement_id: String,
    /// The numbers of items, by day and item id.
    pub items: BTreeMap<(Day, String), Numbers>,
    /// The numbers of pages, by day, host and path.
    pub pages: BTreeMap<(Day, String, String), Numbers>,
    /// The numbers of visits, by day, the path that they began with, and the channel group that they came by.
    pub landings: BTreeMap<(Day, String, String), Numbers>,
    /// So many items a day that are made up when they are asked for, of which none is kept: for large reports.
    pub generated_items: u64,
    /// What is wrong with its answers.
    pub conditions: Conditions,
    /// What it gives in an hour and a day.
    pub quotas: Quotas,
    pub(super) used: Used,
    pub(super) custom: Vec<CustomDimension>,
}

/// A custom dimension.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CustomDimension {
    /// The parameter of the events.
    pub parameter: String,
    /// The name that people see.
    pub display_name: String,
    /// `EVENT`, `USER` or `ITEM`.
    pub scope: String,
}

impl CustomDimension {
    /// The name in reports.
    pub(super) fn api_name(&self) -> String {
        let prefix = match self.scope.as_str() {
            "USER" => "customUser",
            "ITEM" => "customItem",
            _ => "customEvent",
        };
        format!("{prefix}:{}", self.parameter)
    }
}

/// What is wrong with the answers of a property.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Conditions {
    /// Numbers of the last days are lower than they will be: 60 % on the day itself, 90 % and 97 % on the two after.
    pub settling: bool,
    /// Reports say that small rows may be held back, and rows with a first number below this are.
    pub threshold: Option<u32>,
    /// Reports are estimates: so many events were read, of so many.
    pub sampled: Option<(u64, u64)>,
    /// Of each day, the items behind so many are folded into `(other)`.
    pub most_items_a_day: Option<usize>,
    /// Reports say that data was cut off, for this reason.
    pub truncation: Option<&'static str>,
    /// Metrics that the caller may not see: they read 0.
    pub restricted: Vec<String>,
    /// Columns come in another order than they were asked for.
    pub shuffled: bool,
    /// Item metrics are `NaN` in the first row of a report.
    pub not_a_number: bool,
    /// The Data API is switched off in the project.
    pub data_api_off: bool,
    /// The Admin API is switched off in the project.
    pub admin_api_off: bool,
    /// Nobody has a role on the property.
    pub no_role: bool,
    /// So many calls of others are under way all the time.
    pub calls_of_others: u64,
    /// Answers without `propertyQuota`, whatever was asked.
    pub quota_untold: bool,
}

impl Property {
    /// A property without numbers, in US dollars and the time zone of Los Angeles.
    #[must_use]
    pub fn new(id: u64) -> Self {
        Self {
            id,
            display_name: format!("Shop {id}"),
            time_zone: "America/Los_Angeles".to_owned(),
            currency: "USD".to_owned(),
            is_360: false,
            measurement_id: format!("G-{id:010}"),
            items: BTreeMap::new(),
            pages: BTreeMap::new(),
            landings: BTreeMap::new(),
            generated_items: 0,
            conditions: Conditions::default(),
            quotas: Quotas::STANDARD,
            used: Used::default(),
            custom: Vec::new(),
        }
    }

    /// Sets the numbers of an item on a day.
    pub fn set_item(&mut self, day: Day, item: &str, numbers: &[(&str, &str)]) {
        self.items.insert((day, item.to_owned()), read(numbers));
    }

    /// Sets the numbers of a page on a day.
    pub fn set_page(&mut self, day: Day, host: &str, path: &str, numbers: &[(&str, &str)]) {
        self.pages.insert((day, host.to_owned(), path.to_owned()), read(numbers));
    }

    /// Sets the numbers of the visits of a day that began with a path and came by a channel group.
    pub fn set_landing(&mut self, day: Day, path: &str, channel: &str, numbers: &[(&str, &str)]) {
        self.landings.insert((day, path.to_owned(), channel.to_owned()), read(numbers));
    }

    /// The day that it is at the property.
    #[must_use]
    pub fn today(&self, now: Timestamp) -> Day {
        Day::at(now, &self.time_zone).or_else(|_| Day::at(now, "UTC")).unwrap_or_else(|_| now_is_never())
    }

    /// A number as it is told today: what is not settled yet is told too low.
    pub(super) fn told(&self, number: Decimal, day: Day, today: Day) -> Decimal {
        if !self.conditions.settling {
            return number;
        }
        let percent = match today.days_since(day) {
            ..=0 => 60,
            1 => 90,
            2 => 97,
            _ => 100,
        };
        let part = number * Decimal::new(percent, 2);
        if number.scale() == 0 { part.floor() } else { part.round_dp(2) }
    }

    /// The items of a range of days. What is made up comes in the order of day and item.
    pub(super) fn items_of(&self, first: Day, last: Day) -> Box<dyn Iterator<Item = ItemRow> + '_> {
        if self.generated_items > 0 {
            let days = u32::try_from(last.days_since(first)).unwrap_or(0);
            let of_day = move |n: u32| first.saturating_add(n);
            return Box::new(
                (0..=days)
                    .map(of_day)
                    .flat_map(move |day| (0..self.generated_items).map(move |n| generated(day, n))),
            );
        }
        let range = (first, String::new())..(last.saturating_add(1), String::new());
        Box::new(self.items.range(range).map(|((day, item), numbers)| (*day, item.clone(), numbers.clone())))
    }

    /// How many items are made up for a range of days, and those of a part of them; none where they are kept.
    pub(super) fn generated_of(
        &self,
        first: Day,
        last: Day,
        from: u64,
        most: u64,
    ) -> Option<(u64, Vec<ItemRow>)> {
        let each = Some(self.generated_items).filter(|each| *each > 0)?;
        let days = u64::try_from(last.days_since(first)).ok()? + 1;
        let total = each * days;
        let part = (from..total.min(from.saturating_add(most)))
            .map(|n| generated(first.saturating_add(u32::try_from(n / each).unwrap_or(0)), n % each))
            .collect();
        Some((total, part))
    }
}

fn generated(day: Day, n: u64) -> ItemRow {
    let mut numbers = Numbers::new();
    for (name, number) in
        [("itemsViewed", n % 97 + 1), ("itemsAddedToCart", n % 7), ("itemsPurchased", n % 3)]
    {
        numbers.insert(name.to_owned(), Decimal::from(number));
    }
    numbers.insert("itemRevenue".to_owned(), Decimal::new(i64::try_from(n % 3).unwrap_or(0) * 1999, 2));
    (day, format!("SKU-{n:07}"), numbers)
}

fn read(numbers: &[(&str, &str)]) -> Numbers {
    let read = |(name, number): &(&str, &str)| Some(((*name).to_owned(), number.parse().ok()?));
    numbers.iter().filter_map(read).collect()
}

/// The zone `UTC` is always there.
fn now_is_never() -> Day {
    Day::parse("1970-01-01").unwrap_or_else(|_| now_is_never())
}
