/** The hand-over between the worker thread that prepares a policy and the thread that serves it. */

/** What a policy is made of. */
export interface PolicySource {
  readonly wasm: Uint8Array<ArrayBuffer>;
  /** JSON text of the whole base document, the host's part included. */
  readonly data: string;
  /** Most that the policy's memory may ever grow to; a multiple of 64 KiB. */
  readonly memoryMaxBytes: number;
}

/** A compiled policy with its data in place. Can be posted between threads (`transferList`). */
export interface PreparedPolicy {
  readonly module: WebAssembly.Module;
  /** The used part of linear memory, data loaded, nothing else on the heap. */
  readonly image: Uint8Array<ArrayBuffer>;
  /** Addresses and numbers that go with the image. */
  readonly layout: PolicyLayout;
  readonly memoryMaxBytes: number;
}

/** Where things are in the image. */
export interface PolicyLayout {
  readonly dataAddress: number;
  /** The evaluation context, used by one evaluation after the other. */
  readonly contextAddress: number;
  /** Room for the values that every input is built of: constants and member names. */
  readonly constants: MemoryRegion;
  /** Room for texts and inputs on their way in. */
  readonly scratch: MemoryRegion;
  /** First free byte; everything above belongs to evaluations and kept documents. */
  readonly heapAddress: number;
  /** Size of linear memory as the image's allocator knows it; a multiple of 64 KiB. */
  readonly memoryBytes: number;
  /** Entrypoint path → number. */
  readonly entrypoints: ReadonlyMap<string, number>;
  /** Number → name of the built-ins the host provides. */
  readonly builtins: ReadonlyMap<number, string>;
}

/** A piece of linear memory that the host owns. */
export interface MemoryRegion {
  readonly address: number;
  readonly bytes: number;
}

/** At which step a policy was found unusable. */
export type PolicyStage = "compile" | "abi" | "builtins" | "entrypoints" | "data" | "memory";

/** The policy can't be run here; the message tells its author what to change. */
export class PolicyRefused extends Error {
  readonly stage: PolicyStage;

  constructor(stage: PolicyStage, message: string) {
    super(message);
    this.name = "PolicyRefused";
    this.stage = stage;
  }
}
