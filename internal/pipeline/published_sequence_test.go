package pipeline_test

const (
	// failThenPass is three failures, and then a success.
	failThenPass = `
by: [client.ip]
window: 60s
sequence:
  - {name: failed, when: http.response.status_code == 401, at_least: 3}
  - {name: passed, when: http.response.status_code == 200}
suppress: 60s`

	// unanswered is "A not followed by B in 10 minutes".
	unanswered = `
by: [client.ip]
window: 10m
sequence:
  - {name: asked, when: http.response.status_code == 201}
  - {name: answered, not: http.response.status_code == 202}`

	// silent is a log without a line for ten minutes.
	silent = `
when: event.dataset == "liveward.event"
by: [liveward.source]
absence: {for: 10m}`

	silentExpected = `
when: event.dataset == "liveward.event"
by: [liveward.source]
absence: {for: 10m, expect: lists.gateways}`
)

// sequenceCases are 25 to 35: what follows what, what does not follow, and silence.
func sequenceCases() []publishedCase {
	return []publishedCase{
		{number: 25, says: "a sequence as long as the window is out, and one a second shorter in: the same edge as in case 1", streams: []stream{
			{rule: failThenPass, events: "0 10 20 ok60", alerts: ""},
			{rule: failThenPass, events: "0 10 20 ok59", alerts: "@59"},
		}},
		{number: 26, says: "a sequence that comes out of order is put in order", streams: []stream{
			{rule: failThenPass, events: "ok13 10 11 12", alerts: "@13"},
		}},
		{number: 27, says: "within an instant the order of the file counts", streams: []stream{
			{rule: failThenPass, events: "7 7 7 ok7", alerts: "@7"},
			{rule: failThenPass, events: "ok7 7 7 7", alerts: ""},
		}},
		{number: 28, says: "order matters", streams: []stream{
			{rule: failThenPass, events: "ok0 1 2 3", alerts: ""},
		}},
		{number: 29, says: "a second success is suppressed", streams: []stream{
			{rule: failThenPass, events: "0 1 2 ok3 ok4", alerts: "@3", counts: "suppressed=1"},
		}},
		{number: 30, says: "what is answered in time does not fire, whenever the clock is looked at", streams: []stream{
			{rule: unanswered, events: "a0 b360 clock=3600", alerts: ""},
			{name: "looked at before", rule: unanswered, events: "a0 clock=100 clock=300 b360 clock=3600", alerts: ""},
			{name: "no answer", rule: unanswered, events: "a0 clock=3600", alerts: "@600"},
			{name: "one may still come", rule: unanswered, events: "a0 clock=604", alerts: ""},
			{name: "none can come any more", rule: unanswered, events: "a0 clock=605", alerts: "@600"},
		}},
		{number: 31, says: "silence fires once, and the next event says that it is over", streams: []stream{
			{rule: silent, events: "0 clock=890 900 clock=1400", alerts: "@600 recovered@900"},
		}},
		{number: 32, says: "an event at the deadline meets it", streams: []stream{
			{rule: silent, events: "0 600 clock=1190", alerts: ""},
			{name: "a nanosecond after it", rule: silent, events: "0 600.000000001 clock=1190", alerts: "@600 recovered@600.000000001"},
		}},
		{number: 33, says: "time in which the agent was down is no silence", streams: []stream{
			{name: "the backlog tells of it", rule: silent, events: "0 clock=10 down=905 100~905 200~905 300~905 400~905 500~905 600~905 700~905 800~905 900~905 clock=1490", alerts: ""},
			{name: "there is no backlog", rule: silent, events: "0 clock=90 down=990 clock=1490", alerts: ""},
		}},
		{number: 34, says: "what is expected and was never seen fires", streams: []stream{
			{
				rule:   silentExpected,
				lists:  map[string]string{"gateways": "entries: [gw, gw-2]\n"},
				events: "clock=390 400 clock=700",
				alerts: "@600 liveward.source=gw-2",
				show:   "liveward.source",
			},
		}},
		{number: 35, says: "an event that comes after the alert leaves it, and adds that it came late", streams: []stream{
			{rule: silent, events: "0 clock=700 300~700 clock=800", alerts: "@600 updated@300"},
		}},
	}
}
