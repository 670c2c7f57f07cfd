// Every request that the Shopify connector sent in the tests, held against the official schemas by graphql-js, the
// reference implementation: the document by its rules and the one about deprecated members, the variables by its
// coercion. So are the documents inside of bulk jobs, and each line of a staged file.
//
// Usage: validate_shopify.mjs RECORD SCHEMA.graphql.gz...
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { gunzipSync } from 'node:zlib';

const require = createRequire(join(process.env.CLIENTS, 'node_modules', 'x.js'));
const graphql = require('graphql');
const { GraphQLID, NoDeprecatedCustomRule, specifiedRules } = graphql;

const [record, ...schemas] = process.argv.slice(2);

// The library takes any text for these; the platform does not.
const SCALARS = {
  ID: /^gid:\/\/shopify\/[A-Za-z]+\/[^\s/]+$/,
  DateTime: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/,
  Decimal: /^-?\d+(\.\d+)?$/,
  UnsignedInt64: /^\d+$/,
  URL: /^[a-z][a-z0-9+.-]*:\S+$/,
};

function load(path) {
  const schema = graphql.buildSchema(gunzipSync(readFileSync(path)).toString());
  for (const [name, shape] of Object.entries(SCALARS)) {
    const scalar = name === 'ID' ? GraphQLID : schema.getType(name);
    scalar.parseValue = (value) => {
      if (typeof value !== 'string' || !shape.test(value)) {
        throw new graphql.GraphQLError(`this is no ${name}`);
      }
      return value;
    };
  }
  return schema;
}

// The rule about deprecated members reads documents only; this reads values of variables.
function deprecatedIn(value, type, found) {
  if (value === null || value === undefined) return;
  if (graphql.isNonNullType(type)) {
    deprecatedIn(value, type.ofType, found);
  } else if (graphql.isListType(type)) {
    for (const item of Array.isArray(value) ? value : [value]) deprecatedIn(item, type.ofType, found);
  } else if (graphql.isInputObjectType(type)) {
    for (const [name, inner] of Object.entries(value)) {
      const field = type.getFields()[name];
      if (field?.deprecationReason) found.push(`the deprecated ${type.name}.${name} is in a variable`);
      if (field) deprecatedIn(inner, field.type, found);
    }
  } else if (graphql.isEnumType(type) && type.getValue(value)?.deprecationReason) {
    found.push(`the deprecated ${type.name}.${value} is in a variable`);
  }
}

class Validator {
  constructor(schema) {
    this.schema = schema;
    this.documents = new Map();
  }

  // The parsed document and what is wrong with it; it is read once.
  document(text) {
    let known = this.documents.get(text);
    if (!known) {
      known = { problems: [] };
      try {
        known.parsed = graphql.parse(text, { noLocation: false });
        const rules = [...specifiedRules, NoDeprecatedCustomRule];
        known.problems = graphql.validate(this.schema, known.parsed, rules).map((error) => error.message);
      } catch (error) {
        known.problems = [error.message];
      }
      this.documents.set(text, known);
    }
    return known;
  }

  problems({ query, variables, operationName }) {
    const { parsed, problems } = this.document(query);
    if (problems.length) return problems;
    const operation = graphql.getOperationAST(parsed, operationName);
    if (!operation) return [`there is no one operation to run (${operationName})`];
    const definitions = operation.variableDefinitions ?? [];
    const names = new Set(definitions.map((it) => it.variable.name.value));
    const unknown = Object.keys(variables ?? {}).filter((name) => !names.has(name));
    if (unknown.length) return [`the operation has no variables ${unknown}`];
    const { errors } = graphql.getVariableValues(this.schema, definitions, variables ?? {});
    if (errors) return errors.map((error) => error.message);
    const found = [];
    for (const definition of definitions) {
      const type = graphql.typeFromAST(this.schema, definition.type);
      deprecatedIn((variables ?? {})[definition.variable.name.value], type, found);
    }
    return found;
  }
}

// A field of the root with its arguments as they were sent.
function roots(validator, { query, variables, operationName }) {
  const { parsed } = validator.document(query);
  const operation = parsed && graphql.getOperationAST(parsed, operationName);
  return (operation?.selectionSet.selections ?? [])
    .filter((it) => it.kind === graphql.Kind.FIELD)
    .map((field) => ({
      name: field.name.value,
      args: Object.fromEntries(
        field.arguments.map((it) => [it.name.value, graphql.valueFromASTUntyped(it.value, variables ?? {})]),
      ),
    }));
}

// Key and lines of a staged file, from the form that brought it.
function staged(form) {
  const boundary = form.slice(0, form.indexOf('\r\n'));
  const part = (name) => form.split(boundary).find((it) => it.includes(`name="${name}"`));
  const body = (text) => text?.slice(text.indexOf('\r\n\r\n') + 4, -2);
  return { key: body(part('key')), file: body(part('file')) };
}

const lines = [...new Set(readFileSync(record, 'utf8').split('\n').filter(Boolean))].map((line) => JSON.parse(line));
const calls = lines.filter((line) => line.query !== undefined);
// Each shop numbers its files anew, and one may stand where another one stood: by place, all of them.
const files = new Map();
for (const line of lines.filter((line) => line.upload)) {
  const { key, file } = staged(line.upload);
  const place = `${line.at} ${key}`;
  files.set(place, [...(files.get(place) ?? []), file]);
}

// The file of a job: of several at one place, the last one that has the variables of its mutation.
function fileOf(place, mutation) {
  const all = files.get(place) ?? [];
  const wanted = [...new Set([...mutation.matchAll(/\$(\w+)\s*:/g)].map(([, name]) => name))].sort().join();
  const has = (file) => Object.keys(JSON.parse(file.split('\n')[0])).sort().join() === wanted;
  return all.findLast(has) ?? all.at(-1);
}

// What a job runs: a query as it stands, or a mutation with each line of a file as its variables.
function inner(validator) {
  const found = [];
  for (const call of calls) {
    for (const { name, args } of roots(validator, call)) {
      if (name === 'bulkOperationRunQuery') found.push({ query: args.query });
      if (name === 'bulkOperationRunMutation') {
        const rows = fileOf(`${call.at} ${args.stagedUploadPath}`, args.mutation)?.split('\n').filter(Boolean) ?? [];
        if (!rows.length) console.log(`  no staged file was recorded for ${args.stagedUploadPath}`);
        found.push(...rows.map((row) => ({ query: args.mutation, variables: JSON.parse(row) })));
      }
    }
  }
  return [...new Map(found.map((it) => [JSON.stringify(it), it])).values()];
}

// Wrong requests of each kind; each has to be found, or nothing that follows means anything.
const PLANTED = [
  ['an unknown field', { query: 'query { shop { nothing } }' }],
  ['an argument that is not there', { query: 'query { products(last_one: 1) { nodes { id } } }' }],
  ['a deprecated field', { query: 'query { products(first: 1) { nodes { bodyHtml } } }' }],
  [
    'a variable of another type',
    { query: 'query A($n: Int) { products(first: $n) { nodes { id } } }', variables: { n: 'ten' } },
  ],
  [
    'an unknown field of an input',
    {
      query: 'mutation A($p: ProductUpdateInput!) { productUpdate(product: $p) { userErrors { message } } }',
      variables: { p: { id: 'gid://shopify/Product/1', colour: 'red' } },
    },
  ],
  [
    'an id that is none',
    { query: 'query A($id: ID!) { product(id: $id) { id } }', variables: { id: '17' } },
  ],
  ['a required variable that lacks', { query: 'query A($id: ID!) { product(id: $id) { id } }', variables: {} }],
  [
    'a deprecated field of an input',
    {
      query: 'mutation A($w: WebhookSubscriptionInput!) { webhookSubscriptionCreate(topic: PRODUCTS_UPDATE, webhookSubscription: $w) { userErrors { message } } }',
      variables: { w: { callbackUrl: 'https://hook.example' } },
    },
  ],
];

let failed = 0;
for (const path of schemas) {
  const validator = new Validator(load(path));
  const name = basename(path);
  for (const [what, request] of PLANTED) {
    if (validator.problems(request).length === 0) {
      failed += 1;
      console.log(`NOT FOUND by ${name}: ${what}, which was planted`);
    }
  }
  // And one of the recorded requests, with a field more than the schema has.
  const broken = calls.map((it) => ({ ...it, query: it.query.replace('userErrors {', 'nothingSuch userErrors {') }));
  const spoiled = broken.find((it, at) => it.query !== calls[at].query);
  if (!spoiled || validator.problems(spoiled).length === 0) {
    failed += 1;
    console.log(`NOT FOUND by ${name}: a recorded mutation that was spoiled`);
  }
  validator.documents.clear();

  const jobs = inner(validator);
  const told = new Map();
  for (const request of [...calls, ...jobs]) {
    for (const problem of validator.problems(request)) {
      const operation = request.operationName ?? request.query.slice(0, 40).replace(/\s+/g, ' ');
      const text = `${operation}: ${problem}`;
      told.set(text, (told.get(text) ?? 0) + 1);
      failed += 1;
    }
  }
  console.log(
    `${name}: ${calls.length} distinct requests and ${jobs.length} inside of jobs, `
      + `${validator.documents.size} documents, ${PLANTED.length + 1} wrong ones planted; `
      + `${[...told.values()].reduce((sum, it) => sum + it, 0)} problems`,
  );
  for (const [text, times] of told) console.log(`  ${times} x ${text}`);
}
if (calls.length === 0) {
  console.log('nothing was recorded');
  failed += 1;
}
process.exit(failed ? 1 : 0);
