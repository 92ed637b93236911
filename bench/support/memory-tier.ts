import { systemClock } from "../../src/base/clock.ts";
import { type Meter, silentMeter } from "../../src/base/meter.ts";
import { MiB } from "../../src/base/sizes.ts";
import { createMemoryCache } from "../../src/cache/memory-cache.ts";
import { setOfShape, shapeOfSet } from "../../src/cache/set-shape.ts";
import type { PermissionSet } from "../../src/decision/permission-set.ts";
import { conditionClass, permissionSet, roleGrant } from "../../test/support/permission-set.ts";
import { subjectId } from "./cache-world.ts";
import { printTable } from "./figures.ts";

const SUBJECTS = 100_000;
const BYTES_MAX = 64 * MiB;

/** Puts 100,000 sets of 20 permissions into a memory tier of 64 MB, and reads them back. */
export function measureMemoryTier(): void {
  if (globalThis.gc === undefined) throw new Error("run with node --expose-gc");
  let evictions = 0;
  const meter: Meter = { ...silentMeter, counter: () => ({ add: (by) => (evictions += by) }) };
  const cache = createMemoryCache({
    ...{ clock: systemClock, meter, random: Math.random },
    announcedUpToMs: systemClock.monotonicMs,
    options: {
      ...{ entriesMax: SUBJECTS, bytesMax: BYTES_MAX, staleForMs: 0 },
      ...{ ttlMs: 3_600_000, negativeTtlMs: 2_000 },
    },
  });
  globalThis.gc();
  const before = process.memoryUsage().heapUsed;
  const putUs = cpuUs(SUBJECTS, (index) => {
    cache.put(distinctSet(index), systemClock.monotonicMs());
  });
  globalThis.gc();
  const grown = process.memoryUsage().heapUsed - before;
  let found = 0;
  const getUs = cpuUs(SUBJECTS, (index) => {
    const key = { application: "gateway", subjectId: subjectId(index) };
    if (typeof cache.get(key) !== "string") found += 1;
  });
  process.stdout.write(`\n${SUBJECTS} subjects of 20 permissions in 64 MB of memory tier\n`);
  printTable([
    ["kept", "evicted", "estimated", "heap grown by", "put, set made anew", "get", "found"],
    [
      ...[String(cache.entries()), String(evictions)],
      ...[cache.bytes(), grown].map((bytes) => `${(bytes / MiB).toFixed(1)} MiB`),
      ...[putUs, getUs].map((us) => `${us.toFixed(2)} µs`),
      String(found),
    ],
  ]);
}

/** In processor time, per call. */
function cpuUs(calls: number, call: (index: number) => void): number {
  const before = process.cpuUsage();
  for (let index = 0; index < calls; index += 1) call(index);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / calls;
}

const roles = Array.from({ length: 4 }, (_, role) =>
  roleGrant(
    `bench-role-${role}`,
    Array.from({ length: 5 }, (_, index) => `Resource${role}:Action${index}`),
  ),
);

/** A set as Redis gives it: nothing in it is shared with another. */
function distinctSet(index: number): PermissionSet {
  const subject = { id: subjectId(index), type: "user" } as const;
  const classes = [conditionClass({}, roles)];
  const set = permissionSet({ application: "gateway", subject, classes });
  return setOfShape(JSON.parse(JSON.stringify(shapeOfSet(set))), 1);
}
