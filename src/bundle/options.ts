import { type Static, Type } from "typebox";
import { KiB, MiB } from "../base/sizes.ts";

const WASM_PAGE_BYTES = 64 * KiB;

/** How much of a bundle is read at most; an attempt to exceed one of these refuses the bundle. */
const limitProperties = {
  compressedBytesMax: Type.Integer({
    description: "Size of a bundle file, in bytes.",
    default: 64 * MiB,
    minimum: KiB,
    maximum: 1024 * MiB,
    reason: "Far above a real bundle, and read into memory without trouble.",
  }),
  inflatedBytesMax: Type.Integer({
    description: "Size of a bundle after decompression, in bytes.",
    default: 256 * MiB,
    minimum: 64 * KiB,
    maximum: 1024 * MiB,
    reason: "Four times the compressed limit; the whole archive is held in memory while read.",
  }),
  inflationRatioMax: Type.Integer({
    description:
      "Decompressed bytes per compressed byte. The first MiB may exceed it, since tar pads.",
    default: 200,
    minimum: 10,
    maximum: 1032,
    reason: "Policies and data compress 3 to 50 times; a bomb approaches gzip's limit of 1,032.",
  }),
  entriesMax: Type.Integer({
    description: "Files and directories in a bundle.",
    default: 10_000,
    minimum: 4,
    maximum: 1_000_000,
    reason: "`opa build` writes one file per Rego module and three more.",
  }),
  entryBytesMax: Type.Integer({
    description: "Size of one file in a bundle, in bytes.",
    default: 128 * MiB,
    minimum: 64 * KiB,
    maximum: 1024 * MiB,
    reason: "Half of a whole bundle.",
  }),
  dataBytesMax: Type.Integer({
    description: "Size of the base document as JSON text, in bytes.",
    default: 32 * MiB,
    minimum: KiB,
    maximum: 256 * MiB,
    reason: "JSON grows about 14 times in a policy's memory: 32 MiB fill `memory_max_bytes`.",
  }),
  memoryMaxBytes: Type.Integer({
    description: "Memory that one application's policy may use, in bytes; whole pages of 64 KiB.",
    default: 512 * MiB,
    minimum: 4 * MiB,
    maximum: 1024 * MiB,
    multipleOf: WASM_PAGE_BYTES,
    reason: "Holds the largest base document, and stops a policy that allocates without end.",
  }),
};

/** Options of `bundle/`. */
export const bundleOptionsSchema = Type.Object(
  {
    folder: Type.String({
      description: "Folder whose `<application>.tar.gz` files are served and watched.",
      default: "bundles",
      minLength: 1,
      reason: "Where `npm start` finds the bundles that ship.",
    }),
    lastGoodFolder: Type.String({
      description: "Folder with a copy of each bundle that was last in force.",
      default: "state/bundles",
      minLength: 1,
      reason: "Beside the rest of what Postern itself writes.",
    }),
    candidatesFolder: Type.Optional(
      Type.String({
        description:
          "Folder whose `<application>.tar.gz` files are candidates: evaluated beside the bundle in " +
          "force, compared with it (`postern shadow report`), and never heeded.",
        minLength: 1,
        reason: "Off unless asked for: a candidate takes as much memory as a bundle in force.",
      }),
    ),
    pollIntervalMs: Type.Integer({
      description: "Time between two looks at the folder, in milliseconds.",
      default: 1_000,
      minimum: 50,
      maximum: 60_000,
      reason: "File events are lost silently when inotify overflows and on network file systems.",
    }),
    settleMs: Type.Integer({
      description: "How long a file must stay the same before it is read, in milliseconds.",
      default: 100,
      minimum: 100,
      maximum: 10_000,
      reason: "Tells a finished write from one in progress without delaying an activation.",
    }),
    bundlesMax: Type.Integer({
      description: "Applications served at the same time.",
      default: 100,
      minimum: 1,
      maximum: 10_000,
      reason: "Each has a policy in memory.",
    }),
    prepareTimeoutMs: Type.Integer({
      description: "Time to read and compile a bundle, in milliseconds.",
      default: 60_000,
      minimum: 1_000,
      maximum: 600_000,
      reason: "The largest bundle takes seconds; a reader that is led into a loop is stopped.",
    }),
    selfTestTimeoutMs: Type.Integer({
      description: "Time for a bundle's own cases and its warm-up together, in milliseconds.",
      default: 10_000,
      minimum: 100,
      maximum: 600_000,
      reason: "Thousands of cases take milliseconds.",
    }),
    warmUpEvaluations: Type.Integer({
      description: "Evaluations before a policy comes into force.",
      default: 200,
      minimum: 1,
      maximum: 100_000,
      reason: "Enough for V8 to compile the module's hot functions; a few milliseconds.",
    }),
    ...limitProperties,
  },
  { additionalProperties: false },
);

/** Options of `bundle/`. */
export type BundleOptions = Static<typeof bundleOptionsSchema>;

/** The part of the options that bounds what is read of one bundle. */
export type BundleLimits = Pick<BundleOptions, keyof typeof limitProperties>;
