import { createSign, sign } from "node:crypto";
import { describe, expect, it } from "vitest";
import { builtinContext } from "../../../test/support/builtin-context.ts";
import { type BuiltinCall, disagreements } from "../../../test/support/builtin-oracle.ts";
import {
  certificateOf,
  constraintsOf,
  encodePart,
  jwkOf,
  jwtCall,
  makeToken,
  makeTokenKeys,
  pemOf,
  type TokenKeys,
  tampered,
  withSignature,
} from "../../../test/support/jwt-maker.ts";
import { parseTerm, type Term } from "../term.ts";
import { BuiltinError, BuiltinLimit } from "./builtin.ts";
import { jwtBuiltins } from "./jwt.ts";

const rsa = makeTokenKeys("rsa", 2048);
const otherRsa = makeTokenKeys("rsa", 2048);
const p256 = makeTokenKeys("ec", "P-256");
const p384 = makeTokenKeys("ec", "P-384");
const p521 = makeTokenKeys("ec", "P-521");
const ed = makeTokenKeys("ed25519", "");
const SECRET = "s€cret";

const keysByAlg: Readonly<Record<string, TokenKeys>> = {
  ...{ RS256: rsa, RS384: rsa, RS512: rsa, PS256: rsa, PS384: rsa, PS512: rsa },
  ...{ ES256: p256, ES384: p384, ES512: p521, EdDSA: ed },
};
const claims = { sub: "zoë", roles: ["a", "b"] };

function verifyCall(alg: string, token: string, key: string): BuiltinCall {
  return jwtCall(`verify_${alg.toLowerCase()}`, token, key);
}

function ours({ name, args }: BuiltinCall, nowNs = 1_700_000_000_000_000_000n): Term {
  return jwtBuiltins[name]!(args, builtinContext(nowNs));
}

function goodToken(alg: string): string {
  return makeToken({ alg, key: keysByAlg[alg]?.privateKey ?? SECRET, payload: claims });
}

const unverified = parseTerm("[false, {}, {}]");

describe("io.jwt.verify_*", () => {
  const certificates = new Map(
    [rsa, p256, p384, p521, ed].map((keys) => [keys, certificateOf(keys)]),
  );
  const publicAlgs = Object.keys(keysByAlg);

  it.each(publicAlgs)("agrees with OPA on %s with every form of key", (alg) => {
    const keys = keysByAlg[alg]!;
    const token = goodToken(alg);
    const forms = [
      pemOf(keys),
      certificates.get(keys)!,
      jwkOf(keys),
      jwkOf(keys, { alg, kid: "k", use: "sig" }),
      `{"keys":[${jwkOf(otherRsa)},${jwkOf(p256)},${jwkOf(keys)}]}`,
    ];
    const bad = [
      tampered(token, 0),
      tampered(token, 1),
      tampered(token, 2),
      withSignature(token, (signature) => signature.subarray(2)),
      withSignature(token, (signature) => signature.subarray(0, -1)),
      withSignature(token, (signature) => Buffer.concat([signature, Buffer.from([0])])),
      withSignature(token, () => Buffer.alloc(0)),
      withSignature(token, (signature) => Buffer.alloc(signature.length)),
    ];
    const calls = [
      ...forms.map((form) => verifyCall(alg, token, form)),
      ...bad.map((text) => verifyCall(alg, text, forms[0]!)),
      ...publicAlgs.map((other) => verifyCall(other, token, forms[2]!)),
      ...publicAlgs.map((other) => verifyCall(alg, token, pemOf(keysByAlg[other]!))),
      verifyCall(alg, token, pemOf(makeTokenKeys("ec", "P-256"))),
      verifyCall(alg, token, pemOf(otherRsa)),
      verifyCall(alg, token, `{"kty":"oct","k":"${encodePart(SECRET)}"}`),
    ];
    expect(disagreements(jwtBuiltins, calls)).toEqual([]);
    expect(forms.map((form) => ours(verifyCall(alg, token, form)))).toEqual(forms.map(() => true));
    expect(ours(verifyCall(alg, tampered(token, 2), forms[0]!))).toBe(false);
  });

  it.each(["HS256", "HS384", "HS512"])("agrees with OPA on %s", (alg) => {
    const token = goodToken(alg);
    const empty = makeToken({ alg, key: "" });
    const calls = [
      verifyCall(alg, token, SECRET),
      verifyCall(alg, token, "other"),
      verifyCall(alg, token, ""),
      verifyCall(alg, empty, ""),
      verifyCall(alg, tampered(token, 1), SECRET),
      verifyCall(alg, tampered(token, 2), SECRET),
      verifyCall(
        alg,
        withSignature(token, (signature) => signature.subarray(1)),
        SECRET,
      ),
      verifyCall(alg, `${token.split(".").slice(0, 2).join(".")}.`, SECRET),
      ...["HS256", "HS384", "HS512"].map((other) => verifyCall(other, token, SECRET)),
      verifyCall(alg, makeToken({ alg, key: SECRET, header: "no json" }), SECRET),
      verifyCall(alg, token, `{"kty":"oct","k":"${encodePart(SECRET)}"}`),
      ...publicAlgs.map((other) =>
        verifyCall(other, token, `{"kty":"oct","k":"${encodePart(SECRET)}"}`),
      ),
      { name: `io.jwt.verify_${alg.toLowerCase()}`, args: [token, null] },
      { name: `io.jwt.verify_${alg.toLowerCase()}`, args: [null, SECRET] },
    ];
    expect(disagreements(jwtBuiltins, calls)).toEqual([]);
    expect(ours(verifyCall(alg, token, SECRET))).toBe(true);
    expect(ours(verifyCall(alg, token, "other"))).toBe(false);
  });

  it("agrees with OPA on the salt of PS signatures", () => {
    const salted = [0, 10, 32, 64].map((saltLength) => {
      const text = `${encodePart({ alg: "PS256" })}.${encodePart(claims)}`;
      const key = { key: rsa.privateKey, padding: 6, saltLength };
      return `${text}.${sign("sha256", Buffer.from(text), key).toString("base64url")}`;
    });
    const calls = salted.flatMap((token) => [
      verifyCall("PS256", token, pemOf(rsa)),
      jwtCall("decode_verify", token, constraintsOf({ cert: pemOf(rsa) })),
    ]);
    expect(disagreements(jwtBuiltins, calls)).toEqual([]);
  });

  it.each(["RS256", "PS256"])("agrees with OPA on %s without the zero it begins with", (alg) => {
    const begin = (token: string) => Buffer.from(token.split(".")[2]!, "base64url")[0];
    let count = 0;
    let token = "";
    do {
      count += 1;
      token = makeToken({ alg, key: rsa.privateKey, payload: { count } });
    } while (begin(token) !== 0);
    const short = withSignature(token, (signature) => signature.subarray(1));
    const calls = [token, short].map((text) => verifyCall(alg, text, pemOf(rsa)));
    expect(disagreements(jwtBuiltins, calls)).toEqual([]);
    expect(ours(calls[0]!)).toBe(true);
  });

  it("agrees with OPA on malformed headers and keys that are named by kid", () => {
    const headers: (object | string)[] = [
      ...[{ kid: "a" }, { kid: "b" }, { kid: "none" }, { kid: "" }, { kid: 1 }, { kid: null }],
      ...[{ alg: "RS512" }, { alg: "none" }, { alg: 1 }, { typ: 1 }, { cty: 1 }, { enc: null }],
      ...[{ crit: ["x"], x: 1 }, { crit: [] }, { crit: [1] }, { crit: "x" }, { crit: ["x", 1] }],
      ...["[]", "1", "{", '{"kid":"b","kid":"a"}', '\ufeff{"alg":"RS256"}', "{}x", "{} ", "{1}"],
    ];
    const tokens = headers.map((header) =>
      makeToken({ alg: "RS256", key: rsa.privateKey, header }),
    );
    const set = `{"keys":[${jwkOf(otherRsa, { kid: "b" })},${jwkOf(rsa, { kid: "a", alg: "RS256" })}]}`;
    const calls = tokens.flatMap((token) => [
      verifyCall("RS256", token, set),
      verifyCall("RS256", token, pemOf(rsa)),
      jwtCall("decode_verify", token, constraintsOf({ cert: set })),
      jwtCall("decode", token),
    ]);
    expect(disagreements(jwtBuiltins, calls)).toEqual([]);
    expect(ours(verifyCall("RS256", tokens[0]!, set))).toBe(true);
    expect(ours(verifyCall("RS256", tokens[1]!, set))).toBe(false);
  });

  it("takes no ECDSA signature but r and s of full length", () => {
    const text = `${encodePart({ alg: "ES256" })}.${encodePart(claims)}`;
    const der = createSign("sha256").update(text).sign(p256.privateKey).toString("base64url");
    const padded = withSignature(goodToken("ES256"), (signature) =>
      Buffer.concat([
        ...[Buffer.alloc(1), signature.subarray(0, 32)],
        ...[Buffer.alloc(1), signature.subarray(32)],
      ]),
    );
    for (const token of [`${text}.${der}`, padded]) {
      expect(ours(verifyCall("ES256", token, pemOf(p256)))).toBe(false);
    }
  });

  it("takes no private JWK", () => {
    const jwk = JSON.stringify(rsa.privateKey.export({ format: "jwk" }));
    const token = goodToken("RS256");
    expect(disagreements(jwtBuiltins, [verifyCall("RS256", token, jwk)])).toEqual([]);
    expect(ours(verifyCall("RS256", token, jwk))).toBe(false);
    expect(ours(jwtCall("decode_verify", token, constraintsOf({ cert: jwk })))).toEqual(unverified);
  });
});

describe("io.jwt.decode", () => {
  const good = makeToken({ alg: "HS256", key: SECRET, payload: claims });
  const [header, payload, signature] = good.split(".");

  it("agrees with OPA", () => {
    const odd = '{"a":1,"a":2.50,"b":12345678901234567890,"c":1E5,"d":"\\ud83d\\ude00\\n\u2028"}';
    const nested = (cty: string, inner: string) =>
      makeToken({ alg: "HS256", key: SECRET, header: { cty }, payload: inner });
    const tokens = [
      ...[
        good,
        "",
        ".",
        "..",
        "...",
        "a.b",
        "a.b.c.d",
        ` ${good}`,
        `${good}.`,
        "é.é.é",
        "aaaa.bbbb.cccc",
      ],
      ...[`${header}=.${payload}.${signature}`, `${header}.${payload}.${signature}=`],
      ...[`${header}.${payload}.`, `.${payload}.${signature}`, `${header}..${signature}`],
      ...[`${header}.${payload}.a`, `${header}.${payload}.ab==`, `${header}.${payload}.ab=`],
      ...[`${header}.${payload}.abc=`, `${header}.${payload}.+/+/`, `${header}.${payload}.a\nbc`],
      ...[
        `${header}.${payload}.ab\r\n`,
        `${header}.${payload}.abc=\n`,
        `${header}.${payload}.ab=\n=`,
      ],
      ...[
        `${header}.${payload}.ab==ab==`,
        `${header}.${payload}.====`,
        `${header}.${payload}.a===`,
      ],
      ...[
        "[1]",
        "1",
        "",
        "{",
        "null",
        "{1}",
        "set()",
        odd,
        ' {"a" : [ ] } ',
        '{"a":01}',
        "{'a':1}",
      ].map((text) => makeToken({ alg: "HS256", key: SECRET, payload: text })),
      ...[
        nested("JWT", good),
        nested("JWT", `"'${good}'"`),
        nested("jwt", good),
        nested("JWT", "x"),
      ],
      nested("JWT", nested("JWT", nested("JWT", good))),
      makeToken({ alg: "HS256", key: SECRET, header: { enc: "A128GCM" } }),
      makeToken({ alg: "HS256", key: SECRET, header: { alg: "none", kid: "ключ" } }),
      makeToken({ alg: "HS256", key: SECRET, payload: { huge: "é".repeat(100_000) } }),
    ];
    const calls = [...tokens, null, true, []].map((token) => jwtCall("decode", token));
    expect(disagreements(jwtBuiltins, calls)).toEqual([]);
    const [read] = ours(jwtCall("decode", good)) as readonly Term[];
    expect(read).toEqual(parseTerm('{"alg":"HS256","typ":"JWT"}'));
  });

  it("is undefined where the content type is no text, on which OPA panics", () => {
    const token = makeToken({ alg: "HS256", key: SECRET, header: { cty: 1 } });
    expect(() => ours(jwtCall("decode", token))).toThrow(BuiltinError);
  });

  it("agrees with OPA on bytes that are not UTF-8", () => {
    const bytes = [
      "ff",
      "e282",
      "e28241",
      "f09f98",
      "f09f9880",
      "c0af",
      "eda080",
      "c3a9",
      "80",
      "f4908080",
    ];
    const tokens = bytes.flatMap((hex) => {
      const garbled = Buffer.from(hex, "hex").toString("base64url");
      const text = Buffer.from(`7b2261${hex}62223a22${hex}227d`, "hex").toString("base64url");
      return [`${header}.${text}.`, `${text}.${payload}.`, `${garbled}.${garbled}.${garbled}`];
    });
    const calls = tokens.map((token) => jwtCall("decode", token));
    expect(disagreements(jwtBuiltins, calls)).toEqual([]);
  });

  it("ends the evaluation at tokens that are too long or nested too deep", () => {
    const deep = (name: string) => `{"${name}":${"[".repeat(60_000)}${"]".repeat(60_000)}}`;
    const texts = [deep("a"), deep("\\n"), `{"a":"${"x".repeat(2 ** 20)}"}`];
    for (const text of texts) {
      const token = `${header}.${encodePart(text)}.`;
      expect(() => ours(jwtCall("decode", token))).toThrow(BuiltinLimit);
    }
  });
});
