/** What anybody may hold without asking, so that small calls go on when the budget is used up. */
export const FREE_BYTES = 4_096;

/** A number of bytes that can be held at once; one that is part of a larger one takes from both. */
export class ByteBudget {
  readonly #whole: ByteBudget | undefined;
  #left: number;

  constructor(bytesMax: number, whole?: ByteBudget) {
    this.#left = bytesMax;
    this.#whole = whole;
  }

  /** Whether there was so much left; if not, nothing is taken. */
  take(bytes: number): boolean {
    if (bytes > this.#left || this.#whole?.take(bytes) === false) return false;
    this.#left -= bytes;
    return true;
  }

  give(bytes: number): void {
    this.#left += bytes;
    this.#whole?.give(bytes);
  }
}
