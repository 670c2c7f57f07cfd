"""The ordinary work of a reader of reports, by Google's own Python client over REST.

One line for each step; the first that fails ends it. `run` sets SANDBOX, WAY and CLIENTS.
"""

import json
import os

from google.analytics.data_v1beta import BetaAnalyticsDataClient, types
from google.api_core import exceptions
from google.auth.transport.requests import Request
from google.oauth2 import service_account

SANDBOX = json.loads(os.environ["SANDBOX"])
# The client's transport and its token requests trust the sandbox's own certificate.
authority = os.path.join(os.environ["CLIENTS"], "certificate.pem")
with open(authority, "w", encoding="ascii") as file:
    file.write(SANDBOX["certificate"])
os.environ["REQUESTS_CA_BUNDLE"] = authority


def same(found, wanted):
    if found != wanted:
        raise AssertionError(f"{found!r} instead of {wanted!r}")


def step(text):
    print("ok", text, flush=True)


with open(SANDBOX["credentials_file"], encoding="ascii") as file:
    account = json.load(file)
account["token_uri"] = SANDBOX["url"] + "/token"
scope = "https://www.googleapis.com/auth/analytics.readonly"
credentials = service_account.Credentials.from_service_account_info(account, scopes=[scope])
credentials.refresh(Request())
assert credentials.token.startswith("ya29."), "no access token"
step("gets an access token for a signed assertion")

# The client signs its own tokens where it can, without the endpoint.
client = BetaAnalyticsDataClient(
    credentials=credentials, transport="rest", client_options={"api_endpoint": SANDBOX["address"]}
)
PROPERTY = "properties/" + SANDBOX["property"]
WEEK = types.DateRange(start_date="7daysAgo", end_date="yesterday")


def named(kind, names):
    return [kind(name=name) for name in names]


def by(*names):
    order = types.OrderBy.DimensionOrderBy.OrderType.ALPHANUMERIC
    of = types.OrderBy.DimensionOrderBy
    return [types.OrderBy(dimension=of(dimension_name=name, order_type=order)) for name in names]


def items(**more):
    return types.RunReportRequest(
        property=PROPERTY,
        dimensions=named(types.Dimension, ["date", "itemId"]),
        metrics=named(types.Metric, ["itemsViewed", "itemsPurchased", "itemRevenue"]),
        date_ranges=[WEEK],
        order_bys=by("date", "itemId"),
        return_property_quota=True,
        **more,
    )


report = client.run_report(items())
same((report.row_count, len(report.rows), report.kind), (140, 140, "analyticsData#runReport"))
same([header.name for header in report.metric_headers], ["itemsViewed", "itemsPurchased", "itemRevenue"])
same(report.metric_headers[2].type_, types.MetricType.TYPE_CURRENCY)
same((report.metadata.currency_code, report.metadata.time_zone), ("USD", "America/Los_Angeles"))
assert report.property_quota.tokens_per_project_per_hour.remaining > 0
step(f"runs a report: {report.row_count} rows, {report.property_quota.tokens_per_day.consumed} tokens")

rows, offset = [], 0
while True:
    page = client.run_report(items(limit=50, offset=offset))
    rows += page.rows
    offset += len(page.rows)
    if offset >= page.row_count or not page.rows:
        break
same(rows, list(report.rows))
step("pages through it by limit and offset, to the same rows")

one = types.Filter(
    field_name="itemId",
    string_filter=types.Filter.StringFilter(
        match_type=types.Filter.StringFilter.MatchType.BEGINS_WITH, value="SKU-000"
    ),
)
few = client.run_report(items(dimension_filter=types.FilterExpression(filter=one)))
assert all(row.dimension_values[1].value.startswith("SKU-000") for row in few.rows)
unset = types.Filter(
    field_name="itemId", in_list_filter=types.Filter.InListFilter(values=["(not set)"])
)
rest = types.FilterExpression(not_expression=types.FilterExpression(filter=unset))
same(client.run_report(items(dimension_filter=rest)).row_count, 133)
step(f"filters by a text and by a list, and the other way round: {few.row_count} and 133 rows")

pages = types.RunReportRequest(
    dimensions=named(types.Dimension, ["pagePath"]),
    metrics=named(types.Metric, ["screenPageViews", "sessions", "engagementRate"]),
    date_ranges=[WEEK],
    order_bys=[types.OrderBy(metric=types.OrderBy.MetricOrderBy(metric_name="sessions"), desc=True)],
)
batch = client.batch_run_reports(
    types.BatchRunReportsRequest(property=PROPERTY, requests=[items(limit=5), pages])
)
same([len(one.rows) for one in batch.reports], [5, 10])
numbers = [int(row.metric_values[1].value) for row in batch.reports[1].rows]
same(numbers, sorted(numbers, reverse=True))
step("runs a batch of two reports, one ordered by a metric")

empty = client.run_report(
    types.RunReportRequest(
        property=PROPERTY,
        metrics=named(types.Metric, ["sessions"]),
        date_ranges=[types.DateRange(start_date="2020-01-01", end_date="2020-01-02")],
    )
)
same((empty.row_count, list(empty.rows)), (0, []))
step("reads an empty report")

metadata = client.get_metadata(name=PROPERTY + "/metadata")
assert any(metric.api_name == "itemsViewed" for metric in metadata.metrics)
fits = client.check_compatibility(
    types.CheckCompatibilityRequest(
        property=PROPERTY,
        dimensions=named(types.Dimension, ["itemId"]),
        metrics=named(types.Metric, ["itemsViewed"]),
        compatibility_filter=types.Compatibility.COMPATIBLE,
    )
)
names = {one.metric_metadata.api_name for one in fits.metric_compatibilities}
assert "sessions" in names and "eventCount" not in names
step(f"lists {len(metadata.metrics)} metrics, of which {len(names)} go with items")

mixed = items()
mixed.metrics = named(types.Metric, ["itemsViewed", "eventCount"])
try:
    client.run_report(mixed)
    raise AssertionError("item and event scope in one report")
except exceptions.BadRequest as error:
    assert "eventCount" in error.message
try:
    foreign = items()
    foreign.property = "properties/9"
    client.run_report(foreign)
    raise AssertionError("a foreign property")
except exceptions.Forbidden:
    pass
step("is refused what does not go together, and a foreign property")
