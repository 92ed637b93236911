import { KiB } from "../base/sizes.ts";
import type { JsonValue } from "../decision/json.ts";
import type { Guest } from "./guest.ts";
import { InputWriter } from "./input-writer.ts";
import type { InputDocument } from "./policy.ts";
import { type MemoryRegion, PolicyRefused } from "./prepared-policy.ts";
import { compareInRegoOrder } from "./rego-order.ts";
import { ValueReader } from "./value-reader.ts";

const TEXT_BYTES_MAX = 16 * KiB;
const MEMBERS = 40;

const written: InputDocument = {
  null: null,
  booleans: [true, false],
  numbers: [0, -1, 9007199254740991, 1.5, -1e-7, 1e300, 1764219999123456789n, 2n ** 80n],
  strings: ["", "a", "Zürich \u{1f511}", '\\"\n', "x".repeat(300)],
  nested: { array: [[], {}, [{ a: { b: [] } }]] },
  indices: Array.from({ length: 100 }, (_, index) => index),
};
const writtenText =
  '{"null":null,"booleans":[true,false],"numbers":[0,-1,9007199254740991,1.5,-1e-7,1e+300,' +
  '1764219999123456789,1208925819614629174706176],"strings":["","a","Zürich \u{1f511}",' +
  `"\\\\\\"\\n","${"x".repeat(300)}"],"nested":{"array":[[],{},[{"a":{"b":[]}}]]},` +
  `"indices":[${Array.from({ length: 100 }, (_, index) => index).join(",")}]}`;

const readText =
  '{"a":[null,true,false,-7,0.5],"b":{"c":{},"d":"Zürich \u{1f511}"},' +
  '"e":{"y","x",2,[1]},"f":set()}';
const read: JsonValue = {
  a: [null, true, false, -7, 0.5],
  b: { c: {}, d: "Zürich \u{1f511}" },
  e: [2, "x", "y", [1]],
  f: [],
};

/**
 * Has the module prove that its values lie as `value-layout.ts` says, in both directions: what the
 * host writes, the guest reads and finds by its names; what the guest makes, the host reads. Uses
 * the regions and the heap, and leaves the heap's pointer where it was. Throws `PolicyRefused`.
 */
export function proveLayout(guest: Guest, constants: MemoryRegion, scratch: MemoryRegion): void {
  const { functions, memory } = guest;
  const heap = functions.opa_heap_ptr_get();
  const parse = (text: string): number => {
    const address = functions.opa_malloc(TEXT_BYTES_MAX);
    return functions.opa_value_parse(address, memory.writeText(text, address, TEXT_BYTES_MAX));
  };
  const dump = (value: number): string =>
    memory.terminatedTextAt(functions.opa_value_dump(value), TEXT_BYTES_MAX);
  const writer = new InputWriter(memory, constants);
  // In service the region holds the input before; nothing may depend on fresh memory.
  memory.refresh();
  memory.bytes.fill(0xff, scratch.address, scratch.address + scratch.bytes);

  const names = Array.from({ length: MEMBERS }, (_, index) => `name-${index}-é`);
  const all = (value: boolean): InputDocument =>
    Object.fromEntries(names.map((name) => [name, value]));
  const replaced = writer.write(all(false), 0, scratch);
  for (const name of names) {
    functions.opa_value_add_path(replaced, parse(JSON.stringify([name])), parse("true"));
  }
  const holds =
    dump(replaced) === dump(parse(JSON.stringify(all(true)))) &&
    dump(writer.write(written, 0, scratch)) === dump(parse(writtenText)) &&
    // Once more, since a known shape is written another way.
    dump(writer.write(written, 0, scratch)) === dump(parse(writtenText)) &&
    compareInRegoOrder(new ValueReader(memory, 0).read(parse(readText)), read) === 0;
  functions.opa_heap_ptr_set(heap);
  if (holds) return;
  throw new PolicyRefused("abi", "the module lays its values out in a way unknown to this host");
}
