import { describe, expect, it } from "vitest";
import { type TarEntry, tarOf } from "../../test/support/bundle-files.ts";
import { readArchive } from "./read-archive.ts";

const limits = { entriesMax: 5, entryBytesMax: 1_000 };

async function refusal(tar: Buffer | readonly TarEntry[]): Promise<string> {
  const bytes = Buffer.isBuffer(tar) ? tar : await tarOf(tar);
  return readArchive(bytes, limits).then(
    (files) => `accepted ${[...files.keys()]}`,
    (error: Error) => {
      expect(error).toMatchObject({ name: "BundleRefused", stage: "container" });
      return error.message;
    },
  );
}

describe("readArchive()", () => {
  it.each([
    "../data.json",
    "/../data.json",
    "a/../../data.json",
    "a/./data.json",
    "//data.json",
    "a//data.json",
    "..",
    "a\\..\\data.json",
    "a\nb",
    "",
  ])("refuses the name %j", async (name) => {
    expect(await refusal([[{ name }, "x"]])).toMatch(/not a plain relative name/);
  });

  it("refuses a NUL in an extended name", async () => {
    const tar = await tarOf([[{ name: "a.rego", pax: { path: "a.rego\0.txt" } }, "x"]]);
    expect(await refusal(tar)).toMatch("not a plain relative name");
  });

  it.each(["symlink", "link", "fifo", "character-device", "block-device"] as const)(
    "refuses a %s",
    async (type) => {
      const header = { name: "data.json", type, linkname: "/etc/passwd" };
      expect(await refusal([[header]])).toMatch("neither a regular file nor a directory");
    },
  );

  it.each([
    ["the same name", "data.json"],
    ["another case", "DATA.json"],
    ["a leading slash", "/data.json"],
    ["a leading dot", "./data.json"],
  ])("refuses a duplicate with %s", async (_, name) => {
    expect(
      await refusal([
        [{ name: "data.json" }, "1"],
        [{ name }, "2"],
      ]),
    ).toMatch("there twice");
  });

  it("refuses a size stated a second time", async () => {
    const lie = await tarOf([[{ name: "data.json", pax: { size: "3" } }, "123456"]]);
    expect(await refusal(lie)).toMatch(/extended header size|damaged/);
    const sparse = await tarOf([[{ name: "data.json", pax: { "GNU.sparse.size": "9" } }, "1"]]);
    expect(await refusal(sparse)).toMatch("extended header GNU.sparse.size");
  });

  it("refuses more entries than the limit", async () => {
    const entries = Array.from({ length: 6 }, (_, i): TarEntry => [{ name: `f${i}` }, ""]);
    expect(await refusal(entries)).toMatch("more than 5 entries (entries_max)");
  });

  it("refuses a file larger than the limit", async () => {
    expect(await refusal([[{ name: "a" }, "x".repeat(1_001)]])).toMatch("entry_bytes_max");
  });

  it("refuses an entry after the end of the archive", async () => {
    const one = await tarOf([[{ name: "a" }, "1"]]);
    expect(await refusal(Buffer.concat([one, await tarOf([[{ name: "b" }, "2"]])]))).toMatch(
      "after the end",
    );
  });

  it("refuses bytes after the end of the archive", async () => {
    const tar = await tarOf([[{ name: "a" }, "1"]]);
    expect(await refusal(Buffer.concat([tar, Buffer.from("x")]))).toMatch(/after|follow|damaged/);
  });

  it("refuses an archive without its end, wherever it is cut", async () => {
    const tar = await tarOf([
      [{ name: "a" }, "1"],
      [{ name: "b" }, "2"],
    ]);
    for (let length = 0; length < tar.length - 1; length += 256) {
      expect(await refusal(tar.subarray(0, length))).toMatch(/ends early|damaged/);
    }
  });

  it("refuses a wrong header checksum", async () => {
    const tar = await tarOf([[{ name: "a" }, "1"]]);
    tar[0]! ^= 1;
    expect(await refusal(tar)).toMatch("damaged");
  });

  it("reads files by path without the leading slash, and passes over directories", async () => {
    const tar = await tarOf([
      [{ name: "./", type: "directory" }],
      [{ name: "/a/", type: "directory" }],
      [{ name: "/a/data.json" }, "{}"],
      [{ name: "/.manifest" }, ""],
    ]);
    const files = await readArchive(tar, limits);
    expect([...files].map(([name, bytes]) => [name, bytes.toString()])).toEqual([
      ["a/data.json", "{}"],
      [".manifest", ""],
    ]);
  });
});
