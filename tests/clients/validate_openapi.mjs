// Every request that the BigCommerce and Magento connectors sent in the tests, held against the official OpenAPI
// documents by Prism. Asynchronous calls of Magento have no document: each of their operations is held as the plain
// call that it is.
//
// Usage: validate_openapi.mjs RECORD SPECS
import { readFileSync } from 'node:fs';
import { Checker, Findings, documents, read } from './openapi.mjs';

const [record, specs] = process.argv.slice(2);

// The requests of a line, with the platform whose documents have them.
function requests({ rest: method, target, headers, body }) {
  if (target.startsWith('/stores/')) return [{ platform: 'bigcommerce', method, target, headers, body }];
  const plain = target.match(/^.*?\/rest\/(?:(?!V1\/|async\/)[^/]+\/)?(?:async\/(bulk\/)?)?(V1\/.*)$/);
  const cloud = target.match(/^\/[^/]+\/V1\/(?:async\/(bulk\/)?)?(.*)$/);
  const [, bulk, path] = plain ?? cloud ?? [];
  if (path === undefined) throw new Error(`no platform has ${target}`);
  const where = plain ? { platform: 'magento', target: `/${path}` } : { platform: 'cloud', target: `/V1/${path}` };
  const bodies = bulk ? JSON.parse(body).map((item) => JSON.stringify(item)) : [body];
  return bodies.map((one) => ({ ...where, method, headers, body: one }));
}

const json = { 'content-type': 'application/json', accept: 'application/json' };
const keyed = { ...json, 'x-auth-token': 'given' };
const text = { ...json, 'content-type': 'text/plain' };
const at = (method, target, headers, body) => ({ method, target, headers, body: body && JSON.stringify(body) });
const v3 = '/stores/abc123/v3';
const product = `${v3}/catalog/products/77`;

// Wrong requests of each kind; each has to be found, or nothing that follows means anything.
const image = '/V1/products/cap/media/1';
const MAGENTO = [
  ['a path that is not there', at('GET', '/V1/productz', json)],
  ['a verb that the path does not have', at('DELETE', '/V1/store/storeConfigs', json)],
  ['a parameter that is not there', at('GET', '/V1/products?searchCriteria[pageSize]=1&colour=red', json)],
  ['a number that is none', at('GET', '/V1/products?searchCriteria[pageSize]=ten', json)],
  ['a text that is none', at('PUT', '/V1/products/cap', json, { product: { sku: 5 } })],
  ['a body without its wrapper', at('PUT', '/V1/products/cap', json, { name: 'Cap' })],
  ['a property that is not there', at('PUT', '/V1/products/cap', json, { product: { sku: 'cap', colour: 'red' } })],
  ['an entry that lacks what is required', at('PUT', image, json, { entry: { id: 1, label: 'Cap' } })],
  ['another media type', at('PUT', '/V1/products/cap', text, { product: { sku: 'cap' } })],
];
const PLANTED = {
  bigcommerce: [
    ['a path that is not there', at('GET', `${v3}/catalog/productz`, keyed)],
    ['a verb that the path does not have', at('POST', '/stores/abc123/v2/store', keyed)],
    ['a request without its token', at('GET', `${v3}/catalog/products`, json)],
    ['a parameter that is not there', at('GET', `${v3}/catalog/products?colour=red`, keyed)],
    ['a number above its bound', at('GET', `${v3}/catalog/products?limit=251`, keyed)],
    ['a word that is not among the choices', at('GET', `${v3}/catalog/products?include=images,imagez`, keyed)],
    ['an id that is no number', at('GET', `${v3}/catalog/products/cap`, keyed)],
    ['a text that is none', at('PUT', product, keyed, { name: 5 })],
    ['a text that is too long', at('PUT', product, keyed, { page_title: 'a'.repeat(256) })],
    ['a property that is not there', at('PUT', product, keyed, { colour: 'red' })],
    ['a property that is only read', at('PUT', product, keyed, { calculated_price: 5 })],
    ['a hook that lacks what is required', at('POST', `${v3}/hooks`, keyed, { destination: 'https://hook.example/a' })],
    ['another media type', at('PUT', product, { ...text, 'x-auth-token': 'given' }, { name: 'Cap' })],
  ],
  magento: MAGENTO,
  cloud: MAGENTO,
};

// A recorded request in wrong forms, for each operation: its schemas are in use only where these are found.
function spoiled(operation, request) {
  const { url, headers, body } = request;
  const wrong = [];
  if (body !== undefined) {
    wrong.push(['another body', { ...request, body: 7 }]);
    const more = Array.isArray(body) ? [{ ...body[0], nothingSuch: 1 }] : { ...body, nothingSuch: 1 };
    wrong.push(['a property more', { ...request, body: more }]);
  }
  for (const { name, schema } of operation.request?.query ?? []) {
    // Any text is a text.
    const { type, enum: choices } = schema?.items ?? schema ?? {};
    if (type === undefined || (type === 'string' && !choices)) continue;
    wrong.push([`another ${name}`, { ...request, url: { ...url, query: { ...url.query, [name]: 'x?' } } }]);
  }
  for (const { name, schema } of operation.request?.path ?? []) {
    if (schema?.type !== 'integer') continue;
    const path = url.path.split('/').with(operation.path.split('/').indexOf(`{${name}}`), 'x').join('/');
    wrong.push([`another ${name}`, { ...request, url: { ...url, path } }]);
  }
  if (operation.security?.length) {
    const { 'x-auth-token': _, ...others } = headers;
    wrong.push(['no token', { ...request, headers: others }]);
  }
  return wrong;
}

const lines = [...new Set(readFileSync(record, 'utf8').split('\n').filter(Boolean))].map((line) => JSON.parse(line));
const calls = lines.filter((line) => line.rest !== undefined).flatMap(requests);
const findings = new Findings('requests');
let failed = 0;
const fail = (text) => {
  failed += 1;
  console.log(text);
};
for (const [platform, planted] of Object.entries(PLANTED)) {
  const checker = new Checker(await documents(platform, specs, platform === 'bigcommerce' ? undefined : ''));
  for (const [what, request] of planted) {
    const { violations } = await checker.check(read(request));
    if (violations.length === 0) fail(`NOT FOUND in ${platform}: ${what}, which was planted`);
  }
  const before = findings.told.size;
  const operations = new Map();
  const mine = calls.filter((call) => call.platform === platform);
  for (const call of mine) {
    const request = read(call);
    const { operation, name, violations } = await checker.check(request);
    findings.add(name, violations);
    if (operation && !operations.has(operation)) operations.set(operation, { name, request });
  }
  let wrong = planted.length;
  for (const [operation, { name, request }] of operations) {
    for (const [what, spoilt] of spoiled(operation, request)) {
      wrong += 1;
      const { violations } = await checker.check(spoilt);
      if (violations.length === 0) fail(`NOT FOUND in ${platform}: ${name} with ${what}`);
    }
  }
  const problems = findings.told.size - before;
  console.log(
    `${platform}: ${mine.length} requests of ${operations.size} operations, ${wrong} wrong ones planted; `
      + `${problems} problems`,
  );
  if (mine.length === 0) fail(`nothing of ${platform} was recorded`);
}
failed += findings.show();
process.exit(failed ? 1 : 0);
