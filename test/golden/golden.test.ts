import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { UnaryHandler } from "../../src/base/unary-handler.ts";
import { toPdpError } from "../../src/decision/error.ts";
import { callFrom } from "../support/pipeline.ts";
import {
  decodeBatch,
  decodeCheck,
  decodeMfaRequired,
  encodeBatch,
  encodeCheck,
  encodeMfaRequired,
} from "./check-json.ts";
import { type Answer, type CaseRequest, caseNames, readCase } from "./golden-case.ts";
import { type GoldenWorld, openGoldenWorld } from "./golden-world.ts";
import { type GrpcDoor, openGrpcDoor } from "./grpc-door.ts";
import { runCase } from "./run-case.ts";

const checkMethod = "/postern.v1.DecisionService/Check";

let world: GoldenWorld | undefined;
let grpc: GrpcDoor;

beforeAll(async () => {
  // One port for all cases; behind it stands the world of the case that is running.
  const check: UnaryHandler = (bytes, call) => world!.handlers.get(checkMethod)!(bytes, call);
  grpc = await openGrpcDoor(new Map([[checkMethod, check]]));
});

afterEach(() => world?.close());

afterAll(() => grpc.close());

/** Calls a method without any transport. */
async function call(method: string, bytes: Uint8Array): Promise<Uint8Array> {
  return world!.handlers.get(`/postern.v1.DecisionService/${method}`)!(bytes, callFrom());
}

async function askInProcess(request: CaseRequest): Promise<Answer> {
  try {
    return decodeCheck(await call("Check", encodeCheck(request)));
  } catch (error) {
    const { kind, field = "", message, cause } = toPdpError(error);
    expect(message, String(cause)).not.toBe("internal error");
    return { error: { code: kind.toUpperCase().replaceAll("-", "_"), field } };
  }
}

/** Everything of an answer that is the same whoever gives it. */
function withoutId(answer: Answer): Record<string, unknown> {
  const { decision_id, ...rest } = answer as Record<string, unknown>;
  return rest;
}

/** Through every door and by every method, which are only other ways to the same answer. */
async function askEverywhere(request: CaseRequest): Promise<Answer> {
  const answer = await askInProcess(request);
  const same = withoutId(answer);
  expect(withoutId(await grpc.ask(request)), "gRPC").toEqual(same);
  if ("error" in answer) return answer;

  const batch = decodeBatch(await call("CheckBatch", encodeBatch(request)));
  expect(withoutId(batch), "CheckBatch").toEqual(same);

  const mfa = decodeMfaRequired(await call("MfaRequired", encodeMfaRequired(request)));
  expect(mfa.required && !mfa.satisfied, "MfaRequired").toBe(same["mfa_required"]);
  if (mfa.satisfied) expect(same["allowed"], "MfaRequired").toBe(true);
  return answer;
}

describe("golden cases, in process and through gRPC", () => {
  it.each(caseNames())("%s", async (name) => {
    const golden = readCase(name);
    world = await openGoldenWorld(golden);
    await runCase(golden, { ...world, ask: askEverywhere });
  });
});
