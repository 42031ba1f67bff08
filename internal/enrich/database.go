package enrich

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/oschwald/maxminddb-golang/v2"

	"github.com/liveward/liveward/internal/event"
)

// maxDatabase bounds a database, in bytes.
const maxDatabase = 2 << 30

// database is a MaxMind DB of places, of networks, or of both, by whoever made it.
type database struct {
	reader *maxminddb.Reader
	flat   bool // ipinfo's records: country_code, asn and as_name beside one another
	has    [event.NumFields]bool
	nets   int // networks looked at to learn what it has
}

// whereabouts is what databases say of an address.
type whereabouts struct {
	country, region, city string
	organization          string
	number                int64
}

// openDatabase maps a copy of a database into memory. It is a copy because a file that is written over
// in place would change under the reader, or end the process where it becomes shorter; and it has no
// name any more, so nothing is left of it.
func openDatabase(path string) (*database, string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = f.Close() }()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() || st.Size() > maxDatabase {
		return nil, "", fmt.Errorf("%s: not a file of at most %d bytes", path, maxDatabase)
	}
	sum := sha256.New()
	r, err := mapCopy(io.TeeReader(io.LimitReader(f, maxDatabase), sum))
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", path, brokenDatabase(err))
	}
	db := &database{reader: r, flat: strings.HasPrefix(strings.ToLower(r.Metadata.DatabaseType), "ipinfo")}
	if err := db.learn(); err != nil {
		return nil, "", fmt.Errorf("%s: %w", path, err)
	}
	return db, hex.EncodeToString(sum.Sum(nil)), nil
}

// brokenDatabase is the error of a database that cannot be read. The library's own may quote it.
func brokenDatabase(err error) error {
	if pe, ok := errors.AsType[*os.PathError](err); ok {
		return fmt.Errorf("copy to %s: %w", os.TempDir(), pe.Err)
	}
	return errors.New("not a MaxMind database, or cut short; download it again")
}

func mapCopy(r io.Reader) (*maxminddb.Reader, error) {
	f, err := os.CreateTemp("", "liveward-*.mmdb")
	if err != nil {
		return nil, err
	}
	defer func() {
		_ = os.Remove(f.Name()) // the mapping holds what it needs
		_ = f.Close()
	}()
	if _, err := io.Copy(f, r); err != nil {
		return nil, err
	}
	return maxminddb.Open(f.Name())
}

// sampled is how many networks of a database are looked at to learn what it has.
const sampled = 20_000

// learn finds out which fields the database has, from its records: the names of databases are many.
func (d *database) learn() error {
	for result := range d.reader.Networks() {
		if d.nets++; d.nets > sampled {
			break
		}
		var w whereabouts
		if err := d.decode(result, &w); err != nil {
			return errors.New("its records cannot be read; download it again")
		}
		d.note(event.ClientGeoCountry, w.country != "")
		d.note(event.ClientGeoRegion, w.region != "")
		d.note(event.ClientGeoCity, w.city != "")
		d.note(event.ClientASNumber, w.number != 0)
		d.note(event.ClientASOrg, w.organization != "")
	}
	if !d.has[event.ClientGeoCountry] && !d.has[event.ClientASNumber] {
		return errors.New("a database with neither country.iso_code nor autonomous_system_number")
	}
	return nil
}

func (d *database) note(id event.ID, has bool) { d.has[id] = d.has[id] || has }

// lookup adds to w what the database knows and w does not. What cannot be read is not known.
func (d *database) lookup(a netip.Addr, w *whereabouts) {
	var found whereabouts
	if d.decode(d.reader.Lookup(a), &found) != nil {
		return
	}
	if w.country == "" {
		w.country, w.region, w.city = found.country, found.region, found.city
	}
	if w.number == 0 {
		w.number, w.organization = found.number, found.organization
	}
}

// placeRecord is a record as MaxMind and DB-IP lay it out.
type placeRecord struct {
	Country struct {
		Code string `maxminddb:"iso_code"`
	} `maxminddb:"country"`
	Subdivisions []struct {
		Code string `maxminddb:"iso_code"`
	} `maxminddb:"subdivisions"`
	City struct {
		Names struct {
			English string `maxminddb:"en"`
		} `maxminddb:"names"`
	} `maxminddb:"city"`
	Number       uint64 `maxminddb:"autonomous_system_number"`
	Organization string `maxminddb:"autonomous_system_organization"`
}

// flatRecord is a record as ipinfo lays it out.
type flatRecord struct {
	Country      string `maxminddb:"country_code"`
	Number       string `maxminddb:"asn"`
	Organization string `maxminddb:"as_name"`
}

func (d *database) decode(r maxminddb.Result, w *whereabouts) error {
	if err := r.Err(); err != nil || !r.Found() {
		return err
	}
	if d.flat {
		var f flatRecord
		if err := r.Decode(&f); err != nil {
			return err
		}
		n, err := strconv.ParseUint(strings.TrimPrefix(f.Number, "AS"), 10, 32)
		if err == nil {
			w.number, w.organization = int64(n), shownName(f.Organization)
		}
		w.country = countryCode(f.Country)
		return nil
	}
	var p placeRecord
	if err := r.Decode(&p); err != nil {
		return err
	}
	w.country = countryCode(p.Country.Code)
	if w.country != "" && len(p.Subdivisions) > 0 && isCode(p.Subdivisions[0].Code, 3) {
		w.region = w.country + "-" + p.Subdivisions[0].Code
	}
	w.city = shownName(p.City.Names.English)
	if p.Number > 0 && p.Number < 1<<32 {
		w.number, w.organization = int64(p.Number), shownName(p.Organization)
	}
	return nil
}

func countryCode(s string) string {
	if len(s) == 2 && isCode(s, 2) {
		return s
	}
	return ""
}

// isCode tells whether s is a code of upper-case letters and digits, not longer than it may be.
func isCode(s string, longest int) bool {
	return s != "" && len(s) <= longest && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == ""
}

// shownName is a name as it may be shown; what a person could not have written is none.
func shownName(s string) string {
	const longest = 256
	if len(s) > longest || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return ""
	}
	return s
}
