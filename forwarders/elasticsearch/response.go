package elasticsearch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/liveward/liveward/forwarders"
)

// item is what a bulk response says of one document.
type item struct {
	Status       int       `json:"status"`
	FailureStore string    `json:"failure_store"`
	Error        *apiError `json:"error"`
}

// apiError is an error of Elasticsearch. Its reason may hold values of the document: see reason.
type apiError struct {
	Type   string `json:"type"`
	Reason string `json:"reason"`
}

// verdict is what is to be done with a document after a bulk response.
type verdict uint8

const (
	stored verdict = iota
	duplicate
	retry
	reject
)

// classify says what becomes of a document; err is the cause of a retry.
func classify(it *item) (verdict, error) {
	var e apiError
	if it.Error != nil {
		e = *it.Error
	}
	failed := func(kind forwarders.Kind, text string) (verdict, error) {
		return retry, &forwarders.ConfigError{Kind: kind, Status: it.Status, Err: fmt.Errorf("%s (%s)", text, word(e.Type))}
	}
	answer := fmt.Errorf("elasticsearch answered %d for a document: %s", it.Status, word(e.Type))
	switch {
	case it.Status >= 200 && it.Status < 300:
		return stored, nil
	case it.Status == http.StatusConflict:
		if e.Type == "version_conflict_engine_exception" {
			return duplicate, nil
		}
		return retry, answer
	case e.Type == "cluster_block_exception" && it.Status == http.StatusTooManyRequests:
		return failed(forwarders.DiskFull, "elasticsearch takes no documents: disk of a node over its flood stage")
	case e.Type == "cluster_block_exception":
		return failed(forwarders.Blocked, "elasticsearch takes no documents: index closed to writes")
	case it.Status == http.StatusUnauthorized:
		return failed(forwarders.Credentials, "elasticsearch refuses the credentials")
	case it.Status == http.StatusForbidden:
		return failed(forwarders.Privilege, "the key may not write to, or not create, the data stream")
	case it.Status == http.StatusNotFound:
		return failed(forwarders.Missing, "no index template for the data stream: run liveward setup elasticsearch")
	case it.Status == http.StatusTooManyRequests:
		return retry, &forwarders.OverloadError{Err: answer}
	case it.Status >= 500 || it.Status < 400:
		return retry, answer
	}
	// What is left is 400 and its kin: mostly the document's fault, but not always.
	switch e.Type {
	case "index_closed_exception":
		return failed(forwarders.Blocked, "elasticsearch takes no documents: index closed")
	case "validation_exception": // cluster.max_shards_per_node, when the stream has to be created
		return failed(forwarders.Capacity, "elasticsearch cannot create the data stream: a limit of the cluster is reached")
	case "illegal_argument_exception":
		if bytes.HasPrefix([]byte(e.Reason), []byte("pipeline with id [")) {
			return failed(forwarders.Missing, "the index template names an ingest pipeline that does not exist")
		}
	}
	return reject, nil
}

// parseItems calls f for each item of a bulk response, and returns how many there were. A response
// that breaks off gives an error after the items before it.
func parseItems(b []byte, f func(n int, it *item)) (int, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	if err := expect(dec, json.Delim('{')); err != nil {
		return 0, err
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return 0, errBadResponse
		}
		if key != "items" {
			var skip json.RawMessage
			if err := dec.Decode(&skip); err != nil {
				return 0, errBadResponse
			}
			continue
		}
		if err := expect(dec, json.Delim('[')); err != nil {
			return 0, err
		}
		n := 0
		for ; dec.More(); n++ {
			var it struct {
				Create item `json:"create"`
			}
			if err := dec.Decode(&it); err != nil {
				return n, errBadResponse
			}
			f(n, &it.Create)
		}
		return n, nil
	}
	return 0, errBadResponse
}

var errBadResponse = errors.New("elasticsearch: bulk response cannot be parsed")

func expect(dec *json.Decoder, want json.Delim) error {
	if t, err := dec.Token(); err != nil || t != want {
		return errBadResponse
	}
	return nil
}

// allStored tells, without decoding, whether a response says that all n documents were stored, and
// how many of them in the failure store.
func allStored(b []byte, n int) (degraded int, ok bool) {
	if !bytes.HasPrefix(b, []byte(`{"errors":false,`)) || bytes.Count(b, []byte(`"status":20`)) != n {
		return 0, false
	}
	return bytes.Count(b, []byte(`"failure_store":"used"`)), true
}

// requestError turns the answer to a whole request that is not 2xx into an error of the contract.
func requestError(status int, header http.Header, body []byte) error {
	var answer struct {
		Error json.RawMessage `json:"error"`
	}
	var e apiError
	if json.Unmarshal(body, &answer) == nil {
		_ = json.Unmarshal(answer.Error, &e) // some errors are plain text: then there is no type
	}
	said := fmt.Errorf("elasticsearch answered %d: %s", status, word(e.Type))
	config := func(kind forwarders.Kind) error {
		return &forwarders.ConfigError{Kind: kind, Status: status, Err: said}
	}
	switch {
	case status == http.StatusRequestEntityTooLarge:
		return &forwarders.TooLargeError{Status: status, Err: said}
	case status == http.StatusTooManyRequests && e.Type == "cluster_block_exception":
		return config(forwarders.DiskFull)
	case status == http.StatusTooManyRequests:
		return &forwarders.OverloadError{Err: said, After: retryAfter(header)}
	case status == http.StatusUnauthorized:
		return config(forwarders.Credentials)
	case e.Type == "cluster_block_exception" && status == http.StatusForbidden:
		return config(forwarders.Blocked)
	case status == http.StatusForbidden:
		return config(forwarders.Privilege)
	case status == http.StatusNotFound:
		return config(forwarders.Missing)
	case status == http.StatusRequestTimeout || status >= 500:
		return &busyError{said, retryAfter(header)}
	default:
		return config(forwarders.Protocol)
	}
}

// busyError passes by itself; the store may have said when.
type busyError struct {
	error
	after time.Duration
}

// RetryAfter is how long the store asked to be left alone.
func (e *busyError) RetryAfter() time.Duration { return e.after }

// retryAfter reads the header in its form of seconds; the form of a date would need a clock that
// agrees with the server's.
func retryAfter(h http.Header) time.Duration {
	n, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || n < 0 || n > 86400 {
		return 0
	}
	return time.Duration(n) * time.Second
}
