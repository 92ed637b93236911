import type { ComponentState, Health } from "../base/health.ts";
import type { Logger } from "../base/logger.ts";
import type { Meter } from "../base/meter.ts";

const DETAIL_MAX = 512;

/** How one component is. */
export interface ComponentReport {
  readonly state: ComponentState;
  /** What is wrong and what holds; empty if there is nothing to say. */
  readonly detail: string;
}

/** All components, and what they come to. */
export interface HealthReport {
  readonly status: "ready" | "starting" | "failing" | "draining";
  readonly components: Readonly<Record<string, ComponentReport>>;
}

/** Where components say how they are, and where everybody else learns it. */
export interface HealthRegistry extends Health {
  report(): HealthReport;
  /** Calls `listener` whenever the status as a whole has changed. */
  onStatus(listener: (status: HealthReport["status"]) => void): void;
}

/** What the registry needs. */
export interface HealthDeps {
  /** Components that have to report before the process is ready. */
  readonly expected: readonly string[];
  readonly logger: Logger;
  readonly meter: Meter;
}

/** Keeps the state of every component. The process is ready once none starts, fails or drains. */
export function createHealth(deps: HealthDeps): HealthRegistry {
  const components = new Map<string, ComponentReport>();
  const listeners: ((status: HealthReport["status"]) => void)[] = [];
  const up = deps.meter.gauge({
    name: "postern_component_up",
    help: "1 while the component is ok or degraded, 0 otherwise.",
    labels: ["component"],
  });
  for (const name of deps.expected) {
    components.set(name, { state: "starting", detail: "" });
    up.set(0, { component: name });
  }
  let status = statusOf(components.values());

  return {
    set(component, state, detail = "") {
      const before = components.get(component);
      const shown = detail.slice(0, DETAIL_MAX);
      if (before?.state === state && before.detail === shown) return;
      components.set(component, { state, detail: shown });
      up.set(state === "ok" || state === "degraded" ? 1 : 0, { component });
      if (before?.state !== state) logChange(deps.logger, component, { state, detail: shown });
      const next = statusOf(components.values());
      if (next === status) return;
      status = next;
      for (const listener of listeners) listener(status);
    },
    report: () => ({ status, components: Object.fromEntries(components) }),
    onStatus: (listener) => void listeners.push(listener),
  };
}

function statusOf(reports: Iterable<ComponentReport>): HealthReport["status"] {
  const states = new Set([...reports].map((report) => report.state));
  if (states.has("draining")) return "draining";
  if (states.has("failing")) return "failing";
  return states.has("starting") || states.size === 0 ? "starting" : "ready";
}

function logChange(logger: Logger, component: string, report: ComponentReport): void {
  const fields = { component, state: report.state, detail: report.detail || undefined };
  const message = `${component} is ${report.state}.`;
  if (report.state === "failing" || report.state === "degraded") logger.warn(fields, message);
  else logger.info(fields, message);
}
