import { expect } from "vitest";
import type { Answer, CaseRequest, ExpectedDecision, GoldenCase } from "./golden-case.ts";

/** Asks one request through some door. */
export type Ask = (request: CaseRequest) => Promise<Answer>;

/** What a case needs of the world it runs in. */
export interface CaseWorld {
  readonly ask: Ask;
  /** Moves the clock forward to an instant. */
  moveTo(wallMs: number): void;
  /** Every `resource:action` of an application's catalogue. */
  permissions(application: string): readonly string[];
}

/** Asks everything that the case asks, and compares; any door's `ask` must give the same. */
export async function runCase(golden: GoldenCase, world: CaseWorld): Promise<void> {
  const { application } = golden;
  const complete = (request: CaseRequest): CaseRequest =>
    application === undefined ? request : { application, ...request };

  for (const [index, { note, at, request, expect: expected }] of (golden.checks ?? []).entries()) {
    if (at !== undefined) world.moveTo(Date.parse(at));
    const place = `checks[${index}]${note === undefined ? "" : ` (${note})`}`;
    const answer = await world.ask(complete(request));
    if ("error" in expected) expect(answer, place).toMatchObject(expected);
    else expectDecision(answer, expected, place);
  }

  for (const [index, { note, request, allowed }] of (golden.sweeps ?? []).entries()) {
    const place = `sweeps[${index}]${note === undefined ? "" : ` (${note})`}`;
    const all = world.permissions(application ?? "platform");
    const found: string[] = [];
    for (const permission of all) {
      const answer = await world.ask(complete(withPermission(request, permission)));
      if (!("error" in answer) && answer["allowed"] === true) found.push(permission);
    }
    expect(found.sort(), place).toEqual(allowed === "*" ? all.toSorted() : allowed.toSorted());
  }
}

/** A grant is compared where the case states one; all else always, absent meaning the default. */
function expectDecision(answer: Answer, expected: ExpectedDecision, place: string): void {
  const { allowed, reason, mfa_required = false, obligations = [], grant } = expected;
  expect(answer, place).toMatchObject({ allowed, reason, mfa_required });
  expect(answer, place).toHaveProperty("obligations", obligations);
  if (grant !== undefined) expect(answer, place).toHaveProperty("grant", grant);
  // Whatever it is, a deny has no grant, and nothing tells what else the subject has.
  if (!allowed) expect(answer, place).not.toHaveProperty("grant");
  expect(
    Object.keys(answer).filter((name) => !ANSWER_FIELDS.has(name)),
    place,
  ).toEqual([]);
}

const ANSWER_FIELDS = new Set([
  "allowed",
  "reason",
  "mfa_required",
  "obligations",
  "grant",
  "decision_id",
  "application",
  "revision",
  "generation",
  "staleness_ms",
]);

function withPermission(request: CaseRequest, permission: string): CaseRequest {
  const [type, name] = permission.split(":");
  return { ...request, action: { name }, resource: { ...request.resource, type } };
}
