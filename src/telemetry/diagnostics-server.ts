import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { listenFailure } from "../base/listen-failure.ts";
import type { Logger } from "../base/logger.ts";
import type { HealthRegistry } from "./health.ts";
import type { PrometheusMeter } from "./meter.ts";
import type { TelemetryOptions } from "./options.ts";

const CONNECTIONS_MAX = 64;
const HEADERS_MAX = 64;
const REQUEST_TIMEOUT_MS = 5_000;

/** What the diagnostics port needs. */
export interface DiagnosticsDeps {
  readonly options: Pick<TelemetryOptions, "diagnosticsHost" | "diagnosticsPort">;
  readonly health: Pick<HealthRegistry, "report">;
  readonly meter: Pick<PrometheusMeter, "exposition" | "contentType">;
  readonly logger: Logger;
}

/** The diagnostics port. */
export interface DiagnosticsServer {
  /** Resolves once the port answers; rejects with a text for operators if it can't. */
  listen(): Promise<{ readonly host: string; readonly port: number }>;
  close(): Promise<void>;
}

/** Serves `/metrics`, `/livez` and `/readyz`; read only, and everything else is refused. */
export function createDiagnosticsServer(deps: DiagnosticsDeps): DiagnosticsServer {
  const server = createServer(
    { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS },
    (request, response) => {
      answer(deps, request, response).catch((error: unknown) => {
        deps.logger.error({ error }, "A diagnostics request failed.");
        send(response, { status: 500, type: "text/plain", body: "internal error\n" });
      });
    },
  );
  server.maxConnections = CONNECTIONS_MAX;
  server.maxHeadersCount = HEADERS_MAX;
  return {
    listen: () => listen(server, deps),
    close: async () => {
      server.closeAllConnections();
      if (server.listening) await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

async function answer(
  deps: DiagnosticsDeps,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  // An unread body would keep the connection busy.
  request.resume();
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.setHeader("allow", "GET, HEAD");
    send(response, { status: 405, type: "text/plain", body: "only GET and HEAD\n" });
    return;
  }
  const [path] = (request.url ?? "").split("?", 1);
  send(response, await page(deps, path));
}

async function page(deps: DiagnosticsDeps, path: string | undefined): Promise<Answer> {
  switch (path) {
    case "/metrics": {
      const body = await deps.meter.exposition();
      return { status: 200, type: deps.meter.contentType, body };
    }
    case "/livez":
      // An answer at all is the proof: the event loop turns.
      return { status: 200, type: "application/json", body: '{"status":"up"}\n' };
    case "/readyz": {
      const report = deps.health.report();
      const status = report.status === "ready" ? 200 : 503;
      return { status, type: "application/json", body: `${JSON.stringify(report)}\n` };
    }
    default:
      return { status: 404, type: "text/plain", body: "see /metrics, /livez, /readyz\n" };
  }
}

function send(response: ServerResponse, { status, type, body }: Answer): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  response.writeHead(status, {
    "content-type": type,
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  response.end(body);
}

function listen(
  server: Server,
  { options, logger }: DiagnosticsDeps,
): Promise<{ host: string; port: number }> {
  const { diagnosticsHost: host, diagnosticsPort: port } = options;
  return new Promise((resolve, reject) => {
    const refuse = (error: NodeJS.ErrnoException): void => {
      const isAboutPort = error.code === "EADDRINUSE" || error.code === "EACCES";
      const option = `telemetry.diagnostics_${isAboutPort ? "port" : "host"}`;
      reject(listenFailure({ where: `${host}, port ${port}, for diagnostics`, option, error }));
    };
    server.once("error", refuse);
    server.listen({ host, port }, () => {
      server.off("error", refuse);
      // An error that nobody listens for would end the process.
      server.on("error", (error) => {
        logger.error({ error }, "A diagnostics connection could not be taken. Listening goes on.");
      });
      // A TCP server always has this kind of address.
      resolve({ host, port: (server.address() as AddressInfo).port });
    });
  });
}
