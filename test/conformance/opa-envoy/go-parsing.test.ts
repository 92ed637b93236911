// OPA's Envoy plugin reads paths and bodies with Go's standard library. The same texts, given to Go and
// to Postern, give the same values, or an error from both. Where Postern is stricter, it is listed here.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { byteString } from "../../../src/grpc/ext-authz/url-encoding.ts";
import { answerOf, askGo, type Case, compareWithGo, type Kind } from "./compare-with-go.ts";

const SEED = 20_261_127;

/** Texts of these pieces, as many as asked for. */
function textsOf(pieces: readonly string[], count: number, lengthMax = 10): string[] {
  const text = fc.array(fc.constantFrom(...pieces), { maxLength: lengthMax });
  return fc.sample(text, { numRuns: count, seed: SEED }).map((parts) => parts.join(""));
}

const escaped =
  "% %2 %zz %00 %2F %2f %5C %25 %2e %C3%A9 %E2%82 %ff %C0%AF %ED%A0%80 %F0%9F%98%80 %3B";
const encoded = ["", "a", "b", "é", "😀", "+", " ", "__proto__", "\\", "\0", ...escaped.split(" ")];

function cases(kind: Kind, texts: readonly string[]): Case[] {
  return texts.map((text) => ({ kind, text: byteString(text) }));
}

/** For each of three places in a part's header, what may stand there; empty for nothing. */
const headerLines = [
  [
    'Content-Disposition: form-data; name="a"',
    'content-disposition: form-data; name=b; filename="C:\\f"',
    'Content-Disposition: form-data; name="\\"\xc3\xa9\\\\"; filename*=utf-8\'\'x',
    'Content-Disposition: form-data;\r\n\tname="folded"',
    "Content-Disposition: form-data; name=__proto__",
    "Content-Disposition: form-data; filename=f",
    "Content-Disposition: attachment; name=c",
    "",
  ],
  ["Content-Type: application/json", "Content-Type: text/plain; x=application/json", "", "", ""],
  ["Content-Transfer-Encoding: base64", "X: ü", "", ""],
] as const;
const contents = [
  "",
  "x",
  "1",
  '{"a":[1.0,"\xc3\xa9"]}',
  "\r\n",
  "\n",
  "--b",
  "--bb",
  "-",
  "\r\n--",
  "\r\n--b-",
  "\xff",
];

/** Forms with the boundary `b`, each with one of the pieces put somewhere, if there are any. */
function formsOf(count: number, pieces: readonly string[]): Case[] {
  const blank = fc.constantFrom("", "", "", " ", "\t ");
  const part = fc.record({
    blank,
    header: fc.tuple(...headerLines.map((lines) => fc.constantFrom(...lines))),
    content: fc.array(fc.constantFrom(...contents), { maxLength: 3 }),
  });
  const form = fc.record({
    preamble: fc.constantFrom("", "", "\r\n", "x\r\n", "--bb\r\n"),
    parts: fc.array(part, { maxLength: 3 }),
    end: fc.constantFrom("", "\r\n", " \r\n", "\r\nx"),
    hasFeedsOnly: fc.boolean(),
    piece: fc.constantFrom("", ...pieces),
    place: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  return fc.sample(form, { numRuns: count, seed: SEED }).map((made): Case => {
    const parts = made.parts.map(({ blank, header, content }) => {
      return `--b${blank}\r\n${header.filter(Boolean).join("\r\n")}\r\n\r\n${content.join("")}\r\n`;
    });
    const whole = `${made.preamble}${parts.join("")}--b--${made.end}`;
    const text = made.hasFeedsOnly ? whole.replaceAll("\r\n", "\n") : whole;
    const at = Math.floor(made.place * text.length);
    return {
      kind: "multipart",
      text: text.slice(0, at) + made.piece + text.slice(at),
      contentType: CONTENT_TYPE,
    };
  });
}

const CONTENT_TYPE = 'multipart/form-data; boundary="b"';

const named = "Content-Disposition: form-data; name=a";

const NASTY_FORMS = [
  "--b--",
  "--b--\n",
  "--b\n\n--b--",
  "--b\n\n--b\t \n\n\n--b-- ",
  `\n${"x".repeat(4_000)}\n--b\n${named}\n\n\n--b--`,
  `--b\n${named}\nX: y\n \n\t\n\nx\n--b--`,
  `--b\n${named}\n\nx\n--b--x`,
  `${"x".repeat(5_000)}\n--b\n${named}\n\n\n--b--`,
  "x",
  "--b",
  "--bb\n\n\n--bb--",
  "--b\n \n\nx\n--b--",
  `--b\n ${named}\n\nx\n--b--`,
  "--b\nA\n\nx\n--b--",
  "--b\n: a\n\nx\n--b--",
  `--b\n${named}\r\n\nx\n--b--`,
  `--b\n${named}\n\nx--b--`,
  `--b\n${named}\n\nx\n--b`,
];

/** What Go takes or passes over: what it is, a text, and the error it gets here. */
const STRICTER_CASES: readonly (readonly [string, Kind, string, RegExp])[] = [
  ["an extended name", "multipart", form("name=a; name*=utf-8''b"), /extended/],
  ["a malformed disposition", "multipart", form("name=a b"), /malformed Content-Disposition/],
  ["a disposition given twice", "multipart", form(`name=a\n${named}`), /header twice/],
  ["a header's name with a space", "multipart", form("name=a\nX : y"), /malformed header/],
  ["an end within a header", "multipart", `--b\n${named}`, /within the header/],
  [
    "an encoded part",
    "multipart",
    form("name=a\nContent-Transfer-Encoding: Base64"),
    /encoded part/,
  ],
  ["an attachment", "multipart", form("name=a").replace("form-data", "attachment"), /no form-data/],
  ["a name with blanks", "multipart", form('name=" a"'), /blanks around/],
  ["a name with a backslash", "multipart", form('name="a\\b"'), /malformed Content-Disposition/],
  [
    "what follows the last delimiter",
    "multipart",
    `${form("name=a")}\n--b\n${named}`,
    /behind the/,
  ],
  ["a delimiter within a preamble", "multipart", `x--b\n${form("name=a")}`, /within its preamble/],
  ["a delimiter's like", "multipart", form("name=a").replace("x", "x\n--bb"), /begins otherwise/],
  ["a header of 16 KiB", "multipart", form(`name=a\nX: ${"x".repeat(16_384)}`), /exceeds 16384/],
  ["1,001 parts", "multipart", `${`--b\n${named}\n\n\n`.repeat(1_001)}--b--`, /1000 parts/],
  ["a null behind JSON", "json", "{} null", /not JSON at character 3/],
  ["JSON that is nested deeper", "json", "[".repeat(65) + "]".repeat(65), /deeper than 64/],
  ["numbers beyond a double", "json", "1e400", /beyond the range/],
  ["numbers of more digits", "json", "1".repeat(1_001), /more than 1000 digits/],
  ["fractions of more digits", "json", `0.${"1".repeat(1_001)}`, /more than 1000 digits/],
  ["numbers that no double is as small as", "json", "1e-400", /beyond the range/],
];

function form(disposition: string): string {
  return `--b\nContent-Disposition: form-data; ${disposition}\n\nx\n--b--`;
}

describe("reading as Go does", () => {
  it("splits and decodes paths and their queries", () => {
    const separators = ["/", "/", "//", "?", "?", "&", "=", ";", "#", ".", ".."];
    const nasty = [
      "",
      "/",
      "//",
      "///admin",
      "?",
      "a?b?c",
      "/a?%",
      "/%?a",
      "/%4g",
      "/%G4",
      "/%4F%4f",
      "*",
      "/a%2Fb%2fc",
      "/ü?ü=ü",
    ];
    const valid = [...encoded.filter((piece) => !/^%(2|zz)?$/.test(piece)), "/", "?", "&", "="];
    const texts = [...nasty, ...textsOf([...encoded, ...separators], 150), ...textsOf(valid, 150)];
    expect(compareWithGo(cases("path", texts))).toBeGreaterThan(150);
  });

  it("reads queries and forms", () => {
    const valid = [...encoded.filter((piece) => !/^%(2|zz)?$/.test(piece)), "&", "&", "=", "="];
    const nasty = [
      "",
      "=",
      "==",
      "&&",
      "a",
      "a=",
      "=a",
      "a=b=c",
      "a;b",
      "a=%3B",
      "a&;",
      "__proto__=1",
    ];
    const long = ["a&".repeat(9_999), "&".repeat(9_999), "&".repeat(10_000), "a=1&".repeat(10_000)];
    const texts = [
      ...nasty,
      ...long,
      ...textsOf(valid, 150),
      ...textsOf([...valid, "%", ";"], 100),
    ];
    expect(compareWithGo(cases("query", texts))).toBeGreaterThan(150);
  });

  it("reads JSON", () => {
    const pieces =
      '{ } [ ] , : " \\ \\" "a" "a": 1 -1 -0 1e5 1.50 9007199254740993 true null'.split(" ");
    const escapes = [
      "\\ud800",
      "\\udc00",
      "\\uD83D\\uDE00",
      "\\\\",
      "\\n",
      "\\ud83d",
      "\\u0041",
      "\\",
    ];
    const strings = textsOf([...escapes, "a", "é", "\u0001", "\ufffd"], 150).map(
      (text) => `"${text}"`,
    );
    const values = fc.sample(fc.json({ stringUnit: "binary" }), { numRuns: 100, seed: SEED });
    const names = strings.map((text, index) => `{${text}:1,${strings.at(-index)}:2,"\\u000a":3}`);
    const nasty = [
      "",
      " ",
      "\ufeff1",
      "1 2",
      "1]",
      "1,",
      "[1,]",
      "01",
      "+1",
      "1.",
      "NaN",
      "'a'",
      "nul",
    ];
    const own = [
      '{"__proto__":1,"__proto__":{"a":[]}}',
      '{"a":1,"a":2}',
      "1".repeat(1_000),
      "\t1\r\n",
    ];
    const broken = textsOf(pieces, 100);
    const all = [...strings, ...values, ...names, ...nasty, ...own, ...broken];
    // Without a body, there is nothing to read.
    const texts = all.filter((text) => text !== "");
    expect(compareWithGo(cases("json", texts))).toBeGreaterThan(200);
  });

  it("replaces bytes of JSON that are not UTF-8", () => {
    const texts = ['"\xff"', '{"a\x80":"\xc3\xa9\xc3"}', '["\xc0\xaf"]', '"\xed\xa0\x80"', "\xff"];
    const wrong = texts.map((text): Case => ({ kind: "json", text }));
    expect(compareWithGo(wrong)).toBe(4);
  });

  it("reads media types and dispositions", () => {
    const pieces =
      'form-data Multipart/Form-Data a / ; ; = " \\ \\" \\a "b" é \u00a0 \u2003 a=b ; boundary='
        .split(" ")
        .concat([" ", "\t", "\r\n", '; name="a b"', ";a=1", ";B=2"]);
    const nasty = [
      "",
      ";",
      "a;",
      "a; ;",
      "a;;",
      'a;b=""',
      "a;b=",
      'a;b="',
      "a/b/c",
      "a;b=1;b=1",
      "a;b=1;b=2",
    ];
    const proto = [
      "a;__proto__=1",
      'a; b="C:\\dir\\f"',
      "a;b={c}",
      "a ; b = c ; ",
      "a b",
      "a;é=1",
      'a;b="\r"',
      'a;b="\0"',
    ];
    const started = textsOf(pieces, 150, 6).map((text) => `form-data${text}`);
    const texts = [...nasty, ...proto, ...textsOf(pieces, 100), ...started];
    expect(compareWithGo(cases("media-type", texts))).toBeGreaterThan(40);
  });

  it("reads multipart forms", () => {
    const valid = formsOf(450, []);
    const broken = formsOf(500, [
      "--b",
      "--b--",
      "--",
      "\r\n",
      "\n",
      "\r",
      " ",
      ":",
      "x",
      '"',
      "\0",
    ]);
    const nasty = NASTY_FORMS.map((text): Case => {
      return { kind: "multipart", text: text.replaceAll("\n", "\r\n"), contentType: CONTENT_TYPE };
    });
    expect(compareWithGo(nasty)).toBe(6);
    expect(compareWithGo(valid)).toBeGreaterThan(100);
    expect(compareWithGo(broken)).toBeGreaterThan(50);
  });

  it.each(STRICTER_CASES)("is stricter than Go: %s", (_what, kind, lines, why) => {
    const text = lines.replaceAll("\n", "\r\n");
    const one: Case = { kind, text, contentType: CONTENT_TYPE };
    expect(answerOf(one)).toMatch(why);
    expect(askGo([one])[0]?.error).toBe(undefined);
  });
});
