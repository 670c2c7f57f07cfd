// The ordinary work of a shop's integration, by the official JavaScript client. One line for each step; the
// first that fails ends it. `run` sets SANDBOX, WAY and CLIENTS.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { Agent } from "node:https";
import { createRequire } from "node:module";

const require = createRequire(`${process.env.CLIENTS}/package.json`);
const Client = require("@woocommerce/woocommerce-rest-api").default;
const { url, key, secret, certificate } = JSON.parse(process.env.SANDBOX);
const way = process.env.WAY;

function client(consumerSecret = secret) {
  return new Client({
    url,
    consumerKey: key,
    consumerSecret,
    version: "wc/v3",
    queryStringAuth: way === "query",
    axiosConfig: certificate ? { httpsAgent: new Agent({ ca: certificate }) } : {},
  });
}

const shop = client();

async function step(name, work) {
  await work();
  console.log(`ok ${name}`);
}

async function fails(status, code, request) {
  const error = await request.then(
    () => assert.fail(`expected ${status} ${code}`),
    (error) => error,
  );
  assert.equal(error.response?.status, status, String(error));
  assert.equal(error.response.data.code, code);
  return error.response.data;
}

async function all(path, params) {
  const found = [];
  for (let page = 1, pages = 1; page <= pages; page += 1) {
    const { data, headers } = await shop.get(path, { ...params, per_page: 5, page });
    pages = Number(headers["x-wp-totalpages"]);
    found.push(...data);
    if (page === pages) assert.equal(found.length, Number(headers["x-wp-total"]));
  }
  return found;
}

await step("lists page by their totals", async () => {
  const products = await all("products", { orderby: "id", order: "asc" });
  assert.ok(products.length > 10);
  assert.equal(new Set(products.map((one) => one.id)).size, products.length);
  const some = products.slice(0, 3).map((one) => one.id);
  const { data } = await shop.get("products", { include: some.join(","), orderby: "include" });
  assert.deepEqual(data.map((one) => one.id), some);
  const simple = await all("products", { type: "simple" });
  assert.ok(simple.length && simple.every((one) => one.type === "simple"));
});

let product;
await step("a product is created, read, found, updated", async () => {
  const made = await shop.post("products", {
    name: "Tee & Co 50% ~é",
    type: "simple",
    regular_price: "21.99",
    sku: "client-1",
    description: "<p>Soft</p>",
  });
  assert.equal(made.status, 201);
  product = made.data;
  assert.equal(product.price, "21.99");
  const { data: read } = await shop.get(`products/${product.id}`);
  assert.equal(read.sku, "client-1");
  const { data: found } = await shop.get("products", { sku: "client-1" });
  assert.deepEqual(found.map((one) => one.id), [product.id]);
  const { data: searched } = await shop.get("products", { search: "50% ~é" });
  assert.deepEqual(searched.map((one) => one.id), [product.id]);
  const { data: changed } = await shop.put(`products/${product.id}`, {
    name: "Other",
    meta_data: [{ key: "note", value: "n" }],
  });
  assert.equal(changed.name, "Other");
  assert.equal(changed.meta_data.find((row) => row.key === "note").value, "n");
  assert.equal((await shop.get(`products/${product.id}`)).data.name, "Other");
});

await step("variations are created, listed, updated and deleted", async () => {
  const { data: parent } = await shop.post("products", {
    name: "Shirt",
    type: "variable",
    attributes: [{ name: "Size", visible: true, variation: true, options: ["S", "M"] }],
  });
  const path = `products/${parent.id}/variations`;
  const { data: small, status } = await shop.post(path, {
    regular_price: "9",
    attributes: [{ name: "Size", option: "S" }],
  });
  assert.equal(status, 201);
  const { data: done } = await shop.post(`${path}/batch`, {
    create: [{ regular_price: "10", attributes: [{ name: "Size", option: "M" }] }],
    update: [{ id: small.id, regular_price: "8" }],
  });
  assert.equal(done.update[0].regular_price, "8");
  assert.equal((await shop.get(path)).data.length, 2);
  const { data: changed } = await shop.put(`${path}/${small.id}`, { description: "small" });
  assert.match(changed.description, /small/);
  assert.equal((await shop.get(`products/${small.id}`)).data.type, "variation");
  await shop.delete(`${path}/${small.id}`, { force: true });
  await fails(404, "woocommerce_rest_product_variation_invalid_id", shop.get(`${path}/${small.id}`));
  assert.equal((await shop.get(`products/${parent.id}`)).data.variations.length, 1);
});

await step("batches create, update and delete", async () => {
  const { data: made } = await shop.post("products/batch", {
    create: [{ name: "One", sku: "client-2" }, { name: "Two", sku: "client-2" }, { name: "Three" }],
  });
  const [one, two, three] = made.create;
  assert.equal(two.error.code, "product_invalid_sku");
  const { data: done } = await shop.post("products/batch", {
    update: [{ id: one.id, name: "New" }, { id: 999999, name: "x" }],
    delete: [three.id],
  });
  assert.equal(done.update[0].name, "New");
  assert.equal(done.update[1].error.code, "woocommerce_rest_product_invalid_id");
  assert.equal(done.delete[0].id, three.id);
  await fails(404, "woocommerce_rest_product_invalid_id", shop.get(`products/${three.id}`));
});

await step("deletions go to the trash, and with force for good", async () => {
  await shop.delete(`products/${product.id}`);
  assert.equal((await shop.get(`products/${product.id}`)).data.status, "trash");
  assert.ok((await all("products", { status: "trash" })).some((one) => one.id === product.id));
  await fails(410, "woocommerce_rest_already_trashed", shop.delete(`products/${product.id}`));
  await shop.delete(`products/${product.id}`, { force: true });
  await fails(404, "woocommerce_rest_product_invalid_id", shop.get(`products/${product.id}`));
});

await step("categories, tags and attributes are created, changed, batched and deleted", async () => {
  for (const path of ["products/categories", "products/tags"]) {
    const { data: made } = await shop.post(path, { name: "Fresh" });
    const known = await fails(400, "term_exists", shop.post(path, { name: "Fresh" }));
    assert.equal(known.data.resource_id, made.id);
    assert.equal((await shop.put(`${path}/${made.id}`, { name: "Old" })).data.name, "Old");
    assert.ok((await all(path)).some((one) => one.id === made.id));
    await fails(501, "woocommerce_rest_trash_not_supported", shop.delete(`${path}/${made.id}`));
    const { data: done } = await shop.post(`${path}/batch`, { create: [{ name: "Next" }], delete: [made.id] });
    assert.equal(done.create[0].name, "Next");
    await fails(404, "woocommerce_rest_term_invalid", shop.get(`${path}/${made.id}`));
  }
  const { data: attribute } = await shop.post("products/attributes", { name: "Fabric" });
  const terms = `products/attributes/${attribute.id}/terms`;
  await shop.post(terms, { name: "Wool" });
  assert.deepEqual((await shop.get(terms)).data.map((one) => one.name), ["Wool"]);
  await shop.delete(`products/attributes/${attribute.id}`, { force: true });
  await fails(404, "woocommerce_rest_taxonomy_invalid", shop.get(terms));
});

await step("errors say what is wrong", async () => {
  const wrong = await fails(400, "rest_invalid_param", shop.get("products", { per_page: 101 }));
  assert.ok(wrong.data.params.per_page);
  await fails(400, "rest_invalid_param", shop.post("products", { regular_price: 5 }));
  await fails(401, "woocommerce_rest_authentication_error", client("cs_wrong").get("products"));
  await fails(404, "woocommerce_rest_product_invalid_id", shop.get("products/999999"));
  await fails(404, "rest_no_route", shop.get("nothing"));
});

await step("webhooks ping, deliver and are signed", async () => {
  const inbox = [];
  const listener = createServer((request, response) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => {
      inbox.push({ headers: request.headers, body: Buffer.concat(parts) });
      listener.emit("mail");
      response.end();
    });
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const next = async () => {
    while (!inbox.length) await once(listener, "mail", { signal: AbortSignal.timeout(10_000) });
    return inbox.shift();
  };
  const hookSecret = "Secret0fTheScript";
  const { data: hook } = await shop.post("webhooks", {
    name: "Script",
    topic: "product.updated",
    delivery_url: `http://127.0.0.1:${listener.address().port}/hook`,
    secret: hookSecret,
  });
  assert.equal(hook.secret, undefined);
  assert.equal((await next()).body.toString(), `webhook_id=${hook.id}`);
  const { data: made } = await shop.post("products", { name: "Hooked é" });
  await shop.put(`products/${made.id}`, { name: "Hooked é again" });
  const { headers, body } = await next();
  const expected = createHmac("sha256", hookSecret).update(body).digest("base64");
  assert.equal(headers["x-wc-webhook-signature"], expected);
  assert.equal(headers["x-wc-webhook-topic"], "product.updated");
  assert.equal(JSON.parse(body).name, "Hooked é again");
  assert.equal((await shop.get(`webhooks/${hook.id}`)).data.status, "active");
  assert.equal((await shop.get("webhooks")).headers["x-wp-total"], "1");
  await fails(400, "woocommerce_rest_shop_webhook_invalid_topic", shop.post("webhooks", {
    topic: "product.bogus",
    delivery_url: "http://127.0.0.1:9/",
  }));
  await shop.delete(`webhooks/${hook.id}`, { force: true });
  listener.close();
  listener.closeAllConnections();
});
