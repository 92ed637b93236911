import { partsAt } from "../../decision/document-parts.ts";
import { type HttpCheck, readHttpCheck } from "./check-request.ts";

const PATH_SHOWN_MAX = 256;
const PARTS = partsAt(["request.http.method"]);

/** Which request it was, without its query, where secrets may stand. Throws as `readHttpCheck`. */
export function requestLineOf(bytes: Uint8Array): { method: string; path: string } {
  return requestLine(readHttpCheck(bytes, PARTS));
}

/** The same of a request whose method has been read. */
export function requestLine({ attributes, path }: HttpCheck): { method: string; path: string } {
  const { method = "" } = (attributes as { request: { http: { method?: string } } }).request.http;
  const end = path.search(/[?#]/);
  const shown = (end < 0 ? path : path.slice(0, end)).slice(0, PATH_SHOWN_MAX).toWellFormed();
  return { method, path: shown };
}
