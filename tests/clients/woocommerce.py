"""The ordinary work of a shop's integration, by the official Python client.

One line for each step; the first that fails ends it. `run` sets SANDBOX, WAY and CLIENTS.
"""

import base64
import hashlib
import hmac
import json
import os
import queue
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from woocommerce import API

SANDBOX = json.loads(os.environ["SANDBOX"])
WAY = os.environ["WAY"]


def trusted():
    """The file of the sandbox's certificate, where it has one."""
    if "certificate" not in SANDBOX:
        return True
    path = os.path.join(os.environ["CLIENTS"], "certificate.pem")
    with open(path, "w", encoding="ascii") as file:
        file.write(SANDBOX["certificate"])
    return path


VERIFY = trusted()


def client(secret=SANDBOX["secret"]):
    return API(
        url=SANDBOX["url"],
        consumer_key=SANDBOX["key"],
        consumer_secret=secret,
        version="wc/v3",
        timeout=20,
        verify_ssl=VERIFY,
        query_string_auth=WAY == "query",
    )


shop = client()


def same(found, wanted):
    if found != wanted:
        raise AssertionError(f"{found!r} instead of {wanted!r}")


def good(response, status=200):
    same((response.status_code, response.text if response.status_code != status else ""), (status, ""))
    return response.json()


def fails(response, status, code):
    body = response.json()
    same((response.status_code, body.get("code")), (status, code))
    return body


def pages(path, **params):
    """All items of a list, page by page until the total is reached."""
    found, page = [], 1
    while True:
        response = shop.get(path, params={**params, "per_page": 5, "page": page})
        found += good(response)
        if page >= int(response.headers["X-WP-TotalPages"]):
            same(len(found), int(response.headers["X-WP-Total"]))
            return found
        page += 1


def lists_page_by_their_totals():
    products = pages("products", orderby="id", order="asc")
    assert len(products) > 10
    same(len({one["id"] for one in products}), len(products))
    some = [one["id"] for one in products[:3]]
    listed = good(shop.get("products", params={"include": ",".join(map(str, some)), "orderby": "include"}))
    same([one["id"] for one in listed], some)
    same({one["type"] for one in pages("products", type="simple")}, {"simple"})


def a_product_is_created_read_found_and_updated():
    made = good(
        shop.post(
            "products",
            {"name": "Tee & Co é", "regular_price": "21.99", "sku": "client-1", "description": "<p>Soft</p>"},
        ),
        201,
    )
    same(made["price"], "21.99")
    path = f"products/{made['id']}"
    same(good(shop.get(path))["sku"], "client-1")
    same([one["id"] for one in good(shop.get("products", params={"sku": "client-1"}))], [made["id"]])
    same([one["id"] for one in good(shop.get("products", params={"search": "Co é"}))], [made["id"]])
    changed = good(shop.put(path, {"name": "Other", "meta_data": [{"key": "note", "value": "n"}]}))
    same(changed["name"], "Other")
    same([row["value"] for row in changed["meta_data"] if row["key"] == "note"], ["n"])
    same(good(shop.get(path))["name"], "Other")


def variations_are_created_listed_updated_and_deleted():
    attributes = [{"name": "Size", "visible": True, "variation": True, "options": ["S", "M"]}]
    parent = good(shop.post("products", {"name": "Shirt", "type": "variable", "attributes": attributes}), 201)
    path = f"products/{parent['id']}/variations"
    small = {"regular_price": "9", "attributes": [{"name": "Size", "option": "S"}]}
    small = good(shop.post(path, small), 201)
    done = good(
        shop.post(
            f"{path}/batch",
            {
                "create": [{"regular_price": "10", "attributes": [{"name": "Size", "option": "M"}]}],
                "update": [{"id": small["id"], "regular_price": "8"}],
            },
        )
    )
    same(done["update"][0]["regular_price"], "8")
    same(len(good(shop.get(path))), 2)
    assert "small" in good(shop.put(f"{path}/{small['id']}", {"description": "small"}))["description"]
    same(good(shop.get(f"products/{small['id']}"))["type"], "variation")
    good(shop.delete(f"{path}/{small['id']}", params={"force": True}))
    fails(shop.get(f"{path}/{small['id']}"), 404, "woocommerce_rest_product_variation_invalid_id")
    same(len(good(shop.get(f"products/{parent['id']}"))["variations"]), 1)


def batches_create_update_and_delete():
    create = [{"name": "One", "sku": "client-2"}, {"name": "Two", "sku": "client-2"}, {"name": "Three"}]
    one, two, three = good(shop.post("products/batch", {"create": create}))["create"]
    same(two["error"]["code"], "product_invalid_sku")
    update = [{"id": one["id"], "name": "New"}, {"id": 999999, "name": "x"}]
    done = good(shop.post("products/batch", {"update": update, "delete": [three["id"]]}))
    same(done["update"][0]["name"], "New")
    same(done["update"][1]["error"]["code"], "woocommerce_rest_product_invalid_id")
    same(done["delete"][0]["id"], three["id"])
    fails(shop.get(f"products/{three['id']}"), 404, "woocommerce_rest_product_invalid_id")


def deletions_go_to_the_trash_and_with_force_for_good():
    made = good(shop.post("products", {"name": "Short-lived"}), 201)
    path = f"products/{made['id']}"
    good(shop.delete(path))
    same(good(shop.get(path))["status"], "trash")
    assert made["id"] in [one["id"] for one in pages("products", status="trash")]
    fails(shop.delete(path), 410, "woocommerce_rest_already_trashed")
    good(shop.delete(path, params={"force": True}))
    fails(shop.get(path), 404, "woocommerce_rest_product_invalid_id")


def categories_tags_and_attributes_are_kept():
    for path in ["products/categories", "products/tags"]:
        made = good(shop.post(path, {"name": "Fresh"}), 201)
        known = fails(shop.post(path, {"name": "Fresh"}), 400, "term_exists")
        same(known["data"]["resource_id"], made["id"])
        item = f"{path}/{made['id']}"
        same(good(shop.put(item, {"name": "Old"}))["name"], "Old")
        assert made["id"] in [one["id"] for one in pages(path)]
        fails(shop.delete(item), 501, "woocommerce_rest_trash_not_supported")
        done = good(shop.post(f"{path}/batch", {"create": [{"name": "Next"}], "delete": [made["id"]]}))
        same(done["create"][0]["name"], "Next")
        fails(shop.get(item), 404, "woocommerce_rest_term_invalid")
    attribute = good(shop.post("products/attributes", {"name": "Fabric"}), 201)
    terms = f"products/attributes/{attribute['id']}/terms"
    good(shop.post(terms, {"name": "Wool"}), 201)
    same([one["name"] for one in good(shop.get(terms))], ["Wool"])
    good(shop.delete(f"products/attributes/{attribute['id']}", params={"force": True}))
    fails(shop.get(terms), 404, "woocommerce_rest_taxonomy_invalid")


def errors_say_what_is_wrong():
    wrong = fails(shop.get("products", params={"per_page": 101}), 400, "rest_invalid_param")
    assert wrong["data"]["params"]["per_page"]
    fails(shop.post("products", {"regular_price": 5}), 400, "rest_invalid_param")
    fails(client("cs_wrong").get("products"), 401, "woocommerce_rest_authentication_error")
    fails(shop.get("products/999999"), 404, "woocommerce_rest_product_invalid_id")
    fails(shop.get("nothing"), 404, "rest_no_route")


def webhooks_ping_deliver_and_are_signed():
    inbox = queue.Queue()

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            inbox.put((self.headers, body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    listener = HTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    secret = "Secret0fTheScript"
    hook = good(
        shop.post(
            "webhooks",
            {
                "name": "Script",
                "topic": "product.updated",
                "delivery_url": f"http://127.0.0.1:{listener.server_port}/hook",
                "secret": secret,
            },
        ),
        201,
    )
    assert "secret" not in hook
    same(inbox.get(timeout=10)[1].decode(), f"webhook_id={hook['id']}")
    made = good(shop.post("products", {"name": "Hooked é"}), 201)
    good(shop.put(f"products/{made['id']}", {"name": "Hooked é again"}))
    headers, body = inbox.get(timeout=10)
    expected = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()
    assert hmac.compare_digest(headers["X-WC-Webhook-Signature"], expected)
    same(headers["X-WC-Webhook-Topic"], "product.updated")
    same(json.loads(body)["name"], "Hooked é again")
    same(good(shop.get(f"webhooks/{hook['id']}"))["status"], "active")
    same(shop.get("webhooks").headers["X-WP-Total"], "1")
    bogus = {"topic": "product.bogus", "delivery_url": "http://127.0.0.1:9/"}
    fails(shop.post("webhooks", bogus), 400, "woocommerce_rest_shop_webhook_invalid_topic")
    good(shop.delete(f"webhooks/{hook['id']}", params={"force": True}))
    listener.shutdown()


for step in [
    lists_page_by_their_totals,
    a_product_is_created_read_found_and_updated,
    variations_are_created_listed_updated_and_deleted,
    batches_create_update_and_delete,
    deletions_go_to_the_trash_and_with_force_for_good,
    categories_tags_and_attributes_are_kept,
    errors_say_what_is_wrong,
    webhooks_ping_deliver_and_are_signed,
]:
    step()
    print(f"ok {step.__name__.replace('_', ' ')}", flush=True)
