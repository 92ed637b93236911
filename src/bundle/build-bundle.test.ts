import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type BundleSources, bundleOptions } from "../../test/support/bundle-files.ts";
import { type BundleBuild, buildBundle } from "./build-bundle.ts";
import { moduleDigest } from "./manifest.ts";
import { readBundle } from "./read-bundle.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "postern-build-test-"));
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

async function build(files: BundleSources, changes: Partial<BundleBuild> = {}) {
  const source = join(folder, "source");
  await rm(source, { recursive: true, force: true });
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(source, name)), { recursive: true });
    await writeFile(join(source, name), text);
  }
  return buildBundle({ source, output: join(folder, "out", "authz.tar.gz"), ...changes });
}

async function read(path: string) {
  return readBundle(await readFile(path), bundleOptions());
}

const refusal = (message: string) =>
  expect.objectContaining({
    name: "BundleBuildError",
    message: expect.stringContaining(message),
  });

const module = 'package authz\n\ndecision := {"allow": input.x == 1}\n';

describe("buildBundle()", () => {
  it("refuses a folder without Rego", async () => {
    await expect(build({ "data.json": "{}" })).rejects.toEqual(refusal("no Rego module"));
    await expect(build({ "a_test.rego": module })).rejects.toEqual(refusal("no Rego module"));
  });

  it("passes on what opa says about wrong Rego, and leaves no file", async () => {
    await expect(build({ "a.rego": "package authz\n\nallow { true }\n" })).rejects.toEqual(
      refusal("a.rego:3: rego_parse_error: `if` keyword is required"),
    );
    expect(await readdir(folder)).toEqual(["source"]);
  });

  it("says how to install opa where it is missing", async () => {
    vi.stubEnv("PATH", folder);
    const built = build({ "a.rego": module }, { toolsFolder: folder });
    await expect(built).rejects.toEqual(
      refusal("`npm test` builds it there; or install it with `go"),
    );
  });

  it("takes the opa of the checkout's tools where none is on the PATH", async () => {
    vi.stubEnv("PATH", folder);
    const toolsFolder = join(folder, "tools");
    await mkdir(toolsFolder);
    const script = '#!/bin/sh\necho "asked to $1"; exit 1\n';
    await writeFile(join(toolsFolder, "opa"), script, { mode: 0o755 });
    const built = build({ "a.rego": module }, { toolsFolder });
    await expect(built).rejects.toEqual(refusal("opa build refuses it:\nasked to build"));
  });

  it("refuses to choose between packages that decide", async () => {
    const files = { "a.rego": module, "b.rego": module.replace("authz", "other") };
    await expect(build(files)).rejects.toEqual(refusal("authz/decision and other/decision"));
    await expect(build({ "a.rego": "package a\n\nx := 1\n" })).rejects.toEqual(
      refusal("no package defines decision or allow"),
    );
  });

  it("refuses what a server would refuse", async () => {
    const files = { "a.rego": "package a\n\nallow if input.x\n\ndeny if input.y\n" };
    await expect(build(files, { entrypoint: "a/allow" })).rejects.toEqual(
      refusal('its Rego defines "a/deny"'),
    );
    await expect(
      build({ ...files, "data.json": '{"postern":1}' }, { entrypoint: "a" }),
    ).rejects.toEqual(refusal("data.postern belongs to Postern"));
    await expect(build({ ...files, "postern/cases.json": "{}" })).rejects.toEqual(
      refusal("cases is not a list"),
    );
  });

  it("takes the decision where there is one, else the whole package", async () => {
    const decision = await build({ "a.rego": module, "lib.rego": "package lib\n\nx := 1\n" });
    expect(decision.entrypoint).toBe("authz/decision");
    const whole = await build({ "a.rego": "package a.b\n\nallow if input.x\n\ndeny if input.y\n" });
    expect(whole.entrypoint).toBe("a/b");
  });

  it("keeps the manifest's own words, and data, and leaves out tests", async () => {
    const metadata = { postern: { arrays: true, catalogue: "platform" } };
    const { output, revision } = await build({
      "a.rego": module,
      "a_test.rego": "package authz_test\n\ntest_a if true\n",
      "data.json": '{"authz":{"id":12345678901234567890}}',
      ".manifest": JSON.stringify({ revision: "mine", roots: ["authz"], metadata }),
    });
    const { manifest, data, outlines } = await read(output);
    expect(revision).toBe("mine");
    expect(manifest).toMatchObject({
      revision: "mine",
      roots: ["authz"],
      postern: metadata.postern,
    });
    expect(data.text).toContain("12345678901234567890");
    expect(outlines.map((outline) => outline.package)).toEqual(["authz"]);
  });

  it("says what the policy reads of its input, and of which module that is true", async () => {
    const stale = { module: "0".repeat(64), paths: ["stale"] };
    const manifest = JSON.stringify({ metadata: { postern: { arrays: true, reads: stale } } });
    const part = await read((await build({ "a.rego": module, ".manifest": manifest })).output);
    expect(part.manifest.postern).toMatchObject({
      arrays: true,
      reads: { module: moduleDigest(part.wasm), paths: ["x"] },
    });
    const rego = "package authz\n\ndecision := input\n";
    const whole = await read((await build({ "a.rego": rego, ".manifest": manifest })).output);
    expect(whole.manifest.postern).toMatchObject({ arrays: true, reads: undefined });
  });

  it("finds what all entrypoints read", async () => {
    const rego = "package a\n\nallow if input.x\n\ndeny if b.c\n\nb.c if input.y.z\n";
    const { manifest } = await read((await build({ "a.rego": rego })).output);
    expect(manifest.entrypoints.length).toBeGreaterThan(1);
    expect(manifest.postern.reads?.paths).toEqual(["x", "y.z"]);
  });

  it("puts the cases in", async () => {
    const cases = { cases: [{ name: "one", input: { x: 1 }, allow: true }] };
    const files = { "a.rego": module, "postern/cases.json": JSON.stringify(cases) };
    const { output } = await build(files);
    expect((await read(output)).cases).toEqual(cases.cases);
    const first = await readFile(output);
    await build(files);
    expect(first.equals(await readFile(output))).toBe(true);
  });

  it("gives the same bytes and revision wherever the sources stand, others when they change", async () => {
    const first = await build({ "a.rego": module });
    const bytes = await readFile(first.output);
    const elsewhere = folder;
    folder = await mkdtemp(join(tmpdir(), "postern-build-test-"));
    const second = await build({ "a.rego": module, "a_test.rego": "package t\n" });
    expect(bytes.equals(await readFile(second.output))).toBe(true);
    const third = await build({ "a.rego": module.replace("1", "2") });
    expect(third.revision).not.toBe(first.revision);
    await rm(elsewhere, { recursive: true });
  });

  it("builds v0 Rego when told so", async () => {
    const built = await build({ "a.rego": "package a\nallow { input.x }\n" }, { isV0: true });
    expect(built.entrypoint).toBe("a");
  });

  it("takes a revision that is given", async () => {
    expect((await build({ "a.rego": module }, { revision: "r7" })).revision).toBe("r7");
  });
});
