import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type EnvoyExample, examplePage, openExample } from "../../support/envoy-example.ts";
import { type ConsoleExample, outputPattern } from "../../support/readme-examples.ts";

/** Runs an example of `examples/envoy/` as its page says, and asks it all that the page shows. */
export function describeExample(
  name: string,
  more: (example: () => EnvoyExample) => void = noMore,
) {
  describe(`examples/envoy/${name}`, () => {
    const shown = examplePage(name).flatMap(({ examples }) => examples);
    let example: EnvoyExample;

    beforeAll(async () => {
      example = await openExample(name);
    });
    afterAll(() => example?.close());

    it("has a bootstrap that Envoy takes as it stands", async () => {
      expect(await example.validate()).toMatch(/ OK$/);
    });

    it("shows answers", () => {
      expect(shown.length).toBeGreaterThan(2);
    });

    it.each(shown)("$command", async (one) => {
      await expectShown(example, [one]);
    });

    more(() => example);
  });
}

/** Asks what a page shows, one after the other. */
export async function expectShown(
  example: EnvoyExample,
  shown: readonly ConsoleExample[],
): Promise<void> {
  for (const { command, output } of shown) {
    expect(await example.run(command), command).toMatch(outputPattern(output));
  }
}

function noMore(): void {}
