package rules

import (
	"math"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// spikeTally compares the hits of a key in [T−window, T) with what is normal for the key, at each grid
// point T, a multiple of a fifth of the window. A grid point is decided when the watermark has come to
// it, so that no event of its window is missing.
//
// What is normal is kept in coarse blocks: of at most maxBlocks over the baseline, each a whole number
// of windows. 14 days of ten-minute windows are 336 blocks of an hour.
type spikeTally struct {
	spec     SpikeSpec
	window   time.Duration
	grid     int64 // nanoseconds
	block    int64 // nanoseconds
	baseline int64 // blocks
	keep     int64 // blocks kept: more, for the days that have more hours
	once     bool
	limits   *keyLimit
	shows    *showTable

	table  windowTable[spikeKey]
	seen   windowTable[spikeSeen] // values of once within the window
	down   *downtime
	began  int64 // time of the first event of all; the rule is warming from then on
	done   int64 // grid point decided last; noTime before the first
	last   int64 // time of the last event of any key
	blocks int64 // of all keys
	kept   int64 // samples of all keys

	fixed   *spikeReference // given by SetBaseline
	ready   []spikeFiring   // keys that fire at done and were not struck yet
	fired   spikeFiring     // the one struck last
	scratch []hit
}

// spikeKey is what is known of a key.
type spikeKey struct {
	data    []byte // key values
	first   int64  // time of its first event: from then on it has a history
	last    int64
	cells   [spikeCells]spikeCell
	history []spikeBlock // by number, those with events only
	samples hitRing      // newest hits, of the window when it is looked at
}

// spikeCell counts the events of one grid step; n is its number since 1970.
type spikeCell struct {
	n                  int64
	total, hits, drill int64
}

// spikeBlock counts the events of one block; n is its number since 1970. There are hundreds of a key:
// counts stop at what they can hold.
type spikeBlock struct {
	n           int64
	total, hits uint32
}

func (b *spikeBlock) add(total, hits int64) {
	b.total = uint32(min(int64(b.total)+total, math.MaxUint32))
	b.hits = uint32(min(int64(b.hits)+hits, math.MaxUint32))
}

// spikeSeen is when a value of once was last seen, and whether it has been a hit.
type spikeSeen struct {
	last int64
	hit  bool
}

// spikeFiring is a key that fires at a grid point.
type spikeFiring struct {
	key         event.Hash
	at          int64
	hits, total int64
	drill       bool
	drop        bool
	expected    float64 // hits in the window, floor included
	ref         spikeReference
}

const (
	spikeCells = 5
	// maxBlocks is the number of blocks that a key's history has at most, but for rounding.
	maxBlocks = 336
	// maxSamples is the number of hits kept of a key for evidence and top.
	maxSamples = 64
	// spikeChance is how unlikely a window must be, were all as usual.
	spikeChance = 1e-4
	// trimSeasons is the number of seasons from which on the most extreme one is left out.
	trimSeasons = 4

	// longerDays is by how much local time has ever been set back at once.
	longerDays = 3 * time.Hour

	// spikeHorizon bounds the times that are counted: around it are some 140 years on either side of
	// 1970, and room to calculate.
	spikeHorizon = 1 << 62

	defaultMinHits = 8
	defaultFloor   = 1

	blockCost    = 16
	spikeKeyCost = keyCost + spikeCells*32 + 64
)

func newSpikeTally(r *Rule, keys *keyLimit, shows *showTable) *spikeTally {
	t := &spikeTally{spec: r.Spike, window: max(r.Window, spikeCells), once: len(r.Once) > 0, limits: keys, shows: shows, down: new(downtime)}
	s := &t.spec
	if s.MinHits <= 0 {
		s.MinHits = defaultMinHits
	}
	if s.Floor <= 0 {
		s.Floor = defaultFloor
	}
	s.Factor = max(s.Factor, 1)
	s.Baseline = max(s.Baseline, t.window)
	if s.Zone == nil {
		s.Zone = time.UTC
	}
	t.grid = int64(t.window) / spikeCells
	w := t.grid * spikeCells
	windows := (int64(s.Baseline) + w - 1) / w
	t.block = w * max(1, (windows+maxBlocks-1)/maxBlocks)
	t.baseline = (int64(s.Baseline) + t.block - 1) / t.block
	t.keep = t.baseline + 2
	if s.Season > 0 {
		t.keep += (int64(longerDays) + t.block - 1) / t.block
	}
	t.began, t.done, t.last = noTime, noTime, noTime
	return t
}

// adopt takes over when agents were down.
func (t *spikeTally) adopt(_ *Rule, m *watermark) { t.down = m.down }

// same tells whether two parameters decide alike.
func (s *SpikeSpec) same(o *SpikeSpec) bool {
	a, b := *s, *o
	if (a.Zone == nil) != (b.Zone == nil) || a.Zone != nil && a.Zone.String() != b.Zone.String() {
		return false
	}
	a.Zone, b.Zone = nil, nil
	return a == b
}

// floorDiv is a/b rounded down, for positive b.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func (t *spikeTally) count(p *pending) (firing, bool) {
	if p.time < -spikeHorizon || p.time > spikeHorizon {
		return firing{}, false
	}
	hit, total := int64(0), int64(1)
	if p.step == 1 {
		hit = 1
	}
	if t.once {
		total, hit = t.repeated(p, hit)
		if total+hit == 0 {
			return firing{}, false
		}
	}
	k, added := t.table.touch(p.key)
	if added {
		k.data, k.first = append([]byte(nil), p.data[:p.keyLen]...), p.time
		if t.table.len() > t.limits.max {
			t.evict()
		}
	}
	k.last, t.last = p.time, p.time
	if t.began == noTime {
		t.began = p.time
	}
	n := floorDiv(p.time, t.grid)
	t.done = max(t.done, n*t.grid) // what lies before was decided, or had nothing to decide
	cell := &k.cells[uint64(n)%spikeCells]
	if cell.n != n {
		*cell = spikeCell{n: n}
	}
	cell.total += total
	cell.hits += hit
	b := floorDiv(p.time, t.block)
	if len(k.history) == 0 || k.history[len(k.history)-1].n != b {
		t.forget(k, b-t.keep)
		k.history = append(k.history, spikeBlock{n: b})
		t.blocks++
	}
	k.history[len(k.history)-1].add(total, hit)
	if hit == 0 {
		return firing{}, false
	}
	if p.drill {
		cell.drill++
	}
	if int(k.samples.n) == maxSamples {
		t.dropSample(k)
	}
	k.samples.push(newHit(p, t.shows))
	t.kept++
	return firing{}, false
}

// newHit keeps what an alert tells of an event.
func newHit(p *pending, shows *showTable) hit {
	return hit{time: p.time, event: p.event, show: shows.intern(p.data[p.keyLen:]), drill: p.drill}
}

// repeated tells what of an event is new: nothing, where its value of once was seen in the window
// before; the hit alone, where it was seen and has not been a hit.
func (t *spikeTally) repeated(p *pending, hit int64) (newTotal, newHit int64) {
	value := both(p.key, p.value)
	for v := t.seen.first(); v != nil && v.last <= timeSub(p.time, t.window); v = t.seen.first() {
		t.seen.dropFirst()
	}
	v, added := t.seen.touch(value)
	newTotal, newHit = 0, hit
	if added {
		newTotal = 1
	} else if v.hit {
		newHit = 0
	}
	v.last, v.hit = p.time, v.hit || hit == 1
	if t.seen.len() > t.limits.max {
		t.limits.evicted++
		t.seen.dropFirst()
	}
	return newTotal, newHit
}

func (t *spikeTally) dropSample(k *spikeKey) {
	t.shows.release(k.samples.shift().show)
	t.kept--
}

// forget drops the blocks of a key before a number.
func (t *spikeTally) forget(k *spikeKey, before int64) {
	i := 0
	for i < len(k.history) && k.history[i].n < before {
		i++
	}
	if i > 0 {
		k.history = append(k.history[:0], k.history[i:]...)
		t.blocks -= int64(i)
	}
}

// due is the next grid point whose window can have an event in it, or lack those that it should have.
func (t *spikeTally) due() (int64, bool) {
	if len(t.ready) > 0 {
		return t.done, true
	}
	if t.last == noTime {
		return 0, false
	}
	next, end := timeAdd(t.done, time.Duration(t.grid)), timeAdd(t.last, t.window)
	if t.spec.Drop {
		end = timeAdd(end, t.spec.Baseline)
	}
	return next, next > t.done && next <= end
}

func (t *spikeTally) strike(p *pending) (firing, bool) {
	if len(t.ready) == 0 {
		t.done = timeAdd(t.done, time.Duration(t.grid))
		t.decide(t.done)
		if len(t.ready) == 0 {
			return firing{}, false
		}
	}
	t.fired = t.ready[0]
	t.ready = t.ready[1:]
	f := &t.fired
	k := t.table.get(f.key)
	p.time, p.key, p.event, p.drill = f.at, f.key, instantEvent(f.at), f.drill
	p.data, p.keyLen = append(p.data[:0], k.data...), len(k.data)
	from := timeSub(f.at, t.window)
	for k.samples.n > 0 && k.samples.at(0).time < from {
		t.dropSample(k)
	}
	out := firing{count: f.hits, first: from, different: true}
	if k.samples.n > 0 {
		p.data = append(p.data, t.shows.get(k.samples.at(int(k.samples.n)-1).show)...)
		if int64(k.samples.n) == f.hits {
			out.first = k.samples.at(0).time
		}
	}
	return out, true
}

// warming tells whether no key can have learned for long enough.
func (t *spikeTally) warming(now int64) bool {
	return t.fixed == nil && t.spec.Warmup > 0 && (t.began == noTime || now < timeAdd(t.began, t.spec.Warmup))
}

// mute keeps grid points up to now silent.
func (t *spikeTally) mute(now int64) {
	if now != noTime {
		t.done = max(t.done, floorDiv(now, t.grid)*t.grid)
	}
}

// decide finds the keys that fire at a grid point, those with the oldest last event first.
func (t *spikeTally) decide(at int64) {
	t.ready = t.ready[:0]
	from := timeSub(at, t.window)
	t.table.backwards(func(key event.Hash, k *spikeKey) bool {
		if k.last < from && !t.spec.Drop {
			return false
		}
		if f, ok := t.judge(k, at); ok {
			f.key = key
			t.ready = append(t.ready, f)
		}
		return true
	})
	for i, j := 0, len(t.ready)-1; i < j; i, j = i+1, j-1 {
		t.ready[i], t.ready[j] = t.ready[j], t.ready[i]
	}
}

// judge decides whether a key fires at a grid point.
func (t *spikeTally) judge(k *spikeKey, at int64) (spikeFiring, bool) {
	f := spikeFiring{at: at, drill: true}
	drills, last := int64(0), floorDiv(at, t.grid)
	for _, c := range k.cells {
		if c.n >= last-spikeCells && c.n < last {
			f.total += c.total
			f.hits += c.hits
			drills += c.drill
		}
	}
	f.drill = drills == f.hits && f.hits > 0
	ratio := t.spec.As == SpikeRatio
	if ratio && f.total < t.spec.MinTotal || f.hits < t.spec.MinHits && !t.spec.Drop {
		return f, false
	}
	if t.fixed == nil && at < timeAdd(k.first, t.spec.Warmup) {
		return f, false
	}
	if f.hits >= t.spec.MinHits && float64(f.hits) >= t.spec.MinShare*float64(f.total) {
		if t.expect(k, &f) && t.rises(&f) {
			return f, true
		}
	}
	if !t.spec.Drop || t.down.overlaps(timeSub(at, t.window), at) {
		return f, false
	}
	f.drop = true
	return f, t.expect(k, &f) && t.drops(&f)
}

// rises tells whether the hits are too many.
func (t *spikeTally) rises(f *spikeFiring) bool {
	f.expected = max(f.expected, t.spec.Floor)
	if float64(f.hits) < t.spec.Factor*f.expected {
		return false
	}
	if t.spec.As == SpikeRatio {
		return binomialAtLeast(f.hits, f.total, f.expected/float64(f.total)) < spikeChance
	}
	return poissonAtLeast(f.hits, f.expected) < spikeChance
}

// drops tells whether the hits are too few.
func (t *spikeTally) drops(f *spikeFiring) bool {
	if f.expected < float64(t.spec.MinHits) || float64(f.hits)*t.spec.Factor > f.expected {
		return false
	}
	if t.spec.As == SpikeRatio {
		return binomialAtMost(f.hits, f.total, f.expected/float64(f.total)) < spikeChance
	}
	return poissonAtMost(f.hits, f.expected) < spikeChance
}

func (t *spikeTally) hits(p *pending) []hit {
	t.scratch = t.scratch[:0]
	k := t.table.get(p.key)
	for i := range int(k.samples.n) {
		t.scratch = append(t.scratch, *k.samples.at(i))
	}
	return t.scratch
}

// expire forgets keys whose history is over. One that was known lately is no new one.
func (t *spikeTally) expire(now int64) {
	span := max(t.window+time.Duration(t.keep*t.block), remember)
	for k := t.table.first(); k != nil && k.last < timeSub(now, span); k = t.table.first() {
		t.dropFirst(k)
	}
	for v := t.seen.first(); v != nil && v.last <= timeSub(now, t.window); v = t.seen.first() {
		t.seen.dropFirst()
	}
}

func (t *spikeTally) evict() bool {
	k := t.table.first()
	if k == nil {
		return false
	}
	t.limits.evicted++
	t.dropFirst(k)
	return true
}

func (t *spikeTally) dropFirst(k *spikeKey) {
	for k.samples.n > 0 {
		t.dropSample(k)
	}
	t.blocks -= int64(len(k.history))
	t.table.dropFirst()
}

func (t *spikeTally) keys() int { return t.table.len() }

func (t *spikeTally) size() int64 {
	return int64(t.table.len())*spikeKeyCost + t.blocks*blockCost + t.kept*hitCost + int64(t.seen.len())*keyCost
}
