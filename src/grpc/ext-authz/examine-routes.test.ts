import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Catalogue } from "../../decision/catalogue.ts";
import { examineRoutes } from "./examine-routes.ts";
import type { RouteOptions } from "./options.ts";
import { type RouteProblem, readRoutes } from "./route-list.ts";

const permission = (text: string) => {
  const [resource = "", action = ""] = text.split(":");
  return [text, { id: 1, resource, action, description: text }] as const;
};
const type = (name: string, classified: boolean) =>
  [name, { name, description: name, classified, actions: ["read"] }] as const;

const catalogue: Catalogue = {
  name: "platform",
  resourceTypes: new Map([type("a", false), type("b", false), type("secret", true)]),
  permissions: new Map(["a:read", "a:write", "b:read", "secret:read"].map(permission)),
};

/** A route, and what it takes: `GET /a` = `a:read`. */
type Given = string | readonly [route: string, permission: string, resource?: object];

function examine(...given: readonly Given[]): string[] {
  return examineWith(1, ...given);
}

function examineWith(subjects: number, ...given: readonly Given[]): string[] {
  const problems: RouteProblem[] = [];
  const options = given.map((one): RouteOptions => {
    const [route, permission, resource = {}] = typeof one === "string" ? [one, "a:read"] : one;
    return { route, permission, resource: resource as Record<string, string> };
  });
  const { routes, found } = readRoutes(options, problems);
  if (found === undefined || problems.length > 0) throw new Error(JSON.stringify(problems));
  return examineRoutes({ routes, table: found.table, subjects, catalogue }).map(
    ({ kind, path, message }) => `${kind} ${path}: ${message}`,
  );
}

describe("examineRoutes()", () => {
  it("finds nothing in an ordinary table", () => {
    const routes: Given[] = [
      ...["GET /agents", "GET /agents/", "GET /agents/{id}"],
      ["POST /agents/{id}", "a:write"],
      ["* /agents/me", "b:read"],
      ["* /files/**", "b:read"],
      ["GET /files/{name}", "a:read"],
    ];
    expect(examine(...routes).filter((text) => !text.startsWith("head "))).toEqual([]);
  });

  it("finds that nobody can be asked about", () => {
    expect(examineWith(0, "GET /a")).toEqual([
      "no-subject subject: no place has the subject, so that every request is denied",
    ]);
  });

  it("finds permissions that the application does not have, and what may be meant", () => {
    expect(examine(["GET /a", "a:raed"], ["GET /b", "c:purge"])).toEqual([
      'unknown-permission routes[0].permission: platform has no permission "a:raed"; ' +
        'did you mean "a:read"?',
      'unknown-permission routes[1].permission: platform has no permission "c:purge"',
    ]);
  });

  it("finds a classified resource whose classification no place has", () => {
    const classification = "header/x-classification";
    expect(
      examine(["GET /s", "secret:read"], ["GET /t", "secret:read", { classification }]),
    ).toEqual([
      "unclassified routes[0].resource: secret is classified, so that every request without the " +
        'property "classification" is denied',
    ]);
  });

  it("finds a route of which more specific ones take everything", () => {
    expect(examine("GET /a/**", "* /a/", "GET /a/{x}", "* /a/{x}/**")).toEqual([
      "unreachable routes[0].route: routes[1] (* /a/), routes[2] (GET /a/{x}), " +
        "routes[3] (* /a/{x}/**) take all that it matches; no request comes here",
    ]);
    expect(examine("* /**", "* /", "* /{x}", "* /{x}/", "* /{x}/{y}", "* /{x}/{y}/**")).toEqual([
      expect.stringContaining("unreachable routes[0].route: "),
    ]);
  });

  it.each<[string, Given[]]>([
    ["the path that ends with a slash", ["GET /a/**", "GET /a/{x}", "GET /a/{x}/**"]],
    ["one segment", ["GET /a/**", "GET /a/", "GET /a/{x}/**"]],
    ["more segments", ["GET /a/**", "GET /a/", "GET /a/{x}"]],
    ["other methods", ["* /a/**", "GET /a/", "GET /a/{x}", "GET /a/{x}/**"]],
  ])("leaves alone a route that has %s to itself", (_, routes) => {
    expect(examine(...routes)).toEqual([]);
  });

  it("finds requests that match two routes, neither of them an exception of the other", () => {
    expect(examine(["GET /{x}/b", "a:write"], ["* /a/{y}", "a:read"])).toEqual([
      "overlap routes[1].route: overlaps with routes[0] (GET /{x}/b): GET /a/b matches both, and " +
        "takes a:read by routes[1]; give a route for it",
    ]);
    expect(examine(["GET /a/{x}/**", "a:write"], ["GET /{y}/b/c", "a:read"])).toEqual([
      expect.stringContaining(": GET /a/b/c matches both, and takes a:write by routes[0]"),
    ]);
  });

  it("leaves alone an overlap that makes no difference, or has a route of its own", () => {
    expect(examine("GET /{x}/b", "GET /a/{y}")).toEqual([]);
    expect(examine(["GET /{x}/b", "a:write"], "GET /a/{y}", ["GET /a/b", "b:read"])).toEqual([]);
    expect(examine(["GET /{x}/b", "a:write"], "POST /a/{y}")).toEqual([]);
  });

  it("finds an overlap that differs in the resource alone", () => {
    const found = examine(["GET /{x}/b", "a:read", { id: "path/x" }], "GET /a/{y}");
    expect(found).toEqual([expect.stringContaining("overlap routes[1].route")]);
  });

  it("notes where HEAD comes to another permission than GET", () => {
    expect(examine(["HEAD /**", "b:read"], "* /**", "GET /a/{x}")).toEqual([]);
    expect(examine(["HEAD /a/{y}", "b:read"], "GET /a/{x}", ["GET /b", "b:read"])).toEqual([
      "head routes[0].route: HEAD of routes[1] (GET /a/{x}) comes here, and takes b:read",
    ]);
    expect(examine(["* /**", "b:read"], "GET /a/{x}", "HEAD /a/{x}")).toEqual([]);
  });

  it("takes any table, and finds no route unreachable that a request comes to", () => {
    const segment = fc.constantFrom("a", "b", "{x}", "{y}");
    const route = fc
      .tuple(
        fc.constantFrom("GET", "*"),
        fc.uniqueArray(segment, { minLength: 1, maxLength: 3 }),
        fc.constantFrom("", "/**", "/"),
      )
      .map(([method, parts, end]) => `${method} /${parts.join("/")}${end}`);
    const shape = (text: string) => text.replace(/\{.\}/g, "{}");
    const path = fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(
        fc.uniqueArray(route, { selector: shape, maxLength: 10 }),
        fc.array(path, { maxLength: 40 }),
        (given, paths) => {
          const list = readRoutes(
            given.map((one) => ({ route: one, permission: "a:read", resource: {} })),
            [],
          );
          const { routes } = list;
          const { table } = list.found!;
          const findings = examineRoutes({ routes, table, subjects: 1, catalogue });
          const reached = paths.map((segments) => table.find("GET", segments)?.route.index);
          for (const { kind, path: where } of findings) {
            const index = Number(/\d+/.exec(where)?.[0]);
            if (kind === "unreachable") expect(reached).not.toContain(index);
          }
        },
      ),
    );
  });
});
