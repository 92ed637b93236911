import { afterEach, describe, expect, it } from "vitest";
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
import { type Ask, runCase } from "./run-case.ts";

/** Through the bytes that any transport carries, without one. */
function askInProcess({ handlers }: GoldenWorld): Ask {
  const call = async (method: string, bytes: Uint8Array) =>
    handlers.get(`/postern.v1.DecisionService/${method}`)!(bytes, callFrom());

  /** The other methods are other ways to the same answer. */
  async function expectAgreement(request: CaseRequest, answer: Answer): Promise<void> {
    const batch = decodeBatch(await call("CheckBatch", encodeBatch(request)));
    const { decision_id, ...rest } = answer as Record<string, unknown>;
    expect(batch).toMatchObject(rest);
    const mfa = decodeMfaRequired(await call("MfaRequired", encodeMfaRequired(request)));
    expect(mfa.required && !mfa.satisfied).toBe(rest["mfa_required"]);
    if (mfa.satisfied) expect(rest["allowed"]).toBe(true);
  }

  return async (request) => {
    let answer: Answer;
    try {
      answer = decodeCheck(await call("Check", encodeCheck(request)));
    } catch (error) {
      const { kind, field = "", message, cause } = toPdpError(error);
      expect(message, String(cause)).not.toBe("internal error");
      return { error: { code: kind.toUpperCase().replaceAll("-", "_"), field } };
    }
    await expectAgreement(request, answer);
    return answer;
  };
}

describe("golden cases, in process", () => {
  let world: GoldenWorld | undefined;

  afterEach(() => world?.close());

  it.each(caseNames())("%s", async (name) => {
    const golden = readCase(name);
    world = await openGoldenWorld(golden);
    await runCase(golden, { ...world, ask: askInProcess(world) });
  });
});
