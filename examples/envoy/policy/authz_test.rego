package envoy.authz_test

import data.envoy.authz

request(method, headers) := {
	"attributes": {"request": {"http": {"method": method, "headers": headers}}},
	"ambiguous_path": false,
	"parsed_path": ["articles"],
	"parsed_body": {"author": "editor"},
}

test_reading if {
	authz.allow.allowed with input as request("GET", {"x-caller": "reader"})
}

test_reading_by_nobody if {
	not authz.allow.allowed with input as request("GET", {})
}

test_writing if {
	authz.allow.allowed with input as request("POST", {"x-caller": "editor"})
	not authz.allow.allowed with input as request("POST", {"x-caller": "reader"})
}
