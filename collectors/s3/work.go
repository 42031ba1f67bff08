package s3

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/liveward/liveward/collectors/internal/handover"
	"github.com/liveward/liveward/internal/event"
)

var (
	errInWork = errors.New("the object is being read already")
	errLost   = errors.New("the time of the notification ran out")
)

const (
	shortAsk   = time.Second     // how long the queue is asked when it had something: soon the source is idle
	grace      = 2 * time.Second // to give notifications back when the collector stops
	firstPause = time.Second     // of a worker, when requests fail
	longPause  = 30 * time.Second
	firstHide  = 10 * time.Second // of a notification that could not be worked off
	longHide   = 15 * time.Minute
)

// work takes one notification after the other, until ctx is done or the sink fails.
func (c *Collector) work(ctx context.Context, put putter) error {
	r := newReader(c.cfg.MaxLine)
	wait, ask := firstPause, shortAsk
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		msg, err := c.receive(ctx, min(ask, c.cfg.Wait))
		ask = shortAsk
		if err == nil && msg == nil {
			ask = c.cfg.Wait
			// Some stores that speak SQS's protocol do not wait.
			if err := handover.Wait(ctx, handover.First); err != nil {
				return err
			}
			continue
		}
		if err == nil {
			err = c.handle(ctx, put, r, msg)
			c.finish()
		}
		switch {
		case err == nil:
			wait = firstPause
		case !errors.Is(err, errRequest) && !errors.Is(err, errDenied):
			return err
		default:
			// It may be the same with the next: a queue's redrive policy counts every attempt.
			if err := handover.Wait(ctx, wait); err != nil {
				return err
			}
			wait = min(2*wait, longPause)
		}
	}
}

// receive asks the queue for a notification; nil where it has none for a time.
func (c *Collector) receive(ctx context.Context, wait time.Duration) (*types.Message, error) {
	out, err := c.queue.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: aws.String(c.cfg.Queue), MaxNumberOfMessages: 1,
		WaitTimeSeconds: seconds(wait), VisibilityTimeout: seconds(c.cfg.Visibility),
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameApproximateReceiveCount},
	})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		err = understand(err)
		c.count(func(s *Stats) { s.Failed++ })
		c.log.Warn("queue cannot be read", "error", queueError(err))
		return nil, errors.Join(errRequest, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(out.Messages) == 0 {
		c.drained = c.working == 0
		return nil, nil
	}
	c.working++
	c.drained = false
	c.stats.Messages++
	return &out.Messages[0], nil
}

// queueError says of a queue what errDenied says of objects.
func queueError(err error) error {
	switch {
	case errors.Is(err, errDenied):
		return errors.New("access denied: the credentials need sqs:ReceiveMessage, sqs:DeleteMessage and sqs:ChangeMessageVisibility")
	case errors.Is(err, errGone):
		return errors.New("there is no such queue")
	}
	return err
}

func (c *Collector) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.working--
}

// handle works a notification off. The error is one that the collector ends with, or errRequest or
// errDenied, after which it waits.
func (c *Collector) handle(ctx context.Context, put putter, r *reader, msg *types.Message) error {
	held, release := context.WithCancelCause(ctx)
	renewed := make(chan struct{})
	go func() {
		defer close(renewed)
		c.renew(held, release, msg)
	}()
	ids, err := c.objects(held, put, r, msg)
	cause := context.Cause(held)
	release(nil)
	<-renewed
	switch {
	case err == nil:
		return c.remove(ctx, msg, ids)
	case errors.As(err, new(sinkError)) || ctx.Err() != nil:
		c.hide(context.WithoutCancel(ctx), msg, 0) // somebody else may begin at once
		return err
	case errors.Is(cause, errLost):
		c.count(func(s *Stats) { s.Lost++ })
		c.log.Warn("notification is left to others", "message", aws.ToString(msg.MessageId), "error", errLost)
		return nil
	}
	c.classify(err)
	c.log.Warn("notification stays in the queue", "message", aws.ToString(msg.MessageId), "error", err)
	c.hide(ctx, msg, patience(msg))
	if errors.Is(err, errDenied) || errors.Is(err, errRequest) {
		return err
	}
	return nil
}

func (c *Collector) classify(err error) {
	c.count(func(s *Stats) {
		switch {
		case errors.Is(err, errNoNotice), errors.Is(err, errBucket):
			s.Poison++
		case errors.Is(err, errGone), errors.Is(err, errChanged):
			s.Gone++
		case errors.Is(err, errDenied):
			s.Denied++
		case errors.Is(err, errBroken):
			s.Broken++
		case errors.Is(err, errTooLarge):
			s.TooLarge++
		case errors.Is(err, errInWork):
		default:
			s.Failed++
		}
	})
}

// objects reads what a notification names, and returns the ids of all that is done.
func (c *Collector) objects(ctx context.Context, put putter, r *reader, msg *types.Message) ([]event.Hash, error) {
	names, err := parseNotice(aws.ToString(msg.Body), c.cfg.Buckets)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		c.count(func(s *Stats) { s.Ignored++ })
	}
	var ids []event.Hash
	for _, n := range names {
		id, err := c.object(ctx, put, r, n)
		if err != nil {
			return nil, &objectError{n, err}
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// objectError says which object an error is about.
type objectError struct {
	name name
	err  error
}

func (e *objectError) Error() string { return e.name.String() + ": " + e.err.Error() }
func (e *objectError) Unwrap() error { return e.err }

// remove deletes a notification. Where that fails it comes again, and costs no more than a look.
func (c *Collector) remove(ctx context.Context, msg *types.Message, ids []event.Hash) error {
	_, err := c.queue.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: aws.String(c.cfg.Queue), ReceiptHandle: msg.ReceiptHandle})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		err = understand(err)
		c.count(func(s *Stats) { s.Failed++ })
		c.log.Warn("notification cannot be deleted and will come again", "message", aws.ToString(msg.MessageId), "error", queueError(err))
		if errors.Is(err, errHandle) {
			return nil
		}
		return errors.Join(errRequest, err)
	}
	c.forget(ctx, ids)
	c.count(func(s *Stats) { s.Deleted++ })
	return nil
}

// renew keeps a notification hidden from others until ctx is done, and cancels the work on it when that
// cannot be done any more.
func (c *Collector) renew(ctx context.Context, cancel context.CancelCauseFunc, msg *types.Message) {
	every := time.NewTicker(c.cfg.Visibility / 3)
	defer every.Stop()
	missed := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		err := c.visibility(ctx, msg, c.cfg.Visibility)
		switch {
		case err == nil:
			missed = 0
		case ctx.Err() != nil:
			return
		default:
			if missed++; missed > 1 || errors.Is(err, errHandle) {
				cancel(errLost)
				return
			}
		}
	}
}

// hide gives a notification back to the queue, where it shows again after a time.
func (c *Collector) hide(ctx context.Context, msg *types.Message, span time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	_ = c.visibility(ctx, msg, span) // else it shows again when its time runs out
}

func (c *Collector) visibility(ctx context.Context, msg *types.Message, span time.Duration) error {
	_, err := c.queue.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
		QueueUrl: aws.String(c.cfg.Queue), ReceiptHandle: msg.ReceiptHandle, VisibilityTimeout: seconds(span),
	})
	return understand(err)
}

// patience is how long a notification is hidden that could not be worked off: longer each time.
func patience(msg *types.Message) time.Duration {
	n, err := strconv.Atoi(msg.Attributes[string(types.MessageSystemAttributeNameApproximateReceiveCount)])
	if err != nil || n < 1 {
		n = 1
	}
	return min(firstHide<<min(n-1, 8), longHide)
}

func seconds(d time.Duration) int32 { return int32((d + time.Second - 1) / time.Second) }
