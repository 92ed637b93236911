// A policy that a client can make slow: with `failure_mode_allow` Envoy lets pass whom it gets no answer
// for in time, so that each of its answers has to come, and be no.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type EnvoyScene, openScene } from "../../support/envoy-scene.ts";
import { httpCall } from "../../support/http-call.ts";

const AT_ONCE = 8;
/** Bodies of 400 numbers are compared 64 million times, their patterns compiled 160,000 times. */
const NUMBERS = Array.from({ length: 400 }, (_, index) => index);

const rego = `package envoy.authz

default allow := false

allow if input.parsed_body.kind == "plain"

allow if {
	input.parsed_body.kind == "sums"
	numbers := input.parsed_body.numbers
	every a in numbers { every b in numbers { every c in numbers { a + b + c >= 0 } } }
}

allow if {
	input.parsed_body.kind == "patterns"
	numbers := input.parsed_body.numbers
	every a in numbers { every b in numbers { regex.match(sprintf("^(%d|%d|.*)*$", [a, b]), "x") } }
}

allow if {
	input.parsed_body.kind == "replaced"
	regex.replace(input.parsed_body.text, "(a|b)*c|a", "x") != ""
}
`;

describe("a client that makes a policy slow, with failure_mode_allow", () => {
  let scene: EnvoyScene;
  beforeAll(async () => {
    scene = await openScene({
      env: { POSTERN_EXT_AUTHZ_DECIDE: "rego" },
      policy: { rego },
      envoy: {
        failureModeAllow: true,
        timeoutMs: 5_000,
        withRequestBody: { maxRequestBytes: 65_536 },
      },
    });
  });
  afterAll(() => scene?.close());

  async function ask(body: object) {
    const headers = { "content-type": "application/json" };
    const question = { method: "POST", path: "/", headers, body: JSON.stringify(body) };
    return await httpCall(scene.envoy.port, question);
  }

  it("is denied, also many at once, and others are answered", async () => {
    const slow = [
      { kind: "sums", numbers: NUMBERS },
      { kind: "patterns", numbers: NUMBERS },
      { kind: "replaced", text: "a".repeat(60_000) },
    ];
    expect((await ask({ kind: "plain" })).status).toBe(200);
    for (const body of slow)
      expect([body.kind, (await ask(body)).status]).toEqual([body.kind, 403]);
    const bodies = Array.from({ length: AT_ONCE }, (_, index) => slow[index % slow.length]!);
    const answers = await Promise.all(bodies.map(ask));
    expect(answers.map(({ status }) => status)).toEqual(bodies.map(() => 403));
    expect((await ask({ kind: "plain" })).status).toBe(200);
    const metrics = await (await fetch(`${scene.server.diagnostics}/metrics`)).text();
    const indeterminate = slow.length + AT_ONCE;
    expect(metrics).toContain(`allowed="false",reason="indeterminate"} ${indeterminate}\n`);
  });
});
