import type { Catalogue } from "../decision/catalogue.ts";
import type { JsonValue } from "../decision/json.ts";
import { applicationOptions, type PipelineOptions } from "./options.ts";

/** Makes what a policy finds at `data.postern`. */
export type HostData = (application: string, catalogue: Catalogue | undefined) => JsonValue;

/**
 * What policies may know of the configuration, placed at `data.postern` before activation:
 * `application`; `catalogue.resources.<type>.classified`; and, where the operator configures them,
 * `business_hours` with `days` (names as in `input.context.time.weekday`) and `from` and `to` in
 * minutes after midnight (`to` itself is outside), so that a policy compares numbers.
 * Throws for business hours that end before they begin.
 */
export function createHostData(options: PipelineOptions): HostData {
  for (const name of Object.keys(options.applications)) businessHours(options, name);
  return (application, catalogue) =>
    record({
      application,
      catalogue: record({ resources: resources(catalogue) }),
      ...businessHours(options, application),
    });
}

function resources(catalogue: Catalogue | undefined): JsonValue {
  const types = [...(catalogue?.resourceTypes.values() ?? [])];
  return record(
    Object.fromEntries(types.map(({ name, classified }) => [name, record({ classified })])),
  );
}

function businessHours(options: PipelineOptions, application: string): Record<string, JsonValue> {
  const hours = applicationOptions(options, application).businessHours;
  if (hours === undefined) return {};
  const from = minuteOfDay(hours.from);
  const to = minuteOfDay(hours.to);
  if (from >= to) {
    throw new Error(
      `applications.${application}.business_hours: to (${hours.to}) must be later than ` +
        `from (${hours.from})`,
    );
  }
  return { business_hours: record({ days: hours.days, from, to }) };
}

function minuteOfDay(text: string): number {
  return Number(text.slice(0, 2)) * 60 + Number(text.slice(3));
}

function record(members: Record<string, JsonValue>): JsonValue {
  return Object.assign(Object.create(null), members);
}
