/**
 * The part of the composition root that keeps the table of routes in force: that of the configuration,
 * or that of a file, which is read again when it changes.
 */
import { createHash } from "node:crypto";
import { open, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { Clock } from "./base/clock.ts";
import type { Health } from "./base/health.ts";
import type { Logger } from "./base/logger.ts";
import type { Meter } from "./base/meter.ts";
import { optionName } from "./base/option-name.ts";
import { notRegularFile, regularFileFlags } from "./base/regular-file.ts";
import { sampleOf } from "./bundle/read-file.ts";
import { watchFolder } from "./bundle/watch-folder.ts";
import type { RbacOptions } from "./grpc/ext-authz/options.ts";
import {
  createRouteQuestions,
  openRouteQuestions,
  type RouteQuestions,
} from "./grpc/ext-authz/route-questions.ts";
import {
  type TakenFacts,
  takeProperties,
  uncountedFacts,
} from "./grpc/ext-authz/uncounted-facts.ts";
import type { PipelineOptions } from "./pipeline/options.ts";
import { ROUTES_FILE_BYTES_MAX } from "./read-routes-file.ts";
import { type ReadRoutes, RoutesFileRefused } from "./start-routes-worker.ts";

const COMPONENT = "routes";
const POLL_INTERVAL_MS = 1_000;
const SETTLE_MS = 100;
const START_ATTEMPTS = 5;
const DIGEST_SHOWN = 12;

/** What keeping the table in force needs. */
export interface ServingRoutesDeps {
  readonly options: RbacOptions;
  /** Whom Envoy may be, and what it is believed. */
  readonly trust: PipelineOptions["trust"];
  readonly readRoutes: ReadRoutes;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly meter: Meter;
  readonly health: Health;
}

/** The table in force. */
export interface ServingRoutes {
  /** Of the table that is in force when they are put. */
  readonly questions: RouteQuestions;
  close(): Promise<void>;
}

/** Puts a table in force. Throws an `Error` that says what is wrong with it. */
export async function serveRoutes(deps: ServingRoutesDeps): Promise<ServingRoutes> {
  const { routesFile } = deps.options;
  if (routesFile === undefined) {
    warnOf({ ...deps.options, takesProperties: takeProperties(deps.options.routes) }, deps);
    return { questions: createRouteQuestions(deps.options), close: async () => {} };
  }
  return serveRoutesFile(routesFile, deps);
}

/** Bytes of a file, and what identifies the state that they were read in. */
interface Content {
  readonly bytes: Uint8Array;
  readonly sample: string;
}

interface Table {
  readonly questions: RouteQuestions;
  /** SHA-256 of the file, hex, its beginning. */
  readonly digest: string;
}

async function serveRoutesFile(file: string, deps: ServingRoutesDeps): Promise<ServingRoutes> {
  const { clock } = deps;
  const journal = createJournal(file, deps);
  const closing = new AbortController();
  const makeTable = createTableMaker(file, deps, closing.signal);
  const first = await readAtStart(file);
  let table = await atOption(() => makeTable(first.bytes));
  journal.activated(table);

  /** The state of the file that was dealt with, if it could be read, and the one that was seen last. */
  let handled: string | undefined = first.sample;
  let seen = { sample: first.sample, sinceMs: clock.monotonicMs() };

  async function take({ bytes }: Content): Promise<void> {
    const isSame = digestOf(bytes) === table.digest;
    if (isSame && !journal.isRefused()) return;
    if (!isSame) table = await makeTable(bytes);
    journal.activated(table);
  }

  /** A file is read once two looks at it, `SETTLE_MS` apart, have found the same. */
  async function look(): Promise<{ readonly unsettled: boolean }> {
    const sample = await lookAt(file);
    if (sample === handled) return { unsettled: false };
    if (sample !== seen.sample) seen = { sample, sinceMs: clock.monotonicMs() };
    if (clock.monotonicMs() - seen.sinceMs < SETTLE_MS) return { unsettled: true };
    try {
      const content = await readContent(file);
      if (content?.sample !== sample) return { unsettled: true };
      await take(content);
      handled = sample;
      return { unsettled: false };
    } catch (error) {
      // What keeps a file from being read may pass without a change of the file.
      handled = error instanceof RoutesFileRefused ? sample : undefined;
      throw error;
    }
  }

  async function scan(): Promise<{ readonly unsettled: boolean }> {
    try {
      return await look();
    } catch (error) {
      if (!closing.signal.aborted) journal.refused(error as Error, table);
      return { unsettled: false };
    }
  }

  const watch = watchFolder({
    ...{ folder: dirname(file), logger: deps.logger, scan: { scan } },
    ...{ pollIntervalMs: POLL_INTERVAL_MS, settleMs: SETTLE_MS },
  });
  return {
    questions: {
      ask: (...asked) => table.questions.ask(...asked),
      dryRunOf: (...asked) => table.questions.dryRunOf(...asked),
    },
    close: () => {
      closing.abort();
      return watch.close();
    },
  };
}

/** Makes tables of the file's bytes; rejects with what is wrong with them. */
function createTableMaker(
  file: string,
  deps: ServingRoutesDeps,
  signal: AbortSignal,
): (bytes: Uint8Array) => Promise<Table> {
  const { application } = deps.options;
  return async (bytes) => {
    const read = await deps.readRoutes({ bytes, fileName: file }, signal);
    warnOf({ ...read.options, takesProperties: read.takesProperties }, deps);
    const questions = openRouteQuestions({ application, ...read.options }, read.routes);
    return { questions, digest: digestOf(bytes) };
  };
}

/** A policy that denies by a fact allows where it doesn't see it. */
function warnOf(taken: TakenFacts, { trust, logger }: ServingRoutesDeps): void {
  for (const uncounted of uncountedFacts(taken, trust)) logger.warn({}, uncounted);
}

async function readAtStart(file: string): Promise<Content> {
  return atOption(async () => {
    for (let attempt = 0; attempt < START_ATTEMPTS; attempt += 1) {
      const content = await readContent(file);
      if (content !== undefined) return content;
    }
    throw new Error(`${file}: changes while it is read`);
  });
}

async function atOption<Value>(make: () => Promise<Value>): Promise<Value> {
  try {
    return await make();
  } catch (error) {
    const why = (error as Error).message;
    throw new Error(`${optionName("ext_authz.rbac.routes_file")}: ${why}`, { cause: error });
  }
}

/** Tells one state of the file from another; links are followed. */
async function lookAt(file: string): Promise<string> {
  try {
    return sampleOf(await stat(file, { bigint: true }));
  } catch (error) {
    return `unreadable: ${(error as NodeJS.ErrnoException).code}`;
  }
}

/** Reads a file through one handle; `undefined` = it changed meanwhile. */
async function readContent(file: string): Promise<Content | undefined> {
  const handle = await open(file, regularFileFlags);
  try {
    const before = await handle.stat({ bigint: true });
    if (!before.isFile()) throw new Error(`${file}: ${notRegularFile}`);
    if (before.size > BigInt(ROUTES_FILE_BYTES_MAX)) {
      const expected = `expected at most ${ROUTES_FILE_BYTES_MAX}`;
      throw new Error(`${file}: has ${before.size} bytes; ${expected}`);
    }
    const size = Number(before.size);
    const bytes = new Uint8Array(size);
    const { bytesRead } = await handle.read(bytes, 0, size, 0);
    const sample = sampleOf(before);
    const isWhole = bytesRead === size;
    const isSame = sampleOf(await handle.stat({ bigint: true })) === sample;
    return isWhole && isSame ? { bytes, sample } : undefined;
  } finally {
    await handle.close();
  }
}

function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex").slice(0, DIGEST_SHOWN);
}

/** Says in logs, metrics and health what has become of the file; the same failure once. */
function createJournal(file: string, { health, logger, meter }: ServingRoutesDeps) {
  const activations = meter.counter({
    name: "postern_route_table_activations_total",
    help: "Tables of routes that came into force.",
  });
  const refusals = meter.counter({
    name: "postern_route_table_refusals_total",
    help: "Files of routes that were refused; the table before stays in force.",
  });
  let refusal: string | undefined;
  return {
    isRefused: () => refusal !== undefined,
    activated({ digest }: Table): void {
      refusal = undefined;
      activations.add(1);
      logger.info({ file, digest }, "A table of routes is in force.");
      health.set(COMPONENT, "ok");
    },
    refused({ message }: Error, { digest }: Table): void {
      if (message === refusal) return;
      refusal = message;
      refusals.add(1);
      const holds = `The table ${digest} stays in force.`;
      logger.error({ file, digest }, `Routes refused: ${message}. ${holds}`);
      const [line = ""] = message.split("\n", 1);
      health.set(COMPONENT, "degraded", `the table ${digest} stays in force: ${line}`);
    },
  };
}
