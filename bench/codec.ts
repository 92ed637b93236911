/**
 * Measures what a Check costs in decoding and encoding alone: our reader and writer against
 * protobuf-es on the same bytes. Ours includes the check of every name, protobuf-es does not.
 * `node bench/codec.ts`
 */
import { create, fromBinary, type JsonObject, toBinary } from "@bufbuild/protobuf";
import { allow } from "../src/decision/decision.ts";
import { CheckRequestSchema, CheckResponseSchema } from "../src/grpc/gen/postern/v1/decision_pb.js";
import { readCheckRequest } from "../src/grpc/request.ts";
import { encodeCheckResponse } from "../src/grpc/response.ts";

const ROUNDS = 7;
const CALLS = 100_000;

const frame = {
  decisionId: "019b8d3a-6c00-7abc-8def-0123456789ab",
  application: "platform",
  revision: "6f1c0c2d9a7be1f2",
  generation: 17,
  stalenessMs: 0,
};
const decision = allow(frame, {
  reason: "permission:agent:execute",
  obligations: [],
  grant: { pattern: "agent:*", path: ["group:llm-platform/developers", "role:developer"] },
  roles: ["operator", "user"],
});

function request(properties: JsonObject | undefined): Buffer {
  const bytes = toBinary(
    CheckRequestSchema,
    create(CheckRequestSchema, {
      subject: { id: "user-123" },
      action: { name: "execute" },
      resource: { type: "agent", id: "agent-7", ...(properties && { properties }) },
      context: { ip: "10.1.2.3", userAgent: "curl/8.5.0" },
    }),
  );
  return Buffer.from(bytes);
}

/** Median nanoseconds per call over a few rounds. */
function measure(call: () => unknown): number {
  const rounds = Array.from({ length: ROUNDS }, () => {
    const start = performance.now();
    for (let index = 0; index < CALLS; index++) call();
    return ((performance.now() - start) * 1e6) / CALLS;
  });
  return rounds.sort((a, b) => a - b)[ROUNDS >> 1]!;
}

function compare(what: string, ours: () => unknown, protobufEs: () => unknown): void {
  const [own, other] = [measure(ours), measure(protobufEs)];
  const ratio = (other / own).toFixed(1);
  process.stdout.write(
    `${what}: ours ${own.toFixed(0)} ns, protobuf-es ${other.toFixed(0)} ns, ${ratio}x\n`,
  );
}

const plain = request(undefined);
const nested = request({
  owner: "user-123",
  classification: "internal",
  tags: ["a", "b", "c"],
  size: { rows: 12, columns: 3.5 },
  archived: false,
});

compare(
  "CheckRequest",
  () => readCheckRequest(plain),
  () => fromBinary(CheckRequestSchema, plain),
);
compare(
  "CheckRequest with properties",
  () => readCheckRequest(nested),
  () => fromBinary(CheckRequestSchema, nested),
);
compare(
  "CheckResponse",
  () => encodeCheckResponse(decision),
  () =>
    toBinary(
      CheckResponseSchema,
      create(CheckResponseSchema, {
        ...frame,
        allowed: decision.allowed,
        reason: decision.reason,
        grant: { pattern: "agent:*", path: [...decision.grant!.path] },
        generation: BigInt(decision.generation),
        stalenessMs: BigInt(decision.stalenessMs),
      }),
    ),
);
