package platform_test

import data.platform

user := {
	"id": "user-1",
	"roles": {"developer"},
	"permissions": {"agent:execute", "dataset:read", "workflow:approve"},
}

execute := {"user": user, "resource": "agent", "action": "execute"}

read_dataset := {"user": user, "resource": "dataset", "action": "read"}

approve := {"user": user, "resource": "workflow", "action": "approve"}

deploy := {"user": user, "resource": "model", "action": "deploy", "resource_owner": "user-1"}

host := {"catalogue": {"resources": {
	"agent": {"classified": false},
	"dataset": {"classified": true},
}}}

office := {"days": ["Monday", "Friday"], "from": 540, "to": 1020}

# `object.union` lays the second over the first, members of members too.
decide(input_, changes) := decision if {
	decision := platform.decision with input as object.union(input_, changes)
		with data.postern as host
}

test_allows_a_held_permission if {
	decide(execute, {}) == {"allow": true, "deny": set(), "mfa_required": false}
}

test_denies_without_the_permission if {
	decide(execute, {"action": "manage"}) == {
		"allow": false, "deny": set(), "mfa_required": false,
	}
}

test_does_not_take_the_name_admin_for_a_permission if {
	not decide(execute, {"action": "manage", "user": {"roles": {"admin"}}}).allow
}

test_answers_totally_an_empty_input if {
	decision := platform.decision with input as {}
	decision == {"allow": false, "deny": set(), "mfa_required": false}
}

# Classification

test_denies_what_the_clearance_does_not_dominate if {
	every pair in [
		["secret", "top-secret"],
		["sensitive", "secret"],
		["internal", "sensitive"],
		["public", "internal"],
	] {
		decision := decide(execute, {"resource_classification": pair[1], "user": {"clearance": pair[0]}})
		not decision.allow
		decision.deny == {"classification"}
	}
}

test_allows_what_the_clearance_dominates if {
	every clearance in ["secret", "top-secret"] {
		decide(execute, {"resource_classification": "secret", "user": {"clearance": clearance}}).allow
	}
}

test_clears_to_sensitive_by_default if {
	decide(execute, {"resource_classification": "sensitive"}).allow
	not decide(execute, {"resource_classification": "secret"}).allow
}

test_counts_an_unknown_clearance_as_the_lowest if {
	every clearance in ["Top-Secret", "", false, null, ["top-secret"], 4] {
		user_ := {"clearance": clearance}
		not decide(execute, {"resource_classification": "internal", "user": user_}).allow
		decide(execute, {"resource_classification": "public", "user": user_}).allow
	}
}

test_counts_an_unknown_classification_as_the_highest if {
	every classification in ["cosmic", "Public", "", false, null, ["public"], {"public": 0}, 0] {
		stated := {"resource_classification": classification}
		not decide(execute, object.union(stated, {"user": {"clearance": "secret"}})).allow
		decision := decide(execute, object.union(stated, {"user": {"clearance": "top-secret"}}))
		decision.allow
		decision.mfa_required
	}
}

test_needs_a_classification_where_the_type_is_classified if {
	decision := decide(read_dataset, {"user": {"clearance": "top-secret"}})
	not decision.allow
	decision.deny == {"classification"}
	decide(read_dataset, {"resource_classification": "public"}).allow
}

# MFA

test_requires_mfa_from_sensitive_upwards if {
	required := {level |
		some level in ["public", "internal", "sensitive", "secret", "top-secret"]
		decide(execute, {"resource_classification": level}).mfa_required
	}
	required == {"sensitive", "secret", "top-secret"}
}

# Ownership

test_lets_a_developer_deploy_a_model_of_their_own if {
	decision := decide(deploy, {})
	decision.allow
	decision.reason == "ownership"
}

test_takes_nobody_for_an_owner if {
	every nobody in ["", null, false, 7, ["user-1"]] {
		not decide(deploy, {"resource_owner": nobody, "user": {"id": nobody}}).allow
	}
	not decide(object.remove(deploy, ["resource_owner"]), {}).allow
}

test_limits_ownership_to_developers_models_and_deployment if {
	not decide(deploy, {"resource_owner": "user-2"}).allow
	not decide(deploy, {"action": "train"}).allow
	not decide(deploy, {"resource": "dataset", "resource_classification": "public"}).allow
	not decide(deploy, {"user": {"roles": {"user"}}}).allow
}

test_lets_the_permission_suffice_whoever_owns if {
	user_ := {"permissions": {"model:deploy"}, "roles": set()}
	decision := decide(deploy, {"resource_owner": "user-2", "user": user_})
	decision.allow
	not decision.reason
}

test_denies_an_owner_without_clearance if {
	decision := decide(deploy, {"resource_classification": "secret"})
	not decision.allow
	decision.deny == {"classification"}
}

# Separation of duties

test_lets_somebody_else_approve if {
	decide(approve, {"resource_creator": "user-2"}).allow
}

test_does_not_let_the_creator_approve if {
	decision := decide(approve, {"resource_creator": "user-1"})
	not decision.allow
	decision.deny == {"separation-of-duties"}
}

test_does_not_approve_without_a_known_creator if {
	decide(approve, {}).deny == {"separation-of-duties"}
	every nobody in ["", null, false, 7, ["user-2"]] {
		decide(approve, {"resource_creator": nobody}).deny == {"separation-of-duties"}
	}
}

# Business hours

at(weekday, hour, minute) := decision if {
	time := {"weekday": weekday, "hour": hour, "minute": minute}
	decision := platform.decision with input as object.union(execute, {"context": {"time": time}})
		with data.postern.business_hours as office
}

test_allows_within_business_hours if {
	at("Monday", 9, 0).allow
	at("Friday", 16, 59).allow
}

test_denies_outside_business_hours if {
	every time in [["Monday", 8, 59], ["Monday", 17, 0], ["Tuesday", 12, 0], ["Sunday", 12, 0]] {
		decision := at(time[0], time[1], time[2])
		not decision.allow
		decision.deny == {"business-hours"}
	}
}

test_denies_when_the_time_is_unknown if {
	decision := platform.decision with input as execute
		with data.postern.business_hours as office
	decision.deny == {"business-hours"}
}

test_grants_nothing_for_the_time_alone if {
	user_ := object.union(user, {"permissions": set()})
	time := {"weekday": "Monday", "hour": 12, "minute": 0}
	changes := {"user": user_, "context": {"time": time}}
	decision := platform.decision with input as object.union(execute, changes)
		with data.postern.business_hours as office
	not decision.allow
}
