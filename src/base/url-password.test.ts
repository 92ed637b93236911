import { describe, expect, it } from "vitest";
import { maskUrlPassword } from "./url-password.ts";

describe("maskUrlPassword()", () => {
  it.each([
    ["postgres://u:secret@h/db", "postgres://u:***@h/db"],
    ["rediss://:secret@h:6379/0", "rediss://:***@h:6379/0"],
    ["postgres://u:se/c@r:e?t@h/db", "postgres://u:***@h/db"],
    ["postgres://u:se\ncret@h/db", "postgres://u:***@h/db"],
    ["postgres://h/db?a=b&password=secret&c=d", "postgres://h/db?a=b&password=***&c=d"],
    ["postgres://u@h:5432/db", "postgres://u@h:5432/db"],
    ["sqlite:state/directory.db", "sqlite:state/directory.db"],
  ])("shows %j as %j", (url, shown) => {
    expect(maskUrlPassword(url)).toBe(shown);
  });
});
