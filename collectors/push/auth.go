package push

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The headers of signed requests.
const (
	// SignatureHeader holds t=<seconds since the epoch>,v1=<hex>, where v1 is the HMAC-SHA256 of the
	// seconds, a dot, the value of IdempotencyHeader (empty where there is none), a dot, and the body
	// as it is sent.
	SignatureHeader = "X-Liveward-Signature"
	// IdempotencyHeader holds the id the sender gives a delivery: the same when it comes again.
	IdempotencyHeader = "Idempotency-Key"
)

const (
	firehoseKey = "X-Amz-Firehose-Access-Key"
	firehoseID  = "X-Amz-Firehose-Request-Id"
)

const (
	shortestSecret = 16      // characters of a token, a password or a signing secret
	maxUsed        = 1 << 18 // signatures that are remembered
)

// Auth is how senders prove who they are. Any one of the ways that are configured is enough; a client
// certificate, where TLS asks for one, is wanted in addition.
type Auth struct {
	Tokens    []string      // bearer tokens; Firehose sends its access key instead
	Users     []User        // basic authentication
	Secrets   []string      // signing secrets; two while one is being replaced
	Tolerance time.Duration // between a signature's time and now, either way; 5 min
}

// User is a name with its password.
type User struct{ Name, Password string }

func (a *Auth) none() bool { return len(a.Tokens) == 0 && len(a.Users) == 0 && len(a.Secrets) == 0 }

var (
	errNoCredential = errors.New("credential is missing or wrong")
	errSkew         = errors.New("time of the signature is too far from now")
	errUsed         = errors.New("signature was used before")
	errGuardFull    = errors.New("too many signatures in use")
)

// guard judges credentials, and remembers signatures for as long as they could be sent again.
type guard struct {
	open      bool
	tokens    [][sha256.Size]byte
	users     [][sha256.Size]byte
	secrets   [][]byte
	tolerance time.Duration
	now       func() time.Time

	mu    sync.Mutex
	used  map[[sha256.Size]byte]int64 // to the second after which its time is too old
	swept int64
}

func newGuard(a Auth, now func() time.Time) (*guard, error) {
	if a.Tolerance < time.Second {
		return nil, errors.New("tolerance of signatures is below a second")
	}
	g := &guard{open: a.none(), tolerance: a.Tolerance, now: now, used: map[[sha256.Size]byte]int64{}}
	short := false
	for _, t := range a.Tokens {
		short = short || len(t) < shortestSecret
		g.tokens = append(g.tokens, sha256.Sum256([]byte(t)))
	}
	for _, u := range a.Users {
		short = short || len(u.Password) < shortestSecret
		if u.Name == "" || strings.Contains(u.Name, ":") {
			return nil, errors.New("a user's name is empty or has a colon")
		}
		g.users = append(g.users, sha256.Sum256([]byte(u.Name+":"+u.Password)))
	}
	for _, s := range a.Secrets {
		short = short || len(s) < shortestSecret
		g.secrets = append(g.secrets, []byte(s))
	}
	if short {
		return nil, errors.New("tokens, passwords and signing secrets have 16 characters at least")
	}
	return g, nil
}

// among compares in a time that tells nothing of what is known.
func among(known [][sha256.Size]byte, given string) bool {
	sum := sha256.Sum256([]byte(given))
	found := 0
	for i := range known {
		found |= subtle.ConstantTimeCompare(known[i][:], sum[:])
	}
	return found == 1
}

// signature is a claim that is judged once the body is there.
type signature struct {
	at   int64
	text string // the seconds as they were sent
	mac  [sha256.Size]byte
}

// admit judges a request's header, before its body is read. A signature is to be verified then.
func (g *guard) admit(h http.Header, r *http.Request) (*signature, error) {
	if g.open {
		return nil, nil
	}
	scheme, value, _ := strings.Cut(h.Get("Authorization"), " ")
	if len(g.tokens) > 0 {
		if strings.EqualFold(scheme, "bearer") && among(g.tokens, strings.TrimSpace(value)) {
			return nil, nil
		}
		if key := h.Get(firehoseKey); key != "" && among(g.tokens, key) {
			return nil, nil
		}
	}
	if name, password, ok := r.BasicAuth(); ok && len(g.users) > 0 && among(g.users, name+":"+password) {
		return nil, nil
	}
	if len(g.secrets) == 0 {
		return nil, errNoCredential
	}
	s, ok := parseSignature(h.Values(SignatureHeader))
	if !ok {
		return nil, errNoCredential
	}
	now, tolerance := g.now().Unix(), int64(g.tolerance/time.Second)
	if s.at < now-tolerance || s.at > now+tolerance {
		return nil, errSkew
	}
	return s, nil
}

func parseSignature(values []string) (*signature, bool) {
	if len(values) != 1 || len(values[0]) > 256 {
		return nil, false
	}
	s, seen := new(signature), 0
	for part := range strings.SplitSeq(values[0], ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "t":
			at, err := strconv.ParseInt(value, 10, 64)
			if err != nil || at < 0 || at > 1<<40 {
				return nil, false
			}
			s.at, s.text = at, value
			seen |= 1
		case "v1":
			mac, err := hex.DecodeString(value)
			if err != nil || len(mac) != len(s.mac) {
				return nil, false
			}
			copy(s.mac[:], mac)
			seen |= 2
		}
	}
	return s, seen == 3
}

// verify judges a signature against the body. A good one is used from then on; forgive gives it back
// when the request could not be made durable, so that the same request may come again.
func (g *guard) verify(s *signature, key string, body []byte) error {
	good := false
	for _, secret := range g.secrets {
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(s.text + "." + key + "."))
		mac.Write(body)
		if hmac.Equal(mac.Sum(nil), s.mac[:]) {
			good = true
		}
	}
	if !good {
		return errNoCredential
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now, tolerance := g.now().Unix(), int64(g.tolerance/time.Second)
	if now > g.swept+tolerance/4 || now < g.swept {
		g.swept = now
		for mac, until := range g.used {
			if until < now {
				delete(g.used, mac)
			}
		}
	}
	if _, ok := g.used[s.mac]; ok {
		return errUsed
	}
	if len(g.used) >= maxUsed {
		return errGuardFull
	}
	g.used[s.mac] = s.at + tolerance
	return nil
}

func (g *guard) forgive(s *signature) {
	if s == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.used, s.mac)
}
