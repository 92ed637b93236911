// The part of the WebAssembly JavaScript API that Postern uses. TypeScript ships these types only
// inside its DOM library, which would declare hundreds of globals that Node doesn't have.
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array<ArrayBuffer>);
    private readonly brand;
    static imports(module: Module): { module: string; name: string; kind: string }[];
    static exports(module: Module): { name: string; kind: string }[];
    static customSections(module: Module, name: string): ArrayBuffer[];
  }
  class Memory {
    constructor(descriptor: { initial: number; maximum: number });
    readonly buffer: ArrayBuffer;
    /** Grows by `pages` of 64 KiB; gives the size before, in pages. */
    grow(pages: number): number;
  }
  /** Its value is a bigint if it is of 64 bits. */
  class Global<Value = number | bigint> {
    private readonly brand;
    value: Value;
  }
  type ExportValue = ((...args: number[]) => number) | Global | Memory;
  type ImportValue = ((...args: number[]) => number | undefined) | Memory;
  class Instance {
    constructor(module: Module, imports: Record<string, Record<string, ImportValue>>);
    readonly exports: Readonly<Record<string, ExportValue>>;
  }
  class RuntimeError extends Error {}
  class CompileError extends Error {}
  class LinkError extends Error {}
  function validate(bytes: Uint8Array<ArrayBuffer>): boolean;
  function compile(bytes: Uint8Array<ArrayBuffer>): Promise<Module>;
}
