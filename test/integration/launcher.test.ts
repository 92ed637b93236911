import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { projectRoot } from "../support/source-files.ts";

/** A checkout that holds the launcher, the bundled Node, and a program of the test's own. */
function checkout(main: string): string {
  const root = mkdtempSync(join(tmpdir(), "postern-launcher-"));
  for (const folder of ["bin", "src", "node_modules"]) mkdirSync(join(root, folder));
  copyFileSync(join(projectRoot, "bin/postern.js"), join(root, "bin/postern.js"));
  symlinkSync(join(projectRoot, "node_modules/node"), join(root, "node_modules/node"));
  writeFileSync(join(root, "package.json"), '{ "type": "module" }');
  writeFileSync(join(root, "src/main.ts"), main);
  return join(root, "bin/postern.js");
}

/** How a Node without `process.execve` is made of one that has it. */
const withoutExecve = ["--import", "data:text/javascript,delete process.execve"];

describe.each([
  { how: "becoming the program", flags: [] },
  { how: "with the program as its child", flags: withoutExecve },
])("bin/postern.js, $how", ({ flags }) => {
  function launch(main: string, args: readonly string[] = []): ChildProcess {
    const stdio = ["ignore", "pipe", "inherit"] as const;
    return spawn(process.execPath, [...flags, checkout(main), ...args], { stdio: [...stdio] });
  }

  it("passes arguments, output and the exit status on", async () => {
    const child = launch("console.log(process.argv.slice(2).join()); process.exitCode = 7", [
      "a b",
    ]);
    let text = "";
    child.stdout?.on("data", (chunk) => {
      text += chunk;
    });
    expect(await once(child, "close")).toEqual([7, null]);
    expect(text).toBe("a b\n");
  });

  it("runs the bundled Node, whatever runs the launcher", async () => {
    const child = launch("console.log(process.version)");
    const [version] = await once(child.stdout!, "data");
    const bundled = join(projectRoot, "node_modules/node/bin/node");
    expect(String(version)).toBe(execFileSync(bundled, ["--version"], { encoding: "utf8" }));
    await once(child, "close");
  });

  it.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)("hands %s on and waits", async (signal) => {
    const child = launch(
      `setInterval(() => {}, 1_000);
       process.on("${signal}", () => { console.log("stopping"); process.exit(3); });
       console.log("up");`,
    );
    await once(child.stdout!, "data");
    child.kill(signal);
    const [said] = await once(child.stdout!, "data");
    expect(String(said)).toBe("stopping\n");
    expect(await once(child, "close")).toEqual([3, null]);
  });

  it("bounds the heap of a server, and of nothing else", async () => {
    const heapLimit = async (...args: string[]) => {
      const main =
        'import { getHeapStatistics } from "node:v8"; console.log(getHeapStatistics().heap_size_limit)';
      const child = launch(main, args);
      const [text] = await once(child.stdout!, "data");
      await once(child, "close");
      return Number(text);
    };
    expect(await heapLimit("serve")).toBeLessThan(700 * 2 ** 20);
    expect(await heapLimit("check")).toBeGreaterThan(700 * 2 ** 20);
  });

  it("tells what ended the program as a shell would", async () => {
    const child = launch('process.kill(process.pid, "SIGKILL"); setInterval(() => {}, 1_000)');
    const [status, signal] = await once(child, "close");
    expect(status ?? signal).toBe(flags.length === 0 ? "SIGKILL" : 137);
  });
});
