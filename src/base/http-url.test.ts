import { describe, expect, it } from "vitest";
import { checkHttpUrl } from "./http-url.ts";

describe("checkHttpUrl()", () => {
  it.each(["http://127.0.0.1:4318/v1/traces", "https://otel.example/v1/traces?tenant=a"])(
    "takes %s",
    (text) => {
      expect(() => checkHttpUrl(text)).not.toThrow();
    },
  );

  it.each([
    ["localhost:4318", "is no HTTP URL; expected http://"],
    ["grpc://localhost:4317", "is no HTTP URL"],
    ["http://", "is no HTTP URL"],
    ["http://user:hunter2@h/", "has a user or a password; expected them in a header"],
    ["http://h/#a", "has a fragment"],
  ])("refuses %s, and shows no password", (text, message) => {
    expect(() => checkHttpUrl(text)).toThrow(message);
    expect(() => checkHttpUrl(text)).not.toThrow(/hunter2/);
  });
});
