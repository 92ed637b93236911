import { directoryText } from "./directory-text.ts";
import { type ModelSidecar, startSidecar } from "./model-sidecar.ts";
import { Questions } from "./questions.ts";
import { RedisFaults } from "./redis-faults.ts";
import { type Step, type StepOf, SUBJECTS } from "./step.ts";
import { Truth } from "./truth.ts";
import { SIDECARS, untilIdle, type World } from "./world.ts";

/** Steps that take no time would leave open which came first. */
const STEP_MS = 1;
/** Real time, within which a client is connected again. */
const RECONNECT_MS = 200;

/** Plays the steps, and gives what was answered and may not have been. */
export async function play(world: World, steps: readonly Step[]): Promise<readonly string[]> {
  const schedule = new Schedule(world);
  try {
    await schedule.begin();
    for (const step of steps) await schedule.play(step);
    await schedule.heal();
    return schedule.violations;
  } finally {
    schedule.end();
  }
}

class Schedule {
  readonly #world: World;
  readonly #truth: Truth;
  readonly #name: string;
  readonly #sidecars: ModelSidecar[] = [];
  readonly #faults: RedisFaults;
  readonly #questions: Questions;

  constructor(world: World) {
    this.#world = world;
    this.#name = world.nextName();
    this.#truth = new Truth(world.clock);
    this.#faults = new RedisFaults(world);
    this.#questions = new Questions({
      ...{ clock: world.clock, truth: this.#truth },
      sidecar: (who) => this.#sidecar(who),
      idOf: (subject) => this.#id(subject),
      published: () => this.#faults.published(),
    });
  }

  /** Everybody is healthy, and two of the subjects are known. */
  async begin(): Promise<void> {
    const { server, redisClock, proxies } = this.#world;
    await server.admin.flushall();
    await redisClock.tell();
    for (const proxy of proxies) proxy.mend();
    this.#truth.subject(this.#id("a")).hasRole = true;
    await this.#commit("outsider", "a");
    this.#truth.subject(this.#id("b")).direct.set("mesh:discover", Number.POSITIVE_INFINITY);
    await this.#commit("outsider", "b");
    for (let who = 0; who < SIDECARS; who += 1) {
      this.#sidecars.push(await this.#startSidecar(who));
      await this.#sidecar(who).look();
    }
    await this.#idle();
  }

  get violations(): readonly string[] {
    return this.#questions.violations;
  }

  async play(step: Step): Promise<void> {
    await this.#advance(STEP_MS);
    await (this.#actions[step.kind] as (step: Step) => unknown)(step);
    await this.#idle();
  }

  /** Ends all faults; from then on every answer is the truth of the moment. */
  async heal(): Promise<void> {
    for (const [who, sidecar] of this.#sidecars.entries()) {
      this.#world.proxies[who]!.mend();
      sidecar.isAway = false;
      sidecar.gates.openAll();
      await this.#idle();
    }
    for (const _ of [1, 2, 3]) await this.#live();
    this.#questions.expectAnswered();
    for (let who = 0; who < SIDECARS; who += 1) {
      for (const subject of SUBJECTS) {
        await this.play({ kind: "look", who });
        await this.play({ kind: "ask", who, subject, wants: "any" });
      }
    }
  }

  end(): void {
    for (const { gates } of this.#sidecars) gates.openAll();
    for (const sidecar of this.#sidecars) sidecar.close();
  }

  readonly #actions: { [Kind in Step["kind"]]: (step: StepOf<Kind>) => unknown } = {
    ask: (step) => this.#questions.ask(step),
    change: (step) => this.#change(step),
    wait: ({ ms }) => this.#advance(ms),
    stall: async ({ ms }) => {
      await this.#world.redisClock.advance(ms);
      this.#truth.note();
    },
    late: (step) => this.#late(step),
    live: async ({ seconds }) => {
      for (let second = 0; second < seconds; second += 1) await this.#live();
    },
    stepWall: ({ ms }) => {
      this.#world.clock.stepWall(ms);
      this.#truth.note();
    },
    stepRedis: ({ ms }) => this.#world.redisClock.stepServer(ms),
    look: ({ who }) => this.#sidecar(who).look(),
    ring: ({ who }) => this.#sidecar(who).ring(),
    gate: ({ who, gate, isShut }) => {
      const { gates } = this.#sidecar(who);
      if (isShut && !gates.isAnyShut) this.#questions.hold(who);
      if (isShut) gates.shut(gate);
      else gates.open(gate);
    },
    directory: ({ who, isAway }) => {
      this.#sidecar(who).isAway = isAway;
      if (isAway) this.#questions.hinder(who);
    },
    network: ({ who, fault }) => this.#network(who, fault),
    redis: ({ does }) => this.#faults.happen(does),
    forge: ({ what }) => this.#faults.forge(what),
    replace: ({ who }) => this.#replace(who),
    race: (step) => this.#race(step),
  };

  async #change({ by, subject, edit }: StepOf<"change">): Promise<void> {
    const failures = by === "outsider" ? 0 : this.#sidecar(by).redisFailures();
    const has = this.#truth.subject(this.#id(subject));
    if (edit.does === "revoke") has.direct.delete(edit.pattern);
    if (edit.does === "disable") has.isDisabled = edit.isDisabled;
    if (edit.does === "join") has.hasRole = edit.hasRole;
    if (edit.does === "editRole") this.#truth.roleGives = edit.gives;
    if (edit.does === "toggle" && !has.direct.delete(edit.pattern)) {
      has.direct.set(edit.pattern, Number.POSITIVE_INFINITY);
    }
    if (edit.does === "grant") {
      const inSeconds = Math.ceil(this.#world.clock.wallMs() / 1_000) + edit.forSeconds;
      const endsAtMs = edit.forSeconds === 0 ? Number.POSITIVE_INFINITY : inSeconds * 1_000;
      has.direct.set(edit.pattern, endsAtMs);
    }
    const former = this.#truth.generation;
    const generation = await this.#commit(by, subject);
    await this.#idle();
    const isPublic = by !== "outsider" && generation > former;
    if (isPublic) await this.#expectPublished(by, { generation, failures });
  }

  /** Whoever makes a change, and reaches Redis and the directory, has published it. */
  async #expectPublished(who: number, made: Record<"generation" | "failures", number>) {
    const { gates, redisFailures, isAway } = this.#sidecar(who);
    if (gates.isAnyShut || isAway || redisFailures() !== made.failures) return;
    const published = await this.#faults.published();
    if (published >= made.generation) return;
    this.#questions.violations.push(`${made.generation} is not published, ${published} is`);
  }

  async #race({ who, subject, gate, by, wants, hears, ...step }: StepOf<"race">): Promise<void> {
    const asks: Step = { kind: "ask", who, subject, wants: "any" };
    await this.#advance(step.beforeMs);
    await this.play({ kind: "gate", who, gate, isShut: true });
    await this.play({ ...asks, wants });
    const edit = { does: "toggle", pattern: step.pattern } as const;
    await this.play({ kind: "change", by, subject, edit });
    if (hears !== "nothing") await this.play({ kind: hears, who });
    const { meanwhile } = step;
    if (meanwhile !== "nothing") await this.play({ ...asks, wants: meanwhile });
    await this.#advance(step.heldMs);
    await this.play({ kind: "gate", who, gate, isShut: false });
    for (let other = 0; other < SIDECARS; other += 1) await this.play({ ...asks, who: other });
  }

  async #late({ who, subject, by, pattern, stallMs }: StepOf<"late">): Promise<void> {
    await this.play({ kind: "ask", who, subject, wants: "any" });
    await this.play({ kind: "change", by, subject, edit: { does: "toggle", pattern } });
    await this.#world.redisClock.advance(stallMs);
    this.#truth.note();
    await this.#questions.ask({ kind: "ask", who, subject, wants: "any" });
    await this.#idle();
  }

  async #commit(by: StepOf<"change">["by"], subject: StepOf<"change">["subject"]): Promise<number> {
    const { outsider, directories } = this.#world;
    const text = directoryText(this.#truth, `role-${this.#name}`, this.#id(subject));
    const writer = by === "outsider" ? outsider : directories[by]!;
    const { generation } = await writer.apply(text);
    this.#truth.note(generation);
    return generation;
  }

  async #network(who: number, fault: StepOf<"network">["fault"]): Promise<void> {
    const proxy = this.#world.proxies[who]!;
    if (fault === "none") proxy.mend();
    else if (fault === "reset") proxy.reset();
    else if (fault === "halfOpen") proxy.halfOpen();
    else proxy.faults = { [fault === "blackHole" ? "isBlackHole" : fault]: true };
  }

  /** A second as it is for a healthy process: it looks, and its timers run in time. */
  async #live(): Promise<void> {
    for (let tenth = 0; tenth < 10; tenth += 1) {
      await this.#advance(100);
      if (tenth % 5 === 0) for (const sidecar of this.#sidecars) await sidecar.look();
      await this.#idle();
    }
    await this.#reconnect();
  }

  /** Connecting takes real time, and asking whether one is takes the clock's. */
  async #reconnect(): Promise<void> {
    const { proxies } = this.#world;
    const isLost = (sidecar: ModelSidecar, who: number): boolean =>
      !sidecar.isRedisUp() && Object.keys(proxies[who]!.faults).length === 0;
    const untilMs = performance.now() + RECONNECT_MS;
    while (this.#sidecars.some(isLost) && performance.now() < untilMs) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      await this.#advance(100);
    }
  }

  async #advance(ms: number): Promise<void> {
    const { redisClock, timers } = this.#world;
    await redisClock.advance(ms);
    this.#truth.note();
    timers.advance(0);
    await this.#idle();
  }

  async #replace(who: number): Promise<void> {
    const former = this.#sidecar(who);
    this.#world.proxies[who]!.mend();
    former.gates.openAll();
    await this.#idle();
    former.close();
    this.#sidecars[who] = await this.#startSidecar(who);
  }

  #startSidecar(who: number): Promise<ModelSidecar> {
    const { directories, proxies, clock, timers, redisClock } = this.#world;
    const [test, proxy] = [directories[who]!, proxies[who]!];
    return startSidecar({ test, proxy, clock, timers, redisClock });
  }

  #idle(): Promise<void> {
    return untilIdle(() => this.#sidecars.some(({ gates }) => gates.isBusy));
  }

  #sidecar(who: number): ModelSidecar {
    return this.#sidecars[who]!;
  }

  #id(subject: (typeof SUBJECTS)[number]): string {
    return `${this.#name}-${subject}`;
  }
}
