import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    // Machines are shared: what takes three seconds on a calm one has taken thirty.
    testTimeout: 90_000,
    // The first to need Envoy, or Python's gRPC, installs it.
    hookTimeout: 300_000,
    expect: { poll: { timeout: 15_000 } },
    pool: "forks",
    coverage: {
      provider: "v8",
      include: ["src/**/*.ts"],
      exclude: ["src/grpc/gen/**"],
      // Files only, so that the summary of the tests stays the last thing on the page.
      reporter: ["html", "json-summary"],
      thresholds: { lines: 95, branches: 92, functions: 95 },
    },
  },
});
