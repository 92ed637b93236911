import { Agent, request } from "node:http";
import { openEnvoy } from "../../test/support/envoy.ts";
import { median, percentile, printTable } from "./figures.ts";

/** Who is asked, and about whom. */
export interface ThroughEnvoy {
  readonly pdpPort: number;
  /** Who may read `/v1/agents`. */
  readonly user: string;
  readonly rounds: number;
}

const RATES = [500, 2_000];
const ROUND_MS = 1_000;
const CONNECTIONS = 64;
const OK = 200;

/** Times of one round, in milliseconds. */
interface Round {
  readonly p50: number;
  readonly p99: number;
}

/**
 * Measures what a check adds to a request through Envoy, which answers itself: rounds with the check
 * and rounds on a route without it take turns, and what is added is the median of their differences.
 */
export async function measureThroughEnvoy(setup: ThroughEnvoy): Promise<void> {
  const envoy = await openEnvoy({
    ...{ pdp: [`127.0.0.1:${setup.pdpPort}`], upstreamPort: 1 },
    routes: [
      { prefix: "/v1/agents/plain", disabled: true, status: OK },
      { prefix: "/", status: OK },
    ],
  });
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const roundOf = (path: string, perSecond: number) =>
    steadyRound({ port: envoy.port, agent, path, user: setup.user, perSecond });
  try {
    process.stdout.write(`\nthrough Envoy, medians of ${setup.rounds} rounds of ${ROUND_MS} ms\n`);
    const rows = [["requests/s", "p50 alone", "p50 added", "p99 alone", "p99 added"]];
    for (const perSecond of RATES) {
      const alone: Round[] = [];
      const checked: Round[] = [];
      await roundOf("/v1/agents/1", perSecond);
      for (let round = 0; round < setup.rounds; round += 1) {
        alone.push(await roundOf("/v1/agents/plain", perSecond));
        checked.push(await roundOf("/v1/agents/1", perSecond));
      }
      const figures = (["p50", "p99"] as const).flatMap((share) => [
        median(alone.map((round) => round[share])),
        median(checked.map((round, index) => round[share] - alone[index]![share])),
      ]);
      rows.push([String(perSecond), ...figures.map((ms) => `${ms.toFixed(2)} ms`)]);
    }
    printTable(rows);
  } finally {
    agent.destroy();
    await envoy.close();
  }
}

interface SteadyRound {
  readonly port: number;
  readonly agent: Agent;
  readonly path: string;
  readonly user: string;
  readonly perSecond: number;
}

/** Sends at a steady rate, whether or not those before are answered; a time counts from when it was due. */
async function steadyRound({ perSecond, ...how }: SteadyRound): Promise<Round> {
  const count = (perSecond * ROUND_MS) / 1_000;
  const startMs = performance.now();
  const answered: Promise<number>[] = [];
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      while (answered.length < count) {
        const dueMs = startMs + (answered.length * 1_000) / perSecond;
        if (dueMs > performance.now()) return;
        answered.push(ask(how).then(() => performance.now() - dueMs));
      }
      clearInterval(timer);
      resolve();
    }, 1);
  });
  const times = await Promise.all(answered);
  return { p50: percentile(times, 0.5), p99: percentile(times, 0.99) };
}

/** Rejects at any other answer than 200. */
function ask({ port, agent, path, user }: Omit<SteadyRound, "perSecond">): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { "x-user": user };
    const call = request({ host: "127.0.0.1", port, agent, path, headers }, (response) => {
      response.resume();
      response.on("end", () => {
        if (response.statusCode === OK) resolve();
        else reject(new Error(`${path} was answered ${response.statusCode}`));
      });
    });
    call.on("error", reject);
    call.end();
  });
}
