import { createHash, generateKeyPairSync } from "node:crypto";
import { describe, expect, it } from "vitest";
import { builtinContext } from "../../../test/support/builtin-context.ts";
import { disagreements } from "../../../test/support/builtin-oracle.ts";
import {
  certificateOf,
  constraintsOf,
  jwkOf,
  jwtCall,
  makeToken,
  makeTokenKeys,
  pemOf,
} from "../../../test/support/jwt-maker.ts";
import { jwtBuiltins } from "./jwt.ts";
import { readVerificationKeys } from "./jwt-keys.ts";

const rsa = makeTokenKeys("rsa", 2048);
const ec = makeTokenKeys("ec", "P-256");
const ed = makeTokenKeys("ed25519", "");
const rsaToken = makeToken({ alg: "RS256", key: rsa.privateKey });
const ecToken = makeToken({ alg: "ES256", key: ec.privateKey });
const edToken = makeToken({ alg: "EdDSA", key: ed.privateKey });

/** The calls that show what a text is as a key. */
function callsWith(key: string) {
  return [
    jwtCall("verify_rs256", rsaToken, key),
    jwtCall("verify_es256", ecToken, key),
    jwtCall("verify_eddsa", edToken, key),
    jwtCall("decode_verify", rsaToken, constraintsOf({ cert: key })),
  ];
}

describe("readVerificationKeys()", () => {
  it("agrees with OPA on PEM", () => {
    const pem = pemOf(rsa);
    const certificate = certificateOf(rsa);
    const body = pem.split("\n").slice(1, -2).join("\n");
    const certificateBody = certificate.split("\n").slice(1, -2).join("\n");
    const lengthened = (text: string) =>
      Buffer.concat([Buffer.from(text, "base64"), Buffer.of(0, 0)]).toString("base64");
    const block = (label: string, text: string, end = label) =>
      `-----BEGIN ${label}-----\n${text}\n-----END ${end}-----\n`;
    const keys = [
      ...[
        pem,
        certificate,
        pem.trimEnd(),
        `${pem}\n`,
        `${pem} `,
        `\n${pem}`,
        `text\n${pem}`,
        `text${pem}`,
      ],
      ...[pem + pem, certificate + pem, pem.replaceAll("\n", "\r\n"), pem.replaceAll("\n", "  \n")],
      ...[block("RSA PUBLIC KEY", body), block("CERTIFICATE", body), block("PUBLIC KEY", "")],
      ...[
        block("PUBLIC KEY", body, "CERTIFICATE"),
        block("PUBLIC KEY", body.slice(1)),
        "-----BEGIN ",
      ],
      ...[block("PUBLIC KEY", body.replaceAll("\n", "")), block("PUBLIC KEY", `${body}!`)],
      ...[block("PUBLIC KEY", lengthened(body)), block("CERTIFICATE", lengthened(certificateBody))],
      rsa.publicKey.export({ format: "pem", type: "pkcs1" }) as string,
      rsa.privateKey.export({ format: "pem", type: "pkcs8" }) as string,
    ];
    expect(disagreements(jwtBuiltins, keys.flatMap(callsWith))).toEqual([]);
  });

  it("agrees with OPA on keys of other kinds", () => {
    const pairs = [
      generateKeyPairSync("ec", { namedCurve: "secp256k1" }),
      generateKeyPairSync("ec", { namedCurve: "secp224r1" }),
      generateKeyPairSync("rsa-pss", { modulusLength: 2048 }),
      generateKeyPairSync("ed448"),
    ];
    const x25519 = generateKeyPairSync("x25519");
    const keys = [...pairs.flatMap((pair) => [pemOf(pair), certificateOf(pair)]), pemOf(x25519)];
    expect(disagreements(jwtBuiltins, keys.flatMap(callsWith))).toEqual([]);
  });

  it("agrees with OPA on short RSA keys", () => {
    const calls = [512, 1000, 1024, 1025, 2047].flatMap((bits) => {
      const pair = makeTokenKeys("rsa", bits);
      const token = makeToken({ alg: "RS256", key: pair.privateKey });
      return [pemOf(pair), jwkOf(pair)].map((key) => jwtCall("verify_rs256", token, key));
    });
    expect(disagreements(jwtBuiltins, calls)).toEqual([]);
  });

  it("agrees with OPA on RSA keys with a strange exponent", () => {
    const large = generateKeyPairSync("rsa", { modulusLength: 2048, publicExponent: 0xfffffffb });
    const token = makeToken({ alg: "RS256", key: large.privateKey });
    const calls = [pemOf(large), jwkOf(large)].map((key) => jwtCall("verify_rs256", token, key));
    // With the exponent 1 anything padded is its own signature.
    const signed = rsaToken.slice(0, rsaToken.lastIndexOf("."));
    const digest = createHash("sha256").update(signed).digest("hex");
    const padded = `0001${"ff".repeat(202)}003031300d060960864801650304020105000420${digest}`;
    const forged = `${signed}.${Buffer.from(padded, "hex").toString("base64url")}`;
    calls.push(jwtCall("verify_rs256", forged, jwkOf(rsa, { e: "AQ" })));
    expect(disagreements(jwtBuiltins, calls)).toEqual([]);
  });

  it("agrees with OPA on JWKs", () => {
    const { n, e } = rsa.publicKey.export({ format: "jwk" });
    const { x, y } = ec.publicKey.export({ format: "jwk" });
    const longX = Buffer.concat([Buffer.of(0), Buffer.from(x!, "base64url")]).toString("base64url");
    const standard = Buffer.from(n!, "base64url").toString("base64");
    const jwk = (members: object) => JSON.stringify({ kty: "RSA", n, e, ...members });
    const keys = [
      ...[
        {},
        { n: standard },
        { n: `${n}!` },
        { n: `${n}AAA` },
        { n: "" },
        { n: 1 },
        { e: "AQ" },
        { e: "AAE" },
        { e: "Ag" },
      ],
      ...[
        { e: "AAEAAQ" },
        { e: "AgAAAAE" },
        { e: "____________" },
        { n: `${n}\n` },
        { kty: "rsa" },
      ],
      ...[
        { kty: 1 },
        { kty: "EC" },
        { kty: "oct" },
        { kty: "OKP" },
        { alg: "RS256" },
        { alg: "RS512" },
      ],
      ...[
        { alg: "RSA-OAEP" },
        { alg: "none" },
        { alg: "x" },
        { alg: "" },
        { alg: 1 },
        { kid: "k" },
      ],
      ...[{ alg: "HS256" }, { alg: "A128GCMKW" }, { alg: "ES256K" }, { alg: "Ed448" }, { kid: 1 }],
      ...[
        { alg: "A192CBC-HS384" },
        { alg: "PBES2-HS384+A192KW" },
        { alg: "EdDSA" },
        { use: "enc" },
        { kid: null },
        { alg: null },
        { kty: null },
        { n: null },
        { e: "AQAAAAAB" },
        { e: "gAAAAQ" },
        { e: "f____w" },
      ],
    ].map(jwk);
    const ecKeys = [
      ...[
        {},
        { crv: "P-384" },
        { crv: "x" },
        { x: y },
        { x: `AA${x}` },
        { x: longX },
        { y: longX, x: y },
        { y: "AA" },
        { crv: 1 },
      ],
    ].map((members) => JSON.stringify({ kty: "EC", crv: "P-256", x, y, ...members }));
    const edKeys = [
      {},
      { crv: "X25519" },
      { crv: "Ed448" },
      { crv: "P-256" },
      { x: "AA" },
      { alg: "Ed25519" },
    ].map((members) => jwkOf(ed, members));
    const octKeys = ["AA", "", "!"].map((k) => JSON.stringify({ kty: "oct", k }));
    const certificate = certificateOf(rsa).split("\n").slice(1, -2).join("");
    const texts = ["use", "x5u", "x5t", "x5t#S256"].flatMap((name) =>
      ["x", 1, null].map((value) => ({ [name]: value })),
    );
    const unused = [
      ...[...texts, { key_ops: ["verify"] }, { key_ops: [1] }, { key_ops: [null] }],
      ...[{ key_ops: null }, { key_ops: "verify" }, { key_ops: ["x"] }, { other: [1] }],
      ...[{ x5c: [certificate] }, { x5c: [] }, { x5c: null }, { x5c: "x" }, { x5c: ["AAAA"] }],
      ...[
        { x5c: [certificate, ""] },
        { x5c: [1] },
        { x5c: Array(10).fill(certificate) },
        { x5c: Array(11).fill(certificate) },
        { x5c: [` ${certificate}\n`] },
      ],
      ...[
        { x5c: [`${certificate}\r\n`, certificate] },
        { x5c: [certificate.replaceAll("+", "-")] },
      ],
    ].map(jwk);
    const all = [...keys, ...unused, ...ecKeys, ...edKeys, ...octKeys];
    expect(disagreements(jwtBuiltins, all.flatMap(callsWith))).toEqual([]);
  });

  it("agrees with OPA on sets of JWKs", () => {
    const good = jwkOf(rsa);
    const many = (count: number) =>
      `{"keys":[${Array(count).fill('{"kty":"oct","k":"AA"}').join(",")}]}`;
    const keys = [
      ...[
        '{"keys":[]}',
        '{"keys":{}}',
        '{"keys":null}',
        '{"keys":[1]}',
        '{"keys":[{}]}',
        "[]",
        "{}",
        "",
      ],
      ...[`[${good}]`, `{"keys":[${good}]}x`, `{"keys":[${good},]}`, ` {"keys" : [ ${good} ] } `],
      ...[`{"keys":[${good},{"kty":"x"}]}`, `{"keys":[${good},${good}]}`, `{"Keys":[${good}]}`],
      ...[
        `{"keys":[{"kty":"oct","k":"AA"},${good}]}`,
        `{"keys":[${jwkOf(rsa, { alg: "RSA-OAEP" })}]}`,
      ],
      ...[many(1000), many(1001)],
    ];
    expect(disagreements(jwtBuiltins, keys.flatMap(callsWith))).toEqual([]);
  });

  it("reads a text once while it is in use, and keeps no more than a few", () => {
    const { takeSteps } = builtinContext();
    const text = pemOf(rsa);
    const keys = readVerificationKeys(text, takeSteps);
    const set = (kid: number) => jwkOf(ec, { kid: `${kid}` });
    for (let kid = 0; kid < 63; kid += 1) readVerificationKeys(set(kid), takeSteps);
    expect(readVerificationKeys(text, takeSteps)).toBe(keys);
    for (let kid = 100; kid < 164; kid += 1) readVerificationKeys(set(kid), takeSteps);
    expect(readVerificationKeys(text, takeSteps)).not.toBe(keys);
  });
});
