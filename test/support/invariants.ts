import { readdirSync, readFileSync } from "node:fs";
import { expect } from "vitest";
import { type LoadReport, type SteadyLoad, startLoad } from "./steady-load.ts";
import type { ServerProcess } from "./workspace.ts";

/** Sums of metrics over all sidecars, by `name{labels}`; 0 of what was never measured. */
export type Metrics = (series: string) => number;

/** What is watched while something fails. */
export interface Invariants {
  readonly load: SteadyLoad;
  /** By how much each counter has grown since the beginning. */
  grown(): Promise<Metrics>;
  /** What the gauges say. */
  now(): Promise<Metrics>;
  /**
   * Ends the load and fails unless no answer was wrong and each request had its one outcome in time,
   * no process died or noticed anything unforeseen, none keeps what it took, and the decisions that
   * were counted are those that were given.
   */
  expectHeld(): Promise<LoadReport>;
}

/** What is watched, and how. */
export interface InvariantsSetup {
  readonly sidecars: readonly ServerProcess[];
  /** Longest that an answer may be behind a change. */
  readonly boundMs: number;
  /** Statuses that requests may end with; none unless given. */
  readonly mayFailWith?: readonly string[];
}

/** A pool or two grow while they are used; a leak grows with each request. */
const DESCRIPTORS_SLACK = 12;
/** Garbage that is not collected yet, and code that is compiled late. */
const RESIDENT_SLACK_BYTES = 120 * 2 ** 20;
const SETTLED = { timeout: 15_000, interval: 100 };

/** Begins to watch and to ask. Nobody else may ask meanwhile. */
export async function watchInvariants(setup: InvariantsSetup): Promise<Invariants> {
  const { sidecars, boundMs, mayFailWith = [] } = setup;
  const unforeseen: string[] = [];
  for (const { process } of sidecars) {
    process.stderr!.on("data", (chunk) => unforeseen.push(String(chunk)));
  }
  const before = { metrics: await metricsOf(sidecars), resources: sidecars.map(resourcesOf) };
  const load = startLoad({ addresses: sidecars.map(({ address }) => address), boundMs });
  const grown = async (): Promise<Metrics> => {
    const after = await metricsOf(sidecars);
    return (series) => sum(after, series) - sum(before.metrics, series);
  };

  return {
    load,
    grown,
    async now() {
      const after = await metricsOf(sidecars);
      return (series) => sum(after, series);
    },
    async expectHeld() {
      const report = await load.end();
      const { wrong, late } = report;
      expect({ wrong: wrong.slice(0, 9), late: late.slice(0, 9) }).toEqual({ wrong: [], late: [] });
      const failures = Object.keys(report.failed).filter((name) => !mayFailWith.includes(name));
      expect({ failures, of: report.failed }).toEqual({ failures: [], of: report.failed });
      for (const [index, sidecar] of sidecars.entries()) {
        expect([sidecar.process.exitCode, sidecar.process.signalCode]).toEqual([null, null]);
        unforeseen.push(...errorsIn(sidecar));
        await expectGivenBack(sidecar, before.resources[index]!);
      }
      expect(unforeseen).toEqual([]);
      const answered = report.answered.reduce((total, count) => total + count, 0);
      const decisions = (await grown())("postern_decisions_total");
      const failed = Object.values(report.failed).reduce((total, count) => total + count, 0);
      // A decision may have been made for a caller who had given up.
      expect(decisions).toBeGreaterThanOrEqual(answered);
      expect(decisions).toBeLessThanOrEqual(answered + failed);
      return report;
    },
  };
}

async function expectGivenBack(sidecar: ServerProcess, before: Resources): Promise<void> {
  const given = { descriptors: before.descriptors + DESCRIPTORS_SLACK };
  const resident = before.residentBytes + RESIDENT_SLACK_BYTES;
  await expect
    .poll(() => resourcesOf(sidecar).descriptors, SETTLED)
    .toBeLessThanOrEqual(given.descriptors);
  await expect.poll(() => resourcesOf(sidecar).residentBytes, SETTLED).toBeLessThan(resident);
}

interface Resources {
  readonly descriptors: number;
  readonly residentBytes: number;
}

function resourcesOf({ process: { pid } }: ServerProcess): Resources {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(status) ?? [];
  const descriptors = readdirSync(`/proc/${pid}/fd`).length;
  return { descriptors, residentBytes: Number(kilobytes) * 1_024 };
}

/** What it logged that nobody foresaw. */
function errorsIn({ log }: ServerProcess): string[] {
  return log
    .filter(({ level }) => level === "error" || level === "fatal")
    .map((line) => JSON.stringify(line));
}

type Series = ReadonlyMap<string, number>;

/** All series whose name is this, and those with exactly these labels where it has some. */
function sum(series: readonly Series[], wanted: string): number {
  let total = 0;
  for (const of of series) {
    for (const [name, value] of of) {
      if (name === wanted || name.startsWith(`${wanted}{`)) total += value;
    }
  }
  return total;
}

async function metricsOf(sidecars: readonly ServerProcess[]): Promise<readonly Series[]> {
  return Promise.all(
    sidecars.map(async ({ diagnostics }) => {
      const text = await (await fetch(`${diagnostics}/metrics`)).text();
      const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
      return new Map(
        lines.map((line) => {
          const space = line.lastIndexOf(" ");
          return [line.slice(0, space), Number(line.slice(space + 1))];
        }),
      );
    }),
  );
}
