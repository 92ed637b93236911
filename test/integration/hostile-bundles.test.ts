// Bad bundles in the folder of the real process: refused by stage, while the old revision serves.
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Header } from "tar-stream";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { MiB } from "../../src/base/sizes.ts";
import type { BundleStatus } from "../../src/bundle/bundle-status.ts";
import { type CheckResponse, DecisionService } from "../../src/grpc/gen/postern/v1/decision_pb.js";
import {
  edited,
  flipped,
  goodBundle,
  goodTar,
  patientBomb,
  tarEndBytes,
  withEntries,
} from "../support/altered-bundle.ts";
import type { TarEntry } from "../support/bundle-files.ts";
import { type BundleFolder, bundleFolderOf, soon } from "../support/bundle-folder.ts";
import { granted, type HostileServer, startHostileServer } from "../support/hostile-server.ts";

const refused = { ...granted, action: { name: "configure" }, resource: { type: "admin" } };

const deepArray = "[".repeat(9_999) + "]".repeat(9_999);

let server: HostileServer;
let folder: BundleFolder;
/** A name that no file has, for entries that lead out of the bundle. */
let escaped: string;
let filesBefore: readonly string[];
let openFilesBefore: number;

beforeAll(async () => {
  server = await startHostileServer();
  folder = bundleFolderOf(server);
  escaped = `${basename(server.workspace.folder)}-escaped`;
  filesBefore = files();
  openFilesBefore = await openFiles();
});
afterEach(async () => {
  await server.expectUnharmed();
  await expect.poll(files, soon).toEqual(filesBefore);
  const copy = join(server.workspace.folder, "state/bundles/platform.tar.gz");
  await expect.poll(() => goodBundle.equals(readFileSync(copy)), soon).toBe(true);
  expect(existsSync(join(tmpdir(), escaped))).toBe(false);
});
afterAll(() => server.close());

describe("a bundle that is damaged", () => {
  it.each<[string, () => Uint8Array, RegExp]>([
    ["empty", () => Buffer.alloc(0), /ends early/],
    ["no gzip", () => Buffer.from("not a bundle"), /not gzip/],
    ["half of one", () => goodBundle.subarray(0, goodBundle.length >> 1), /ends early|damaged/],
    ["short of one byte", () => goodBundle.subarray(0, -1), /ends early/],
    ["one byte too long", () => Buffer.concat([goodBundle, Buffer.alloc(1)]), /1 bytes follow/],
    ["two in one file", () => Buffer.concat([goodBundle, goodBundle]), /bytes follow/],
    ["flipped in the first byte", () => flipped(goodBundle, 0), /not gzip/],
    [
      "flipped in the middle",
      () => flipped(goodBundle, goodBundle.length >> 1),
      /damaged|checksum/,
    ],
    [
      "flipped in the checksum",
      () => flipped(goodBundle, goodBundle.length - 8),
      /checksum is wrong/,
    ],
    ["flipped in the length", () => flipped(goodBundle, goodBundle.length - 1), /length is wrong/],
    ["a tar with a flipped header", () => gzipSync(flipped(goodTar, 0)), /tar is damaged/],
    ["a tar cut in a file", () => gzipSync(goodTar.subarray(0, 20_000)), /damaged|ends early/],
    ["a tar without its end", () => gzipSync(goodTar.subarray(0, -tarEndBytes)), /ends early/],
    ["a tar with more after its end", () => gzipSync(Buffer.concat([goodTar, goodTar])), /after/],
    ["a bomb", () => gzipSync(Buffer.alloc(64 * MiB)), /inflation_ratio_max/],
    ["a patient bomb", patientBomb, /inflated_bytes_max/],
  ])("refuses one that is %s", async (_, bytes, error) => {
    await folder.refuses(bytes(), { stage: "container", error });
  });
});

describe("a bundle with an entry too many", () => {
  it.each<[string, Header["type"], string, RegExp]>([
    ["leads out of it", "file", "../../$", /not a plain relative name/],
    ["leads out of it from inside", "file", "/a/../../../$", /not a plain relative name/],
    ["is absolute twice over", "file", `/${tmpdir()}/$`, /not a plain relative name/],
    ["leads out of it by backslashes", "file", "..\\..\\$", /not a plain relative name/],
    ["is a folder outside of it", "directory", "../../$", /not a plain relative name/],
    ["is a symbolic link", "symlink", "/a", /neither a regular file/],
    ["is a hard link", "link", "/a", /neither a regular file/],
    ["is a FIFO", "fifo", "/a", /neither a regular file/],
    ["is a character device", "character-device", "/a", /neither a regular file/],
    ["is there twice", "file", "/policy.wasm", /is there twice/],
    ["is there twice, upper case aside", "file", "/POLICY.WASM", /is there twice/],
  ])("refuses one that %s", async (_, type, name, error) => {
    const header = { name: name.replace("$", escaped), type, linkname: "/etc/passwd" };
    await folder.refuses(await withEntries([header]), { stage: "container", error });
  });

  it("refuses one of ten thousand and one", async () => {
    const entries = Array.from({ length: 9_997 }, (_, index): TarEntry => [{ name: `/${index}` }]);
    await folder.refuses(await withEntries(...entries), {
      stage: "container",
      error: /entries_max/,
    });
  });
});

describe("a bundle that is whole and wrong", () => {
  it.each<[string, BundleStatus["stage"], TarEntry, RegExp]>([
    ["signed", "signature", [{ name: "/.signatures.json" }, '{"signatures":[]}'], /signed/],
    ["a patch", "manifest", [{ name: "/patch.json" }, '{"data":[]}'], /delta bundle/],
    ["of two manifests", "manifest", [{ name: "/a/.manifest" }, "{}"], /second manifest/],
    ["of two modules", "policy", [{ name: "/a/policy.wasm" }, "x"], /second wasm module/],
    ["with others' data", "data", [{ name: "/gateway/data.json" }, "{}"], /roots/],
    ["with the host's data", "data", [{ name: "/postern/data.json" }, "{}"], /belongs to Postern/],
    ["with data for __proto__", "data", [{ name: "/__proto__/data.json" }, "{}"], /roots/],
    ["with data cut short", "data", [{ name: "/platform/a/data.json" }, '{"a":'], /JSON/],
    ["with deep data", "data", [{ name: "/platform/a/data.json" }, deepArray], /deep/],
  ])("refuses one that is %s", async (_, stage, entry, error) => {
    await folder.refuses(await withEntries(entry), { stage, error });
  });

  it.each<[string, BundleStatus["stage"], string, string, RegExp]>([
    ["no JSON as manifest", "manifest", '{"revision":', '["revision":', /JSON/],
    ["a number as root", "manifest", '["platform"]', "[1234567890]", /roots\[0\]/],
    ["another's root", "manifest", '["platform"]', '["gateways"]', /outside/],
    ["no such module", "policy", '"/policy.wasm"', '"/absent.wasm"', /absent\.wasm/],
    ["no such entrypoint", "entrypoints", 'decision","module', 'decisiom","module', /decisiom/],
    ["no wasm", "policy", "\0asm", "\0elf", /wasm|WebAssembly/],
  ])("refuses one with %s", async (_, stage, from, to, error) => {
    await folder.refuses(edited(from, to), { stage, error });
  });
});

describe("what is no bundle file", () => {
  it.each<[string, (path: string) => void, BundleStatus["stage"], RegExp]>([
    ["a folder", (path) => mkdirSync(path), "read", /not a regular file/],
    ["a FIFO", (path) => execFileSync("mkfifo", [path]), "read", /not a regular file/],
    ["a link to a device", (path) => symlinkSync("/dev/zero", path), "read", /not a regular file/],
    ["a link to itself", (path) => symlinkSync(basename(path), path), "read", /ELOOP/],
    ["a link to a file of others", (path) => symlinkSync("/etc/passwd", path), "container", /gzip/],
    ["a file of more than 64 MiB", writeLarge, "read", /compressed_bytes_max/],
  ])("refuses %s in its place", async (_, make, stage, error) => {
    const replace = (): void => {
      rmSync(folder.target, { recursive: true, force: true });
      make(folder.target);
    };
    await folder.refuses(replace, { stage, error });
    rmSync(folder.target, { recursive: true });
    await folder.restore();
  });

  it("keeps serving when the file becomes a link to nowhere", async () => {
    rmSync(folder.target);
    symlinkSync("nowhere", folder.target);
    await expect.poll(stateOf("platform"), soon).toBe("active (file deleted)");
    rmSync(folder.target);
    await folder.restore();
  });

  it("refuses every name that is none of an application, and forgets it with the file", async () => {
    const names = ["UPPER", "__proto__", "toString", "a b", "é", "-x", "a".repeat(64), "x\ny", "*"];
    const known = (await folder.list()).length;
    for (const name of names) writeFileSync(join(folder.path, `${name}.tar.gz`), goodBundle);
    for (const name of names) {
      await expect.poll(stateOf(name), soon).toBe("failed");
      const { stage, error, revision } = (await folder.statusOf(name))!;
      expect({ stage, revision }).toEqual({ stage: "read", revision: undefined });
      expect(error).toMatch(/^file name: .* is not valid; expected an application name/);
    }
    for (const name of names) rmSync(join(folder.path, `${name}.tar.gz`));
    await expect.poll(folder.list, soon).toHaveLength(known);
  });
});

describe("a reload during a flood of checks", () => {
  it("answers each by the revision before or the one after, and never goes back", async () => {
    const { revision: original } = (await folder.statusOf("platform"))!;
    const revisions = [original!, "feed00000001", "feed00000002", original!];
    let dropped = 0;
    let reached = 0;
    const answers = new Array<number>(revisions.length).fill(0);
    const flood = new AbortController();

    /** Which of the revisions it is; those before `from` were not in force any more. */
    function note(revision: string, from: number): void {
      const index = revisions.indexOf(revision, from);
      expect(index, `${revision} after ${revisions[from]}`).toBeGreaterThanOrEqual(from);
      expect(index, `${revision} before it was there`).toBeLessThanOrEqual(dropped);
      answers[index]! += 1;
      reached = Math.max(reached, index);
    }

    async function ask(): Promise<void> {
      while (!flood.signal.aborted) {
        const from = reached;
        const allow = await server.check(granted);
        expect(allow.allowed).toBe(true);
        note(allow.revision, from);
        const deny = await server.check(refused);
        expect(deny.allowed).toBe(false);
      }
    }

    async function askBatches(): Promise<void> {
      while (!flood.signal.aborted) {
        const from = reached;
        const items = [...new Array(20).fill({}), { action: refused.action }];
        const batch = { defaults: granted, items };
        const { results } = await server.client.call(DecisionService.method.checkBatch, batch);
        const decisions = results.map(({ answer }) => answer.value as CheckResponse);
        expect(decisions.map(({ allowed }) => allowed)).toEqual([...Array(20).fill(true), false]);
        const given = new Set(decisions.map(({ revision }) => revision));
        expect(given.size).toBe(1);
        note([...given][0]!, from);
      }
    }

    async function reload(): Promise<void> {
      for (const revision of revisions.slice(1, -1)) {
        dropped += 1;
        writeFileSync(folder.target, edited(original!, revision));
        await expect.poll(() => reached, soon).toBe(dropped);
        await folder.refuses(goodBundle.subarray(0, -dropped), {
          stage: "container",
          error: /ends early/,
        });
      }
      dropped += 1;
      await folder.restore();
      await expect.poll(() => reached, soon).toBe(dropped);
      flood.abort();
    }

    const callers = [...Array.from({ length: 16 }, ask), askBatches()];
    try {
      await Promise.all([reload(), ...callers]);
    } finally {
      flood.abort();
    }
    for (const count of answers) expect(count).toBeGreaterThan(10);
  });
});

describe("after all of it", () => {
  it("tells an operator what was refused, and why", async () => {
    await folder.refuses(goodBundle.subarray(0, -1), { stage: "container", error: /ends early/ });
    const { status, stdout } = await server.workspace.postern("bundle", "list");
    expect(status).toBe(1);
    expect(stdout).toMatch(/^platform +active \(update refused\)/m);
    expect(stdout).toContain("refused at container: the gzip data ends early");
  });

  it("takes a good bundle, and has kept none of the others open", async () => {
    await folder.restore();
    // Connections of this test are among them.
    await expect.poll(openFiles, soon).toBeLessThan(openFilesBefore + 4);
  });
});

/** A file that has a size and no content. */
function writeLarge(path: string): void {
  writeFileSync(path, "");
  truncateSync(path, 64 * MiB + 1);
}

const stateOf = (name: string) => async () => (await folder.statusOf(name))?.state;

/** All files of the workspace. */
function files(): string[] {
  return readdirSync(server.workspace.folder, { recursive: true }).map(String).sort();
}

/** File descriptors of the server; zero where the system does not tell. */
async function openFiles(): Promise<number> {
  const metrics = await (await fetch(`${server.process.diagnostics}/metrics`)).text();
  return Number(/^process_open_fds (\d+)$/m.exec(metrics)?.[1] ?? 0);
}
