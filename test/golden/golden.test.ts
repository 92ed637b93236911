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
import {
  type Answer,
  type CaseRequest,
  caseNames,
  type ExpectedError,
  readCase,
} from "./golden-case.ts";
import { type GoldenWorld, openGoldenWorld } from "./golden-world.ts";
import { errorFromGrpc, type GrpcDoor, openGrpcDoor } from "./grpc-door.ts";
import { runCase } from "./run-case.ts";

const methods = ["Check", "CheckBatch", "MfaRequired"].map(
  (method) => `/postern.v1.DecisionService/${method}`,
);

/** A way to the methods, and how it tells of errors. */
interface Door {
  readonly name: string;
  call(method: string, bytes: Uint8Array): Promise<Uint8Array>;
  errorOf(error: unknown): ExpectedError;
}

let world: GoldenWorld | undefined;
let grpc: GrpcDoor;

beforeAll(async () => {
  // One port for all cases; behind it stands the world of the case that is running.
  const relay =
    (method: string): UnaryHandler =>
    (bytes, call) =>
      world!.handlers.get(method)!(bytes, call);
  grpc = await openGrpcDoor(new Map(methods.map((method) => [method, relay(method)])));
});

afterEach(() => world?.close());

afterAll(() => grpc.close());

const doors: readonly Door[] = [
  {
    name: "in process",
    call: async (method, bytes) =>
      world!.handlers.get(`/postern.v1.DecisionService/${method}`)!(bytes, callFrom()),
    errorOf: (error) => {
      const { kind, field = "", message, cause } = toPdpError(error);
      expect(message, String(cause)).not.toBe("internal error");
      return { error: { code: kind.toUpperCase().replaceAll("-", "_"), field } };
    },
  },
  {
    name: "gRPC",
    call: (method, bytes) => grpc.call(method, bytes),
    errorOf: errorFromGrpc,
  },
];

/** Everything of an answer that is the same whoever gives it. */
function withoutId(answer: Answer): Record<string, unknown> {
  const { decision_id, ...rest } = answer as Record<string, unknown>;
  return rest;
}

/** By every method, which are only other ways to the same answer. */
async function askThrough({ name, call, errorOf }: Door, request: CaseRequest): Promise<Answer> {
  let answer: Answer;
  try {
    answer = decodeCheck(await call("Check", encodeCheck(request)));
  } catch (error) {
    return errorOf(error);
  }
  const same = withoutId(answer);
  const batch = decodeBatch(await call("CheckBatch", encodeBatch(request)));
  expect(withoutId(batch), `CheckBatch, ${name}`).toEqual(same);

  const mfa = decodeMfaRequired(await call("MfaRequired", encodeMfaRequired(request)));
  expect(mfa.required && !mfa.satisfied, `MfaRequired, ${name}`).toBe(same["mfa_required"]);
  if (mfa.satisfied) expect(same["allowed"], `MfaRequired, ${name}`).toBe(true);
  return answer;
}

/** Through every door. */
async function askEverywhere(request: CaseRequest): Promise<Answer> {
  const [first, ...others] = await Promise.all(doors.map((door) => askThrough(door, request)));
  for (const other of others) expect(withoutId(other), "gRPC").toEqual(withoutId(first!));
  return first!;
}

describe("golden cases, in process and through gRPC", () => {
  it.each(caseNames())("%s", async (name) => {
    const golden = readCase(name);
    world = await openGoldenWorld(golden);
    await runCase(golden, { ...world, ask: askEverywhere });
  });
});
