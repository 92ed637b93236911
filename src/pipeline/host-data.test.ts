import { describe, expect, it } from "vitest";
import { catalogueOf, pipelineOptions } from "../../test/support/pipeline.ts";
import { createHostData } from "./host-data.ts";
import type { ApplicationOptions } from "./options.ts";

const settings: ApplicationOptions = {
  mfaMaxAgeSeconds: 900,
  zone: "UTC",
  unknownSubjects: "deny",
};

describe("createHostData()", () => {
  it("refuses business hours that end before they begin, naming the place", () => {
    const businessHours = { days: ["Monday" as const], from: "17:00", to: "09:00" };
    const options = pipelineOptions({ applications: { crm: { ...settings, businessHours } } });
    expect(() => createHostData(options)).toThrow(/^applications\.crm\.business_hours: to/);
  });

  it("tells which resource types are classified", () => {
    const data = createHostData(pipelineOptions())(
      "crm",
      catalogueOf(["agent:read", "dataset:read"]),
    );
    expect(JSON.parse(JSON.stringify(data))).toEqual({
      application: "crm",
      catalogue: { resources: { agent: { classified: false }, dataset: { classified: true } } },
    });
  });

  it("has no resource types for an application without a catalogue", () => {
    const data = createHostData(pipelineOptions())("crm", undefined);
    expect(JSON.parse(JSON.stringify(data)).catalogue).toEqual({ resources: {} });
  });

  it("gives business hours as minutes of the day, to the end of the day", () => {
    const businessHours = { days: ["Monday" as const], from: "08:30", to: "24:00" };
    const options = pipelineOptions({ applications: { crm: { ...settings, businessHours } } });
    expect(createHostData(options)("crm", undefined)).toMatchObject({
      business_hours: { days: ["Monday"], from: 510, to: 1440 },
    });
    expect(createHostData(options)("platform", undefined)).not.toHaveProperty("business_hours");
  });
});
