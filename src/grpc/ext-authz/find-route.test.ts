import { describe, expect, it } from "vitest";
import { ParsedPath } from "./parsed-path.ts";
import { type RouteProblem, readRoutes } from "./route-list.ts";

const optionsOf = (routes: readonly string[]) =>
  routes.map((text) => {
    const [route = "", permission = "a:read"] = text.split(" = ");
    return { route, permission, resource: {} };
  });

/** The route that stands for a request, or why there is none. */
function found(routes: readonly string[], request: string): string {
  const [method = "", path = ""] = request.split(" ");
  const finding = readRoutes(optionsOf(routes), []).found!.find(method, new ParsedPath(path));
  if (finding.kind === "route") return finding.route.options.route;
  return finding.kind === "contested" ? `contested: ${finding.other?.options.route}` : finding.kind;
}

describe("createFindRoute()", () => {
  const routes = [
    ...["GET /users/{id}", "GET /users/export = a:export", "GET /files/**"],
    ...["GET /files/export = a:export", "GET /Exact", "GET /slash/", "* /any/**", "GET /"],
    ...["DELETE /any/{id} = a:delete", "GET /any/it = a:get"],
  ];

  it.each([
    ["GET /users/u1", "GET /users/{id}"],
    ["GET /users/U1", "GET /users/{id}"],
    ["GET /files/a/B", "GET /files/**"],
    [`GET /files/${"a/".repeat(40)}b`, "GET /files/**"],
    [`GET /files/${"a/".repeat(30)}b`, "GET /files/**"],
    ["GET /Exact", "GET /Exact"],
    ["GET /slash/", "GET /slash/"],
    ["GET /", "GET /"],
    ["PATCH /any/x", "* /any/**"],
    ["HEAD /any/it", "GET /any/it"],
    ["M-SEARCH /any/x", "* /any/**"],
  ])("finds for %s: %s", (request, route) => {
    expect(found(routes, request)).toBe(route);
  });

  // Each reaches another handler behind some upstream: Express, Django, a case-folding file system.
  it.each([
    ["GET /users/EXPORT", "contested: GET /users/export"],
    ["GET /users/expor\u0165".replace("\u0165", "T"), "contested: GET /users/export"],
    ["GET /files/export/", "contested: GET /files/export"],
    ["GET /files/Export", "contested: GET /files/export"],
    ["GET /files/a/", "GET /files/**"],
    ["GET /files/", "contested: undefined"],
    ["GET /users/u1/", "none"],
    ["GET /exact", "none"],
    ["GET /slash", "none"],
    ["delete /any/x", "malformed-method"],
    ["Get /users/u1", "malformed-method"],
    ["GET /users/%6De", "ambiguous"],
    ["GET //users/u1", "ambiguous"],
    ["CONNECT ", "ambiguous"],
  ])("finds for %s: %s", (request, finding) => {
    expect(found(routes, request)).toBe(finding);
  });

  // Whoever takes `/admin` for `/admin/` serves it as what `/admin/**` stands for.
  it.each([
    ["GET /admin", "contested: GET /admin/**"],
    ["GET /Admin", "contested: GET /admin/**"],
    ["GET /Admin/", "contested: GET /admin/**"],
    ["GET /admin/x", "GET /admin/**"],
    ["POST /admin", "* /**"],
    ["GET /own", "GET /own"],
    ["GET /own/x", "GET /own/**"],
    ["GET /", "* /**"],
  ])("finds for %s, which others may give a slash: %s", (request, finding) => {
    const rest = ["* /**", "GET /admin/** = a:administer", "GET /own = a:list", "GET /own/**"];
    expect(found(rest, request)).toBe(finding);
  });

  // Express compares its routes with paths that are not decoded yet.
  it.each([
    ["GET /users/log%2Dout", "contested: GET /users/{id}"],
    ["GET /users/a%40b", "GET /users/{id}"],
    ["GET /users/me%3Ax", "GET /users/{id}"],
    ["GET /odd%2Dpage", "contested: undefined"],
  ])("finds for %s, which others may not decode: %s", (request, finding) => {
    const escapable = ["GET /users/{id}", "GET /users/log-out = a:leave", "GET /odd-page"];
    expect(found(escapable, request)).toBe(finding);
  });

  // Envoy writes "!" for a byte that is not UTF-8, which the upstream gets, and may drop.
  it.each([
    ["GET /users/log-!out", "contested: GET /users/log-out"],
    ["GET /users!/u1", "contested: GET /users/{id}"],
    ["GET /users/a!b", "GET /users/{id}"],
    ["GET /users/!", "contested: undefined"],
    ["GET /users/.!./x", "ambiguous"],
    ["GET /users/!/x", "ambiguous"],
    ["GET /users/log-%21out", "GET /users/{id}"],
  ])("finds for %s, in which a byte may be missing: %s", (request, finding) => {
    const replaced = ["GET /users/{id}", "GET /users/log-out = a:leave"];
    expect(found([...replaced, "* /{a}/{b} = a:b", "GET /users/**"], request)).toBe(finding);
  });

  it.each([
    ["GET /users/eXport", "GET /users/export"],
    ["GET /a", "GET /a/"],
    ["GET /K", "GET /k"],
  ])("refuses %s and %s, which take different things", (first, second) => {
    const problems: RouteProblem[] = [];
    readRoutes(optionsOf([first, `${second} = b:read`]), problems);
    expect(problems).toEqual([
      {
        path: "routes[1].route",
        message:
          "differs from routes[0] in case or a slash at the end alone, and takes something else",
      },
    ]);
  });

  it("takes both where they take the same", () => {
    const both = ["GET /a", "GET /a/", "GET /A"];
    for (const path of ["/a", "/a/", "/A"]) expect(found(both, `GET ${path}`)).toBe(`GET ${path}`);
    expect(found(both, "GET /A/")).toBe("none");
  });
});
