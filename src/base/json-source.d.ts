// JSON.parse source text access (ECMA-262, stage 4), which TypeScript's library lacks.
interface JSON {
  parse(
    text: string,
    reviver:
      | ((this: unknown, key: string, value: unknown, context: { source?: string }) => unknown)
      | undefined,
  ): unknown;
  /** An object that `JSON.stringify` writes as `text`, which is a JSON text of a primitive. */
  rawJSON(text: string): object;
  isRawJSON(value: unknown): boolean;
}
