// Package sqsfake is an SQS queue for tests, as its JSON protocol shows it: messages that are received are
// hidden for a time, a receipt handle is good until the message is received again, and what was received
// too often goes to the dead-letter queue.
//
// It never checks signatures: that a request has the test's access key is enough. A second of waiting
// takes it 20 milliseconds, a second of hiding takes a second.
package sqsfake

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

// AccessKey is the only one that is let in.
const AccessKey = "AKIDEXAMPLE"

// Queue is one queue.
type Queue struct {
	t      testing.TB
	server *httptest.Server

	// Most is how often a message may be received before it is set aside; 0: without end.
	Most int

	mu      sync.Mutex
	changed chan struct{}
	next    int
	list    []*message
	dead    []string // bodies
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

// New starts a queue that ends with the test.
func New(t testing.TB) *Queue {
	t.Helper()
	q := &Queue{t: t, changed: make(chan struct{}), calls: map[string]int{}}
	q.server = httptest.NewServer(http.HandlerFunc(q.serve))
	t.Cleanup(q.server.Close)
	return q
}

// URL is the address of the queue.
func (q *Queue) URL() string { return q.server.URL + "/123456789012/liveness-logs" }

// Send adds a message.
func (q *Queue) Send(body string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.next++
	q.list = append(q.list, &message{id: "m-" + strconv.Itoa(q.next), body: body})
	q.wake()
}

func (q *Queue) wake() {
	close(q.changed)
	q.changed = make(chan struct{})
}

func (q *Queue) ask(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.asking += n
}

// Quiet waits until nobody asks: a message that is handed to who has hung up is hidden for its time.
func (q *Queue) Quiet() {
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(5 * time.Millisecond) {
		q.mu.Lock()
		asking := q.asking
		q.mu.Unlock()
		switch {
		case asking == 0:
			return
		case time.Now().After(deadline):
			q.t.Fatal("the queue is asked without end")
		}
	}
}

// Spans returns the visibilities that messages were given, in seconds.
func (q *Queue) Spans() []int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return append([]int(nil), q.spans...)
}

// Expire shows all messages again, as time would.
func (q *Queue) Expire() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, m := range q.list {
		m.shows = time.Time{}
	}
	q.wake()
}

// Left returns how many messages there are, hidden or not.
func (q *Queue) Left() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.list)
}

// DeadLetters returns the bodies of the messages that were set aside.
func (q *Queue) DeadLetters() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return append([]string(nil), q.dead...)
}

// Count returns how often something was asked for.
func (q *Queue) Count(action string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.calls[action]
}

// Refuse makes the queue answer with an error, where f returns its code.
func (q *Queue) Refuse(f func(action string) string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.fail = f
}

type request struct {
	QueueURL          string `json:"QueueUrl"`
	ReceiptHandle     string
	VisibilityTimeout int
	WaitTimeSeconds   int
}

func (q *Queue) serve(w http.ResponseWriter, r *http.Request) {
	action := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS.")
	var in request
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.QueueURL != q.URL() {
		answer(w, http.StatusBadRequest, map[string]string{"__type": "com.amazonaws.sqs#QueueDoesNotExist"})
		return
	}
	if !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential="+AccessKey+"/") {
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
	case "GetQueueAttributes":
		q.attributes(w)
	case "DeleteMessage", "ChangeMessageVisibility":
		q.change(w, in, action == "DeleteMessage")
	default:
		q.t.Errorf("unexpected request %q", action)
	}
}

// attributes says how many messages show, and what becomes of those that are received too often.
func (q *Queue) attributes(w http.ResponseWriter) {
	q.mu.Lock()
	defer q.mu.Unlock()
	shown := 0
	for _, m := range q.list {
		if !time.Now().Before(m.shows) {
			shown++
		}
	}
	out := map[string]string{"ApproximateNumberOfMessages": strconv.Itoa(shown)}
	if q.Most > 0 {
		out["RedrivePolicy"] = fmt.Sprintf(`{"maxReceiveCount":%d}`, q.Most)
	}
	answer(w, http.StatusOK, map[string]any{"Attributes": out})
}

func (q *Queue) receive(w http.ResponseWriter, r *http.Request, in request) {
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
func (q *Queue) first(span int) *message {
	for i := 0; i < len(q.list); i++ {
		m := q.list[i]
		if time.Now().Before(m.shows) {
			continue
		}
		if q.Most > 0 && m.receipts >= q.Most {
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

func (q *Queue) change(w http.ResponseWriter, in request, remove bool) {
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
