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
