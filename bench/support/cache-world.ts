import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Create } from "typebox/value";
import { systemClock } from "../../src/base/clock.ts";
import { noDeadline } from "../../src/base/deadline.ts";
import { silentHealth } from "../../src/base/health.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { type Meter, silentMeter } from "../../src/base/meter.ts";
import {
  type CacheOptions,
  type RedisOptions,
  redisOptionsSchema,
} from "../../src/cache/options.ts";
import type { PermissionSets, SetQuery } from "../../src/cache/permission-sets.ts";
import { type Config, configSchema } from "../../src/config/config.ts";
import { openConfiguredDirectory } from "../../src/configured-directory.ts";
import type { Directory } from "../../src/directory/directory.ts";
import { servePermissionSets } from "../../src/serving-permission-sets.ts";

const ROLES = 4;
const PERMISSIONS_EACH = 5;

/** A directory in which each subject has 20 permissions by four roles. */
export interface CacheWorld {
  readonly directory: Directory;
  /** Permission sets as a sidecar of its own serves them, and what it has counted. */
  sidecar(cache?: Partial<CacheOptions>): Promise<BenchSidecar>;
  /** Changes what the first `subjects` may do, each by itself. */
  change(subjects: number): Promise<void>;
  close(): Promise<void>;
}

/** The permission sets of one sidecar. */
export interface BenchSidecar {
  readonly sets: PermissionSets;
  /** By counter. */
  readonly counts: ReadonlyMap<string, number>;
  close(): void;
}

/** Makes the directory, on SQLite, with `subjects` in it. */
export async function makeCacheWorld(subjects: number, redis: string): Promise<CacheWorld> {
  const folder = mkdtempSync(join(tmpdir(), "postern-bench-cache-"));
  const config = Create(configSchema) as Config;
  const database = `sqlite:${join(folder, "directory.db")}`;
  const parts = { clock: systemClock, logger: silentLogger, meter: silentMeter };
  const directory = await openConfiguredDirectory({
    ...parts,
    health: silentHealth,
    config: { ...config, directory: { ...config.directory, database } },
  });
  const permissions = [...directory.catalogues.get("gateway")!.permissions.keys()];
  await directory.apply(directoryFile(permissions, subjects), { dryRun: false });
  return {
    directory,
    async sidecar(cache = {}) {
      const { meter, counts } = countingMeter();
      const shared = { ...(Create(redisOptionsSchema) as RedisOptions), url: redis };
      const served = await servePermissionSets({
        ...{ ...parts, meter, directory },
        options: { ...config.cache, redis: shared, ...cache },
        applications: () => ["gateway"],
      });
      return { sets: served.permissionSets, counts, close: served.close };
    },
    async change(subjects) {
      await directory.apply(directGrants(permissions[0]!, subjects), { dryRun: false });
    },
    async close() {
      await directory.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Asks for a subject's set, cached or not. */
export function setQuery(index: number): SetQuery {
  return {
    application: "gateway",
    subjectId: subjectId(index),
    deadline: noDeadline,
    consistency: { minimumGeneration: 0, bypassCache: false },
  };
}

/** Of the length that ids of identity providers have. */
export function subjectId(index: number): string {
  return `0193e4b2-7c1d-7b0a-9f3e-${String(index).padStart(12, "0")}`;
}

function directoryFile(permissions: readonly string[], subjects: number) {
  const names = Array.from({ length: ROLES }, (_, index) => `bench-role-${index}`);
  const roles = names.map((name, index) => ({
    name,
    permissions: permissions.slice(index * PERMISSIONS_EACH, (index + 1) * PERMISSIONS_EACH),
  }));
  const ids = Array.from({ length: subjects }, (_, index) => subjectId(index));
  const file = {
    subjects: ids.map((id) => ({ id })),
    applications: {
      gateway: {
        roles,
        assignments: ids.map((subject) => ({
          ...{ subject, roles: names },
          ...{ grantedBy: "bench", reason: "bench" },
        })),
      },
    },
  };
  return { name: "bench", text: JSON.stringify(file) };
}

function directGrants(permission: string, subjects: number) {
  const assignments = Array.from({ length: subjects }, (_, index) => ({
    ...{ subject: subjectId(index), permissions: [permission] },
    ...{ grantedBy: "bench", reason: "bench" },
  }));
  return { name: "bench", text: JSON.stringify({ applications: { gateway: { assignments } } }) };
}

function countingMeter() {
  const counts = new Map<string, number>();
  const meter: Meter = {
    ...silentMeter,
    counter: ({ name }) => ({
      add: (by) => counts.set(name, (counts.get(name) ?? 0) + by),
    }),
  };
  return { meter, counts };
}
