import { type Static, Type } from "typebox";

/** How much is spent on evaluating candidates. */
export const shadowOptionsSchema = Type.Object(
  {
    sampleRatio: Type.Number({
      description:
        "Share of decisions that the candidate makes as well, where an application has one " +
        "(`bundle.candidates_folder`).",
      default: 1,
      minimum: 0,
      maximum: 1,
      reason: "All, as long as there is time; less takes less memory under load.",
    }),
    timeRatio: Type.Number({
      description: "Share of the serving thread's time that candidates may take.",
      default: 0.1,
      minimum: 0.001,
      maximum: 0.5,
      reason: "Nobody notices a tenth; what does not fit is dropped and counted.",
    }),
    queueMax: Type.Integer({
      description: "Decisions that wait for the candidate, each with its request.",
      default: 64,
      minimum: 1,
      maximum: 10_000,
      reason: "As many as a turn of a millisecond takes; of 1 MiB each, 64 MiB.",
    }),
  },
  {
    additionalProperties: false,
    description: "What evaluating candidates beside the policies in force may cost.",
  },
);

/** How much is spent on evaluating candidates. */
export type ShadowOptions = Static<typeof shadowOptionsSchema>;
