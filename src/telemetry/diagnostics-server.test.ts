import { afterEach, describe, expect, it } from "vitest";
import { silentLogger } from "../base/logger.ts";
import { createDiagnosticsServer, type DiagnosticsServer } from "./diagnostics-server.ts";
import { createHealth, type HealthRegistry } from "./health.ts";
import { createMeter, type PrometheusMeter } from "./meter.ts";

interface Running {
  readonly server: DiagnosticsServer;
  readonly url: string;
  readonly meter: PrometheusMeter;
  readonly health: HealthRegistry;
}

const running: Running[] = [];
afterEach(() => Promise.all(running.splice(0).map(({ server }) => server.close())));

async function start(overrides: Partial<PrometheusMeter> = {}): Promise<Running> {
  const meter = createMeter();
  const health = createHealth({ expected: ["directory", "bundle"], logger: silentLogger, meter });
  const server = createDiagnosticsServer({
    options: { diagnosticsHost: "127.0.0.1", diagnosticsPort: 0 },
    health,
    meter: { ...meter, ...overrides },
    logger: silentLogger,
  });
  const { host, port } = await server.listen();
  const started = { server, url: `http://${host}:${port}`, meter, health };
  running.push(started);
  return started;
}

async function ready(url: string): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${url}/readyz`);
  return { status: response.status, body: await response.json() };
}

describe("createDiagnosticsServer()", () => {
  it("refuses a port that is taken, and a host that is not here, by the option", async () => {
    const { url } = await start();
    const port = Number(new URL(url).port);
    const server = (diagnosticsHost: string, diagnosticsPort: number) =>
      createDiagnosticsServer({
        options: { diagnosticsHost, diagnosticsPort },
        health: createHealth({ expected: [], logger: silentLogger, meter: createMeter() }),
        meter: createMeter(),
        logger: silentLogger,
      });
    const second = server("127.0.0.1", port);
    await expect(second.listen()).rejects.toThrow(
      `Can't listen on 127.0.0.1, port ${port}, for diagnostics: another process listens there, ` +
        "perhaps another Postern. Stop it, or change telemetry.diagnostics_port " +
        "(POSTERN_TELEMETRY_DIAGNOSTICS_PORT).",
    );
    await second.close();
    // RFC 5737 keeps this address for examples.
    await expect(server("192.0.2.1", 0).listen()).rejects.toThrow(
      /EADDRNOTAVAIL.*Change telemetry\.diagnostics_host/,
    );
  });

  it("refuses other paths and methods", async () => {
    const { url } = await start();
    expect((await fetch(`${url}/`)).status).toBe(404);
    const posted = await fetch(`${url}/metrics`, { method: "POST", body: "x" });
    expect([posted.status, posted.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
  });

  it("says no more than that it failed when it failed", async () => {
    const { url } = await start({ exposition: () => Promise.reject(new Error("secret")) });
    const response = await fetch(`${url}/metrics`);
    expect([response.status, await response.text()]).toEqual([500, "internal error\n"]);
  });

  it("is not ready before every expected component has reported", async () => {
    const { url, health } = await start();
    expect((await ready(url)).status).toBe(503);
    health.set("directory", "ok");
    expect(await ready(url)).toEqual({
      status: 503,
      body: {
        status: "starting",
        components: {
          directory: { state: "ok", detail: "" },
          bundle: { state: "starting", detail: "" },
        },
      },
    });
    health.set("bundle", "ok");
    expect((await ready(url)).status).toBe(200);
  });

  it("names the component that fails, and stays ready while one is degraded", async () => {
    const { url, health } = await start();
    health.set("bundle", "degraded", "billing: the file is torn. Revision 41 stays active.");
    health.set("directory", "ok");
    expect((await ready(url)).status).toBe(200);
    health.set("directory", "failing", "the disk is full");
    expect(await ready(url)).toMatchObject({
      status: 503,
      body: {
        status: "failing",
        components: { directory: { state: "failing", detail: "the disk is full" } },
      },
    });
  });

  it("is not ready but lives while it drains", async () => {
    const { url, health } = await start();
    for (const name of ["directory", "bundle", "grpc"]) health.set(name, "ok");
    health.set("grpc", "draining");
    expect(await ready(url)).toMatchObject({ status: 503, body: { status: "draining" } });
    expect((await fetch(`${url}/livez`)).status).toBe(200);
  });

  it("serves the metrics, the components' among them", async () => {
    const { url, health, meter } = await start();
    meter.counter({ name: "postern_x_total", help: "X." }).add(2);
    health.set("directory", "ok");
    const response = await fetch(`${url}/metrics`);
    const text = await response.text();
    expect(response.headers.get("content-type")).toContain("text/plain; version=0.0.4");
    expect(text).toContain("\npostern_x_total 2\n");
    expect(text).toContain('postern_component_up{component="directory"} 1');
    expect(text).toContain('postern_component_up{component="bundle"} 0');
  });
});

describe("createHealth()", () => {
  it("tells listeners of changes of the whole, once each", () => {
    const health = createHealth({ expected: ["a"], logger: silentLogger, meter: createMeter() });
    const heard: string[] = [];
    health.onStatus((status) => heard.push(status));
    health.set("a", "ok");
    health.set("a", "ok", "again");
    health.set("b", "failing");
    health.set("a", "failing");
    health.set("a", "ok");
    health.set("b", "ok");
    expect(heard).toEqual(["ready", "failing", "ready"]);
  });
});
