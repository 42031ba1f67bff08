package s3_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/collectors/s3"
)

func TestCheck(t *testing.T) {
	f := func(name string, change func(w *world, c *s3.Config), want ...string) {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			t.Setenv("AWS_MAX_ATTEMPTS", "1")
			w.q.Most = 5
			w.q.Send("one")
			cfg := w.config()
			cfg.Buckets = []string{bucket}
			change(w, &cfg)
			var got []string
			for _, f := range w.collector(cfg, nil, time.Now).Check(t.Context()) {
				got = append(got, string(f.Verdict)+" "+f.What+": "+f.Said)
			}
			if len(got) != len(want) {
				t.Fatalf("Check found %q, want %q", got, want)
			}
			for i := range want {
				if !strings.HasPrefix(got[i], want[i]) {
					t.Errorf("Check found %q, want %q", got[i], want[i])
				}
				if strings.Contains(got[i], "the-secret") || strings.Contains(got[i], "a secret of") {
					t.Errorf("Check told a secret: %q", got[i])
				}
			}
			if diff := cmp.Diff([]int{0, 1, 0}, []int{w.q.Count("ReceiveMessage"), w.q.Left(), len(w.q.Spans())}); diff != "" {
				t.Errorf("Check worked on the queue (-want +got):\n%s", diff)
			}
		})
	}
	refuse := func(code string, actions ...string) func(*world, *s3.Config) {
		return func(w *world, _ *s3.Config) {
			w.q.Refuse(func(action string) string {
				if slices.Contains(actions, action) {
					return code
				}
				return ""
			})
		}
	}
	status := func(code int) func(*world, *s3.Config) {
		return func(w *world, _ *s3.Config) {
			w.s.intercept(func(rw http.ResponseWriter, _ *http.Request) bool { rw.WriteHeader(code); return true })
		}
	}
	const queue, there = "ok queue: may be worked on; 1 waiting", "ok bucket liveness-logs: is there"
	f("all well", func(*world, *s3.Config) {}, queue, there)
	f("no buckets named", func(_ *world, c *s3.Config) { c.Buckets = nil }, queue, "unknown buckets: none is named")
	f("no redrive policy", func(w *world, _ *s3.Config) { w.q.Most = 0 }, "warning queue: has no redrive policy", there)
	f("no such queue", func(_ *world, c *s3.Config) { c.Queue += "-gone" }, "wrong queue: there is no such queue", there)
	f("may not delete", refuse("AccessDenied", "DeleteMessage"), "wrong queue: these credentials may not sqs:DeleteMessage: grant it", there)
	f("may not hide", refuse("AccessDenied", "ChangeMessageVisibility"), "wrong queue: these credentials may not sqs:ChangeMessageVisibility: grant it", there)
	f("may not ask", refuse("AccessDenied", "GetQueueAttributes"), "unknown queue: notifications may be deleted", there)
	f("may do nothing", refuse("AccessDenied", "GetQueueAttributes", "DeleteMessage", "ChangeMessageVisibility"), "wrong queue: access denied", there)
	f("wrong credentials", refuse("InvalidClientTokenId", "GetQueueAttributes", "DeleteMessage", "ChangeMessageVisibility"), "wrong queue: the request failed: InvalidClientTokenId", there)
	f("no such bucket", func(_ *world, c *s3.Config) { c.Buckets = []string{"others"} }, queue, "wrong bucket others: there is no such bucket")
	f("may not look", status(http.StatusForbidden), queue, "unknown bucket liveness-logs: without s3:ListBucket")
	f("broken store", status(http.StatusNotImplemented), queue, "wrong bucket liveness-logs: the request failed")
	f("no region", func(w *world, c *s3.Config) { w.t.Setenv("AWS_REGION", "") }, "wrong queue: no region")
}
