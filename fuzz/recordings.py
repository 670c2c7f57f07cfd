"""Cuts recorded answers and deliveries into the corpus of each target: recordings.py SPECS CORPUS."""

import json
import pathlib
import sys

specs, corpus = (pathlib.Path(argument) for argument in sys.argv[1:3])
STATUS = [400, 401, 403, 404, 405, 409, 410, 413, 418, 429, 500, 501, 502, 503, 302, 204]
# What the store of the targets is called, in the place of the recorded one.
SITE = "https://shop.example/"
VALUE = "0123456789abcdef" * 3
TAXONOMIES = {"categories": b"A", "tags": b"B", "brands": b"C", "attributes": b"D", "attribute": b"E"}


def put(target, name, body):
    folder = corpus / target
    if folder.is_dir():
        (folder / name).write_bytes(body)


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def answer(recording):
    found = recording.get("response") if isinstance(recording, dict) else None
    if not isinstance(found, dict):
        return None
    body = compact(found["json"]) if "json" in found else str(found.get("raw_body", "")).encode()
    return found.get("status"), body, found.get("json")


def delivery(recording):
    sent = recording.get("delivery") if isinstance(recording, dict) else None
    if not isinstance(sent, dict):
        return None
    own = {"x-wc-webhook-source": SITE, "x-wc-webhook-signature": "ours"}
    headers = [(name.lower(), own.get(name.lower(), value)) for name, value in sent["headers"]]
    return "".join(f"{name}: {value}\n" for name, value in headers) + "\n" + sent["raw_body"]


settings = {}
for path in sorted((specs / "woocommerce").glob("*.json")):
    recording = json.loads(path.read_text())
    name = path.stem
    sent = delivery(recording)
    if sent:
        put("webhook_delivery", name, sent.encode())
    found = answer(recording)
    if found is None:
        continue
    status, body, parsed = found
    settings[name] = body
    if isinstance(status, int) and status >= 300:
        put("error_body", name, bytes([STATUS.index(status) if status in STATUS else 0]) + body)
        put("batch_answer", name, b"\4" + body)
    elif isinstance(parsed, list):
        # A page of a hundred is too long to be varied well: a few records say as much.
        some = compact(parsed[:2])
        if "variation" in name:
            put("map_variant_page", name, some)
        elif name.startswith("products"):
            put("map_product_page", name, some)
            put("list_answer", name, b"\2" + some)
        elif name.split("-")[0] in TAXONOMIES:
            put("taxonomy_page", name, TAXONOMIES[name.split("-")[0]] + some)
    elif name.startswith("product-") and isinstance(parsed, dict):
        put("product_by_id", name, body)
        put("html", name, str(parsed.get("description", "")).encode())
    elif name.startswith("noise"):
        put("product_by_id", name, body)
        put("list_answer", name, b"\0" + body)
    elif "batch" in name and isinstance(parsed, dict):
        ids = iter([7, 9])
        for item in parsed.get("update", [])[:2]:
            item["id"] = next(ids)
        put("batch_answer", name, b"\0" + compact(parsed))

parts = [
    "wp-json-root",
    "currency-current",
    "setting-weight-unit",
    "setting-dimension-unit",
    "variations-toplevel-list",
    "brands-list",
]
if all(part in settings for part in parts):
    put("index_and_settings", "recorded", b"\0".join(settings[part] for part in parts))

approved = specs / "woocommerce" / "wc-auth-callback.json"
if approved.is_file():
    recording = json.loads(approved.read_text())
    sent = json.loads(recording["callback"]["raw_body"])
    sent["user_id"] = VALUE
    put("key_callback", "recorded", b"application/json;charset=UTF-8\n" + compact(sent))
    query = recording["browser_redirect"].split("?")[1]
    put("key_callback", "return", b"\n" + query.replace("tenant-42", VALUE).encode())
