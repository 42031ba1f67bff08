package formats

import (
	"bytes"
	"errors"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// accountCSV reads what core banking says of the accounts it opened, one a line, in CSV. Its columns are
// what the latest header says, so the format remembers them; a line before the first header is taken to
// have the configured columns, else the usual ones, if it has as many. Headers are skipped (ErrSkip). The
// separator is that of the header: comma, semicolon or tab. A value cannot go on on another line.
type accountCSV struct {
	loc     *time.Location
	table   pairTable
	columns [accountColumns]*op // nil: not mapped
	names   [accountColumns]string
	n       int
	comma   byte
	usual   bool // no header came yet
	buf     []byte
}

const accountColumns = 64

// accountUsual are the columns that docs/joins.md recommends.
const accountUsual = "opened_at,account_ref,user_id,session_id,consent_id,channel,product,tenant"

var (
	errNoHeader  = errors.New("the line has other columns than usual, and no header came before it: set columns")
	errCSVQuote  = errors.New("a quote in CSV that is not closed")
	errCSVHeader = errors.New("the line has other columns than its header")
	errNoAccount = errors.New("the line names no account")
)

func newAccountCSV(opt Options) Format {
	f := &accountCSV{loc: opt.Location, table: newPairTable(accountPairs())}
	columns := opt.Columns
	if columns == "" {
		columns = accountUsual
	}
	f.header([]byte(columns))
	f.usual = true
	return f
}

func accountPairs() []pair {
	return []pair{
		{"opened_at time timestamp ts", event.Timestamp, 0},
		{"account_ref account_id account", event.AccountID, 0},
		{"channel", event.AccountChannel, 0},
		{"product", event.AccountProduct, 0},
		{"user_id subject_ref customer_id", event.UserID, 0},
		{"session_id liveness_session_id", event.LivenessSessionID, 0},
		{"transaction_id", event.LivenessTransactionID, 0},
		{"consent_id", event.ConsentID, 0},
		{"consent_version", event.ConsentVersion, 0},
		{"consent_granted_at", event.ConsentGrantedAt, 0},
		{"device_id", event.DeviceID, 0},
		{"tenant", event.OrganizationID, 0},
		{"region", event.DataRegion, 0},
		{"request_id", event.HTTPRequestID, 0},
	}
}

func accountFields() []event.ID { return append(fieldsOf(accountPairs()), event.EventAction) }

// Parse implements Format.
func (f *accountCSV) Parse(line []byte, ev *event.Event) error {
	line = bytes.TrimRight(bytes.TrimPrefix(line, []byte("\ufeff")), "\r")
	if f.isHeader(line) {
		f.header(line)
		f.usual = false
		return ErrSkip
	}
	i := 0
	for rest, more := line, true; more; i++ {
		var v []byte
		var err error
		if v, rest, more, err = f.cell(rest, ev); err != nil {
			return err
		}
		if i < f.n && f.columns[i] != nil {
			f.columns[i].set(ev, event.Slot(v), f.loc)
		}
	}
	switch {
	case i != f.n && f.usual:
		return errNoHeader
	case i != f.n:
		return errCSVHeader
	case !ev.Has(event.Timestamp):
		return errNoTime
	case !ev.Has(event.AccountID):
		return errNoAccount
	}
	ev.SetString(event.EventAction, "account-opened")
	finish(ev, "account_csv", "core-banking")
	return nil
}

// cell takes the first value off a line.
func (f *accountCSV) cell(line []byte, ev *event.Event) (v, rest []byte, more bool, err error) {
	if len(line) == 0 || line[0] != '"' {
		v, rest, more = bytes.Cut(line, []byte{f.comma})
		return bytes.TrimSpace(v), rest, more, nil
	}
	for i := 1; i < len(line); i++ {
		if line[i] != '"' {
			continue
		}
		if i+1 < len(line) && line[i+1] == '"' {
			i++
			continue
		}
		v, rest = line[1:i], line[i+1:]
		if bytes.IndexByte(v, '"') >= 0 {
			f.buf = append(f.buf[:0], bytes.ReplaceAll(v, []byte(`""`), []byte(`"`))...)
			v = event.Bytes(ev.Keep(f.buf))
		}
		switch {
		case len(rest) == 0:
			return v, nil, false, nil
		case rest[0] == f.comma:
			return v, rest[1:], true, nil
		}
		return nil, nil, false, errCSVQuote
	}
	return nil, nil, false, errCSVQuote
}

// isHeader tells whether a line names columns: one for the time and one for the account.
func (f *accountCSV) isHeader(line []byte) bool {
	if len(line) > 4096 {
		return false
	}
	at, account := false, false
	for len(line) > 0 {
		n := bytes.IndexAny(line, ",;\t")
		name := line
		if n >= 0 {
			name, line = line[:n], line[n+1:]
		} else {
			line = nil
		}
		var buf [maxColumnName]byte
		o := f.table[string(columnName(buf[:0], name))]
		at = at || o != nil && o.to == event.Timestamp
		account = account || o != nil && o.to == event.AccountID
	}
	return at && account
}

const maxColumnName = 32 // longer than any that is mapped

// columnName appends a column's name, in lower case; one that is too long has none.
func columnName(dst, b []byte) []byte {
	b = bytes.Trim(b, "\" ")
	if len(b) > maxColumnName {
		return dst
	}
	return appendLower(dst, event.Slot(b))
}

// header learns the columns.
func (f *accountCSV) header(line []byte) {
	f.comma = ','
	for _, c := range []byte{';', '\t'} {
		if bytes.Count(line, []byte{c}) > bytes.Count(line, []byte{f.comma}) {
			f.comma = c
		}
	}
	f.n = 0
	for name := range bytes.SplitSeq(line, []byte{f.comma}) {
		if f.n == accountColumns {
			return // such lines have more columns than are known, and are refused
		}
		f.columns[f.n], f.names[f.n] = f.table[string(columnName(nil, name))], partName(name)
		f.n++
	}
}

// score tells auto how much speaks for the line it parsed last.
func (f *accountCSV) score() int {
	if f.usual {
		return 10 // as many columns as usual, and a time where it is usual
	}
	return 20
}
