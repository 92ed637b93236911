// The whole check: tools, lint, types, generated files, then every test with coverage. Continues
// after a failure, so that one run shows all that is wrong; ends with the tests' own summary.
//   node test/run.ts [vitest arguments]
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { opaVersionOn } from "./support/opa-version.ts";

const OPA_VERSION = "1.22.2";
const OPA = `github.com/open-policy-agent/opa@v${OPA_VERSION}`;

const root = join(import.meta.dirname, "..");
const toolsBin = join(root, "node_modules", ".cache", "tools");
const environment = {
  ...process.env,
  // The project's own Node and tools come first, whatever the machine has; where Go's installers
  // put it, and where it puts its tools, comes last, since shells are seldom told.
  PATH: [
    join(root, "node_modules", ".bin"),
    toolsBin,
    process.env["PATH"],
    "/usr/local/go/bin",
    join(homedir(), "go", "bin"),
  ].join(delimiter),
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

/**
 * The real compiler is the oracle of half the tests: without it the run fails, it doesn't skip.
 * Another version would be another oracle.
 */
function installOpa(): void {
  const version = opaVersionOn(environment.PATH);
  if (version === OPA_VERSION) return;
  const found = version === undefined ? "" : ` (there is ${version})`;
  if (!onPath("go")) {
    process.stderr.write(
      `The tests need the OPA compiler, version ${OPA_VERSION}${found}. Install Go 1.26 or newer, ` +
        `with which this run builds it, or put opa ${OPA_VERSION} on the PATH.\n`,
    );
    process.exit(2);
  }
  process.stdout.write(
    `== tools: building opa ${OPA_VERSION}${found} with Go, once (about two minutes) …\n`,
  );
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
