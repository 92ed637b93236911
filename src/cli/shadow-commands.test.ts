import { describe, expect, it } from "vitest";
import { serveControl, serveShadow } from "../../test/support/fake-control-server.ts";
import { type CliRun, runPostern } from "../../test/support/run-postern.ts";
import type { RefusedCandidate, ShadowReport } from "../pipeline/shadow-report.ts";

const run = (socket: string, ...args: readonly string[]): Promise<CliRun> =>
  runPostern(["shadow", "report", ...args, "--socket", socket]);

const counts = {
  ...{ same: 1_190, "newly-allowed": 0, "newly-denied": 7, changed: 2, failed: 1, dropped: 5 },
};
const report: ShadowReport = {
  ...{ application: "platform", state: "comparing", sinceMs: 1_800_000_000_000, counts },
  active: { revision: "r41", digest: "a".repeat(64) },
  candidate: { revision: "r42", digest: "b".repeat(64) },
  overruns: 1,
  further: 3,
  differences: [
    {
      ...{ kind: "newly-denied", count: 7, differs: [] },
      active: { allowed: true, reason: "permission:agent:execute" },
      candidate: { allowed: false, reason: "deny:closed" },
      examples: [
        {
          ...{ decisionId: "d1", atMs: 1_800_000_000_500 },
          request: { subject: "user:u1", permission: "agent:execute" },
        },
        { decisionId: "d2", atMs: 1_800_000_000_600, request: { subject: "user:u\n2" } },
      ],
    },
    {
      ...{ kind: "changed", count: 2, differs: ["headers", "status"] },
      active: { allowed: false, reason: "deny:policy" },
      candidate: { allowed: false, reason: "deny:policy" },
      examples: [{ decisionId: "d3", atMs: 0, request: { method: "GET", path: "/a" } }],
    },
  ],
};
const refused: RefusedCandidate = {
  ...{ application: "billing", state: "refused", stage: "manifest", error: "no manifest" },
};

describe("postern shadow report", () => {
  it("shows what differs, how often, and for which requests", async () => {
    const { status, stdout, stderr } = await run(await serveShadow([report]));
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout.split("\n")).toEqual([
      "platform  compared",
      "  candidate  r42                       bbbbbbbbbbbb",
      "  in force   r41                       aaaaaaaaaaaa",
      "  since      2027-01-15T08:00:00.000Z",
      "  compared   1200",
      "  the same       1190",
      "  newly allowed  0",
      "  newly denied   7",
      "  changed        2",
      "  failed         1",
      "  dropped        5",
      "  took too long  1",
      "      COUNT  DIFFERENCE                IN FORCE                        CANDIDATE",
      "  #1  7      newly denied              allow permission:agent:execute  deny deny:closed",
      "  #2  2      changed: headers, status  deny deny:policy                deny deny:policy",
      "  … and 3 answers in further ways",
      "  #1  d1  subject=user:u1 permission=agent:execute",
      "  #1  d2  subject=user:u\\u000a2",
      "  #2  d3  method=GET path=/a",
      "",
    ]);
  });

  it("gives the server's answer as JSON", async () => {
    const { stdout } = await run(await serveShadow([report, refused]), "--json");
    expect(JSON.parse(stdout)).toEqual([report, refused]);
  });

  it("says of a candidate that is not compared why", async () => {
    const nothing = { ...report, differences: [], further: 0, overruns: 0 };
    const views = [
      refused,
      { ...nothing, application: "a", state: "stopped" },
      { ...nothing, application: "b", state: "identical" },
      { ...nothing, application: "c", state: "without-active", active: undefined },
    ];
    const { stdout } = await run(await serveShadow(views));
    expect(stdout.split("\n").filter((line) => /^[a-z]/.test(line))).toEqual([
      "billing  refused  manifest  no manifest",
      "a  stopped: its evaluations took too long; replace it",
      "b  not compared: it is the bundle in force",
      "c  not compared: no bundle is in force",
    ]);
    expect(stdout).toMatch(/^ {2}in force +-$/m);
    expect(stdout).not.toMatch(/COUNT|further|took too long {2}/);
  });

  it("shows one application, and says which there are instead of another", async () => {
    const socket = await serveShadow([refused, report]);
    const own = await run(socket, "--application", "platform", "--json");
    expect(JSON.parse(own.stdout)).toEqual([report]);
    expect(await run(socket, "--application", "x")).toMatchObject({
      ...{ status: 2, stdout: "" },
      stderr:
        'postern: there is no candidate of the application "x"; there are those of billing, platform\n',
    });
  });

  it("says so where there are no candidates, and where none are looked for", async () => {
    expect((await run(await serveShadow([]))).stdout).toBe("There are no candidates.\n");
    const { status, stderr } = await run(await serveControl({}));
    expect(status).toBe(2);
    expect(stderr).toContain("no candidates are looked for");
    expect(stderr).toContain("bundle.candidates_folder (POSTERN_BUNDLE_CANDIDATES_FOLDER)");
  });
});
