import type { DescFile, DescMessage } from "@bufbuild/protobuf";
import { toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";

/** The files of a protobuf API, findable by what reflection clients ask for. */
export interface DescriptorIndex {
  /** Full names, sorted. */
  readonly services: readonly string[];
  /** The encoded file and everything it imports; `undefined` if there is no such file. */
  byFileName(name: string): readonly Uint8Array[] | undefined;
  /** The same for the file that declares a service, method, message, field, enum or value. */
  bySymbol(name: string): readonly Uint8Array[] | undefined;
  isMessage(name: string): boolean;
}

/** Indexes `files` and everything they import; only services of `files` themselves are listed. */
export function createDescriptorIndex(files: readonly DescFile[]): DescriptorIndex {
  const all = new Map<string, DescFile>();
  const symbols = new Map<string, DescFile>();
  const messages = new Set<string>();

  const addMessage = (file: DescFile, message: DescMessage): void => {
    messages.add(message.typeName);
    symbols.set(message.typeName, file);
    for (const field of message.fields) symbols.set(`${message.typeName}.${field.name}`, file);
    for (const nested of message.nestedEnums) symbols.set(nested.typeName, file);
    for (const nested of message.nestedMessages) addMessage(file, nested);
  };
  for (const file of files.flatMap(withImports)) {
    if (all.has(file.proto.name)) continue;
    all.set(file.proto.name, file);
    for (const message of file.messages) addMessage(file, message);
    for (const enumeration of file.enums) symbols.set(enumeration.typeName, file);
    for (const service of file.services) {
      symbols.set(service.typeName, file);
      for (const method of service.methods) symbols.set(`${service.typeName}.${method.name}`, file);
    }
  }

  const answer = (file: DescFile | undefined): readonly Uint8Array[] | undefined =>
    file && [...new Set(withImports(file))].map((each) => encoded(each));
  return {
    services: files.flatMap((file) => file.services.map(({ typeName }) => typeName)).sort(),
    byFileName: (name) => answer(all.get(name)),
    bySymbol: (name) => answer(symbols.get(name)),
    isMessage: (name) => messages.has(name),
  };
}

/** The file, then what it imports, directly and not: clients refuse a file that lacks an import. */
function withImports(file: DescFile): DescFile[] {
  return [file, ...file.dependencies.flatMap(withImports)];
}

function encoded(file: DescFile): Uint8Array {
  return toBinary(FileDescriptorProtoSchema, file.proto);
}
