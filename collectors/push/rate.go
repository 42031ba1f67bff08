package push

import (
	"fmt"
	"net/netip"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// maxPeers bounds the peers whose rate is known. One that is forgotten begins anew.
const maxPeers = 1 << 12

// rate bounds the requests of each peer: so many a second, and as many at once.
type rate struct {
	most float64
	now  func() time.Time

	mu    sync.Mutex
	peers *lru.Cache[netip.Addr, *bucket]
}

type bucket struct {
	left float64
	at   time.Time
}

func newRate(most int, now func() time.Time) (*rate, error) {
	peers, err := lru.New[netip.Addr, *bucket](maxPeers)
	if err != nil {
		return nil, fmt.Errorf("rates of peers: %w", err)
	}
	return &rate{most: float64(most), now: now, peers: peers}, nil
}

// allow tells whether a peer, as host:port, may have another request now.
func (r *rate) allow(remote string) bool {
	peer, err := netip.ParseAddrPort(remote)
	if err != nil {
		return true
	}
	ip := peer.Addr().Unmap().WithZone("")
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	b, ok := r.peers.Get(ip)
	if !ok {
		b = &bucket{r.most, now}
		r.peers.Add(ip, b)
	}
	// A clock that was set back gives nothing.
	b.left = min(r.most, b.left+r.most*max(now.Sub(b.at), 0).Seconds())
	b.at = now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}
