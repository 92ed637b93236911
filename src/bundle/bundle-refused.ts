import { quoted as quotedText } from "../base/quoted.ts";

/** At which step a bundle was found unusable; the same words in status, logs and metrics. */
export type BundleStage =
  /** The file itself: name, size, still changing, unreadable. */
  | "read"
  /** gzip and tar. */
  | "container"
  | "manifest"
  | "signature"
  | "data"
  /** The wasm module, its built-ins, its memory. */
  | "policy"
  | "entrypoints"
  | "self-test";

/** The bundle can't come into force; the message tells its author what to change. */
export class BundleRefused extends Error {
  readonly stage: BundleStage;

  constructor(stage: BundleStage, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "BundleRefused";
    this.stage = stage;
  }
}

const SHOWN_MAX = 128;

/** A piece of a bundle as an error text may show it. */
export function quoted(text: string): string {
  return quotedText(text, SHOWN_MAX);
}
