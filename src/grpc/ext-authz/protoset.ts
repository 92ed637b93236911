import { readFileSync } from "node:fs";
import { createFileRegistry, type FileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

/** Reads `ext_authz.proto_descriptor`. Throws an `Error` that names the option. */
export function readProtoset(path: string | undefined): FileRegistry | undefined {
  if (path === undefined) return undefined;
  try {
    return createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(path)));
  } catch (cause) {
    const name = "ext_authz.proto_descriptor (POSTERN_EXT_AUTHZ_PROTO_DESCRIPTOR)";
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`${name}: ${JSON.stringify(path)} is no protoset that can be read: ${why}`, {
      cause,
    });
  }
}
