# METADATA
# title: AI gateway
# description: |
#   Decides for the application `gateway`: a permission that is held allows, and business hours
#   deny where the operator configures them. Roles, wildcards and conditions are settled before a
#   policy is asked: `input.user.permissions` holds what the subject has in this request.
# scope: package
package gateway

# METADATA
# title: Decision
# description: Total. `deny` has the ids of the constraints that are broken.
# entrypoint: true
decision := {"allow": allow, "deny": deny, "mfa_required": false}

default allow := false

# A set lookup by key: `in` would walk the set in OPA's WebAssembly.
allow if {
	count(deny) == 0
	input.user.permissions[concat(":", [input.resource, input.action])]
}

# METADATA
# title: Business hours
# description: Where the operator configures business hours, nobody acts outside them.
deny contains "business-hours" if {
	hours := data.postern.business_hours
	not is_within(hours)
}

# `from` and `to` are minutes after midnight in the application's zone; `to` itself is outside.
is_within(hours) if {
	now := input.context.time
	hours.days[_] == now.weekday
	minute := (now.hour * 60) + now.minute
	minute >= hours.from
	minute < hours.to
}
