// The ordinary work of a shop's app, by the platform's official JavaScript clients. One line for each step; the
// first that fails ends it. `run` sets SANDBOX, CLIENTS and NODE_EXTRA_CA_CERTS.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { request as send } from "node:https";
import { createRequire } from "node:module";

const require = createRequire(`${process.env.CLIENTS}/package.json`);
const sandbox = JSON.parse(process.env.SANDBOX);
const { shop, token, client_id: apiKey, client_secret: apiSecretKey } = sandbox;
const version = "2026-10";

// What a resolver does elsewhere: the shop's name leads to the sandbox. Names are checked against its certificate.
async function toSandbox(url, { method = "GET", headers = {}, body } = {}) {
  const { hostname, pathname, search, protocol } = new URL(url);
  assert.deepEqual([protocol, hostname], ["https:", shop], "requests go to the shop alone");
  const [host, port] = sandbox.address.split(":");
  const given = Object.fromEntries(new Headers(headers));
  const options = { host, port, method, path: pathname + search, servername: shop, headers: { ...given, host: shop } };
  const request = send(options);
  request.end(body);
  const [answer] = await once(request, "response");
  const parts = await answer.toArray();
  const pairs = Object.entries(answer.headers).flatMap(([name, value]) => [value].flat().map((one) => [name, one]));
  return new Response(Buffer.concat(parts), { status: answer.statusCode, headers: pairs });
}

const { createAdminApiClient } = require("@shopify/admin-api-client");
const { shopifyApi, DeliveryMethod, LogSeverity, RequestedTokenType, Session } = require("@shopify/shopify-api");
require("@shopify/shopify-api/adapters/node");
require("@shopify/shopify-api/runtime").setAbstractFetchFunc(toSandbox);

async function step(name, work) {
  await work();
  console.log(`ok ${name}`);
}

const admin = createAdminApiClient({
  storeDomain: shop,
  apiVersion: version,
  accessToken: token,
  customFetchApi: toSandbox,
});

async function ask(document, variables) {
  const { data, errors, extensions } = await admin.request(document, { variables });
  assert.equal(errors, undefined, JSON.stringify(errors));
  assert.ok(extensions.cost.throttleStatus.currentlyAvailable > 0);
  return data;
}

async function all(document, name, first) {
  const found = [];
  for (let after = null; ; ) {
    const { [name]: page } = await ask(document, { first, after });
    found.push(...page.nodes);
    if (!page.pageInfo.hasNextPage) return found;
    assert.notEqual(page.pageInfo.endCursor, after);
    after = page.pageInfo.endCursor;
  }
}

let product;
await step("the shop is read, and products page to their end", async () => {
  const { shop: read, productsCount } = await ask(
    "query { shop { id name myshopifyDomain currencyCode } productsCount { count precision } }",
  );
  assert.equal(read.myshopifyDomain, shop);
  const products = await all(
    `query ($first: Int!, $after: String) {
      products(first: $first, after: $after, sortKey: ID) {
        nodes { id title tags variants(first: 3) { nodes { id price selectedOptions { name value } } } }
        pageInfo { hasNextPage endCursor }
      }
    }`,
    "products",
    7,
  );
  assert.equal(products.length, productsCount.count);
  assert.equal(new Set(products.map((one) => one.id)).size, products.length);
  assert.ok(products.every((one) => one.variants.nodes.length));
  [product] = products;
});

await step("a product is found and updated", async () => {
  const { productUpdate } = await ask(
    `mutation ($product: ProductUpdateInput!) {
      productUpdate(product: $product) {
        product { id title descriptionHtml seo { title description } }
        userErrors { field message }
      }
    }`,
    {
      product: {
        id: product.id,
        title: "Tee & Co 50% ~é",
        descriptionHtml: "<p>Soft</p>",
        seo: { title: "Tee", description: "A tee." },
      },
    },
  );
  assert.deepEqual(productUpdate.userErrors, []);
  assert.deepEqual(productUpdate.product.seo, { title: "Tee", description: "A tee." });
  const { product: read } = await ask("query ($id: ID!) { product(id: $id) { title } }", { id: product.id });
  assert.equal(read.title, "Tee & Co 50% ~é");
  const { products } = await ask("query ($query: String) { products(first: 5, query: $query) { nodes { id } } }", {
    query: `id:${product.id.split("/").pop()}`,
  });
  assert.deepEqual(products.nodes, [{ id: product.id }]);
  const { productUpdate: refused } = await ask(
    `mutation ($product: ProductUpdateInput!) {
      productUpdate(product: $product) { product { id } userErrors { field message } }
    }`,
    { product: { id: product.id, title: "" } },
  );
  assert.equal(refused.userErrors[0].field.at(-1), "title");
});

await step("tags are added and removed", async () => {
  const change = (name) =>
    `mutation ($id: ID!, $tags: [String!]!) {
      ${name}(id: $id, tags: $tags) { node { id ... on Product { tags } } userErrors { field message } }
    }`;
  const { tagsAdd } = await ask(change("tagsAdd"), { id: product.id, tags: ["of a client", "two"] });
  assert.deepEqual(tagsAdd.userErrors, []);
  assert.ok(["of a client", "two"].every((tag) => tagsAdd.node.tags.includes(tag)));
  const { tagsRemove } = await ask(change("tagsRemove"), { id: product.id, tags: ["two"] });
  assert.ok(!tagsRemove.node.tags.includes("two"));
});

await step("metafields are set against their digest", async () => {
  const set = (value, compareDigest) =>
    ask(
      `mutation ($metafields: [MetafieldsSetInput!]!) {
        metafieldsSet(metafields: $metafields) {
          metafields { key value compareDigest }
          userErrors { field message code elementIndex }
        }
      }`,
      {
        metafields: [
          { ownerId: product.id, namespace: "custom", key: "of_a_client", type: "single_line_text_field", value, compareDigest },
        ],
      },
    );
  const { metafieldsSet: made } = await set("one", null);
  assert.deepEqual(made.userErrors, []);
  const { metafieldsSet: changed } = await set("two", made.metafields[0].compareDigest);
  assert.equal(changed.metafields[0].value, "two");
  const { metafieldsSet: stale } = await set("three", made.metafields[0].compareDigest);
  assert.equal(stale.userErrors[0].code, "STALE_OBJECT");
});

await step("a bulk query is run, watched and read", async () => {
  const { bulkOperationRunQuery: begun } = await ask(
    `mutation ($query: String!) {
      bulkOperationRunQuery(query: $query) { bulkOperation { id status } userErrors { field message } }
    }`,
    { query: "{ products { edges { node { id title variants { edges { node { id sku } } } } } } }" },
  );
  assert.deepEqual(begun.userErrors, []);
  let job = begun.bulkOperation;
  for (let turn = 0; job.status !== "COMPLETED"; turn += 1) {
    assert.ok(turn < 100 && ["CREATED", "RUNNING"].includes(job.status), job.status);
    await new Promise((done) => setTimeout(done, 100));
    ({ bulkOperation: job } = await ask(
      "query ($id: ID!) { bulkOperation(id: $id) { id status errorCode objectCount rootObjectCount fileSize url } }",
      { id: job.id },
    ));
  }
  const text = await (await toSandbox(job.url)).text();
  assert.equal(Buffer.byteLength(text), Number(job.fileSize));
  const lines = text.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.equal(lines.length, Number(job.objectCount));
  const roots = new Set(lines.filter((line) => !line.__parentId).map((line) => line.id));
  assert.equal(roots.size, Number(job.rootObjectCount));
  assert.ok(lines.every((line) => !line.__parentId || roots.has(line.__parentId)));
});

const shopify = shopifyApi({
  apiKey,
  apiSecretKey,
  apiVersion: version,
  scopes: ["read_products", "write_products"],
  hostName: "app.example",
  isEmbeddedApp: true,
  logger: { level: LogSeverity.Error },
});

function client(session) {
  return new shopify.clients.Graphql({ session });
}

async function works(session) {
  const { data } = await client(session).request("query { shop { myshopifyDomain } }");
  assert.equal(data.shop.myshopifyDomain, shop);
}

async function fails(status, request) {
  const error = await request.then(
    () => assert.fail(`expected ${status}`),
    (error) => error,
  );
  assert.equal(error.response?.code, status, String(error));
  return error;
}

const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

function sessionToken(claims = {}) {
  const now = Math.floor(Date.now() / 1000);
  const all = { iss: `https://${shop}/admin`, dest: `https://${shop}`, aud: apiKey, sub: "1", exp: now + 60, nbf: now, iat: now };
  const text = `${encode({ alg: "HS256", typ: "JWT" })}.${encode({ ...all, ...claims })}`;
  return `${text}.${createHmac("sha256", apiSecretKey).update(text).digest("base64url")}`;
}

let offline;
await step("an app is authorised by a code, and the callback's signature holds", async () => {
  const app = shopifyApi({
    apiKey,
    apiSecretKey,
    apiVersion: version,
    scopes: ["read_products"],
    hostName: "app.example",
    isEmbeddedApp: false,
    logger: { level: LogSeverity.Error },
  });
  // The requests and answers of a server that stands for the app's.
  const visit = (url, cookie) => ({ method: "GET", url, headers: { host: "app.example", "user-agent": "Mozilla/5.0 Firefox/130.0", ...cookie } });
  const answer = () => {
    const headers = {};
    return { headers, setHeader: (name, value) => (headers[name.toLowerCase()] = value), getHeaders: () => headers, write() {}, end() {} };
  };
  const begun = answer();
  await app.auth.begin({ shop, callbackPath: "/back", isOnline: false, rawRequest: visit("/auth"), rawResponse: begun });
  const asked = await toSandbox(begun.headers.location);
  assert.equal(asked.status, 302);
  const back = new URL(asked.headers.get("location"));
  assert.deepEqual([back.origin, back.pathname], ["https://app.example", "/back"]);
  const cookie = { cookie: [begun.headers["set-cookie"]].flat().map((one) => one.split(";")[0]).join("; ") };
  const call = (query) =>
    app.auth.callback({ expiring: true, rawRequest: visit(`/back?${query}`, cookie), rawResponse: answer() });
  const forged = new URLSearchParams(back.searchParams);
  forged.set("code", "0123456789abcdef");
  await assert.rejects(call(forged), { name: /Error/ });
  const { session } = await call(back.searchParams);
  assert.ok(session.refreshToken && session.scope);
  await works(session);
});

await step("a session token is exchanged for tokens, offline and online", async () => {
  const exchange = (requestedTokenType, expiring, claims) =>
    shopify.auth.tokenExchange({ shop, sessionToken: sessionToken(claims), requestedTokenType, expiring });
  ({ session: offline } = await exchange(RequestedTokenType.OfflineAccessToken, true));
  assert.ok(offline.refreshToken && offline.refreshTokenExpires > offline.expires && offline.expires > new Date());
  await works(offline);
  const { session: permanent } = await exchange(RequestedTokenType.OfflineAccessToken, false);
  assert.equal(permanent.expires, undefined);
  await works(permanent);
  const { session: online } = await exchange(RequestedTokenType.OnlineAccessToken);
  assert.ok(online.isOnline && online.onlineAccessInfo.associated_user.id);
  await works(online);
  const { session: migrated } = await shopify.auth.migrateToExpiringToken({
    shop,
    nonExpiringOfflineAccessToken: permanent.accessToken,
  });
  assert.ok(migrated.refreshToken);
  await works(migrated);
  await fails(401, client(permanent).request("query { shop { name } }"));
});

await step("tokens are refreshed, and the pair before goes with the first use", async () => {
  const { session: next } = await shopify.auth.refreshToken({ shop, refreshToken: offline.refreshToken });
  assert.notEqual(next.accessToken, offline.accessToken);
  assert.notEqual(next.refreshToken, offline.refreshToken);
  await works(next);
  await fails(400, shopify.auth.refreshToken({ shop, refreshToken: offline.refreshToken }));
  offline = next;
});

await step("client credentials give a token for a day", async () => {
  const { session } = await shopify.auth.clientCredentials({ shop });
  const hours = (session.expires - Date.now()) / 3_600_000;
  assert.ok(hours > 23.9 && hours <= 24 && session.refreshToken === undefined);
  await works(session);
});

await step("errors say what is wrong", async () => {
  await fails(401, client(new Session({ id: "1", shop, state: "", isOnline: false, accessToken: "shpat_no" })).request("{ shop { id } }"));
  const wrong = await client(offline)
    .request("query { shop { noSuchField } }")
    .then(() => assert.fail("expected an error"), (error) => error);
  assert.equal(wrong.constructor.name, "GraphqlQueryError");
  assert.match(wrong.message, /noSuchField/);
  const { errors } = await admin.request("query { products { nodes { id } } }");
  assert.match(JSON.stringify(errors.graphQLErrors), /first/);
});

await step("webhooks are registered, delivered and verified", async () => {
  const inbox = [];
  const listener = createServer((request, response) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => {
      inbox.push({ request, body: Buffer.concat(parts).toString() });
      listener.emit("mail");
      response.end();
    });
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const app = shopifyApi({
    apiKey,
    apiSecretKey,
    apiVersion: version,
    hostName: `127.0.0.1:${listener.address().port}`,
    hostScheme: "http",
    isEmbeddedApp: true,
    logger: { level: LogSeverity.Error },
  });
  app.webhooks.addHandlers({ PRODUCTS_UPDATE: { deliveryMethod: DeliveryMethod.Http, callbackUrl: "/hook" } });
  const { PRODUCTS_UPDATE: registered } = await app.webhooks.register({ session: offline });
  assert.ok(registered.every((one) => one.success), JSON.stringify(registered));
  const [found] = (await app.webhooks.register({ session: offline })).PRODUCTS_UPDATE ?? [];
  assert.ok(found === undefined || found.success, "registering again changes nothing");
  await client(offline).request(
    "mutation ($product: ProductUpdateInput!) { productUpdate(product: $product) { userErrors { message } } }",
    { variables: { product: { id: product.id, title: "Hooked é" } } },
  );
  while (!inbox.length) await once(listener, "mail", { signal: AbortSignal.timeout(10_000) });
  const { request, body } = inbox.shift();
  const check = (rawBody) => app.webhooks.validate({ rawBody, rawRequest: request });
  const verdict = await check(body);
  assert.ok(verdict.valid, JSON.stringify(verdict));
  assert.deepEqual([verdict.topic, verdict.domain, verdict.apiVersion], ["PRODUCTS_UPDATE", shop, version]);
  assert.equal(JSON.parse(body).title, "Hooked é");
  assert.equal((await check(`${body} `)).valid, false);
  listener.close();
  listener.closeAllConnections();
});
