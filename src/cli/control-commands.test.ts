import { mkdtempSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { afterEach, describe, expect, it } from "vitest";
import { manualClock } from "../../test/support/manual-clock.ts";
import { type CliRun, runPostern } from "../../test/support/run-postern.ts";
import { type ControlServerDeps, createControlServer } from "../admin/control-server.ts";
import { silentLogger } from "../base/logger.ts";
import type { UnaryHandler } from "../base/unary-handler.ts";
import { PdpError } from "../decision/error.ts";
import {
  CheckRequestSchema,
  CheckResponseSchema,
  GetPermissionSetRequestSchema,
  GetPermissionSetResponseSchema,
  MfaRequiredRequestSchema,
  MfaRequiredResponseSchema,
} from "../grpc/gen/postern/v1/decision_pb.js";

const closing: (() => Promise<void>)[] = [];
afterEach(() => Promise.all(closing.splice(0).map((close) => close())));

function socketPath(): string {
  return join(mkdtempSync(join(tmpdir(), "postern-cli-")), "control.sock");
}

async function serve(
  handlers: Record<string, UnaryHandler>,
  bundles: ControlServerDeps["bundles"] = { list: () => [], remove: async () => false },
): Promise<string> {
  const path = socketPath();
  const server = createControlServer({
    options: { controlSocket: path, requestBytesMax: 1_048_576, requestTimeoutMs: 10_000 },
    clock: manualClock(),
    logger: silentLogger,
    handlers: new Map(
      Object.entries(handlers).map(([name, handler]) => [
        `/postern.v1.DecisionService/${name}`,
        handler,
      ]),
    ),
    bundles,
    status: () => ({}),
  });
  await server.listen();
  closing.push(server.close);
  return path;
}

/** A handler that keeps each request, as JSON, and gives `answer`. */
function answering<Request extends DescMessage, Answer extends DescMessage>(
  schemas: { readonly request: Request; readonly answer: Answer },
  answer: MessageInitShape<Answer>,
): { handler: UnaryHandler; requests: unknown[] } {
  const requests: unknown[] = [];
  return {
    requests,
    handler: (bytes) => {
      requests.push(toJson(schemas.request, fromBinary(schemas.request, bytes)));
      return toBinary(schemas.answer, create(schemas.answer, answer) as MessageShape<Answer>);
    },
  };
}

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

  it("passes on what the server refuses, with status 2", async () => {
    const Check = () => {
      throw new PdpError("invalid-argument", 'subject.id: "" is not valid', {
        field: "subject.id",
      });
    };
    const ran = await run(await serve({ Check }), ["check", "", "agent:execute"]);
    expect(ran).toEqual({
      status: 2,
      stdout: "",
      stderr: 'postern: subject.id: "" is not valid (invalid_argument)\n',
    });
  });

  it("fails on an answer that is not one", async () => {
    const unreadable = await serve({ Check: () => Uint8Array.of(0xff) });
    expect((await run(unreadable, ["check", "a", "b:c"])).stderr).toContain("is unreadable");

    const path = socketPath();
    const stranger = createServer((_, response) => response.writeHead(418).end("{}"));
    await new Promise<void>((resolve) => stranger.listen(path, resolve));
    closing.push(async () => void stranger.close());
    expect(await run(path, ["check", "a", "b:c"])).toMatchObject({
      status: 2,
      stderr: "postern: the server answered with status 418\n",
    });
  });

  it("takes an answer without a word for a deny", async () => {
    const { handler: Check } = answering(checking, {});
    expect((await run(await serve({ Check }), ["check", "a", "b:c"])).status).toBe(1);
  });

  it("prints a deny with its reason and ends with 1", async () => {
    const { handler: Check } = answering(checking, {
      reason: "missing:admin:configure",
      application: "platform",
      revision: "r1",
      generation: 1n,
    });
    expect(await run(await serve({ Check }), ["check", "user-123", "admin:configure"])).toEqual({
      status: 1,
      stdout: "deny   missing:admin:configure  platform@r1  generation 1\n",
      stderr: "",
    });
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
    const { status, stdout } = await run(await serve({ Check }), ["check", "u", "agent:execute"]);
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
    await run(await serve({ Check }), [
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
    const { stdout } = await run(await serve({ Check }), ["check", "a", "b:c", "--json"]);
    expect(JSON.parse(stdout)).toEqual({
      allowed: false,
      reason: "",
      mfa_required: false,
      obligations: [],
      decision_id: "d",
      application: "",
      revision: "",
      generation: "5",
    });
  });

  it("lets nothing from outside reach the terminal raw, or start a line", async () => {
    const { handler: Check } = answering(checking, {
      reason: "deny:\u001b[2J\nallow  forged",
      revision: "\u009b",
    });
    const socket = await serve({ Check });
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
    [{ required: false, satisfied: true }, 0, "not required  mfa_required\n"],
  ])("answers %j with status %i", async (answer, status, text) => {
    const { handler: MfaRequired } = answering(
      { request: MfaRequiredRequestSchema, answer: MfaRequiredResponseSchema },
      { reason: "mfa_required", maxAgeSeconds: 900n, ...answer },
    );
    const ran = await run(await serve({ MfaRequired }), ["mfa", "admin-1", "agent:manage"]);
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
    const { stdout } = await run(await serve({ GetPermissionSet }), ["permissions", "user-123"]);
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

describe("postern bundle", () => {
  const active = {
    application: "platform",
    state: "active",
    source: "folder",
    revision: "abc",
    digest: "0123456789abcdef",
    activatedAtMs: 1_800_000_000_000,
    lastAttemptAtMs: 1_800_000_000_000,
  };
  const failed = {
    application: "billing",
    state: "failed",
    stage: "manifest",
    error: "no roots",
    lastAttemptAtMs: 1_800_000_000_000,
  };

  it("lists what serves, with status 0", async () => {
    const socket = await serve({}, { list: () => [active], remove: async () => false });
    expect(await run(socket, ["bundle", "list"])).toEqual({
      status: 0,
      stderr: "",
      stdout:
        "APPLICATION  STATE   REVISION  DIGEST        ACTIVE SINCE          LAST ATTEMPT\n" +
        "platform     active  abc       0123456789ab  2027-01-15T08:00:00Z  2027-01-15T08:00:00Z\n",
    });
  });

  it("lists what was refused and why, with status 1", async () => {
    const socket = await serve({}, { list: () => [active, failed], remove: async () => false });
    const { status, stdout } = await run(socket, ["bundle", "list"]);
    expect(status).toBe(1);
    expect(stdout).toMatch(/^billing +refused at manifest: no roots$/m);
    const json = await run(socket, ["bundle", "list", "--json"]);
    expect(JSON.parse(json.stdout)).toEqual([active, failed]);
  });

  it("removes one, and says which it doesn't know", async () => {
    const remove = async (application: string) => application === "billing";
    const socket = await serve({}, { list: () => [], remove });
    expect(await run(socket, ["bundle", "remove", "billing"])).toMatchObject({
      status: 0,
      stdout: "billing is no longer served.\n",
    });
    expect(await run(socket, ["bundle", "remove", "nope"])).toMatchObject({
      status: 2,
      stderr: 'postern: there is no bundle of the application "nope" (not_found)\n',
    });
    expect((await run(socket, ["bundle", "remove", "../x"])).status).toBe(2);
  });
});
