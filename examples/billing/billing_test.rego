package billing_test

import data.billing

clerk := {"id": "clerk-1", "groups": {"billing/clerks"}}

approve := {"user": clerk, "resource": "invoice", "action": "approve", "resource_amount": 500}

read := {"user": {"id": "user-1", "groups": set()}, "resource": "invoice", "action": "read"}

decide(input_, changes) := decision if {
	decision := billing.decision with input as object.union(input_, changes)
}

test_shows_plans_to_everybody if {
	decide(read, {"resource": "plan"}).reasons == {"public-plans"}
}

test_shows_customers_their_own_invoices if {
	decide(read, {"resource_customer": "user-1"}).reasons == {"own-invoice"}
	not decide(read, {"resource_customer": "user-2"}).allow
	not decide(read, {}).allow
	not decide(read, {"resource_customer": null, "user": {"id": null}}).allow
}

test_lets_clerks_approve_with_mfa if {
	decision := decide(approve, {})
	decision.allow
	decision.mfa_required
	decision.deny == set()
	decision.obligations == set()
}

test_asks_readers_for_no_mfa if {
	not decide(approve, {"action": "read"}).mfa_required
}

test_lets_nobody_else_approve if {
	not decide(approve, {"user": {"groups": set()}}).allow
}

test_limits_the_amount if {
	decide(approve, {"resource_amount": 10000}).deny == set()
	decide(approve, {"resource_amount": 10001}).deny == {"limit"}
}

test_denies_an_amount_that_is_unknown if {
	decide(object.remove(approve, ["resource_amount"]), {}).deny == {"unknown-amount"}
	decide(approve, {"resource_amount": "1"}).deny["unknown-amount"]
}

test_has_large_amounts_announced if {
	decide(approve, {"resource_amount": 1001}).obligations == {
		{"type": "notify", "properties": {"group": "billing/auditors"}},
	}
}
