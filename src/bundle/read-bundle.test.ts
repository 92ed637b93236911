import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { bundleOf, bundleOptions, manifestOf, tarOf } from "../../test/support/bundle-files.ts";
import { readBundle } from "./read-bundle.ts";

const refusal = (stage: string, message: string) =>
  expect.objectContaining({ stage, message: expect.stringContaining(message) });

async function read(files: Record<string, string>, options = bundleOptions()) {
  return readBundle(await bundleOf(files), options);
}

describe("readBundle()", () => {
  it.each([
    ["signature", { ".signatures.json": '{"signatures":["x"]}' }, "no key"],
    ["signature", { "a/.signatures.json": "{}" }, "no key"],
    ["manifest", { "patch.json": '{"data":[]}' }, "delta bundle"],
    ["manifest", { "a/.manifest": "{}" }, "second manifest"],
    ["manifest", { ".manifest": "{" }, "not JSON"],
    ["manifest", { "a.rego": "package postern\nx := 1" }, "hide the host's data"],
    ["manifest", { "a.rego": "package postern.x\nx := 1" }, "hide the host's data"],
    [
      "manifest",
      { "a.rego": "package other\nx := 1", ".manifest": manifestOf({ roots: ["authz"] }) },
      'package "other" is outside of the roots',
    ],
    ["data", { "data.json": '{"postern":1}' }, "data.postern"],
    ["data", { "data.json": '{"authz":{"decision":{"allow":true}}}' }, "a rule both define"],
    [
      "data",
      { "data.json": '{"authz":{"x":1}}', "a.rego": "package authz\nx := 2" },
      "both define",
    ],
    ["policy", { "x/policy.wasm": "" }, "second wasm module"],
    [
      "policy",
      { ".manifest": manifestOf({ wasm: [{ entrypoint: "a/allow", module: "/x.wasm" }] }) },
      'no "x.wasm"; build it with `opa build -t wasm`',
    ],
    ["self-test", { "postern/cases.json": "[]" }, "cases is not a list"],
    ["self-test", { "postern/cases.json": '{"cases":[{"nam":"x"}]}' }, 'unknown key "nam"'],
    [
      "self-test",
      { "postern/cases.json": '{"cases":[{"name":"x","input":{},"allow":"yes"}]}' },
      "cases[0].allow is not true or false",
    ],
  ])("refuses at stage %s what has %j", async (stage, files, message) => {
    await expect(read(files as unknown as Record<string, string>)).rejects.toEqual(
      refusal(stage, message),
    );
  });

  it("refuses a file beyond the limit without reading it", async () => {
    const options = bundleOptions({ compressedBytesMax: 10 });
    await expect(read({}, options)).rejects.toEqual(refusal("read", "compressed_bytes_max"));
  });

  it("refuses a bundle without a wasm module", async () => {
    const bytes = new Uint8Array(gzipSync(await tarOf([[{ name: "/data.json" }, "{}"]])));
    await expect(readBundle(bytes, bundleOptions())).rejects.toEqual(
      refusal("policy", 'no "policy.wasm"'),
    );
  });

  it("reads what is there", async () => {
    const contents = await read({
      "a.rego": "package authz\nx := 1",
      "data.json": '{"n":1}',
      "README.md": "passed over",
      "postern/cases.json": '{"cases":[{"name":"x","input":{"a":1},"allow":false}]}',
    });
    expect(contents).toMatchObject({
      manifest: { revision: "r1", entrypoints: ["authz/decision"] },
      wasm: new Uint8Array(Buffer.from("wasm")),
      data: { text: '{"n":1}' },
      outlines: [{ package: "authz" }],
      cases: [{ name: "x", input: { a: 1 }, allow: false }],
    });
  });
});
