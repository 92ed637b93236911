import type { Clock } from "../base/clock.ts";
import { type Deadline, remainingMs } from "../base/deadline.ts";
import type { Health } from "../base/health.ts";
import type { Logger } from "../base/logger.ts";
import type { Meter } from "../base/meter.ts";
import { untilDeadline } from "../base/until-deadline.ts";
import { PdpError, toPdpError } from "../decision/error.ts";
import type { PermissionSet } from "../decision/permission-set.ts";
import { applyFile } from "./apply-file.ts";
import type { CatalogueDefinition } from "./catalogue-file.ts";
import { type ChangeFeed, createChangeFeed, type Repeat, repeatWithTimer } from "./change-feed.ts";
import { checkFile } from "./check-file.ts";
import { readGeneration, takeGeneration } from "./commit.ts";
import type { ApplyOptions, Directory, DirectoryText } from "./directory.ts";
import { createDirectoryMetrics, type DirectoryMetrics } from "./directory-metrics.ts";
import { TooManyGrants } from "./expand-grants.ts";
import { loadCatalogues } from "./load-catalogues.ts";
import { createStore } from "./open-store.ts";
import type { DirectoryOptions } from "./options.ts";
import type { Plan, PlanItem } from "./plan.ts";
import { createPreparedStore } from "./prepared-store.ts";
import { type ChangePosition, readChanges, readPosition } from "./read-changes.ts";
import { createResolver } from "./resolve.ts";
import { readDirectoryFile } from "./show.ts";
import type { Store, TableTransaction } from "./store.ts";
import { syncCatalogues } from "./sync-catalogues.ts";

/** What a directory is made of. */
export interface DirectoryDeps {
  readonly options: DirectoryOptions;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly meter: Meter;
  readonly health: Health;
  /** What a subject that the directory doesn't know gets in an application. */
  readonly unknownSubjects: (application: string) => "deny" | "default-roles";
  /** For tests; the event loop's timer unless given. */
  readonly repeat?: Repeat;
}

/**
 * Opens the directory: reads the catalogues, brings schema and system roles up to date. Throws
 * `PdpError` for catalogues with mistakes and databases that can't be used.
 */
export async function openDirectory(deps: DirectoryDeps): Promise<Directory> {
  const { options, logger } = deps;
  const definitions = await loadCatalogues(options.cataloguesFolder, options.fileBytesMax);
  const metrics = createDirectoryMetrics(deps.clock, deps.meter);
  const database = createStore(options, metrics);
  const store = createPreparedStore({
    store: database,
    prepare: async () => {
      await database.prepare();
      await syncCatalogues(database, definitions, logger);
    },
    clock: deps.clock,
  });
  try {
    const position = await firstPosition(store, deps);
    const isReadable = position !== BEFORE_ALL;
    const feed = createChangeFeed({
      store,
      position,
      isReadable,
      pollIntervalMs: options.pollIntervalMs,
      clock: deps.clock,
      repeat: deps.repeat ?? repeatWithTimer,
      logger,
      report: (isReadable) => report(deps.health, isReadable),
    });
    if (isReadable) metrics.generation(position.generation);
    feed.watch((change) => metrics.generation(change.generation));
    report(deps.health, isReadable);
    return createDirectory(deps, { store, feed, definitions, metrics });
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** The first look tells everybody that everything may differ. */
const BEFORE_ALL: ChangePosition = { generation: -1, changeId: undefined };

async function firstPosition(store: Store, deps: DirectoryDeps): Promise<ChangePosition> {
  try {
    return await store.read(readPosition);
  } catch (error) {
    const canWait = deps.options.startWithout && toPdpError(error).kind === "unavailable";
    if (!canWait) throw error;
    const why = (error as Error).message;
    deps.logger.error({ error }, `Started without the directory, and trying on. ${why}`);
    return BEFORE_ALL;
  }
}

interface Parts {
  readonly store: Store;
  readonly feed: ChangeFeed;
  readonly definitions: ReadonlyMap<string, CatalogueDefinition>;
  readonly metrics: DirectoryMetrics;
}

function createDirectory(deps: DirectoryDeps, parts: Parts): Directory {
  const { store, feed, definitions, metrics } = parts;
  const { clock, options } = deps;
  const resolve = createResolver({
    hasCatalogue: (application) => definitions.has(application),
    unknownSubjects: deps.unknownSubjects,
    grantsMax: options.grantsMax,
  });
  return {
    catalogues: new Map([...definitions].map(([name, { catalogue }]) => [name, catalogue])),
    resolve(application, subjectId, deadline): Promise<PermissionSet> {
      const nowMs = clock.wallMs();
      const query = { application, subjectId, nowMs };
      const read = () =>
        store.read((transaction) => resolve(transaction, query)).catch(explainResolve);
      return metrics.resolve(() => within(deadline, clock, read));
    },
    generation: (deadline) => within(deadline, clock, () => store.read(readGeneration)),
    async changesAfter(generation) {
      const after = { generation, changeId: undefined };
      return (await store.read((transaction) => readChanges(transaction, after))).changes;
    },
    identity: () => store.read(readIdentity),
    async apply(file, applyOptions) {
      const plan = await apply(file, applyOptions, { store, definitions, options });
      // Who asked for the change sees it announced before the answer.
      if (!plan.dryRun) await feed.poll();
      return plan;
    },
    isEmpty: () => store.read(hasNoSubjects),
    show: () => store.read((transaction) => readDirectoryFile(transaction, definitions.keys())),
    watch: (listener) => feed.watch(listener),
    announcedUpToMs: feed.announcedUpToMs,
    async close() {
      feed.close();
      await store.close();
    },
  };
}

async function apply(
  file: DirectoryText,
  { dryRun }: ApplyOptions,
  parts: Pick<Parts, "store" | "definitions"> & { readonly options: DirectoryOptions },
): Promise<Plan> {
  const checked = checkFile(file, parts.definitions);
  checked.problems.throwIfAny();
  const run = dryRun ? parts.store.tryOut : parts.store.write;
  return run(async (transaction) => {
    const items = await applyFile(transaction, checked, parts.options);
    const generation =
      dryRun || items.length === 0
        ? await readGeneration(transaction)
        : await takeGeneration(transaction, touchedBy(items));
    return { items, warnings: checked.problems.warnings, dryRun, generation };
  });
}

async function readIdentity(transaction: TableTransaction): Promise<string> {
  const state = await transaction
    .selectFrom("state")
    .select("directory_id")
    .executeTakeFirstOrThrow();
  return state.directory_id;
}

async function hasNoSubjects(transaction: TableTransaction): Promise<boolean> {
  const any = await transaction.selectFrom("subjects").select("id").limit(1).executeTakeFirst();
  return any === undefined;
}

function touchedBy(items: readonly PlanItem[]) {
  const models = new Set<string>();
  const subjects = new Set<string>();
  for (const { kind, application, subject } of items) {
    if (subject !== undefined) subjects.add(subject);
    else if (kind !== "subject" && application !== undefined) models.add(application);
  }
  return { models, subjects: models.size > 0 ? ("all" as const) : subjects };
}

function explainResolve(error: unknown): never {
  if (!(error instanceof TooManyGrants)) throw error;
  throw new PdpError("failed-precondition", "the subject has more grants than a set may have", {
    cause: error,
  });
}

function report(health: Health, isReadable: boolean): void {
  if (isReadable) health.set("directory", "ok");
  else health.set("directory", "failing", "can't be read; cached sets serve until they expire");
}

/** What `start` gives, unless the deadline passes first. Work once started goes on: it is cheap. */
function within<T>(deadline: Deadline, clock: Clock, start: () => Promise<T>): Promise<T> {
  const late = (): Error =>
    new PdpError("deadline-exceeded", "the directory did not answer in time");
  if (remainingMs(clock, deadline) === 0) return Promise.reject(late());
  return untilDeadline(start(), deadline, { clock, late });
}
