// What policies see: one or more cases for each part of the input that OPA's Envoy plugin makes.
import { type Attributes, type ContractCase, type Http, sees } from "./contract-case.ts";

const socket = (address: string, port: number): NonNullable<Attributes["source"]> => ({
  address: {
    address: {
      case: "socketAddress",
      value: { address, portSpecifier: { case: "portValue", value: port } },
    },
  },
});

const whole: Attributes = {
  source: {
    ...socket("10.0.0.1", 51_234),
    ...{ service: "web", principal: "spiffe://mesh/ns/web", certificate: "-----BEGIN%20" },
    labels: { app: "web", tier: "front" },
  },
  destination: { ...socket("10.0.0.9", 8_443), principal: "spiffe://mesh/ns/api" },
  request: {
    time: { seconds: 1_764_000_000n, nanos: 5 },
    http: {
      ...{ id: "77", method: "GET", path: "/a?b=c", host: "api.example", scheme: "https" },
      ...{ protocol: "HTTP/2", size: 12n, body: "hello" },
      headers: { ":method": "GET", "x-a": "1,2", cookie: "c=d" },
    },
  },
  contextExtensions: { tenant: "t1" },
  metadataContext: {
    filterMetadata: {
      "envoy.filters.http.jwt_authn": { payload: { sub: "u1", n: 1.5, l: [true] } },
    },
    typedFilterMetadata: { x: { typeUrl: "type.googleapis.com/a.B", value: new Uint8Array([9]) } },
  },
  routeMetadataContext: { filterMetadata: { route: { name: "r" } } },
  tlsSession: { sni: "api.example" },
};

const attributeCases = [
  'input.attributes.source.address.socketAddress.address == "10.0.0.1"',
  "input.attributes.source.address.socketAddress.portValue == 51234",
  "not input.attributes.source.address.socketAddress.protocol",
  'input.attributes.source.service == "web"',
  'input.attributes.source.labels == {"app": "web", "tier": "front"}',
  'input.attributes.source.principal == "spiffe://mesh/ns/web"',
  'input.attributes.source.certificate == "-----BEGIN%20"',
  'input.attributes.destination.principal == "spiffe://mesh/ns/api"',
  "input.attributes.destination.address.socketAddress.portValue == 8443",
  "input.attributes.request.time.seconds == 1764000000",
  "input.attributes.request.time.nanos == 5",
  'input.attributes.request.http.id == "77"',
  'input.attributes.request.http.method == "GET"',
  'input.attributes.request.http.path == "/a?b=c"',
  'input.attributes.request.http.host == "api.example"',
  'input.attributes.request.http.scheme == "https"',
  'input.attributes.request.http.protocol == "HTTP/2"',
  "input.attributes.request.http.size == 12",
  'input.attributes.request.http.body == "hello"',
  'input.attributes.request.http.headers["x-a"] == "1,2"',
  'input.attributes.request.http.headers[":method"] == "GET"',
  "not input.attributes.request.http.query",
  "not input.attributes.request.http.fragment",
  "not input.attributes.request.http.rawBody",
  'input.attributes.contextExtensions.tenant == "t1"',
  'input.attributes.metadataContext.filterMetadata["envoy.filters.http.jwt_authn"].payload.sub == "u1"',
  'input.attributes.metadataContext.filterMetadata["envoy.filters.http.jwt_authn"].payload.n == 1.5',
  'input.attributes.metadataContext.typedFilterMetadata.x.typeUrl == "type.googleapis.com/a.B"',
  'input.attributes.metadataContext.typedFilterMetadata.x.value == "CQ=="',
  'input.attributes.routeMetadataContext.filterMetadata.route.name == "r"',
  'input.attributes.tlsSession.sni == "api.example"',
  'input.source_principal == "spiffe://mesh/ns/web"',
  'input.version == {"ext_authz": "v3", "encoding": "protojson"}',
].map((condition) => sees("input.attributes", condition, { attributes: whole }));

const pathCases = (
  [
    ["/", '[""]'],
    ["", '[""]'],
    ["/a/b", '["a", "b"]'],
    ["/a/b/", '["a", "b", ""]'],
    ["//a", '["a"]'],
    ["/a//b", '["a", "", "b"]'],
    ["/a%2Fb", '["a", "b"]'],
    ["/a%20b+c", '["a b+c"]'],
    ["/a;x=y/b", '["a;x=y", "b"]'],
    ["/..;/admin", '["..;", "admin"]'],
    ["/%C3%A9", '["é"]'],
    ["/a?b=/c", '["a"]'],
    ["/a%3Fb", '["a?b"]'],
  ] as const
).map(([path, value]) => sees("parsed_path", `input.parsed_path == ${value}`, { http: { path } }));

const queryCases = (
  [
    ["/a", "{}"],
    ["/a?", "{}"],
    ["/a?b=c", '{"b": ["c"]}'],
    ["/a?b=c&b=d", '{"b": ["c", "d"]}'],
    ["/a?b", '{"b": [""]}'],
    ["/a?b=", '{"b": [""]}'],
    ["/a?=b", '{"": ["b"]}'],
    ["/a?b=c=d", '{"b": ["c=d"]}'],
    ["/a?b+c=d%20e+f", '{"b c": ["d e f"]}'],
    ["/a?&b=c&&", '{"b": ["c"]}'],
    ["/a?b=%26", '{"b": ["&"]}'],
    ["/a?b?c=d", '{"b?c": ["d"]}'],
    ["/a?__proto__=x", '{"__proto__": ["x"]}'],
  ] as const
).map(([path, value]) =>
  sees("parsed_query", `input.parsed_query == ${value}`, { http: { path } }),
);

const typed = (type: string, body: string, more: Record<string, string> = {}): Http => ({
  ...{ method: "POST", path: "/a", headers: { "content-type": type, ...more }, body },
});
const json = (body: string, more?: Record<string, string>) => typed("application/json", body, more);
/** As Envoy packs a body as bytes. */
const packed = (http: Http): Http => ({
  ...http,
  ...{ body: "", rawBody: Buffer.from(http.body ?? "") },
});
/** More digits than a double keeps. */
const precise = "0.1234567890123456789";
const form = "application/x-www-form-urlencoded";
const parts = [
  '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n',
  '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n2\r\n',
  '--b\r\nContent-Disposition: form-data; name="j"\r\nContent-Type: application/json\r\n\r\n{"x":1}\r\n',
  '--b\r\nContent-Disposition: form-data; name="f"; filename="f.txt"\r\n\r\nfile\r\n--b--\r\n',
].join("");

const bodyCases = (
  [
    ['input.parsed_body == {"a": [1, "b", null, true]}', json('{"a":[1,"b",null,true]}')],
    ["input.parsed_body == 12345678901234567890", json("12345678901234567890")],
    ["input.parsed_body == 1.5", json("1.50")],
    ["input.parsed_body == 0.1234567890123456789", json(precise)],
    ["input.parsed_body != 0.12345678901234568", json(precise)],
    ["input.parsed_body < 1", json("0.9999999999999999999")],
    ["input.parsed_body > 1", json("1.0000000000000000001")],
    ["input.parsed_body == 1", json("1.00000000000000000000")],
    ["input.parsed_body in {1, 2}", json("1.00000000000000000000")],
    ["input.parsed_body > 0", json("5e-324")],
    ["input.parsed_body[0] == input.parsed_body[1]", json("[1.5e-309, 0.00000000000000015E-293]")],
    ["input.parsed_body.a + 1 > 1.1234567890123456", json(`{"a":${precise}}`)],
    // Go formats a double here.
    ['sprintf("%v", [input.parsed_body]) == "0.12345678901234568"', json(precise)],
    ["input.parsed_body * 2 == 0.2469135780246913578", json(precise)],
    ["round(input.parsed_body * 100) == 12", json(precise)],
    ["input.parsed_body != 0.12345678901234567891", json(precise)],
    ["sum(input.parsed_body) == 0.2469135780246913578", json(`[${precise}, ${precise}]`)],
    [
      "sort(input.parsed_body)[0] == 0.1234567890123456788",
      json(`[${precise}, ${precise.slice(0, -1)}8]`),
    ],
    ["json.marshal(input.parsed_body) == `[1234567890.12345678]`", json("[1234567890.12345678]")],
    [
      "to_number(json.marshal(input.parsed_body)) == input.parsed_body",
      json("0.12345678901234567"),
    ],
    ['input.parsed_body.a == "é\\n"', json('{"a":"\\u00e9\\n"}')],
    ["input.parsed_body.a == 2", json('{"a":1,"a":2}')],
    ['input.parsed_body["__proto__"] == 1', json('{"__proto__":1}')],
    ["input.parsed_body == null", json("")],
    ["input.parsed_body == {}", typed("application/json; charset=utf-8", "{}")],
    ["input.parsed_body == null", typed("Application/JSON", "{}")],
    ["input.parsed_body == {}", typed("text/plain; was=application/json", "{}")],
    ["input.parsed_body == null", typed("text/plain", "{}")],
    ["input.parsed_body == null", { method: "POST", path: "/a", body: "{}" }],
    ["input.parsed_body == {}", packed(json("{}"))],
    ['input.parsed_body == {"a": ["1", "2"], "b": [""]}', typed(form, "a=1&a=2&b")],
    ['input.parsed_body == {"a": ["b c"]}', packed(typed(form, "a=b+c"))],
    [
      'input.parsed_body == {"a": ["1", "2"], "j": [{"x": 1}], "f": ["file"]}',
      typed("multipart/form-data; boundary=b", parts),
    ],
    ["input.parsed_body == null", typed("multipart/form-data", parts)],
    ["input.parsed_body == null", typed("application/grpc", "")],
  ] as const
).map(([condition, http]) => sees("parsed_body", condition, { http }));

const truncatedCases = (
  [
    ["input.truncated_body == false", json("{}")],
    ["input.truncated_body == false", json("{}", { "content-length": "2" })],
    ["input.truncated_body == false", json("{}", { "content-length": "-1" })],
    ["input.truncated_body == true", json("{}", { "content-length": "3" })],
    ["input.truncated_body == true", json("{", { "x-envoy-auth-partial-body": "true" })],
    ["input.truncated_body == false", json("{}", { "x-envoy-auth-partial-body": "1" })],
    ["input.parsed_body == null", json("{}", { "content-length": "3" })],
    ["input.truncated_body == false", typed("text/plain", "x", { "content-length": "9" })],
  ] as const
).map(([condition, http]) => sees("truncated_body", condition, { http }));

/** A gRPC message, in a frame that says so many bytes. */
function called(
  message: string,
  { flag = 0, bytes = message.length, method = "Check" } = {},
): Http {
  return {
    ...{ method: "POST", path: `/grpc.health.v1.Health/${method}` },
    headers: { "content-type": "application/grpc" },
    rawBody: Buffer.concat([Buffer.from([flag, 0, 0, 0, bytes]), Buffer.from(message)]),
  };
}

const order = "\n\u0001a";
const protosetCases = (
  [
    ['input.parsed_body == {"service": "a"}', called(order)],
    ['input.parsed_body == {"service": "a"}', called(order, { method: "Watch" })],
    ["input.parsed_body == {}", called("")],
    // The first message alone.
    ['input.parsed_body == {"service": "a"}', called(`${order}\0\0\0\0\0`, { bytes: 3 })],
    ["input.parsed_body == null", called(order, { flag: 1 })],
    ["input.parsed_body == null", called(order, { method: "Other" })],
    ["input.truncated_body == true", called(order, { bytes: 9 })],
    ["input.truncated_body == false", called(order)],
  ] as const
).map(([condition, http]) => sees("proto-descriptor", condition, { http }));

const unparsedCases = [
  "not input.parsed_body",
  "not input.truncated_body",
  'input.parsed_path == ["a"]',
].map((condition) =>
  sees("skip-request-body-parse", condition, { http: json("{"), body: "unparsed" }),
);

/** As Envoy sends them with `encode_raw_headers`: nobody looks into them for a type. */
const rawHeaders: Http = {
  ...{ method: "POST", path: "/a", body: "{}" },
  headerMap: {
    headers: [
      { key: "content-type", rawValue: Buffer.from("application/json") },
      { key: "x-a", rawValue: Buffer.from([0xff]) },
    ],
  },
};
const rawHeaderCases = [
  'input.attributes.request.http.headerMap.headers[1] == {"key": "x-a", "rawValue": "/w=="}',
  "not input.attributes.request.http.headers",
  "input.parsed_body == null",
].map((condition) => sees("encode_raw_headers", condition, { http: rawHeaders }));

/** What Postern says beside the plugin, of paths that the plugin reads as others. */
const saferCases = (
  [
    ["/a%2Fb?c=d", '["a/b"]', true],
    ["//admin", '["", "admin"]', true],
    ["/a/%2e%2e/b", '["a", "..", "b"]', true],
    ["/a;x=y/b", '["a;x=y", "b"]', true],
    ["/a/b%20c", '["a", "b c"]', false],
  ] as const
).flatMap(([path, segments, isAmbiguous]) =>
  [
    `input.raw_path == ${JSON.stringify(path.split("?")[0])}`,
    `input.parsed_path_segments == ${segments}`,
    `input.ambiguous_path == ${isAmbiguous}`,
  ].map((condition) => sees("beside parsed_path", condition, { http: { path } })),
);

const absentCases = [
  sees("absent", "not input.source_principal"),
  sees("absent", "not input.attributes.metadataContext"),
  sees("absent", "not input.attributes.request.http.headers"),
  sees("absent", "not input.attributes.request.http.size", { http: { path: "/", size: 0n } }),
];

/** All of them. */
export const inputCases: readonly ContractCase[] = [
  ...[...attributeCases, ...pathCases, ...queryCases],
  ...[...bodyCases, ...truncatedCases, ...protosetCases, ...unparsedCases],
  ...[...rawHeaderCases, ...saferCases, ...absentCases],
];
