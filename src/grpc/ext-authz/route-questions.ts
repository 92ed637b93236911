/** From Envoy's request to the question about a permission that its route stands for. */
import { isIP } from "node:net";
import { quoted } from "../../base/quoted.ts";
import { emptyObject, type JsonObject } from "../../decision/json.ts";
import { checkId } from "../../decision/names.ts";
import type { AccessRequest, SubjectRef, SubjectType } from "../../decision/request.ts";
import type { InputValue } from "../../pipeline/pipeline.ts";
import type { HttpCheck } from "./check-request.ts";
import { invalidField } from "./malformed.ts";
import type { RbacOptions } from "./options.ts";
import type { ParsedPath } from "./parsed-path.ts";
import {
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
  /** By a certificate, whoever has looked at it. */
  readonly isVerified: boolean;
}

/** Where the context is taken from. */
interface ContextSources {
  readonly verifiedAt: ValueSource | undefined;
  /** `undefined` = the connection's own. */
  readonly address: ValueSource | undefined;
}

/** Makes the questions of a table. Throws `RoutesRefused` with everything that is wrong. */
export function createRouteQuestions(options: RbacOptions): RouteQuestions {
  const problems: RouteProblem[] = [];
  const note = noteProblems(problems);
  const subjects = options.subject.flatMap(({ from, type }, index): SubjectSource[] => {
    const source = note(`subject[${index}].from`, () => parseVouchedSource(from));
    const isVerified = from === "principal" || from.startsWith("xfcc/");
    return source === undefined ? [] : [{ type, from: source, isVerified }];
  });
  const optional = (path: string, from: string | undefined): ValueSource | undefined =>
    from === undefined ? undefined : note(path, () => parseVouchedSource(from));
  const contextSources = {
    verifiedAt: optional("mfa_verified_at", options.mfaVerifiedAt),
    address: optional("client_address", options.clientAddress),
  };
  const { find } = readRoutes(options.routes, problems);
  if (problems.length > 0 || find === undefined) throw new RoutesRefused(problems);

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
    const known = subjectOf(subjects, facts);
    if (known === undefined) return { kind: "anonymous", ...taken };
    const { subject, isVerified } = known;
    const { id, ...rest } = propertiesOf(properties, facts);
    if (id !== undefined) checkId(id, "resource.id");
    return {
      kind: "question",
      ...taken,
      request: {
        application: options.application,
        subject,
        action: { name: action, properties: emptyObject },
        resource: { type: resourceType, id, properties: rest },
        context: contextOf(facts, contextSources, isVerified),
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

function subjectOf(
  sources: readonly SubjectSource[],
  facts: RequestFacts,
): { readonly subject: SubjectRef; readonly isVerified: boolean } | undefined {
  for (const { type, from, isVerified } of sources) {
    const id = from(facts);
    if (id === undefined) continue;
    checkId(id, "subject.id");
    return { subject: { type, id, properties: emptyObject }, isVerified };
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

/** Where the caller is, when it has shown MFA evidence, and whether by a certificate who it is. */
function contextOf(
  facts: RequestFacts,
  { address, verifiedAt }: ContextSources,
  isVerified: boolean,
): JsonObject {
  const { sourceAddress } = facts.request;
  const ip = address === undefined ? sourceAddress || undefined : checkAddress(address(facts));
  const shown = verifiedAt?.(facts);
  return {
    ...(ip !== undefined && { ip }),
    ...(shown !== undefined && { mfa: { verified_at: instantOf(shown) } }),
    ...(isVerified && { authentication: "mtls" }),
  };
}

function checkAddress(address: string | undefined): string | undefined {
  if (address === undefined || isIP(address) !== 0) return address;
  throw invalidField("client_address", `${quoted(address, ADDRESS_SHOWN_MAX)} is no IP address`);
}

const RAW_HEADERS = "attributes.request.http.header_map";
const ADDRESS_SHOWN_MAX = 64;

/** Seconds since the epoch, as `auth_time` of a token is, as RFC 3339. */
function instantOf(text: string): string {
  if (!/^\d{1,11}$/.test(text)) return text;
  return new Date(Number(text) * 1_000).toISOString();
}
