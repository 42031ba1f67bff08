package s3_test

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// queue is an SQS queue as its JSON protocol shows it: messages that are received are hidden for a
// time, a receipt handle is good until the message is received again, and what was received too often
// goes to the dead-letter queue.
type queue struct {
	t      *testing.T
	server *httptest.Server

	mu      sync.Mutex
	changed chan struct{}
	next    int
	list    []*message
	dead    []string // bodies
	most    int      // receipts before a message is set aside; 0: without end
	spans   []int    // that visibilities were changed to
	fail    func(action string) string
	calls   map[string]int
	asking  int // requests for messages that wait
}

type message struct {
	id, body, handle string
	receipts         int
	shows            time.Time
}

func newQueue(t *testing.T) *queue {
	t.Helper()
	q := &queue{t: t, changed: make(chan struct{}), calls: map[string]int{}}
	q.server = httptest.NewServer(http.HandlerFunc(q.serve))
	t.Cleanup(q.server.Close)
	return q
}

func (q *queue) url() string { return q.server.URL + "/123456789012/liveness-logs" }

func (q *queue) send(body string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.next++
	q.list = append(q.list, &message{id: "m-" + strconv.Itoa(q.next), body: body})
	q.wake()
}

func (q *queue) wake() {
	close(q.changed)
	q.changed = make(chan struct{})
}

func (q *queue) ask(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.asking += n
}

// quiet waits until nobody asks: a message that is handed to who has hung up is hidden for its time.
func (q *queue) quiet() {
	wait(q.t, "the last request to end", func() bool {
		q.mu.Lock()
		defer q.mu.Unlock()
		return q.asking == 0
	})
}

// expire shows all messages again, as time would.
func (q *queue) expire() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, m := range q.list {
		m.shows = time.Time{}
	}
	q.wake()
}

func (q *queue) left() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.list)
}

func (q *queue) deadLetters() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return append([]string(nil), q.dead...)
}

func (q *queue) count(action string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.calls[action]
}

// refuse makes the queue answer with an error, where f returns its code.
func (q *queue) refuse(f func(action string) string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.fail = f
}

// wait polls until a condition holds.
func wait(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

type request struct {
	QueueURL          string `json:"QueueUrl"`
	ReceiptHandle     string
	VisibilityTimeout int
	WaitTimeSeconds   int
}

func (q *queue) serve(w http.ResponseWriter, r *http.Request) {
	action := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS.")
	var in request
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.QueueURL != q.url() {
		answer(w, http.StatusBadRequest, map[string]string{"__type": "com.amazonaws.sqs#QueueDoesNotExist"})
		return
	}
	if !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/") {
		answer(w, http.StatusForbidden, map[string]string{"__type": "com.amazonaws.sqs#AccessDenied"})
		return
	}
	q.mu.Lock()
	q.calls[action]++
	fail := ""
	if q.fail != nil {
		fail = q.fail(action)
	}
	q.mu.Unlock()
	if fail != "" {
		answer(w, http.StatusBadRequest, map[string]string{"__type": "com.amazonaws.sqs#" + fail, "message": "a secret of the service"})
		return
	}
	switch action {
	case "ReceiveMessage":
		q.receive(w, r, in)
	case "DeleteMessage", "ChangeMessageVisibility":
		q.change(w, in, action == "DeleteMessage")
	default:
		q.t.Errorf("unexpected request %q", action)
	}
}

func (q *queue) receive(w http.ResponseWriter, r *http.Request, in request) {
	deadline := time.NewTimer(time.Duration(in.WaitTimeSeconds) * 20 * time.Millisecond)
	defer deadline.Stop()
	q.ask(1)
	defer q.ask(-1)
	for {
		q.mu.Lock()
		m, changed := q.first(in.VisibilityTimeout), q.changed
		q.mu.Unlock()
		if m != nil {
			sum := md5.Sum([]byte(m.body))
			answer(w, http.StatusOK, map[string]any{"Messages": []any{map[string]any{
				"MessageId": m.id, "ReceiptHandle": m.handle, "Body": m.body, "MD5OfBody": hex.EncodeToString(sum[:]),
				"Attributes": map[string]string{"ApproximateReceiveCount": strconv.Itoa(m.receipts)},
			}}})
			return
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		case <-deadline.C:
			answer(w, http.StatusOK, map[string]any{})
			return
		}
	}
}

// first takes the first message that shows.
func (q *queue) first(span int) *message {
	for i := 0; i < len(q.list); i++ {
		m := q.list[i]
		if time.Now().Before(m.shows) {
			continue
		}
		if q.most > 0 && m.receipts >= q.most {
			q.dead = append(q.dead, m.body)
			q.list = append(q.list[:i], q.list[i+1:]...)
			i--
			continue
		}
		m.receipts++
		m.handle = fmt.Sprintf("%s-%d", m.id, m.receipts)
		m.shows = time.Now().Add(time.Duration(span) * time.Second)
		taken := *m
		return &taken
	}
	return nil
}

func (q *queue) change(w http.ResponseWriter, in request, remove bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, m := range q.list {
		if m.handle != in.ReceiptHandle {
			continue
		}
		if remove {
			q.list = append(q.list[:i], q.list[i+1:]...)
		} else {
			q.spans = append(q.spans, in.VisibilityTimeout)
			m.shows = time.Now().Add(time.Duration(in.VisibilityTimeout) * time.Second)
		}
		q.wake()
		answer(w, http.StatusOK, map[string]any{})
		return
	}
	answer(w, http.StatusBadRequest, map[string]string{"__type": "com.amazonaws.sqs#ReceiptHandleIsInvalid"})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
