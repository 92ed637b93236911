/**
 * The door for Envoy: `envoy.service.auth.v3.Authorization`. Whatever a request or a policy causes is
 * answered in band, as a denial: a failed call would be let through where `failure_mode_allow` is on.
 */
import { quoted } from "../../base/quoted.ts";
import type {
  AnswerInBand,
  UnaryCall,
  UnaryHandler,
  UnaryHandlers,
} from "../../base/unary-handler.ts";
import type { Decision, DenyReason } from "../../decision/decision.ts";
import { type DocumentParts, partsAt, partsOf } from "../../decision/document-parts.ts";
import { type ErrorKind, type PdpError, toPdpError } from "../../decision/error.ts";
import type { Pipeline } from "../../pipeline/pipeline.ts";
import { type BodyReading, createBodyReader } from "./body-reader.ts";
import { readContextExtensions, readHttpCheck, type TextMap } from "./check-request.ts";
import { encodeAuthorization, encodeNoAnswer } from "./check-response.ts";
import type { HttpAnswer } from "./http-answer.ts";
import { invalidField } from "./malformed.ts";
import type { ExtAuthzOptions } from "./options.ts";
import { ParsedPath } from "./parsed-path.ts";
import {
  allowedAnswer,
  anonymousAnswer,
  DECISION_HEADER,
  forbiddenAnswer,
  setHeader,
  toldHeaders,
  unmappedAnswer,
} from "./rbac-answer.ts";
import { regoInput } from "./rego-input.ts";
import { plainAnswer, readRegoResult } from "./rego-result.ts";
import { createRouteQuestions } from "./route-questions.ts";
import { otherSpellings } from "./url-encoding.ts";

/** The service's full name, under which health reports on it. */
export const AUTHORIZATION_SERVICE = "envoy.service.auth.v3.Authorization";

/** What the door answers with. */
export interface ExtAuthzDeps {
  readonly pipeline: Pipeline;
  readonly options: ExtAuthzOptions;
}

/** A decision, and what is to happen beside it; `undefined` = what Envoy does by default. */
interface Outcome {
  readonly decision: Decision;
  readonly answer: HttpAnswer | undefined;
}

/** A call of Envoy's. */
interface Asked {
  /** The request, of which each way to decide reads what it looks at. */
  readonly bytes: Uint8Array;
  /** As the route has them. */
  readonly extensions: TextMap;
  readonly call: UnaryCall;
}

type Decide = (asked: Asked) => Outcome | Promise<Outcome>;

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
export function createExtAuthz({ pipeline, options }: ExtAuthzDeps): ExtAuthz {
  const ways = createWays(pipeline, options);

  function refused(thrown: unknown, way: string = options.decide): Uint8Array {
    const error = toPdpError(thrown);
    const { reason, status, isTold, isFailure } = REFUSALS[error.kind];
    const { application } = way === "rego" ? options : options.rbac;
    const decision = pipeline.refuse(application, reason, error);
    if (isFailure) return encodeNoAnswer(status);
    const body = isTold ? error.message : "";
    return encodeAuthorization(decision, { ...plainAnswer, status, body });
  }

  const check: UnaryHandler = (bytes, call) => {
    let way: string | undefined;
    const answered = ({ decision, answer }: Outcome) => encodeAuthorization(decision, answer);
    const failed = (error: unknown) => refused(error, way);
    try {
      const extensions = readContextExtensions(bytes);
      checkExtensions(extensions);
      way = extensions["postern.decide"] ?? options.decide;
      const decide = ways.get(way);
      if (decide === undefined) throw unknownWay(way);
      const outcome = decide({ bytes, extensions, call });
      return outcome instanceof Promise ? outcome.then(answered).catch(failed) : answered(outcome);
    } catch (error) {
      return failed(error);
    }
  };

  const method = `/${AUTHORIZATION_SERVICE}/Check`;
  return {
    handlers: new Map([[method, check]]),
    inBand: new Map([[method, (error) => refused(error)]]),
  };
}

/** What a route may say to Postern. */
const EXTENSIONS: ReadonlySet<string> = new Set([
  ...["postern.decide", "postern.application", "postern.path"],
]);

/** Of a misspelt one nobody would notice that it says nothing. */
function checkExtensions(extensions: TextMap): void {
  for (const name in extensions) {
    if (!name.startsWith("postern.") || EXTENSIONS.has(name)) continue;
    const field = `attributes.context_extensions.${name.slice(0, SHOWN_MAX)}`;
    throw invalidField(field, `is unknown; expected ${[...EXTENSIONS].join(", ")}`);
  }
}

/** What of `attributes` a table of routes can ask about. */
const ROUTE_PARTS = partsAt([
  ...["request.http", "source.address", "source.principal"],
  "metadataContext.filterMetadata",
]);
const NO_PARTS = partsAt([]);

/** The ways to decide, by name. */
function createWays(pipeline: Pipeline, options: ExtAuthzOptions): ReadonlyMap<string, Decide> {
  const askRoute = createRouteQuestions(options.rbac);
  const readBody = createBodyReader(options);

  function rego({ bytes, extensions, call }: Asked): Outcome {
    let path: ParsedPath | undefined;
    const query = {
      application: extensions["postern.application"] ?? options.application,
      path: documentPath(extensions["postern.path"] ?? options.path),
      input: (parts: DocumentParts) => {
        const request = readHttpCheck(bytes, partsOf(parts, "attributes") ?? NO_PARTS);
        path = new ParsedPath(request.path);
        const body = options.body === "unparsed" ? undefined : readBody(request, path);
        return regoInput({ request, path, body }, parts);
      },
      read: readRegoResult,
    };
    const { decision, detail } = pipeline.evaluate(query, call);
    return { decision, answer: detail && withoutOthers(detail, path) };
  }

  function rbac({ bytes, call }: Asked): Outcome | Promise<Outcome> {
    const request = readHttpCheck(bytes, ROUTE_PARTS);
    const path = new ParsedPath(request.path);
    let read: BodyReading | undefined;
    const body = (): BodyReading => (read ??= readBody(request, path));
    const asked = askRoute(request, path, body);
    const { application } = options.rbac;
    if (asked.kind === "unmapped") {
      const decision = pipeline.refuse(application, "unmapped_route");
      return { decision, answer: unmappedAnswer() };
    }
    if (asked.kind === "anonymous") {
      const decision = pipeline.refuse(application, "unknown_subject");
      return { decision, answer: anonymousAnswer() };
    }
    const outcomeOf = (decision: Decision): Outcome => ({
      decision,
      answer: decision.allowed
        ? allowedAnswer(decision, asked.request.subject.id)
        : forbiddenAnswer(decision, asked.permission),
    });
    const decision = pipeline.check(asked.request, call);
    return decision instanceof Promise ? decision.then(outcomeOf) : outcomeOf(decision);
  }

  /** The policy may only take away what the permissions allow. */
  function both(asked: Asked): Outcome | Promise<Outcome> {
    const restricted = (permitted: Outcome): Outcome => {
      if (!permitted.decision.allowed) return permitted;
      const outcome = rego(asked);
      if (!outcome.decision.allowed) return outcome;
      return { ...outcome, answer: joined(permitted.answer, outcome) };
    };
    const permitted = rbac(asked);
    return permitted instanceof Promise ? permitted.then(restricted) : restricted(permitted);
  }

  return new Map<string, Decide>([
    ["rego", rego],
    ["rbac", rbac],
    ["both", both],
  ]);
}

/** Like OPA's plugin, doesn't mind slashes at the ends, or several. */
function documentPath(path: string): string {
  return /^\/|\/\/|\/$/.test(path) ? path.split("/").filter(Boolean).join("/") : path;
}

/**
 * Takes from the request what only Postern may tell, unless the policy tells it in its place, and
 * parameters that are those of the policy in another spelling.
 */
function withoutOthers(answer: HttpAnswer, path: ParsedPath | undefined): HttpAnswer {
  if (answer === plainAnswer) return plainWithoutTold;
  const headers = answer.headers.map((header) =>
    toldHeaders.includes(header.name) ? setHeader(header.name, header.value) : header,
  );
  const set = new Set(headers.map(({ name }) => name));
  const told = toldHeaders.filter((name) => !set.has(name));
  const removedHeaders = [...new Set([...answer.removedHeaders, ...told])];
  const parameters = new Set([...answer.query.map(({ name }) => name), ...answer.removedQuery]);
  if (parameters.size === 0) return { ...answer, headers, removedHeaders };
  const others = otherSpellings(path?.rawQuery ?? "", parameters);
  const removedQuery = [...answer.removedQuery, ...others];
  return { ...answer, headers, removedHeaders, removedQuery };
}

const plainWithoutTold: HttpAnswer = { ...plainAnswer, removedHeaders: toldHeaders };

/** What the policy says of the request, with the headers that are Postern's own to set. */
function joined(own: HttpAnswer = plainAnswer, { decision, answer }: Outcome): HttpAnswer {
  const { headers, removedHeaders, ...rest } = answer ?? plainAnswer;
  return {
    ...rest,
    headers: [
      ...own.headers.filter(({ name }) => name !== DECISION_HEADER),
      setHeader(DECISION_HEADER, decision.decisionId),
      ...headers.filter(({ name }) => !toldHeaders.includes(name)),
    ],
    removedHeaders: [
      ...own.removedHeaders,
      ...removedHeaders.filter((name) => !toldHeaders.includes(name)),
    ],
  };
}

function unknownWay(way: string): PdpError {
  const expected = "expected rego, rbac or both";
  return invalidField(
    "attributes.context_extensions.postern.decide",
    `${quoted(way, SHOWN_MAX)} is no way; ${expected}`,
  );
}
