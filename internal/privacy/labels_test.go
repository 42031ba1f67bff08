package privacy

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/internal/event"
)

// A label's name says what its value is, and is no place for a value either.
func TestLabels(t *testing.T) {
	var ev event.Event
	for _, l := range [][2]string{
		{"password", "hunter2"},
		{"x_api_key", "acmeonboarding99"},
		{"req.headers.authorization", "acme 99"},
		{"pass\u200bwd", "hunter2"},
		{"pin", "4711"},
		{"pin_state", "ok"},
		{"cookie", "none"},
		{"secret", ""},
		{"card 4111\u00a01111\u00a01111\u00a01111", "x"},
		{"a\u00a0b", "x"},
		{"level", "warn"},
	} {
		ev.SetLabel(l[0], l[1])
	}
	filter(t, false).Worker().Apply(&ev)
	got := map[string]string{}
	for _, l := range ev.Labels {
		got[l.Key] = l.Value
	}
	want := map[string]string{
		"password": "[secret]", "x_api_key": "[secret]", "req_headers_authorization": "[secret]", "passwd": "[secret]", "pin": "[secret]",
		"pin_state": "ok", "cookie": "none", "a_b": "x", "level": "warn",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"secret", "raw_value"}, ev.List(event.LivewardPrivacyDropped)); d != "" {
		t.Error(d)
	}
}
