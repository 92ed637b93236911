import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runPostern } from "../../test/support/run-postern.ts";

const GOOD = `subject: [{ from: principal }]
routes:
  - { route: "GET /agents/{id}", permission: "agent:read", resource: { id: path/id, owner: header/x-owner } }
  - { route: GET /agents/export, permission: "agent:execute" }
  - { route: "* /files/**", permission: "agent:read" }
`;

const entry = (route: string) => `  - { route: "${route}", permission: "agent:read" }\n`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "postern-routes-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A file with this text. */
function fileOf(text: string): string {
  const file = join(folder, "routes.yaml");
  writeFileSync(file, text);
  return file;
}

const check = (text: string, ...args: string[]) =>
  runPostern(["routes", "check", fileOf(text), ...args]);
const tryOne = (method: string, path: string, ...args: string[]) =>
  runPostern(["routes", "try", method, path, "--file", fileOf(GOOD), ...args]);

describe("postern routes check", () => {
  it("finds nothing wrong with a table that is right", async () => {
    const { status, stdout, stderr } = await check(GOOD);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toContain("routes.yaml");
    const json = JSON.parse((await check(GOOD, "--json")).stdout);
    expect(json).toMatchObject({ application: "platform", routes: 3, findings: [] });
  });

  it.each([
    [
      "a permission that nobody has",
      GOOD.replace("agent:execute", "agent:exekute"),
      { kind: "unknown-permission", path: "routes[1].permission", at: ":4" },
      "agent:execute",
    ],
    [
      "the same route twice",
      `${GOOD}${entry("GET /agents/{name}")}`,
      { kind: "invalid", path: "routes[3].route", at: ":6" },
      "is the same as routes[0]",
    ],
    [
      "routes that differ in case alone",
      `${GOOD}${entry("GET /agents/EXPORT")}`,
      { kind: "invalid", path: "routes[3].route", at: ":6" },
      "in case or a slash at the end alone",
    ],
    [
      "a parameter that the route has not",
      GOOD.replace("path/id", "path/name"),
      { kind: "invalid", path: "routes[0].resource.id", at: ":3" },
      "the route has no parameter {name}",
    ],
    [
      "a subject that says who he is",
      GOOD.replace("from: principal", "from: body/me"),
      { kind: "invalid", path: "subject[0].from", at: ":1" },
      "is what whoever asks says of himself",
    ],
    [
      "a route that nothing comes to",
      `${GOOD}${["", "{a}", "{a}/**"].map((end) => entry(`* /files/${end}`)).join("")}`,
      { kind: "unreachable" },
      "no request comes here",
    ],
  ])("says where, and what: %s", async (_, text, where, why) => {
    const { status, stdout } = await check(text, "--json");
    expect(status).toBe(1);
    const { findings } = JSON.parse(stdout) as { findings: Record<string, string>[] };
    const { at, ...rest } = { at: "", ...where };
    expect(findings).toContainEqual(
      expect.objectContaining({
        ...rest,
        at: expect.stringContaining(at),
        message: expect.stringContaining(why),
      }),
    );
    expect((await check(text)).stdout).toContain(why);
  });

  it("has no verdict on a file that can't be read", async () => {
    const { status, stderr } = await runPostern(["routes", "check", join(folder, "absent.yaml")]);
    expect(status).toBe(2);
    expect(stderr).toContain("absent.yaml");
  });
});

describe("postern routes try", () => {
  it("says which route, which permission, and what the path says", async () => {
    const { status, stdout } = await tryOne("GET", "/agents/a1?x=y");
    expect(status).toBe(0);
    expect(stdout).toMatch(/^route +GET \/agents\/\{id\} +routes\[0\], .*routes\.yaml:3$/m);
    expect(stdout).toMatch(/^permission +agent:read +of platform$/m);
    expect(stdout).toMatch(/^resource +id=a1 +from path\/id$/m);
    expect(stdout).toMatch(/^resource +owner +from header\/x-owner$/m);
    const json = JSON.parse((await tryOne("HEAD", "/agents/export", "--json")).stdout);
    expect(json).toMatchObject({ route: "GET /agents/export", permission: "agent:execute" });
  });

  it.each([
    ["GET", "/other", "no route has this path"],
    ["PUT", "/agents/a1", "there is one with GET"],
    ["GET", "/agents/EXPORT", "takes GET /agents/export"],
    ["GET", "/files/", "has no route"],
    ["GET", "/agents/..%2fx", "an upstream may read the path as another one"],
    ["get", "/agents/a1", "a method that is not in upper case"],
    ["GET", "/agents/%zz", "answered with 400"],
  ])("says why there is none for %s %s", async (method, path, why) => {
    const { status, stdout } = await tryOne(method, path);
    expect(status).toBe(1);
    expect(stdout).toContain(why);
  });
});
