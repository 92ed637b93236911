import { spawnSync } from "node:child_process";
import { join } from "node:path";
import Schema from "typebox/schema";
import { parse } from "yaml";

/** A Kubernetes object, as its YAML has it. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  // biome-ignore lint/suspicious/noExplicitAny: the object under test, of any kind.
  readonly [member: string]: any;
}

/** A schema of OpenAPI's kind; one of JSON Schema, but for what it leaves open. */
type Node = { readonly [keyword: string]: unknown };

/** What is wrong with each by Istio's own types, unknown members among it; an empty text if nothing. */
export function istioComplaints(objects: readonly { kind: string; spec: unknown }[]): string[] {
  const lines = objects.map((one) => JSON.stringify(one));
  return manifestTypes("istio", lines.join("\n")).split("\n").slice(0, -1);
}

/** Tells what is wrong with an object of Envoy Gateway's or the Gateway API's, by their schemas. */
export function gatewaySchemas(): (manifest: Manifest) => unknown[] {
  const texts = manifestTypes("schemas", "").split(/^---$/m);
  return (manifest) => {
    const [group = "", version] = manifest.apiVersion.split("/");
    const text = texts.find(
      (one) =>
        one.includes(`\n  group: ${group}\n`) && one.includes(`\n    kind: ${manifest.kind}\n`),
    );
    if (text === undefined) return [`no schema for ${manifest.apiVersion} ${manifest.kind}`];
    const { spec } = parse(text) as { spec: { versions: { name: string; schema: Node }[] } };
    const found = spec.versions.find(({ name }) => name === version);
    if (found === undefined) return [`no version ${version} of ${manifest.kind}`];
    const schema = closed(found.schema["openAPIV3Schema"] as Node);
    return Schema.Errors(schema, manifest)[1];
  };
}

/** Members that a schema doesn't name are mistakes; Kubernetes would drop them without a word. */
function closed(schema: Node): Node {
  const { properties, items, additionalProperties } = schema as Record<string, Node | undefined>;
  const isOpen = schema["x-kubernetes-preserve-unknown-fields"] === true;
  const named = Object.entries(properties ?? {}) as [string, Node][];
  return {
    ...schema,
    ...(properties !== undefined && {
      properties: Object.fromEntries(named.map(([name, node]) => [name, closed(node)])),
      ...(!isOpen && { additionalProperties: false }),
    }),
    ...(items !== undefined && { items: closed(items) }),
    ...(typeof additionalProperties === "object" && {
      additionalProperties: closed(additionalProperties),
    }),
  };
}

function manifestTypes(command: string, input: string): string {
  const { stdout, stderr, status, error } = spawnSync("go", ["run", ".", command], {
    cwd: join(import.meta.dirname, "manifest-types"),
    encoding: "utf8",
    input,
    maxBuffer: 64 * 1_024 * 1_024,
  });
  if (status !== 0)
    throw new Error(`go run manifest-types ${command}: ${error?.message ?? stderr}`);
  return stdout;
}
