package s3

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
)

// connect makes the clients. It asks nobody anything: credentials are looked for with the first
// request.
func (c *Collector) connect(ctx context.Context) (hangUp func(), err error) {
	queue, err := url.Parse(c.cfg.Queue)
	if err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	region := c.cfg.Region
	if m := queueHost.FindStringSubmatch(queue.Host); m != nil && region == "" {
		region = m[1]
	}
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(region), config.WithLogger(logging.NewStandardLogger(io.Discard)))
	if err != nil {
		return nil, fmt.Errorf("configuration of AWS tools: %w", err)
	}
	if cfg.Region == "" {
		return nil, errors.New("no region: set region of the input, or AWS_REGION")
	}
	transport := transportOf(cfg.HTTPClient)
	cfg.HTTPClient = &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	c.queue = sqs.NewFromConfig(cfg, func(o *sqs.Options) {
		o.BaseEndpoint = aws.String(queue.Scheme + "://" + queue.Host)
	})
	c.store = awss3.NewFromConfig(cfg, func(o *awss3.Options) {
		if c.cfg.Endpoint != "" {
			o.BaseEndpoint, o.UsePathStyle = aws.String(c.cfg.Endpoint), true
		}
		// TLS guards the bytes on their way, and compression has checksums of its own.
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	})
	return transport.CloseIdleConnections, nil
}

// transportOf returns the transport that AWS's library would use, with the authorities of
// AWS_CA_BUNDLE, as one whose connections can be closed.
func transportOf(client aws.HTTPClient) *http.Transport {
	buildable, ok := client.(*awshttp.BuildableClient)
	if !ok {
		buildable = awshttp.NewBuildableClient()
	}
	transport := buildable.GetTransport()
	if transport.TLSClientConfig == nil {
		transport.TLSClientConfig = new(tls.Config)
	}
	transport.TLSClientConfig.MinVersion = max(transport.TLSClientConfig.MinVersion, tls.VersionTLS12)
	return transport
}

// The ways in which a request fails that are worth telling apart.
var (
	errGone     = errors.New("the object is not there any more")
	errDenied   = errors.New("access denied: the credentials need s3:GetObject, and kms:Decrypt where the bucket is encrypted with a key of KMS; without s3:ListBucket a missing object looks the same")
	errArchived = errors.New("the object is archived and has to be restored first")
	errChanged  = errors.New("the object was replaced while it was read")
	errRequest  = errors.New("the request failed")
	errHandle   = errors.New("the queue has given the notification to somebody else")
)

// understand says what an error of AWS means, without what the service says in its own words but for
// its code.
func understand(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		switch code := api.ErrorCode(); code {
		case "NoSuchKey", "NoSuchBucket", "NoSuchVersion", "NotFound", "MethodNotAllowed", "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue":
			return errGone
		case "AccessDenied", "Forbidden", "AllAccessDisabled", "AccountProblem":
			return errDenied
		case "InvalidObjectState":
			return errArchived
		case "PreconditionFailed":
			return errChanged
		case "ReceiptHandleIsInvalid", "MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight", "InvalidParameterValue":
			return errHandle
		default:
			return fmt.Errorf("%w: %s", errRequest, code)
		}
	}
	var status interface{ HTTPStatusCode() int }
	if errors.As(err, &status) && status.HTTPStatusCode() >= 400 {
		switch status.HTTPStatusCode() {
		case http.StatusForbidden:
			return errDenied
		case http.StatusNotFound:
			return errGone
		}
		return fmt.Errorf("%w: HTTP status %d", errRequest, status.HTTPStatusCode())
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return fmt.Errorf("%w: %w", errRequest, op)
	}
	return fmt.Errorf("%w: %w", errRequest, err)
}
