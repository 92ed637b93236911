import { median, printTable } from "./figures.ts";
import { h2load, type Load } from "./h2load.ts";

/** What a server's rounds came to. */
interface Figures {
  readonly rates: number[];
  readonly means: number[];
}

/** Rounds' worth of requests before the first round counts. */
const WARM_UP = 5;

/**
 * Runs the loads in turn, round after round, since the machine's own speed drifts within seconds, and
 * prints each server's medians, and the median of the first one's rounds beside another's.
 */
export function compareInTurn(loads: Readonly<Record<string, Load>>, rounds: number): void {
  const results = new Map<string, Figures>(
    Object.keys(loads).map((name) => [name, { rates: [], means: [] }]),
  );
  for (const load of Object.values(loads)) h2load({ ...load, requests: load.requests * WARM_UP });
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, load] of Object.entries(loads)) {
      const { requestsPerSecond, meanMicroseconds } = h2load(load);
      results.get(name)!.rates.push(requestsPerSecond);
      results.get(name)!.means.push(meanMicroseconds);
    }
  }
  const [own] = results.keys();
  const ownRates = results.get(own!)!.rates;
  printTable([
    ["server", "requests/s", "mean under load", `${own} is`],
    ...[...results].map(([name, { rates, means }]) => [
      name,
      median(rates).toFixed(0),
      `${median(means).toFixed(0)} µs`,
      name === own ? "" : `${ratio(ownRates, rates).toFixed(2)}×`,
    ]),
  ]);
}

/** Median of the ratios round by round. */
function ratio(own: readonly number[], other: readonly number[]): number {
  return median(own.map((rate, round) => rate / other[round]!));
}
