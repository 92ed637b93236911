import { describe, expect, it } from "vitest";
import { builtinContext } from "../../../test/support/builtin-context.ts";
import { type BuiltinCall, disagreements } from "../../../test/support/builtin-oracle.ts";
import {
  constraintsOf,
  jwkOf,
  jwtCall,
  makeToken,
  makeTokenKeys,
  pemOf,
  tampered,
} from "../../../test/support/jwt-maker.ts";
import { evaluate, loadTestPolicy } from "../../../test/support/wasm-policy.ts";
import { parseTerm, type Term } from "../term.ts";
import { TermNumber } from "../term-value.ts";
import { jwtBuiltins } from "./jwt.ts";

const rsa = makeTokenKeys("rsa", 2048);
const ec = makeTokenKeys("ec", "P-256");
const ed = makeTokenKeys("ed25519", "");
const SECRET = "s€cret";
const unverified = parseTerm("[false, {}, {}]");

type Members = Readonly<Record<string, Term | number>>;

function decodeVerify(token: Term, members: Members): BuiltinCall {
  return jwtCall("decode_verify", token, constraintsOf(members));
}

function ours({ name, args }: BuiltinCall, nowNs = 0n): Term {
  return jwtBuiltins[name]!(args, builtinContext(nowNs));
}

function isVerified(call: BuiltinCall, nowNs?: bigint): boolean {
  return (ours(call, nowNs) as readonly Term[])[0] as boolean;
}

/** A token with this payload, signed with the secret. */
function tokenOf(payload: object | string, header: object = {}): string {
  return makeToken({ alg: "HS256", key: SECRET, payload, header });
}

describe("io.jwt.decode_verify", () => {
  const tokens = [
    ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"].map((alg) => [alg, rsa] as const),
    ...[["ES256", ec] as const, ["EdDSA", ed] as const, ["Ed25519", ed] as const],
  ].map(([alg, { privateKey }]) => makeToken({ alg, key: privateKey, payload: { sub: alg } }));
  const macs = ["HS256", "HS384", "HS512"].map((alg) => makeToken({ alg, key: SECRET }));

  it("agrees with OPA on every algorithm with every key", () => {
    const keys: Members[] = [
      ...[rsa, ec, ed].map((pair) => ({ cert: pemOf(pair) })),
      ...[{ cert: jwkOf(rsa, { alg: "PS384" }) }, { cert: jwkOf(ed, { alg: "Ed25519" }) }],
      { cert: `{"keys":[${jwkOf(ec)},${jwkOf(rsa)},${jwkOf(ed)}]}` },
      { cert: `{"kty":"oct","k":"${Buffer.from(SECRET).toString("base64url")}"}` },
      ...[{ secret: SECRET }, { secret: "other" }, { secret: SECRET, alg: "HS384" }],
    ];
    const calls = [...tokens, ...macs].flatMap((token) =>
      keys.flatMap((members) => [
        decodeVerify(token, members),
        decodeVerify(tampered(token, 2), members),
      ]),
    );
    expect(disagreements(jwtBuiltins, calls)).toEqual([]);
    expect(tokens.map((token) => isVerified(decodeVerify(token, keys[5]!)))).toEqual(
      tokens.map(() => true),
    );
    expect(macs.map((token) => isVerified(decodeVerify(token, { secret: SECRET })))).toEqual(
      macs.map(() => true),
    );
  });

  it("takes no public key for a secret, and no secret for a public key", () => {
    const attacks = [pemOf(rsa), pemOf(rsa).trimEnd(), jwkOf(rsa), ""].flatMap((secret) =>
      ["HS256", "HS384", "HS512"].map((alg) => makeToken({ alg, key: secret })),
    );
    const set = `{"keys":[${jwkOf(rsa, { kid: "a" })},${jwkOf(ed)}]}`;
    const named = makeToken({ alg: "HS256", key: jwkOf(rsa), header: { kid: "a" } });
    const calls = [...attacks, named].flatMap((token) =>
      [pemOf(rsa), jwkOf(rsa), set].flatMap((cert) => [
        decodeVerify(token, { cert }),
        jwtCall("verify_rs256", token, cert),
      ]),
    );
    expect(disagreements(jwtBuiltins, calls)).toEqual([]);
    expect(calls.map((call) => ours(call))).toEqual(
      calls.map((call) => (call.name.endsWith("_rs256") ? false : unverified)),
    );
  });

  it("never takes an unsigned token", () => {
    const algs = ["none", "None", "", "HS1", "HMAC_WITH_SHA256", "hs256", "constructor"];
    const calls = algs.flatMap((alg) => {
      const [header, payload] = tokenOf({}, { alg }).split(".");
      const token = `${header}.${payload}.`;
      return [decodeVerify(token, { secret: SECRET }), decodeVerify(token, { cert: pemOf(rsa) })];
    });
    expect(disagreements(jwtBuiltins, calls)).toEqual([]);
    expect(calls.map((call) => ours(call))).toEqual(calls.map(() => unverified));
  });

  it("agrees with OPA on the constraints", () => {
    const token = tokenOf({ iss: "me" });
    const secret = SECRET;
    const cert = pemOf(rsa);
    const constraints: Members[] = [
      ...[{}, { secret: "" }, { secret, cert }, { secret: "", cert }, { secret, cert: "" }],
      ...[{ secret: 1 }, { cert: 1 }, { cert: "" }, { cert: "x" }, { cert: '{"keys":[]}' }],
      ...[{ secret, cert: null }, { secret: null, cert }, { secret, other: 1 }, { secret: null }],
      ...[
        { secret, alg: "HS256" },
        { secret, alg: "HS512" },
        { secret, alg: "" },
      ],
      ...[
        { secret, alg: 1 },
        { secret, alg: null },
        { secret, iss: null },
        { secret, aud: null },
      ],
      ...[
        { secret, iss: "me" },
        { secret, iss: "you" },
        { secret, iss: "" },
        { secret, iss: 1 },
      ],
      ...[
        { secret, aud: "a" },
        { secret, aud: 1 },
        { secret, time: null },
        { secret, time: "1" },
      ],
      ...[
        { secret, time: 1 },
        { secret, time: -1 },
        { secret, time: new TermNumber("1e400") },
      ],
      { secret, time: new TermNumber("-0") },
    ];
    const calls = [...constraints.map(constraintsOf), null, parseTerm("[1]")].map((term) =>
      jwtCall("decode_verify", token, term),
    );
    expect(disagreements(jwtBuiltins, calls)).toEqual([]);
  });

  it("agrees with OPA on issuer and audience", () => {
    const payloads = [
      ...[{}, { iss: "me" }, { iss: "ME" }, { iss: "мы" }, { iss: "" }],
      ...[{ aud: "a" }, { aud: "" }, { aud: ["b", "a"] }, { aud: [] }, { aud: [1, "a"] }],
      ...[{ aud: ["b", ""] }, { aud: { a: 1 } }, { aud: null }, { aud: 1 }, { aud: "ab" }],
    ];
    const demands: Members[] = [{}, { iss: "me" }, { iss: "мы" }, { aud: "a" }, { aud: "" }];
    const calls = payloads.flatMap((payload) =>
      demands.map((members) => decodeVerify(tokenOf(payload), { secret: SECRET, ...members })),
    );
    // OPA panics on an issuer that is no text.
    expect(disagreements(jwtBuiltins, calls)).toEqual([]);
    expect(isVerified(decodeVerify(tokenOf({ aud: "a" }), { secret: SECRET }))).toBe(false);
    expect(ours(decodeVerify(tokenOf({ iss: 1 }), { secret: SECRET, iss: "me" }))).toEqual(
      unverified,
    );
  });

  it("agrees with OPA on exp and nbf", () => {
    const numbers = ["0", "-1", "1", "1.5", "1.7e0", "1.000000001", "1.0000000001", "1e400", "2"];
    const others = ['"1"', "null", "true", "[]", "{}"];
    const times = [
      "0",
      "1000000000",
      "1500000000",
      "1700000000",
      "1.5e9",
      "1000000001",
      "999999999",
    ];
    const calls = ["exp", "nbf"].flatMap((name) =>
      [...numbers, ...others].flatMap((text) =>
        times.map((time) =>
          decodeVerify(tokenOf(`{"${name}":${text}}`), {
            secret: SECRET,
            time: new TermNumber(time),
          }),
        ),
      ),
    );
    const now = [{ exp: 1 }, { exp: 1e11 }, { nbf: 1 }, { nbf: 1e11 }, { exp: "x", aud: "y" }];
    const atNow = now.map((payload) => decodeVerify(tokenOf(payload), { secret: SECRET }));
    expect(disagreements(jwtBuiltins, [...calls, ...atNow])).toEqual([]);
  });

  it("takes the time of the evaluation where none is given", () => {
    const token = decodeVerify(tokenOf({ nbf: 100, exp: 200 }), { secret: SECRET });
    const seconds = [99n, 100n, 199n, 200n];
    expect(seconds.map((second) => isVerified(token, second * 1_000_000_000n))).toEqual([
      ...[false, true, true, false],
    ]);
  });

  it("agrees with OPA on nested tokens, and verifies each of them", () => {
    const inner = [tokenOf({ a: 1 }), makeToken({ alg: "HS256", key: "other" }), "x", "a.b.c"];
    const calls = inner.flatMap((text) =>
      ["JWT", "jwt", "Jwt", "JWE", ""].map((cty) =>
        decodeVerify(tokenOf(text, { cty }), { secret: SECRET }),
      ),
    );
    expect(disagreements(jwtBuiltins, calls)).toEqual([]);
    expect(isVerified(calls[1]!)).toBe(true);
    expect(ours(calls[5]!)).toEqual(unverified);
  });

  it("agrees with OPA on malformed tokens", () => {
    const good = tokenOf({ a: 1 });
    const [header, payload, signature] = good.split(".");
    const texts = [
      ...["", ".", "..", "...", "a.b.c", "é.é.é", `${good}.`, `${header}.${payload}`],
      ...[`${header}.${payload}.`, `${header}.${payload}.a`, `${header}.${payload}.${signature}=`],
      ...[`.${payload}.${signature}`, `${header}..${signature}`, `${good}\n`, `${good} `],
      ...[tokenOf("[]"), tokenOf("x"), tokenOf(""), tokenOf({ huge: "é".repeat(50_000) })],
    ];
    const calls = [...texts, null, parseTerm("{}")].map((text) =>
      decodeVerify(text, { secret: SECRET }),
    );
    expect(disagreements(jwtBuiltins, calls)).toEqual([]);
  });

  it("serves a policy that was compiled to wasm", async () => {
    const rego = `package authz

claims := payload if {
  [true, _, payload] = io.jwt.decode_verify(input.token, {"cert": input.keys, "alg": "ES256"})
}

allow if claims.roles[_] == "admin"
`;
    const policy = await loadTestPolicy({
      files: { "p.rego": rego },
      entrypoints: ["authz/allow"],
    });
    const token = makeToken({ alg: "ES256", key: ec.privateKey, payload: { roles: ["admin"] } });
    const results = [token, tampered(token, 1), "x"].map((text) =>
      evaluate(policy, "authz/allow", { input: { token: text, keys: jwkOf(ec) } }),
    );
    const undefinedResult = { kind: "undefined" };
    expect(results).toEqual([{ kind: "value", value: true }, undefinedResult, undefinedResult]);
  });
});
