# METADATA
# description: A policy for Envoy, as OPA's Envoy plugin takes it. Try it with examples/envoy/README.md.
package envoy.authz

import input.attributes.request.http

# Who calls: in earnest, a claim of a token that Envoy's jwt_authn has verified.
caller := http.headers["x-caller"]

default allow := {
	"allowed": false,
	"http_status": 403,
	"headers": {"content-type": "application/json"},
	"body": "{\"error\":\"forbidden\"}",
}

# Whoever says who they are may read.
allow := {
	"allowed": true,
	"headers": {"x-user": caller},
	"request_headers_to_remove": ["x-caller"],
} if {
	http.method == "GET"
	not input.ambiguous_path
	caller != ""
}

# The editor may write what says whose it is.
allow := {"allowed": true, "headers": {"x-user": caller}} if {
	http.method == "POST"
	input.parsed_path[0] == "articles"
	caller == "editor"
	input.parsed_body.author == caller
}
