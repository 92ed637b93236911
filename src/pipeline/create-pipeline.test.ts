import { describe, expect, it } from "vitest";
import { silentNotes } from "../../test/support/call-notes.ts";
import { manualClock } from "../../test/support/manual-clock.ts";
import { conditionClass, permissionSet, roleGrant } from "../../test/support/permission-set.ts";
import {
  accessRequest,
  callFrom,
  pipelineOptions,
  stagePipeline,
  trusted,
  untrusted,
} from "../../test/support/pipeline.ts";
import { type LogFields, silentLogger } from "../base/logger.ts";
import type { Labels } from "../base/meter.ts";
import { everythingRead } from "../bundle/parts-read.ts";
import { PdpError } from "../decision/error.ts";
import { emptyObject } from "../decision/json.ts";
import { createPipeline } from "./create-pipeline.ts";

const developer = permissionSet({
  classes: [conditionClass({}, [roleGrant("developer", ["agent:*"])])],
});
const service = { type: "service", id: "spiffe://example/brain", properties: emptyObject } as const;

describe("createPipeline()", () => {
  it("serves the applications that have an active policy", () => {
    const { serves } = stagePipeline();
    expect([serves("platform"), serves("other"), serves("")]).toEqual([true, false, false]);
  });

  it("refuses a time zone that does not exist, naming the place", () => {
    const settings = { mfaMaxAgeSeconds: 900, zone: "Mars", unknownSubjects: "deny" } as const;
    expect(() => stagePipeline({ options: { applications: { crm: settings } } })).toThrow(
      'applications.crm.zone: "Mars" is not an IANA time zone',
    );
  });
});

describe("check()", () => {
  it("has no answer for an application without an active policy", () => {
    const staged = stagePipeline();
    expect(() => staged.decide({ application: "billing" })).toThrow(
      expect.objectContaining({ kind: "not-found", field: "application" }),
    );
    expect(staged.queries).toEqual([]);
  });

  it("takes the default application where none is named", () => {
    expect(stagePipeline().decide({ application: "" }).application).toBe("platform");
  });

  it("refuses a caller that asks about somebody else without trust, before anything else", () => {
    const staged = stagePipeline();
    expect(() => staged.decide({ application: "billing" }, { kind: "network" })).toThrow(
      expect.objectContaining({ kind: "permission-denied" }),
    );
  });

  it("lets a workload ask about itself by its certificate", () => {
    const set = permissionSet({ subject: { id: service.id, type: "service" } });
    const staged = stagePipeline({ set });
    const peer = { kind: "network", certificateNames: [service.id] } as const;
    expect(staged.decide({ subject: service }, peer).allowed).toBe(true);
    expect(() => staged.decide({}, peer)).toThrow(PdpError);
  });

  it("denies a permission that the catalogue lacks, without reading anything", () => {
    const staged = stagePipeline({ set: developer });
    const action = { name: "delete", properties: emptyObject };
    expect(staged.decide({ action })).toEqual({
      allowed: false,
      reason: "unknown:agent:delete",
      mfaRequired: false,
      obligations: [],
      grant: undefined,
      roles: [],
      decisionId: "decision-1",
      application: "platform",
      revision: "r1",
      generation: 0,
      stalenessMs: 0,
    });
    expect(staged.queries).toEqual([]);
    expect(staged.seen).toEqual([]);
  });

  it("asks the policy about every permission where there is no catalogue", () => {
    const staged = stagePipeline({ catalogue: undefined, set: permissionSet() });
    const action = { name: "delete", properties: emptyObject };
    expect(staged.decide({ action })).toMatchObject({ allowed: true, reason: "policy:allow" });
  });

  it("asks for the set that the request needs", () => {
    const staged = stagePipeline();
    const consistency = { minimumGeneration: 9, bypassCache: true };
    staged.decide({ consistency });
    const { deadline } = callFrom();
    const subjectId = "user-123";
    expect(staged.queries).toEqual([{ application: "platform", subjectId, consistency, deadline }]);
  });

  it("answers without a promise on a hit, and with one otherwise", async () => {
    const hit = stagePipeline({ set: developer }).check(accessRequest(), callFrom());
    expect(hit).toMatchObject({ allowed: true, generation: 7 });
    const sets = { get: async () => developer };
    const miss = stagePipeline({ sets }).check(accessRequest(), callFrom());
    expect(miss).toBeInstanceOf(Promise);
    expect(await miss).toEqual(hit);
  });

  it("says in each kind of answer how old a set is that is used beyond its time", async () => {
    const clock = manualClock();
    const set = { ...developer, lastKnownMs: clock.monotonicMs() - 9_000 };
    const staged = stagePipeline({ clock, set });
    const [request, call] = [accessRequest(), callFrom()];
    const stale = { stalenessMs: 9_000 };
    expect(staged.decide()).toMatchObject({ allowed: true, ...stale });
    expect(await staged.checkBatch([request], call)).toMatchObject([stale]);
    expect(staged.mfaRequired(request, call)).toMatchObject(stale);
    expect(await staged.permissionSet(request, call)).toMatchObject(stale);
    expect(stagePipeline({ set: developer }).decide()).toMatchObject({ stalenessMs: 0 });
  });

  it("fails as the set does", async () => {
    const error = new PdpError("unavailable", "the directory can't be read");
    const fails = () => {
      throw error;
    };
    const now = stagePipeline({ sets: { get: fails } });
    expect(() => now.check(accessRequest(), callFrom())).toThrow(error);
    const later = stagePipeline({ sets: { get: async () => fails() } });
    await expect(later.check(accessRequest(), callFrom())).rejects.toBe(error);
  });

  it("answers with the revision that was in force when it was asked", async () => {
    const arrival = Promise.withResolvers<typeof developer>();
    const policies = new Map([["platform", "r1"]]);
    const staged = stagePipeline();
    const pipeline = createPipeline({
      policies: {
        get: (application) => ({
          application,
          revision: policies.get(application)!,
          digest: "",
          policy: {
            entrypoints: new Map(),
            evaluate: () => ({ kind: "value", value: true }),
            memoryBytes: () => 0,
          },
          entrypoints: { kind: "document", document: 0 },
          catalogue: undefined,
          wantsArrays: false,
          reads: everythingRead,
        }),
      },
      permissionSets: { get: () => arrival.promise },
      clock: staged.clock,
      createId: () => "id",
      meter: { counter: () => ({ add: () => {} }) } as never,
      logger: undefined as never,
      options: pipelineOptions(),
    });
    const answer = pipeline.check(accessRequest(), callFrom());
    policies.set("platform", "r2");
    arrival.resolve(developer);
    expect((await answer).revision).toBe("r1");
  });

  it("logs a failure with the trace of the call that it happened in", () => {
    const lines: LogFields[] = [];
    const logger = { ...silentLogger, warn: (fields: LogFields) => void lines.push(fields) };
    const script = () => ({ kind: "failed", why: "trap", message: "m" }) as const;
    const staged = stagePipeline({ logger, set: developer, script });
    const notes = { ...silentNotes, traceId: "4bf92f3577b34da6a3ce929d0e0e4736" };
    staged.check(accessRequest(), { ...callFrom(), notes });
    expect(lines).toMatchObject([{ why: "trap", traceId: notes.traceId }]);
  });

  it("counts decisions by closed lists of labels", () => {
    const counted: (Labels | undefined)[] = [];
    const counter = { add: (_: number, labels?: Labels) => counted.push(labels) };
    const meter = { counter: () => counter } as never;
    const staged = stagePipeline({ meter, set: developer });
    staged.decide();
    staged.decide({ action: { name: "made-up", properties: emptyObject } });
    staged.mfaRequired(accessRequest(), callFrom());
    expect(counted).toEqual([
      { application: "platform", allowed: "true", reason: "permission" },
      { application: "platform", allowed: "false", reason: "unknown" },
    ]);
  });
});

describe("status", () => {
  const unknown = permissionSet({ status: "unknown", classes: developer.classes });
  const defaults = {
    applications: {
      platform: { mfaMaxAgeSeconds: 900, zone: "UTC", unknownSubjects: "default-roles" },
    },
  } as const;

  it("denies an unknown subject without asking the policy", () => {
    const staged = stagePipeline({ set: unknown });
    expect(staged.decide()).toMatchObject({ allowed: false, reason: "unknown_subject" });
    expect(staged.seen).toEqual([]);
  });

  it("gives unknown users what the set has where the application says so", () => {
    const staged = stagePipeline({ set: unknown, options: defaults });
    expect(staged.decide()).toMatchObject({ allowed: true });
  });

  it("never gives unknown services anything", () => {
    const set = permissionSet({ ...unknown, subject: { id: service.id, type: "service" } });
    const staged = stagePipeline({ set, options: defaults });
    expect(staged.decide({ subject: service }).reason).toBe("unknown_subject");
  });

  it("denies a disabled subject whatever it has", () => {
    const staged = stagePipeline({ set: { ...developer, status: "disabled" }, options: defaults });
    expect(staged.decide()).toMatchObject({ allowed: false, reason: "subject_disabled" });
    expect(staged.seen).toEqual([]);
  });

  it("takes a subject of another type for another subject", () => {
    const staged = stagePipeline({ set: developer });
    const subject = { type: "service", id: "user-123", properties: emptyObject } as const;
    expect(staged.decide({ subject }).reason).toBe("unknown_subject");
  });
});

describe("permissionSet()", () => {
  const query = {
    application: "",
    subject: accessRequest().subject,
    consistency: accessRequest().consistency,
  };

  it("finds no unknown subject, nor one of another type", async () => {
    const unknown = stagePipeline({ set: permissionSet({ status: "unknown" }) });
    const notFound = { kind: "not-found", field: "subject.id" };
    await expect(unknown.permissionSet(query, callFrom())).rejects.toMatchObject(notFound);
    const known = stagePipeline({ set: developer });
    const asService = { ...query, subject: { ...query.subject, type: "service" as const } };
    await expect(known.permissionSet(asService, callFrom())).rejects.toMatchObject(notFound);
  });

  it("refuses callers and applications as check() does", async () => {
    const staged = stagePipeline({ set: developer });
    await expect(staged.permissionSet(query, callFrom({ kind: "network" }))).rejects.toMatchObject({
      kind: "permission-denied",
    });
    await expect(
      staged.permissionSet({ ...query, application: "billing" }, callFrom()),
    ).rejects.toMatchObject({ kind: "not-found", field: "application" });
  });

  it("tells what the patterns come to, conditions aside", async () => {
    const set = permissionSet({
      classes: [conditionClass({ mfa: "required" }, [roleGrant("admin", ["agent:*"])])],
    });
    const answer = await stagePipeline({ set }).permissionSet(query, callFrom());
    expect(answer.effective).toEqual(["agent:execute", "agent:read"]);
    expect(answer.set).toEqual(set);
  });

  it("leaves out what expired inside a cached set", async () => {
    const staged = stagePipeline({
      set: permissionSet({
        classes: [
          conditionClass({ expiresAtMs: Date.parse("2026-01-05T10:00:00Z") }, [
            roleGrant("temporary", ["agent:execute"]),
          ]),
          conditionClass({}, [roleGrant("user", ["agent:read"])]),
        ],
      }),
    });
    const answer = await staged.permissionSet(query, callFrom());
    expect(answer.effective).toEqual(["agent:read"]);
    expect(answer.set.classes).toHaveLength(1);
  });

  it("comes to nothing for a disabled subject", async () => {
    const staged = stagePipeline({ set: { ...developer, status: "disabled" } });
    const answer = await staged.permissionSet(query, callFrom());
    expect(answer.effective).toEqual([]);
    expect(answer.set.status).toBe("disabled");
  });
});

describe("trust", () => {
  it("is by name of the certificate as well as by kind", () => {
    const gateway = "spiffe://example/gateway";
    const trust = {
      unix: untrusted,
      loopback: untrusted,
      network: untrusted,
      certificates: { [gateway]: trusted },
    };
    const staged = stagePipeline({ set: developer, options: { trust } });
    const peer = { kind: "network", certificateNames: [gateway] } as const;
    expect(staged.decide({}, peer).allowed).toBe(true);
    expect(() => staged.decide({}, { kind: "network" })).toThrow(PdpError);
  });
});
