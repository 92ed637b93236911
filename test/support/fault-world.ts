import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { openAnnouncingDirectory } from "../../src/announcing-directory.ts";
import { loadConfig } from "../../src/config/load-config.ts";
import { type FaultyProxy, startProxy } from "./faulty-proxy.ts";
import { freePort } from "./free-port.ts";
import {
  type Invariants,
  type InvariantsSetup,
  type Metrics,
  watchInvariants,
} from "./invariants.ts";
import { type RedisServer, startRedis } from "./redis.ts";
import { createWorkspace, type ServerProcess } from "./workspace.ts";

/** Two sidecars in processes of their own that share a directory and a Redis. */
export interface FaultWorld {
  readonly redis: RedisServer;
  /** Between the sidecars and Redis; whoever changes the directory does not go through it. */
  readonly proxy: FaultyProxy;
  readonly sidecars: readonly ServerProcess[];
  readonly watch: Invariants;
  /** Gives a subject the permission that is asked about, as `directory apply` does. */
  grant(subject: string, expiresAt?: Date): Promise<void>;
  revoke(subject: string): Promise<void>;
  /** Resolves once all sidecars use Redis and believe what they hear. */
  untilTrusted(): Promise<void>;
  /**
   * Lets something fail until a subject that has lost its permission meanwhile has been asked about
   * for longer than the bound, while one keeps it and one gets it; gives what was counted meanwhile.
   */
  suffer(fault: Fault): Promise<Metrics>;
}

/** Something that fails, for a while. */
export interface Fault {
  begin(): unknown;
  /** Nothing where it ends by itself. */
  end?(): unknown;
}

/** How a world differs. */
export interface FaultWorldSetup extends Pick<InvariantsSetup, "mayFailWith"> {
  readonly redisArgs?: readonly string[];
  /** URL of a directory in PostgreSQL; SQLite unless given. */
  readonly database?: string;
  /** Time to live of the memory tier. */
  readonly ttlMs?: number;
  /** Further environment of the sidecars. */
  readonly env?: Readonly<Record<string, string>>;
}

const TTL_MS = 500;
const REDIS_TTL_MS = 1_000;
/** Outcomes of each sidecar, which take longer than the bound at the load's pace. */
const BEYOND_BOUND = 180;
const A_FEW = 20;
const PATIENCE = { timeout: 20_000, interval: 50 };

/** Starts it, with a steady load; everything ends with the test. */
export async function startFaultWorld(setup: FaultWorldSetup = {}): Promise<FaultWorld> {
  const { ttlMs = TTL_MS, mayFailWith = [] } = setup;
  const port = await freePort();
  const redis = await startRedis({ port, args: setup.redisArgs ?? [] });
  const proxy = await startProxy(port);
  const folder = mkdtempSync(join(tmpdir(), "postern-faults-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const env = {
    POSTERN_DIRECTORY_DATABASE: setup.database ?? `sqlite:${join(folder, "directory.db")}`,
    POSTERN_CACHE_TTL_MS: `${ttlMs}`,
    POSTERN_CACHE_REDIS_TTL_MS: `${REDIS_TTL_MS}`,
    POSTERN_CACHE_REDIS_URL: `redis://127.0.0.1:${proxy.port}`,
    ...setup.env,
  };
  const workspace = createWorkspace(env);
  onTestFinished(() => workspace.remove());
  const sidecars: ServerProcess[] = [];
  for (const state of ["one", "two"]) {
    const sidecar = await workspace.serve({ state });
    sidecars.push(sidecar);
    onTestFinished(async () => {
      await sidecar.stop();
    });
  }
  // Longest that an answer may be behind a change: both times to live.
  const boundMs = ttlMs + REDIS_TTL_MS;
  const watch = await watchInvariants({ sidecars, boundMs, mayFailWith });
  const change = async (subject: string, allowed: boolean, expiresAt?: Date): Promise<void> => {
    const end =
      expiresAt === undefined ? "" : `, expiresAt: ${expiresAt.toISOString().slice(0, 19)}Z`;
    const how = allowed ? `grantedBy: admin-1, reason: trial${end}` : "remove: true";
    const entry = `{ subject: ${subject}, permissions: [compliance:report], ${how} }`;
    const text = `
subjects: [{ id: ${subject} }]
applications: { platform: { assignments: [${entry}] } }
`;
    await watch.load.change(subject, allowed, () =>
      apply(text, { ...env, POSTERN_CACHE_REDIS_URL: redis.url }),
    );
  };
  const grant = (subject: string, expiresAt?: Date) => change(subject, true, expiresAt);
  const revoke = (subject: string) => change(subject, false);
  const untilTrusted = async (): Promise<void> => {
    const trusted = async (): Promise<number> =>
      (await watch.now())("postern_change_channel_trusted");
    await expect.poll(trusted, PATIENCE).toBe(sidecars.length);
  };
  let faults = 0;
  await grant("keeper");
  return {
    ...{ redis, proxy, sidecars, watch, grant, revoke, untilTrusted },
    async suffer(fault) {
      faults += 1;
      await grant(`loser-${faults}`);
      await untilTrusted();
      await watch.load.outcomes(A_FEW);
      const before = await watch.grown();
      await fault.begin();
      await watch.load.outcomes(A_FEW);
      await revoke(`loser-${faults}`);
      await grant(`gainer-${faults}`);
      await watch.load.outcomes(BEYOND_BOUND);
      await fault.end?.();
      await untilTrusted();
      const after = await watch.grown();
      return (series) => after(series) - before(series);
    },
  };
}

/** How often Redis has failed for one of these reasons. */
export function failuresIn(grown: Metrics, reasons: readonly string[]): number {
  return reasons
    .map((reason) => grown(`postern_redis_failures_total{reason="${reason}"}`))
    .reduce((total, count) => total + count, 0);
}

/** What a Redis that says nothing is counted as. */
export const SILENCE = ["timeout", "closed", "breaker-open"] as const;

async function apply(text: string, env: Readonly<Record<string, string>>): Promise<void> {
  const { config } = loadConfig({ file: undefined, env });
  const directory = await openAnnouncingDirectory({ config, unannounced: () => {} });
  try {
    await directory.apply({ name: "change.yaml", text }, { dryRun: false });
  } finally {
    await directory.close();
  }
}
