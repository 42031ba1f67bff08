package s3

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/liveward/liveward/collectors"
)

var _ collectors.Checker = (*Collector)(nil)

// checkTime bounds how long answers are waited for, and asked for again.
const checkTime = 20 * time.Second

// Check implements collectors.Checker. It receives no notification: to be received counts against it.
// Whether one may be deleted is asked with the handle of none.
func (c *Collector) Check(ctx context.Context) []collectors.Finding {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	hangUp, err := c.connect(ctx)
	if err != nil {
		return []collectors.Finding{{Verdict: collectors.Wrong, What: "queue", Said: err.Error()}}
	}
	defer hangUp()
	found := []collectors.Finding{c.checkQueue(ctx)}
	if len(c.cfg.Buckets) == 0 {
		return append(found, collectors.Finding{
			Verdict: collectors.Unknown, What: "buckets", Said: "none is named: that objects may be read shows with the first one",
		})
	}
	for _, bucket := range c.cfg.Buckets {
		found = append(found, c.checkBucket(ctx, bucket))
	}
	return found
}

func (c *Collector) checkQueue(ctx context.Context) collectors.Finding {
	f := collectors.Finding{What: "queue"}
	var denied []string
	for _, h := range c.handling(ctx) {
		if err := understand(h.call()); errors.Is(err, errDenied) {
			denied = append(denied, h.privilege)
		}
	}
	out, err := c.queue.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl:       &c.cfg.Queue,
		AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameApproximateNumberOfMessages, types.QueueAttributeNameRedrivePolicy},
	})
	switch err = understand(err); {
	case errors.Is(err, errDenied) && len(denied) == len(c.handling(ctx)):
		f.Verdict, f.Said = collectors.Wrong, "access denied: these credentials may do nothing with it; they need sqs:ReceiveMessage, sqs:DeleteMessage and sqs:ChangeMessageVisibility"
	case err == nil && len(denied) > 0, errors.Is(err, errDenied) && len(denied) > 0:
		f.Verdict, f.Said = collectors.Wrong, "these credentials may not "+strings.Join(denied, " and ")+": grant it"
	case errors.Is(err, errDenied):
		f.Verdict, f.Said = collectors.Unknown, "notifications may be deleted; for more these credentials would need sqs:GetQueueAttributes, which liveward itself does without"
	case errors.Is(err, errGone):
		f.Verdict, f.Said = collectors.Wrong, "there is no such queue: check queue, and the account and region in it"
	case errors.Is(err, context.DeadlineExceeded):
		f.Verdict, f.Said = collectors.Wrong, "it does not answer in time: check queue, and what stands between"
	case err != nil:
		f.Verdict, f.Said = collectors.Wrong, err.Error()
	case out.Attributes[string(types.QueueAttributeNameRedrivePolicy)] == "":
		f.Verdict, f.Said = collectors.Warning, "has no redrive policy: a notification that cannot be worked on comes again without end; set one, with a maxReceiveCount of 5"
	default:
		f.Verdict, f.Said = collectors.OK, "may be worked on; "+count(out.Attributes[string(types.QueueAttributeNameApproximateNumberOfMessages)])+" waiting"
	}
	return f
}

// handling is a call about a notification.
type handling struct {
	privilege string
	call      func() error
}

// handling are the calls about a notification, made about none.
func (c *Collector) handling(ctx context.Context) []handling {
	none := aws.String("liveward-check")
	return []handling{
		{"sqs:DeleteMessage", func() error {
			_, err := c.queue.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &c.cfg.Queue, ReceiptHandle: none})
			return err
		}},
		{"sqs:ChangeMessageVisibility", func() error {
			_, err := c.queue.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{QueueUrl: &c.cfg.Queue, ReceiptHandle: none, VisibilityTimeout: 1})
			return err
		}},
	}
}

// count is a number of the service; only digits are believed.
func count(s string) string {
	if s == "" || strings.Trim(s, "0123456789") != "" || len(s) > 12 {
		return "an unknown number"
	}
	return s
}

func (c *Collector) checkBucket(ctx context.Context, bucket string) collectors.Finding {
	f := collectors.Finding{Verdict: collectors.OK, What: "bucket " + bucket, Said: "is there"}
	_, err := c.store.HeadBucket(ctx, &awss3.HeadBucketInput{Bucket: &bucket})
	moved := false
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		moved = api.ErrorCode() == "MovedPermanently" || api.ErrorCode() == "PermanentRedirect"
	}
	switch err = understand(err); {
	case err == nil:
	case moved:
		f.Verdict, f.Said = collectors.Wrong, "is in another region: set region"
	case errors.Is(err, errDenied):
		f.Verdict, f.Said = collectors.Unknown, "without s3:ListBucket, which liveward does without, it cannot be asked: that objects may be read shows with the first one"
	case errors.Is(err, errGone):
		f.Verdict, f.Said = collectors.Wrong, "there is no such bucket: check buckets"
	default:
		f.Verdict, f.Said = collectors.Wrong, fmt.Sprintf("%v: check endpoint and credentials", err)
	}
	return f
}
