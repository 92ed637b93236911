# METADATA
# title: Billing
# description: |
#   An application of one's own. Build it into the folder that the server watches, and it answers:
#
#       npx postern bundle build examples/billing -o bundles/billing.tar.gz
#       npx postern check -a billing user-123 plan:read
#
#   It has no catalogue, so every well-formed permission is asked of this policy, and nobody holds
#   any: it decides by groups and properties alone.
# scope: package
package billing

# METADATA
# title: Decision
# description: |
#   What the server reads. `allow` must be exactly `true`; any member of `deny` overrides it and
#   becomes the reason `deny:<id>`; `reasons` names what allowed, as `policy:<id>`.
# entrypoint: true
decision := {
	"allow": count(reasons) > 0,
	"reasons": reasons,
	"deny": deny,
	"mfa_required": mfa_required,
	"obligations": obligations,
}

# Everybody whom the directory knows may look at the plans on offer. Somebody it does not know is
# denied before the policy is asked.
reasons contains "public-plans" if {
	input.resource == "plan"
	input.action == "read"
}

# Properties of the resource arrive as `input.resource_<property>`. The type is checked because a
# property that is missing or null must never be equal to anything.
reasons contains "own-invoice" if {
	input.resource == "invoice"
	input.action == "read"
	is_string(input.resource_customer)
	input.resource_customer == input.user.id
}

# Roles, groups and permissions are sets. Asking for a member by its key is a hash lookup.
reasons contains "clerk" if {
	input.resource == "invoice"
	input.action in {"read", "approve"}
	input.user.groups["billing/clerks"]
}

# Constraints are denies, so that no way in above can forget them.
deny contains "unknown-amount" if {
	input.action == "approve"
	not is_amount_known
}

# A rule of its own, because `not is_number(x)` is undefined where `x` is, and would deny nothing.
is_amount_known if is_number(input.resource_amount)

deny contains "limit" if {
	input.action == "approve"
	input.resource_amount > 10000
}

# Withholds the allow until the evidence is fresh. A caller who would be denied anyway never hears
# of it.
default mfa_required := false

mfa_required if input.action == "approve"

# What the caller must do besides. The server passes it on.
obligations contains {"type": "notify", "properties": {"group": "billing/auditors"}} if {
	input.action == "approve"
	input.resource_amount > 1000
}
