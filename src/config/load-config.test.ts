import { execFileSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ConfigError } from "./config-error.ts";
import { type LoadedConfig, loadConfig, parseConfig } from "./load-config.ts";
import { printConfig } from "./print-config.ts";

function parse(text: string, env: Record<string, string> = {}): LoadedConfig {
  return parseConfig({ text, fileName: "p.yaml", env });
}

function problemsOf(text: string, env: Record<string, string> = {}): string[] {
  try {
    parse(text, env);
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split("\n");
    throw error;
  }
  return [];
}

const refused: readonly [what: string, yaml: string, ...problems: string[]][] = [
  [
    "an unknown key, with the nearest",
    "cache:\n  entry_max: 5\n",
    'p.yaml:2:3: cache: there is no option "entry_max" here; did you mean entries_max?',
  ],
  [
    "a key in the schema's own spelling",
    "cache: { ttlMs: 5 }\n",
    'p.yaml:1:10: cache: there is no option "ttlMs" here; did you mean ttl_ms?',
  ],
  [
    "an unknown section that resembles none",
    "postgres_connection: 1\n",
    'p.yaml:1:1: there is no option "postgres_connection" here; expected one of grpc, ext_authz, ',
  ],
  [
    "a wrong type",
    'cache:\n  ttl_ms: "5"\n',
    'p.yaml:2:11: cache.ttl_ms: "5" is not valid; expected a whole number from 0 to 300000',
  ],
  [
    "a number out of range",
    "telemetry:\n  diagnostics_port: 70000",
    "p.yaml:2:21: telemetry.diagnostics_port: 70000 is not valid; expected a whole number from 0",
  ],
  [
    "a word that is not among the choices",
    "telemetry: { log_level: trace }",
    'p.yaml:1:25: telemetry.log_level: "trace" is not valid; expected one of "debug", "info", ',
  ],
  [
    "a number that is not on the grid",
    "bundle: { memory_max_bytes: 5000001 }",
    "p.yaml:1:29: bundle.memory_max_bytes: 5000001 is not valid; expected a whole number from ",
  ],
  [
    "YAML 1.1's words for booleans",
    "telemetry: { diagnostics_enabled: yes }",
    'p.yaml:1:35: telemetry.diagnostics_enabled: "yes" is not valid; expected true or false',
  ],
  ["a null", "cache: { ttl_ms: ~ }", "p.yaml:1:18: cache.ttl_ms: null is not valid; expected a "],
  [
    "a list for a section",
    "cache: []",
    "p.yaml:1:8: cache: a list is not valid; expected a mapping",
  ],
  [
    "a file that is no mapping",
    "just text",
    'p.yaml:1:1: "just text" is not valid; expected a map',
  ],
  [
    "a mapping for a list",
    "directory: { examples: { a: b } }",
    "p.yaml:1:24: directory.examples: a mapping is not valid; expected a list of at most 100 items",
  ],
  [
    "a wrong item of a list",
    "directory:\n  examples:\n    - a.yaml\n    - 7\n",
    "p.yaml:4:7: directory.examples[1]: 7 is not valid; expected text of 1 or more characters",
  ],
  [
    "a key of a record that is not a name",
    "pipeline: { applications: { Bad_Name: {} } }",
    'p.yaml:1:29: pipeline.applications: the key "Bad_Name" is not valid; expected a key that ',
  ],
  ["an alias", "cache: &a { ttl_ms: 5 }\nbundle: *a", "p.yaml:2:9: bundle: an alias is not valid;"],
  ["a key that is no text", "cache: { 5: 5 }", "p.yaml:1:10: cache: 5 is not valid as a key;"],
  ["a key twice", "cache: {}\ncache: {}\n", 'p.yaml:2:1: the key "cache" is given twice'],
  ["what is not YAML", "cache: {\n", "p.yaml:2:1: "],
  ["a second document", "cache: {}\n---\ncache: {}\n", "p.yaml:2:1: is a second document; "],
  ["the rules of YAML 1.1", "# a\n%YAML 1.1\n---\ncache: {}", "p.yaml:2:1: expected YAML 1.2"],
  [
    "names that objects have anyway",
    "__proto__: {}\nconstructor: {}",
    'p.yaml:1:1: there is no option "__proto__" here',
    'p.yaml:2:1: there is no option "constructor" here',
  ],
  [
    "everything at once",
    "cache:\n  ttl_ms: x\n  foo: 1\ntelemetry:\n  log_level: 5\n",
    "p.yaml:3:3: cache: there is no option",
    'p.yaml:2:11: cache.ttl_ms: "x" is not valid',
    "p.yaml:5:14: telemetry.log_level: 5 is not valid",
  ],
  [
    "limits that contradict each other",
    "bundle:\n  inflated_bytes_max: 65536\n  entry_bytes_max: 65536\n",
    "p.yaml: bundle.compressed_bytes_max: 67108864 is above bundle.inflated_bytes_max, 65536",
  ],
  [
    "a request that could never be held",
    "grpc:\n  held_bytes_max: 2097152\n",
    "p.yaml:2: grpc.held_bytes_max: 2097152 is not above twice grpc.request_bytes_max, 1048576",
  ],
  [
    "candidates that are in force, or copies",
    "bundle: { candidates_folder: ./bundles/, last_good_folder: bundles }",
    "p.yaml:1: bundle.candidates_folder: ./bundles/ is bundle.folder already",
    "p.yaml:1: bundle.candidates_folder: ./bundles/ is bundle.last_good_folder already",
  ],
  [
    "a table of routes here and in a file",
    "ext_authz:\n  rbac:\n    routes_file: a.yaml\n    subject: [{ from: principal }]\n" +
      "    mfa_verified_at: header/b\n    mfa_claim: { from: header/c, values: [mfa] }\n" +
      "    client_address: header/a\n",
    "p.yaml:4: ext_authz.rbac.subject: stands in the file of ext_authz.rbac.routes_file; leave out",
    "p.yaml:5: ext_authz.rbac.mfa_verified_at: stands in",
    "ext_authz.rbac.mfa_claim: stands in",
    "p.yaml:7: ext_authz.rbac.client_address: stands in",
  ],
  [
    "one address for two listeners",
    'grpc: { listen: ["127.0.0.1:8282", "unix:state/control.sock"] }',
    "p.yaml:1: grpc.listen: 127.0.0.1:8282 is the diagnostics port already",
    "p.yaml:1: grpc.listen: state/control.sock is admin.control_socket already",
  ],
  [
    "TLS on a port of somebody else's, without a certificate",
    'grpc: { listen: ["127.0.0.1:1", "tls://127.0.0.1:8282"] }',
    "p.yaml:1: grpc.listen[1]: tls://127.0.0.1:8282 needs grpc.tls.certificate_file and " +
      "grpc.tls.key_file",
    "p.yaml:1: grpc.listen: 127.0.0.1:8282 is the diagnostics port already",
  ],
  [
    "a certificate that no address shows",
    "grpc:\n  tls: { certificate_file: a, key_file: b }\n",
    "p.yaml: grpc.tls: is set, and no address of grpc.listen begins with tls://",
  ],
  [
    "an address that nobody can listen on",
    'grpc:\n  listen: ["127.0.0.1:9191", "127.0.0.1:99999", "unix:"]\n',
    'p.yaml:2: grpc.listen[1]: "127.0.0.1:99999" is not an address to listen on; expected host:port',
    'p.yaml:2: grpc.listen[2]: "unix:" has no socket path; expected unix:/path',
  ],
  [
    "a time zone that does not exist",
    "pipeline:\n  applications:\n    platform:\n      zone: Mars/Base\n",
    'p.yaml:4: pipeline.applications.platform.zone: "Mars/Base" is not known; expected an IANA',
  ],
  [
    "a zone inside the business hours, beside which it belongs",
    "pipeline:\n  applications:\n    a:\n      business_hours:\n        zone: UTC\n",
    'p.yaml:5:9: pipeline.applications.a.business_hours: there is no option "zone" here; it belongs ',
  ],
  [
    "a database URL that is none, without showing it",
    'directory:\n  database: "postgres://u:sec/ret@h/d"\n',
    "p.yaml:2: directory.database: is not well-formed; expected sqlite:<file> or postgres://",
  ],
  [
    "a Redis URL that is none, without showing it",
    'cache:\n  redis: { url: "http://u:secret@h/0" }\n',
    "p.yaml:2: cache.redis.url: is no Redis URL",
  ],
  [
    "a place for spans that is no HTTP URL",
    'telemetry:\n  tracing: { endpoint: "localhost:4317" }\n',
    "p.yaml:2: telemetry.tracing.endpoint: is no HTTP URL; expected http://<host>:<port>/<path>",
  ],
  [
    "a header with a line's end, without showing it",
    'telemetry:\n  tracing: { endpoint: "http://h/", headers: { authorization: "a\\nb: c" } }\n',
    "p.yaml:2:63: telemetry.tracing.headers.authorization: the value is not valid; expected text",
  ],
  [
    "headers that are none, without showing them",
    'telemetry:\n  tracing: { endpoint: "http://h/", headers: "Bearer t0ken" }\n',
    "p.yaml:2:46: telemetry.tracing.headers: the value is not valid; expected a mapping",
  ],
  [
    "a header's name that is none",
    'telemetry:\n  tracing: { endpoint: "http://h/", headers: { "a:b": c } }\n',
    'p.yaml:2:48: telemetry.tracing.headers: the key "a:b" is not valid; expected a key',
  ],
  [
    "examples for a directory that need not be there",
    "directory: { examples: [a.yaml], start_without: true }",
    "p.yaml:1: directory.examples: with directory.start_without: are loaded at start",
  ],
  [
    "business hours that end before they begin",
    "pipeline: { applications: { a: { business_hours: { from: '17:00', to: '09:00' } } } }",
    'p.yaml:1: pipeline.applications.a.business_hours.to: "09:00" is not later than',
  ],
];

describe("loadConfig()", () => {
  it.each(refused)("refuses %s", (_, yaml, ...problems) => {
    const found = problemsOf(yaml);
    expect(found).toHaveLength(problems.length);
    for (const [index, problem] of problems.entries()) {
      expect(found[index]).toContain(problem);
    }
  });

  it("refuses a file that is missing, too large, or not UTF-8", () => {
    const folder = mkdtempSync(join(tmpdir(), "postern-config-"));
    const file = join(folder, "c.yaml");
    expect(() => loadConfig({ file, env: {} })).toThrow(/c\.yaml: can't read .* ENOENT/);
    writeFileSync(file, `# ${"x".repeat(262_144)}`);
    expect(() => loadConfig({ file, env: {} })).toThrow("expected at most 262144");
    writeFileSync(file, Buffer.from([0x23, 0xff, 0x0a]));
    expect(() => loadConfig({ file, env: {} })).toThrow("it is not UTF-8");
  });

  it("refuses a FIFO that nobody writes to, a device and a folder, without waiting", () => {
    const folder = mkdtempSync(join(tmpdir(), "postern-config-"));
    const fifo = join(folder, "c.yaml");
    execFileSync("mkfifo", [fifo]);
    for (const file of [fifo, "/dev/zero", folder]) {
      expect(() => loadConfig({ file, env: {} })).toThrow(`${file}: is not a regular file`);
    }
  });

  it("survives a file that is nested without end", () => {
    const found = problemsOf("[".repeat(20_000));
    expect(found.length).toBeGreaterThan(0);
    expect(found[0]).toMatch(/^p\.yaml:1:\d+: is nested too deep$/);
  });

  it("says at most 50 problems", () => {
    const keys = Array.from({ length: 500 }, (_, i) => `k${i}: 1`);
    expect(problemsOf(keys.join("\n"))).toHaveLength(50);
  });

  it("fills every default, for an empty file and an empty section alike", () => {
    const { config } = parse("");
    expect(config.telemetry).toEqual({
      logLevel: "info",
      logFormat: "auto",
      logBufferMaxBytes: 4_194_304,
      diagnosticsEnabled: true,
      diagnosticsHost: "127.0.0.1",
      diagnosticsPort: 8282,
    });
    expect(config.pipeline.trust.unix.identity).toBe(false);
    expect(parse("telemetry:\n  # log_level: debug\n").config).toEqual(config);
  });

  it("reads snake_case keys, and leaves the operator's own keys as they are", () => {
    const yaml = "pipeline: { applications: { constructor: { mfa_max_age_seconds: 60 } } }";
    const { applications } = parse(yaml).config.pipeline;
    expect(applications["constructor"]).toEqual({
      mfaMaxAgeSeconds: 60,
      zone: "UTC",
      unknownSubjects: "deny",
    });
    expect(applications["toString"]).toBeUndefined();
  });

  it("keeps an optional group away until one of its options is set", () => {
    const yaml = "pipeline: { applications: { a: {}, b: { business_hours: { to: '18:00' } } } }";
    const { applications } = parse(yaml).config.pipeline;
    expect(applications["a"]).not.toHaveProperty("businessHours");
    expect(applications["b"]?.businessHours).toMatchObject({ from: "09:00", to: "18:00" });
  });

  it("is frozen all the way down", () => {
    const { config } = parse("directory: { examples: [a.yaml] }");
    expect(() => (config.directory.examples as string[]).push("b")).toThrow(TypeError);
    expect(() => Object.assign(config.pipeline.trust.loopback, { mfa: true })).toThrow(TypeError);
  });
});

describe("POSTERN_… variables", () => {
  it("go before the file, and the file before the default", () => {
    const { config, origins } = parse("cache: { ttl_ms: 1, fills_max: 2 }", {
      POSTERN_CACHE_TTL_MS: "3",
      POSTERN_DIRECTORY_EXAMPLES: "[a.yaml, b.yaml]",
      POSTERN_PIPELINE_TRUST_LOOPBACK_IDENTITY: "true",
      POSTERN_DIRECTORY_CATALOGUES_FOLDER: "12",
      PATH: "/bin",
    });
    expect(config.cache).toMatchObject({ ttlMs: 3, fillsMax: 2, negativeTtlMs: 2_000 });
    expect(config.directory).toMatchObject({
      examples: ["a.yaml", "b.yaml"],
      cataloguesFolder: "12",
    });
    expect(config.pipeline.trust.loopback).toMatchObject({ identity: true, mfa: false });
    expect(origins.get("cache.ttl_ms")).toBe("POSTERN_CACHE_TTL_MS");
    expect(origins.get("cache.fills_max")).toBe("p.yaml:1");
    expect(origins.get("cache.negative_ttl_ms")).toBe("default");
  });

  it("write a list of texts with commas, or as YAML", () => {
    const listen = (text: string) => parse("", { POSTERN_GRPC_LISTEN: text }).config.grpc.listen;
    expect(listen("[::1]:9191, unix:/a")).toEqual(["[::1]:9191", "unix:/a"]);
    expect(listen('["unix:/a,b"]')).toEqual(["unix:/a,b"]);
  });

  it("set records as a whole", () => {
    const env = { POSTERN_PIPELINE_APPLICATIONS: "{ platform: { zone: Europe/Berlin } }" };
    expect(parse("", env).config.pipeline.applications["platform"]?.zone).toBe("Europe/Berlin");
  });

  it.each([
    ["POSTERN_CACHE_TTL", "5", "no such option; did you mean POSTERN_CACHE_TTL_MS?"],
    ["POSTERN_CACHE", "5", "no such option"],
    ["POSTERN_TELEMETRY_LOGLEVEL", "info", "did you mean POSTERN_TELEMETRY_LOG_LEVEL?"],
    ["POSTERN_CACHE_TTL_MS", "soon", 'cache.ttl_ms: "soon" is not valid; expected a whole number'],
    ["POSTERN_CACHE_TTL_MS", "", "cache.ttl_ms: null is not valid"],
    ["POSTERN_PIPELINE_APPLICATIONS", "{ a", "not readable as YAML"],
    ["POSTERN_GRPC_LISTEN", "", "grpc.listen: a list is not valid; expected a list of 1 to 16"],
    ["POSTERN_GRPC_LISTEN", "127.0.0.1:99999", 'grpc.listen[0]: "127.0.0.1:99999" is not an'],
    ["POSTERN_PIPELINE_APPLICATIONS", "{ a: { zon: UTC } }", "did you mean zone?"],
  ])("refuses %s=%s", (name, value, problem) => {
    const found = problemsOf("", { [name]: value });
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(new RegExp(`^${name}: `));
    expect(found[0]).toContain(problem);
  });

  it("that Kubernetes sets for a Service called postern are not ours", () => {
    const env = {
      POSTERN_SERVICE_HOST: "10.0.0.1",
      POSTERN_SERVICE_PORT_GRPC: "9191",
      POSTERN_PORT: "tcp://10.0.0.1:9191",
      POSTERN_PORT_9191_TCP_ADDR: "10.0.0.1",
      POSTERN_ADMIN_SERVICE_HOST: "10.0.0.1",
    };
    expect(problemsOf("", env)).toEqual([]);
  });
});

describe("printConfig()", () => {
  it("shows a database's URL without its password", () => {
    const loaded = parse("", { POSTERN_DIRECTORY_DATABASE: "postgres://u:se%40cret@h/d" });
    const shown = "database: postgres://u:***@h/d # POSTERN_DIRECTORY_DATABASE\n";
    expect(printConfig(loaded)).toContain(shown);
  });

  it("prints what loads to the same configuration", () => {
    const loaded = parse(
      "pipeline:\n  applications: { a: { business_hours: {} } }\ncache: { ttl_ms: 7 }\n" +
        "directory: { examples: ['# no comment', 'a: b'] }\n",
      { POSTERN_TELEMETRY_LOG_LEVEL: "warn" },
    );
    const printed = printConfig(loaded);
    expect(parse(printed).config).toEqual(loaded.config);
    expect(printed).toContain("  ttl_ms: 7 # p.yaml:3\n");
    expect(printed).toContain("  log_level: warn # POSTERN_TELEMETRY_LOG_LEVEL\n");
    expect(printed).toContain("  log_format: auto # default\n");
  });
});
