import { describe, expect, it } from "vitest";
import { partsRead } from "./parts-read.ts";

describe("partsRead()", () => {
  it("takes everything for read where nothing is known", () => {
    const reads = partsRead(undefined);
    expect(reads).toMatchObject({ resourceId: true, request: true, time: undefined });
    expect(reads.properties.has("x")).toBe(true);
    expect(reads.context?.has("x")).toBe(true);
  });

  it("takes nothing for read where nothing is", () => {
    const reads = partsRead([]);
    expect(reads).toMatchObject({ resourceId: false, request: false, context: undefined });
    expect(reads.properties.has("x")).toBe(false);
  });

  it("takes whole parts and parts of them for read", () => {
    const reads = partsRead(["request.context", "resource_id", "resource_owner.name"]);
    expect(reads).toMatchObject({ resourceId: true, request: true, context: undefined });
    expect(reads.properties.has("owner")).toBe(true);
    expect(reads.properties.has("owner.name")).toBe(false);
  });

  it.each([
    [["context"], true, undefined],
    [["context", "context.time.hour"], true, undefined],
    [["context.time"], false, undefined],
    [["context.time", "context.time.hour"], false, undefined],
    [["context.time.hour", "context.time.minute"], false, ["hour", "minute"]],
  ])("finds in %s how much of the context and its time is read", (paths, hasMfa, time) => {
    const reads = partsRead(paths);
    expect(reads.context?.has("time")).toBe(true);
    expect(reads.context?.has("mfa")).toBe(hasMfa);
    expect(reads.time).toEqual(time);
  });

  it("tells names apart that begin alike", () => {
    const reads = partsRead(["contexts", "requests", "context.times.hour", "resource_ids"]);
    expect(reads).toMatchObject({ request: false, resourceId: false });
    expect(reads.context?.has("time")).toBe(false);
    expect(partsRead(["contexts"]).context).toBeUndefined();
  });
});
