/** A number that no double is, by its JSON text, which has all of its digits. */
export class NumberText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
    Object.freeze(this);
  }

  toJSON(): unknown {
    return JSON.rawJSON(this.text);
  }
}
