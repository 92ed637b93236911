import { describe, expect, it } from "vitest";
import { builtinContext } from "../../../test/support/builtin-context.ts";
import { callsOf, disagreements } from "../../../test/support/builtin-oracle.ts";
import { BuiltinLimit, BuiltinUnsupported } from "./builtin.ts";
import { cidrBuiltins } from "./cidr.ts";

const context = builtinContext();

const NETWORKS = [
  "10.0.0.0/8",
  "10.1.2.3/8",
  "1.2.3.4",
  "1.2.3.4/33",
  "1.2.3.4/032",
  "01.2.3.4/8",
  "1.2.3/8",
  "::/0",
  "::1/128",
  "2001:db8::/32",
  "2001:DB8:0:0:1::/127",
  "::ffff:1.2.3.0/120",
  "::ffff:1.2.3.4",
  "::ffff:0:0/96",
  "::ffff:0:0/90",
  "fe80::1%eth0/64",
  "fe80::1%eth0",
  "1.2.3.4/",
  "/8",
  "",
  "a",
  "::/129",
  "1.2.3.4/8/9",
  "::1.2.3.4/126",
  "2001:db8::1",
  "0.0.0.0/0",
  "192.168.1.0/30",
  "255.255.255.252/30",
  "2001:db8::1:0:0:0/126",
  "1:0:0:2:0:0:0:3/128",
  "1::/16",
  "::fffe:ffff:ffff:0/125",
  "1.2.3.4/+8",
  "1.2.3.4/-1",
  "1.2.3.4/ 8",
  "1:2:3:4:5:6:7::/112",
  "::/80",
].map((text) => JSON.stringify(text));

describe("cidrBuiltins", () => {
  it("agree with OPA on what is a network", () => {
    const calls = callsOf("net.cidr_is_valid", "1", ...NETWORKS);
    expect(disagreements(cidrBuiltins, calls)).toEqual([]);
  });

  it("agree with OPA on the addresses of small networks", () => {
    const calls = callsOf(
      "net.cidr_expand",
      ...['"10.0.0.0/24"', '"255.255.255.252/30"', '"2001:db8::/120"', '"::ffff:10.0.0.0/124"'],
      ...['"1:0:0:2:0:0:0:3/128"', '"2001:DB8:0:0:1::/127"', '"::1.2.3.4/126"', '"a"', "1"],
    );
    expect(disagreements(cidrBuiltins, calls)).toEqual([]);
  });

  it("agree with OPA on which network holds what", () => {
    const calls = callsOf(
      "net.cidr_contains_matches",
      ...NETWORKS.flatMap((a) => NETWORKS.map((b) => `${a},${b}`)),
      ...['["10.0.0.0/8","11.0.0.0/8"],["10.1.1.1","11.1.0.0/16"]', '[[]],"1.1.1.1"'],
      ...['{"a":["10.0.0.0/8","x"]},{["10.1.1.1",1],"11.1.1.1"}', '["x"],[]', '[],["x"]'],
      ...['1,"1.1.1.1"', '"1.1.1.0/24",[1]', '"1.1.1.0/24",null'],
      '["1.1.1.0/24",["1.1.1.0/24"]],{"k":"1.1.1.1"}',
    );
    expect(disagreements(cidrBuiltins, calls)).toEqual([]);
  });

  it("agree with OPA on merged networks", () => {
    const calls = callsOf(
      "net.cidr_merge",
      ...NETWORKS.map((network) => `[${network}]`),
      ...["[]", "set()", "1", "[1]", '["::/1","8000::/1"]', '["::/0","10.0.0.0/8"]'],
      ...['["10.0.0.0/9","10.128.0.0/9"]', '{"10.0.0.0/9","10.128.0.0/9"}'],
      ...['["10.1.2.3","10.0.0.0/16"]', '["200.1.2.3","200.1.3.0/24"]', '["1.0.0.0/8","1.2.3.4"]'],
      ...['["0.0.0.0/1","128.0.0.0/1"]', '["192.0.128.0/24","192.0.129.0/24"]'],
      '["2001:db8::/33","2001:db8:8000::/33","10.0.0.0/8"]',
    );
    expect(disagreements(cidrBuiltins, calls)).toEqual([]);
  });

  it("refuse networks of more addresses than a result may have", () => {
    for (const network of ["0.0.0.0/0", "10.0.0.0/15", "::/0"]) {
      expect(() => cidrBuiltins["net.cidr_expand"]!([network], context)).toThrow(BuiltinLimit);
    }
  });

  it("refuse to merge what OPA garbles", () => {
    for (const networks of [
      ["::ffff:1.2.3.0/120", "1.2.3.0/24"],
      ["255.255.255.0/24", "::1:0:0:0/96"],
    ]) {
      expect(() => cidrBuiltins["net.cidr_merge"]!([networks], context)).toThrow(
        BuiltinUnsupported,
      );
    }
  });
});
