import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readSourceFiles } from "../../test/support/source-files.ts";

describe("docs/observability.md", () => {
  const text = readFileSync("docs/observability.md", "utf8");
  const sources = readSourceFiles()
    .filter(({ path }) => path.startsWith("src/") && !path.includes(".test."))
    .map((file) => file.text)
    .join("\n");

  it("names metrics that there are", () => {
    const named = new Set(text.match(/`postern_[a-z_]+`/g));
    expect(named.size).toBeGreaterThan(5);
    const unknown = [...named].filter((name) => !sources.includes(`name: "${name.slice(1, -1)}"`));
    expect(unknown).toEqual([]);
  });

  it("names attributes of spans that there are", () => {
    const named = new Set(text.match(/`postern\.[a-z_.]+`/g));
    expect(named.size).toBe(4);
    expect([...named].filter((name) => !sources.includes(`"${name.slice(1, -1)}"`))).toEqual([]);
  });

  it("is right that nothing of OpenTelemetry is loaded without tracing", () => {
    const product = readSourceFiles().filter(
      ({ path }) => path.startsWith("src/") && !path.includes(".test."),
    );
    const loading = (what: RegExp) =>
      product.filter((file) => what.test(file.text)).map(({ path }) => path);
    const own = ["src/telemetry/otlp-tracer.ts", "src/telemetry/span-queue.ts"];
    expect(loading(/from "@opentelemetry\//).sort()).toEqual(own);
    expect(loading(/from "[^"]*\/span-queue\.ts"/)).toEqual(["src/telemetry/otlp-tracer.ts"]);
    // `import("…")` alone, once it is known that there is something to load it for.
    expect(loading(/from "[^"]*\/otlp-tracer\.ts"/)).toEqual([]);
  });

  it("has every reason of an early refusal", () => {
    const [, table = ""] = /\| `reason` .*?\n(.*?)\n\n/s.exec(text) ?? [];
    const documented = [...table.matchAll(/^\| `([a-z-]+)`/gm)].map(([, reason]) => reason!);
    const declared = readFileSync("src/base/early-refusals.ts", "utf8").matchAll(
      /^ {2}\| "([a-z-]+)"/gm,
    );
    expect(documented).toEqual([...declared].map(([, reason]) => reason));
  });
});
