import type { SetChange } from "./cache.ts";
import type { Seal } from "./seal.ts";

/** What Redis says of the whole of it. */
export interface ChangeHead {
  /** Made up by whoever finds no head; part of the name of every other key. */
  readonly incarnation: string;
  /** The newest change that is published. */
  readonly generation: number;
  /** Sets that are older than this may have missed changes that nobody can name any more. */
  readonly all: number;
  /** Began so that sidecars forget what they remember themselves, too: by a purge or a restart. */
  readonly isPurge: boolean;
}

/** A published change and the one before it. */
export interface PublishedChange {
  readonly change: SetChange;
  readonly after: number;
}

/** Most subjects that a change names in Redis; with more it is one of everything. */
export const SUBJECTS_NAMED_MAX = 1_000;

/** How a head says whether it began with a purge. */
export function purgeText(isPurge: boolean): "purge" | "none" {
  return isPurge ? "purge" : "none";
}

/** The fields of a head, and of an entry of the stream, as they are sealed and sent. */
export interface AnnouncementCodec {
  sealHead(head: ChangeHead): Buffer;
  /** `undefined` where the fields are none that were sealed. */
  readHead(fields: readonly unknown[]): ChangeHead | undefined;
  subjectsText(change: SetChange): string;
  sealEntry(incarnation: string, published: PublishedChange): Buffer;
  readEntry(incarnation: string, entry: unknown): PublishedChange | undefined;
}

/** Makes a codec that seals with `seal`. */
export function createAnnouncementCodec(seal: Seal): AnnouncementCodec {
  const headText = ({ incarnation, generation, all, isPurge }: ChangeHead): string =>
    `${incarnation} ${generation} ${all} ${purgeText(isPurge)}`;
  const entryPlace = (incarnation: string): string => `stream:${incarnation}`;
  const entryText = ({ change, after }: PublishedChange): string =>
    `${change.generation} ${after} ${subjectsText(change)}`;

  return {
    subjectsText,
    sealHead: (head) => seal.of("head", headText(head)),
    readHead([incarnation, generation, all, purge, given]) {
      const head = {
        incarnation: text(incarnation),
        generation: count(generation),
        all: count(all),
        isPurge: text(purge) === purgeText(true),
      };
      if (!INCARNATION.test(head.incarnation) || !Buffer.isBuffer(given)) return undefined;
      return seal.fits(given, "head", headText(head)) ? head : undefined;
    },
    sealEntry: (incarnation, published) => seal.of(entryPlace(incarnation), entryText(published)),
    readEntry(incarnation, entry) {
      const [id, fields] = entry as [unknown, readonly unknown[]];
      const [after, subjects, given] = ["prev", "subjects", "seal"].map((name) => {
        const at = fields.findIndex((field, index) => index % 2 === 0 && text(field) === name);
        return at < 0 ? undefined : fields[at + 1];
      });
      const [, generation] = /^(\d+)-0$/.exec(text(id)) ?? [];
      const named = readSubjects(text(subjects));
      if (generation === undefined || named === undefined || !Buffer.isBuffer(given)) {
        return undefined;
      }
      const change = { generation: count(generation), subjects: named };
      const published = { change, after: count(after) };
      const isOurs = seal.fits(given, entryPlace(incarnation), entryText(published));
      return isOurs ? published : undefined;
    },
  };
}

const INCARNATION = /^[0-9a-f]{16}$/;
const EVERYTHING = "*";

/** Each id with its length in front; an id that UTF-8 can't carry makes it everything. */
function subjectsText({ subjects }: SetChange): string {
  if (subjects === "all" || subjects.length > SUBJECTS_NAMED_MAX) return EVERYTHING;
  if (!subjects.every((id) => id.isWellFormed())) return EVERYTHING;
  return subjects.map((id) => `${id.length}:${id}`).join("");
}

function readSubjects(all: string): SetChange["subjects"] | undefined {
  if (all === EVERYTHING) return "all";
  const subjects: string[] = [];
  for (let at = 0; at < all.length; ) {
    const colon = all.indexOf(":", at);
    const length = colon < 0 ? "" : all.slice(at, colon);
    if (!/^\d{1,6}$/.test(length)) return undefined;
    at = colon + 1 + Number(length);
    if (at > all.length) return undefined;
    subjects.push(all.slice(colon + 1, at));
  }
  return subjects;
}

function text(value: unknown): string {
  return Buffer.isBuffer(value) ? value.toString() : String(value ?? "");
}

/** A seal is over the text of the number, so what is no number fits none. */
function count(value: unknown): number {
  const digits = text(value);
  return /^\d{1,16}$/.test(digits) && Number.isSafeInteger(Number(digits)) ? Number(digits) : -1;
}
