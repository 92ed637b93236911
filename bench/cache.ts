/**
 * What permission sets cost that are cached: a hit in memory, a hit in Redis, a miss; hit rates; how
 * much Redis and the memory tier take; and what `Check` does while Redis is stopped. Times of single
 * reads are by the clock, in the process that serves; Redis is a real one on the other core.
 *
 *   node --expose-gc bench/cache.ts [rounds of the stopped Redis]
 */
import { create, toBinary } from "@bufbuild/protobuf";
import { Redis } from "ioredis";
import { CheckRequestSchema } from "../src/grpc/gen/postern/v1/decision_pb.js";
import {
  type BenchSidecar,
  type CacheWorld,
  makeCacheWorld,
  setQuery,
  subjectId,
} from "./support/cache-world.ts";
import { median, percentile, printTable } from "./support/figures.ts";
import { runVariedLoad } from "./support/load-client.ts";
import { measureMemoryTier } from "./support/memory-tier.ts";
import { startPostern } from "./support/postern.ts";
import { moveToLoadCore } from "./support/processes.ts";
import { type BenchRedis, startBenchRedis } from "./support/redis.ts";

const REDIS_PORT = 19_794;
const SUBJECTS = 20_000;
const WARM = 2_000;
const IN_FLIGHT = 64;
const ZIPF_DRAWS = 60_000;
const CHECK = "/postern.v1.DecisionService/Check";
const CHECK_PORT = 19_791;
const CHECK_SUBJECTS = 1_000;
const CHECKS_EACH = 6_000;

const rounds = Number(process.argv[2] ?? 15);
const stops: (() => Promise<void>)[] = [];
try {
  moveToLoadCore();
  await main();
} finally {
  for (const stop of stops.reverse()) await stop();
}

async function main(): Promise<void> {
  const redis = await startBenchRedis(REDIS_PORT);
  stops.push(redis.stop);
  const world = await makeCacheWorld(SUBJECTS, redis.url);
  stops.push(() => world.close());
  await measureReads(world);
  await measureRedisMemory(redis);
  await measureHitRates(world);
  measureMemoryTier();
  await measureStoppedRedis(redis);
}

type Row = readonly string[];

/** One reads what nobody has, the other what the first has left in Redis, and keeps one set. */
async function measureReads(world: CacheWorld): Promise<void> {
  const first = await world.sidecar();
  const forgetful = await world.sidecar({ entriesMax: 1 });
  const misses = await eachMs(WARM, (index) => first.sets.get(setQuery(index)));
  // What was put last is not waited for.
  await new Promise((resolve) => setTimeout(resolve, 200));
  await eachMs(WARM, (index) => forgetful.sets.get(setQuery(index)));
  const hitsBefore = count(forgetful, "postern_redis_hits_total");
  const hits = await eachMs(WARM, (index) => forgetful.sets.get(setQuery(index)));
  const found = count(forgetful, "postern_redis_hits_total") - hitsBefore;
  const together = await togetherMs(forgetful);
  print("Reads of a set with 20 permissions", [
    ["", "p50", "p99", "goal"],
    ["hit in memory", `${memoryHitUs(first).toFixed(2)} µs`, "", "≤ 2 µs"],
    [`hit in Redis (${found} of ${WARM})`, ...quantiles(hits), "p50 ≤ 0.40 ms"],
    [`hit in Redis, ${IN_FLIGHT} at a time`, `${together.toFixed(3)} ms each`],
    ["miss: Redis, then the directory", ...quantiles(misses)],
  ]);
  first.close();
  forgetful.close();
}

async function eachMs(reads: number, read: (index: number) => unknown): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < reads; index += 1) {
    const startMs = performance.now();
    await read(index);
    times.push(performance.now() - startMs);
  }
  return times;
}

async function togetherMs({ sets }: BenchSidecar): Promise<number> {
  const startMs = performance.now();
  for (let index = 0; index < WARM; index += IN_FLIGHT) {
    const reads = Array.from({ length: IN_FLIGHT }, (_, other) =>
      sets.get(setQuery((index + other) % WARM)),
    );
    await Promise.all(reads);
  }
  return (performance.now() - startMs) / WARM;
}

/** Of 1,000 subjects in turn, in processor time: nothing is waited for. */
function memoryHitUs({ sets }: BenchSidecar): number {
  const queries = Array.from({ length: 1_000 }, (_, index) => setQuery(index));
  const perHit: number[] = [];
  for (let round = 0; round < 200; round += 1) {
    const before = process.cpuUsage();
    for (let times = 0; times < 10; times += 1) {
      for (const query of queries) {
        if (sets.get(query) instanceof Promise) throw new Error("a set is not in memory");
      }
    }
    const { user, system } = process.cpuUsage(before);
    perHit.push((user + system) / (10 * queries.length));
  }
  return median(perHit);
}

async function measureRedisMemory(redis: BenchRedis): Promise<void> {
  const admin = new Redis(redis.url);
  const bytes: number[] = [];
  for (const key of await admin.keys("postern:*")) {
    if (/\}:s:/.test(key)) bytes.push(Number(await admin.call("MEMORY", "USAGE", key)));
  }
  admin.disconnect();
  const shown = `${median(bytes)} bytes`;
  print("Redis memory of a set with 20 permissions, key and overhead included", [
    ["median", `of ${bytes.length}`, "goal"],
    [shown, `max ${Math.max(...bytes)}`, "≤ 1,536 bytes"],
  ]);
}

/** Subjects are asked for as people are, few of them often; a fifth fits into memory. */
async function measureHitRates(world: CacheWorld): Promise<void> {
  const sidecar = await world.sidecar({ entriesMax: SUBJECTS / 5 });
  const draw = zipf(SUBJECTS);
  const asked = ["postern_permission_set_cache_hits_total", "postern_redis_hits_total"] as const;
  for (let index = 0; index < ZIPF_DRAWS; index += IN_FLIGHT) {
    await Promise.all(Array.from({ length: IN_FLIGHT }, () => sidecar.sets.get(setQuery(draw()))));
  }
  const [hits, fromRedis] = asked.map((name) => count(sidecar, name)) as [number, number];
  const reads = count(sidecar, "postern_permission_set_fills_total");
  const share = (part: number): string => `${((100 * part) / ZIPF_DRAWS).toFixed(1)} %`;
  print(`Where ${ZIPF_DRAWS} sets of ${SUBJECTS} subjects came from (Zipf, exponent 1)`, [
    ["memory (4,000 sets)", "Redis", "directory"],
    [share(hits - fromRedis), share(fromRedis), share(reads)],
  ]);
  sidecar.close();
}

/** Draws an index below `size`, the n-th in proportion to 1/n. */
function zipf(size: number): () => number {
  const sums: number[] = [];
  let total = 0;
  for (let rank = 1; rank <= size; rank += 1) {
    total += 1 / rank;
    sums.push(total);
  }
  return () => {
    const at = Math.random() * total;
    let [low, high] = [0, size - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((sums[middle] as number) < at) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

async function measureStoppedRedis(redis: BenchRedis): Promise<void> {
  const postern = await startPostern({
    ...{ port: CHECK_PORT, redis: redis.url },
    directory: checkFile(),
  });
  stops.push(postern.stop);
  const messages = Array.from({ length: CHECK_SUBJECTS }, (_, index) => checkRequest(index));
  const load = { port: CHECK_PORT, path: CHECK, messages };
  for (let warm = 0; warm < 5; warm += 1) await runVariedLoad({ ...load, requests: CHECKS_EACH });
  const ratios: number[] = [];
  let failed = 0;
  const rate = async (): Promise<number> => {
    const startMs = performance.now();
    failed += await runVariedLoad({ ...load, requests: CHECKS_EACH });
    return CHECKS_EACH / (performance.now() - startMs);
  };
  for (let round = 0; round < rounds; round += 1) {
    const normal = await rate();
    process.kill(redis.pid, "SIGSTOP");
    // The first call that finds out may wait for 20 ms; it belongs to what is measured.
    const stopped = await rate();
    process.kill(redis.pid, "SIGCONT");
    ratios.push(stopped / normal);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  print("Check of cached subjects while Redis is stopped, against before", [
    ["median of ratios", "lowest", "failed calls", "goal"],
    [
      `${(100 * median(ratios)).toFixed(1)} %`,
      `${(100 * Math.min(...ratios)).toFixed(1)} %`,
      `${failed}`,
      "≥ 95 %",
    ],
  ]);
}

function count({ counts }: BenchSidecar, name: string): number {
  return counts.get(name) ?? 0;
}

function quantiles(timesMs: readonly number[]): string[] {
  return [0.5, 0.99].map((share) => `${percentile(timesMs, share).toFixed(3)} ms`);
}

function print(title: string, rows: readonly Row[]): void {
  process.stdout.write(`\n${title}\n`);
  printTable(rows);
}

function checkRequest(index: number): Uint8Array {
  const message = create(CheckRequestSchema, {
    application: "platform",
    subject: { id: subjectId(index) },
    action: { name: "execute" },
    resource: { type: "agent" },
  });
  return toBinary(CheckRequestSchema, message);
}

function checkFile(): string {
  const subjects = Array.from(
    { length: CHECK_SUBJECTS },
    (_, index) => `  - { id: ${subjectId(index)}, groups: [llm-platform/developers] }`,
  );
  return `subjects:\n${subjects.join("\n")}\n`;
}
