// Validates custom resources with the models of @kubernetes-models: node models.mjs NODE_MODULES < objects.json
//
// Prints a list of {index, message}. Models accept unknown fields, so each object is shown to its model through a proxy:
// a field that the model never asks for, in an object of which it asks for others, is one that it does not know.

import { access, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";

const PACKAGES = {
  "argoproj.io": "argo-cd",
  "external-secrets.io": "external-secrets",
  "karpenter.sh": "karpenter",
  "karpenter.k8s.aws": "karpenter",
  "keda.sh": "keda",
  "monitoring.coreos.com": "prometheus-operator",
};

const modules = process.argv[2];
const objects = JSON.parse(await text(process.stdin));
const found = [];
for (const [index, object] of objects.entries()) {
  const report = (message) => found.push({ index, message });
  const [group, version] = object.apiVersion.split("/");
  const path = join(modules, "@kubernetes-models", PACKAGES[group] ?? "", group, version ?? "", `${object.kind}.js`);
  if (!PACKAGES[group] || !(await exists(path))) {
    report("no model knows this kind");
    continue;
  }
  const validate = await validator(path);
  const seen = [];
  if (!validate(watched(object, "", seen)))
    for (const { instancePath, message, keyword, params } of validate.errors)
      report(`${instancePath || "/"}: ${message ?? keyword} ${JSON.stringify(params)}`);
  for (const { path: place, known, keys, whole } of seen) {
    // Nothing asked for at all: the model leaves what is in it to somebody else.
    if (whole || known.size === 0) continue;
    for (const key of keys) if (!known.has(key)) report(`${place}/${key}: unknown field`);
  }
}
process.stdout.write(JSON.stringify(found));

function watched(value, path, seen) {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map((one, index) => watched(one, `${path}/${index}`, seen));
  const record = { path, known: new Set(), keys: Object.keys(value), whole: false };
  const children = Object.fromEntries(Object.entries(value).map(([key, one]) => [key, watched(one, `${path}/${key}`, seen)]));
  seen.push(record);
  return new Proxy(children, {
    get(target, key) {
      record.known.add(key);
      return Reflect.get(target, key);
    },
    ownKeys(target) {
      record.whole = true;
      return Reflect.ownKeys(target);
    },
  });
}

// A kind's own module names the schema that its class is validated with.
async function validator(path) {
  const [, schema] = (await readFile(path, "utf8")).match(/import\{validate\}from"([^"]+)"/);
  return (await import(pathToFileURL(join(dirname(path), schema)))).validate;
}

async function exists(path) {
  return access(path).then(() => true, () => false);
}
