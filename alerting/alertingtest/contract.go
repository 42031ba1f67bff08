package alertingtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/alerting"
)

// Contract runs what alerting.Notifier promises against notifiers made by make: each shows every
// sample notification, changes nothing of it, takes its own receipts back, and heeds its context.
func Contract(t *testing.T, make func(t *testing.T) alerting.Notifier) {
	t.Helper()
	for _, sample := range Notifications() {
		t.Run(sample.Name, func(t *testing.T) {
			n := make(t)
			given, kept := sample.Notification, pick(sample.Name)
			receipt, err := n.Notify(t.Context(), given)
			if err != nil {
				t.Fatalf("Notify: %v", err)
			}
			if diff := cmp.Diff(kept, given); diff != "" {
				t.Errorf("Notify changed its argument:\n%s", diff)
			}
			for _, reason := range []alerting.Reason{alerting.Updated, alerting.Escalated, alerting.Resolved} {
				next := given
				next.Reason, next.Receipt = reason, receipt
				if reason == alerting.Resolved {
					next.Incident.Resolved = next.Incident.LastEvent + int64(time.Hour)
				}
				if receipt, err = n.Notify(t.Context(), next); err != nil {
					t.Fatalf("Notify %s with a receipt of its own: %v", reason, err)
				}
			}
		})
	}
	t.Run("context", func(t *testing.T) {
		n := make(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := n.Notify(ctx, pick("opened")); !errors.Is(err, context.Canceled) {
			t.Errorf("Notify with a context that is done: %v, want context.Canceled", err)
		}
	})
	t.Run("digest", func(t *testing.T) {
		n, ok := make(t).(alerting.Digester)
		if !ok {
			return // a notifier need not be one
		}
		for _, count := range []int{0, 1, 500} {
			var d alerting.Digest
			for i := range count {
				incident := pick("hostile").Incident
				incident.Alerts = i
				d.Incidents = append(d.Incidents, incident)
			}
			receipt, err := n.Digest(t.Context(), d)
			if err != nil {
				t.Fatalf("Digest of %d: %v", count, err)
			}
			for _, reason := range []alerting.Reason{alerting.Updated, alerting.Escalated, alerting.Resolved} {
				next := pick("opened")
				next.Reason, next.Receipt = reason, receipt
				if _, err := n.(alerting.Notifier).Notify(t.Context(), next); err != nil {
					t.Fatalf("Notify %s with the receipt of a digest: %v", reason, err)
				}
			}
		}
	})
}

// MakeHTTP makes a notifier whose server has the given base address, and that logs to log.
type MakeHTTP func(t *testing.T, baseURL string, log *slog.Logger) alerting.Notifier

// RetryStatuses answers with every HTTP status: only 200 with the service's own answer may count as
// delivered, and a Retry-After with 429 must come out of the error.
func RetryStatuses(t *testing.T, make MakeHTTP) {
	t.Helper()
	status := 0 // read by the server only while Notify runs
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", "17")
		}
		w.Header().Set("Location", "http://"+r.Host+"/elsewhere")
		w.WriteHeader(status)
	}))
	defer server.Close()
	n := make(t, server.URL+"/", slog.New(slog.DiscardHandler))
	for status = 200; status <= 599; status++ {
		_, err := n.Notify(t.Context(), pick("opened"))
		if status == http.StatusOK {
			continue // whether an empty answer will do is the service's affair
		}
		if err == nil {
			t.Errorf("status %d counts as delivered", status)
			continue
		}
		after, asked := alerting.RetryAfter(err)
		if status == http.StatusTooManyRequests {
			if !asked || after != 17*time.Second {
				t.Errorf("status 429 with Retry-After 17: RetryAfter is %v, %v", after, asked)
			}
		} else if asked {
			t.Errorf("status %d: RetryAfter is %v, although nobody asked", status, after)
		}
	}
}

// AssertNotifyLeaksNoSecret lets deliveries fail in every way and looks for the secrets in errors,
// logs, and the notifier printed. No text of the notification may be there either.
func AssertNotifyLeaksNoSecret(t *testing.T, secrets []string, make MakeHTTP) {
	t.Helper()
	const canary = "canary-of-the-log"
	note := hostile(canary)
	echo := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			var body bytes.Buffer
			_, _ = body.ReadFrom(r.Body)
			w.Header().Set("Location", "http://elsewhere.invalid/"+strings.Join(secrets, "/"))
			w.Header().Set("Retry-After", strings.Join(secrets, " "))
			w.WriteHeader(status)
			_, _ = fmt.Fprintf(w, `{"ok":false,"error":%q}`, r.URL.String()+body.String()+strings.Join(secrets, " "))
		}
	}
	servers := map[string]http.Handler{
		"success that is none": echo(http.StatusOK),
		"redirect":             echo(http.StatusTemporaryRedirect),
		"bad request":          echo(http.StatusBadRequest),
		"forbidden":            echo(http.StatusForbidden),
		"not found":            echo(http.StatusNotFound),
		"too many requests":    echo(http.StatusTooManyRequests),
		"server error":         echo(http.StatusInternalServerError),
		"not json": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprint(w, "<html>"+strings.Join(secrets, " "))
		}),
		"connection cut": http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }),
		"hangs": http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { // until the client gives up
			_, _ = new(bytes.Buffer).ReadFrom(r.Body)
			<-r.Context().Done()
		}),
	}
	check := func(t *testing.T, url string) {
		var logged bytes.Buffer
		n := make(t, url, slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug})))
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, err := n.Notify(ctx, note)
		if err == nil {
			t.Fatal("delivered")
		}
		for name, text := range map[string]string{
			"error":            err.Error(),
			"error in detail":  fmt.Sprintf("%+v %#v", err, err),
			"log":              logged.String(),
			"notifier":         fmt.Sprintf("%v %+v %s", n, n, n),
			"notifier in %#v":  fmt.Sprintf("%#v", n),
			"error in the log": logLine(err),
		} {
			for _, secret := range append(secrets, canary) {
				if name == "notifier in %#v" && secret == canary {
					continue
				}
				if strings.Contains(text, secret) {
					t.Errorf("%s shows %q: %s", name, secret, text)
				}
			}
		}
	}
	for name, handler := range servers {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(handler)
			defer server.Close()
			check(t, server.URL+"/")
		})
	}
	t.Run("nobody listens", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		url := "http://" + l.Addr().String() + "/"
		_ = l.Close()
		check(t, url)
	})
	t.Run("unknown certificate", func(t *testing.T) {
		server := httptest.NewUnstartedServer(echo(http.StatusOK))
		server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
		server.StartTLS()
		defer server.Close()
		check(t, server.URL+"/")
	})
}

func logLine(err error) string {
	var b bytes.Buffer
	slog.New(slog.NewJSONHandler(&b, nil)).Error("failed", "error", err)
	return b.String()
}
