package s3

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/liveward/liveward/internal/event"
)

var (
	errNoNotice = errors.New("is no notification of an object")
	errBucket   = errors.New("names a bucket that is not in the list of buckets")
)

// maxWraps is how often a notification may be wrapped: SNS around EventBridge is two.
const maxWraps = 3

// name says which object is meant.
type name struct {
	bucket  string
	key     string
	version string // empty: the one that is there
	region  string
}

// String quotes what a caller has chosen.
func (n name) String() string { return fmt.Sprintf("s3://%s/%q", n.bucket, n.key) }

// url is the object's name in documents.
func (n name) url() string { return "s3://" + n.bucket + "/" + n.key }

// id names what was read of an object: tag is the version of its bytes.
func (n name) id(tag string) event.Hash { return event.HashStrings("s3", n.bucket, n.key, tag) }

// notice is what a message in the queue may be: S3's own notification, SNS's or EventBridge's around
// it, or the greeting that S3 sends when a queue is connected.
type notice struct {
	Records []struct {
		EventName string `json:"eventName"`
		Region    string `json:"awsRegion"`
		S3        struct {
			Bucket struct {
				Name string `json:"name"`
			} `json:"bucket"`
			Object struct {
				Key     string `json:"key"`
				Version string `json:"versionId"`
			} `json:"object"`
		} `json:"s3"`
	} `json:"Records"`

	Event string `json:"Event"` // s3:TestEvent

	Type    string  `json:"Type"` // Notification, of SNS
	Message *string `json:"Message"`

	Source     string `json:"source"` // aws.s3, of EventBridge
	DetailType string `json:"detail-type"`
	Region     string `json:"region"`
	Detail     struct {
		Bucket struct {
			Name string `json:"name"`
		} `json:"bucket"`
		Object struct {
			Key     string `json:"key"`
			Version string `json:"version-id"`
		} `json:"object"`
	} `json:"detail"`
}

// parseNotice returns the objects that a message names; none where it is about something else that S3
// says. What is no notification at all is an error.
func parseNotice(body string, buckets []string) ([]name, error) {
	for range maxWraps {
		var n notice
		if err := json.Unmarshal([]byte(body), &n); err != nil {
			return nil, errNoNotice // what JSON's decoder says may quote the message
		}
		switch {
		case len(n.Records) > 0:
			return n.created(buckets)
		case n.Event == "s3:TestEvent":
			return nil, nil
		case n.Source == "aws.s3" && n.DetailType != "":
			if n.DetailType != "Object Created" {
				return nil, nil
			}
			o := name{bucket: n.Detail.Bucket.Name, key: n.Detail.Object.Key, version: n.Detail.Object.Version, region: n.Region}
			return o.allowed(buckets)
		case n.Type == "Notification" && n.Message != nil:
			body = *n.Message
		default:
			return nil, errNoNotice
		}
	}
	return nil, errNoNotice
}

// created returns the new objects of S3's own notification. Its keys are escaped as in a form.
func (n *notice) created(buckets []string) ([]name, error) {
	var out []name
	for i := range n.Records {
		r := &n.Records[i]
		if r.S3.Bucket.Name == "" {
			return nil, errNoNotice
		}
		if !strings.HasPrefix(strings.TrimPrefix(r.EventName, "s3:"), "ObjectCreated:") {
			continue
		}
		key, err := url.QueryUnescape(r.S3.Object.Key)
		if err != nil {
			return nil, errNoNotice
		}
		one, err := name{bucket: r.S3.Bucket.Name, key: key, version: r.S3.Object.Version, region: r.Region}.allowed(buckets)
		if err != nil {
			return nil, err
		}
		out = append(out, one...)
	}
	return out, nil
}

func (n name) allowed(buckets []string) ([]name, error) {
	switch {
	case n.bucket == "" || n.key == "":
		return nil, errNoNotice
	case len(buckets) > 0 && !slices.Contains(buckets, n.bucket):
		return nil, errBucket
	case n.version == "null":
		n.version = "" // written before the bucket had versions
	}
	return []name{n}, nil
}
