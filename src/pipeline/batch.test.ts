import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { conditionClass, permissionSet, roleGrant } from "../../test/support/permission-set.ts";
import {
  accessRequest,
  callFrom,
  type Script,
  stagePipeline,
} from "../../test/support/pipeline.ts";
import { deadlineIn } from "../base/deadline.ts";
import type { SetQuery } from "../cache/permission-sets.ts";
import type { Decision } from "../decision/decision.ts";
import { PdpError, toPdpError } from "../decision/error.ts";
import { emptyObject, type JsonObject } from "../decision/json.ts";
import type { AccessRequest } from "../decision/request.ts";

const byPermission: Script = ({ input, user }) => ({
  allow: (user["permissions"] as string[]).includes(`${input["resource"]}:${input["action"]}`),
});

const classes = [
  conditionClass({}, [roleGrant("user", ["agent:read"])]),
  conditionClass({ mfa: "required" }, [roleGrant("admin", ["agent:*"])]),
];

/** A set for every subject but `ghost`, whom the directory does not know, and `broken`. */
function setFor({ subjectId: id }: SetQuery) {
  if (id === "broken") throw new PdpError("unavailable", "the directory can't be read");
  const status = id === "ghost" ? "unknown" : "active";
  return permissionSet({ subject: { id, type: "user" }, status, classes });
}

function requestBy(id: string, given: Partial<AccessRequest> = {}): AccessRequest {
  return accessRequest({ subject: { type: "user", id, properties: emptyObject }, ...given });
}

function withoutId(result: Decision | PdpError) {
  return result instanceof PdpError ? result : { ...result, decisionId: "" };
}

describe("checkBatch()", () => {
  it("answers nothing to nothing", async () => {
    expect(await stagePipeline().checkBatch([], callFrom())).toEqual([]);
  });

  it("puts an item's failure in its place", async () => {
    const staged = stagePipeline({ script: byPermission, sets: { get: setFor } });
    const read = { name: "read", properties: emptyObject };
    const results = await staged.checkBatch(
      [
        requestBy("user-1", { action: read }),
        requestBy("broken"),
        requestBy("user-1", { application: "billing" }),
        requestBy("ghost"),
        requestBy("user-1"),
      ],
      callFrom(),
    );
    expect(results).toMatchObject([
      { allowed: true, reason: "permission:agent:read" },
      { kind: "unavailable" },
      { kind: "not-found", field: "application" },
      { allowed: false, reason: "unknown_subject" },
      { allowed: false, reason: "mfa_required" },
    ]);
    expect(results[1]).toBeInstanceOf(PdpError);
  });

  it("makes unforeseen failures internal, and tells nothing of them", async () => {
    const get = () => Promise.reject(new Error("secret"));
    const [result] = await stagePipeline({ sets: { get } }).checkBatch(
      [accessRequest()],
      callFrom(),
    );
    expect(result).toMatchObject({ kind: "internal", message: "internal error" });
  });

  it("reads each subject's set once, as fresh as its most demanding item asks", async () => {
    const staged = stagePipeline({ sets: { get: setFor } });
    const asking = (minimumGeneration: number, bypassCache: boolean) =>
      requestBy("user-1", { consistency: { minimumGeneration, bypassCache } });
    await staged.checkBatch(
      [asking(3, false), requestBy("user-2"), asking(9, true), asking(5, false)],
      callFrom(),
    );
    expect(staged.queries.map(({ subjectId, consistency }) => [subjectId, consistency])).toEqual([
      ["user-1", { minimumGeneration: 9, bypassCache: true }],
      ["user-2", { minimumGeneration: 0, bypassCache: false }],
    ]);
  });

  it("decides all items at one instant", async () => {
    const staged = stagePipeline({
      sets: { get: setFor },
      script: () => {
        staged.clock.advance(1);
        return { allow: true };
      },
    });
    await staged.checkBatch([requestBy("user-1"), requestBy("user-2")], callFrom());
    expect(new Set(staged.seen.map(({ evaluation }) => evaluation.nowNs)).size).toBe(1);
  });

  it("lets others have a turn, and stops when nobody waits any more", async () => {
    let turns = 0;
    const staged = stagePipeline({
      script: () => {
        staged.clock.advance(5);
        return { allow: true };
      },
    });
    const call = { ...callFrom(), deadline: deadlineIn(staged.clock, 22) };
    setImmediate(() => {
      turns += 1;
    });
    const requests = new Array<AccessRequest>(100).fill(accessRequest());
    await expect(staged.checkBatch(requests, call)).rejects.toMatchObject({
      kind: "deadline-exceeded",
    });
    expect(staged.seen).toHaveLength(5);
    expect(turns).toBe(1);
  });

  it("has one batch's slice per turn of the event loop, however many batches wait", async () => {
    let loop = 0;
    const slices: number[] = [];
    const staged = stagePipeline({
      script: () => {
        staged.clock.advance(5);
        slices.push(loop);
        return { allow: true };
      },
    });
    const count = (): void => {
      loop += 1;
      if (loop < 20) setImmediate(count);
    };
    setImmediate(count);
    const requests = new Array<AccessRequest>(3).fill(accessRequest());
    const batches = [1, 2, 3].map(() => staged.checkBatch(requests, callFrom()));
    for (const results of await Promise.all(batches)) expect(results).toHaveLength(3);
    expect(new Set(slices).size).toBe(slices.length);
  });

  it("answers what single checks answer", async () => {
    const context: JsonObject = { mfa: { verified_at: "2026-01-05T10:00:00Z" } };
    const requests = fc.record({
      subject: fc.constantFrom("user-1", "user-2", "ghost", "broken"),
      application: fc.constantFrom("platform", "", "billing"),
      action: fc.constantFrom("read", "execute", "delete"),
      context: fc.constantFrom(emptyObject, context),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(requests, { maxLength: 8 }), async (items) => {
        const asked = items.map(({ subject, application, action, context }) =>
          requestBy(subject, {
            application,
            context,
            action: { name: action, properties: emptyObject },
          }),
        );
        const staged = stagePipeline({ script: byPermission, sets: { get: setFor } });
        const batch = await staged.checkBatch(asked, callFrom());
        const single = asked.map((request) => {
          try {
            return staged.decide(request);
          } catch (error) {
            return toPdpError(error);
          }
        });
        expect(batch.map(withoutId)).toEqual(single.map(withoutId));
      }),
      { numRuns: 100 },
    );
  });
});
