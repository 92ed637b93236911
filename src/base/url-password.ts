/** Instead of a password. */
const MASK = "***";

/**
 * `url` as it may be shown: without its password. Masks too much rather than too little, since what
 * is shown may not even be a URL.
 */
export function maskUrlPassword(url: string): string {
  return url
    .replace(/^([a-z][a-z0-9+.-]*:\/\/[^:/?#]*:).*@/is, `$1${MASK}@`)
    .replace(/([?&][a-z_]*pass[a-z_]*=)[^&#]*/gi, `$1${MASK}`);
}
