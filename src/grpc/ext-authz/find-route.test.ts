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
