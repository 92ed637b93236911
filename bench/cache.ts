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
import { freePort } from "../test/support/free-port.ts";
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
import { createStops } from "./support/stops.ts";

const SUBJECTS = 20_000;
const WARM = 2_000;
const CHANGED = 100;
const IN_FLIGHT = 64;
const ZIPF_DRAWS = 60_000;
const FILLS = "postern_permission_set_fills_total";
const REDIS_HITS = "postern_redis_hits_total";
const CHECK = "/postern.v1.DecisionService/Check";
const CHECK_SUBJECTS = 1_000;
const CHECKS_EACH = 6_000;

const rounds = Number(process.argv[2] ?? 15);
const stops = createStops();
try {
  moveToLoadCore();
  await main();
} finally {
  await stops.all();
}

async function main(): Promise<void> {
  const redis = await startBenchRedis();
  stops.push(redis.stop);
  const world = await makeCacheWorld(SUBJECTS, redis.url);
  stops.push(() => world.close());
  await measureReads(world, redis);
  await measureRedisMemory(world, redis);
  await measureHitRates(world);
  measureMemoryTier();
  await measureStoppedRedis(redis);
}

type Row = readonly string[];

/** One reads what nobody has, the other what the first has left in Redis, and keeps one set. */
async function measureReads(world: CacheWorld, redis: BenchRedis): Promise<void> {
  const first = await world.sidecar();
  const forgetful = await world.sidecar({ entriesMax: 1 });
  const misses = await eachMs(first, FILLS);
  // What was put last is not waited for.
  await pause(200);
  await eachMs(forgetful, REDIS_HITS);
  const hits = await eachMs(forgetful, REDIS_HITS);
  const together = await readTogether(forgetful, redis);
  print("Reads of a set with 20 permissions", [
    ["", "p50", "p99", "reads", "goal"],
    ["hit in memory", `${(await memoryHitUs(first)).toFixed(2)} µs`, "", "", "≤ 2 µs"],
    ["hit in Redis", ...quantiles(hits), `${hits.length}`, "p50 ≤ 0.40 ms, one round trip"],
    [`the same, ${IN_FLIGHT} asked at once`, `${together.eachMs.toFixed(3)} ms each`],
    ["miss: Redis, then the directory", ...quantiles(misses), `${misses.length}`],
  ]);
  process.stdout.write(
    `Of ${IN_FLIGHT} asked at once, Redis read ${together.hitsPerSocketRead.toFixed(1)} at a time.\n`,
  );
  first.close();
  forgetful.close();
}

/** Of those reads that ended as `counter` says: a busy machine lets some of them miss. */
async function eachMs(sidecar: BenchSidecar, counter: string): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < WARM; index += 1) {
    const before = count(sidecar, counter);
    const startMs = performance.now();
    await sidecar.sets.get(setQuery(index));
    const ms = performance.now() - startMs;
    if (count(sidecar, counter) > before) times.push(ms);
  }
  return times;
}

/** Of 1,000 subjects in turn, in processor time: nothing is waited for. */
async function memoryHitUs({ sets }: BenchSidecar): Promise<number> {
  const queries = Array.from({ length: 1_000 }, (_, index) => setQuery(index));
  const perHit: number[] = [];
  for (let round = 0; round < 200; round += 1) {
    // Sets age unless the directory is looked at, which takes turns of the event loop.
    await pause(1);
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

/** How many hits Redis answers per read of its socket, and what one takes, where many wait. */
async function readTogether(sidecar: BenchSidecar, redis: BenchRedis) {
  const admin = new Redis(redis.url);
  const socketReads = async (): Promise<number> =>
    Number(/total_reads_processed:(\d+)/.exec(await admin.info("stats"))?.[1]);
  const before = { reads: await socketReads(), hits: count(sidecar, REDIS_HITS) };
  const startMs = performance.now();
  for (let index = 0; index < WARM; index += IN_FLIGHT) {
    const reads = Array.from({ length: IN_FLIGHT }, (_, other) =>
      sidecar.sets.get(setQuery((index + other) % WARM)),
    );
    await Promise.all(reads);
  }
  const elapsedMs = performance.now() - startMs;
  const hits = count(sidecar, REDIS_HITS) - before.hits;
  const reads = (await socketReads()) - before.reads;
  admin.disconnect();
  return { eachMs: elapsedMs / WARM, hitsPerSocketRead: hits / reads };
}

/** Of the sets that are there, and of the floors that a change of some subjects leaves. */
async function measureRedisMemory(world: CacheWorld, redis: BenchRedis): Promise<void> {
  const admin = new Redis(redis.url);
  const bytesOf = async (kind: "s" | "f"): Promise<number[]> => {
    const keys = (await admin.keys("postern:*")).filter((key) => key.includes(`}:${kind}:`));
    const all = await Promise.all(keys.map((key) => admin.call("MEMORY", "USAGE", key)));
    return all.map(Number);
  };
  const row = (name: string, bytes: readonly number[], goal: string): Row => [
    ...[name, `${median(bytes)} bytes`, `${Math.max(...bytes)} bytes`, `${bytes.length}`, goal],
  ];
  const sets = await bytesOf("s");
  const sidecar = await world.sidecar();
  await world.change(CHANGED);
  let floors: number[] = [];
  for (const endMs = performance.now() + 10_000; floors.length < CHANGED; await pause(100)) {
    floors = await bytesOf("f");
    if (performance.now() > endMs) throw new Error(`${floors.length} floors of ${CHANGED}`);
  }
  sidecar.close();
  admin.disconnect();
  print("Redis memory per key, its name and overhead included", [
    ["", "median", "max", "keys", "goal"],
    row("a set with 20 permissions", sets, "≤ 1,536 bytes"),
    row("the floor of a subject that was changed", floors, ""),
  ]);
}

/** Subjects are asked for as people are, few of them often; a fifth fits into memory. */
async function measureHitRates(world: CacheWorld): Promise<void> {
  const sidecar = await world.sidecar({ entriesMax: SUBJECTS / 5 });
  const draw = zipf(SUBJECTS);
  const asked = ["postern_permission_set_cache_hits_total", REDIS_HITS] as const;
  for (let index = 0; index < ZIPF_DRAWS; index += IN_FLIGHT) {
    await Promise.all(Array.from({ length: IN_FLIGHT }, () => sidecar.sets.get(setQuery(draw()))));
  }
  const [hits, fromRedis] = asked.map((name) => count(sidecar, name)) as [number, number];
  const reads = count(sidecar, FILLS);
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
  const port = await freePort();
  const postern = await startPostern({
    ...{ port, redis: redis.url },
    directory: checkFile(),
  });
  stops.push(postern.stop);
  const messages = Array.from({ length: CHECK_SUBJECTS }, (_, index) => checkRequest(index));
  const load = { port, path: CHECK, messages };
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
    await pause(500);
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

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
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
