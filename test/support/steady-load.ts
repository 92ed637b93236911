import { status as grpcStatus } from "@grpc/grpc-js";
import { DecisionService } from "../../src/grpc/gen/postern/v1/decision_pb.js";
import { createGrpcClient } from "./grpc-client.ts";

/** What a load was answered, and what of it may not have been. */
export interface LoadReport {
  readonly asked: number;
  /** By sidecar: answers that were decisions. */
  readonly answered: readonly number[];
  /** By name of the status. */
  readonly failed: Readonly<Record<string, number>>;
  /** An allow that had not been true for longer than the bound, or a deny that never was. */
  readonly wrong: readonly string[];
  /** Requests without exactly one outcome in time. */
  readonly late: readonly string[];
}

/** A steady load of checks on sidecars, beside the true answers. */
export interface SteadyLoad {
  /** Runs `change`, from the beginning of which the subject may have the permission, or not. */
  change(subject: string, allowed: boolean, change: () => Promise<unknown>): Promise<void>;
  /** Resolves once each sidecar has given so many more decisions or failures. */
  outcomes(count: number): Promise<void>;
  /** Asks nothing more, and waits for what is in flight. */
  end(): Promise<LoadReport>;
}

/** How a load is made. */
export interface LoadSetup {
  /** Where sidecars listen. */
  readonly addresses: readonly string[];
  /** Longest that an answer may be behind a change. */
  readonly boundMs: number;
}

interface Period {
  readonly allowed: boolean;
  readonly fromMs: number;
  untilMs: number;
}

const PERIOD_MS = 10;
/** One question in so many is about somebody of whom this sidecar knows nothing. */
const STRANGER_EACH = 4;
/** Questions after which the next sidecar asks about the same stranger: Redis may know by then. */
const STRANGER_LAG = 20;
const DEADLINE_MS = 2_000;
/** The client's timers and ours share a busy machine. */
const SLACK_MS = 1_000;
const IN_FLIGHT_MAX = 200;

const question = { resource: { type: "compliance" }, action: { name: "report" } };

/** Begins to ask; a subject is not allowed before a change says so. */
export function startLoad({ addresses, boundMs }: LoadSetup): SteadyLoad {
  const truth = new TrueAnswers(boundMs);
  const late: string[] = [];
  const failed: Record<string, number> = {};
  const askers = addresses.map((address) => ({
    client: createGrpcClient(address),
    answered: 0,
    outcomes: 0,
  }));
  const inFlight = new Set<Promise<void>>();
  let asked = 0;

  async function ask(asker: (typeof askers)[number], subject: string): Promise<void> {
    const sentMs = performance.now();
    const deadline = Date.now() + DEADLINE_MS;
    try {
      const request = { ...question, subject: { id: subject } };
      const { allowed } = await asker.client.call(DecisionService.method.check, request, {
        deadline,
      });
      truth.judge(subject, allowed, sentMs);
      asker.answered += 1;
    } catch (error) {
      const { code } = error as { code?: grpcStatus };
      const name = code === undefined ? String(error) : grpcStatus[code];
      failed[name] = (failed[name] ?? 0) + 1;
    }
    asker.outcomes += 1;
    const tookMs = performance.now() - sentMs;
    if (tookMs > DEADLINE_MS + SLACK_MS) late.push(`${subject} after ${Math.round(tookMs)} ms`);
  }

  let tick = 0;
  const timer = setInterval(() => {
    tick += 1;
    const known = truth.subjects();
    for (const [index, asker] of askers.entries()) {
      if (inFlight.size >= IN_FLIGHT_MAX) return;
      asked += 1;
      const isStranger = tick % STRANGER_EACH === 0 || known.length === 0;
      const stranger = `stranger-${tick - index * STRANGER_LAG}`;
      const outcome = ask(asker, isStranger ? stranger : known[tick % known.length]!).finally(() =>
        inFlight.delete(outcome),
      );
      inFlight.add(outcome);
    }
  }, PERIOD_MS);

  return {
    async change(subject, allowed, change) {
      const made = truth.begin(subject, allowed);
      await change();
      made();
    },
    async outcomes(count) {
      const goals = askers.map(({ outcomes }) => outcomes + count);
      while (askers.some(({ outcomes }, index) => outcomes < goals[index]!)) {
        await new Promise((resolve) => setTimeout(resolve, PERIOD_MS));
      }
    },
    async end() {
      clearInterval(timer);
      await Promise.all(inFlight);
      for (const { client } of askers) client.close();
      const answered = askers.map((asker) => asker.answered);
      return { asked, answered, failed, wrong: truth.wrong, late };
    },
  };
}

/** Who was allowed when. */
class TrueAnswers {
  readonly wrong: string[] = [];
  readonly #boundMs: number;
  readonly #periods = new Map<string, Period[]>();

  constructor(boundMs: number) {
    this.#boundMs = boundMs;
  }

  subjects(): readonly string[] {
    return [...this.#periods.keys()];
  }

  /** A change begins, and has been made when the function it gives is called. */
  begin(subject: string, allowed: boolean): () => void {
    const fromMs = performance.now();
    // Before anything is said of a subject, it has nothing.
    const former = this.#periods.get(subject) ?? [{ allowed: false, fromMs: 0, untilMs: 0 }];
    this.#periods.set(subject, [...former, { allowed, fromMs, untilMs: Number.POSITIVE_INFINITY }]);
    former.at(-1)!.untilMs = Number.POSITIVE_INFINITY;
    return () => {
      former.at(-1)!.untilMs = performance.now();
    };
  }

  judge(subject: string, allowed: boolean, sentMs: number): void {
    const periods = this.#periods.get(subject);
    const isTrue =
      periods === undefined
        ? !allowed
        : periods.some(
            (period) => period.allowed === allowed && period.untilMs >= sentMs - this.#boundMs,
          );
    if (isTrue) return;
    const nowMs = performance.now();
    const was = periods?.map((period) => `${period.allowed} ${Math.round(nowMs - period.fromMs)}`);
    const answer = allowed ? "allow" : "deny";
    this.wrong.push(`${subject}: ${answer}, sent ${Math.round(nowMs - sentMs)} ms ago; ${was}`);
  }
}
