import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Create } from "typebox/value";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { httpCheck } from "../test/support/http-check.ts";
import { notingMeter } from "../test/support/noting-meter.ts";
import { systemClock } from "./base/clock.ts";
import type { Health } from "./base/health.ts";
import { type Logger, silentLogger } from "./base/logger.ts";
import { ParsedPath } from "./grpc/ext-authz/parsed-path.ts";
import { type PipelineOptions, pipelineOptionsSchema } from "./pipeline/options.ts";
import { type ServingRoutes, type ServingRoutesDeps, serveRoutes } from "./serving-routes.ts";
import { type ReadRoutes, readRoutesInWorker } from "./start-routes-worker.ts";

let folder: string;
let file: string;
let routes: ServingRoutes | undefined;
let errors: string[];
let states: string[];
let warnings: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "postern-routes-"));
  file = join(folder, "routes.yaml");
  errors = [];
  states = [];
  warnings = [];
});

afterEach(async () => {
  await routes?.close();
  routes = undefined;
  rmSync(folder, { recursive: true });
});

const { trust } = Create(pipelineOptionsSchema) as PipelineOptions;
const logger: Logger = {
  ...silentLogger,
  error: (_, message) => errors.push(message),
  warn: (_, message) => warnings.push(message),
};
const health: Health = { set: (_, state, detail = "") => states.push(`${state} ${detail}`.trim()) };

const parts = { clock: systemClock, logger, health, trust, readRoutes: readRoutesInWorker };

/** A file in which `GET /a` takes this permission. */
function taking(permission: string): string {
  return `subject: [{ from: header/x-user }]\nroutes: [{ route: GET /a, permission: "${permission}" }]\n`;
}

/** As an editor or a deployment replaces a file. */
function replace(text: string): void {
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
}

async function start(
  given: Partial<ServingRoutesDeps> = {},
): Promise<ReturnType<typeof notingMeter>> {
  const meter = notingMeter();
  const options = { application: "platform", routesFile: file, subject: [], routes: [] };
  routes = await serveRoutes({ ...{ options, ...parts, meter: meter.meter }, ...given });
  return meter;
}

/** What `GET /a` takes by the table in force; `undefined` if it isn't in it. */
function permission(): string | undefined {
  const request = httpCheck({ headers: { "x-user": "u1" } });
  const asked = routes!.questions.ask(request, new ParsedPath(request.path), () => {
    throw new Error("no route takes from the body");
  });
  return asked.kind === "question" ? asked.permission : undefined;
}

const becomes = (expected: string) => vi.waitFor(() => expect(permission()).toBe(expected), 10_000);
const refused = (times = 1) =>
  vi.waitFor(() => expect(errors).toHaveLength(times), { timeout: 10_000 });

describe("serveRoutes()", () => {
  it("warns of what is taken and counts for nobody, each time it reads a table", async () => {
    writeFileSync(file, taking("a:read"));
    await start();
    expect(warnings).toEqual([]);
    replace(
      `subject: []\nroutes: [{ route: GET /a, permission: "b:read", resource: { owner: header/x } }]\n`,
    );
    await vi.waitFor(() => expect(warnings).toHaveLength(1), 10_000);
    expect(warnings[0]).toMatch(/^ext_authz\.rbac\.routes take properties of resources, but/);
  });

  it("serves the table of the configuration where no file is named", async () => {
    const options = {
      application: "platform",
      subject: [{ from: "header/x-user", type: "user" as const }],
      routes: [{ route: "GET /a", permission: "a:read", resource: {} }],
    };
    routes = await serveRoutes({ options, ...parts, meter: notingMeter().meter });
    expect([permission(), states]).toEqual(["a:read", []]);
  });

  it.each([
    ["that is not there", undefined, "ENOENT"],
    ["that is empty", "", "subject: is required"],
    ["that is cut off", "subject: []\nroutes:\n  - { route: GET /a, perm", "routes"],
    ["with a route that is none", taking("agent"), "routes.yaml:2: routes[0].permission: "],
    ["with bytes that are no text", Buffer.from([0xff]), "it is not UTF-8"],
  ])("does not start with a file %s", async (_, content, why) => {
    if (content !== undefined) writeFileSync(file, content);
    const started = start();
    await expect(started).rejects.toThrow(/^ext_authz\.rbac\.routes_file \(/);
    await expect(started).rejects.toThrow(why);
  });

  it("does not start with a folder in place of the file, or a file beyond all limits", async () => {
    mkdirSync(file);
    await expect(start()).rejects.toThrow("is not a regular file");
    rmSync(file, { recursive: true });
    writeFileSync(file, " ".repeat(4 * 1_048_576 + 1));
    await expect(start()).rejects.toThrow("expected at most 4194304");
  });

  it("takes the file anew when it is replaced, and when it is written in place", async () => {
    writeFileSync(file, taking("a:read"));
    const meter = await start();
    expect(permission()).toBe("a:read");
    replace(taking("a:list"));
    await becomes("a:list");
    writeFileSync(file, taking("a:write"));
    await becomes("a:write");
    expect(meter.notes).toEqual(Array(3).fill("postern_route_table_activations_total 1"));
    expect([errors, states.at(-1)]).toEqual([[], "ok"]);
  });

  it("follows a link that is swapped, as Kubernetes swaps a ConfigMap's", async () => {
    const generation = (name: string, text: string) => {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, "routes.yaml"), text);
      symlinkSync(name, join(folder, "..data_tmp"));
      renameSync(join(folder, "..data_tmp"), join(folder, "..data"));
    };
    generation("..1", taking("a:read"));
    symlinkSync("..data/routes.yaml", file);
    await start();
    generation("..2", taking("a:list"));
    await becomes("a:list");
  });

  it("keeps the table in force beside a broken file, says so once, and takes the mended one", async () => {
    writeFileSync(file, taking("a:read"));
    const meter = await start();
    replace(taking("agent"));
    await refused();
    expect(permission()).toBe("a:read");
    expect(errors[0]).toMatch(/^Routes refused: .*routes\[0\]\.permission: .* stays in force\.$/);
    expect(states.at(-1)).toMatch(
      /^degraded the table [0-9a-f]{12} stays in force: .*routes\.yaml/,
    );
    expect(meter.notes).toContain("postern_route_table_refusals_total 1");
    replace(taking("a:list"));
    await becomes("a:list");
    expect(states.at(-1)).toBe("ok");
  });

  it("tries again what failed for another reason than the file", async () => {
    writeFileSync(file, taking("a:read"));
    let isFull = false;
    let attempts = 0;
    const readRoutes: ReadRoutes = async (source, signal) => {
      attempts += 1;
      if (isFull) throw new Error("no room for a thread");
      return readRoutesInWorker(source, signal);
    };
    await start({ readRoutes });
    isFull = true;
    replace(taking("a:list"));
    await refused();
    expect(errors[0]).toContain("no room for a thread");
    await vi.waitFor(() => expect(attempts).toBeGreaterThan(2), 10_000);
    expect([errors.length, permission()]).toEqual([1, "a:read"]);
    isFull = false;
    await becomes("a:list");
    expect(states.at(-1)).toBe("ok");
  });

  it("keeps the table in force when the file is emptied or goes, and hears when it is back", async () => {
    writeFileSync(file, taking("a:read"));
    await start();
    writeFileSync(file, "");
    await refused(1);
    rmSync(file);
    await refused(2);
    expect(permission()).toBe("a:read");
    writeFileSync(file, taking("a:read"));
    await vi.waitFor(() => expect(states.at(-1)).toBe("ok"), 10_000);
    expect(permission()).toBe("a:read");
  });
});
