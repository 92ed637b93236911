// The contract that OPA's Envoy plugin has with policies, case by case: the same Rego with the same
// input, by `opa eval` and by the door for Envoy, whose response is what the plugin makes of a result.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  create,
  createFileRegistry,
  fromBinary,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Create } from "typebox/value";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { silentMeter } from "../../../src/base/meter.ts";
import type { JsonObject, JsonValue } from "../../../src/decision/json.ts";
import { createBodyReader } from "../../../src/grpc/ext-authz/body-reader.ts";
import { readHttpCheck } from "../../../src/grpc/ext-authz/check-request.ts";
import { createExtAuthz } from "../../../src/grpc/ext-authz/ext-authz-service.ts";
import {
  type ExtAuthzOptions,
  extAuthzOptionsSchema,
} from "../../../src/grpc/ext-authz/options.ts";
import { ParsedPath } from "../../../src/grpc/ext-authz/parsed-path.ts";
import { regoInput } from "../../../src/grpc/ext-authz/rego-input.ts";
import {
  type CheckRequest,
  CheckRequestSchema,
  CheckResponseSchema,
} from "../../../src/grpc/gen/envoy/service/auth/v3/external_auth_pb.js";
import { file_grpc_health_v1_health } from "../../../src/grpc/gen/grpc/health/v1/health_pb.js";
import type { Pipeline } from "../../../src/pipeline/pipeline.ts";
import { opaEval } from "../../support/opa.ts";
import { callFrom, stagePipeline } from "../../support/pipeline.ts";
import { loadTestPolicy } from "../../support/wasm-policy.ts";
import { answerCases } from "./answer-cases.ts";
import type { ContractCase } from "./contract-case.ts";
import { inputCases } from "./input-cases.ts";
import { refusedCases } from "./refused-cases.ts";

const cases = [...inputCases, ...answerCases, ...refusedCases];
/** What gRPC bodies are read with. */
const protoset = create(FileDescriptorSetSchema, { file: [file_grpc_health_v1_health.proto] });
const nameOf = (index: number): string => `c${index}`;

function requestOf({ attributes, http }: ContractCase): Uint8Array {
  const given = attributes ?? { request: { http: http ?? { method: "GET", path: "/" } } };
  const init: MessageInitShape<typeof CheckRequestSchema> = { attributes: given };
  return toBinary(CheckRequestSchema, create(CheckRequestSchema, init));
}

/** As the door makes it, as JSON. */
function inputOf(one: ContractCase): string {
  const request = readHttpCheck(requestOf(one), "all");
  const path = new ParsedPath(request.path);
  const { body: mode = "strict" } = one;
  const readBody = createBodyReader(mode, createFileRegistry(protoset));
  const body = mode === "unparsed" ? undefined : readBody(request, path);
  const input = regoInput({ request, path, body }, "all");
  const number = (_: string, value: unknown) =>
    typeof value === "bigint" ? JSON.rawJSON(`${value}`) : value;
  return JSON.stringify(input, number);
}

const files = Object.fromEntries(
  cases.map(({ rego }, index) => [
    `${nameOf(index)}.rego`,
    `package cases.${nameOf(index)}\n\n${rego}\n`,
  ]),
);

/** What each policy says by OPA's own evaluator; those that say nothing are not there. */
function evaluateAll(): Readonly<Record<string, JsonValue>> {
  const inputs = cases
    .flatMap((one, index) => (one.isRefused ? [] : `"${nameOf(index)}": ${inputOf(one)}`))
    .join(",\n");
  const rules = cases.map((_, index) => {
    const name = nameOf(index);
    const value = `value := data.cases.${name}.allow with input as data.inputs.${name}`;
    return `said["${name}"] := value if ${value}`;
  });
  const oracle = {
    "oracle.rego": `package oracle\n\n${rules.join("\n\n")}\n`,
    "data.json": `{"inputs": {${inputs}}}`,
  };
  return opaEval({ ...files, ...oracle }, "data.oracle.said") as Record<string, JsonValue>;
}

/** A response, as far as the contract speaks of it. */
interface Shown {
  readonly allowed: boolean;
  readonly status?: number;
  readonly body?: string;
  readonly headers?: readonly string[];
  readonly responseHeaders?: readonly string[];
  readonly removed?: readonly string[];
  readonly query?: readonly string[];
  readonly removedQuery?: readonly string[];
  readonly metadata?: JsonObject;
}

/** What the plugin makes of a result; where it fails the call, a denial. */
function shownByPlugin(result: JsonValue | undefined): Shown {
  const failed: Shown = { allowed: false };
  if (typeof result === "boolean") return result ? allowedBy({}) : deniedBy({});
  if (!isObject(result) || typeof result["allowed"] !== "boolean") return failed;
  try {
    return result["allowed"] ? allowedBy(result) : deniedBy(result);
  } catch {
    return failed;
  }
}

function allowedBy(result: JsonObject): Shown {
  return {
    allowed: true,
    headers: headersOf(result["headers"]),
    responseHeaders: headersOf(result["response_headers_to_add"]),
    removed: textsOf(result["request_headers_to_remove"]),
    query: parametersOf(result["query_parameters_to_set"]),
    removedQuery: textsOf(result["query_parameters_to_remove"]),
    metadata: objectOf(result["dynamic_metadata"]),
  };
}

function deniedBy(result: JsonObject): Shown {
  const { http_status: status = 403, body = "" } = result;
  const known = [200, 302, 401, 403, 404, 429, 503];
  if (typeof body !== "string" || !known.includes(status as number)) throw new Error("its shape");
  return {
    ...{ allowed: false, status: status as number, body },
    headers: headersOf(result["headers"]),
    metadata: objectOf(result["dynamic_metadata"]),
  };
}

function headersOf(value: JsonValue = {}): string[] {
  const objects = Array.isArray(value) ? (value as JsonValue[]) : [value];
  return objects.flatMap((object) => parametersOf(object).map((text) => text.toLowerCase())).sort();
}

function parametersOf(value: JsonValue = {}): string[] {
  const pairs = Object.entries(objectOf(value));
  return pairs
    .flatMap(([name, values]) =>
      (Array.isArray(values) ? (values as JsonValue[]) : [values]).map((one) => {
        if (typeof one !== "string") throw new Error("its shape");
        return `${name}=${one}`;
      }),
    )
    .sort();
}

function textsOf(value: JsonValue = []): string[] {
  const isTexts = Array.isArray(value) && value.every((one) => typeof one === "string");
  if (!isTexts) throw new Error("its shape");
  return value as unknown as string[];
}

function objectOf(value: JsonValue = {}): JsonObject {
  if (!isObject(value)) throw new Error("its shape");
  return value;
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What a response of the door's shows. */
function shownBy(bytes: Uint8Array): Shown {
  const { status, httpResponse: http, dynamicMetadata } = fromBinary(CheckResponseSchema, bytes);
  const allowed = status?.code === 0;
  const { decision_id, reason, ...metadata } = dynamicMetadata as Record<string, JsonValue>;
  expect(decision_id).toMatch(/./);
  expect(reason).toMatch(/./);
  type Options = readonly { readonly header?: { key: string; value: string } | undefined }[];
  const texts = (options: Options) =>
    options.map(({ header }) => `${header!.key}=${header!.value}`).sort();
  if (http.case === "okResponse") {
    const { value: ok } = http;
    return {
      ...{ allowed, headers: texts(ok.headers), responseHeaders: texts(ok.responseHeadersToAdd) },
      // Besides those of Postern's own.
      removed: ok.headersToRemove.filter((name) => !name.startsWith("x-postern-")),
      query: ok.queryParametersToSet.map(({ key, value }) => `${key}=${value}`).sort(),
      ...{ removedQuery: ok.queryParametersToRemove, metadata },
    };
  }
  if (http.case !== "deniedResponse") return { allowed };
  const { status: given, body, headers } = http.value;
  return { allowed, status: given!.code, body, headers: texts(headers), metadata };
}

describe("the contract of OPA's Envoy plugin", () => {
  let said: Readonly<Record<string, JsonValue>>;
  let pipeline: Pipeline;
  const folder = mkdtempSync(join(tmpdir(), "postern-contract-"));
  const protoDescriptor = join(folder, "protoset.binpb");
  afterAll(() => rmSync(folder, { recursive: true }));

  beforeAll(async () => {
    said = evaluateAll();
    const entrypoints = cases.map((_, index) => `cases/${nameOf(index)}/allow`);
    const policy = await loadTestPolicy({ files, entrypoints });
    pipeline = stagePipeline({ active: { policy } });
    writeFileSync(protoDescriptor, toBinary(FileDescriptorSetSchema, protoset));
  });

  /** The door's answer to the request, with the policy that these name. */
  async function answerTo(request: CheckRequest, { body = "strict" }: ContractCase) {
    const defaults = Create(extAuthzOptionsSchema) as ExtAuthzOptions;
    const options = { ...defaults, application: "platform", body, protoDescriptor };
    const quiet = { clock: systemClock, logger: silentLogger, meter: silentMeter };
    const [check] = createExtAuthz({ pipeline, options, ...quiet }).handlers.values();
    return await check!(toBinary(CheckRequestSchema, request), callFrom());
  }

  it("has at least 120 cases", () => {
    expect(cases.length).toBeGreaterThanOrEqual(120);
  });

  it.each(cases.map((one, index) => ({ ...one, index })))("$row: $name", async (one) => {
    const name = nameOf(one.index);
    const result = said[name];
    if (one.says !== undefined) expect(result).toBe(one.says);
    const contextExtensions = {
      ...one.attributes?.contextExtensions,
      "postern.path": `cases/${name}/allow`,
    };
    const request = fromBinary(CheckRequestSchema, requestOf(one));
    request.attributes!.contextExtensions = contextExtensions;
    const shown = shownBy(await answerTo(request, one));
    if (one.isRefused) expect(shown).toMatchObject({ allowed: false, status: 400, headers: [] });
    else expect(shown).toEqual(shownByPlugin(result));
  });
});
