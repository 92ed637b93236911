import type { Labels, Meter } from "../base/meter.ts";
import type { Decision } from "../decision/decision.ts";

/** Counts decisions by application, answer and kind of reason. */
export type CountDecision = (decision: Decision) => void;

/**
 * Makes the counter `postern_decisions_total`. Its label `reason` is the part before the colon,
 * a closed list; the rest comes from requests and policies. Labels are made once per combination.
 */
export function createDecisionCounter(meter: Meter): CountDecision {
  const counter = meter.counter({
    name: "postern_decisions_total",
    help: "Decisions by application, whether they allow, and the kind of their reason.",
    labels: ["application", "allowed", "reason"],
  });
  const known = new Map<string, Map<string, Labels>>();
  return ({ application, allowed, reason }) => {
    const colon = reason.indexOf(":");
    const kind = colon < 0 ? reason : reason.slice(0, colon);
    let ofApplication = known.get(application);
    if (ofApplication === undefined) {
      ofApplication = new Map();
      known.set(application, ofApplication);
    }
    // No kind of reason stands for allows and denies alike, so the kind is key enough.
    let labels = ofApplication.get(kind);
    if (labels === undefined) {
      labels = { application, allowed: String(allowed), reason: kind };
      ofApplication.set(kind, labels);
    }
    counter.add(1, labels);
  };
}
