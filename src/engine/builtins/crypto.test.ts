import { describe, expect, it } from "vitest";
import { callsOf, disagreements } from "../../../test/support/builtin-oracle.ts";
import { cryptoBuiltins } from "./crypto.ts";

describe("cryptoBuiltins", () => {
  it("agrees with OPA", () => {
    const calls = [
      ...callsOf("crypto.md5", '"é"', '""', "1"),
      ...callsOf("crypto.sha1", '"é"', '""', "1"),
      ...callsOf("crypto.sha256", '"é"', '""', "1"),
      ...callsOf("crypto.hmac.md5", '"é","k"', '"",""', '1,"k"'),
      ...callsOf("crypto.hmac.sha1", '"é","k"', '"",""', '1,"k"'),
      ...callsOf("crypto.hmac.sha256", '"é","k"', '"",""', '1,"k"'),
      ...callsOf("crypto.hmac.sha512", '"é","k"', '"",""', '1,"k"'),
      ...callsOf("crypto.hmac.equal", '"a","a"', '"a","b"', '"a","ab"', '1,"a"'),
    ];
    expect(disagreements(cryptoBuiltins, calls)).toEqual([]);
  });
});
