/**
 * The door for Envoy: `envoy.service.auth.v3.Authorization`. Whatever a request or a policy causes is
 * answered in band, as a denial: a failed call would be let through where `failure_mode_allow` is on.
 */
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { Meter } from "../../base/meter.ts";
import { quoted } from "../../base/quoted.ts";
import type { AnswerInBand, UnaryHandler, UnaryHandlers } from "../../base/unary-handler.ts";
import type { DenyReason } from "../../decision/decision.ts";
import { type ErrorKind, type PdpError, toPdpError } from "../../decision/error.ts";
import type { Pipeline } from "../../pipeline/pipeline.ts";
import type { Asked, Outcome } from "./asked.ts";
import { readContextExtensions, type TextMap } from "./check-request.ts";
import { encodeAuthorization, encodeDryRunPass, encodeNoAnswer } from "./check-response.ts";
import { checkDryRun, createDryRuns, DRY_RUN_EXTENSION } from "./dry-run.ts";
import { invalidField } from "./malformed.ts";
import type { ExtAuthzOptions } from "./options.ts";
import { plainAnswer } from "./rego-result.ts";
import { traceHeadersOf } from "./request-line.ts";
import { createRefusingApplication } from "./route-application.ts";
import { createRouteQuestions, type RouteQuestions } from "./route-questions.ts";
import { createWays } from "./ways.ts";

/** The service's full name, under which health reports on it. */
export const AUTHORIZATION_SERVICE = "envoy.service.auth.v3.Authorization";

/** What the door answers with. */
export interface ExtAuthzDeps {
  readonly pipeline: Pipeline;
  readonly options: ExtAuthzOptions;
  /** The table in force; that of the options unless given. */
  readonly routes?: RouteQuestions;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly meter: Meter;
}

/** How an error is answered. */
interface Refusal {
  readonly reason: DenyReason;
  readonly status: number;
  /** Its text tells whoever sent the request what is wrong with it. */
  readonly isTold?: true;
  /** Postern itself can't answer: an error to Envoy, and no denial. */
  readonly isFailure?: true;
}

const REFUSALS: Readonly<Record<ErrorKind, Refusal>> = {
  "invalid-argument": { reason: "indeterminate:input", status: 400, isTold: true },
  "too-large": { reason: "indeterminate:input", status: 413, isTold: true },
  "failed-precondition": { reason: "unavailable:directory", status: 403 },
  "not-found": { reason: "unavailable:policy", status: 403 },
  "permission-denied": { reason: "unavailable:trust", status: 403 },
  internal: { reason: "unavailable:internal", status: 403 },
  "resource-exhausted": { reason: "unavailable:overload", status: 503, isFailure: true },
  "deadline-exceeded": { reason: "unavailable:deadline", status: 503, isFailure: true },
  unavailable: { reason: "unavailable:source", status: 503, isFailure: true },
};

const SHOWN_MAX = 64;

/** The door, for any transport. */
export interface ExtAuthz {
  readonly handlers: UnaryHandlers;
  /** What is answered where a handler can't: by full method name. */
  readonly inBand: ReadonlyMap<string, AnswerInBand>;
}

/** The door. Throws an `Error` that names what of the options is wrong. */
export function createExtAuthz(deps: ExtAuthzDeps): ExtAuthz {
  const { pipeline, options } = deps;
  const routes = deps.routes ?? createRouteQuestions(options.rbac);
  const refusingApplication = createRefusingApplication(pipeline, options);
  const ways = createWays({ pipeline, options, askRoute: routes.ask, refusingApplication });
  const dryRuns = createDryRuns({ ...deps, routes });

  function refused(thrown: unknown, application: string, asked?: Asked): Uint8Array {
    const error = toPdpError(thrown);
    const { reason, status, isTold, isFailure } = REFUSALS[error.kind];
    const notes = asked?.call.notes;
    const decision = pipeline.refuse(application, reason, { error, notes });
    if (isFailure) notes?.failed(error.kind);
    else notes?.decided(decision);
    const pass = asked && dryRuns.passOf(asked, decision);
    if (pass !== undefined) return encodeDryRunPass(pass);
    if (isFailure) return encodeNoAnswer(status);
    const body = isTold ? error.message : "";
    return encodeAuthorization(decision, { ...plainAnswer, status, body });
  }

  const check: UnaryHandler = (bytes, call) => {
    let way: string = options.decide;
    let extensions: TextMap = {};
    let asked: Asked | undefined;
    const answered = ({ decision, answer }: Outcome): Uint8Array => {
      call.notes?.decided(decision);
      const pass = decision.allowed || !asked ? undefined : dryRuns.passOf(asked, decision);
      return pass === undefined ? encodeAuthorization(decision, answer) : encodeDryRunPass(pass);
    };
    const failed = (error: unknown) =>
      refused(error, refusingApplication(asked?.way ?? way, extensions), asked);
    call.notes?.carries(() => traceHeadersOf(bytes));
    try {
      extensions = readContextExtensions(bytes);
      way = extensions["postern.decide"] ?? way;
      checkExtensions(extensions);
      asked = { bytes, extensions, call, way };
      const decide = ways.get(way);
      if (decide === undefined) throw unknownWay(way, [...ways.keys()]);
      const outcome = decide(asked);
      return outcome instanceof Promise ? outcome.then(answered).catch(failed) : answered(outcome);
    } catch (error) {
      return failed(error);
    }
  };

  const method = `/${AUTHORIZATION_SERVICE}/Check`;
  return {
    handlers: new Map([[method, check]]),
    inBand: new Map([[method, (error) => refused(error, refusingApplication(options.decide, {}))]]),
  };
}

/** What a route may say to Postern. */
const EXTENSIONS: ReadonlySet<string> = new Set([
  ...["postern.decide", "postern.application", "postern.path", DRY_RUN_EXTENSION],
]);

/** What is meant for Postern, perhaps misspelt. */
const OWN = /^postern(?:[._-]|$)/i;

/** Of a misspelt one nobody would notice that it says nothing. */
function checkExtensions(extensions: TextMap): void {
  for (const name in extensions) {
    if (!OWN.test(name) || EXTENSIONS.has(name)) continue;
    const field = `attributes.context_extensions.${name.slice(0, SHOWN_MAX)}`;
    throw invalidField(field, `is unknown; expected ${[...EXTENSIONS].join(", ")}`);
  }
  checkDryRun(extensions);
}

function unknownWay(way: string, known: readonly string[]): PdpError {
  return invalidField(
    "attributes.context_extensions.postern.decide",
    `${quoted(way, SHOWN_MAX)} is no way; expected one of ${known.join(", ")}`,
  );
}
