import { fromBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { allow, type Decision, deny } from "../../decision/decision.ts";
import type { JsonObject } from "../../decision/json.ts";
import { CheckResponseSchema } from "../gen/envoy/service/auth/v3/external_auth_pb.js";
import { encodeAuthorization, encodeDryRunPass, encodeNoAnswer } from "./check-response.ts";
import { DryRunPass } from "./dry-run.ts";
import type { HeaderChange, HttpAnswer } from "./http-answer.ts";

/** Any UTF-16, halves of surrogate pairs among them. */
const text = fc
  .array(fc.oneof(fc.nat(0x7f), fc.nat(0xffff)), { maxLength: 12 })
  .map((units) => String.fromCharCode(...units));
const headers = fc.array(
  fc.record({
    name: text,
    value: text,
    action: fc.constantFrom("overwrite", "append", "add_if_absent", "overwrite_if_exists"),
    keepsEmpty: fc.boolean(),
  }) as fc.Arbitrary<HeaderChange>,
);
const parameters = fc.array(fc.record({ name: text, value: text }));
const answers: fc.Arbitrary<HttpAnswer | undefined> = fc.option(
  fc.record({
    ...{ headers, responseHeaders: headers, query: parameters },
    ...{ removedHeaders: fc.array(text), removedQuery: fc.array(text) },
    ...{ status: fc.oneof(fc.constantFrom(0, 200, 403), fc.nat()), body: text },
    dynamicMetadata: fc.dictionary(text, fc.jsonValue()) as fc.Arbitrary<JsonObject>,
  }),
  { nil: undefined },
);

const frames = fc.record({
  ...{ decisionId: text, application: text, revision: text },
  ...{ generation: fc.nat(), stalenessMs: fc.nat() },
});
const kinds = fc.constantFrom("permission:", "policy:", "deny:", "missing:", "indeterminate:", "");
const reasons = fc.tuple(kinds, text).map((parts) => parts.join(""));
const yeses = [true, false, undefined, null, "true", "false", 0, 1, {}, []];
/** What has a decision's members, and may not be one that anybody made. */
const pretended = fc
  .record({ frame: frames, allowed: fc.constantFrom(...yeses), reason: reasons })
  .map(({ frame, ...besides }) => ({ ...frame, ...besides }) as unknown as Decision);

const isBasis = (reason: string) => /^(permission|policy):/.test(reason);

/** As Envoy reads it; an answer without a status would be an allow to it. */
function codeOf(bytes: Uint8Array): number {
  const { status } = fromBinary(CheckResponseSchema, bytes);
  if (status === undefined) throw new Error("there is no status");
  return status.code;
}

/** What Envoy takes the answer for, by the order in which it looks. */
function responseOf(bytes: Uint8Array): string | undefined {
  const { httpResponse, $unknown } = fromBinary(CheckResponseSchema, bytes);
  expect($unknown ?? []).toEqual([]);
  return httpResponse.case;
}

describe("the encoder", () => {
  it("writes code 0 for a decision that allows, and no other, whatever is said besides", () => {
    fc.assert(
      fc.property(frames, reasons, answers, (frame, reason, answer) => {
        const no = encodeAuthorization(deny(frame, reason as `deny:${string}`), answer);
        expect(codeOf(no)).toBe(7);
        expect(responseOf(no)).toBe(answer && "deniedResponse");
        const basis = { obligations: [], grant: undefined, roles: [] };
        const yes = encodeAuthorization(
          allow(frame, { ...basis, reason: `policy:${reason}` }),
          answer,
        );
        expect(codeOf(yes)).toBe(0);
        expect(responseOf(yes)).toBe(answer && "okResponse");
      }),
      { numRuns: 1_000 },
    );
  });

  it("takes nothing for an allow that only looks like one", () => {
    fc.assert(
      fc.property(pretended, answers, (decision, answer) => {
        const isYes = (decision.allowed as unknown) === true;
        if (isYes && !isBasis(decision.reason)) {
          expect(() => encodeAuthorization(decision, answer)).toThrow("internal error");
        } else {
          expect(codeOf(encodeAuthorization(decision, answer))).toBe(isYes ? 0 : 7);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it("lets pass in a dry run what denies for sure, and nothing that does not", () => {
    fc.assert(
      fc.property(pretended, (decision) => {
        const encoded = () => encodeDryRunPass(new DryRunPass(decision));
        if (decision.allowed === false) expect(codeOf(encoded())).toBe(0);
        else expect(encoded).toThrow("internal error");
      }),
      { numRuns: 1_000 },
    );
  });

  it("writes an error for whatever status", () => {
    fc.assert(
      fc.property(fc.nat(), (status) => {
        const bytes = encodeNoAnswer(status);
        expect([codeOf(bytes), responseOf(bytes)]).toEqual([14, "errorResponse"]);
      }),
    );
  });
});
