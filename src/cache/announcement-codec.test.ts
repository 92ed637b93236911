import { describe, expect, it } from "vitest";
import { type ChangeHead, createAnnouncementCodec } from "./announcement-codec.ts";
import { createSeal } from "./seal.ts";

const codec = createAnnouncementCodec(createSeal("a key of the operator's"));
const stranger = createAnnouncementCodec(createSeal(undefined));
const incarnation = "0123456789abcdef";
const head: ChangeHead = { incarnation, generation: 12, all: 3, isPurge: false };
const published = { change: { generation: 12, subjects: ["user-1", "12:3", ""] }, after: 11 };

/** As Redis gives them: incarnation, generation, all, purge, seal. */
function headFields(sealed: ChangeHead, altered: Record<string, string> = {}, by = codec) {
  const { generation, all, isPurge } = sealed;
  const fields = {
    ...{ incarnation: sealed.incarnation, generation: `${generation}`, all: `${all}` },
    ...{ purge: isPurge ? "purge" : "none", ...altered },
  };
  return [...Object.values(fields).map((field) => Buffer.from(field)), by.sealHead(sealed)];
}

/** As Redis gives it: its id, then names and values by turns. */
function entry(altered: Record<string, string> = {}, by = codec) {
  const { id, ...fields } = {
    ...{ id: "12-0", prev: "11", subjects: codec.subjectsText(published.change), ...altered },
  };
  const seal = by.sealEntry(incarnation, published);
  const named = Object.entries(fields).flatMap((pair) => pair.map((text) => Buffer.from(text)));
  return [Buffer.from(id), [...named, Buffer.from("seal"), seal]];
}

describe("createAnnouncementCodec()", () => {
  it("reads a head that it has sealed", () => {
    expect(codec.readHead(headFields(head))).toEqual(head);
    const purged = { ...head, isPurge: true };
    expect(codec.readHead(headFields(purged))).toEqual(purged);
  });

  it.each<[string, Record<string, string>]>([
    ["another incarnation", { incarnation: "fedcba9876543210" }],
    ["another generation", { generation: "11" }],
    ["a lower change of everything", { all: "2" }],
    ["a purge", { purge: "purge" }],
    ["no number", { generation: "12.0" }],
    ["a number past what is exact", { generation: "9007199254740993" }],
  ])("does not read a head with %s in place of what was sealed", (_, altered) => {
    expect(codec.readHead(headFields(head, altered))).toBeUndefined();
  });

  it("does not read a head whose incarnation could be part of another key's name", () => {
    const odd = { ...head, incarnation: "0123456789abcde}" };
    expect(codec.readHead(headFields(odd))).toBeUndefined();
  });

  it("does not read what somebody without the key has sealed", () => {
    expect(codec.readHead(headFields(head, {}, stranger))).toBeUndefined();
    expect(codec.readEntry(incarnation, entry({}, stranger))).toBeUndefined();
  });

  it("reads an entry that it has sealed", () => {
    expect(codec.readEntry(incarnation, entry())).toEqual(published);
  });

  it.each<[string, Record<string, string>]>([
    ["another generation", { id: "13-0" }],
    ["an id of Redis's own", { id: "12-1" }],
    ["another change before it", { prev: "10" }],
    ["no change before it", { prev: "" }],
    ["other subjects", { subjects: "6:user-24:12:30:" }],
    ["everything", { subjects: "*" }],
    ["a subject cut off", { subjects: "6:user-1" }],
    ["a subject longer than the text", { subjects: "9:user-1" }],
    ["no length of a subject", { subjects: "user-1" }],
    ["a length that is no number", { subjects: "-1:user-1" }],
  ])("does not read an entry with %s in place of what was sealed", (_, altered) => {
    expect(codec.readEntry(incarnation, entry(altered))).toBeUndefined();
  });

  it("does not read an entry of another incarnation", () => {
    expect(codec.readEntry("fedcba9876543210", entry())).toBeUndefined();
  });

  it("does not read an entry without a field", () => {
    const [id, fields] = entry() as [Buffer, Buffer[]];
    for (const at of [0, 2, 4]) {
      const rest = fields.toSpliced(at, 2);
      expect(codec.readEntry(incarnation, [id, rest])).toBeUndefined();
    }
  });
});
