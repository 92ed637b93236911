import { Type } from "typebox";
import { describe, expect, it } from "vitest";
import { LineCounter, parseDocument } from "yaml";
import { readEnvironment } from "./environment.ts";
import { type Reading, readOptions } from "./read-options.ts";

const schema = Type.Object(
  {
    grpc: Type.Object({
      port: Type.Integer({ default: 9191, minimum: 0, maximum: 65_535 }),
      token: Type.String({ default: "", maxLength: 8, secret: true }),
      tlsFile: Type.String(),
      limit: Type.Union([Type.Literal("none"), Type.Object({ callsMax: Type.Integer() })], {
        default: "none",
      }),
    }),
    a: Type.Object({ bC: Type.Integer({ default: 1 }) }),
    aB: Type.Object({ c: Type.Integer({ default: 1 }) }),
  },
  { additionalProperties: false },
);

function read(text: string, env: Record<string, string> = {}): Reading {
  const lines = new LineCounter();
  const root = parseDocument(text, { lineCounter: lines }).contents;
  const { overrides, problems } = readEnvironment(schema, env);
  const reading = readOptions(schema, { fileName: "f", lines, root, overrides });
  return { ...reading, problems: [...problems, ...reading.problems] };
}

describe("readOptions()", () => {
  it("asks for what has no default", () => {
    expect(read("grpc: {}").problems).toEqual([
      { at: "f", path: "grpc.tls_file", message: "is required; expected text" },
    ]);
    expect(read("grpc: {}", { POSTERN_GRPC_TLS_FILE: "x" }).problems).toEqual([]);
  });

  it("never shows a secret", () => {
    const { problems } = read("grpc: { tls_file: x, token: hunter2hunter2 }");
    expect(problems).toEqual([
      {
        at: "f:1:29",
        path: "grpc.token",
        message: "the value is not valid; expected text of at most 8 characters",
      },
    ]);
  });

  it("takes whichever alternative fits", () => {
    const limit = (text: string) => read(`grpc: { tls_file: x, limit: ${text} }`);
    expect(limit("none").value).toMatchObject({ grpc: { limit: "none" } });
    expect(limit("{ calls_max: 5 }").value).toMatchObject({ grpc: { limit: { callsMax: 5 } } });
    expect(limit("{ calls: 5 }").problems).toMatchObject([
      { message: 'a mapping is not valid; expected "none" or a mapping of keys to values' },
    ]);
  });

  it("refuses a variable that could stand for two options", () => {
    expect(read("grpc: { tls_file: x }", { POSTERN_A_B_C: "5" }).problems).toEqual([
      {
        at: "POSTERN_A_B_C",
        path: "",
        message: "stands for a.b_c and a_b.c alike; set the option in the file",
      },
    ]);
  });
});
