// Plays many more schedules of test/model than the tests do, and ends by itself: about ten minutes.
//   node test/soak.ts [schedules] [seed]
// A failure prints the shortest schedule that fails; the same seed finds it again.
import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { delimiter, join } from "node:path";

const root = join(import.meta.dirname, "..");
const [schedules = "2000", seed = `${randomInt(2 ** 31)}`] = process.argv.slice(2);

process.stdout.write(`Playing ${schedules} schedules with seed ${seed}.\n`);
const started = performance.now();
const { status, error } = spawnSync("vitest", ["run", "test/model"], {
  cwd: root,
  env: {
    ...process.env,
    PATH: [join(root, "node_modules", ".bin"), process.env["PATH"]].join(delimiter),
    POSTERN_SCHEDULES: schedules,
    POSTERN_SEED: seed,
  },
  stdio: "inherit",
});
if (error) process.stdout.write(`vitest: ${error.message}\n`);
const minutes = ((performance.now() - started) / 60_000).toFixed(1);
const result = status === 0 ? "every answer was right" : "FAILED";
process.stdout.write(`${schedules} schedules, seed ${seed}: ${result}, in ${minutes} minutes.\n`);
process.exit(status ?? 1);
