import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { RouteFinding } from "./find-route.ts";
import type { RouteOptions } from "./options.ts";
import { openRoutes, packRoutes } from "./packed-routes.ts";
import { ParsedPath } from "./parsed-path.ts";
import { readRoutes } from "./route-list.ts";

const option = (route: string, permission = "a:read"): RouteOptions => {
  return { route, permission, resource: {} };
};

/** As another thread gets it. */
const sent = (options: readonly RouteOptions[]) =>
  openRoutes(structuredClone(packRoutes(readRoutes(options, []))));

/** Without what no two readings of a route have in common, the functions. */
function told(finding: RouteFinding) {
  if (finding.kind === "contested") return { kind: finding.kind, other: finding.other?.options };
  if (finding.kind !== "route") return finding;
  const { route, parameters } = finding;
  const { index, options, template, resourceType, action, properties } = route;
  const names = properties.map(([name]) => name);
  return { index, options, template, resourceType, action, names, parameters };
}

describe("openRoutes()", () => {
  it("finds each route of a large table, with all that it takes", () => {
    const options = Array.from({ length: 5_000 }, (_, index): RouteOptions => {
      const route = `${index % 2 ? "GET" : "PUT"} /groups/g${index % 41}/t${index}/{id}/i/{item}`;
      const resource = { id: "path/id", owner: "header/x-owner", kind: `header/x-${index}` };
      return { route, permission: `r${index}:read`, resource, dryRun: index % 3 === 0 };
    });
    const list = readRoutes(options, []);
    const find = sent(options);
    for (const { index } of list.routes) {
      const method = index % 2 ? "GET" : "PUT";
      const path = new ParsedPath(`/groups/g${index % 41}/t${index}/a%20b/i/${index}`);
      const found = told(find(method, path));
      expect(found).toEqual(told(list.found!.find(method, path)));
      expect(found).toMatchObject({ index, options: options[index] });
      expect(find(method, new ParsedPath(`/groups/g${(index + 1) % 41}/t${index}/a/i/b`))).toEqual({
        kind: "none",
      });
    }
  });

  it("finds what the list finds", () => {
    const segment = fc.constantFrom("a", "A", "b", "\u00e9", "{x}", "{y}", "");
    const route = fc
      .tuple(
        fc.constantFrom("GET", "HEAD", "PUT", "*"),
        fc.uniqueArray(segment, { minLength: 1, maxLength: 4 }),
        fc.constantFrom("", "/**", "/"),
        fc.constantFrom("a:read", "b:read"),
      )
      .map(([method, parts, end, permission]) =>
        option(`${method} /${parts.join("/")}${end}`, permission),
      );
    const word = fc.constantFrom("a", "A", "b", "c", "", "%41");
    const paths = fc.array(fc.array(word, { minLength: 1, maxLength: 5 }), { maxLength: 30 });
    fc.assert(
      fc.property(
        fc.array(route, { maxLength: 12 }),
        paths,
        fc.constantFrom("GET", "HEAD", "PUT", "POST", "get"),
        (options, asked, method) => {
          const right = readRoutes(options, []).routes.map((one) => one.options);
          const list = readRoutes(right, []);
          fc.pre(list.found !== undefined);
          const find = sent(right);
          for (const segments of asked) {
            const path = new ParsedPath(`/${segments.join("/")}`);
            expect(told(find(method, path))).toEqual(told(list.found!.find(method, path)));
          }
        },
      ),
    );
  });

  it("has nothing of routes that were refused", () => {
    const list = readRoutes([option("GET /a"), option("GET /a")], []);
    expect(() => packRoutes(list)).toThrow("routes that were refused");
  });

  it("finds nothing in an empty table", () => {
    expect(sent([])("GET", new ParsedPath("/a"))).toEqual({ kind: "none" });
  });
});
