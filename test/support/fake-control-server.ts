import { mkdtempSync } from "node:fs";
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
import { afterEach } from "vitest";
import { type ControlServerDeps, createControlServer } from "../../src/admin/control-server.ts";
import { silentLogger } from "../../src/base/logger.ts";
import type { UnaryHandler } from "../../src/base/unary-handler.ts";
import { manualClock } from "./manual-clock.ts";

const closing: (() => Promise<void>)[] = [];
afterEach(() => Promise.all(closing.splice(0).map((close) => close())));

/** A path for a socket in a folder of its own. */
export function socketPath(): string {
  return join(mkdtempSync(join(tmpdir(), "postern-cli-")), "control.sock");
}

/** Serves these handlers, by method name, until the test ends; gives the path of the socket. */
export function serveControl(
  handlers: Record<string, UnaryHandler>,
  bundles: ControlServerDeps["bundles"] = { list: () => [], remove: async () => false },
  cache: ControlServerDeps["cache"] = { show: async () => ({}), purge: async () => true },
): Promise<string> {
  return serve({ handlers, bundles, cache });
}

/** Serves this report on candidates. */
export function serveShadow(views: readonly unknown[]): Promise<string> {
  return serve({ shadow: { report: () => views } });
}

interface Served extends Partial<Omit<ControlServerDeps, "handlers">> {
  readonly handlers?: Record<string, UnaryHandler>;
}

async function serve({ handlers = {}, ...given }: Served): Promise<string> {
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
    bundles: { list: () => [], remove: async () => false },
    cache: { show: async () => ({}), purge: async () => true },
    envoy: { try: async () => ({}) },
    status: () => ({}),
    ...given,
  });
  await server.listen();
  closing.push(server.close);
  return path;
}

/** A handler that keeps each request, as JSON, and gives `answer`. */
export function answering<Request extends DescMessage, Answer extends DescMessage>(
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
