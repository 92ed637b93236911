/** From Envoy's request to the question about a permission that its route stands for. */
import { emptyObject, type JsonObject } from "../../decision/json.ts";
import { checkId } from "../../decision/names.ts";
import type { AccessRequest, SubjectRef, SubjectType } from "../../decision/request.ts";
import type { InputValue } from "../../pipeline/pipeline.ts";
import type { HttpCheck } from "./check-request.ts";
import type { RbacOptions } from "./options.ts";
import type { ParsedPath } from "./parsed-path.ts";
import {
  noteProblems,
  type Route,
  type RouteProblem,
  RoutesRefused,
  readRoutes,
} from "./route-list.ts";
import type { RouteMatch } from "./route-table.ts";
import { parseValueSource, type RequestFacts, type ValueSource } from "./value-source.ts";

/** What a request asks, or why it asks nothing that can be decided. */
export type RouteQuestion =
  | { readonly kind: "question"; readonly request: AccessRequest; readonly permission: string }
  | { readonly kind: "unmapped" }
  /** Nobody is named; `permission` is what it would take. */
  | { readonly kind: "anonymous"; readonly permission: string };

/** Makes questions. Throws `PdpError` `invalid-argument` for what can't be part of one. */
export type AskRoute = (
  request: HttpCheck,
  path: ParsedPath,
  readBody: () => InputValue,
) => RouteQuestion;

/** What a table of routes makes of requests. */
export interface RouteQuestions {
  readonly ask: AskRoute;
  /** What the request's route says of a dry run; `undefined` = nothing, or there is no route. */
  dryRunOf(request: HttpCheck, path: ParsedPath): boolean | undefined;
}

interface SubjectSource {
  readonly type: SubjectType;
  readonly from: ValueSource;
}

/** Makes the questions of a table. Throws `RoutesRefused` with everything that is wrong. */
export function createRouteQuestions(options: RbacOptions): RouteQuestions {
  const problems: RouteProblem[] = [];
  const note = noteProblems(problems);
  const subjects = options.subject.flatMap(({ from, type }, index): SubjectSource[] => {
    const source = note(`subject[${index}].from`, () => parseValueSource(from));
    return source === undefined ? [] : [{ type, from: source }];
  });
  const { mfaVerifiedAt } = options;
  const verifiedAt =
    mfaVerifiedAt === undefined
      ? undefined
      : note("mfa_verified_at", () => parseValueSource(mfaVerifiedAt));
  const { table } = readRoutes(options.routes, problems);
  if (problems.length > 0 || table === undefined) throw new RoutesRefused(problems);

  const find = (request: HttpCheck, path: ParsedPath): RouteMatch<Route> | undefined => {
    // Nobody knows which route the upstream takes.
    if (path.isAmbiguous) return undefined;
    return table.find(methodOf(request), path.parsedPathSegments);
  };

  const ask: AskRoute = (request, path, readBody) => {
    const match = find(request, path);
    if (match === undefined) return { kind: "unmapped" };
    const { route, parameters } = match;
    const { resourceType, action, properties } = route;
    const { permission } = route.options;
    const facts: RequestFacts = { request, parameters, body: readBody };
    const subject = subjectOf(subjects, facts);
    if (subject === undefined) return { kind: "anonymous", permission };
    const { id, ...rest } = propertiesOf(properties, facts);
    if (id !== undefined) checkId(id, "resource.id");
    return {
      kind: "question",
      permission,
      request: {
        application: options.application,
        subject,
        action: { name: action, properties: emptyObject },
        resource: { type: resourceType, id, properties: rest },
        context: contextOf(facts, verifiedAt),
        requestId: request.headers["x-request-id"] ?? "",
        consistency: { minimumGeneration: 0, bypassCache: false },
      },
    };
  };

  return { ask, dryRunOf: (request, path) => find(request, path)?.route.options.dryRun };
}

function methodOf({ attributes }: HttpCheck): string {
  const { method } = (attributes as { request: { http: { method?: string } } }).request.http;
  return method ?? "";
}

function subjectOf(sources: readonly SubjectSource[], facts: RequestFacts): SubjectRef | undefined {
  for (const { type, from } of sources) {
    const id = from(facts);
    if (id === undefined) continue;
    checkId(id, "subject.id");
    return { type, id, properties: emptyObject };
  }
  return undefined;
}

function propertiesOf(
  properties: Route["properties"],
  facts: RequestFacts,
): { readonly [name: string]: string } {
  const found: { [name: string]: string } = Object.create(null);
  for (const [name, source] of properties) {
    const value = source(facts);
    if (value !== undefined) found[name] = value;
  }
  return found;
}

/** What Envoy knows of the caller's address, and when it has shown MFA evidence. */
function contextOf(facts: RequestFacts, verifiedAt: ValueSource | undefined): JsonObject {
  const { attributes } = facts.request as { attributes: SourceAddress };
  const ip = attributes.source?.address?.socketAddress?.address;
  const shown = verifiedAt?.(facts);
  return {
    ...(ip !== undefined && { ip }),
    ...(shown !== undefined && { mfa: { verified_at: instantOf(shown) } }),
  };
}

interface SourceAddress {
  readonly source?: {
    readonly address?: { readonly socketAddress?: { readonly address?: string } };
  };
}

/** Seconds since the epoch, as `auth_time` of a token is, as RFC 3339. */
function instantOf(text: string): string {
  if (!/^\d{1,11}$/.test(text)) return text;
  return new Date(Number(text) * 1_000).toISOString();
}
