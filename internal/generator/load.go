package generator

import (
	"time"
)

// linesPerSession is the mean number of lines of a genuine session; a test holds it to what the
// session machine does.
const linesPerSession = 3.35

// What chance may do at a single bank at its busiest, whatever the load. Rules that count without a
// baseline (30 spoofs in ten minutes, 20 refusals in five) are made for banks of a certain size; where
// the load asks for more, the share of false rejects and expired tokens falls, so that a corpus of a
// million lines an hour is as calm as a real bank.
const (
	falseRejectsPer10m  = 8.0
	expiredPer5mAddress = 4.0
)

// load is the arrival of genuine sessions: a Poisson process whose rate follows the day and the week,
// and is itself uncertain from block to block (gamma), as real demand is.
type load struct {
	base   float64 // sessions a second, mean
	flat   bool    // the same at every hour
	offset int64   // of the zone, nanoseconds
	days   *days

	block int64   // length of a block
	shape float64 // of the gamma factor of a block
	until int64   // end of the block
	rate  float64 // sessions a nanosecond in it

	tenants []float64
}

// hourWeight is the relative load of an hour of the day: a peak before lunch, one in the evening.
func hourWeight(hour int) float64 {
	return [24]float64{
		0.20, 0.10, 0.06, 0.05, 0.06, 0.15, 0.40, 0.75, 1.20, 1.70, 2.05, 2.10,
		1.95, 1.50, 1.20, 1.15, 1.15, 1.20, 1.45, 1.80, 1.75, 1.20, 0.70, 0.40,
	}[hour] / 1.01125
}

// weekdayWeight is the relative load of a day of the week.
func weekdayWeight(day time.Weekday) float64 {
	return [7]float64{0.72, 1.10, 1.10, 1.08, 1.08, 1.10, 0.82}[day]
}

func newLoad(cfg *Config, w *world, d *days) *load {
	l := &load{base: cfg.SessionsPerDay / 86_400, offset: int64(cfg.UTCOffset), days: d, block: int64(10 * time.Minute), shape: 8}
	peak := 2.1
	if cfg.Rate > 0 {
		l.base, l.flat, l.block, l.shape, peak = cfg.Rate/linesPerSession, true, int64(10*time.Second), 40, 1.1
	}
	var sum float64
	for i := range w.tenants {
		sum += w.tenants[i].weight
		l.tenants = append(l.tenants, w.tenants[i].weight)
	}
	for i := range w.tenants {
		t := &w.tenants[i]
		sessions := l.base * peak * t.weight / sum // a second
		t.falseRej = min(1, falseRejectsPer10m/(sessions*600*0.018))
		t.expired = min(0.003, expiredPer5mAddress/(sessions*300*linesPerSession/float64(len(t.addrs))))
	}
	return l
}

// warmup is how long before the start sessions begin to arrive, so that the first second of the log
// holds every step of a session.
func (l *load) warmup() time.Duration {
	return min(3*time.Minute, time.Duration(20_000/l.base*float64(time.Second)))
}

func (l *load) begin(at int64) { l.until = at }

// next returns the time of the first arrival after at.
func (l *load) next(at int64, r *rng) int64 {
	for {
		if at >= l.until {
			l.until = at - mod(at, l.block) + l.block
			l.rate = l.base / 1e9 * r.gamma(l.shape) / l.shape
			if !l.flat {
				local := time.Unix(0, at+l.offset).UTC()
				l.rate *= hourWeight(local.Hour()) * weekdayWeight(local.Weekday())
			}
		}
		// A surge sets on sharply, not with a block; thinning keeps the process exact.
		rate := l.rate * l.days.surging(at)
		until := min(l.until, l.days.edge(at))
		if gap := r.exp() / rate; gap < float64(until-at) {
			return at + int64(gap)
		}
		at = until
	}
}

// mod is the remainder of a by b, never negative.
func mod(a, b int64) int64 { return (a%b + b) % b }
