package gateway_test

import data.gateway

view_logs := {
	"user": {"id": "viewer-1", "permissions": {"Logs:View"}},
	"resource": "Logs",
	"action": "View",
}

office := {"days": ["Monday", "Friday"], "from": 540, "to": 1020}

test_allows_a_held_permission if {
	decision := gateway.decision with input as view_logs
	decision == {"allow": true, "deny": set(), "mfa_required": false}
}

test_denies_without_the_permission if {
	decision := gateway.decision with input as object.union(view_logs, {"resource": "Cluster"})
	decision == {"allow": false, "deny": set(), "mfa_required": false}
}

test_compares_names_case_sensitively if {
	decision := gateway.decision with input as object.union(view_logs, {"action": "view"})
	not decision.allow
}

test_answers_totally_an_empty_input if {
	decision := gateway.decision with input as {}
	decision == {"allow": false, "deny": set(), "mfa_required": false}
}

at(weekday, hour, minute) := decision if {
	time := {"weekday": weekday, "hour": hour, "minute": minute}
	decision := gateway.decision with input as object.union(view_logs, {"context": {"time": time}})
		with data.postern.business_hours as office
}

test_allows_within_business_hours if {
	at("Monday", 9, 0).allow
	at("Friday", 16, 59).allow
}

test_denies_outside_business_hours if {
	every time in [["Monday", 8, 59], ["Monday", 17, 0], ["Tuesday", 12, 0]] {
		decision := at(time[0], time[1], time[2])
		not decision.allow
		decision.deny == {"business-hours"}
	}
}

test_denies_when_the_time_is_unknown if {
	decision := gateway.decision with input as view_logs
		with data.postern.business_hours as office
	decision.deny == {"business-hours"}
}
