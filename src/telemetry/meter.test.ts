import { describe, expect, it } from "vitest";
import { createMeter } from "./meter.ts";

async function linesOf(meter: ReturnType<typeof createMeter>, name: string): Promise<string[]> {
  return (await meter.exposition()).split("\n").filter((line) => line.startsWith(name));
}

describe("createMeter()", () => {
  it("refuses names that don't follow the pattern", () => {
    const meter = createMeter();
    expect(() => meter.counter({ name: "Bad-Name", help: "h" })).toThrow("is not a metric name");
  });

  it("refuses one name for two kinds of instrument", () => {
    const meter = createMeter();
    meter.counter({ name: "postern_a_total", help: "h" });
    expect(() => meter.gauge({ name: "postern_a_total", help: "h" })).toThrow("is a counter");
  });

  it("gives the same instrument for the same name", async () => {
    const meter = createMeter();
    meter.counter({ name: "postern_a_total", help: "h" }).add(1);
    meter.counter({ name: "postern_a_total", help: "h" }).add(2);
    expect(await linesOf(meter, "postern_a_total")).toEqual(["postern_a_total 3"]);
  });

  it("never lets a counter go back", async () => {
    const meter = createMeter();
    const counter = meter.counter({ name: "postern_a_total", help: "h" });
    counter.add(5);
    counter.add(-3);
    counter.add(Number.NaN);
    expect(await linesOf(meter, "postern_a_total")).toEqual(["postern_a_total 5"]);
  });

  it("shows an instrument without labels from the start", async () => {
    const meter = createMeter();
    meter.gauge({ name: "postern_b_bytes", help: "Bytes." });
    expect(await meter.exposition()).toContain(
      "# HELP postern_b_bytes Bytes.\n# TYPE postern_b_bytes gauge\npostern_b_bytes 0",
    );
  });

  it("keeps label values apart, and escapes them", async () => {
    const meter = createMeter();
    const counter = meter.counter({ name: "postern_c_total", help: "h", labels: ["a", "b"] });
    counter.add(1, { a: "x", b: "yz" });
    counter.add(2, { b: "z", a: "xy" });
    counter.add(4, { a: 'q"\n', b: "" });
    expect(await linesOf(meter, "postern_c_total")).toEqual([
      'postern_c_total{a="x",b="yz"} 1',
      'postern_c_total{a="xy",b="z"} 2',
      'postern_c_total{a="q\\"\\n",b=""} 4',
    ]);
  });

  it("bounds the number of series", async () => {
    const meter = createMeter();
    const counter = meter.counter({ name: "postern_d_total", help: "h", labels: ["a"] });
    for (let i = 0; i < 2_500; i += 1) counter.add(1, { a: `v${i}` });
    const lines = await linesOf(meter, "postern_d_total");
    expect(lines).toHaveLength(2_001);
    expect(lines.at(-1)).toBe('postern_d_total{a="other"} 500');
  });

  it("counts a histogram's values up to each bound, bound included", async () => {
    const meter = createMeter();
    const histogram = meter.histogram({
      name: "postern_e_seconds",
      help: "h",
      labels: ["m"],
      buckets: [0.1, 1],
    });
    for (const value of [0.1, 0.5, 7]) histogram.observe(value, { m: "x" });
    expect(await linesOf(meter, "postern_e_seconds")).toEqual([
      'postern_e_seconds_bucket{m="x",le="0.1"} 1',
      'postern_e_seconds_bucket{m="x",le="1"} 2',
      'postern_e_seconds_bucket{m="x",le="+Inf"} 3',
      'postern_e_seconds_sum{m="x"} 7.6',
      'postern_e_seconds_count{m="x"} 3',
    ]);
  });

  it("shows what Node says of the process", async () => {
    expect(await createMeter().exposition()).toMatch(/^process_resident_memory_bytes \d+/m);
  });
});
