// What is for deploying Postern, run as far as this machine can: the files that the image consists
// of serve by themselves, with the pod's configuration; every configuration holds; and what has to
// agree between files does.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { parseDatabaseUrl } from "../../src/base/database-url.ts";
import { loadConfig } from "../../src/config/load-config.ts";
import {
  argumentsOf,
  copies,
  createImageRoot,
  fileText,
  isIgnored,
} from "../support/image-root.ts";
import { runPostern } from "../support/run-postern.ts";
import { projectRoot } from "../support/source-files.ts";

interface Container {
  readonly name: string;
  readonly args?: string[];
  readonly ports?: { name: string; containerPort: number }[];
  readonly volumeMounts?: { name: string; mountPath: string; readOnly?: boolean }[];
  readonly env?: { name: string; value: string }[];
  readonly [probe: `${string}Probe`]: { httpGet: { path: string; port: string } } | undefined;
}

const [configMap, deployment] = parseAllDocuments(fileText("deploy/kubernetes.yaml")).map(
  (document) => document.toJS(),
);
const pod = deployment.spec.template.spec as {
  initContainers: Container[];
  containers: Container[];
  volumes: { name: string; configMap?: { name: string } }[];
};
const container = (name: string): Container =>
  [...pod.initContainers, ...pod.containers].find((candidate) => candidate.name === name)!;

/** Paths of the container, as they are in the folder that stands for its root. */
const inRoot = (root: string, content: string): string =>
  content.replaceAll(/(?<![\w/])\/(etc\/)?postern\//g, (path) => root + path);

const folder = mkdtempSync(join(tmpdir(), "postern-deploy-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** What `postern config check` says. */
function check(name: string, content: string): Promise<unknown> {
  const path = join(folder, name);
  writeFileSync(path, content);
  return runPostern(["config", "check", "--config", path]);
}

function databaseFile({ database }: { readonly database: string }): string {
  const url = parseDatabaseUrl(database);
  expect(url.kind).toBe("sqlite");
  return url.kind === "sqlite" ? url.file : "";
}

describe("Dockerfile", () => {
  it("copies what is there and isn't kept from Docker", () => {
    const lost = copies.filter(({ from }) => {
      const path = join(projectRoot, from);
      return !existsSync(path) || (statSync(path).isFile() && isIgnored(from));
    });
    expect(lost).toEqual([]);
    expect(isIgnored("src/main.ts")).toBe(false);
  });

  it("keeps tests, state and a machine's own files out", () => {
    const paths = ["src/main.test.ts", "state/directory.db", "node_modules/x/y.js", ".git/config"];
    expect(paths.filter((path) => !isIgnored(path))).toEqual([]);
  });

  it("pins its base images, and leaves root", () => {
    const bases = [...fileText("Dockerfile").matchAll(/^FROM \S+?:(\S+)/gm)].map(([, tag]) => tag);
    expect(bases.filter((tag) => !/^\d+\.\d+/.test(tag!))).toEqual([]);
    expect(bases).toHaveLength(2);
    expect(argumentsOf("USER")).toEqual(["10001:10001"]);
  });
});

describe("the image's files, with the pod's configuration", () => {
  let root: string;
  let server: ChildProcess;
  let diagnosticsPort: number;
  const entrypoint: string[] = JSON.parse(argumentsOf("ENTRYPOINT")[0]!);

  beforeAll(async () => {
    root = createImageRoot();
    for (const { mountPath } of container("postern").volumeMounts!) {
      mkdirSync(join(root, mountPath), { recursive: true });
    }
    for (const [name, content] of Object.entries(configMap.data as Record<string, string>)) {
      writeFileSync(join(root, "etc/postern/config", name), inRoot(root, content));
    }
    cpSync(join(projectRoot, "bundles"), join(root, "etc/postern/bundles"), { recursive: true });
  });
  afterAll(async () => {
    if (server?.exitCode === null) {
      server.kill("SIGKILL");
      await once(server, "exit");
    }
    rmSync(root, { recursive: true });
  });

  function start(command: readonly string[]): ChildProcess {
    const [executable, ...args] = command.map((part) => inRoot(root, part));
    return spawn(executable!, args, {
      cwd: join(root, "postern"),
      // On free ports, and on no other interface than loopback.
      env: {
        POSTERN_GRPC_LISTEN: "127.0.0.1:0",
        POSTERN_TELEMETRY_DIAGNOSTICS_HOST: "127.0.0.1",
        POSTERN_TELEMETRY_DIAGNOSTICS_PORT: "0",
      },
      stdio: ["ignore", "pipe", "inherit"],
    });
  }

  async function run(command: readonly string[]): Promise<{ status: number; stdout: string }> {
    const child = start(command);
    const ended = once(child, "close");
    const stdout = await text(child.stdout!);
    const [status] = await ended;
    return { status, stdout };
  }

  function isHealthy(): Promise<{ status: number }> {
    const [, command] = argumentsOf("HEALTHCHECK")[0]!.split(" CMD ");
    const atPort = command!.replace(":8282", `:${diagnosticsPort}`);
    return run(JSON.parse(atPort));
  }

  it("fills the directory before there is a server", async () => {
    const { status, stdout } = await run([...entrypoint, ...container("directory").args!]);
    expect({ status, stdout }).toMatchObject({ status: 0, stdout: /\+ subject user-123/ });
  });

  it("serves, and answers by the pod's own bundles and subjects", async () => {
    server = start([...entrypoint, ...container("postern").args!]);
    const lines = createInterface({ input: server.stdout! })[Symbol.asyncIterator]();
    for (let ready = false; !ready; ) {
      const { value, done } = await lines.next();
      if (done) throw new Error("the server has ended at its start");
      const line = JSON.parse(value) as { message: string; diagnostics: { port: number } };
      ready = line.message === "Postern is ready.";
      if (ready) diagnosticsPort = line.diagnostics.port;
    }
    server.stdout!.resume();
    const allowed = await run([...entrypoint, "check", "user-123", "agent:execute"]);
    expect(allowed).toMatchObject({ status: 0 });
    const denied = await run([...entrypoint, "check", "user-123", "admin:configure"]);
    expect(denied).toMatchObject({ status: 1 });
    const { stdout } = await run([...entrypoint, "bundle", "list", "--json"]);
    expect((JSON.parse(stdout) as { source: string }[]).map(({ source }) => source)).toEqual([
      "folder",
      "folder",
    ]);
  });

  it("is healthy by the image's own check", async () => {
    expect(await isHealthy()).toMatchObject({ status: 0 });
  });

  it("ends with status 0 at SIGTERM, and is healthy no longer", async () => {
    // One that has ended already would never end again.
    expect(server.exitCode).toBe(null);
    server.kill("SIGTERM");
    expect(await once(server, "exit")).toEqual([0, null]);
    expect(await isHealthy()).toMatchObject({ status: 1 });
  });
});

describe("deploy/kubernetes.yaml", () => {
  const postern = container("postern");
  const config = parse(configMap.data["config.yaml"]);
  const inForce = () => {
    const file = join(folder, "in-force.yaml");
    writeFileSync(file, configMap.data["config.yaml"]);
    return loadConfig({ file, env: {} }).config;
  };

  it("holds a configuration that is right", async () => {
    expect(await check("pod.yaml", configMap.data["config.yaml"])).toMatchObject({ status: 0 });
    expect(config.bundle.folder).toBe("/etc/postern/bundles");
  });

  it("probes the port of the configuration, at paths that are served to the kubelet", () => {
    const { telemetry } = inForce();
    const probes = ["startupProbe", "readinessProbe", "livenessProbe"] as const;
    expect(probes.map((probe) => postern[probe]?.httpGet)).toEqual(
      ["/readyz", "/readyz", "/livez"].map((path) => ({ path, port: "diagnostics" })),
    );
    expect(postern.ports).toEqual([
      { name: "diagnostics", containerPort: telemetry.diagnosticsPort },
    ]);
    expect(telemetry.diagnosticsHost).toBe("0.0.0.0");
    expect(argumentsOf("HEALTHCHECK")[0]).toContain(`:${telemetry.diagnosticsPort}/`);
  });

  it("tells the service where to ask", () => {
    const address = container("app").env?.find(({ name }) => name === "POSTERN_ADDRESS")?.value;
    expect([address]).toEqual(inForce().grpc.listen);
  });

  it("mounts every volume that it names, and what Postern writes to writably", () => {
    const { bundle, directory, admin } = inForce();
    const volumes = pod.volumes.map(({ name }) => name);
    expect(postern.volumeMounts!.map(({ name }) => name)).toEqual(volumes);
    expect(pod.volumes[0]?.configMap?.name).toBe(configMap.metadata.name);
    const writable = postern.volumeMounts!.filter(({ readOnly }) => !readOnly);
    const written = [bundle.lastGoodFolder, databaseFile(directory), admin.controlSocket];
    const home = argumentsOf("WORKDIR")[0]!;
    expect(
      written.filter((path) =>
        writable.every((mount) => !join(home, path).startsWith(mount.mountPath)),
      ),
    ).toEqual([]);
  });
});

describe("deploy/postern.service", () => {
  const unit = fileText("deploy/postern.service");
  const settings = (name: string): string[] =>
    [...unit.matchAll(new RegExp(`^${name}=(.*)$`, "gm"))].map(([, value]) => value!);

  it("has a configuration that is right", async () => {
    expect(await check("systemd.yaml", fileText("deploy/systemd.yaml"))).toMatchObject({
      status: 0,
    });
  });

  it("starts what a checkout has, with the configuration that it says to install", () => {
    const [home] = settings("WorkingDirectory");
    const [node, script, ...args] = settings("ExecStart")[0]!.split(" ");
    for (const path of [node!, script!]) {
      expect(path.startsWith(`${home}/`)).toBe(true);
      expect(existsSync(join(projectRoot, relative(home!, path)))).toBe(true);
    }
    expect(args).toEqual(["serve", "--config", "/etc/postern/config.yaml"]);
    expect(unit).toContain("deploy/systemd.yaml /etc/postern/config.yaml");
  });

  it("lets it write where the configuration wants to, and nowhere else", () => {
    const file = join(projectRoot, "deploy/systemd.yaml");
    const { grpc, bundle, directory, admin } = loadConfig({ file, env: {} }).config;
    const socket = grpc.listen[0]!.replace("unix:", "");
    const written = [socket, admin.controlSocket, databaseFile(directory), bundle.lastGoodFolder];
    expect(settings("ProtectSystem")).toEqual(["strict"]);
    expect(settings("RuntimeDirectory")).toEqual(["postern"]);
    expect(settings("StateDirectory")).toEqual(["postern"]);
    expect(written.filter((path) => !/^\/(run|var\/lib)\/postern\//.test(path))).toEqual([]);
  });

  it("gives calls in flight the time that the configuration gives them", () => {
    const file = join(projectRoot, "deploy/systemd.yaml");
    const { grpc } = loadConfig({ file, env: {} }).config;
    expect(Number(settings("TimeoutStopSec")[0]) * 1_000).toBeGreaterThan(grpc.drainTimeoutMs);
  });
});
