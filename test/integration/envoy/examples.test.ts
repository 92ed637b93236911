// The examples of examples/envoy/ before which there is an Envoy alone: the commands of their pages, on
// free ports, and then every `curl` that they show, with the answer that they show.
import { globSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { loadConfig } from "../../../src/config/load-config.ts";
import { type EnvoyExample, examplePage, openExample } from "../../support/envoy-example.ts";
import { httpCall } from "../../support/http-call.ts";
import { fileText } from "../../support/image-root.ts";
import { jwkOf, makeToken, makeTokenKeys } from "../../support/jwt-maker.ts";
import type { MarkdownSection } from "../../support/readme-examples.ts";
import { projectRoot } from "../../support/source-files.ts";
import { describeExample, expectShown } from "./example.contract.ts";

describe("examples/envoy", () => {
  it("lists every example, and each has a page and a bootstrap", () => {
    const cwd = join(projectRoot, "examples/envoy");
    const names = globSync("*/envoy.yaml", { cwd }).map((path) => path.split("/")[0]!);
    expect(globSync("*/README.md", { cwd })).toHaveLength(names.length);
    const listed = [...fileText("examples/envoy/README.md").matchAll(/^\| \[`(.+?)`\]/gm)];
    expect(listed.map(([, name]) => name).sort()).toEqual(names.sort());
  });
});

describeExample("standalone", (example) => {
  it("logs by which decision each request was answered, and why", async () => {
    await example().run("curl -i localhost:10000/logged");
    const line = /\{"decision_id":"[0-9a-f-]{36}",.*"reason":"deny:policy",.*"GET \/logged"/;
    await expect.poll(() => example().envoy.output()).toMatch(line);
  });
});

describeExample("routes");
describeExample("body");
describeExample("rbac");
describeExample("unix-socket");

describeExample("jwt", (example) => {
  const keys = makeTokenKeys("ec", "prime256v1");
  /** The filter `jwt_authn`, as the bootstrap has it. */
  type Filter = {
    providers: { example: { local_jwks: object } };
    rules: { requires: object }[];
  };

  async function restart(change: (filter: Filter) => void): Promise<void> {
    await example().restartEnvoy((text) => {
      const bootstrap = parse(text);
      const manager = bootstrap.static_resources.listeners[0].filter_chains[0].filters[0];
      change(manager.typed_config.http_filters[0].typed_config);
      return JSON.stringify(bootstrap);
    });
  }

  it("lets pass who has shown MFA evidence a moment ago, and has the permission", async () => {
    const key = jwkOf(keys, { kid: "example", alg: "ES256", use: "sig" });
    await restart(({ providers }) => {
      providers.example.local_jwks = { inline_string: `{"keys":[${key}]}` };
    });
    const now = Math.floor(Date.now() / 1_000);
    const payload = { iss: "https://issuer.example", aud: "agents.example", exp: now + 600 };
    const remove = async (claims: object): Promise<number> => {
      const source = { alg: "ES256", header: { kid: "example" }, key: keys.privateKey };
      const token = makeToken({ ...source, payload: { ...payload, ...claims } });
      const headers = { authorization: `Bearer ${token}` };
      const question = { method: "DELETE", path: "/agents/a1", headers };
      return (await httpCall(example().envoy.port, question)).status;
    };
    expect(await remove({ sub: "operator-1", auth_time: now })).toBe(200);
    expect(await remove({ sub: "operator-1", auth_time: now - 3_600 })).toBe(401);
    expect(await remove({ sub: "operator-1", auth_time: now + 86_400 })).toBe(401);
    expect(await remove({ sub: "operator-1" })).toBe(401);
    expect(await remove({ sub: "user-123", auth_time: now })).toBe(403);
    expect(await remove({ sub: "former-1", auth_time: now })).toBe(403);
    expect(await remove({ sub: "", auth_time: now })).toBe(401);
    expect(await remove({ sub: ["operator-1"], auth_time: now })).toBe(401);
  });

  it("answers 401 itself where Envoy lets requests without a token go on", async () => {
    await restart(({ rules }) => {
      const requirements = [{ provider_name: "example" }, { allow_missing: {} }];
      rules[0]!.requires = { requires_any: { requirements } };
    });
    expect(await httpCall(example().envoy.port, { path: "/agents/a1" })).toMatchObject({
      status: 401,
      body: '{"error":"unauthenticated"}',
    });
  });
});

describe("examples/envoy/failure", () => {
  const sections = examplePage("failure");
  const section = (title: string): MarkdownSection["examples"] => {
    const found = sections.find((candidate) => candidate.title === title)?.examples ?? [];
    expect(found.length, title).toBeGreaterThan(1);
    return found;
  };
  let example: EnvoyExample;

  beforeAll(async () => {
    example = await openExample("failure");
  });
  afterAll(() => example?.close());

  it("has a bootstrap that Envoy takes as it stands", async () => {
    expect(await example.validate()).toMatch(/ OK$/);
  });

  it("has two configurations that keep out of each other's way", () => {
    const [one, two] = [1, 2].map((number) => {
      const file = join(projectRoot, `examples/envoy/failure/postern-${number}.yaml`);
      const { grpc, bundle, directory, admin, telemetry } = loadConfig({ file, env: {} }).config;
      const { diagnosticsPort } = telemetry;
      return [grpc.listen[0], bundle.lastGoodFolder, directory.database, admin, diagnosticsPort];
    });
    for (const [index, value] of one!.entries()) expect(value).not.toEqual(two![index]);
  });

  it("answers while both run", async () => {
    await expectShown(example, section("Both run"));
  });

  it("answers while one is gone, whichever is asked", async () => {
    example.servers[0]!.process.kill("SIGKILL");
    for (let count = 0; count < 4; count++) {
      await expectShown(example, section("One is stopped"));
    }
  });

  it("lets nobody through when both are gone", async () => {
    example.servers[1]!.process.kill("SIGKILL");
    await expect
      .poll(() => example.run("curl -i localhost:10000/"))
      .toMatch(/^HTTP\/1.1 503 Service Unavailable/);
    await expectShown(example, section("Both are stopped"));
  });

  it("lets everybody through with `failure_mode_allow`, and tells the service so", async () => {
    await example.restartEnvoy((text) =>
      text.replace(
        /^( *)failure_mode_allow: false$/m,
        "$1failure_mode_allow: true\n$1failure_mode_allow_header_add: true",
      ),
    );
    await expectShown(example, section("With `failure_mode_allow: true`"));
  });
});
