# METADATA
# description: |
#   Decides by what is in a body. Built with the commands of examples/envoy/body/README.md.
package articles.http

import input.attributes.request.http

# Who calls: in earnest, a claim of a token that Envoy's jwt_authn has verified.
caller := http.headers["x-caller"]

default allow := {"allowed": false, "body": "{\"error\":\"forbidden\"}"}

# An article says whose it is. One that is cut off could say something else further on.
allow := {"allowed": true} if {
	http.method == "POST"
	input.parsed_path_segments == ["articles"]
	not input.truncated_body
	input.parsed_body.author == caller
}

# Of a picture the first bytes are enough. They are base64 here; so do all PNGs begin.
allow := {"allowed": true} if {
	http.method == "POST"
	input.parsed_path_segments == ["pictures"]
	startswith(http.rawBody, "iVBORw0KGgo")
	caller != ""
}

# What is streamed is let through by who sends it: Envoy does not wait for the body.
allow := {"allowed": true} if {
	http.method == "POST"
	input.parsed_path_segments == ["events"]
	caller != ""
}
