import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TemplateSegment } from "./path-index.ts";
import { createRouteTable, parseRoute } from "./route-table.ts";

const tableOf = (...routes: string[]) =>
  createRouteTable(routes.map((text) => ({ text, template: parseRoute(text) })));
const find = (table: ReturnType<typeof tableOf>, method: string, path: string) => {
  const match = table.find(method, path.slice(1).split("/"));
  return match && [match.route.text, Object.fromEntries(match.parameters)];
};

describe("parseRoute()", () => {
  it("takes a route apart", () => {
    expect(parseRoute("GET /agents/{agent_id}/runs/**")).toEqual({
      method: "GET",
      segments: [
        { kind: "literal", text: "agents" },
        { kind: "parameter", name: "agent_id" },
        { kind: "literal", text: "runs" },
        { kind: "rest" },
      ],
    });
    expect(parseRoute("* /")).toEqual({ method: "*", segments: [{ kind: "literal", text: "" }] });
  });

  it.each([
    ["/agents", /a method/],
    ["get /agents", /a method/],
    ["GET agents", /a method/],
    ["GET  /agents", /a method/],
    ["GET /a b", /a method/],
    ["GET /a//b", /segment ""/],
    ["GET /{}", /segment "{}"/],
    ["GET /a{id}", /segment "a{id}"/],
    ["GET /*", /segment "\*"/],
    ["GET /**/a", /\*\* before its end/],
    ["GET /{id}/{id}", /\{id\} twice/],
    ["GET /a%2Fb", /segment "a%2Fb"/],
    ["GET /a!", /segment "a!"/],
    ["GET /a?b=c", /segment "a\?b=c"/],
    ["GET /a/../b", /segment "\.\.", which no path has/],
    ["GET /.", /segment "\.", which/],
    [`GET /${"a/".repeat(32)}`, /more than 32 segments/],
  ])("refuses %s, and says why", (text, why) => {
    expect(() => parseRoute(text)).toThrow(why);
  });
});

describe("createRouteTable()", () => {
  it("finds a route, and what its parameters stand for", () => {
    const table = tableOf("GET /agents/{id}", "POST /agents/{id}/run", "GET /");
    expect(find(table, "GET", "/agents/a1")).toEqual(["GET /agents/{id}", { id: "a1" }]);
    expect(find(table, "POST", "/agents/a1/run")).toEqual(["POST /agents/{id}/run", { id: "a1" }]);
    expect(find(table, "GET", "/")).toEqual(["GET /", {}]);
  });

  it.each(["/agents", "/agents/", "/agents/a1/", "/agents/a1/b", "/Agents/a1", "//a1"])(
    "finds none for %s",
    (path) => {
      expect(find(tableOf("GET /agents/{id}"), "GET", path)).toBeUndefined();
    },
  );

  it("finds none for a method that no route has", () => {
    const table = tableOf("GET /a", "PUT /b");
    expect(find(table, "HEAD", "/b")).toBeUndefined();
    expect(find(table, "get", "/a")).toBeUndefined();
  });

  it("takes HEAD for GET, unless it has a route of its own", () => {
    const table = tableOf("GET /a", "* /a", "* /**", "HEAD /b", "GET /b", "PUT /c");
    expect(find(table, "HEAD", "/a")?.[0]).toBe("GET /a");
    expect(find(table, "HEAD", "/b")?.[0]).toBe("HEAD /b");
    expect(find(table, "HEAD", "/c")?.[0]).toBe("* /**");
  });

  it("prefers what is more specific, wherever it stands", () => {
    const table = tableOf(
      ...["* /**", "GET /**", "GET /agents/**", "GET /agents/{id}", "GET /agents/me"],
      ...["* /agents/me", "GET /{kind}/me"],
    );
    expect(find(table, "GET", "/agents/me")?.[0]).toBe("GET /agents/me");
    expect(find(table, "PUT", "/agents/me")?.[0]).toBe("* /agents/me");
    expect(find(table, "GET", "/agents/a1")?.[0]).toBe("GET /agents/{id}");
    expect(find(table, "GET", "/agents/a1/x")?.[0]).toBe("GET /agents/**");
    expect(find(table, "GET", "/models/me")).toEqual(["GET /{kind}/me", { kind: "models" }]);
    expect(find(table, "GET", "/x/y/z")?.[0]).toBe("GET /**");
    expect(find(table, "DELETE", "/x")?.[0]).toBe("* /**");
  });

  it("goes back where a more specific way leads nowhere", () => {
    const table = tableOf("POST /agents/search", "GET /agents/{id}", "GET /{a}/{b}/c");
    expect(find(table, "GET", "/agents/search")).toEqual(["GET /agents/{id}", { id: "search" }]);
    expect(find(table, "GET", "/agents/x/c")).toEqual(["GET /{a}/{b}/c", { a: "agents", b: "x" }]);
  });

  it("takes ** for one segment or more", () => {
    const table = tableOf("GET /files/**");
    expect(find(table, "GET", "/files")).toBeUndefined();
    expect(find(table, "GET", "/files/")?.[0]).toBe("GET /files/**");
    expect(find(table, "GET", "/files/a/b/c")?.[0]).toBe("GET /files/**");
  });

  it("refuses routes that differ in the names of their parameters alone", () => {
    expect(() => tableOf("GET /a", "GET /{x}/b", "GET /{y}/b")).toThrow(
      expect.objectContaining({ pairs: [{ first: 1, second: 2 }] }),
    );
  });

  it("finds what a search through all routes finds", () => {
    const word = fc.constantFrom("a", "b", "c");
    const segment = fc.oneof(word, fc.constantFrom("{x}", "{y}", "{z}"));
    const route = fc
      .tuple(
        fc.constantFrom("GET", "PUT", "*"),
        fc.array(segment, { minLength: 1, maxLength: 4 }),
        fc.boolean(),
      )
      .filter(
        ([, parts]) =>
          new Set(parts.filter((part) => part[0] === "{")).size ===
          parts.filter((part) => part[0] === "{").length,
      )
      .map(
        ([method, parts, rest]) => `${method} /${[...parts, ...(rest ? ["**"] : [])].join("/")}`,
      );
    const shape = (text: string) => text.replace(/\{.\}/g, "{}");
    fc.assert(
      fc.property(
        fc.uniqueArray(route, { selector: shape, maxLength: 12 }),
        fc.constantFrom("GET", "PUT", "POST"),
        fc.array(word, { minLength: 1, maxLength: 5 }),
        (routes, method, segments) => {
          const found = tableOf(...routes).find(method, segments);
          expect(found?.route.text).toBe(bestOf(routes, method, segments));
        },
      ),
    );
  });
});

/** The first of the routes that match, by how specific they are. */
function bestOf(routes: readonly string[], method: string, path: readonly string[]) {
  const matching = routes.filter((route) => {
    const { method: own, segments } = parseRoute(route);
    if (own !== "*" && own !== method) return false;
    const hasRest = segments.at(-1)!.kind === "rest";
    if (hasRest ? path.length < segments.length : path.length !== segments.length) return false;
    return segments.every((one, index) => one.kind !== "literal" || one.text === path[index]);
  });
  const rank = { literal: "0", parameter: "1", rest: "2" };
  const order = (route: string): string => {
    const { method: own, segments } = parseRoute(route);
    return (
      segments.map(({ kind }: TemplateSegment) => rank[kind]).join("") + (own === "*" ? "b" : "a")
    );
  };
  return matching.sort((one, other) => (order(one) < order(other) ? -1 : 1))[0];
}
