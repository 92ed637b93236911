/**
 * Dry runs: what is denied on a route that is tried out passes all the same, and is counted and
 * logged instead. Not for deciding: the decision is made as ever, and stays a denial.
 */
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { Meter } from "../../base/meter.ts";
import { quoted } from "../../base/quoted.ts";
import type { Decision } from "../../decision/decision.ts";
import { PdpError } from "../../decision/error.ts";
import type { Pipeline } from "../../pipeline/pipeline.ts";
import type { Asked } from "./asked.ts";
import type { HttpCheck, TextMap } from "./check-request.ts";
import { invalidField } from "./malformed.ts";
import type { ExtAuthzOptions } from "./options.ts";
import { ParsedPath } from "./parsed-path.ts";
import { readRouteLine, requestLine } from "./request-line.ts";
import type { RouteQuestions } from "./route-questions.ts";

/** By what a route says of itself whether it is in dry run. */
export const DRY_RUN_EXTENSION = "postern.dry_run";
/** The reason that no dry run lets pass. */
const NO_TRUST = "unavailable:trust";
const SHOWN_MAX = 64;
/** Whoever can send one request that is denied can send a million. */
const LINES_PER_SECOND_MAX = 20;
const SECOND_MS = 1_000;

/** A denial that lets its request pass. Nothing but a dry run makes one, and no other denial is. */
export class DryRunPass {
  readonly #denied: Decision;

  constructor(denied: Decision) {
    if (denied.allowed !== false || denied.reason === NO_TRUST) {
      throw new PdpError("internal", "internal error", {
        cause: new Error(`a dry run lets pass no decision of the reason ${denied.reason}`),
      });
    }
    this.#denied = denied;
  }

  /** The decision, which denies. Throws a `TypeError` for what only looks like a pass. */
  static deniedOf(pass: DryRunPass): Decision {
    return pass.#denied;
  }
}

/** Tells which denials pass. */
export interface DryRuns {
  /** `undefined` = the denial stands: no dry run, a caller without trust, an unreadable request. */
  passOf(asked: Asked, denied: Decision): DryRunPass | undefined;
}

/** What dry runs need. */
export interface DryRunsDeps {
  readonly options: Pick<ExtAuthzOptions, "decide" | "dryRun">;
  readonly pipeline: Pick<Pipeline, "trusts">;
  readonly routes: Pick<RouteQuestions, "dryRunOf">;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly meter: Meter;
}

/** Makes the dry runs. The route's extension counts before the table of routes, and that before all. */
export function createDryRuns(deps: DryRunsDeps): DryRuns {
  const { options, pipeline, routes, logger } = deps;
  const journal = createJournal(deps);
  if (options.dryRun) {
    logger.warn({}, "ext_authz.dry_run is on. What is denied passes, and is logged.");
  }

  function isDryRun({ extensions }: Asked, request: HttpCheck): boolean {
    const stated = statedIn(extensions);
    if (stated !== undefined) return stated;
    const usesTable = (extensions["postern.decide"] ?? options.decide) !== "rego";
    return (usesTable ? ofRoute(request) : undefined) ?? options.dryRun;
  }

  /** A path that can't be read has no route. */
  function ofRoute(request: HttpCheck): boolean | undefined {
    return ifReadable(() => routes.dryRunOf(request, new ParsedPath(request.path)));
  }

  return {
    passOf(asked, denied) {
      if (denied.reason === NO_TRUST) return undefined;
      const request = ifReadable(() => readRouteLine(asked.bytes));
      if (request === undefined || !isDryRun(asked, request)) return undefined;
      const { call } = asked;
      if (!pipeline.trusts(call)) return undefined;
      const pass = new DryRunPass(denied);
      const passed = () => journal(request, denied);
      // Where the caller's time ends first, the call is answered without it, and nothing has passed.
      if (call.notes === undefined) passed();
      else call.notes.onceSent(passed);
      return pass;
    },
  };
}

/** `undefined` where the request is malformed. */
function ifReadable<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof PdpError) return undefined;
    throw error;
  }
}

/** Throws `PdpError` `invalid-argument` for a route that says neither true nor false. */
export function checkDryRun(extensions: TextMap): void {
  statedIn(extensions);
}

/** What the route says of itself; nothing that a client sends gets there. */
function statedIn(extensions: TextMap): boolean | undefined {
  const stated = extensions[DRY_RUN_EXTENSION];
  if (stated === undefined) return undefined;
  if (stated === "true") return true;
  if (stated === "false") return false;
  throw invalidField(
    `attributes.context_extensions.${DRY_RUN_EXTENSION}`,
    `${quoted(stated, SHOWN_MAX)} is neither; expected true or false`,
  );
}

function createJournal({ clock, logger, meter }: DryRunsDeps) {
  const passes = meter.counter({
    name: "postern_dry_run_passes_total",
    help: "Requests that passed although they were denied, by application and kind of reason.",
    labels: ["application", "reason"],
  });
  let secondEndsMs = Number.NEGATIVE_INFINITY;
  let lines = 0;
  let unlogged = 0;

  return (request: HttpCheck, { application, revision, decisionId, reason }: Decision): void => {
    passes.add(1, { application, reason: reason.split(":", 1)[0]! });
    const nowMs = clock.monotonicMs();
    if (nowMs >= secondEndsMs) {
      secondEndsMs = nowMs + SECOND_MS;
      lines = 0;
    }
    if (lines >= LINES_PER_SECOND_MAX) {
      unlogged += 1;
      return;
    }
    lines += 1;
    logger.info(
      { application, revision, decisionId, reason, ...requestLine(request), unlogged },
      "Dry run: the request passed, and is denied otherwise.",
    );
    unlogged = 0;
  };
}
