import { expect } from "vitest";
import { type AuthorizationStub, openAuthorizationStub } from "./authorization-stub.ts";
import { type EchoedRequest, openUpstream } from "./echo-upstream.ts";
import { openEnvoy } from "./envoy.ts";
import type { EnvoySetup } from "./envoy-bootstrap.ts";
import { type HttpAnswer, type HttpQuestion, httpCall } from "./http-call.ts";

/** What became of a request. */
export interface EnvoyOutcome extends HttpAnswer {
  /** What the upstream got of it; `undefined` if nothing. */
  readonly reached: EchoedRequest | undefined;
}

/** An Envoy between a client and an upstream, with a stub as its PDP. */
export interface StubbedEnvoy {
  readonly stub: AuthorizationStub;
  readonly port: number;
  /** Makes a request to which the PDP gives this answer; one at a time. */
  ask(answer: AuthorizationStub["answer"], question?: HttpQuestion): Promise<EnvoyOutcome>;
  /** The access log's line on the last request, where each was checked. */
  logged(): Promise<string>;
  close(): Promise<void>;
}

/** Starts all three, that whoever starts them closes. */
export async function openStubbedEnvoy(
  setup: Partial<EnvoySetup> = {},
  listen?: string,
): Promise<StubbedEnvoy> {
  const stub = await openAuthorizationStub(listen);
  const upstream = await openUpstream();
  const envoy = await openEnvoy({ pdp: [stub.address], upstreamPort: upstream.port, ...setup });
  return {
    stub,
    port: envoy.port,
    ask: async (answer, question) => {
      stub.answer = answer;
      const before = upstream.requests.length;
      const got = await httpCall(envoy.port, question);
      return { ...got, reached: upstream.requests[before] };
    },
    logged: async () => {
      await expect.poll(() => envoy.accessLog().length).toBe(stub.checks.length);
      return envoy.accessLog().at(-1)!;
    },
    close: async () => {
      await envoy.close();
      upstream.close();
      stub.close();
    },
  };
}
