# METADATA
# title: LLM platform
# description: |
#   Decides for the application `platform`: a permission that is held, or ownership of a model,
#   allows; classification, separation of duties and business hours deny. Roles, wildcards,
#   inheritance, expiry, networks and the MFA rules of roles are settled before a policy is asked:
#   `input.user.permissions` holds what the subject has in this request, closed over the catalogue.
# scope: package
package platform

# METADATA
# title: Decision
# description: |
#   Total but for `reason`, which names the way in that needs no permission. `deny` has the ids of
#   the constraints that are broken. `mfa_required` asks for evidence whether or not `allow` holds;
#   whoever enforces it mentions MFA only where the rest allows.
# entrypoint: true
decision := {"allow": allow, "deny": deny, "mfa_required": mfa_required, "reason": "ownership"} if {
	is_deployed_by_owner
} else := {"allow": allow, "deny": deny, "mfa_required": mfa_required}

default allow := false

allow if {
	count(deny) == 0
	is_permitted
}

# A set lookup by key: `in` would walk the set in OPA's WebAssembly.
is_permitted if input.user.permissions[concat(":", [input.resource, input.action])]

is_permitted if is_deployed_by_owner

# METADATA
# title: Ownership
# description: A developer may deploy a model of their own.
is_deployed_by_owner if {
	input.action == "deploy"
	input.resource == "model"
	is_somebody(input.resource_owner)
	input.resource_owner == input.user.id
	input.user.roles.developer
}

# METADATA
# title: Classification
# description: |
#   The subject's clearance must dominate the resource's classification, and a resource of a type
#   that the catalogue marks as classified must state one.
deny contains "classification" if {
	is_classified
	classification_level > clearance_level
}

deny contains "classification" if {
	data.postern.catalogue.resources[input.resource].classified
	not is_classified
}

# METADATA
# title: Separation of duties
# description: Who approves must not be who created, so the creator must be known.
deny contains "separation-of-duties" if {
	input.action == "approve"
	not is_created_by_another
}

# METADATA
# title: Business hours
# description: Where the operator configures business hours, nobody acts outside them.
deny contains "business-hours" if {
	hours := data.postern.business_hours
	not is_within(hours)
}

# METADATA
# title: MFA for sensitive resources
# description: Resources classified as sensitive or above require fresh MFA evidence.
default mfa_required := false

mfa_required if {
	is_classified
	classification_level >= levels.sensitive
}

levels := {"public": 0, "internal": 1, "sensitive": 2, "secret": 3, "top-secret": 4}

# Binding is true of `false` as well, which is a classification outside the lattice.
is_classified if _ := input.resource_classification

# METADATA
# title: Classification level
# description: Of a resource that is classified. One outside the lattice counts as the highest.
classification_level := level if {
	level := levels[input.resource_classification]
} else := levels["top-secret"]

# METADATA
# title: Clearance level
# description: Sensitive for a subject without one; one outside the lattice counts as the lowest.
default clearance_level := 2 # sensitive

clearance_level := level if {
	level := levels[input.user.clearance]
} else := levels.public if {
	_ := input.user.clearance
}

is_created_by_another if {
	is_somebody(input.resource_creator)
	input.resource_creator != input.user.id
}

# `null == null` and `"" == ""` are true in Rego, and would make nobody an owner.
is_somebody(name) if {
	is_string(name)
	name != ""
}

# `from` and `to` are minutes after midnight in the application's zone; `to` itself is outside.
is_within(hours) if {
	now := input.context.time
	hours.days[_] == now.weekday
	minute := (now.hour * 60) + now.minute
	minute >= hours.from
	minute < hours.to
}
