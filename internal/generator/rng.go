package generator

import "math"

// The streams of chance. Each has its own, so that adding an attack does not change the genuine
// traffic around it.
const (
	streamWorld uint64 = iota + 1
	streamNoise
	streamSession
	streamAttack
	streamDays
	streamCanary
)

// rng is splitmix64: eight bytes of state, the same numbers for ever, and good enough for traffic.
type rng struct{ state uint64 }

// newRNG returns the chance of a stream of a seed.
func newRNG(seed, stream uint64) rng { return rng{mix(seed ^ mix(stream))} }

// mix spreads the bits of x.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func (r *rng) next() uint64 {
	x := mix(r.state)
	r.state += 0x9e3779b97f4a7c15
	return x
}

// float is uniform in [0, 1).
func (r *rng) float() float64 { return float64(r.next()>>11) / (1 << 53) }

// intn is uniform in [0, n).
func (r *rng) intn(n int) int { return int(r.next() % uint64(n)) }

// chance is true with probability p.
func (r *rng) chance(p float64) bool { return r.float() < p }

// between is uniform in [lo, hi).
func (r *rng) between(lo, hi float64) float64 { return lo + (hi-lo)*r.float() }

// exp has mean 1.
func (r *rng) exp() float64 { return -math.Log(1 - r.float()) }

// norm has mean 0 and deviation 1.
func (r *rng) norm() float64 {
	return math.Sqrt(-2*math.Log(1-r.float())) * math.Cos(2*math.Pi*r.float())
}

// lognormal has the median given; sigma is the deviation of its logarithm.
func (r *rng) lognormal(median, sigma float64) float64 { return median * math.Exp(sigma*r.norm()) }

// gamma has shape k and mean k (Marsaglia and Tsang's method).
func (r *rng) gamma(k float64) float64 {
	if k < 1 {
		return r.gamma(k+1) * math.Pow(1-r.float(), 1/k)
	}
	d := k - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := r.norm()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(1-r.float()) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}

// beta has parameters a and b.
func (r *rng) beta(a, b float64) float64 {
	x := r.gamma(a)
	return x / (x + r.gamma(b))
}

// weighted picks an index of weights, which need not add up to one.
func (r *rng) weighted(weights []float64) int {
	var sum float64
	for _, w := range weights {
		sum += w
	}
	x := r.float() * sum
	for i, w := range weights {
		if x -= w; x < 0 {
			return i
		}
	}
	return len(weights) - 1
}
