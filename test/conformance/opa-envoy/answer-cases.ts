// What policies answer: one or more cases for each member of the decision object.
import { answers, type ContractCase } from "./contract-case.ts";

const whetherCases = [
  ...["true", "false", '{"allowed": true}', '{"allowed": false}', '{"allowed": true, "x": 1}'],
  // Of another shape: an error of the plugin's, a denial here.
  ...["{}", '"true"', "1", "null", "[true]", '{"allowed": "true"}', '{"allowed": 1}'],
  ...['{"allow": true}', '{"allowed": null}', '{"allowed": [true]}', "{true}"],
].map((document) => answers("allowed", document));

const undefinedCases: ContractCase[] = [
  { row: "undefined", name: "no value", rego: "allow if false" },
  { row: "undefined", name: "no rule that applies", rego: 'allow if input.attributes.x == "y"' },
  {
    ...{ row: "undefined", name: "a failing built-in" },
    rego: "allow if to_number(input.version.ext_authz) == 3",
  },
  {
    ...{ row: "undefined", name: "a default" },
    rego: "default allow := false\n\nallow if input.attributes.x",
  },
];

/** Both with an allow and with a denial. */
const withBoth = (row: string, members: readonly string[]): ContractCase[] =>
  members.flatMap((member) =>
    ["true", "false"].map((allowed) => answers(row, `{"allowed": ${allowed}, ${member}}`)),
  );

const headerCases = withBoth("headers", [
  '"headers": {"x-a": "1"}',
  '"headers": {"X-A": "1", "x-b": "2"}',
  '"headers": {"x-a": ["1", "2"]}',
  '"headers": [{"x-a": "1"}, {"x-a": "2", "x-b": "3"}]',
  '"headers": {}',
  '"headers": []',
  '"headers": "x-a"',
  '"headers": {"x-a": 1}',
  '"headers": {"x-a": ["1", 2]}',
  '"headers": ["x-a"]',
]);

const mutationCases = [
  ...withBoth("response_headers_to_add", [
    '"response_headers_to_add": {"x-a": "1"}',
    '"response_headers_to_add": {"set-cookie": ["a=1", "b=2"]}',
    '"response_headers_to_add": [{"x-a": "1"}, {"x-b": "2"}]',
  ]),
  ...withBoth("request_headers_to_remove", [
    '"request_headers_to_remove": ["x-a", "x-b"]',
    '"request_headers_to_remove": []',
  ]),
  ...withBoth("query_parameters", [
    '"query_parameters_to_set": {"a": "1", "b": ["2", "3"]}',
    '"query_parameters_to_remove": ["a"]',
    '"query_parameters_to_set": {"a": "1"}, "query_parameters_to_remove": ["b"]',
  ]),
  // Of another shape: an error of the plugin's where it is looked at.
  answers("request_headers_to_remove", '{"allowed": true, "request_headers_to_remove": "x-a"}'),
  answers("request_headers_to_remove", '{"allowed": true, "request_headers_to_remove": [1]}'),
  answers("query_parameters", '{"allowed": true, "query_parameters_to_set": {"a": 1}}'),
  answers("query_parameters", '{"allowed": true, "query_parameters_to_set": ["a"]}'),
];

const denialCases = [
  ...["200", "302", "401", "403", "404", "429", "503", "0", "99", "600", "403.5", '"401"'].map(
    (status) => answers("http_status", `{"allowed": false, "http_status": ${status}}`),
  ),
  ...['"no"', '""', '"{\\"a\\": 1}"', "1", "null"].map((body) =>
    answers("body", `{"allowed": false, "body": ${body}}`),
  ),
  answers("body", '{"allowed": true, "http_status": 401, "body": "unused"}'),
  answers("redirect", '{"allowed": false, "http_status": 302, "headers": {"location": "/login"}}'),
];

const metadataCases = withBoth("dynamic_metadata", [
  '"dynamic_metadata": {"a": "b", "n": 1.5, "t": true, "z": null, "l": [1, "x"], "o": {"p": {}}}',
  '"dynamic_metadata": {}',
  '"dynamic_metadata": "a"',
  '"dynamic_metadata": ["a"]',
]);

/** All of them. */
export const answerCases: readonly ContractCase[] = [
  ...[...whetherCases, ...undefinedCases, ...headerCases],
  ...[...mutationCases, ...denialCases, ...metadataCases],
];
