import { create, toBinary } from "@bufbuild/protobuf";
import { Create } from "typebox/value";
import { describe, expect, it } from "vitest";
import { fakePipeline } from "../../../test/support/fake-pipeline.ts";
import { manualClock } from "../../../test/support/manual-clock.ts";
import { callFrom } from "../../../test/support/pipeline.ts";
import { silentLogger } from "../../base/logger.ts";
import { silentMeter } from "../../base/meter.ts";
import { PdpError } from "../../decision/error.ts";
import type { Pipeline } from "../../pipeline/pipeline.ts";
import { CheckRequestSchema } from "../gen/envoy/service/auth/v3/external_auth_pb.js";
import { createExtAuthz } from "./ext-authz-service.ts";
import { type ExtAuthzOptions, extAuthzOptionsSchema } from "./options.ts";

const fail = () => {
  throw new PdpError("not-found", "no such policy");
};
const forBilling = { "postern.application": "billing" };

/** The applications that are named while a check is refused; `billing` has a policy, others have not. */
async function refusedOf(extensions: Record<string, string>, given: Partial<Pipeline> = {}) {
  const named: string[] = [];
  const { refuse } = fakePipeline();
  const pipeline = fakePipeline({
    evaluate: fail,
    serves: (application) => application === "billing",
    refuse: (application, ...why) => {
      named.push(application);
      return refuse(application, ...why);
    },
    ...given,
  });
  const rbac: ExtAuthzOptions["rbac"] = {
    ...{ application: "platform", subject: [{ from: "header/x-user", type: "user" }] },
    routes: [{ route: "GET /a", permission: "agent:execute", resource: {} }],
  };
  const options = { ...(Create(extAuthzOptionsSchema) as ExtAuthzOptions), rbac };
  const deps = { clock: manualClock(), logger: silentLogger, meter: silentMeter };
  const [check] = createExtAuthz({ pipeline, options, ...deps }).handlers.values();
  const http = { method: "GET", path: "/a", headers: { "x-user": "u1" } };
  const attributes = { contextExtensions: extensions, request: { http } };
  const message = create(CheckRequestSchema, { attributes });
  await check!(toBinary(CheckRequestSchema, message), callFrom());
  return named;
}

describe("a refusal names", () => {
  it("the application that the route asks for, where it has a policy", async () => {
    expect(await refusedOf({})).toEqual(["envoy"]);
    expect(await refusedOf(forBilling)).toEqual(["billing"]);
    expect(await refusedOf({ "postern.application": "biling" })).toEqual(["envoy"]);
    expect(await refusedOf({ "postern.application": "" })).toEqual(["envoy"]);
  });

  it("it also where the route says what there is not", async () => {
    expect(await refusedOf({ ...forBilling, "postern.dry_run": "maybe" })).toEqual(["billing"]);
    expect(await refusedOf({ ...forBilling, "postern.pth": "a" })).toEqual(["billing"]);
  });

  it("the application of the table where that is asked, and the policy's once that is", async () => {
    for (const decide of ["rbac", "both"]) {
      const asks = { "postern.decide": decide };
      expect(await refusedOf(asks, { check: fail })).toEqual(["platform"]);
      expect(await refusedOf({ ...asks, ...forBilling }, { check: fail })).toEqual(["billing"]);
      const misspelt = { ...asks, "postern.application": "biling" };
      expect(await refusedOf(misspelt, { check: fail })).toEqual(["platform"]);
    }
    const both = { "postern.decide": "both" };
    expect(await refusedOf(both)).toEqual(["envoy"]);
    const { check } = fakePipeline();
    const later: Pipeline["check"] = async (...asked) => check(...asked);
    expect(await refusedOf(both, { check: later })).toEqual(["envoy"]);
  });
});

it("a route's table asks about the application that the route names, or the configured one", async () => {
  const asked: string[] = [];
  const check: Pipeline["check"] = (request, call) => {
    asked.push(request.application);
    return fakePipeline().check(request, call);
  };
  await refusedOf({ "postern.decide": "rbac" }, { check });
  await refusedOf({ "postern.decide": "rbac", ...forBilling }, { check });
  expect(asked).toEqual(["platform", "billing"]);
});
