package event

import "testing"

func TestParseNetwork(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		p, err := ParseNetwork(in)
		got := ""
		if err == nil {
			got = p.String()
		}
		if got != want {
			t.Errorf("%q: %q (%v), want %q", in, got, err, want)
		}
	}
	f("192.0.2.7", "192.0.2.7/32")
	f("192.0.2.0/24", "192.0.2.0/24")
	f("192.0.2.7/24", "192.0.2.7/24")
	f("::ffff:192.0.2.7", "192.0.2.7/32")
	f("::ffff:192.0.2.0/120", "192.0.2.0/24")
	f("::ffff:0.0.0.0/95", "")
	f("2001:db8::/32", "2001:db8::/32")
	f("fe80::1%eth0", "fe80::1/128")
	f("fe80::%eth0/64", "")
	f("192.0.2.0/33", "")
	f("192.0.2", "")
	f("", "")
	f("/", "")
}

func TestParseOwnNetwork(t *testing.T) {
	for in, want := range map[string]string{
		"10.0.0.0/8": "10.0.0.0/8", "203.0.113.7": "203.0.113.7/32", "::ffff:10.0.0.0/104": "10.0.0.0/8", "2001:db8::/32": "2001:db8::/32",
		"10.0.0.1/8":      "a network with bits behind its mask; did you mean 10.0.0.0/8?",
		"2001:db8::1/64":  "a network with bits behind its mask; did you mean 2001:db8::/64?",
		"bank.example/24": "not a network; want a form like 192.0.2.0/24",
	} {
		p, err := ParseOwnNetwork(in)
		got := p.String()
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}
