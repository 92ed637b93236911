/** Where what is under way can be held up, and what is not held can be waited for. */
export class Gates {
  readonly #shut = new Map<string, PromiseWithResolvers<void>>();
  #busy = 0;

  /** Whether something is under way that no gate holds. */
  get isBusy(): boolean {
    return this.#busy > 0;
  }

  get isAnyShut(): boolean {
    return this.#shut.size > 0;
  }

  shut(name: string): void {
    if (!this.#shut.has(name)) this.#shut.set(name, Promise.withResolvers());
  }

  open(name: string): void {
    this.#shut.get(name)?.resolve();
    this.#shut.delete(name);
  }

  openAll(): void {
    for (const name of this.#shut.keys()) this.open(name);
  }

  /** Runs `work`, which counts as under way but where it waits at a gate. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    this.#busy += 1;
    try {
      return await work();
    } finally {
      this.#busy -= 1;
    }
  }

  async pass(name: string): Promise<void> {
    while (this.#shut.has(name)) {
      this.#busy -= 1;
      await this.#shut.get(name)!.promise;
      this.#busy += 1;
    }
  }
}
