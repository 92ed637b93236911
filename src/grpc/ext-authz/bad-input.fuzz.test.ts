// Checks that are malformed, each in every way to decide, before policies and permissions that would
// allow everything: a denial in band that says why, and never an allow, nor a failed call.
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { Create } from "typebox/value";
import { describe, expect, it } from "vitest";
import { fakePipeline } from "../../../test/support/fake-pipeline.ts";
import { manualClock } from "../../../test/support/manual-clock.ts";
import { callFrom } from "../../../test/support/pipeline.ts";
import { silentLogger } from "../../base/logger.ts";
import { silentMeter } from "../../base/meter.ts";
import { KiB } from "../../base/sizes.ts";
import { allow, deny } from "../../decision/decision.ts";
import type { InputDocument, Pipeline } from "../../pipeline/pipeline.ts";
import {
  CheckRequestSchema,
  CheckResponseSchema,
} from "../gen/envoy/service/auth/v3/external_auth_pb.js";
import { createExtAuthz } from "./ext-authz-service.ts";
import { type ExtAuthzOptions, extAuthzOptionsSchema } from "./options.ts";

type Attributes = NonNullable<MessageInitShape<typeof CheckRequestSchema>["attributes"]>;
type Http = NonNullable<NonNullable<Attributes["request"]>["http"]>;

const WAYS = ["rego", "rbac", "both"] as const;
const frame = {
  ...{ decisionId: "019b8d3a-6c00-7abc-8def-0123456789ab", application: "a", revision: "r1" },
  ...{ generation: 1, stalenessMs: 0 },
};
const basis = { obligations: [], grant: undefined, roles: [] };

/** Decides everything alike, and keeps the input that it has asked for. */
function deciding(allows: boolean): Partial<Pipeline> & { readonly inputs: InputDocument[] } {
  const decision = allows ? allow(frame, { ...basis, reason: "policy:a" }) : deny(frame, "deny:a");
  const inputs: InputDocument[] = [];
  return {
    inputs,
    check: () => decision,
    evaluate: ({ input, read }) => {
      inputs.push(input("all"));
      return { decision, detail: read(allows)?.detail };
    },
  };
}

function doorOf(pipeline: Partial<Pipeline>, given: Partial<ExtAuthzOptions> = {}) {
  const rbac = {
    application: "platform",
    subject: [{ from: "header/x-user", type: "user" as const }],
    routes: [
      { route: "POST /a/{id}", permission: "agent:read", resource: { owner: "body/owner" } },
      { route: "GET /**", permission: "agent:read", resource: {} },
    ],
  };
  const defaults = Create(extAuthzOptionsSchema) as ExtAuthzOptions;
  const [check] = createExtAuthz({
    ...{ pipeline: fakePipeline(pipeline), options: { ...defaults, rbac, ...given } },
    ...{ clock: manualClock(), logger: silentLogger, meter: silentMeter },
  }).handlers.values();
  return async (bytes: Uint8Array) => {
    const answer = fromBinary(CheckResponseSchema, await check!(bytes, callFrom()));
    const { status, httpResponse: http, dynamicMetadata } = answer;
    const denied = http.case === "deniedResponse" ? http.value : undefined;
    const reason = dynamicMetadata?.["reason"];
    return { code: status?.code, status: denied?.status?.code, body: denied?.body, reason };
  };
}

function encoded(http?: Http, attributes: Attributes = {}): Uint8Array {
  const init = { attributes: { request: http && { http }, ...attributes } };
  const message = create(CheckRequestSchema, init as MessageInitShape<typeof CheckRequestSchema>);
  return toBinary(CheckRequestSchema, message);
}

const headers = { "x-user": "u1" };
const gets: Http = { method: "GET", path: "/a/1", headers };
const posts = (type: string, body: string, more: Record<string, string> = {}): Http => ({
  ...{ method: "POST", path: "/a/1", body },
  headers: { ...headers, "content-type": type, ...more },
});
const whole = encoded(posts("application/json", '{"owner":"u1"}'));

/** A check with these headers, in which the bytes have taken the place of a text of as many. */
function replaced(given: Record<string, string>, text: string, bytes: Buffer): Uint8Array {
  const message = Buffer.from(encoded({ ...gets, headers: { ...headers, ...given } }));
  bytes.copy(message, message.indexOf(text));
  return message;
}

const http = "attributes\\.request\\.http";
const FORM = "application/x-www-form-urlencoded";
const MALFORMED: readonly (readonly [what: string, bytes: Uint8Array, why: string])[] = [
  ["nothing", new Uint8Array(), "^attributes: is missing$"],
  ["no request", encoded(), `^${http}: is missing$`],
  ["bytes that are no message", Buffer.from("\xff\xff", "latin1"), "is cut short$"],
  ["a message that is cut short", whole.subarray(0, -1), "is cut short$"],
  ["attributes twice", Buffer.concat([whole, whole]), "^attributes: is given twice$"],
  [
    "a header that is not UTF-8",
    replaced({ h: "abcd" }, "abcd", Buffer.from("\xc3(\xff\xfe", "latin1")),
    "not well-formed UTF",
  ],
  ["an escape that is none", encoded({ ...gets, path: "/a/%zz" }), `^${http}\\.path: `],
  [
    "another way to decide",
    encoded(gets, { contextExtensions: { "postern.decide": "" } }),
    "no way",
  ],
  ["broken JSON", encoded(posts("application/json", '{"owner":')), `^${http}\\.body: `],
  ["a broken form", encoded(posts(FORM, "owner=%zz")), `^${http}\\.body: `],
  [
    "a broken multipart form",
    encoded(posts("multipart/form-data; boundary=b", "--b\r\n")),
    `^${http}\\.body: `,
  ],
  [
    "a length that is none",
    encoded(posts("application/json", "{}", { "content-length": "two" })),
    // What is taken from it depends on the whole.
    `^${http}\\.(headers: |body: is not whole)`,
  ],
];

describe("a malformed check", () => {
  it.each(MALFORMED)("is a denial that says why: %s", async (_, bytes, why) => {
    for (const decide of WAYS) {
      const { body, ...answer } = await doorOf(deciding(true), { decide })(bytes);
      const expected = { code: 7, status: 400, reason: "indeterminate:input" };
      expect(answer, decide).toEqual(expected);
      expect(body, decide).toMatch(new RegExp(why));
    }
  });

  it("is a denial where it is too large to be read", async () => {
    const large = encoded(posts("application/json", `"${"x".repeat(256 * KiB)}"`));
    for (const decide of WAYS) {
      const answer = await doorOf(deciding(true), { decide })(large);
      expect(answer, decide).toMatchObject({ code: 7, status: 413, reason: "indeterminate:input" });
    }
  });
});

describe("a check that is odd", () => {
  const inputOf = async (bytes: Uint8Array, given: Partial<ExtAuthzOptions> = {}) => {
    const pipeline = deciding(true);
    expect((await doorOf(pipeline, given)(bytes)).code).toBe(0);
    return JSON.parse(JSON.stringify(pipeline.inputs[0]));
  };

  it("shows headers without a name or a value, the last of two, and whatever they are called", async () => {
    const headersOf = async (bytes: Uint8Array) => {
      const { headers } = (await inputOf(bytes)).attributes.request.http;
      return Object.entries(headers as object).filter(([name]) => name !== "x-user");
    };
    const none = { "": "a", a: "" };
    expect(await headersOf(encoded({ ...gets, headers: none }))).toEqual(Object.entries(none));
    const twice = replaced({ name1: "first", name2: "last" }, "name2", Buffer.from("name1"));
    expect(await headersOf(twice)).toEqual([["name1", "last"]]);
    const own = Object.defineProperty({}, "__proto__", { value: "x", enumerable: true });
    expect(await headersOf(encoded({ ...gets, headers: own }))).toEqual([["__proto__", "x"]]);
  });

  it("has no parsed body of a type that nobody knows, in whatever mode", async () => {
    for (const body of ["strict", "lenient"] as const) {
      const seen = await inputOf(encoded(posts("application/x-unknown", "{")), { body });
      expect(seen).toMatchObject({ parsed_body: null, truncated_body: false });
    }
  });

  it("has a body that is called malformed, where that is left to the policy", async () => {
    const bytes = encoded(posts("application/json", '{"owner":'));
    const seen = await inputOf(bytes, { body: "lenient" });
    expect(seen).toMatchObject({ parsed_body: null, malformed_body: true });
  });
});

describe("any bytes", () => {
  const pieces = fc.oneof(
    fc.uint8Array({ maxLength: 8 }),
    fc.constantFrom(...["postern.decide", "both", "rbac", "__proto__"].map((t) => Buffer.from(t))),
  );
  /** A whole check, in which something else stands somewhere. */
  const damaged = fc
    .tuple(fc.nat(whole.length), fc.nat(6), pieces)
    .map(([at, count, piece]) =>
      Buffer.concat([whole.subarray(0, at), piece, whole.subarray(at + count)]),
    );
  const bytes = fc.oneof(damaged, fc.uint8Array({ maxLength: 60 }));

  it.each(WAYS)(
    "are answered in band, and no allow that nobody has decided: %s",
    async (decide) => {
      const yes = doorOf(deciding(true), { decide });
      const no = doorOf(deciding(false), { decide });
      await fc.assert(
        fc.asyncProperty(bytes, async (given) => {
          expect([0, 7]).toContain((await yes(given)).code);
          const { code, status, reason } = await no(given);
          expect([code, typeof status, typeof reason]).toEqual([7, "number", "string"]);
        }),
        { numRuns: 2_000 },
      );
    },
  );
});
