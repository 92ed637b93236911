import { allow, type Decision, deny } from "../../src/decision/decision.ts";
import type { AccessRequest } from "../../src/decision/request.ts";
import type { Pipeline } from "../../src/pipeline/pipeline.ts";

/** Allows whoever asks to `execute`, denies the rest; for tests of doors. */
export function fakePipeline(overrides: Partial<Pipeline> = {}): Pipeline {
  return {
    check: fakeDecision,
    checkBatch: async (requests) => requests.map(fakeDecision),
    mfaRequired: () => ({
      required: true,
      satisfied: false,
      reason: "mfa_required",
      maxAgeSeconds: 900,
      stalenessMs: 0,
    }),
    permissionSet: async (query) => ({
      set: {
        application: query.application || "platform",
        subject: query.subject,
        status: "active",
        attributes: {},
        groups: [],
        classes: [],
        generation: 1,
        validUntilMs: undefined,
      },
      effective: [],
      stalenessMs: 0,
    }),
    evaluate: ({ application, input, read }) => {
      input("all");
      const frame = { ...fakeFrame, application };
      const reading = read(true);
      return { decision: deny(frame, "deny:policy"), detail: reading?.detail };
    },
    trusts: () => true,
    serves: () => true,
    refuse: (application, reason) => deny({ ...fakeFrame, application }, reason),
    ...overrides,
  };
}

const fakeFrame = {
  decisionId: "019b8d3a-6c00-7abc-8def-0123456789ab",
  revision: "r1",
  generation: 1,
  stalenessMs: 0,
};

/** What `fakePipeline` decides. */
export function fakeDecision(request: AccessRequest): Decision {
  const frame = { ...fakeFrame, application: request.application || "platform" };
  const { resource, action } = request;
  if (action.name !== "execute") return deny(frame, `missing:${resource.type}:${action.name}`);
  return allow(frame, {
    reason: `permission:${resource.type}:${action.name}`,
    obligations: [],
    grant: { pattern: `${resource.type}:*`, path: [`subject:${request.subject.id}`] },
    roles: ["operator", "user"],
  });
}
