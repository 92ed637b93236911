/** State of one component. Only `failing` takes the process out of rotation. */
export type ComponentState = "starting" | "ok" | "degraded" | "failing" | "draining";

/** Where components say how they are; readiness is all of them together. */
export interface Health {
  /** `detail` says what is wrong and what holds now; shown to operators by `/readyz`. */
  set(component: string, state: ComponentState, detail?: string): void;
}

/** Hears nothing; for tests and commands. */
export const silentHealth: Health = { set: () => {} };
