import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createGrpcBench } from "../support/grpc-bench.ts";
import { pythonWith } from "../support/python.ts";

const PREPARE_TIMEOUT_MS = 300_000;
const script = join(import.meta.dirname, "reflection_client.py");
const { serve, close } = createGrpcBench();
let python: string;

beforeAll(async () => {
  python = await pythonWith(join(import.meta.dirname, "requirements.txt"));
}, PREPARE_TIMEOUT_MS);
afterAll(close);

describe("a Python client that knows only the address", () => {
  it("discovers the API, asks, and is told what is wrong with a question", async () => {
    const server = await serve();
    server.setServing(true);
    const args = [script, server.addresses[0]!, "user-123", "agent:execute"];
    const { stdout } = await promisify(execFile)(python, args);
    const check = {
      allowed: true,
      reason: "permission:agent:execute",
      grant: { pattern: "agent:*", path: ["subject:user-123"] },
      application: "platform",
      generation: "1",
    };
    const services = [
      "grpc.health.v1.Health",
      "grpc.reflection.v1.ServerReflection",
      "grpc.reflection.v1alpha.ServerReflection",
      "postern.v1.DecisionService",
    ];
    expect(JSON.parse(stdout)).toMatchObject({
      services,
      services_v1: services,
      methods: ["Check", "CheckBatch", "GetPermissionSet", "MfaRequired"],
      health: "SERVING",
      watch: "SERVING",
      check,
      batch: {
        results: [{ response: check }, { error: { code: 3, field: "items[1].resource.type" } }],
      },
      mfa: { required: true, reason: "mfa_required", max_age_seconds: "900" },
      permissions: { status: "active", generation: "1" },
      refused: { code: "INVALID_ARGUMENT", fields: ["action.name"] },
    });
  });
});
