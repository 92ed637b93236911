import { hostBuiltins } from "./builtins/registry.ts";
import { type Guest, instantiateGuest } from "./guest.ts";
import { GuestVariables } from "./guest-variables.ts";
import { createHostCalls } from "./host-calls.ts";
import { KeptDocuments } from "./kept-documents.ts";
import type { Policy } from "./policy.ts";
import type { PreparedPolicy } from "./prepared-policy.ts";
import { createWasmPolicy } from "./wasm-policy.ts";

/** How a policy is taken over without holding up what the thread is there for. */
export interface LoadOptions {
  /** Resolves once the event loop has had a turn. */
  readonly yieldToLoop: () => Promise<void>;
  /** Bytes of the image copied between two turns. */
  readonly chunkBytes: number;
  /** Most heap that kept documents may take; at most half of what the data leaves is used. */
  readonly keptBytesMax: number;
  /** Most steps of an evaluation (`wasm-steps.ts`, `builtins/limits.ts`). */
  readonly stepsMax: number;
}

/** Makes a prepared policy ready to evaluate in this thread. */
export async function loadPolicy(prepared: PreparedPolicy, options: LoadOptions): Promise<Policy> {
  const { module, image, layout, memoryMaxBytes } = prepared;
  const hostCalls = createHostCalls(
    // Preparation has refused policies that name others.
    new Map([...layout.builtins].map(([id, name]) => [id, hostBuiltins.get(name)!])),
  );
  const guest = instantiateGuest({
    module,
    limits: { initialBytes: layout.memoryBytes, maximumBytes: memoryMaxBytes },
    hostCalls,
  });
  await copyImage(guest, image, options);
  const stepsMax = BigInt(options.stepsMax);
  const keptDocuments = new KeptDocuments({
    guest,
    stepsMax,
    scratch: layout.scratch,
    heapAddress: layout.heapAddress,
    // The other half is for evaluations, so that kept documents can't starve them.
    bytesMax: Math.min(options.keptBytesMax, (memoryMaxBytes - layout.heapAddress) / 2),
  });
  const variables = new GuestVariables(guest.memory, image.slice(0, layout.contextAddress));
  return createWasmPolicy({ guest, hostCalls, keptDocuments, layout, variables, stepsMax });
}

/** The image holds the allocator's own variables too, so that the copy is all there is to it. */
async function copyImage(
  guest: Guest,
  image: Uint8Array<ArrayBuffer>,
  { yieldToLoop, chunkBytes }: LoadOptions,
): Promise<void> {
  for (let start = 0; start < image.length; start += chunkBytes) {
    guest.memory.bytes.set(image.subarray(start, start + chunkBytes), start);
    await yieldToLoop();
  }
}
