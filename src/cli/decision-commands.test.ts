import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { answering, serveControl, socketPath } from "../../test/support/fake-control-server.ts";
import { type CliRun, runPostern } from "../../test/support/run-postern.ts";
import { PdpError } from "../decision/error.ts";
import {
  CheckRequestSchema,
  CheckResponseSchema,
  GetPermissionSetRequestSchema,
  GetPermissionSetResponseSchema,
  MfaRequiredRequestSchema,
  MfaRequiredResponseSchema,
} from "../grpc/gen/postern/v1/decision_pb.js";

const checking = { request: CheckRequestSchema, answer: CheckResponseSchema };

function run(socket: string, args: readonly string[], isTerminal = false): Promise<CliRun> {
  return runPostern([...args, "--socket", socket], { isTerminal });
}

describe("postern check", () => {
  it("says how to start a server where none runs", async () => {
    const ran = await run("/nowhere/control.sock", ["check", "user-123", "agent:execute"]);
    expect(ran.status).toBe(2);
    expect(ran.stderr).toBe(
      'postern: no server is running at /nowhere/control.sock; start one with "npm start" or ' +
        '"postern serve --config <file>", or name its socket with --socket\n',
    );
  });

  it("says that a path leads to no socket, or to nothing", async () => {
    const path = join(dirname(socketPath()), "file");
    writeFileSync(path, "");
    expect(await run(path, ["check", "a", "b:c"])).toMatchObject({
      status: 2,
      stderr: `postern: ${path} is not a socket; name the server's with --socket\n`,
    });
    const nowhere = await run(`${path}/control.sock`, ["check", "a", "b:c"]);
    expect(nowhere.stderr).toMatch(/^postern: no server is running at /);
  });

  it("passes on what the server refuses, with status 2", async () => {
    const Check = () => {
      throw new PdpError("invalid-argument", 'subject.id: "" is not valid', {
        field: "subject.id",
      });
    };
    const ran = await run(await serveControl({ Check }), ["check", "", "agent:execute"]);
    expect(ran).toEqual({
      status: 2,
      stdout: "",
      stderr: 'postern: subject.id: "" is not valid (invalid_argument)\n',
    });
  });

  it("fails on an answer that is not one", async () => {
    const unreadable = await serveControl({ Check: () => Uint8Array.of(0xff) });
    expect((await run(unreadable, ["check", "a", "b:c"])).stderr).toContain("is unreadable");

    const path = socketPath();
    const stranger = createServer((_, response) => response.writeHead(418).end("{}"));
    await new Promise<void>((resolve) => stranger.listen(path, resolve));
    const ran = await run(path, ["check", "a", "b:c"]);
    stranger.close();
    expect(ran).toMatchObject({
      status: 2,
      stderr: "postern: the server answered with status 418\n",
    });
  });

  it("takes an answer without a word for a deny", async () => {
    const { handler: Check } = answering(checking, {});
    expect((await run(await serveControl({ Check }), ["check", "a", "b:c"])).status).toBe(1);
  });

  it("prints a deny with its reason and ends with 1", async () => {
    const { handler: Check } = answering(checking, {
      reason: "missing:admin:configure",
      application: "platform",
      revision: "r1",
      generation: 1n,
    });
    expect(
      await run(await serveControl({ Check }), ["check", "user-123", "admin:configure"]),
    ).toEqual({
      status: 1,
      stdout: "deny   missing:admin:configure  platform@r1  generation 1\n",
      stderr: "",
    });
  });

  it("hints at services where nobody of the name is known as a user", async () => {
    const { handler: Check } = answering(checking, { reason: "unknown_subject" });
    const socket = await serveControl({ Check });
    const hint = /^ {7}hint {2}of a service account, ask with --subject-type service$/m;
    expect((await run(socket, ["check", "a", "b:c"])).stdout).toMatch(hint);
    const asService = ["check", "a", "b:c", "--subject-type", "service"];
    expect((await run(socket, asService)).stdout).not.toMatch("hint");
    expect((await run(socket, ["check", "a", "b:c", "--json"])).stdout).not.toMatch("hint");
  });

  it("prints an allow with what grants it and what it obliges to, and ends with 0", async () => {
    const { handler: Check } = answering(checking, {
      allowed: true,
      reason: "permission:agent:execute",
      application: "platform",
      revision: "r1",
      generation: 1n,
      grant: { pattern: "agent:*", path: ["group:x", "role:developer"] },
      obligations: [{ type: "limits", properties: { maxConcurrentJobs: 10 } }],
    });
    const { status, stdout } = await run(await serveControl({ Check }), [
      "check",
      "u",
      "agent:execute",
    ]);
    expect(status).toBe(0);
    expect(stdout.split("\n")).toEqual([
      "allow  permission:agent:execute  platform@r1  generation 1",
      "       granted     agent:*  group:x → role:developer",
      '       obligation  limits   {"maxConcurrentJobs":10}',
      "",
    ]);
  });

  it("sends what the options say", async () => {
    const { handler: Check, requests } = answering(checking, { allowed: true });
    await run(await serveControl({ Check }), [
      ...["check", "-a", "gateway", "svc", "Cluster:Delete", "--subject-type", "service"],
      ...["--resource-id", "c-1", "--property", "owner=svc", "--property", "size=5"],
      ...["--property", 'tags=["a"]', "--property", "__proto__=x", "--context", "purpose=a=b"],
      ...["--ip", "10.1.2.3", "--mfa-verified-at", "now"],
    ]);
    expect(requests).toEqual([
      {
        application: "gateway",
        subject: { type: "service", id: "svc" },
        action: { name: "Delete" },
        resource: {
          type: "Cluster",
          id: "c-1",
          properties: JSON.parse('{"owner":"svc","size":5,"tags":["a"],"__proto__":"x"}'),
        },
        context: {
          purpose: "a=b",
          ip: "10.1.2.3",
          mfa: { verified_at: "2026-01-05T10:00:00.000Z" },
        },
      },
    ]);
  });

  it("prints the proto's JSON with its own field names, zero values included", async () => {
    const { handler: Check } = answering(checking, { generation: 5n, decisionId: "d" });
    const { stdout } = await run(await serveControl({ Check }), ["check", "a", "b:c", "--json"]);
    expect(JSON.parse(stdout)).toEqual({
      allowed: false,
      reason: "",
      mfa_required: false,
      obligations: [],
      decision_id: "d",
      application: "",
      revision: "",
      generation: "5",
      staleness_ms: "0",
    });
  });

  it("lets nothing from outside reach the terminal raw, or start a line", async () => {
    const { handler: Check } = answering(checking, {
      reason: "deny:\u001b[2J\nallow  forged",
      revision: "\u009b",
    });
    const socket = await serveControl({ Check });
    for (const args of [[], ["--json"]]) {
      const { stdout } = await run(socket, ["check", "a", "b:c", ...args], true);
      expect(stdout).not.toMatch(/^allow/m);
      expect(stdout).not.toContain("\u001b");
      expect(stdout).not.toContain("\u009b");
    }
  });
});

describe("postern mfa", () => {
  it.each([
    [{ required: true }, 1, "required  mfa_required  evidence no older than 900 s\n"],
    [{ required: true, satisfied: true }, 0, "satisfied  mfa_required  evidence no older than "],
    [{ reason: "permission:a:b" }, 0, "not required  permission:a:b\n"],
    [{ reason: "policy:allow" }, 0, "not required  policy:allow\n"],
    [{ reason: "restriction:ip" }, 0, "not required  (denied: restriction:ip)\n"],
  ])("answers %j with status %i", async (answer, status, text) => {
    const { handler: MfaRequired } = answering(
      { request: MfaRequiredRequestSchema, answer: MfaRequiredResponseSchema },
      { reason: "mfa_required", maxAgeSeconds: 900n, ...answer },
    );
    const ran = await run(await serveControl({ MfaRequired }), ["mfa", "admin-1", "agent:manage"]);
    expect(ran.status).toBe(status);
    expect(ran.stdout).toContain(text);
  });
});

describe("postern permissions", () => {
  it("shows every permission with each path to it and the conditions", async () => {
    const { handler: GetPermissionSet, requests } = answering(
      { request: GetPermissionSetRequestSchema, answer: GetPermissionSetResponseSchema },
      {
        application: "platform",
        status: "active",
        roles: ["developer"],
        attributes: { clearance: "secret", level: 3 },
        effectivePermissions: ["agent:execute", "agent:read"],
        generation: 7n,
        validUntil: { seconds: 1_800_000_000n },
        patterns: [
          {
            pattern: "agent:*",
            path: ["role:developer"],
            conditions: {
              expiresAt: { seconds: 1_800_000_000n },
              scope: [{ property: "project", values: ["alpha", "b*"] }],
              ipWhitelists: [{ networks: ["10.0.0.0/8"] }],
              authentication: "mtls",
              mfa: "required",
            },
            limits: { maxConcurrentJobs: 10 },
          },
          { pattern: "agent:read", path: ["group:x", "role:user"] },
          { pattern: "old:*", path: ["direct"] },
        ],
      },
    );
    const { stdout } = await run(await serveControl({ GetPermissionSet }), [
      "permissions",
      "user-123",
    ]);
    const conditions =
      "until 2027-01-15T08:00:00Z, project in [alpha, b*], ip in [10.0.0.0/8], " +
      "authentication mtls, mfa required, maxConcurrentJobs 10";
    expect(stdout.split("\n")).toEqual([
      "subject      user-123 (active) in platform, generation 7",
      "roles        developer",
      "groups       -",
      "attributes   clearance=secret, level=3",
      "valid until  2027-01-15T08:00:00Z",
      "",
      "PERMISSION     PATTERN     GRANTED BY           CONDITIONS",
      `agent:execute  agent:*     role:developer       ${conditions}`,
      `agent:read     agent:*     role:developer       ${conditions}`,
      "agent:read     agent:read  group:x → role:user  -",
      "-              old:*       direct               -",
      "",
    ]);
    expect(requests).toEqual([{ subject: { id: "user-123" } }]);
  });
});
