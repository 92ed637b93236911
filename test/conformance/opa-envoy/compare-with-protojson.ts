import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";
import { createFileRegistry, type FileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { expect } from "vitest";
import { readJson } from "../../../src/base/read-json.ts";
import { parseGrpcBody } from "../../../src/grpc/ext-authz/grpc-body.ts";

/** A message that Go and Postern read. */
export interface Case {
  readonly method: keyof typeof METHODS;
  readonly bytes: Uint8Array;
}

/** What a method takes, and how it is called. */
const METHODS = {
  three: { type: "three.Message", path: ["three.Service", "Call"] },
  two: { type: "two.Message", path: ["two.Service", "Call"] },
  strict: { type: "two.Strict", path: ["two.Service", "CallStrict"] },
} as const;

/** What each says: a value as text that says all of it, or an error. */
export interface Answer {
  readonly value?: string;
  readonly error?: string;
}

const folder = join(import.meta.dirname, "protojson");

/** The protoset of the folder's files. */
export function buildProtoset(): Uint8Array {
  const buf = join(import.meta.dirname, "../../../node_modules/.bin/buf");
  return execFileSync(buf, ["build", "--as-file-descriptor-set", "-o", "-"], { cwd: folder });
}

/** The same, as Postern reads it. */
export function registryOf(protoset: Uint8Array): FileRegistry {
  return createFileRegistry(fromBinary(FileDescriptorSetSchema, protoset));
}

/** What Go answers to each. */
export function askProtojson(protoset: Uint8Array, cases: readonly Case[]): Answer[] {
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
  const lines = cases.map(({ method, bytes }) => `${METHODS[method].type} ${base64(bytes)}`);
  const { stdout, stderr, status, error } = spawnSync("go", ["run", "."], {
    cwd: folder,
    input: [base64(protoset), ...lines].join("\n"),
    encoding: "utf8",
    maxBuffer: 64 * 1_024 * 1_024,
  });
  expect(status, error?.message ?? stderr).toBe(0);
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => {
      const { json, error } = readJson(line) as { json?: unknown; error?: string };
      return error === undefined ? { value: shown(json) } : { error };
    });
}

/** What Postern answers. */
export function askPostern({ method, bytes }: Case, protoset: FileRegistry): Answer {
  const header = Buffer.alloc(5);
  header.writeUInt32BE(bytes.length, 1);
  try {
    const body = Buffer.concat([header, bytes]);
    return { value: shown(parseGrpcBody(body, METHODS[method].path, protoset)) };
  } catch (error) {
    return { error: (error as Error).message };
  }
}

/** A value as text, members in order. Of numbers, -0 is 0, as policies have it. */
function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(shown).join()}]`;
  if (typeof value !== "object" || value === null) return String(value);
  const members = Object.entries(value).map(([name, member]) => `${shown(name)}:${shown(member)}`);
  return `{${members.sort().join()}}`;
}
