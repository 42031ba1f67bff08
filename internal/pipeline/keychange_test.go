package pipeline_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/privacy"
)

const newAddress = `id: t.new
version: 1
description: for tests
title: "{device.id} calls from {client.ip}"
severity: low
when: has(device.id)
by: [device.id]
first_seen: {of: [client.ip], history: 30d, learn: 10m}
playbook: t/p
tests: [{name: quiet, events: [{at: 0s}], alerts: []}]
`

// A new pseudonym key takes no history from anybody: while the former key lives, a device that was known is
// known, and a count that had begun goes on.
func TestHistoriesSurviveANewKey(t *testing.T) {
	key := func(epoch string) privacy.Key {
		return privacy.Key{Epoch: epoch, Secret: bytes.Repeat([]byte(epoch[:1]), 32)}
	}
	const change = 30 * 60_000 // milliseconds
	l := &log{path: "/a"}
	call := func(at int64, device, address int) {
		l.add(line{at: at, ip: fmt.Sprintf("203.0.113.%d", address), status: 200, device: fmt.Sprint("phone-", device), agent: "app/1"})
	}
	for i := range int64(300) { // each device has two addresses; all is learnt long before the change
		call(i*10_000, int(i%5), 2*int(i%5)+int(i/5)%2)
		switch at := i * 10_000; {
		case at >= change-30_000 && at < change+30_000: // four addresses within two minutes, before and after
			call(at+1, 9, 100+int(at/20_000)%4)
		case at == change+600_000:
			call(at+1, 3, 200) // this one is new
		}
	}
	before := bytes.Index(l.text, []byte(fmt.Sprintf(`{"msec":"%d.000"`, (base.UnixMilli()+change)/1000)))
	run := func(second []privacy.Key) (told []string) {
		b := newBench(t, ruleset(t, newAddress, spread))
		b.keys = []privacy.Key{key("x1")}
		b.clock.Store(base.Add(change*time.Millisecond - 5*time.Second).UnixNano())
		half := &log{path: "/a", text: l.text[:before]}
		b.open("one")
		one := b.reader("one", half)
		b.begin(one)
		one.all()
		one.close()
		b.halt()
		b.close()

		b.keys = second
		b.clock.Store(base.Add(time.Hour).UnixNano())
		b.open("one")
		one = b.reader("one", l)
		defer one.close()
		b.begin(one)
		one.all()
		b.finish(one)
		for _, doc := range b.alerts(false) {
			a, err := event.ParseAlert([]byte(doc))
			if err != nil {
				t.Fatal(err)
			}
			if epoch := second[len(second)-1].Epoch + "-"; !strings.HasPrefix(a.Key[0].Str, epoch) {
				t.Errorf("%s is about %s, want a pseudonym %s…", a.Rule.ID, a.KeyText(), epoch)
			}
			told = append(told, fmt.Sprint(a.Rule.ID, " ", time.Duration(a.Time-base.UnixNano()), " ", a.Count))
		}
		return told
	}
	want := run([]privacy.Key{key("x1")})
	if len(want) != 2 {
		t.Fatalf("without a change %v fire, want one of each rule", want)
	}
	if diff := cmp.Diff(want, run([]privacy.Key{key("x1"), key("y2")})); diff != "" {
		t.Errorf("with one key (-), and with a new one beside it (+):\n%s", diff)
	}
	if diff := cmp.Diff(want, run([]privacy.Key{key("y2")})); diff == "" {
		t.Error("with another key alone the same fires: the test shows nothing")
	}
}
