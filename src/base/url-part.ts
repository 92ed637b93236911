/** What most often makes a URL unreadable. */
export const URL_ESCAPE_HINT =
  "in user and password, write each of : / ? # @ % as %3A %2F %3F %23 %40 %25";

/** Undoes the escapes of a URL's part; throws an `Error` that names the part and not its text. */
export function decodeUrlPart(text: string, what: string): string {
  let decoded: string;
  try {
    decoded = decodeURIComponent(text);
  } catch {
    // A URIError is how the platform says no; its text would show the password.
    throw new Error(`has a % in its ${what} that is no escape; write it as %25`);
  }
  if (decoded.includes("\0")) throw new Error(`has a zero byte in its ${what}`);
  return decoded;
}
