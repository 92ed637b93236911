import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { buildWasm } from "../../../test/support/opa.ts";
import { MiB } from "../../base/sizes.ts";
import { preparePolicy } from "../prepare-policy.ts";
import type { PolicyRefused } from "../prepared-policy.ts";
import { hostBuiltins } from "./registry.ts";

interface Declaration {
  readonly name: string;
  readonly decl: { readonly args?: readonly unknown[] };
  readonly infix?: string;
  readonly deprecated?: boolean;
}

/** Built-ins without which a policy can't be run here; `opa build` names them, too. */
const LEFT_OUT = [
  ...["crypto.parse_private_keys", "crypto.x509.parse_and_verify_certificates"],
  ...["crypto.x509.parse_and_verify_certificates_with_options"],
  ...["crypto.x509.parse_certificate_request", "crypto.x509.parse_certificates"],
  ...["crypto.x509.parse_keypair", "crypto.x509.parse_rsa_private_key"],
  ...["graphql.is_valid", "graphql.parse", "graphql.parse_and_verify", "graphql.parse_query"],
  ...["graphql.parse_schema", "graphql.schema_is_valid", "http.send"],
  ...["io.jwt.encode_sign", "io.jwt.encode_sign_raw"],
  ...["json.match_schema", "json.verify_schema", "net.lookup_ip_addr", "opa.runtime"],
  ...["providers.aws.sign_req", "rego.parse_module", "strings.render_template"],
  ...["yaml.is_valid", "yaml.marshal", "yaml.unmarshal"],
];

/** A policy that calls everything a policy may name. */
function callEverything(): string {
  const output = execFileSync("opa", ["capabilities", "--current"], { encoding: "utf8" });
  const { builtins } = JSON.parse(output) as { builtins: readonly Declaration[] };
  const compiledAway = /^(?:internal|rego\.metadata)\.|^(?:assign|eq|print|walk)$/;
  const rules = builtins
    .filter(({ name, infix, deprecated }) => !infix && !deprecated && !compiledAway.test(name))
    .map(({ name, decl }, index) => {
      const args = (decl.args ?? []).map((_, place) => `object.get(input, "${place}", null)`);
      return `r${index} := ${name}(${args.join(", ")})`;
    });
  return `package everything\n\n${rules.join("\n\n")}\n`;
}

describe("hostBuiltins", () => {
  it("has what OPA's wasm leaves to the host, but for what is left out", async () => {
    const { wasm, data } = buildWasm({ "everything.rego": callEverything() }, ["everything"]);
    const refused = await preparePolicy({ wasm, data, memoryMaxBytes: 64 * MiB }).catch(
      (error: PolicyRefused) => error.message,
    );
    const expected = [...LEFT_OUT].sort().join(", ");
    expect(refused).toBe(`the policy calls built-ins that are not available here: ${expected}`);
  });

  it("has nothing that OPA does not know", () => {
    const everything = callEverything();
    const unknown = [...hostBuiltins.keys()].filter((name) => !everything.includes(` ${name}(`));
    expect(unknown).toEqual([]);
  });
});
