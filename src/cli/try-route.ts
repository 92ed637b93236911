import { PdpError } from "../decision/error.ts";
import type { FindRoute, RouteFinding } from "../grpc/ext-authz/find-route.ts";
import { ParsedPath } from "../grpc/ext-authz/parsed-path.ts";
import type { Route } from "../grpc/ext-authz/route-list.ts";
import type { RouteTable } from "../grpc/ext-authz/route-table.ts";
import { pathParameterOf } from "../grpc/ext-authz/value-source.ts";
import { placeOf, type RoutesFile } from "../read-routes-file.ts";
import { renderTable } from "./terminal.ts";

/** A fact of a question, and where it stands. */
export interface TriedFact {
  readonly name: string;
  readonly from: string;
  /** Where the path alone says it. */
  readonly value?: string;
}

/** What a table makes of a method and a path; as JSON, too. */
export type TriedRoute =
  | { readonly route: null; readonly why: string }
  | {
      readonly route: string;
      readonly index: number;
      /** `file:line` */
      readonly at: string;
      readonly application: string;
      readonly permission: string;
      readonly resource: readonly TriedFact[];
      readonly subject: readonly { readonly from: string; readonly type: string }[];
    };

/** A table to try. */
export interface TriedTable extends RoutesFile {
  readonly table: RouteTable<Route>;
  readonly find: FindRoute;
  readonly application: string;
}

/** Finds the route of a request, and what it would ask. */
export function tryRoute(
  { method, path }: { readonly method: string; readonly path: string },
  { table, find, options, place, application }: TriedTable,
): TriedRoute {
  const parsed = parsedOrWhy(path);
  if (typeof parsed === "string") return { route: null, why: parsed };
  const match = find(method, parsed);
  if (match.kind !== "route") {
    return { route: null, why: whyNone(match, () => whyUnmapped(parsed, options, table)) };
  }
  const { route, parameters } = match;
  const resource = Object.entries(route.options.resource).map(([name, from]): TriedFact => {
    const parameter = pathParameterOf(from);
    const value = parameter === undefined ? undefined : parameters.get(parameter);
    return { name, from, ...(value !== undefined && { value }) };
  });
  const { permission } = route.options;
  return {
    ...{ route: route.options.route, index: route.index },
    at: placeOf(`routes[${route.index}].route`, place),
    ...{ application, permission, resource, subject: options.subject },
  };
}

function whyNone(
  finding: Exclude<RouteFinding, { kind: "route" }>,
  whyUnmapped: () => string,
): string {
  switch (finding.kind) {
    case "none":
      return whyUnmapped();
    case "malformed-method":
      return "a method that is not in upper case is none that routes have";
    case "ambiguous":
      return (
        "an upstream may read the path as another one (an escape that nobody has to make, //, ., .., " +
        ";, #, a blank or a control character, no slash at its beginning), so that no route stands for it"
      );
    case "contested": {
      const { other } = finding;
      const takes = other === undefined ? "has no route" : `takes ${other.options.route}`;
      const who =
        "an upstream that doesn't mind case or a slash at the end, decodes no path, or drops";
      return `${who} what Envoy writes "!" for, ${takes}`;
    }
  }
}

/** As text, what is wrong with it. */
function parsedOrWhy(path: string): ParsedPath | string {
  try {
    return new ParsedPath(path);
  } catch (error) {
    if (error instanceof PdpError) return `the request is answered with 400: ${error.message}`;
    throw error;
  }
}

function whyUnmapped(
  { parsedPathSegments }: ParsedPath,
  { routes }: RoutesFile["options"],
  table: RouteTable<Route>,
): string {
  const methods = new Set(routes.map(({ route }) => route.split(" ", 1)[0] ?? ""));
  const others = [...methods].filter(
    (method) => table.find(method, parsedPathSegments) !== undefined,
  );
  if (others.length === 0) return "no route has this path";
  return `no route has this path with this method; there is one with ${others.join(", ")}`;
}

/** As lines for people. */
export function renderTried(tried: TriedRoute): string {
  if (tried.route === null) return renderTable([["no route", tried.why]]);
  const rows = [
    ["route", tried.route, `routes[${tried.index}], ${tried.at}`],
    ["permission", tried.permission, `of ${tried.application}`],
    ...tried.resource.map(({ name, from, value }) => [
      "resource",
      value === undefined ? name : `${name}=${value}`,
      `from ${from}`,
    ]),
    ...tried.subject.map(({ from, type }) => ["subject", type, `from ${from}`]),
  ];
  return renderTable(rows);
}
