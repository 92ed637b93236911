/**
 * The ways to decide about a request of Envoy's: `rego`, by a policy; `rbac`, by the permissions that a
 * table of routes asks for; `both`. Not for errors, which the door answers.
 */
import type { Decision } from "../../decision/decision.ts";
import { type DocumentParts, partsAt, partsOf } from "../../decision/document-parts.ts";
import type { Pipeline } from "../../pipeline/pipeline.ts";
import type { Asked, Decide, Outcome } from "./asked.ts";
import { createBodyReader } from "./body-reader.ts";
import { readHttpCheck } from "./check-request.ts";
import type { HttpAnswer } from "./http-answer.ts";
import type { ExtAuthzOptions } from "./options.ts";
import { ParsedPath } from "./parsed-path.ts";
import { readProtoset } from "./protoset.ts";
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
import { requestLineOf } from "./request-line.ts";
import { namedApplication, type RefusingApplication } from "./route-application.ts";
import { createRouteBodyReader, type RouteBody } from "./route-body.ts";
import type { AskRoute } from "./route-questions.ts";
import { otherSpellings } from "./url-encoding.ts";

/** What of `attributes` a table of routes can ask about. */
const ROUTE_PARTS = partsAt([
  ...["request.http", "source.address", "source.principal"],
  "metadataContext.filterMetadata",
]);
const NO_PARTS = partsAt([]);

/** What the ways to decide need. */
export interface WaysDeps {
  readonly pipeline: Pipeline;
  readonly options: ExtAuthzOptions;
  readonly askRoute: AskRoute;
  readonly refusingApplication: RefusingApplication;
}

/** The ways to decide, by name. Throws an `Error` that names what of the options is wrong. */
export function createWays(deps: WaysDeps): ReadonlyMap<string, Decide> {
  const { pipeline, options, askRoute, refusingApplication } = deps;
  const protoset = readProtoset(options.protoDescriptor);
  const readBody = createBodyReader(options.body, protoset);
  const ownPath = documentPath(options.path);
  const readRouteBody = createRouteBodyReader(protoset);

  function rego({ bytes, extensions, call }: Asked): Outcome {
    let path: ParsedPath | undefined;
    const named = extensions["postern.path"];
    const query = {
      application: namedApplication(extensions) ?? options.application,
      path: named === undefined ? ownPath : documentPath(named),
      input: (parts: DocumentParts) => {
        const request = readHttpCheck(bytes, partsOf(parts, "attributes") ?? NO_PARTS);
        path = new ParsedPath(request.path);
        path.checkQuery();
        const body = options.body === "unparsed" ? undefined : readBody(request, path);
        return regoInput({ request, path, body }, parts);
      },
      read: readRegoResult,
      about: () => requestLineOf(bytes),
    };
    const { decision, detail } = pipeline.evaluate(query, call);
    return { decision, answer: detail && withoutOthers(detail, path) };
  }

  function rbac({ bytes, extensions, call }: Asked): Outcome | Promise<Outcome> {
    const request = readHttpCheck(bytes, ROUTE_PARTS);
    const path = new ParsedPath(request.path);
    let read: RouteBody | undefined;
    const body = (): RouteBody => (read ??= readRouteBody(request, path));
    const asked = askRoute(request, path, body);
    if (asked.kind === "unmapped") {
      const decision = pipeline.refuse(refusingApplication("rbac", extensions), "unmapped_route");
      return { decision, answer: unmappedAnswer() };
    }
    if (asked.kind === "anonymous") {
      const decision = pipeline.refuse(refusingApplication("rbac", extensions), "unknown_subject");
      return { decision, answer: anonymousAnswer() };
    }
    const named = namedApplication(extensions);
    const { request: question, permission } = asked;
    const decision = pipeline.check(
      named === undefined ? question : { ...question, application: named },
      call,
    );
    const outcomeOf = (made: Decision) => permissionOutcome(made, question.subject.id, permission);
    return decision instanceof Promise ? decision.then(outcomeOf) : outcomeOf(decision);
  }

  /** The policy may only take away what the permissions allow. */
  function both(asked: Asked): Outcome | Promise<Outcome> {
    const restricted = (permitted: Outcome): Outcome => {
      if (!permitted.decision.allowed) return permitted;
      asked.way = "rego";
      const outcome = rego(asked);
      if (!outcome.decision.allowed) return outcome;
      return { ...outcome, answer: joined(permitted.answer, outcome) };
    };
    const permitted = rbac(asked);
    return permitted instanceof Promise ? permitted.then(restricted) : restricted(permitted);
  }

  const ways: Record<ExtAuthzOptions["decide"], Decide> = { rego, rbac, both };
  return new Map(Object.entries(ways));
}

function permissionOutcome(decision: Decision, subjectId: string, permission: string): Outcome {
  const answer = decision.allowed
    ? allowedAnswer(decision, subjectId)
    : forbiddenAnswer(decision, permission);
  return { decision, answer };
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
