import { describe, expect, it } from "vitest";
import { memberOf, type NameKind } from "./member-of.ts";

const read = (names: readonly string[], name: string, kind: NameKind) => {
  const object = Object.fromEntries(names.map((key) => [key, "x"]));
  const member = memberOf(object, name, kind);
  return member === undefined || member === "unclear" ? member : "found";
};
const long = "\u0301\u0323".repeat(129);

describe("memberOf()", () => {
  it.each<[NameKind, string]>([
    ...["Owner_Id", "owner.id", "owner id", "owner[id", " owner_id", "\towner_id"].map(inForms),
    ...["owner_id\0x", "owner_id[]", "owner_id[a]", "owner.id[a]", "owner_id.a", "owner_id ["].map(
      inForms,
    ),
    ...[
      "[owner_id]",
      "[[owner_id",
      "[owner_id][a]",
      "!owner_id",
      "_owner_id",
      "ownerId",
      "\ufeffowner_id",
    ].map(inForms),
    ...["OWNER.ID[x", long].map(inForms),
    ...["ownerId", "Owner_ID", "_owner_id", "owner\uff3fid", "owner_!id", long].map(inJson),
    ["metadata", "OWNER_id"],
  ])("does not know, in %s, what owner_id is where there is %j", (kind, other) => {
    expect(read([other], "owner_id", kind)).toBe("unclear");
    expect(read(["owner_id", other], "owner_id", kind)).toBe("unclear");
  });

  it.each<[NameKind, string]>([
    ...["owner", "owner_id_x", "owner-id", "x[owner_id]", "x.owner_id", "owner_idx"].map(inForms),
    ...["owner", "owner.id", "owner id", "owner_id[]", "owner-id", " owner_id"].map(inJson),
    ["metadata", "ownerId"],
  ])("tells, in %s, owner_id from %j", (kind, other) => {
    expect(read([other], "owner_id", kind)).toBeUndefined();
    expect(read(["owner_id", other], "owner_id", kind)).toBe("found");
  });

  it("takes what PHP makes of dots and of a bracket that is not closed for a name", () => {
    expect(read(["a.b[c"], "a_b_c", "form")).toBe("unclear");
    expect(read(["a.b[c"], "a_b_c", "json")).toBeUndefined();
  });

  it("finds a name that can't be compared where it is alone", () => {
    expect(read([long], long, "json")).toBe("found");
    expect(read([long, `${long}a`], long, "json")).toBe("unclear");
    expect(read(["a"], long, "json")).toBeUndefined();
  });
});

function inForms(name: string): [NameKind, string] {
  return ["form", name];
}

function inJson(name: string): [NameKind, string] {
  return ["json", name];
}
