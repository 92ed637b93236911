import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { loadConfig } from "./load-config.ts";

describe("examples/quickstart.yaml", () => {
  const { config } = loadConfig({ file: "examples/quickstart.yaml", env: {} });

  it("listens on this machine only", () => {
    expect(config.grpc.listen).toEqual(["127.0.0.1:9191"]);
    expect(config.telemetry.diagnosticsHost).toBe("127.0.0.1");
    expect(config.pipeline.trust.network).toMatchObject({ identity: false, mfa: false });
  });

  it("names example files that exist", () => {
    expect(config.directory.examples).toEqual(["examples/quickstart-directory.yaml"]);
    expect(config.directory.examples.filter((file) => !existsSync(file))).toEqual([]);
  });
});

describe("examples/shared.yaml", () => {
  it("is a configuration, of a directory and a Redis that are shared", () => {
    const { config } = loadConfig({ file: "examples/shared.yaml", env: {} });
    expect(config.directory.database).toMatch(/^postgres:/);
    expect(config.cache.redis?.url).toMatch(/^redis:/);
  });
});
