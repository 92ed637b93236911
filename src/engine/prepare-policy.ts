import { readJson } from "../base/read-json.ts";
import { KiB, MiB } from "../base/sizes.ts";
import type { JsonValue } from "../decision/json.ts";
import { hostBuiltins } from "./builtins/registry.ts";
import { type Guest, instantiateGuest } from "./guest.ts";
import { failureText, isOutOfMemory } from "./guest-failure.ts";
import { createHostCalls } from "./host-calls.ts";
import { INPUT_CONSTANTS_BYTES } from "./input-writer.ts";
import { proveLayout } from "./layout-self-test.ts";
import {
  type MemoryRegion,
  type PolicyLayout,
  PolicyRefused,
  type PolicySource,
  type PreparedPolicy,
} from "./prepared-policy.ts";
import { ValueReader } from "./value-reader.ts";
import { adaptModule } from "./wasm-module.ts";

/** Most memory that a policy may be given; addresses have to stay positive 32-bit numbers. */
export const MEMORY_BYTES_MAX = 1024 * MiB;

/** Least room for inputs: those of the usual size take 6 KiB. */
const SCRATCH_BYTES_MIN = 64 * KiB;

/**
 * Compiles a policy, checks that it can run here, and loads its data. Takes as long as compiling
 * and parsing take, so it belongs into a worker. Throws `PolicyRefused`.
 */
export async function preparePolicy(source: PolicySource): Promise<PreparedPolicy> {
  const { memoryMaxBytes } = source;
  const { wasm, memoryMinBytes } = adaptModule(source.wasm);
  if (memoryMaxBytes > MEMORY_BYTES_MAX || memoryMinBytes > memoryMaxBytes) {
    throw new PolicyRefused(
      "memory",
      `the policy starts with ${memoryMinBytes} bytes of memory; its maximum is ` +
        `${memoryMaxBytes}, which may be ${MEMORY_BYTES_MAX} at most`,
    );
  }
  checkData(source.data);
  const module = await compile(wasm);
  const guest = instantiateGuest({
    module,
    limits: { initialBytes: memoryMinBytes, maximumBytes: memoryMaxBytes },
    hostCalls: createHostCalls(new Map()),
  });
  const layout = inGuest(memoryMaxBytes, () => loadData(guest, source.data));
  const { bytes } = guest.memory;
  return { module, image: bytes.slice(0, layout.heapAddress), layout, memoryMaxBytes };
}

async function compile(wasm: Uint8Array<ArrayBuffer>): Promise<WebAssembly.Module> {
  try {
    return await WebAssembly.compile(wasm);
  } catch (error) {
    const reason = failureText(error);
    throw new PolicyRefused("compile", `the module does not compile: ${reason}`);
  }
}

/** The guest would take sets and trailing text; and an abort doesn't say what is wrong. */
function checkData(data: string): void {
  let value: unknown;
  try {
    value = readJson(data);
  } catch (error) {
    throw new PolicyRefused("data", `the data is not JSON: ${(error as Error).message}`);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return;
  throw new PolicyRefused("data", "the data is not a JSON object");
}

/** Turns what the guest throws while it is prepared into a refusal. */
function inGuest<T>(memoryMaxBytes: number, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof PolicyRefused) throw error;
    if (isOutOfMemory(error)) {
      throw new PolicyRefused("memory", `the data needs more memory than ${memoryMaxBytes} bytes`);
    }
    const reason = failureText(error);
    throw new PolicyRefused("data", `the policy's data can't be loaded: ${reason}`);
  }
}

/**
 * Lays the memory out: `| stack | constants | context | the writer's constants | scratch | data |
 * heap →`. The data's text goes through the scratch region, so that it leaves nothing behind.
 */
function loadData(guest: Guest, data: string): PolicyLayout {
  const { functions, memory } = guest;
  const contextAddress = functions.opa_eval_ctx_new();
  const constants = region(guest, INPUT_CONSTANTS_BYTES);
  const scratch = region(guest, Math.max(SCRATCH_BYTES_MIN, Buffer.byteLength(data)));
  const heapStart = functions.opa_heap_ptr_get();
  proveLayout(guest, constants, scratch);
  const reader = new ValueReader(memory, 0);
  const builtins = new Map(
    numbered(reader.read(functions.builtins())).map(([name, id]) => [id, name]),
  );
  checkBuiltins([...builtins.values()]);
  const entrypoints = new Map(numbered(reader.read(functions.entrypoints())));
  if (entrypoints.size === 0) throw new PolicyRefused("entrypoints", "the policy has none");

  functions.opa_heap_ptr_set(heapStart);
  const length = memory.writeText(data, scratch.address, scratch.bytes);
  const dataAddress = functions.opa_json_parse(scratch.address, length);
  functions.opa_eval_ctx_set_data(contextAddress, dataAddress);
  const heapAddress = functions.opa_heap_ptr_get();
  memory.refresh();
  return {
    dataAddress,
    contextAddress,
    constants,
    scratch,
    heapAddress,
    memoryBytes: memory.bytes.length,
    entrypoints,
    builtins,
  };
}

function region(guest: Guest, bytes: number): MemoryRegion {
  return { address: guest.functions.opa_malloc(bytes), bytes };
}

/** The members of an object of numbers, as the guest names entrypoints and built-ins. */
function numbered(value: JsonValue): [string, number][] {
  return Object.entries(value as Record<string, number>);
}

function checkBuiltins(names: readonly string[]): void {
  const missing = names.filter((name) => !hostBuiltins.has(name)).sort();
  if (missing.length === 0) return;
  throw new PolicyRefused(
    "builtins",
    `the policy calls built-ins that are not available here: ${missing.join(", ")}`,
  );
}
