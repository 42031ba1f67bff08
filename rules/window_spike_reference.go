package rules

import (
	"math"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// spikeReference is what is normal for a key.
type spikeReference struct {
	total, hits int64
	mean        float64 // hits in a window
}

// share is the part of events that are hits.
func (r *spikeReference) share() float64 {
	if r.total == 0 {
		return 0
	}
	return float64(r.hits) / float64(r.total)
}

// SetBaseline gives all keys of a spike rule a baseline in place of their history, and takes them for
// warm: hits among total events, or for a count hits in a window. It is for the tests of rules, which
// have no history to learn from; it is no part of a snapshot. It is false where there is no such rule.
func (w *Windows) SetBaseline(state event.Hash, total, hits int64) bool {
	rs := w.states[state]
	if rs == nil {
		return false
	}
	t, ok := rs.tally.(*spikeTally)
	if ok {
		t.fixed = &spikeReference{total: max(total, 0), hits: max(hits, 0), mean: float64(max(hits, 0))}
	}
	return ok
}

// expect works out the reference of a firing and the hits it makes expect in the window. It is false
// where there is nothing to compare with.
//
// The reference is pooled: all hits over all events of its blocks, so that it is as good for thirty
// events in ten minutes as for thirty thousand. It has no block that reaches into the window. With a
// season the blocks are those at the same local time of each season before; where there are enough of
// them the one that would hide most is left out, so that the attack of yesterday does not hide that of
// today. Where the seasons are too thin for a ratio, all of the baseline is the reference.
func (t *spikeTally) expect(k *spikeKey, f *spikeFiring) bool {
	ratio := t.spec.As == SpikeRatio
	if t.fixed != nil {
		f.ref = *t.fixed
	} else {
		end := floorDiv(timeSub(f.at, t.window), t.block) - 1 // the last block before the window
		ok := t.seasonal(k, f, end)
		if !ok && (ratio || t.spec.Season <= 0) {
			ok = t.steady(k, f, end)
		}
		if !ok {
			return false
		}
	}
	f.expected = f.ref.mean
	if ratio {
		f.expected = f.ref.share() * float64(f.total)
	}
	return true
}

// known tells whether a block is one that the key's history speaks of. A block in which it began says
// something of shares and nothing of counts.
func (t *spikeTally) known(k *spikeKey, n int64) bool {
	if t.spec.As == SpikeRatio {
		return n >= floorDiv(k.first, t.block)
	}
	return n > floorDiv(k.first-1, t.block)
}

// steady takes the whole baseline as reference.
func (t *spikeTally) steady(k *spikeKey, f *spikeFiring, end int64) bool {
	begin := end - t.baseline + 1
	for begin <= end && !t.known(k, begin) {
		begin++
	}
	if begin > end {
		return false
	}
	f.ref = spikeReference{}
	for _, b := range k.history {
		if b.n >= begin && b.n <= end {
			f.ref.total += int64(b.total)
			f.ref.hits += int64(b.hits)
		}
	}
	t.average(f, end-begin+1)
	return true
}

// seasonal takes the same time of the seasons before as reference.
func (t *spikeTally) seasonal(k *spikeKey, f *spikeFiring, end int64) bool {
	if t.spec.Season <= 0 {
		return false
	}
	f.ref = spikeReference{}
	n, worst, extreme := int64(0), spikeBlock{}, false
	for i := range int64(t.spec.Baseline / t.spec.Season) {
		at := t.seasonBefore(f.at, i+1)
		no := floorDiv(timeSub(at, t.window/2), t.block)
		if no > end || !t.known(k, no) {
			continue
		}
		b := k.blockAt(no)
		n++
		f.ref.total += int64(b.total)
		f.ref.hits += int64(b.hits)
		if t.spec.As == SpikeRatio && b.total == 0 {
			continue
		}
		if !extreme || t.hides(b, worst, f.drop) {
			worst, extreme = b, true
		}
	}
	if n >= trimSeasons && extreme {
		n--
		f.ref.total -= int64(worst.total)
		f.ref.hits -= int64(worst.hits)
	}
	if n == 0 || t.spec.As == SpikeRatio && f.ref.total < max(t.spec.MinTotal, 1) {
		return false
	}
	t.average(f, n)
	return true
}

// hides tells whether a block is further from the window looked for than another.
func (t *spikeTally) hides(b, than spikeBlock, drop bool) bool {
	x, y := float64(b.hits), float64(than.hits)
	if t.spec.As == SpikeRatio {
		x, y = x*float64(than.total), y*float64(b.total)
	}
	if drop {
		return x < y
	}
	return x > y
}

// average sets the mean hits of a window, over a number of blocks.
func (t *spikeTally) average(f *spikeFiring, blocks int64) {
	f.ref.mean = float64(f.ref.hits) / float64(blocks) * float64(t.grid*spikeCells) / float64(t.block)
}

// blockAt finds a block by number; one without events is not kept and counts nothing.
func (k *spikeKey) blockAt(n int64) spikeBlock {
	low, high := 0, len(k.history)
	for low < high {
		mid := (low + high) / 2
		if k.history[mid].n < n {
			low = mid + 1
		} else {
			high = mid
		}
	}
	if low < len(k.history) && k.history[low].n == n {
		return k.history[low]
	}
	return spikeBlock{n: n}
}

// seasonBefore is the time n seasons ago. Seasons of whole days are counted on the calendar of the
// rule's zone: nine in the morning is nine in the morning, also where the day between has 25 hours.
func (t *spikeTally) seasonBefore(at, n int64) int64 {
	const day = 24 * time.Hour
	if t.spec.Season%day != 0 || at < -1<<61 || at > 1<<62 {
		return timeSub(at, time.Duration(n)*t.spec.Season)
	}
	days := int(n * int64(t.spec.Season/day))
	then := time.Unix(0, at).In(t.spec.Zone).AddDate(0, 0, -days)
	return then.UnixNano()
}

// binomialAtLeast is the chance of at least k hits among n events, each a hit with chance p.
func binomialAtLeast(k, n int64, p float64) float64 {
	switch {
	case k <= 0:
		return 1
	case k > n || p <= 0:
		return 0
	case p >= 1:
		return 1
	}
	return tailChance(logBinomial(k, n, p), float64(k) > float64(n)*p, func(i int64) float64 {
		// from k+i to k+i+1
		return float64(n-k-i) / float64(k+i+1) * (p / (1 - p))
	}, n-k, func() float64 { return binomialAtMost(k-1, n, p) })
}

// binomialAtMost is the chance of at most k hits among n events, each a hit with chance p.
func binomialAtMost(k, n int64, p float64) float64 {
	switch {
	case k < 0:
		return 0
	case k >= n || p <= 0:
		return 1
	case p >= 1:
		return 0
	}
	return tailChance(logBinomial(k, n, p), float64(k) < float64(n)*p, func(i int64) float64 {
		// from k−i to k−i−1
		return float64(k-i) / float64(n-k+i+1) * ((1 - p) / p)
	}, k, func() float64 { return binomialAtLeast(k+1, n, p) })
}

// poissonAtLeast is the chance of at least k hits where mean are expected.
func poissonAtLeast(k int64, mean float64) float64 {
	switch {
	case k <= 0:
		return 1
	case mean <= 0:
		return 0
	}
	return tailChance(logPoisson(k, mean), float64(k) > mean, func(i int64) float64 {
		return mean / float64(k+i+1)
	}, math.MaxInt64, func() float64 { return poissonAtMost(k-1, mean) })
}

// poissonAtMost is the chance of at most k hits where mean are expected.
func poissonAtMost(k int64, mean float64) float64 {
	switch {
	case k < 0:
		return 0
	case mean <= 0:
		return 1
	}
	return tailChance(logPoisson(k, mean), float64(k) < mean, func(i int64) float64 {
		return float64(k-i) / mean
	}, k, func() float64 { return poissonAtLeast(k+1, mean) })
}

// tailChance sums a tail of a distribution from its first term outwards, each term by its ratio to the one
// before, until what is left no longer counts. Terms become smaller only on the outer side of the mean;
// on the inner side the other tail is summed.
func tailChance(logFirst float64, outer bool, ratio func(i int64) float64, terms int64, other func() float64) float64 {
	if !outer {
		return max(0, 1-other())
	}
	sum, term := 1.0, 1.0
	for i := range terms {
		term *= ratio(i)
		sum += term
		if term < sum*1e-17 {
			break
		}
	}
	return min(1, math.Exp(logFirst+math.Log(sum)))
}

func logBinomial(k, n int64, p float64) float64 {
	return logFactorial(n) - logFactorial(k) - logFactorial(n-k) + float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p)
}

func logPoisson(k int64, mean float64) float64 {
	return float64(k)*math.Log(mean) - mean - logFactorial(k)
}

func logFactorial(n int64) float64 {
	v, _ := math.Lgamma(float64(n) + 1)
	return v
}
