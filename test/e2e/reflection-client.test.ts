// A foreign client, knowing an address and nothing else, against the server as users start it.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pythonWith } from "../support/python.ts";
import { createWorkspace, type ServerProcess, type Workspace } from "../support/workspace.ts";

const PREPARE_TIMEOUT_MS = 300_000;
const script = join(import.meta.dirname, "reflection_client.py");

describe("a Python client that knows only the address", () => {
  let python: string;
  let workspace: Workspace;
  let server: ServerProcess;

  beforeAll(async () => {
    python = await pythonWith(join(import.meta.dirname, "requirements.txt"));
    workspace = createWorkspace();
    server = await workspace.serve();
  }, PREPARE_TIMEOUT_MS);
  afterAll(async () => {
    await server.stop();
    workspace.remove();
  });

  it("discovers the API, asks, and is told what is wrong with a question", async () => {
    const args = [script, server.address, "user-123", "agent:execute"];
    const { stdout } = await promisify(execFile)(python, args);
    const check = {
      allowed: true,
      reason: "permission:agent:execute",
      grant: { pattern: "agent:*", path: ["group:llm-platform/developers"] },
      application: "platform",
    };
    const services = [
      "envoy.service.auth.v3.Authorization",
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
      mfa: { reason: "permission:agent:execute", max_age_seconds: "900" },
      permissions: { status: "active", roles: expect.arrayContaining(["developer"]) },
      refused: { code: "INVALID_ARGUMENT", fields: ["action.name"] },
    });
  });
});
