"""Every body that the Google Analytics connector sent in the tests, parsed strictly by Google's own message classes.

Unknown members, wrong types, unknown words and two choices where one may be are found; so is a member that is not
spelled as the message spells it. It first plants wrong bodies, and fails where one of them is not found.

Usage: validate_ga4.py RECORD
"""

import json
import sys
import warnings
from collections import Counter

# Advice on Python's own versions, which is none about requests.
warnings.simplefilter("ignore", FutureWarning)

from google.analytics.admin_v1beta import types as admin  # noqa: E402
from google.analytics.data_v1beta import types as data  # noqa: E402
from google.protobuf import json_format  # noqa: E402

# What a call's path ends with, and the message that its body is.
MESSAGES = {
    ":runReport": data.RunReportRequest,
    ":batchRunReports": data.BatchRunReportsRequest,
    ":checkCompatibility": data.CheckCompatibilityRequest,
    "/customDimensions": admin.CustomDimension,
}


def told(value):
    """What of a body says something: a message leaves out what is as it is anyway, but not one that is empty."""
    if isinstance(value, dict):
        kept = {name: told(member) for name, member in value.items()}
        return {name: member for name, member in kept.items() if member not in ("", "0", [], False)}
    return [told(item) for item in value] if isinstance(value, list) else value


def problem(call, body):
    kind = next((kind for end, kind in MESSAGES.items() if call.endswith(end)), None)
    if kind is None:
        return "no message is known for this call"
    try:
        message = json_format.Parse(body, kind.pb(kind()), ignore_unknown_fields=False)
    except json_format.ParseError as error:
        return " ".join(str(error).split())[:200]
    # Numbers of 64 bits are texts, and names are those of JSON, where both ways would be taken.
    if told(json.loads(body)) != told(json_format.MessageToDict(message)):
        return "it is not spelled as the message spells it"
    return None


REPORT = {"metrics": [{"name": "sessions"}], "dateRanges": [{"startDate": "yesterday", "endDate": "yesterday"}]}
FILTER = {"fieldName": "itemId", "stringFilter": {"value": "A"}}


def report(**more):
    return ":runReport", json.dumps({**REPORT, **more})


# Wrong bodies of each kind; each has to be found, or nothing that follows means anything.
PLANTED = {
    "an unknown member": report(metric=[]),
    "an unknown member far inside": report(dimensionFilter={"filter": {**FILTER, "value": "A"}}),
    "a member of another message": report(requests=[]),
    "a text in the place of a truth": report(returnPropertyQuota="true"),
    "an object in the place of a list": report(dimensions={"name": "date"}),
    "a number in the place of a text": report(dimensions=[{"name": 7}]),
    "a number that is none": report(limit="ten"),
    "a number over 64 bits": report(limit="9223372036854775808"),
    "a number that should be a text": report(limit=10),
    "a name of another form": report(order_bys=[{"desc": True}]),
    "an unknown word": report(metricAggregations=["AVERAGE"]),
    "two choices where one may be": report(
        dimensionFilter={"filter": {**FILTER, "inListFilter": {"values": ["A"]}}}
    ),
    "a member that comes twice": (":runReport", '{"limit": "1", "limit": "2"}'),
    "a body that is cut off": (":runReport", json.dumps(REPORT)[:-1]),
    "one wrong report in a batch": (":batchRunReports", json.dumps({"requests": [REPORT, {"limits": "1"}]})),
    "an unknown scope": ("/customDimensions", '{"parameterName": "a", "displayName": "A", "scope": "PAGE"}'),
    "an unknown call": (":runFunnelReport", "{}"),
}

failed = 0
for what, (call, body) in PLANTED.items():
    if problem(call, body) is None:
        failed += 1
        print(f"NOT FOUND: {what}, which was planted")
sound = report()
if problem(*sound) is not None:
    failed += 1
    print("FOUND where nothing is wrong: a plain report")

with open(sys.argv[1], encoding="utf-8") as file:
    lines = [json.loads(line) for line in file]
calls = {(line["google"], line["body"]) for line in lines if "google" in line}
kinds = Counter(next((end for end in MESSAGES if call.endswith(end)), call) for call, _ in calls)
for end in MESSAGES:
    if not kinds[end]:
        failed += 1
        print(f"nothing was recorded of {end}")
    # And one of each kind as it was sent, with a member more.
    for call, body in [one for one in calls if one[0].endswith(end)][:1]:
        if problem(call, json.dumps({**json.loads(body), "nothingSuch": 1})) is None:
            failed += 1
            print(f"NOT FOUND: a recorded body of {end} that was spoiled")
found = Counter(f"{call}: {wrong}" for call, body in calls if (wrong := problem(call, body)))
failed += sum(found.values())
print(
    f"{len(calls)} distinct bodies ({', '.join(f'{count} of {end}' for end, count in sorted(kinds.items()))}), "
    f"{len(PLANTED) + len(MESSAGES)} wrong ones planted; {sum(found.values())} problems"
)
for text, times in found.items():
    print(f"  {times} x {text}")
sys.exit(1 if failed else 0)
