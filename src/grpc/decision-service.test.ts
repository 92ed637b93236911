import { fromBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { keptNotes } from "../../test/support/call-notes.ts";
import { fakeDecision, fakePipeline } from "../../test/support/fake-pipeline.ts";
import { checkFields, field, message } from "../../test/support/wire.ts";
import type { DecisionNote } from "../base/call-notes.ts";
import { noDeadline } from "../base/deadline.ts";
import type { UnaryCall } from "../base/unary-handler.ts";
import type { Pipeline } from "../pipeline/pipeline.ts";
import { createDecisionService } from "./decision-service.ts";
import { CheckBatchResponseSchema } from "./gen/postern/v1/decision_pb.js";

const call: UnaryCall = { peer: { kind: "unix", certificateNames: [] }, deadline: noDeadline };

async function batch(bytes: Uint8Array, pipeline: Partial<Pipeline>) {
  const handlers = createDecisionService({ pipeline: fakePipeline(pipeline), batchItemsMax: 10 });
  const handler = handlers.get("/postern.v1.DecisionService/CheckBatch")!;
  const { results } = fromBinary(CheckBatchResponseSchema, await handler(bytes, call));
  return results.map(({ answer }) => answer.case);
}

const good = field(2, checkFields());
const bad = field(2, checkFields([2]));

describe("createDecisionService()", () => {
  it("answers a check without a promise where the pipeline does", () => {
    const handlers = createDecisionService({ pipeline: fakePipeline(), batchItemsMax: 10 });
    const answer = handlers.get("/postern.v1.DecisionService/Check")!(checkFields(), call);
    expect(answer).toBeInstanceOf(Uint8Array);
  });

  it("puts answers between the items that could not be read", async () => {
    const checkBatch: Pipeline["checkBatch"] = async (requests) => {
      expect(requests).toHaveLength(2);
      return requests.map(fakeDecision);
    };
    expect(await batch(message(bad, good, bad, good), { checkBatch })).toEqual([
      "error",
      "response",
      "error",
      "response",
    ]);
  });

  it("notes what it decided, and of a batch how many of each", async () => {
    const handlers = createDecisionService({ pipeline: fakePipeline(), batchItemsMax: 10 });
    const notes = keptNotes();
    await handlers.get("/postern.v1.DecisionService/Check")!(checkFields(), { ...call, notes });
    const several = message(bad, good, good);
    await handlers.get("/postern.v1.DecisionService/CheckBatch")!(several, { ...call, notes });
    const { allowed, reason, application } = { ...(notes.noted[0]![1] as DecisionNote) };
    expect({ allowed, reason, application }).toEqual({
      ...{ allowed: true, reason: "permission:agent:execute", application: "platform" },
    });
    expect(notes.noted[1]).toEqual(["decidedBatch", { allowed: 2, denied: 0, failed: 1 }]);
  });

  it("asks nobody where no item can be read", async () => {
    const checkBatch: Pipeline["checkBatch"] = () => Promise.reject(new Error("was asked"));
    expect(await batch(message(bad, bad), { checkBatch })).toEqual(["error", "error"]);
    expect(await batch(new Uint8Array(), { checkBatch })).toEqual([]);
  });

  it("gives no answer at all where answers and requests don't match", async () => {
    for (const count of [0, 1, 3]) {
      const checkBatch: Pipeline["checkBatch"] = async ([first]) =>
        Array.from({ length: count }, () => fakeDecision(first!));
      await expect(batch(message(good, good), { checkBatch })).rejects.toThrow("internal error");
    }
  });
});
