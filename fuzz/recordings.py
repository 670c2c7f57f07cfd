"""Cuts the bodies of recorded answers into the corpus of each target: recordings.py SPECS CORPUS."""

import json
import pathlib
import sys

specs, corpus = (pathlib.Path(argument) for argument in sys.argv[1:3])
STATUS = [400, 401, 403, 404, 405, 409, 410, 413, 418, 429, 500, 501, 502, 503, 302, 204]


def put(target, name, body):
    folder = corpus / target
    if folder.is_dir():
        (folder / name).write_bytes(body)


def answer(path):
    recording = json.loads(path.read_text())
    found = recording.get("response") if isinstance(recording, dict) else None
    if not isinstance(found, dict):
        return None
    if "json" in found:
        body = json.dumps(found["json"], ensure_ascii=False, separators=(",", ":")).encode()
    else:
        body = str(found.get("raw_body", "")).encode()
    return found.get("status"), body, found.get("json")


settings = {}
for path in sorted((specs / "woocommerce").glob("*.json")):
    found = answer(path)
    if found is None:
        continue
    status, body, parsed = found
    name = path.stem
    settings[name] = body
    if isinstance(status, int) and status >= 300:
        put("error_body", name, bytes([STATUS.index(status) if status in STATUS else 0]) + body)
    elif isinstance(parsed, list) and "variation" in name:
        # A page of a hundred is too long to be varied well: a few records say as much.
        put("map_variant_page", name, json.dumps(parsed[:3], separators=(",", ":")).encode())
    elif isinstance(parsed, list) and name.startswith("products"):
        put("map_product_page", name, json.dumps(parsed[:3], separators=(",", ":")).encode())
    elif name.startswith("product-") and isinstance(parsed, dict):
        put("product_by_id", name, body)
        put("html", name, str(parsed.get("description", "")).encode())
    elif name.startswith("noise"):
        for target in ("map_product_page", "product_by_id"):
            put(target, name, body)

parts = ["wp-json-root", "currency-current", "setting-weight-unit", "setting-dimension-unit", "variations-toplevel-list"]
if all(part in settings for part in parts):
    put("index_and_settings", "recorded", b"\0".join(settings[part] for part in parts))
