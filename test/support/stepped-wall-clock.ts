// Loaded into a process of its own before everything else (`node --import`): steps its wall clock to
// the next offset of TEST_WALL_STEPS_MS at each SIGUSR2, and leaves its monotonic clock alone.
import { isMainThread } from "node:worker_threads";

const steps = (process.env["TEST_WALL_STEPS_MS"] ?? "").split(",").map(Number);
const nowMs = Date.now;
let offsetMs = 0;

if (isMainThread) {
  Date.now = () => nowMs() + offsetMs;
  process.on("SIGUSR2", () => {
    offsetMs = steps.shift() ?? 0;
  });
}
