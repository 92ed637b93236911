# METADATA
# description: |
#   Who may read a tenant's reports. Which tenant a request is for is said by Envoy, with the host's
#   `context_extensions`. Built with the commands of examples/envoy/routes/README.md.
package reports.http

import input.attributes.contextExtensions.tenant
import input.attributes.request.http

# Who calls: in earnest, a claim of a token that Envoy's jwt_authn has verified.
caller := http.headers["x-caller"]

readers := {"acme": {"ann"}, "globex": {"bob"}}

default allow := false

allow := {"allowed": true, "headers": {"x-user": caller, "x-tenant": tenant}} if {
	http.method == "GET"
	not input.ambiguous_path
	caller in readers[tenant]
}
