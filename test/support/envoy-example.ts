import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { parse } from "yaml";
import { type EnvoyServer, envoyBinary, openBootstrap } from "./envoy.ts";
import { freePort } from "./free-port.ts";
import { type MarkdownSection, markdownSections } from "./readme-examples.ts";
import { projectRoot } from "./source-files.ts";
import { createWorkspace, type ServerProcess, type Workspace } from "./workspace.ts";

/** An example of `examples/envoy/`, run as its page says, on free ports. */
export interface EnvoyExample {
  /** The Postern that it runs, in the order of the page. */
  readonly servers: readonly ServerProcess[];
  /** The Envoy that runs at present. */
  readonly envoy: EnvoyServer;
  /** Runs a line that its page shows, in a shell; gives what it prints, carriage returns aside. */
  run(command: string): Promise<string>;
  /** What Envoy says of the bootstrap as it stands in the example, without running it. */
  validate(): Promise<string>;
  /** Starts Envoy anew, with its text changed. Throws if the change changes nothing. */
  restartEnvoy(change: (text: string) => string): Promise<void>;
  close(): Promise<void>;
}

const folderOf = (name: string): string => join("examples/envoy", name);

/** The sections of an example's page. */
export function examplePage(name: string): MarkdownSection[] {
  return markdownSections(readFileSync(join(projectRoot, folderOf(name), "README.md"), "utf8"));
}

/** Runs the commands of an example's page. Whoever opens it closes it. */
export async function openExample(name: string): Promise<EnvoyExample> {
  const run = new ExampleRun();
  try {
    const commands = examplePage(name).flatMap((section) => section.commands);
    for (const command of commands) await run.start(command);
    if (run.servers.length === 0) throw new Error("its page starts no Postern");
    return run;
  } catch (error) {
    await run.close();
    throw new Error(`${folderOf(name)}/README.md: ${String(error)}`, { cause: error });
  }
}

class ExampleRun implements EnvoyExample {
  readonly servers: ServerProcess[] = [];
  readonly #workspace: Workspace = createWorkspace();
  /** By the port that the example has, the one of this run. */
  readonly #ports = new Map<number, number>();
  #envoy: EnvoyServer | undefined;
  /** Path of the bootstrap, from the workspace, and its text. */
  #bootstrap = { file: "", text: "" };

  get envoy(): EnvoyServer {
    if (this.#envoy === undefined) throw new Error("its page starts no Envoy");
    return this.#envoy;
  }

  async start(command: string): Promise<void> {
    const [program, ...args] = command.split(" ");
    if (program === "envoy" && args[0] === "-c" && args.length === 2) {
      const text = readFileSync(join(this.#workspace.folder, args[1]!), "utf8");
      this.#bootstrap = { file: args[1]!, text };
      await this.#startEnvoy(text);
    } else if (command.startsWith("npx postern serve --config ")) {
      await this.#serve(args[3]!);
    } else if (command.startsWith("npx postern ")) {
      const { status, stderr } = await this.#workspace.postern(...args.slice(1));
      if (status !== 0) throw new Error(`${command} ended with status ${status}: ${stderr}`);
    } else if (/^(mkdir|openssl|cat) /.test(command)) {
      await this.#shell(command);
    } else {
      throw new Error(`nobody knows how to run ${command}`);
    }
  }

  async run(command: string): Promise<string> {
    const here = command.replaceAll(/\blocalhost:(\d+)/g, (_, port: string) => {
      const own = this.#ports.get(Number(port));
      if (own === undefined) throw new Error(`Envoy does not listen on ${port}`);
      return `localhost:${own}`;
    });
    const output = (await this.#shell(here)).replaceAll("\r", "");
    return output.endsWith("\n") ? output : `${output}\n`;
  }

  async validate(): Promise<string> {
    const args = ["--mode", "validate", "--config-path", this.#bootstrap.file];
    const options = { cwd: this.#workspace.folder };
    const { stdout } = await promisify(execFile)(await envoyBinary(), args, options);
    return stdout.trim();
  }

  async restartEnvoy(change: (text: string) => string): Promise<void> {
    const { text } = this.#bootstrap;
    const changed = change(text);
    if (changed === text) throw new Error("the change changes nothing");
    await this.#envoy?.close();
    await this.#startEnvoy(changed);
  }

  async close(): Promise<void> {
    await this.#envoy?.close();
    await Promise.all(this.servers.map((server) => server.stop()));
    this.#workspace.remove();
  }

  async #serve(config: string): Promise<void> {
    const text = readFileSync(join(this.#workspace.folder, config), "utf8");
    const address: string = parse(text).grpc.listen[0];
    const socket = address.startsWith("unix:") ? { listen: address } : {};
    const server = await this.#workspace.serve({ config, ...socket });
    this.servers.push(server);
    if (!address.startsWith("unix:")) this.#ports.set(portOf(address), portOf(server.address));
  }

  async #startEnvoy(text: string): Promise<void> {
    const bootstrap = parse(text);
    await this.#movePorts(bootstrap);
    const { listeners } = bootstrap.static_resources;
    // Another that listens on the port is an error, not a companion.
    for (const listener of listeners) listener.enable_reuse_port = false;
    const port: number = listeners[0].address.socket_address.port_value;
    this.#envoy = await openBootstrap(port, () => bootstrap, this.#workspace.folder);
  }

  /** Every port of the example becomes one that is free; that of a Postern its own. */
  async #movePorts(node: unknown): Promise<void> {
    if (typeof node !== "object" || node === null) return;
    for (const [key, value] of Object.entries(node)) {
      if (key !== "port_value") {
        await this.#movePorts(value);
        continue;
      }
      if (!this.#ports.has(value)) this.#ports.set(value, await freePort());
      (node as Record<string, unknown>)[key] = this.#ports.get(value);
    }
  }

  async #shell(command: string): Promise<string> {
    const env = { ...process.env, no_proxy: "*" };
    const options = { cwd: this.#workspace.folder, env };
    return (await promisify(execFile)("bash", ["-o", "pipefail", "-c", command], options)).stdout;
  }
}

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(":") + 1));
}
