import { describe, expect, it } from "vitest";
import { callsOf, disagreements } from "../../../test/support/builtin-oracle.ts";
import { uriBuiltins } from "./uri.ts";

const URIS = [
  ...[
    "http://a.example/b?c=d#e",
    "HTTPS://User:pa%20ss@Host:8080/p%2fq/r%20s?x=%zz#f%20g",
    "",
    "*",
  ],
  ...["mailto:a@b.c", "urn:a:b", "a:b", "a/b:c", "/a:b", "//host/p", "///p", "////p", "http:///p"],
  ...["http://", "http://h", "http://h:", "http://h:x", "http://h:1:2", "pg://h:1,i:2/db", ":a"],
  ...["1a:b", "a+b.c-d://h", "a_b://h", "/%", "/%4", "/%4g", "/a b", "/é", "/%C3%A9", "/a%20b"],
  ...["http://[::1]:80/", "http://[::1", "http://[1.2.3.4]/", "http://a[::1]/", "http://[::1]x"],
  ...["http://[fe80::1%25en0]/", "http://[fe80::1%en0]/", "http://[fe80::1%25]/", "http://[]/"],
  ...["http://[fe80::1%25e%20n]/", "http://[fe80::1%25e%C3%A9]/", "http://[fe80::1%25é]/"],
  ...["http://[fe80::1%25a b]/", "http://[fe80::1%25%2f]/", "http://[fe80::1%25%2e]/"],
  ...[
    "http://h%41/",
    "http://h%C3%A9/",
    "http://é/",
    "http://a b/",
    "http://a%20b/",
    "http://h%25/",
  ],
  ...[
    "http://u@v@h/",
    "http://u[@h/",
    "http://u%zz@h/",
    "http://<a>/",
    "http://a|b/",
    "http://a^b/",
  ],
  ...[
    "a?b",
    "?b",
    "?",
    "a?",
    "a??",
    "#",
    "#a",
    "#a#b",
    "#%",
    "#%zz",
    "a\u0001b",
    "a\u007f",
    "a#\u0001",
  ],
  ...[
    "http://h?q",
    "http://h#f",
    "http://h/?q?r",
    "http://h/a;b,c:d@e&f=g+h$i!j*k'l(m)n~o",
    "a%2Fb",
  ],
  ...[
    "http://h/[x]",
    'http://h/"x"',
    "http://h/%2F%2f",
    "http://h/😀",
    "http://h:80:80/",
    "x:",
    "x:/",
  ],
  ...["x:?q", "x:a?q#f", "http://@h/", "http://:@h/", "http://h/%5B", "http://h/a%2Bb", "//:80/"],
].map((text) => JSON.stringify(text));

describe("uriBuiltins", () => {
  it.each(["uri.parse", "uri.is_valid"])("agree with OPA on %s", (name) => {
    expect(disagreements(uriBuiltins, callsOf(name, "1", ...URIS))).toEqual([]);
  });
});
