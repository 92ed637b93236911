import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { type ServiceError, status } from "@grpc/grpc-js";
import { afterEach, describe, expect, it } from "vitest";
import { createGrpcBench } from "../../test/support/grpc-bench.ts";
import {
  ServerReflectionRequestSchema,
  type ServerReflectionResponse,
  ServerReflectionResponseSchema,
} from "./gen/grpc/reflection/v1/reflection_pb.js";

type Question = MessageInitShape<typeof ServerReflectionRequestSchema>["messageRequest"];

const { connected, close } = createGrpcBench();
afterEach(close);

async function open(version = "v1") {
  const client = await connected();
  const call = client.inner.makeBidiStreamRequest(
    `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
    (bytes: Uint8Array) => Buffer.from(bytes),
    (bytes: Buffer) => fromBinary(ServerReflectionResponseSchema, bytes),
  );
  // Streams that a test leaves open break when its server goes.
  call.on("error", () => {});
  const ask = (messageRequest: Question) =>
    new Promise<ServerReflectionResponse["messageResponse"]>((resolve) => {
      call.once("data", (answer: ServerReflectionResponse) => resolve(answer.messageResponse));
      const request = create(ServerReflectionRequestSchema, { messageRequest: messageRequest! });
      call.write(toBinary(ServerReflectionRequestSchema, request));
    });
  return { call, ask };
}

/** Names of the files in an answer, in order. */
function fileNames(answer: ServerReflectionResponse["messageResponse"]): string[] {
  if (answer.case !== "fileDescriptorResponse") throw new Error(`got ${answer.case}`);
  return answer.value.fileDescriptorProto.map(
    (bytes) => fromBinary(FileDescriptorProtoSchema, bytes).name,
  );
}

describe("createReflectionHandler()", () => {
  it.each(["v1", "v1alpha"])("lists the services in %s", async (version) => {
    const { call, ask } = await open(version);
    const answer = await ask({ case: "listServices", value: "" });
    expect(answer.value).toMatchObject({
      service: [
        { name: "envoy.service.auth.v3.Authorization" },
        { name: "grpc.health.v1.Health" },
        { name: "grpc.reflection.v1.ServerReflection" },
        { name: "grpc.reflection.v1alpha.ServerReflection" },
        { name: "postern.v1.DecisionService" },
      ],
    });
    call.end();
  });

  it("gives a file with everything it imports, whatever of it was asked for", async () => {
    const { call, ask } = await open();
    const files = [
      "postern/v1/decision.proto",
      "google/protobuf/struct.proto",
      "google/protobuf/timestamp.proto",
    ];
    for (const symbol of [
      "postern.v1.DecisionService",
      "postern.v1.DecisionService.Check",
      "postern.v1.CheckRequest",
      "postern.v1.CheckRequest.subject",
    ]) {
      expect(fileNames(await ask({ case: "fileContainingSymbol", value: symbol }))).toEqual(files);
    }
    const byName = await ask({ case: "fileByFilename", value: files[0]! });
    expect(fileNames(byName)).toEqual(files);
    const value = await ask({ case: "fileContainingSymbol", value: "google.protobuf.Value" });
    expect(fileNames(value)).toEqual(["google/protobuf/struct.proto"]);
    call.end();
  });

  it("says NOT_FOUND in the stream and goes on", async () => {
    const { call, ask } = await open();
    const questions: Question[] = [
      { case: "fileByFilename", value: "../../etc/passwd" },
      { case: "fileContainingSymbol", value: "constructor" },
      { case: "allExtensionNumbersOfType", value: "postern.v1.Nothing" },
      {
        case: "fileContainingExtension",
        value: { containingType: "postern.v1.Subject", extensionNumber: 1 } as never,
      },
    ];
    for (const question of questions) {
      const answer = await ask(question);
      expect(answer).toMatchObject({
        case: "errorResponse",
        value: { errorCode: status.NOT_FOUND },
      });
    }
    const extensions = await ask({
      case: "allExtensionNumbersOfType",
      value: "postern.v1.Subject",
    });
    expect(extensions).toMatchObject({ case: "allExtensionNumbersResponse" });
    call.end();
  });

  it("ends a stream that does not decode with INVALID_ARGUMENT", async () => {
    const { call } = await open();
    const failed = new Promise<ServiceError>((resolve) => call.on("error", resolve));
    call.write(Buffer.from([0x0a, 0xff]));
    expect((await failed).code).toBe(status.INVALID_ARGUMENT);
  });
});
