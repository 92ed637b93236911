// The whole check: tools, lint, types, generated files, then every test with coverage. Continues
// after a failure, so that one run shows all that is wrong; ends with the tests' own summary.
//   node test/run.ts [vitest arguments]
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { delimiter, join } from "node:path";

const OPA = "github.com/open-policy-agent/opa@v1.22.2";

const root = join(import.meta.dirname, "..");
const toolsBin = join(root, "node_modules", ".cache", "tools");
const environment = {
  ...process.env,
  // The project's own Node and tools come first, whatever the machine has.
  PATH: [join(root, "node_modules", ".bin"), toolsBin, process.env["PATH"]].join(delimiter),
};

let failures = 0;

installOpa();
step("lint", "biome", ["check", "--error-on-warnings", "."]);
step("types", "tsc", ["--noEmit"]);
step("tests", "vitest", ["run", "--coverage", ...process.argv.slice(2)]);
process.exit(failures === 0 ? 0 : 1);

function step(name: string, command: string, args: readonly string[]): void {
  process.stdout.write(`\n== ${name}: ${command} ${args.join(" ")}\n`);
  const started = performance.now();
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    env: environment,
    stdio: "inherit",
  });
  if (error) process.stdout.write(`${command}: ${error.message}\n`);
  if (status !== 0) failures += 1;
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const how = status === 0 ? "ok" : `FAILED (exit status ${status})`;
  // The tests' own summary stays the last thing on the page.
  if (name !== "tests") process.stdout.write(`== ${name}: ${how} in ${seconds} s\n`);
}

/** The real compiler is the oracle of half the tests: without it the run fails, it doesn't skip. */
function installOpa(): void {
  if (onPath("opa")) return;
  if (!onPath("go")) {
    process.stderr.write(
      `The tests need the OPA compiler. Install Go 1.26 or newer (this run then builds OPA itself), ` +
        `or put opa 1.22.2 on the PATH: go install ${OPA}\n`,
    );
    process.exit(2);
  }
  process.stdout.write("== tools: building opa with Go, once (about two minutes) …\n");
  mkdirSync(toolsBin, { recursive: true });
  const { status } = spawnSync("go", ["install", OPA], {
    cwd: root,
    env: { ...environment, GOBIN: toolsBin },
    stdio: "inherit",
  });
  if (status !== 0) {
    process.stderr.write(`"go install ${OPA}" failed; its own messages are above.\n`);
    process.exit(2);
  }
}

function onPath(command: string): boolean {
  return environment.PATH.split(delimiter).some((folder) => existsSync(join(folder, command)));
}
