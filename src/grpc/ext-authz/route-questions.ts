/** From Envoy's request to the question about a permission that its route stands for. */
import { emptyObject } from "../../decision/json.ts";
import { checkId } from "../../decision/names.ts";
import type { AccessRequest, SubjectRef, SubjectType } from "../../decision/request.ts";
import type { HttpCheck } from "./check-request.ts";
import type { FindRoute } from "./find-route.ts";
import { invalidField } from "./malformed.ts";
import type { RbacOptions } from "./options.ts";
import { openRoutes, type PackedRoutes } from "./packed-routes.ts";
import type { ParsedPath } from "./parsed-path.ts";
import type { RouteBody } from "./route-body.ts";
import { type ContextOf, createContextOf } from "./route-context.ts";
import {
  type NoteAt,
  noteProblems,
  type Route,
  type RouteProblem,
  RoutesRefused,
  readRoutes,
} from "./route-list.ts";
import { parseVouchedSource, type RequestFacts, type ValueSource } from "./value-source.ts";

/** What a request asks, or why it asks nothing that can be decided. */
export type RouteQuestion =
  | (RouteTaken & { readonly kind: "question"; readonly request: AccessRequest })
  | { readonly kind: "unmapped" }
  /** Nobody is named; the permission is what it would take. */
  | (RouteTaken & { readonly kind: "anonymous" });

interface RouteTaken {
  /** As the table has it. */
  readonly route: string;
  readonly permission: string;
}

/** Makes questions. Throws `PdpError` `invalid-argument` for what can't be part of one. */
export type AskRoute = (
  request: HttpCheck,
  path: ParsedPath,
  readBody: () => RouteBody,
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
  const sources = readAskerSources(options, noteProblems(problems));
  const { found } = readRoutes(options.routes, problems);
  if (problems.length > 0 || found === undefined) throw new RoutesRefused(problems);
  return questionsOf(sources, found.find);
}

/** Who and where somebody is, whatever the route; `routes` are apart. */
export type AskedOptions = Omit<RbacOptions, "routes" | "routesFile">;

/** As `createRouteQuestions`, of routes that were found right, and in a fraction of a millisecond. */
export function openRouteQuestions(options: AskedOptions, routes: PackedRoutes): RouteQuestions {
  const problems: RouteProblem[] = [];
  const sources = readAskerSources(options, noteProblems(problems));
  if (problems.length > 0) throw new RoutesRefused(problems);
  return questionsOf(sources, openRoutes(routes));
}

/** Where it is read who asks, and from where. */
interface AskerSources {
  readonly application: string;
  readonly subjects: readonly SubjectSource[];
  readonly contextOf: ContextOf;
}

function readAskerSources(options: AskedOptions, note: NoteAt): AskerSources {
  const subjects = options.subject.flatMap(({ from, type }, index): SubjectSource[] => {
    const source = note(`subject[${index}].from`, () => parseVouchedSource(from));
    return source === undefined ? [] : [{ type, from: source }];
  });
  const { application } = options;
  return { application, subjects, contextOf: createContextOf(options, note) };
}

function questionsOf(sources: AskerSources, find: FindRoute): RouteQuestions {
  const { application, subjects, contextOf } = sources;
  const ask: AskRoute = (request, path, readBody) => {
    // A fact that stands in a header would not be seen, which can allow more.
    if (request.hasRawHeaders) {
      throw invalidField(RAW_HEADERS, "is not read here; turn off encode_raw_headers in Envoy");
    }
    const match = find(request.method, path);
    if (match.kind !== "route") return { kind: "unmapped" };
    const { route, parameters } = match;
    const { resourceType, action, properties } = route;
    const taken: RouteTaken = { route: route.options.route, permission: route.options.permission };
    const facts: RequestFacts = { request, parameters, body: readBody };
    const subject = subjectOf(subjects, facts);
    if (subject === undefined) return { kind: "anonymous", ...taken };
    const { id, ...rest } = propertiesOf(properties, facts);
    if (id !== undefined) checkId(id, "resource.id");
    return {
      kind: "question",
      ...taken,
      request: {
        application,
        subject,
        action: { name: action, properties: emptyObject },
        resource: { type: resourceType, id, properties: rest },
        context: contextOf(facts, subject.id),
        requestId: request.headers["x-request-id"] ?? "",
        consistency: { minimumGeneration: 0, bypassCache: false },
      },
    };
  };

  return {
    ask,
    dryRunOf(request, path) {
      const match = find(request.method, path);
      return match.kind === "route" ? match.route.options.dryRun : undefined;
    },
  };
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

const RAW_HEADERS = "attributes.request.http.header_map";
