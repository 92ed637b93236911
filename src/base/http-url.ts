/**
 * Checks the URL of an HTTP server that is posted to. Throws an `Error` that says what is wrong,
 * without the URL's password.
 */
export function checkHttpUrl(text: string): void {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new Error("is no HTTP URL; expected http://<host>:<port>/<path> or https://");
  }
  if (url.username !== "" || url.password !== "") {
    throw new Error("has a user or a password; expected them in a header");
  }
  if (url.hash !== "") throw new Error("has a fragment; expected none");
}
