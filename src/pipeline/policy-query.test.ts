import { describe, expect, it } from "vitest";
import { silentNotes } from "../../test/support/call-notes.ts";
import { callFrom, type Script, stagePipeline } from "../../test/support/pipeline.ts";
import type { Logger } from "../base/logger.ts";
import { silentLogger } from "../base/logger.ts";
import type { Labels } from "../base/meter.ts";
import { silentMeter } from "../base/meter.ts";
import { PdpError } from "../decision/error.ts";
import type { PolicyQuery } from "./pipeline.ts";

/** Says yes to `true` alone, and can't read a text. */
const read: PolicyQuery<string>["read"] = (document) =>
  typeof document === "string" ? undefined : { allows: document === true, detail: "read" };
const query: PolicyQuery<string> = {
  ...{ application: "platform", path: "envoy/authz/allow", input: () => ({ path: "/a" }), read },
};

/** A pipeline whose policy has these entrypoints, and what it counts and logs. */
function stagedWith(entrypoints: Readonly<Record<string, number>>, script: Script) {
  const counted: Labels[] = [];
  const lines: unknown[] = [];
  const logger: Logger = { ...silentLogger, warn: (line) => void lines.push(line) };
  const counter = { add: (_: number, labels?: Labels) => void (labels && counted.push(labels)) };
  const meter = { ...silentMeter, counter: () => counter };
  const staged = stagePipeline({ script, logger, meter, entrypoints });
  return { ...staged, counted, lines };
}

describe("evaluate()", () => {
  it("allows where the policy's document says so, and counts it", () => {
    const staged = stagedWith({ "envoy/authz/allow": 3 }, () => true);
    const { decision, detail } = staged.evaluate(query, callFrom());
    expect(decision).toMatchObject({ allowed: true, reason: "policy:allow", revision: "r1" });
    expect(detail).toBe("read");
    expect(staged.seen).toMatchObject([{ entrypoint: 3, input: { path: "/a" } }]);
    expect(staged.counted).toEqual([
      { application: "platform", allowed: "true", reason: "policy" },
    ]);
  });

  it.each<[string, ReturnType<Script>, string, string | undefined]>([
    ["no", false, "deny:policy", "read"],
    ["nothing", undefined, "deny:undefined", undefined],
    ["what can't be read", "yes", "indeterminate:result", undefined],
    [
      "that it failed",
      { kind: "failed", why: "trap", message: "m" },
      "indeterminate:trap",
      undefined,
    ],
  ])("denies where it says %s", (_, value, reason, said) => {
    const staged = stagedWith({ "envoy/authz/allow": 3 }, () => value);
    const { decision, detail } = staged.evaluate(query, callFrom());
    expect(decision).toMatchObject({ allowed: false, reason });
    expect(detail).toBe(said);
    expect(staged.counted).toHaveLength(1);
    expect(staged.lines).toHaveLength(reason.startsWith("indeterminate") ? 1 : 0);
  });

  it("denies where it says that it can't decide, and logs why", () => {
    const staged = stagedWith({ "envoy/authz/allow": 3 }, () => true);
    const failing: typeof query = {
      ...query,
      read: () => ({ allows: true, error: "no keys", detail: "read" }),
    };
    const { decision, detail } = staged.evaluate(failing, callFrom());
    expect(decision).toMatchObject({ allowed: false, reason: "deny:error" });
    expect(detail).toBe("read");
    expect(staged.lines).toMatchObject([{ why: "error", detail: "no keys" }]);
  });

  it("takes a part of a package that is an entrypoint", () => {
    const staged = stagedWith({ envoy: 1, "envoy/authz": 2 }, ({ entrypoint }) =>
      entrypoint === 2 ? { allow: true, deny: false } : {},
    );
    expect(staged.evaluate(query, callFrom()).decision.allowed).toBe(true);
    const undefinedPath = { ...query, path: "envoy/authz/toString" };
    expect(staged.evaluate(undefinedPath, callFrom()).decision.reason).toBe("deny:undefined");
    const deeper = { ...query, path: "envoy/authz/allow/deeper" };
    expect(staged.evaluate(deeper, callFrom()).decision.reason).toBe("deny:undefined");
  });

  it("has no answer for a path that no entrypoint leads to, and says which there are", () => {
    const staged = stagedWith({ "envoy/authz/allow": 3 }, () => true);
    expect(() => staged.evaluate({ ...query, path: "envoy/other" }, callFrom())).toThrow(
      expect.objectContaining({
        kind: "not-found",
        message: expect.stringContaining('"envoy/other" is none of the documents of platform'),
      }),
    );
    expect(() => staged.evaluate({ ...query, application: "x" }, callFrom())).toThrow(
      expect.objectContaining({ kind: "not-found", field: "application" }),
    );
    expect(staged.seen).toEqual([]);
  });

  it("refuses a caller that is not trusted to ask about others", () => {
    const staged = stagedWith({ "envoy/authz/allow": 3 }, () => true);
    expect(() => staged.evaluate(query, callFrom({ kind: "network" }))).toThrow(
      expect.objectContaining({ kind: "permission-denied" }),
    );
    expect(staged.seen).toEqual([]);
  });
});

describe("refuse()", () => {
  it("denies, counts it, and says why in the log", () => {
    const staged = stagedWith({}, () => true);
    const cause = new Error("what nobody outside may read");
    const error = new PdpError("internal", "internal error", { cause });
    const notes = { ...silentNotes, traceId: "4bf92f3577b34da6a3ce929d0e0e4736" };
    expect(staged.refuse("envoy", "unavailable:internal", { error, notes })).toMatchObject({
      ...{ allowed: false, application: "envoy", reason: "unavailable:internal" },
    });
    expect(staged.counted).toMatchObject([{ application: "envoy", reason: "unavailable" }]);
    expect(staged.lines).toMatchObject([
      { why: "unavailable:internal", error: cause, traceId: notes.traceId },
    ]);
  });
});
