/**
 * The operator's door on this machine: the unix socket that the command line talks to. Who may
 * open the socket may do everything; it is not for PEPs, which have `grpc/`.
 */
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  fastify,
} from "fastify";
import type { Clock } from "../base/clock.ts";
import { deadlineIn } from "../base/deadline.ts";
import type { Logger } from "../base/logger.ts";
import { optionName } from "../base/option-name.ts";
import type { Peer, UnaryCall, UnaryHandlers } from "../base/unary-handler.ts";
import { listenOnUnixSocket, refuseIfTaken, type UnixSocket } from "../base/unix-socket.ts";
import { type ErrorKind, PdpError, toPdpError } from "../decision/error.ts";
import { checkApplicationName, checkId } from "../decision/names.ts";
import type { AdminOptions } from "./options.ts";

/** What the control socket needs. */
export interface ControlServerDeps {
  readonly options: AdminOptions;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The API's handlers, the same that the gRPC door has. */
  readonly handlers: UnaryHandlers;
  readonly bundles: {
    /** Of each application; any JSON. */
    list(): readonly unknown[];
    /** Ends serving the application; `false` if there is none. */
    remove(application: string): Promise<boolean>;
  };
  readonly cache: {
    /** What is kept of a subject; any JSON. */
    show(subjectId: string): Promise<unknown>;
    /** Forgets a subject's sets, or all without one; `false` if not everywhere. */
    purge(subjectId?: string): Promise<boolean>;
  };
  /** How candidates fare; `undefined` = no folder of them is configured. */
  readonly shadow?: { report(): readonly unknown[] } | undefined;
  readonly envoy: {
    /** Answers a check of Envoy's, encoded, as the gRPC door does, and says why; any JSON. */
    try(request: Uint8Array, call: UnaryCall): Promise<unknown>;
  };
  /** What `GET /status` shows; any JSON. */
  readonly status: () => unknown;
}

/** The control socket. */
export interface ControlServer {
  /** Resolves once the socket answers; rejects with a text for operators if it can't be made. */
  listen(): Promise<void>;
  close(): Promise<void>;
}

/** Codes and statuses of Connect's unary protocol (connectrpc.com/docs/protocol, “Error codes”). */
const ANSWERS = {
  "invalid-argument": { code: "invalid_argument", status: 400 },
  "not-found": { code: "not_found", status: 404 },
  "permission-denied": { code: "permission_denied", status: 403 },
  "resource-exhausted": { code: "resource_exhausted", status: 429 },
  "too-large": { code: "resource_exhausted", status: 429 },
  "failed-precondition": { code: "failed_precondition", status: 400 },
  "deadline-exceeded": { code: "deadline_exceeded", status: 504 },
  unavailable: { code: "unavailable", status: 503 },
  internal: { code: "internal", status: 500 },
} satisfies Record<ErrorKind, { code: string; status: number }>;

const OPTION = "admin.control_socket";

const peer: Peer = { kind: "control", certificateNames: [] };

/** Throws if another server answers on the control socket, or the path is not a socket. */
export function refuseSecondServer({ controlSocket }: AdminOptions): Promise<void> {
  return refuseIfTaken({ path: controlSocket, option: OPTION });
}

/** Makes the control server; nothing is served before `listen`. */
export function createControlServer(deps: ControlServerDeps): ControlServer {
  const { options } = deps;
  const app = fastify({
    bodyLimit: options.requestBytesMax,
    requestTimeout: options.requestTimeoutMs,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    // An id of 256 bytes, each of them escaped.
    routerOptions: { maxParamLength: 768 },
  });
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const failure = fromFastify(error);
    if (failure.kind === "internal") {
      deps.logger.error({ error, route: request.routeOptions.url }, "A control request failed.");
    }
    return sendError(reply, failure);
  });
  app.setNotFoundHandler((_, reply) =>
    sendError(reply, new PdpError("not-found", "the control socket has no such method")),
  );
  addApi(app, deps);
  addBundles(app, deps);
  addCache(app, deps);
  app.get("/shadow", () => shadowReport(deps));
  app.get("/status", () => deps.status());

  let socket: UnixSocket | undefined;
  return {
    listen: async () => {
      makeFolder(dirname(options.controlSocket));
      socket = await listenOnUnixSocket({
        path: options.controlSocket,
        option: OPTION,
        mode: 0o600,
        bind: (path) => app.listen({ path }),
      });
      // An error that nobody listens for would end the process.
      app.server.on("error", (error) => {
        deps.logger.error({ error }, "A control connection could not be taken. Listening goes on.");
      });
    },
    close: async () => {
      socket?.remove();
      await app.close();
    },
  };
}

/** Postern's own folder, as that of the directory: for nobody but its user. */
function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    const where = `the folder ${folder} of the control socket`;
    const remedy = `Choose another path in ${optionName(OPTION)}.`;
    const why = (error as Error).message;
    throw new PdpError("unavailable", `Can't make ${where}: ${why}. ${remedy}`, { cause: error });
  }
}

/** `POST /postern.v1.DecisionService/Check` and its siblings, as in Connect's unary protocol; and more. */
function addApi(app: FastifyInstance, deps: ControlServerDeps): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/proto", { parseAs: "buffer" }, (_, body, done) =>
    done(null, body),
  );
  const callFor = (): UnaryCall => {
    return { peer, deadline: deadlineIn(deps.clock, deps.options.requestTimeoutMs) };
  };
  for (const [name, handler] of deps.handlers) {
    app.post(name, async (request, reply) => {
      const answer = await handler(messageOf(request), callFor());
      return reply.type("application/proto").send(Buffer.from(answer));
    });
  }
  app.post("/envoy/try", (request) => deps.envoy.try(messageOf(request), callFor()));
}

function messageOf({ body }: FastifyRequest): Uint8Array {
  if (body instanceof Uint8Array) return body;
  throw new PdpError("invalid-argument", "expected a body of type application/proto");
}

function addBundles(app: FastifyInstance, { bundles }: ControlServerDeps): void {
  app.get("/bundles", () => bundles.list());
  app.delete<{ Params: { application: string } }>("/bundles/:application", async (request) => {
    const { application } = request.params;
    checkApplicationName(application, "application");
    if (!(await bundles.remove(application))) {
      throw new PdpError("not-found", `there is no bundle of the application "${application}"`, {
        field: "application",
      });
    }
    return { removed: application };
  });
}

function shadowReport({ shadow }: ControlServerDeps): readonly unknown[] {
  if (shadow !== undefined) return shadow.report();
  throw new PdpError(
    "not-found",
    `no candidates are looked for; name their folder in ${optionName("bundle.candidates_folder")}`,
  );
}

function addCache(app: FastifyInstance, { cache }: ControlServerDeps): void {
  const purge = async (subject?: string): Promise<object> => {
    if (await cache.purge(subject)) return { purged: subject ?? null };
    throw new PdpError(
      "unavailable",
      "this server has forgotten them; Redis can't be reached and keeps them for their time",
    );
  };
  app.delete("/cache", () => purge());
  app.get<{ Params: { subject: string } }>("/cache/:subject", ({ params }) => {
    checkId(params.subject, "subject");
    return cache.show(params.subject);
  });
  app.delete<{ Params: { subject: string } }>("/cache/:subject", ({ params }) => {
    checkId(params.subject, "subject");
    return purge(params.subject);
  });
}

function fromFastify(error: FastifyError): PdpError {
  if (error.statusCode === 413) {
    return new PdpError("resource-exhausted", "the body is larger than admin.request_bytes_max");
  }
  if (error.statusCode !== undefined && error.statusCode < 500) {
    return new PdpError("invalid-argument", error.message);
  }
  return toPdpError(error);
}

function sendError(reply: FastifyReply, error: PdpError): FastifyReply {
  const { code, status } = ANSWERS[error.kind];
  return reply.code(status).send({ code, message: error.message, field: error.field });
}
