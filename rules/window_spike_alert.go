package rules

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/liveward/liveward/internal/event"
)

// dress completes an alert with what the hits do not tell.
func (t *spikeTally) dress(a *event.Alert, _ *firing) {
	f := &t.fired
	a.Drill = f.drill
	a.Ratio = rounded(float64(f.hits) / f.expected)
	if f.drop {
		a.Threshold = math.Floor(f.expected / t.spec.Factor)
	} else {
		a.Threshold = max(float64(t.spec.MinHits), math.Ceil(t.spec.Factor*f.expected))
	}
	a.Baseline = rounded(t.normal(f))
	if int64(len(t.scratch)) != f.hits {
		// The newest hits do not speak for all.
		a.First, a.Related = timeSub(f.at, t.window), nil
		a.Tenant = ""
		for _, v := range a.Key {
			if v.Field == event.OrganizationID {
				a.Tenant = v.Str
			}
		}
	}
	if len(t.scratch) == 0 {
		a.Last = f.at
	}
}

// normal is what is usual: the share of hits, or hits in a window.
func (t *spikeTally) normal(f *spikeFiring) float64 {
	if t.spec.As == SpikeRatio {
		return f.ref.share()
	}
	return f.ref.mean
}

// rounded keeps six digits, all that matters of a rate.
func rounded(v float64) float64 {
	r, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 6, 64), 64)
	if err != nil {
		return v
	}
	return r
}

func (t *spikeTally) placeholder(name string) (string, bool) {
	f := &t.fired
	switch name {
	case "spike.ratio", "ratio":
		return strconv.FormatFloat(float64(f.hits)/f.expected, 'f', 1, 64), true
	case "spike.count":
		return strconv.FormatInt(f.hits, 10), true
	case "spike.total":
		return strconv.FormatInt(f.total, 10), true
	case "spike.baseline":
		return t.normalText(f), true
	}
	return "", false
}

func (t *spikeTally) normalText(f *spikeFiring) string {
	if t.spec.As == SpikeRatio {
		return percent(f.ref.share())
	}
	return strconv.FormatFloat(f.ref.mean, 'g', 3, 64)
}

func percent(v float64) string { return strconv.FormatFloat(100*v, 'g', 3, 64) + " %" }

func (t *spikeTally) explain(_ *Rule, a *event.Alert) string {
	f := &t.fired
	var b strings.Builder
	of := ""
	if key := a.KeyText(); key != "" {
		of = " of " + key
	}
	window := event.FormatDuration(t.window)
	if t.spec.As == SpikeRatio {
		fmt.Fprintf(&b, "%d of %d events%s in the %s before %s (UTC) are hits, %s, where %s is normal (%d of %d)",
			f.hits, f.total, of, window, clock(f.at), percent(float64(f.hits)/float64(f.total)), t.normalText(f), f.ref.hits, f.ref.total)
	} else {
		fmt.Fprintf(&b, "%d hits%s in the %s before %s (UTC), where %s are normal", f.hits, of, window, clock(f.at), t.normalText(f))
	}
	if f.drop {
		fmt.Fprintf(&b, ": %s expected", strconv.FormatFloat(f.expected, 'g', 3, 64))
	} else {
		fmt.Fprintf(&b, ": %s times the %s expected", strconv.FormatFloat(float64(f.hits)/f.expected, 'f', 1, 64), strconv.FormatFloat(f.expected, 'g', 3, 64))
	}
	b.WriteString(", by chance less than once in 10,000")
	return b.String()
}
