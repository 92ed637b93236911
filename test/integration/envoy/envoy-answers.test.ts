// What Envoy makes of an allow: the encoder's rules for requests, queries and responses stand on it.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { HeaderValueOptionSchema } from "../../../src/grpc/gen/envoy/config/core/v3/base_pb.js";
import { allow } from "../../support/authorization-stub.ts";
import { type HttpQuestion, valuesOf } from "../../support/http-call.ts";
import { openStubbedEnvoy, type StubbedEnvoy } from "../../support/stubbed-envoy.ts";

type Option = MessageInitShape<typeof HeaderValueOptionSchema>;

const PREPARE_TIMEOUT_MS = 300_000;
const ACTIONS = ["APPEND_IF_EXISTS_OR_ADD", "ADD_IF_ABSENT", "OVERWRITE_IF_EXISTS_OR_ADD"] as const;
const ACTION_NAMES = [...ACTIONS, "OVERWRITE_IF_EXISTS"].map((name, value) => ({ name, value }));

let envoy: StubbedEnvoy;
let failOpen: StubbedEnvoy;
beforeAll(async () => {
  const accessLogFormat =
    "%RESPONSE_CODE_DETAILS% %DYNAMIC_METADATA(envoy.filters.http.ext_authz)%";
  envoy = await openStubbedEnvoy({ accessLogFormat });
  failOpen = await openStubbedEnvoy({ accessLogFormat, failureModeAllow: true });
}, PREPARE_TIMEOUT_MS);
afterAll(() => Promise.all([envoy.close(), failOpen.close()]));

const bare = (value: string, key = "x-user"): Option => ({ header: { key, value } });
const set = (value: string, key?: string): Option => ({ ...bare(value, key), append: false });
const add = (value: string, key?: string): Option => ({ ...bare(value, key), append: true });
const withAction = (option: Option, appendAction: number): Option => ({ ...option, appendAction });

const FROM_CLIENT: HttpQuestion = { headers: { "x-user": "client" } };

/** What reaches the upstream of `x-user`. */
async function upstreamUser(headers: readonly Option[], question: HttpQuestion = {}) {
  const { reached } = await envoy.ask(allow({ headers: [...headers] }), question);
  return valuesOf(reached, "x-user");
}

describe("headers of an allow", () => {
  it.each<[string, Option[], string[]]>([
    ["overwrites by a bare option", [bare("a")], ["a"]],
    ["overwrites by append:false", [set("a")], ["a"]],
    ["adds to the client's value by append:true", [add("a"), add("b")], ["client,a,b"]],
    ["keeps the last of several bare options", [bare("a"), bare("b")], ["b"]],
    ["keeps the last of several append:false", [set("a"), set("b")], ["b"]],
    ["joins append:false and the append:true after it", [set("a"), add("b"), add("c")], ["a,b,c"]],
    ["sets before it appends, in whatever order they come", [add("a"), set("b")], ["b,a"]],
    ["sets an empty value, asked to keep it or not", [bare("")], [""]],
    ["lowers names", [bare("a", "X-USER")], ["a"]],
    ["doesn't read raw_value", [{ header: { key: "x-user", rawValue: Buffer.of(97) } }], [""]],
  ])("%s", async (_, options, values) => {
    expect(await upstreamUser(options, FROM_CLIENT)).toEqual(values);
  });

  it("replaces all of a header that the client has sent twice", async () => {
    const twice = { headers: { "x-user": ["first", "second"] } };
    expect(await upstreamUser([set("a"), add("b")], twice)).toEqual(["a,b"]);
  });

  it("drops append:true of a header that the client hasn't sent", async () => {
    expect(await upstreamUser([add("a"), add("b")])).toEqual([]);
  });

  it.each([...ACTION_NAMES, { name: "an unknown one", value: 9 }])(
    "doesn't read append_action: $name",
    async ({ value }) => {
      expect(await upstreamUser([withAction(bare("a"), value)], FROM_CLIENT)).toEqual(["a"]);
      expect(await upstreamUser([withAction(bare("a"), value)])).toEqual(["a"]);
      expect(await upstreamUser([withAction(add("a"), value)], FROM_CLIENT)).toEqual(["client,a"]);
      expect(await upstreamUser([withAction(add("a"), value)])).toEqual([]);
    },
  );

  it("joins cookies by a semicolon", async () => {
    const headers = [set("a=1", "cookie"), add("b=2", "cookie")];
    const { reached } = await envoy.ask(allow({ headers }));
    expect(valuesOf(reached, "cookie")).toEqual(["a=1; b=2"]);
  });

  it.each([bare("a"), set("a"), add("a")])("removes after it has set: $append", async (option) => {
    const answer = allow({ headers: [option], headersToRemove: ["X-User"] });
    expect(valuesOf((await envoy.ask(answer, FROM_CLIENT)).reached, "x-user")).toEqual([]);
  });

  it("removes neither pseudo-headers nor host", async () => {
    const headersToRemove = [":method", ":path", ":authority", "host", "", "a\r\nb"];
    const { reached } = await envoy.ask(allow({ headersToRemove }), { path: "/p" });
    expect(reached).toMatchObject({ method: "GET", url: "/p" });
    expect(valuesOf(reached, "host")).toEqual([`127.0.0.1:${envoy.port}`]);
  });

  it("rewrites the request by pseudo-headers and host", async () => {
    const headers = [bare("/other", ":path"), bare("DELETE", ":method"), bare("else", "host")];
    const { reached } = await envoy.ask(allow({ headers }));
    expect(reached).toMatchObject({ method: "DELETE", url: "/other" });
    expect(valuesOf(reached, "host")).toEqual(["else"]);
  });

  it("cuts a body where a content-length says", async () => {
    const post = { method: "POST", body: "hello" };
    const { reached } = await envoy.ask(allow({ headers: [bare("1", "content-length")] }), post);
    expect(reached?.body).toBe("h");
  });

  it("breaks the frame of a body by a transfer-encoding", async () => {
    const post = { method: "POST", body: "hello" };
    const answer = allow({ headers: [bare("chunked", "transfer-encoding")] });
    expect(await envoy.ask(answer, post)).toMatchObject({ status: 400, reached: undefined });
  });

  it.each(["a\r\nx-forged: 1", "a\nb", "a\rb", "a\0b", "a\x01b", "a\x7fb"])(
    "answers 503, fail open or not, to the value %j",
    async (value) => {
      for (const server of [envoy, failOpen]) {
        const { status, body, reached } = await server.ask(allow({ headers: [bare(value)] }));
        expect(reached).toBeUndefined();
        expect([status, body]).toEqual([503, "invalid header value for: x-user"]);
      }
    },
  );

  it.each(["x user", "x:user", "x-a: 1\r\nx-forged", "x-ë"])(
    "answers 503 to the name %j",
    async (name) => {
      const answer = await envoy.ask(allow({ headers: [bare("a", name)] }));
      expect(answer).toMatchObject({ status: 503, reached: undefined });
    },
  );

  it("sends an empty name on as a malformed line", async () => {
    const { status, reached } = await envoy.ask(allow({ headers: [bare("a", "")] }));
    expect([status, reached]).toEqual([400, undefined]);
  });

  it("sends a tab and UTF-8 on as they are", async () => {
    const [value] = await upstreamUser([bare("a\tzoë")]);
    expect(Buffer.from(value!, "latin1").toString()).toBe("a\tzoë");
  });

  it.each<[string, (size: number) => Option[], number, number]>([
    ["100 headers, the request's own included", numbered, 94, 95],
    ["60 KiB of headers", (size) => [bare("a".repeat(size))], 1_024, 61_440],
  ])("answers 500, fail open or not, beyond %s", async (_, headers, enough, tooMany) => {
    const fits = await envoy.ask(allow({ headers: headers(enough) }));
    expect(fits.status).toBe(200);
    for (const server of [envoy, failOpen]) {
      const { status, reached } = await server.ask(allow({ headers: headers(tooMany) }));
      expect([status, reached]).toEqual([500, undefined]);
      expect(await server.logged()).toMatch(/^ext_authz_invalid /);
    }
  });
});

function numbered(count: number): Option[] {
  return Array.from({ length: count }, (_, index) => bare("a", `x-${index}`));
}

describe("response_headers_to_add", () => {
  const cookies = (make: typeof bare) => [make("a=1", "set-cookie"), make("b=2", "set-cookie")];
  it.each<[string, Option[], string[]]>([
    ["gives both of two bare options", cookies(bare), ["a=1", "b=2"]],
    ["gives both of two append:true", cookies(add), ["a=1", "b=2"]],
    ["gives the last of two append:false", cookies(set), ["b=2"]],
    [
      "sets after it has appended, in whatever order they come",
      [set("a=1", "set-cookie"), add("b=2", "set-cookie")],
      ["a=1"],
    ],
  ])("%s", async (_, responseHeadersToAdd, values) => {
    const answer = await envoy.ask(allow({ responseHeadersToAdd }));
    expect(answer.status).toBe(200);
    expect(valuesOf(answer, "set-cookie")).toEqual(values);
  });

  it.each([
    { action: 0, over: ["application/json,text/x"], anew: ["v"] },
    { action: 1, over: ["application/json"], anew: ["v"] },
    { action: 2, over: ["text/x"], anew: ["v"] },
    { action: 3, over: ["text/x"], anew: [] },
    { action: 9, over: ["application/json"], anew: [] },
  ])("reads append_action $action if append isn't set", async ({ action, over, anew }) => {
    const options = [bare("text/x", "content-type"), bare("v", "x-new")];
    const responseHeadersToAdd = options.map((option) => withAction(option, action));
    const answer = await envoy.ask(allow({ responseHeadersToAdd }));
    expect(valuesOf(answer, "content-type")).toEqual(over);
    expect(valuesOf(answer, "x-new")).toEqual(anew);
  });

  it.each(ACTION_NAMES)("doesn't read append_action beside append: $name", async ({ value }) => {
    const given = async (option: Option) => {
      const responseHeadersToAdd = [withAction(option, value)];
      return valuesOf(await envoy.ask(allow({ responseHeadersToAdd })), "content-type");
    };
    expect(await given(set("text/x", "content-type"))).toEqual(["text/x"]);
    expect(await given(add("text/x", "content-type"))).toEqual(["application/json,text/x"]);
  });

  it("gives an empty value, asked to keep it or not", async () => {
    const answer = await envoy.ask(allow({ responseHeadersToAdd: [bare("", "x-new")] }));
    expect(valuesOf(answer, "x-new")).toEqual([""]);
  });

  it("changes the status by :status", async () => {
    const answer = await envoy.ask(allow({ responseHeadersToAdd: [set("418", ":status")] }));
    expect(answer).toMatchObject({ status: 418, reached: { method: "GET" } });
  });

  it.each([bare("a\r\nx-forged: 1", "x-new"), bare("1", "x-new: a\r\nx-forged")])(
    "lets a header be forged by CR and LF: $header",
    async (option) => {
      const answer = await envoy.ask(allow({ responseHeadersToAdd: [option] }));
      expect(valuesOf(answer, "x-forged")).toEqual(["1"]);
    },
  );

  it.each([
    ...["a\nb", "a\rb", "a\0b"].map((value) => bare(value, "x-new")),
    ...["x new", ""].map((name) => bare("a", name)),
    set("3", "content-length"),
  ])("makes an answer that can't be read of $header", async (option) => {
    const asked = envoy.ask(allow({ responseHeadersToAdd: [option] }));
    await expect(asked).rejects.toThrow(/Parse Error/);
  });
});

describe("query_parameters_to_set", () => {
  it.each<[string, string, [string, string][], string]>([
    ["adds one", "/p", [["a", "1"]], "/p?a=1"],
    [
      "replaces all of its name, and keeps others",
      "/p?b=2&a=0&b=1&a=3",
      [["a", "1"]],
      "/p?a=1&b=2&b=1",
    ],
    [
      "keeps the last of one name",
      "/p",
      [
        ["a", "1"],
        ["a", "2"],
      ],
      "/p?a=2",
    ],
    ["takes & for the end of a value", "/p", [["a", "x&y=1"]], "/p?a=x&y=1"],
    ["takes & for the end of a name", "/p", [["a&b", "1"]], "/p?a&b=1"],
    ["leaves %26 as it is", "/p", [["a", "x%26y"]], "/p?a=x%26y"],
    ["encodes nothing", "/p", [["a", "=+#%"]], "/p?a==+#%"],
    ["compares names as they are written", "/p?%61=0&A=1", [["a", "2"]], "/p?%61=0&A=1&a=2"],
    [
      "sorts, and completes what it doesn't set",
      "/p?c&b=%2f&&c=1",
      [["a", "1"]],
      "/p?=&a=1&b=%2f&c=&c=1",
    ],
  ])("%s", async (_, path, pairs, url) => {
    const queryParametersToSet = pairs.map(([key, value]) => ({ key, value }));
    const { reached } = await envoy.ask(allow({ queryParametersToSet }), { path });
    expect(reached?.url).toBe(url);
  });

  it.each<[string, number]>([
    ["x y", 400],
    ["zoë", 400],
    ["x\r\nx-forged: 1", 503],
  ])("makes a request that can't be sent on of %j", async (value, status) => {
    const answer = await envoy.ask(allow({ queryParametersToSet: [{ key: "a", value }] }));
    expect(answer).toMatchObject({ status, reached: undefined });
  });

  it("yields to query_parameters_to_remove", async () => {
    const mutations = { queryParametersToSet: [{ key: "a" }], queryParametersToRemove: ["a"] };
    const { reached } = await envoy.ask(allow(mutations), { path: "/p?a=0&b=1" });
    expect(reached?.url).toBe("/p?b=1");
  });

  it("leaves a query that it has nothing to do with byte for byte", async () => {
    const path = "/p?c&b=%2f&&c=1;k";
    expect((await envoy.ask(allow(), { path })).reached?.url).toBe(path);
  });
});
