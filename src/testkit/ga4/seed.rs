//! Made-up numbers for a property.

use super::property::Property;
use crate::time::Timestamp;

/// Fills a property: so many items and pages a day, for so many days up to yesterday, and for today.
pub(super) fn fill(property: &mut Property, now: Timestamp, items: u32, pages: u32, days: u32) {
    let today = property.today(now);
    for ago in 0..=days {
        let day = today.saturating_sub(ago);
        for n in 0..items {
            let item = if n == 0 { "(not set)".to_owned() } else { format!("SKU-{n:04}") };
            let viewed = u64::from(n % 50 + 10 + ago);
            let bought = u64::from(n % 5);
            let number = |n: u64| n.to_string();
            property.set_item(
                day,
                &item,
                &[
                    ("itemsViewed", &number(viewed)),
                    ("itemsViewedInList", &number(viewed * 4)),
                    ("itemsClickedInList", &number(viewed / 2)),
                    ("itemsAddedToCart", &number(bought * 2)),
                    ("itemsCheckedOut", &number(bought + 1)),
                    ("itemsPurchased", &number(bought)),
                    ("itemRevenue", &format!("{}.95", bought * 19)),
                ],
            );
        }
        for n in 0..pages {
            let path = if n == 0 { "(not set)".to_owned() } else { format!("/products/product-{n}") };
            let sessions = u64::from(n % 40 + 20);
            let number = |n: u64| n.to_string();
            property.set_page(
                day,
                "shop.example",
                &path,
                &[
                    ("screenPageViews", &number(sessions * 2)),
                    ("sessions", &number(sessions)),
                    ("engagedSessions", &number(sessions / 2)),
                    ("activeUsers", &number(sessions - 3)),
                    ("userEngagementDuration", &number(sessions * 21)),
                    ("keyEvents", &number(sessions / 9)),
                    ("eventCount", &number(sessions * 7)),
                ],
            );
            for (channel, part) in [("Direct", 2), ("Organic Search", 3)] {
                let began = sessions / part;
                property.set_landing(
                    day,
                    &path,
                    channel,
                    &[
                        ("sessions", &number(began)),
                        ("engagedSessions", &number(began / 2)),
                        ("keyEvents", &number(began / 9)),
                        ("totalRevenue", &format!("{}.50", began * 3)),
                    ],
                );
            }
        }
    }
}
