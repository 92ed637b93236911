import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { Create } from "typebox/value";
import { describe, expect, it } from "vitest";
import { silentNotes } from "../../../test/support/call-notes.ts";
import { fakePipeline } from "../../../test/support/fake-pipeline.ts";
import { manualClock } from "../../../test/support/manual-clock.ts";
import { notingMeter } from "../../../test/support/noting-meter.ts";
import { callFrom } from "../../../test/support/pipeline.ts";
import type { CallNotes } from "../../base/call-notes.ts";
import { type LogFields, silentLogger } from "../../base/logger.ts";
import { allow, deny } from "../../decision/decision.ts";
import { type ErrorKind, PdpError } from "../../decision/error.ts";
import type { Pipeline } from "../../pipeline/pipeline.ts";
import {
  CheckRequestSchema,
  CheckResponseSchema,
} from "../gen/envoy/service/auth/v3/external_auth_pb.js";
import { encodeAuthorization, encodeDryRunPass } from "./check-response.ts";
import { DryRunPass } from "./dry-run.ts";
import { createExtAuthz } from "./ext-authz-service.ts";
import { type ExtAuthzOptions, extAuthzOptionsSchema } from "./options.ts";

const frame = {
  decisionId: "019b8d3a-6c00-7abc-8def-0123456789ab",
  application: "envoy",
  revision: "r1",
  generation: 1,
  stalenessMs: 0,
};

const rbac: ExtAuthzOptions["rbac"] = {
  ...{ application: "platform", subject: [{ from: "header/x-user", type: "user" }] },
  routes: [
    { route: "DELETE /agents/{id}", permission: "agent:delete", resource: { id: "path/id" } },
    { route: "DELETE /tried/{id}", permission: "agent:delete", resource: { id: "path/id" } },
    { route: "DELETE /kept/{id}", permission: "agent:delete", resource: {} },
  ].map((route) => ({
    ...route,
    ...(route.route.includes("/tried/") && { dryRun: true }),
    ...(route.route.includes("/kept/") && { dryRun: false }),
  })),
};

interface Given {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  readonly extensions?: Record<string, string>;
  readonly options?: Partial<ExtAuthzOptions>;
  readonly pipeline?: Partial<Pipeline>;
  readonly notes?: CallNotes;
}

/** A door whose log and counts are kept. */
function door({ options = {}, pipeline = {} }: Pick<Given, "options" | "pipeline"> = {}) {
  const lines: (LogFields & { readonly message: string })[] = [];
  const add = (fields: LogFields, message: string) => void lines.push({ ...fields, message });
  const { meter, notes } = notingMeter();
  const clock = manualClock();
  const [handler] = createExtAuthz({
    ...{ clock, meter, logger: { ...silentLogger, info: add, warn: add } },
    pipeline: fakePipeline(pipeline),
    options: { ...(Create(extAuthzOptionsSchema) as ExtAuthzOptions), rbac, ...options },
  }).handlers.values();
  const ask = async (given: Given = {}) => {
    const { method = "DELETE", path = "/agents/a1", headers = { "x-user": "u1" }, body } = given;
    const http = { method, path, headers, ...(body !== undefined && { body }) };
    const attributes = { contextExtensions: given.extensions ?? {}, request: { http } };
    const message: MessageInitShape<typeof CheckRequestSchema> = { attributes };
    const bytes = toBinary(CheckRequestSchema, create(CheckRequestSchema, message));
    const call = { ...callFrom(), notes: given.notes };
    const answer = fromBinary(CheckResponseSchema, await handler!(bytes, call));
    const { status, httpResponse: response, dynamicMetadata: metadata } = answer;
    return { code: status?.code, response, metadata };
  };
  return { ask, lines, notes, clock };
}

const ask = (given: Given = {}) => door(given).ask(given);
const tried = { "postern.dry_run": "true" };

/** Expects that the request passes although it is denied. */
async function passes(given: Given, reason: string): Promise<void> {
  const { code, response, metadata } = await ask(given);
  expect({ code, case: response.case }).toEqual({ code: 0, case: "okResponse" });
  expect(metadata).toEqual({ decision_id: frame.decisionId, reason, dry_run: true });
}

describe("a dry run", () => {
  const denies: Partial<Pipeline> = {
    evaluate: ({ read }) => {
      const secret = { "x-user": "admin", "x-postern-subject": "admin" };
      const metadata = { level: "admin" };
      const document = { allowed: false, headers: secret, dynamic_metadata: metadata, body: "no" };
      return { decision: deny(frame, "deny:policy"), detail: read(document)?.detail };
    },
  };

  it("lets a denied request pass, and nothing of the denial with it", async () => {
    const { code, response, metadata } = await ask({ extensions: tried, pipeline: denies });
    expect(code).toBe(0);
    expect(response.value).toMatchObject({
      headers: [],
      responseHeadersToAdd: [],
      headersToRemove: ["x-postern-subject", "x-postern-roles", "x-postern-decision-id"],
      queryParametersToSet: [],
    });
    expect(metadata).toEqual({
      ...{ decision_id: frame.decisionId, reason: "deny:policy", dry_run: true },
    });
  });

  it("leaves an allow as it is", async () => {
    const evaluate: Pipeline["evaluate"] = ({ read }) => {
      const reason = "policy:allow";
      const document = { allowed: true, headers: { "x-user": "u1" } };
      const decision = allow(frame, { reason, obligations: [], grant: undefined, roles: [] });
      return { decision, detail: read(document)?.detail };
    };
    const { response, metadata } = await ask({ extensions: tried, pipeline: { evaluate } });
    expect(response.value).toMatchObject({ headers: [{ header: { key: "x-user" } }] });
    expect(metadata).toEqual({ decision_id: frame.decisionId, reason: "policy:allow" });
  });

  it("is what the route's extension says, before the table, and that before the option", async () => {
    const codeOf = async (path: string, dryRun: boolean, extensions = {}) => {
      const options = { decide: "rbac" as const, dryRun };
      return (await ask({ path, extensions, options })).code;
    };
    const no = { "postern.dry_run": "false" };
    const reasonOf = async (extensions: Record<string, string>) =>
      (await ask({ extensions, options: { decide: "rbac" } })).metadata?.["reason"];
    expect(await reasonOf(no)).toBe("missing:agent:delete");
    expect(await codeOf("/agents/a1", false)).toBe(7);
    expect(await codeOf("/agents/a1", true)).toBe(0);
    expect(await codeOf("/agents/a1", true, no)).toBe(7);
    expect(await codeOf("/agents/a1", false, tried)).toBe(0);
    expect(await codeOf("/tried/a1", false)).toBe(0);
    expect(await codeOf("/tried/a1", false, no)).toBe(7);
    expect(await codeOf("/kept/a1", true)).toBe(7);
    expect(await codeOf("/kept/a1", false, tried)).toBe(0);
    // No route stands for it, and a path that may be read as another has none.
    expect(await codeOf("/other", false)).toBe(7);
    expect(await codeOf("/other", true)).toBe(0);
    expect(await codeOf("/x/..%2ftried/a1", false)).toBe(7);
    expect(await codeOf("/tried/%zz", false)).toBe(7);
  });

  it("of a route in the table holds where the table is asked", async () => {
    expect((await ask({ path: "/tried/a1", pipeline: denies })).code).toBe(7);
    const extensions = { "postern.decide": "both" };
    expect((await ask({ path: "/tried/a1", extensions, pipeline: denies })).code).toBe(0);
  });

  it.each<[string, Given, string]>([
    ["a subject that is nobody", { headers: {} }, "unknown_subject"],
    ["an id that is malformed", { headers: { "x-user": "a\u0001" } }, "indeterminate:input"],
    ["a path that is malformed", { path: "/%zz" }, "indeterminate:input"],
    ["a way that is none", { extensions: { "postern.decide": "never" } }, "indeterminate:input"],
  ])("lets pass what is denied for %s", async (_, given, reason) => {
    await passes({ ...given, options: { decide: "rbac", dryRun: true } }, reason);
  });

  it("lets pass what has a malformed body", async () => {
    const headers = { "content-type": "application/json" };
    await passes({ headers, body: "{", extensions: tried }, "indeterminate:input");
  });

  it.each<[ErrorKind, string]>([
    ["not-found", "unavailable:policy"],
    ["internal", "unavailable:internal"],
    ["unavailable", "unavailable:source"],
    ["resource-exhausted", "unavailable:overload"],
    ["deadline-exceeded", "unavailable:deadline"],
  ])("lets pass what can't be answered: %s", async (kind, reason) => {
    const fail = () => {
      throw new PdpError(kind, "why");
    };
    const later = () => Promise.reject(new PdpError(kind, "why"));
    await passes({ extensions: tried, pipeline: { evaluate: fail } }, reason);
    const options = { decide: "rbac" as const };
    await passes({ extensions: tried, pipeline: { check: later }, options }, reason);
  });

  it("lets nothing pass of a caller without trust", async () => {
    const refusing: Partial<Pipeline> = {
      trusts: () => false,
      evaluate: () => {
        throw new PdpError("permission-denied", "why");
      },
    };
    const options = { dryRun: true };
    const { code, metadata } = await ask({ pipeline: refusing, options });
    expect([code, metadata?.["reason"]]).toEqual([7, "unavailable:trust"]);
    // Whoever else may take the caller for trusted.
    expect((await ask({ pipeline: { ...refusing, trusts: () => true }, options })).code).toBe(7);
    // Neither what is denied before anybody looks at who asks, nor what can't be answered.
    const untrusted = { trusts: () => false };
    expect((await ask({ path: "/%zz", pipeline: untrusted, options })).code).toBe(7);
    const unmapped = { path: "/other", pipeline: untrusted };
    expect((await ask({ ...unmapped, options: { decide: "rbac", dryRun: true } })).code).toBe(7);
    const gone = () => {
      throw new PdpError("unavailable", "why");
    };
    const given = { pipeline: { ...untrusted, evaluate: gone }, options };
    expect((await ask(given)).code).toBe(14);
  });

  it.each(["", "True", "1", "yes", "true ", "on"])(
    "is refused where it says %j, also if the request would be allowed",
    async (said) => {
      const given = { extensions: { "postern.dry_run": said }, options: { dryRun: true } };
      const { code, response } = await ask(given);
      expect(code).toBe(7);
      const field = "attributes.context_extensions.postern.dry_run";
      const body = `${field}: ${JSON.stringify(said)} is neither; expected true or false`;
      expect(response.value).toMatchObject({ status: { code: 400 }, body });
    },
  );

  it("can't be asked for by a client", async () => {
    const names = ["postern.dry_run", "x-postern-dry-run", "postern-dry-run", "dry_run"];
    const headers = Object.fromEntries(names.map((name) => [name, "true"]));
    const path = "/agents/a1?postern.dry_run=true&dry_run=true";
    const options = { decide: "rbac" as const };
    expect((await ask({ path, headers: { "x-user": "u1", ...headers }, options })).code).toBe(7);
  });

  it("is counted, and logged without the query, twenty times a second at most", async () => {
    const { ask, lines, notes, clock } = door({ options: { decide: "rbac" } });
    const path = "/agents/a1?token=secret";
    for (let count = 0; count < 25; count++) await ask({ path, extensions: tried });
    expect(notes).toHaveLength(25);
    expect(notes[0]).toBe("postern_dry_run_passes_total platform missing 1");
    expect(lines).toHaveLength(20);
    expect(lines[0]).toMatchObject({
      ...{ application: "platform", decisionId: frame.decisionId, method: "DELETE" },
      ...{ reason: "missing:agent:delete", path: "/agents/a1", unlogged: 0 },
    });
    expect(JSON.stringify(lines)).not.toContain("secret");
    clock.advance(1_000);
    await ask({ path, extensions: tried });
    expect(lines.at(-1)).toMatchObject({ unlogged: 5 });
    await ask({ path });
    expect(notes).toHaveLength(26);
  });

  it("is no pass where the call is answered otherwise meanwhile", async () => {
    const sent: (() => void)[] = [];
    const callNotes = { ...silentNotes, onceSent: (effect: () => void) => void sent.push(effect) };
    const { ask, lines, notes } = door({ options: { decide: "rbac" } });
    expect((await ask({ extensions: tried, notes: callNotes })).code).toBe(0);
    expect([lines, notes, sent]).toEqual([[], [], [expect.any(Function)]]);
    sent[0]!();
    expect([lines.length, notes]).toEqual([1, ["postern_dry_run_passes_total platform missing 1"]]);
  });

  it("is said at the start where it holds for all", () => {
    expect(door().lines).toEqual([]);
    expect(door({ options: { dryRun: true } }).lines).toMatchObject([
      { message: expect.stringContaining("ext_authz.dry_run is on") },
    ]);
  });
});

describe("encodeDryRunPass()", () => {
  it("writes nothing of a denial but its id and reason, whatever the denial is", () => {
    const read = (bytes: Uint8Array) => fromBinary(CheckResponseSchema, bytes);
    const obligations = [{ type: "step-up", properties: { max_age_seconds: 900 } }];
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (rest) => {
        const denied = deny(frame, `deny:${rest}`, obligations);
        const { status, httpResponse, dynamicMetadata } = read(
          encodeDryRunPass(new DryRunPass(denied)),
        );
        expect(status?.code).toBe(0);
        expect(httpResponse.case).toBe("okResponse");
        const { $typeName, headersToRemove, ...others } = httpResponse.value as object & {
          $typeName: string;
          headersToRemove: string[];
        };
        expect(headersToRemove).toEqual([
          "x-postern-subject",
          "x-postern-roles",
          "x-postern-decision-id",
        ]);
        expect(Object.values(others).flat()).toEqual([]);
        expect(Object.keys(dynamicMetadata ?? {})).toEqual(["decision_id", "reason", "dry_run"]);
        // The denial itself is none the less one.
        expect(read(encodeAuthorization(denied, undefined)).status?.code).toBe(7);
      }),
    );
  });
});

describe("DryRunPass", () => {
  it("is nothing that only looks like one", () => {
    const denied = deny(frame, "deny:policy");
    for (const pass of [{ denied }, Object.create(DryRunPass.prototype), denied]) {
      expect(() => encodeDryRunPass(pass as DryRunPass)).toThrow(TypeError);
    }
  });

  it("is made of a denial alone, and of none for want of trust", () => {
    const allowed = allow(frame, {
      reason: "policy:allow",
      obligations: [],
      grant: undefined,
      roles: [],
    });
    expect(() => new DryRunPass(allowed)).toThrow("internal error");
    expect(() => new DryRunPass(deny(frame, "unavailable:trust"))).toThrow("internal error");
    fc.assert(
      fc.property(fc.string(), (rest) => {
        const denied = deny(frame, `deny:${rest}`);
        expect(DryRunPass.deniedOf(new DryRunPass(denied))).toBe(denied);
      }),
    );
  });
});
