// The official OpenAPI documents of a platform, as Prism reads and checks them: a validating server that we did not
// write.
//
// Requests are held to more than a document says by itself: what a body has and no branch of its schema declares is a
// violation, by the keyword that JSON Schema has for that, and so are what is only read and query parameters that are
// not declared.
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(join(process.env.CLIENTS, 'node_modules', 'x.js'));
const { createLogger } = require('@stoplight/prism-core');
const prism = require('@stoplight/prism-http');
const { createServer } = require('@stoplight/prism-http-server');

const logger = createLogger('prism', { level: 'silent' });
const CHECKS = { isProxy: true, errors: false, checkSecurity: true, validateRequest: true, mock: {} };

const GRAPHQL = 'the GraphQL Admin API has no document';
const IDS = 'its description asks for `id` ("required for batch updates"), and the schema calls it read-only';
const NUMBERS = 'the route of one variant declares it, that of many has an older copy of its schema; what a batch '
  + 'passes over goes by the former';
const FIELDS = 'the guide "Retrieve filtered responses" (AdobeDocs/commerce-webapi) gives it to every call';
const VALUES = 'Magento writes `mixed` as `string`: in magento/magento2, Framework/Api/AttributeInterface.php has the '
  + 'one, $simpleTypeList of Webapi/Model/Rest/Swagger/Generator.php the other';
const OPTIONS = 'null for a product with options, says its description; the schema has an integer';
const IMAGE = 'two branches of oneOf allow the same image, so it is never one alone';
const HOOKS = 'at least one hook is asked for, and a store may have none';
const LABEL = 'a picture that nobody labelled has null';
const STOCK = 'a product whose stock was never low has null';

// Where a document is wrong, or says less than the platform: an operation, a place, what is told there, and why.
// A star stands for anything.
const EXCEPTIONS = {
  requests: [
    ['POST /stores/*/graphql', 'operation', 'no document', GRAPHQL],
    ['PUT */catalog/products', 'body/*', "unevaluated properties: 'id'", IDS],
    ['PUT */catalog/variants', 'body/*', "unevaluated properties: 'mpn'", NUMBERS],
    ['PUT */catalog/variants', 'body/*', "unevaluated properties: 'gtin'", NUMBERS],
    ['GET */V1/*', 'query/fields', 'not declared', FIELDS],
    ['* */V1/products', 'body/product/custom_attributes/*/value', 'must be string (null)', VALUES],
  ],
  answers: [
    ['* */catalog/products*', 'body/data/*base_variant_id', 'must be integer (null)', OPTIONS],
    ['PUT */catalog/products/*/images/*', 'body/data', 'exactly one schema in oneOf', IMAGE],
    ['GET */hooks', 'body/data', 'fewer than 1 items', HOOKS],
    ['* */V1/*', 'body/*custom_attributes/*/value', 'must be string', VALUES],
    ['* */V1/*', 'body/*label', 'must be string (null)', LABEL],
    ['* */V1/*', 'body/*low_stock_date', 'must be string (null)', STOCK],
  ],
};

function fits(pattern, text) {
  const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(text);
}

// The operations of a document, below `prefix`, or the path of the server that it names.
async function operations(path, prefix) {
  const found = await prism.getHttpOperationsFromSpec(path);
  for (const operation of found) {
    operation.path = (prefix ?? operation.servers[0].url.replace(/^https:\/\/[^/]+/, '')) + operation.path;
    for (const content of operation.request?.body?.contents ?? []) {
      const $schema = 'https://json-schema.org/draft/2020-12/schema';
      if (content.schema) content.schema = { ...closed(content.schema), $schema };
    }
  }
  return found;
}

const KEYWORDS = ['allOf', 'anyOf', 'oneOf'];

// A schema of what is sent: without what is only read, and without room for what nobody declares. A branch does not
// know what its siblings declare, so it is their whole that is closed.
function closed(schema, isBranch = false) {
  if (schema === null || typeof schema !== 'object' || schema.$ref) return schema;
  const all = { ...schema };
  if (all.properties) {
    const sent = Object.entries(all.properties).filter(([, it]) => !it.readOnly);
    all.properties = Object.fromEntries(sent.map(([name, it]) => [name, closed(it)]));
    all.required = all.required?.filter((name) => !schema.properties[name]?.readOnly);
  }
  if (all.items) all.items = closed(all.items);
  for (const keyword of KEYWORDS.filter((keyword) => all[keyword])) {
    all[keyword] = all[keyword].map((branch) => closed(branch, true));
  }
  const declares = (it) => it.properties || KEYWORDS.some((keyword) => it[keyword]?.some(declares));
  if (!isBranch && declares(all) && all.additionalProperties === undefined) all.unevaluatedProperties = false;
  return all;
}

// All operations of a platform. `prefix` is what stands before the paths of Magento's documents.
export async function documents(platform, specs, prefix) {
  const folder = join(specs, platform === 'bigcommerce' ? platform : 'magento', 'openapi');
  const names = {
    bigcommerce: () => readdirSync(folder).filter((name) => name.endsWith('.yml')).sort(),
    magento: () => ['admin-2.4.9-catalog-subset.json'],
    cloud: () => ['accs-2026-07-catalog-subset.json'],
  };
  return (await Promise.all(names[platform]().map((name) => operations(join(folder, name), prefix)))).flat();
}

// What the documents do not allow, but for the exceptions, and how often each of those was needed.
export class Findings {
  constructor(which) {
    this.exceptions = EXCEPTIONS[which].map(([operation, place, message, reason]) => (
      { operation, place, message, reason, used: 0 }
    ));
    this.told = new Map();
  }

  // What is left of the violations of one request or answer.
  add(operation, violations) {
    const left = [];
    for (const { place, message } of violations) {
      const exception = this.exceptions.find((it) => (
        fits(it.operation, operation) && fits(it.place, place) && message.includes(it.message)
      ));
      if (exception) exception.used += 1;
      else left.push(`${operation}: ${place.replace(/\/\d+(?=\/|$)/g, '/*')} ${message}`);
    }
    for (const text of left) this.told.set(text, (this.told.get(text) ?? 0) + 1);
    return left;
  }

  // What was planted is no finding.
  forget() {
    this.told.clear();
    for (const it of this.exceptions) it.used = 0;
  }

  // Tells all of it, and how much of it fails: an exception that nothing needs does, too.
  show(needed = () => true) {
    let failed = this.told.size;
    for (const it of this.exceptions.filter(needed)) {
      failed += it.used ? 0 : 1;
      console.log(`  excepted ${it.used} x ${it.operation}, ${it.place} ${it.message}: ${it.reason}`);
    }
    for (const [text, times] of this.told) console.log(`  ${times} x ${text}`);
    return failed;
  }
}

// What Prism told of a request, and what it cannot tell: which query parameters nobody declares.
function ofRequest(operation, input, validations) {
  if (!operation) return [{ place: 'operation', message: 'no document has it' }];
  const declared = new Set((operation.request?.query ?? []).map((it) => it.name));
  // Magento declares the first of each kind of filter.
  const names = Object.keys(input.url.query).filter((name) => !declared.has(name.replace(/\[\d+\]/g, '[0]')));
  return [
    ...validations.map((validation) => violation(validation, input)),
    ...names.map((name) => ({ place: `query/${name}`, message: 'is not declared' })),
  ];
}

// A violation as a place and what is told of it; of a wrong type, with what was there.
function violation({ path = [], message, code }, { body }) {
  const place = path.join('/');
  const told = message.replace(/^(Request|Response) (body|query|path|header) ((property|parameter) \S+ )?/, '');
  if (code !== 'type' || path[0] !== 'body') return { place, message: told, code };
  const value = path.slice(1).reduce((inner, step) => inner?.[step], body);
  const kind = Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value;
  return { place, message: `${told} (${kind})`, code };
}

function named(operation, input) {
  const isTrimmed = 'fields' in input.url.query || 'include_fields' in input.url.query;
  return { name: `${input.method.toUpperCase()} ${operation?.path ?? input.url.path}`, isTrimmed };
}

// Prism's validator without a server: each request is checked, and goes nowhere.
export class Checker {
  constructor(operations) {
    this.operations = operations;
    const answered = (operation) => async () => ({ _tag: 'Right', right: { statusCode: 200, headers: {}, operation } });
    const forward = (_input, _upstream, _proxy, operation) => () => answered(operation);
    const config = { ...CHECKS, validateResponse: false, upstream: new URL('http://nowhere.invalid') };
    this.instance = prism.createInstance(config, { logger, forward });
  }

  // The operation of a request as Prism's server reads it, and what is not allowed.
  async check(input) {
    const { _tag, left, right } = await this.instance.request(input, this.operations)();
    if (_tag === 'Left') throw left;
    const { operation } = right.output;
    return { operation, ...named(operation, input), violations: ofRequest(operation, input, right.validations.input) };
  }
}

// A request, as Prism's server reads it.
export function read({ method, target, headers, body }) {
  const url = new URL(target, 'http://nowhere.invalid');
  const query = {};
  for (const name of new Set(url.searchParams.keys())) {
    const values = url.searchParams.getAll(name);
    query[name] = values.length === 1 ? values[0] : values;
  }
  const length = body ? { 'content-length': String(Buffer.byteLength(body)) } : {};
  return {
    method: method.toLowerCase(),
    url: { path: url.pathname, query },
    headers: { ...headers, ...length },
    body: body ? JSON.parse(body) : undefined,
  };
}

// Prism as a proxy before a server. `seen` is told the name of each request, what of it is not allowed, and what of
// its answer is not.
export function proxy(operations, upstream, seen) {
  const config = { ...CHECKS, validateResponse: true, upstream: new URL(upstream) };
  const server = createServer(operations, { config, cors: false, components: { logger } });
  const checker = new Checker(operations);
  const { request } = server.prism;
  server.prism.request = (input, ...rest) => async () => {
    const { operation, name, isTrimmed } = await checker.check(input);
    const result = await request(input, ...rest)();
    if (result._tag === 'Left') throw result.left;
    const { input: asked, output } = result.right.validations;
    const answered = output.map((it) => violation(it, result.right.output));
    // What was not asked for is not there.
    seen(name, ofRequest(operation, input, asked), answered.filter(({ code }) => !(isTrimmed && code === 'required')));
    return result;
  };
  return server;
}
