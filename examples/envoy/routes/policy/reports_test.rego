package reports.http_test

import data.reports.http

request(method, caller, extensions) := {
	"attributes": {
		"request": {"http": {"method": method, "headers": {"x-caller": caller}}},
		"contextExtensions": extensions,
	},
	"ambiguous_path": false,
}

test_reader if {
	http.allow.allowed with input as request("GET", "ann", {"tenant": "acme"})
}

test_reader_of_another_tenant if {
	http.allow == false with input as request("GET", "bob", {"tenant": "acme"})
}

test_writing if {
	http.allow == false with input as request("PUT", "ann", {"tenant": "acme"})
}

test_no_tenant if {
	http.allow == false with input as request("GET", "ann", {})
}
