# METADATA
# description: What bench/envoy.ts asks, of a document with 10,000 users.
package envoy.authz

import input.attributes.request.http

default allow := false

allow if {
	some role in data.users[http.headers["x-user"]].roles
	some rule in data.roles[role]
	rule.method == http.method
	startswith(http.path, rule.path)
	not input.parsed_query.debug
}
