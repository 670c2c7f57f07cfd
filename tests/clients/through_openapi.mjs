// The examples against the sandbox, with Prism as a validating proxy between them: check, pull, push and undo by the
// unchanged connector. Requests and answers are held against the official OpenAPI documents.
//
// Usage: through_openapi.mjs PLATFORM SPECS EXAMPLES
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Findings, documents, proxy } from './openapi.mjs';

const [platform, specs, examples] = process.argv.slice(2);
const sandbox = JSON.parse(process.env.SANDBOX);
const requests = new Findings('requests');
const answers = new Findings('answers');
let count = 0;
let last;

// Prism leaves the name of the host out, which requests of Magento are signed with: it is put back on the way. What
// is marked as planted is answered by what no document has.
let host;
const back = http.createServer((request, response) => {
  if (request.headers.planted) {
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"data": 7, "items": 7}');
    return;
  }
  const { hostname, port } = new URL(sandbox.url);
  const headers = { ...request.headers, host };
  const onward = http.request({ hostname, port, method: request.method, path: request.url, headers }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  onward.on('error', () => response.writeHead(502).end());
  request.pipe(onward);
});
const listening = (server) => new Promise((done) => server.listen(0, '127.0.0.1', () => done(server.address().port)));
const behind = await listening(back);
const prefix = platform === 'magento' ? '/rest/{store_view}' : undefined;
const operations = await documents(platform, specs, prefix);
const server = proxy(operations, `http://127.0.0.1:${behind}`, (name, asked, answered) => {
  count += 1;
  last = { asked: requests.add(name, asked), answered: answers.add(name, answered) };
});
const url = await server.listen(0, '127.0.0.1');
host = new URL(url).host;

let failed = 0;
const fail = (text) => {
  failed += 1;
  console.log(text);
};

// A wrong request and a wrong answer, each of which has to be found.
const token = sandbox.token ?? '';
const list = platform === 'magento' ? '/rest/all/V1/products' : `/stores/${sandbox.store_hash}/v3/catalog/products`;
for (const [what, part, query, headers] of [
  ['a parameter that is not there', 'asked', '?colour=red', {}],
  ['another answer', 'answered', '', { planted: 'yes' }],
]) {
  await fetch(url + list + query, { headers: { 'x-auth-token': token, accept: 'application/json', ...headers } });
  if (!last?.[part].length) fail(`NOT FOUND: ${what}, which was planted`);
}
count = 0;
for (const findings of [requests, answers]) findings.forget();

const variables = {
  bigcommerce: { BIGCOMMERCE_URL: url, BIGCOMMERCE_STORE_HASH: sandbox.store_hash, BIGCOMMERCE_ACCESS_TOKEN: token },
  magento: {
    MAGENTO_URL: url,
    MAGENTO_CONSUMER_KEY: sandbox.consumer_key,
    MAGENTO_CONSUMER_SECRET: sandbox.consumer_secret,
    MAGENTO_TOKEN: token,
    MAGENTO_TOKEN_SECRET: sandbox.token_secret,
  },
}[platform];
const slugs = { bigcommerce: 'BIGCOMMERCE_WRITE_SLUGS', magento: 'MAGENTO_WRITE_SLUGS' }[platform];
const env = { LILY_CONNECTOR: platform, LILY_ALLOW_PRIVATE_HOSTS: '1', [slugs]: '1', ...variables };
const folder = mkdtempSync(join(tmpdir(), 'through-openapi-'));

// What an example wrote to standard output.
function run(name, ...args) {
  return new Promise((done) => {
    const child = spawn(join(examples, name), args, { cwd: folder, env, timeout: 120_000 });
    let out = '';
    let err = '';
    child.stdout.on('data', (part) => (out += part));
    child.stderr.on('data', (part) => (err += part));
    child.on('error', (error) => (err += error.message));
    child.on('close', (code) => {
      if (code !== 0) fail(`${name} ended with ${code}:\n${out.slice(-2000)}${err.slice(-2000)}`);
      done(out);
    });
  });
}
const lines = (text) => text.split('\n').filter(Boolean).map((line) => JSON.parse(line));

// New content for every field of a product that the pull gave tokens for.
function enrichment(product, records) {
  const { ref, base } = product;
  const fields = {};
  const other = (kind, mine = []) => (
    records.findLast((it) => it.entity === kind && !mine.some(({ id }) => id === it.ref.id))
  );
  const names = (list) => (list ?? []).map((it) => it.name);
  for (const field of ['title', 'description', 'short_description', 'seo.title', 'seo.description']) {
    if (base[field]) fields[field] = { value: `Another ${field} of ${ref.id}` };
  }
  if (base.slug) fields.slug = { value: platform === 'magento' ? `another-${ref.id}` : `/another-${ref.id}/` };
  if (base.tags) fields.tags = { edit: { add: ['Headwear'], remove: names(product.tags).slice(0, 1) } };
  const category = other('category', product.categories);
  if (base.categories && category) fields.categories = { edit: { add: [category.title] } };
  const brand = other('brand', product.brands);
  if (base.brands && brand) fields.brands = { edit: { add: [brand.title], remove: names(product.brands) } };
  // Magento takes what its own list of a name's values has.
  const label = platform === 'bigcommerce' && product.attributes?.find((it) => !it.distinguishes_variants)?.label;
  if (label) fields.attributes = { edit: { update: { [label]: ['Linen'], Origin: ['Here'] } } };
  const picture = product.media?.find((it) => it.alt)?.id;
  if (base['media.alt'] && picture) fields['media.alt'] = { edit: { update: { [picture]: `Picture ${picture}` } } };
  for (const change of Object.values(fields)) change.expect = 'force';
  return JSON.stringify({ ref, made_at: new Date(Date.now() - 5_000).toISOString(), fields });
}

try {
  await run('doctor');
  await run('quickstart');
  const state = ['--state', 'state.db'];
  await run('pull_catalog', '--out', 'catalogue.jsonl', ...state);
  const records = lines(readFileSync(join(folder, 'catalogue.jsonl'), 'utf8'));
  const products = records.filter((it) => it.entity === 'product').slice(0, 15);
  writeFileSync(join(folder, 'content.jsonl'), products.map((it) => `${enrichment(it, records)}\n`).join(''));
  await run('push_content', '--enrichments', 'content.jsonl', '--plan-out', 'plan.json', ...state);
  const receipt = JSON.parse(await run('push_content', '--apply', 'plan.json', '--allow-unreviewed', ...state));
  const applied = receipt.fields.filter((it) => it.outcome.outcome === 'applied').length;
  await run('undo_push', '--push', receipt.push, ...state);
  console.log(`${platform}: ${count} requests and their answers, ${records.length} records pulled, `
    + `${applied} of ${receipt.fields.length} changes written and taken back`);
} finally {
  rmSync(folder, { recursive: true });
}
failed += requests.show((it) => it.used);
failed += answers.show((it) => it.used);
if (count === 0) fail('nothing went through');
process.exit(failed ? 1 : 0);
