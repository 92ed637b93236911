package articles.http_test

import data.articles.http

request(segments, body) := {
	"attributes": {"request": {"http": object.union(
		{"method": "POST", "headers": {"x-caller": "ann"}},
		object.filter(body, ["rawBody"]),
	)}},
	"parsed_path_segments": segments,
	"parsed_body": object.get(body, "parsed", null),
	"truncated_body": object.get(body, "truncated", false),
}

test_own_article if {
	http.allow.allowed with input as request(["articles"], {"parsed": {"author": "ann"}})
}

test_article_of_another if {
	not http.allow.allowed with input as request(["articles"], {"parsed": {"author": "bob"}})
}

test_article_cut_off if {
	body := {"parsed": {"author": "ann"}, "truncated": true}
	not http.allow.allowed with input as request(["articles"], body)
}

test_picture if {
	http.allow.allowed with input as request(["pictures"], {"rawBody": "iVBORw0KGgoAAAA="})
	not http.allow.allowed with input as request(["pictures"], {"rawBody": "R0lGODlh"})
}

test_events if {
	http.allow.allowed with input as request(["events"], {})
}
