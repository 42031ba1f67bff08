package rules

import (
	"bytes"

	"github.com/liveward/liveward/internal/event"
)

// setAlarm puts a key at its place in the heap, or takes it out where it does not wait.
func (t *sequenceTally) setAlarm(key event.Hash, k *sequenceKey) {
	switch {
	case k.alarm == 0 && len(k.waits) > 0:
		t.alarms = append(t.alarms, t.table.slots[key])
		k.alarm = len(t.alarms)
	case k.alarm > 0 && len(k.waits) == 0:
		i, last := k.alarm-1, len(t.alarms)-1
		t.swapAlarms(i, last)
		t.alarms = t.alarms[:last]
		k.alarm = 0
		if i == last {
			return
		}
		k = &t.table.node(t.alarms[i]).val
	}
	if k.alarm > 0 {
		t.sinkAlarm(t.liftAlarm(k.alarm - 1))
	}
}

func (t *sequenceTally) swapAlarms(i, j int) {
	t.alarms[i], t.alarms[j] = t.alarms[j], t.alarms[i]
	t.table.node(t.alarms[i]).val.alarm = i + 1
	t.table.node(t.alarms[j]).val.alarm = j + 1
}

// earlier is the order of alarms: time, and then the key, so that it does not depend on the past.
func (t *sequenceTally) earlier(i, j int) bool {
	a, b := t.table.node(t.alarms[i]), t.table.node(t.alarms[j])
	if x, y := a.val.waits[0].start, b.val.waits[0].start; x != y {
		return x < y
	}
	return bytes.Compare(a.key[:], b.key[:]) < 0
}

func (t *sequenceTally) liftAlarm(i int) int {
	for i > 0 && t.earlier(i, (i-1)/2) {
		t.swapAlarms(i, (i-1)/2)
		i = (i - 1) / 2
	}
	return i
}

func (t *sequenceTally) sinkAlarm(i int) {
	for {
		child := 2*i + 1
		if child >= len(t.alarms) {
			return
		}
		if child+1 < len(t.alarms) && t.earlier(child+1, child) {
			child++
		}
		if !t.earlier(child, i) {
			return
		}
		t.swapAlarms(i, child)
		i = child
	}
}
