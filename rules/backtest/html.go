package backtest

import (
	"fmt"
	"html/template"
	"io"

	"github.com/liveward/liveward/internal/event"
)

// backtestPage is a page by itself: no script, nothing that is fetched. Values of logs are escaped by
// the template.
const backtestPage = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>liveward backtest</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1c2430;background:#fff}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin:2rem 0 .3rem}
p.sum{color:#56606d;margin:0 0 .6rem}
table{border-collapse:collapse}td,th{padding:.1rem .6rem .1rem 0;text-align:left;vertical-align:top}
td.n{text-align:right;font-variant-numeric:tabular-nums}
.chart{display:flex;align-items:flex-end;gap:2px;height:90px;border-bottom:1px solid #aab3be;margin:.4rem 0 1rem}
.chart div{flex:1;max-width:24px;min-width:2px;background:#2f6fb0}
.chart div.zero{background:#dde3ea;height:1px}
.new{color:#a33a00}.gone{color:#3a6b00}
@media (prefers-color-scheme:dark){body{background:#14181d;color:#dfe5ec}.chart div{background:#6aa5e0}}
</style></head><body>
<h1>Backtest</h1>
<p class="sum">{{.Span}}</p>
{{range .Rules}}<h2>{{.ID}}</h2>
<p class="sum">{{.Sum}}</p>
{{if .Bars}}<div class="chart" role="img" aria-label="alerts per day">{{range .Bars}}<div{{if .Zero}} class="zero"{{end}} style="height:{{.Height}}px" title="{{.Label}}"></div>{{end}}</div>
<table><tr><th>alerts</th><th>key</th></tr>{{range .Keys}}<tr><td class="n">{{.Alerts}}</td><td>{{.Name}}</td></tr>{{end}}</table>{{end}}
{{end}}
{{if .Differences}}<h1>Compared</h1>
{{range .Differences}}<h2>{{.Rule}}</h2><p class="sum">{{len .New}} new, {{len .Gone}} gone, {{.Same}} same, {{.Moved}} of these at another event</p>
<table>{{range .New}}<tr class="new"><td>new</td><td>{{.When}}</td><td>{{.Title}}</td></tr>{{end}}{{range .Gone}}<tr class="gone"><td>gone</td><td>{{.When}}</td><td>{{.Title}}</td></tr>{{end}}</table>
{{end}}{{end}}
</body></html>
`

// When is the alert's time as people read it.
func (a Alert) When() string { return event.FormatTime(a.Time) }

type pageRule struct {
	ID, Sum string
	Bars    []pageBar
	Keys    []Count
}

type pageBar struct {
	Height int
	Zero   bool
	Label  string
}

// WriteHTML writes the report, and the comparison where there is one, as a page that needs nothing
// beside itself. The same alerts give the same bytes.
func (b *Report) WriteHTML(w io.Writer, differences []Difference) error {
	page, err := template.New("backtest").Parse(backtestPage)
	if err != nil {
		return fmt.Errorf("backtest page: %w", err)
	}
	days := b.Days()
	data := struct {
		Span        string
		Rules       []pageRule
		Differences []Difference
	}{Span: b.span(days), Differences: differences}
	for i := range b.Rules {
		data.Rules = append(data.Rules, b.Rules[i].page(days))
	}
	return page.Execute(w, data)
}

func (r *Rule) page(days []string) pageRule {
	const height, mostBars, mostKeys = 90, 400, 50
	out := pageRule{ID: r.ID, Sum: "no alert"}
	if len(r.Alerts) == 0 {
		return out
	}
	keys := r.PerKey()
	out.Sum = fmt.Sprintf("%s, %s: %s, %s, at most %d a day", r.Severity, r.Mode, plural(len(r.Alerts), "alert"), plural(len(keys), "key"), r.Worst())
	out.Keys = keys[:min(len(keys), mostKeys)]
	rows := grouped(r.PerDay(days), mostBars)
	most := 1
	for _, c := range rows {
		most = max(most, c.Alerts)
	}
	for _, c := range rows {
		out.Bars = append(out.Bars, pageBar{Height: max(1, c.Alerts*height/most), Zero: c.Alerts == 0, Label: fmt.Sprintf("%s: %d", c.Name, c.Alerts)})
	}
	return out
}
