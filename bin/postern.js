#!/usr/bin/env node
// Runs Postern with the Node that its packages bring, so that the machine's own may be older.
// Plain JavaScript of 2020 for that reason.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const executable = process.platform === "win32" ? "node.exe" : "node";
const candidates = [
  // Beside our own packages, or beside us where we are a package ourselves.
  join(root, "node_modules", "node", "bin", executable),
  join(root, "..", "node", "bin", executable),
];
const node = candidates.find((path) => existsSync(path)) || ownIfRecent();
if (node === undefined) {
  process.stderr.write(
    `postern: Node 26 is missing; run "npm ci" in ${root} (this is Node ${process.versions.node})\n`,
  );
  process.exit(2);
}

const args = [...heapFlags(), join(root, "src", "main.ts"), ...process.argv.slice(2)];
const env = {
  // Halves the start of a command (0.75 s of CPU instead of 1.4 s) and saves 20 MB. Node ignores a
  // folder that it can't write to, and looks at the sources' content before it uses what is there.
  NODE_COMPILE_CACHE: join(root, "node_modules", ".cache", "compiled"),
  ...process.env,
};
// Becoming the program leaves nothing in between. A Node that can't stays, and passes things on.
if (process.execve) process.execve(node, [node, ...args], env);
else runAsChild();

function runAsChild() {
  const child = spawn(node, args, { stdio: "inherit", env });
  // A terminal sends its signals to both of us; a supervisor only to this process.
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) {
    process.on(signal, () => child.kill(signal));
  }
  child.on("error", (error) => {
    process.stderr.write(`postern: can't run ${node}: ${error.message}\n`);
    process.exit(2);
  });
  child.on("exit", (status, signal) => {
    // What ended the child is told as a shell would tell it.
    process.exit(signal === null ? status : 128 + constants.signals[signal]);
  });
}

/**
 * Limits for a server, which lives for months. Left to itself V8 lets garbage pile up in proportion
 * to the machine's memory: 545 MB resident where these make it 300, at the same speed. Whoever
 * needs more, for a larger `cache.bytes_max`, says so in NODE_OPTIONS.
 */
function heapFlags() {
  const isLimited = /--max-old-space-size/.test(process.env.NODE_OPTIONS || "");
  if (process.argv[2] !== "serve" || isLimited) return [];
  return ["--max-old-space-size=512", "--max-semi-space-size=8"];
}

/** The Node that runs this file, if it can run the sources and has `Temporal`. */
function ownIfRecent() {
  return Number(process.versions.node.split(".")[0]) >= 26 ? process.execPath : undefined;
}
