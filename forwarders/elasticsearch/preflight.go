package elasticsearch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// Privileges is what a key may do, held against what it needs.
type Privileges struct {
	User    string   // whom the server takes the key for
	Missing []string // without these documents will not be stored
	Excess  []string // what a stolen key could be used for beyond writing
}

// Preflight asks the server what the configured key may do. It needs no privilege for that, stores
// nothing and reads no document.
func Preflight(ctx context.Context, cfg Config) (Privileges, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return Privileges{}, fmt.Errorf("elasticsearch: %w", err)
	}
	c, err := newClient(cfg)
	if err != nil {
		return Privileges{}, fmt.Errorf("elasticsearch: %w", err)
	}
	defer c.close()
	return preflight(ctx, c, cfg)
}

// Preflight asks the server what the forwarder's key may do.
func (f *Forwarder) Preflight(ctx context.Context) (Privileges, error) {
	return preflight(ctx, f.client, f.cfg)
}

// The privileges a writer must not have: on its own streams, on any other index, on the cluster.
func excessOwn() []string {
	return []string{"read", "index", "delete", "delete_index", "manage", "all"}
}

func excessOther() []string {
	return []string{"read", "create_doc", "index", "delete", "delete_index", "manage", "all"}
}

func excessCluster() []string {
	return []string{"monitor", "manage", "manage_security", "manage_api_key", "manage_index_templates", "manage_pipeline", "all"}
}

func preflight(ctx context.Context, c *client, cfg Config) (Privileges, error) {
	namespace := cfg.Namespace
	if cfg.NamespaceByTenant {
		namespace = "*"
	}
	var own []string
	for _, class := range Classes() {
		own = append(own, StreamName(class, namespace))
	}
	ask := encode(map[string]any{
		"cluster": excessCluster(),
		"index": []any{
			map[string]any{"names": own, "privileges": append(neededPrivileges(), excessOwn()...)},
			map[string]any{"names": []string{"*"}, "privileges": excessOther()},
		},
	})
	b, _, err := c.call(ctx, Request{Method: http.MethodPost, Path: "/_security/user/_has_privileges", Body: ask})
	if err != nil {
		return Privileges{}, err
	}
	var answer struct {
		Username string                     `json:"username"`
		Cluster  map[string]bool            `json:"cluster"`
		Index    map[string]map[string]bool `json:"index"`
	}
	if err := json.Unmarshal(b, &answer); err != nil || answer.Index == nil {
		return Privileges{}, errors.New("check privileges: answer cannot be parsed")
	}
	p := Privileges{User: printable(answer.Username)}
	for _, name := range own {
		has := answer.Index[name]
		for _, priv := range neededPrivileges() {
			if !has[priv] {
				p.Missing = append(p.Missing, priv+" on "+name)
			}
		}
		for _, priv := range excessOwn() {
			if has[priv] {
				p.Excess = append(p.Excess, priv+" on "+name)
			}
		}
	}
	for _, priv := range excessOther() {
		if answer.Index["*"][priv] {
			p.Excess = append(p.Excess, priv+" on *")
		}
	}
	for _, priv := range excessCluster() {
		if answer.Cluster[priv] {
			p.Excess = append(p.Excess, "cluster "+priv)
		}
	}
	slices.Sort(p.Missing)
	slices.Sort(p.Excess)
	return p, nil
}

// firstReason returns the reason of an answer's error, short and printable.
func firstReason(b []byte) string {
	var answer struct {
		Error struct {
			Reason   string `json:"reason"`
			CausedBy struct {
				Reason string `json:"reason"`
			} `json:"caused_by"`
		} `json:"error"`
	}
	if json.Unmarshal(b, &answer) != nil {
		return ""
	}
	out := answer.Error.Reason
	if answer.Error.CausedBy.Reason != "" {
		out += ": " + answer.Error.CausedBy.Reason
	}
	return printable(out)
}

// printable bounds what a server says and takes control characters out of it.
func printable(s string) string {
	s = strings.ToValidUTF8(s[:min(len(s), 400)], "")
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
}

func queryEscape(s string) string { return url.QueryEscape(s) }
