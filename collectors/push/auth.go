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
	Scheme    Scheme        // of signatures; that of SignatureHeader where nil
	Tolerance time.Duration // between a signature's time and now, either way; 5 min
}

// User is a name with its password.
type User struct{ Name, Password string }

func (a *Auth) none() bool { return len(a.Tokens) == 0 && len(a.Users) == 0 && len(a.Secrets) == 0 }

// errGuardFull is not the sender's: another time there is room.
var errGuardFull = errors.New("too many signatures in use")

// Scheme is how senders sign their requests. Methods are called by many goroutines at once.
type Scheme interface {
	// Claim reads a request's signature from its header; false where there is none that can be read.
	Claim(h http.Header) (Claim, bool)
	// Sum is the signature that a secret makes of a request: of the header as far as it is signed, the
	// claim's time, and the body as it is sent. Nil fits no claim.
	Sum(secret []byte, h http.Header, c Claim, body []byte) []byte
}

// Claim is what a header says of its signature.
type Claim struct {
	At   int64    // seconds since the epoch; zero where the scheme signs no time
	Text string   // the time as it was sent
	MACs [][]byte // one of them has to fit
}

// guard judges credentials, and remembers signatures for as long as they could be sent again.
type guard struct {
	open      bool
	tokens    [][sha256.Size]byte
	users     [][sha256.Size]byte
	secrets   [][]byte
	scheme    Scheme
	tolerance time.Duration
	replays   bool // a signature may come again: deliveries are remembered instead
	now       func() time.Time

	mu    sync.Mutex
	used  map[[sha256.Size]byte]int64 // to the second after which its time is too old
	swept int64
}

func newGuard(a Auth, now func() time.Time) (*guard, error) {
	if a.Tolerance < time.Second {
		return nil, errors.New("tolerance of signatures is below a second")
	}
	if a.Scheme == nil {
		a.Scheme = own{}
	}
	g := &guard{open: a.none(), scheme: a.Scheme, tolerance: a.Tolerance, now: now, used: map[[sha256.Size]byte]int64{}}
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
	Claim
	tag [sha256.Size]byte // what must not come twice; set once it is judged
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
	claim, ok := g.scheme.Claim(h)
	if !ok {
		return nil, errNoCredential
	}
	now, tolerance := g.now().Unix(), int64(g.tolerance/time.Second)
	if claim.At != 0 && (claim.At < now-tolerance || claim.At > now+tolerance) {
		return nil, errSkew
	}
	return &signature{Claim: claim}, nil
}

// own is the scheme of SignatureHeader.
type own struct{}

// Claim implements Scheme.
func (own) Claim(h http.Header) (Claim, bool) { return ParseClaim(h.Values(SignatureHeader)) }

// Sum implements Scheme.
func (own) Sum(secret []byte, h http.Header, c Claim, body []byte) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(c.Text + "." + h.Get(IdempotencyHeader) + "."))
	mac.Write(body)
	return mac.Sum(nil)
}

// ParseClaim reads a header of the form t=<seconds since the epoch>,v1=<hex of an HMAC-SHA256>.
func ParseClaim(values []string) (Claim, bool) {
	var c Claim
	if len(values) != 1 || len(values[0]) > 256 {
		return c, false
	}
	for part := range strings.SplitSeq(values[0], ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "t":
			at, err := strconv.ParseInt(value, 10, 64)
			if err != nil || at <= 0 || at > 1<<40 {
				return c, false
			}
			c.At, c.Text = at, value
		case "v1":
			mac, err := hex.DecodeString(value)
			if err != nil || len(mac) != sha256.Size {
				return c, false
			}
			c.MACs = [][]byte{mac}
		}
	}
	return c, c.At != 0 && len(c.MACs) == 1
}

// verify judges a signature against the body. A good one is used from then on; forgive gives it back
// when the request could not be made durable, so that the same request may come again.
func (g *guard) verify(s *signature, h http.Header, body []byte) error {
	good := false
	for _, secret := range g.secrets {
		sum := g.scheme.Sum(secret, h, s.Claim, body)
		for _, mac := range s.MACs {
			if len(sum) > 0 && hmac.Equal(sum, mac) {
				good = true
				s.tag = sha256.Sum256(append([]byte(s.Text+"."), sum...))
			}
		}
	}
	if !good {
		return errNoCredential
	}
	if g.replays {
		return nil
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
	if _, ok := g.used[s.tag]; ok {
		return errUsed
	}
	if len(g.used) >= maxUsed {
		return errGuardFull
	}
	g.used[s.tag] = max(s.At, now) + tolerance
	return nil
}

func (g *guard) forgive(s *signature) {
	if s == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.used, s.tag)
}
