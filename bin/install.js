// Installs the locked packages when they are missing or the lock file has changed since, and does
// nothing otherwise. Plain JavaScript that any Node runs: the project's own Node comes with it.
//   node bin/install.js         what the server needs
//   node bin/install.js --dev   what the tests need besides
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const stampPath = join(root, "node_modules", ".postern-installed.json");
const dev = process.argv.includes("--dev");
const lock = createHash("sha256")
  .update(readFileSync(join(root, "package-lock.json")))
  .digest("hex");

if (!isInstalled()) install();

function isInstalled() {
  if (!existsSync(join(root, "node_modules", ".bin", "node")) || !existsSync(stampPath))
    return false;
  try {
    const stamp = JSON.parse(readFileSync(stampPath, "utf8"));
    return stamp.lock === lock && (stamp.dev || !dev);
  } catch {
    return false; // A stamp that was cut short says nothing; installing again is always right.
  }
}

function install() {
  process.stderr.write("Installing the locked packages (npm ci), once …\n");
  // Errors only: npm warns that the project's packages want a newer Node than the one that runs
  // npm, and it is this very step that brings it.
  const args = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];
  if (!dev) args.push("--omit=dev");
  const npm = spawnSync("npm", args, { cwd: root, stdio: ["ignore", 2, 2] });
  if (npm.status !== 0) {
    const cause = npm.error ? `: ${npm.error.message}` : "";
    process.stderr.write(`postern: "npm ci" failed${cause}; its own messages are above.\n`);
    process.exit(2);
  }
  writeFileSync(stampPath, JSON.stringify({ lock, dev }));
}
