import { request } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { CallOptions, ServiceError } from "@grpc/grpc-js";
import { expect } from "vitest";
import {
  type CheckRequestSchema,
  type CheckResponse,
  DecisionService,
} from "../../src/grpc/gen/postern/v1/decision_pb.js";
import { badRequestField, createGrpcClient, type GrpcClient } from "./grpc-client.ts";
import { createWorkspace, type ServerProcess, type Workspace } from "./workspace.ts";

/** The methods by the paths they are called at. */
export const methods = {
  check: "/postern.v1.DecisionService/Check",
  checkBatch: "/postern.v1.DecisionService/CheckBatch",
  mfaRequired: "/postern.v1.DecisionService/MfaRequired",
  getPermissionSet: "/postern.v1.DecisionService/GetPermissionSet",
} as const;

/** What became of a call: an answer, or an error's code and the field it names. */
export interface Outcome {
  readonly code: number;
  readonly field: string | undefined;
  readonly message: string;
  readonly answer: Buffer | undefined;
}

/** A server in a process of its own, to be attacked. */
export interface HostileServer {
  readonly workspace: Workspace;
  readonly process: ServerProcess;
  readonly client: GrpcClient;
  check(request: MessageInitShape<typeof CheckRequestSchema>): Promise<CheckResponse>;
  /** Sends bytes as they are. */
  send(path: string, bytes: Uint8Array, options?: CallOptions): Promise<Outcome>;
  /** What `GET <path>` on the control socket says. */
  control(path: string): Promise<unknown>;
  /** Fails unless it answers as before the attack and has noticed nothing unforeseen. */
  expectUnharmed(): Promise<void>;
  close(): Promise<void>;
}

/** A question that is allowed, and one that is not. */
export const granted = {
  subject: { id: "user-123" },
  action: { name: "execute" },
  resource: { type: "agent", id: "agent-7" },
};
const refused = { ...granted, action: { name: "configure" }, resource: { type: "admin" } };

/** Starts a server over a copy of what ships, with the quick start's trust in loopback. */
export async function startHostileServer(
  prepare: (workspace: Workspace) => void = () => {},
): Promise<HostileServer> {
  const workspace = createWorkspace();
  prepare(workspace);
  const process = await workspace.serve();
  const client = createGrpcClient(process.address);
  const check: HostileServer["check"] = (asked) => client.call(DecisionService.method.check, asked);
  const { revision } = await check(granted);
  return {
    workspace,
    process,
    client,
    check,
    send: (path, bytes, options) => outcomeOf(client.raw(path, bytes, options)),
    control: (path) => get(join(workspace.folder, "state/control.sock"), path),
    expectUnharmed: async () => {
      expect(await check(granted)).toMatchObject({ allowed: true, revision });
      expect(await check(refused)).toMatchObject({ allowed: false });
      const unforeseen = process.log.filter(({ message }) => /nobody foresaw/.test(`${message}`));
      expect(unforeseen).toEqual([]);
    },
    close: async () => {
      client.close();
      expect(await process.stop()).toBe(0);
      workspace.remove();
    },
  };
}

async function outcomeOf(call: Promise<Buffer>): Promise<Outcome> {
  try {
    return { code: 0, field: undefined, message: "", answer: await call };
  } catch (error) {
    const { code, details } = error as ServiceError;
    const field = badRequestField(error as ServiceError);
    return { code, field, message: details, answer: undefined };
  }
}

function get(socketPath: string, path: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    request({ socketPath, path }, (response) => {
      text(response).then((body) => resolve(JSON.parse(body)), reject);
    })
      .on("error", reject)
      .end();
  });
}
