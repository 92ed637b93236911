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
import { TooLarge } from "../message-reader.ts";
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

/** A refusal that is answered in band. */
interface Refusal {
  readonly reason: DenyReason;
  readonly status: number;
  /** Its text tells whoever sent the request what is wrong with it. */
  readonly isTold?: true;
}

/** What becomes of errors; `undefined`: Postern itself can't answer. */
const REFUSALS: Readonly<Record<ErrorKind, Refusal | undefined>> = {
  "invalid-argument": { reason: "indeterminate:input", status: 400, isTold: true },
  "not-found": { reason: "unavailable:policy", status: 403 },
  "permission-denied": { reason: "unavailable:trust", status: 403 },
  internal: { reason: "unavailable:internal", status: 403 },
  "resource-exhausted": undefined,
  "deadline-exceeded": undefined,
  unavailable: undefined,
};

/** A client can make its request as large as Envoy takes it. */
const TOO_LARGE: Refusal = { reason: "indeterminate:input", status: 413, isTold: true };

const SERVICE_UNAVAILABLE = 503;
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

  function refused(thrown: unknown): Uint8Array {
    const error = toPdpError(thrown);
    const refusal = error instanceof TooLarge ? TOO_LARGE : REFUSALS[error.kind];
    if (refusal === undefined) return encodeNoAnswer(SERVICE_UNAVAILABLE);
    const { reason, status, isTold } = refusal;
    const decision = pipeline.refuse(options.application, reason, error);
    const body = isTold ? error.message : "";
    return encodeAuthorization(decision, { ...plainAnswer, status, body });
  }

  function answered({ decision, answer }: Outcome): Uint8Array {
    try {
      return encodeAuthorization(decision, answer);
    } catch (error) {
      return refused(error);
    }
  }

  const check: UnaryHandler = (bytes, call) => {
    try {
      const extensions = readContextExtensions(bytes);
      const way = extensions["postern.decide"] ?? options.decide;
      const decide = ways.get(way);
      if (decide === undefined) throw unknownWay(way);
      const outcome = decide({ bytes, extensions, call });
      return outcome instanceof Promise ? outcome.then(answered, refused) : answered(outcome);
    } catch (error) {
      return refused(error);
    }
  };

  const method = `/${AUTHORIZATION_SERVICE}/Check`;
  return { handlers: new Map([[method, check]]), inBand: new Map([[method, refused]]) };
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
    const query = {
      application: extensions["postern.application"] ?? options.application,
      path: extensions["postern.path"] ?? options.path,
      input: (parts: DocumentParts) => {
        const request = readHttpCheck(bytes, partsOf(parts, "attributes") ?? NO_PARTS);
        const path = new ParsedPath(request.path);
        const body = options.body === "unparsed" ? undefined : readBody(request, path);
        return regoInput({ request, path, body }, parts);
      },
      read: readRegoResult,
    };
    const { decision, detail } = pipeline.evaluate(query, call);
    return { decision, answer: detail && withoutTold(detail) };
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

/** Takes from the request what only Postern may tell, unless the policy tells it. */
function withoutTold(answer: HttpAnswer): HttpAnswer {
  if (answer === plainAnswer) return plainWithoutTold;
  const set = new Set(answer.headers.map(({ name }) => name));
  const told = toldHeaders.filter((name) => !set.has(name));
  return { ...answer, removedHeaders: [...new Set([...answer.removedHeaders, ...told])] };
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
