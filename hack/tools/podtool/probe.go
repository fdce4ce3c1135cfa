package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// result is what one target has shown so far. A failure's time is when its request was sent.
type result struct {
	Target    string `json:"target"`
	Sent      int    `json:"sent"`
	Succeeded int    `json:"succeeded"`
	Failed    int    `json:"failed"`
	// Succeeded, but took as long as -slow or longer.
	Slow         int        `json:"slow"`
	FirstFailure *time.Time `json:"firstFailure,omitempty"`
	LastFailure  *time.Time `json:"lastFailure,omitempty"`
	LastError    string     `json:"lastError,omitempty"`
	// The longest time between the sending of two successes that had a failure between them.
	LongestOutageMs int64 `json:"longestOutageMs"`
	// The longest time between the sending of two successes that were not slow: a packet that is sent again and again until it
	// gets through shows here, and not as a failure.
	LongestSilenceMs   int64      `json:"longestSilenceMs"`
	LongestSilenceFrom *time.Time `json:"longestSilenceFrom,omitempty"`
}

// track judges one target's requests, in whatever order they end.
type track struct {
	result
	stop     chan struct{}
	sentOK   []time.Time
	sentFail []time.Time
	// Successes that were not slow, and the newest request of all.
	sentQuick []time.Time
	lastSent  time.Time
}

type prober struct {
	rate    float64
	timeout time.Duration
	slow    time.Duration

	mutex  sync.Mutex
	tracks map[string]*track
}

func probe(args []string) error {
	set := flags("probe")
	rate := set.Float64("rate", 10, "requests a second to each target")
	timeout := set.Duration("timeout", 2*time.Second, "per request")
	slow := set.Duration("slow", time.Second, "successes that take as long are counted as slow")
	listen := set.String("listen", ":8080", "where /results is served")
	file := set.String("targets", "", "file with one URL a line, read again every second; a target that vanishes keeps its totals")
	_ = set.Parse(args)
	if *rate <= 0 || (set.NArg() == 0 && *file == "") {
		return errors.New("give URLs or -targets, and a rate above 0")
	}
	p := &prober{rate: *rate, timeout: *timeout, slow: *slow, tracks: map[string]*track{}}
	p.follow(*file, set.Args())
	mux := http.NewServeMux()
	mux.HandleFunc("/results", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, p.results()) })
	err := serveUntilTerm(&http.Server{Addr: *listen, Handler: mux, ReadHeaderTimeout: 10 * time.Second}, 0)
	_ = json.NewEncoder(os.Stdout).Encode(p.results())
	return err
}

// follow keeps the probed targets equal to the arguments and the file.
func (p *prober) follow(file string, fixed []string) {
	p.setTargets(append(slices.Clone(fixed), readTargets(file)...))
	if file == "" {
		return
	}
	go func() {
		for range time.Tick(time.Second) {
			p.setTargets(append(slices.Clone(fixed), readTargets(file)...))
		}
	}()
}

func readTargets(file string) []string {
	if file == "" {
		return nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		fmt.Printf("%s targets: %v\n", stamp(time.Now()), err)
	}
	return strings.Fields(string(text))
}

func (p *prober) setTargets(wanted []string) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for target, t := range p.tracks {
		if t.stop != nil && !slices.Contains(wanted, target) {
			close(t.stop)
			t.stop = nil
		}
	}
	for _, target := range wanted {
		if p.tracks[target] == nil {
			p.tracks[target] = &track{result: result{Target: target}}
		}
		if t := p.tracks[target]; t.stop == nil {
			t.stop = make(chan struct{})
			go p.run(target, t.stop)
		}
	}
}

// run sends at the rate whatever the answers: a target that hangs is asked as often as one that answers.
func (p *prober) run(target string, stop <-chan struct{}) {
	ticker := time.NewTicker(time.Duration(float64(time.Second) / p.rate))
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
			go p.one(target, time.Now())
		}
	}
}

func (p *prober) one(target string, sent time.Time) {
	err := askOnce(target, p.timeout)
	if err != nil {
		fmt.Printf("%s %s: %v\n", stamp(sent), target, err)
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.tracks[target].record(sent, err, time.Since(sent) >= p.slow)
}

func (t *track) record(sent time.Time, err error, slow bool) {
	t.Sent++
	if sent.After(t.lastSent) {
		t.lastSent = sent
	}
	if err == nil {
		t.Succeeded++
		if slow {
			t.Slow++
		} else {
			t.sentQuick = append(t.sentQuick, sent)
		}
		t.sentOK = append(t.sentOK, sent)
		return
	}
	t.Failed++
	t.sentFail = append(t.sentFail, sent)
	t.LastError = err.Error()
}

func (p *prober) results() []result {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	all := []result{}
	for _, target := range slices.Sorted(maps.Keys(p.tracks)) {
		all = append(all, p.tracks[target].summary(time.Now()))
	}
	return all
}

// summary adds the times of failures. An outage that has not ended counts up to now; one since the start counts from the
// first failure.
func (t *track) summary(now time.Time) result {
	summary := t.result
	if from, silence := t.longestSilence(); silence > 0 {
		summary.LongestSilenceMs, summary.LongestSilenceFrom = silence.Milliseconds(), &from
	}
	if len(t.sentFail) == 0 {
		return summary
	}
	failures := slices.SortedFunc(slices.Values(t.sentFail), time.Time.Compare)
	successes := slices.SortedFunc(slices.Values(t.sentOK), time.Time.Compare)
	first, last := failures[0], failures[len(failures)-1]
	summary.FirstFailure, summary.LastFailure = &first, &last
	for _, failure := range failures {
		next, _ := slices.BinarySearchFunc(successes, failure, time.Time.Compare)
		from, to := first, now
		if next > 0 {
			from = successes[next-1]
		}
		if next < len(successes) {
			to = successes[next]
		}
		summary.LongestOutageMs = max(summary.LongestOutageMs, to.Sub(from).Milliseconds())
	}
	return summary
}

// longestSilence begins with the first quick success: a target may take its time to begin.
func (t *track) longestSilence() (from time.Time, longest time.Duration) {
	quick := append(slices.SortedFunc(slices.Values(t.sentQuick), time.Time.Compare), t.lastSent)
	for i := 1; i < len(quick); i++ {
		if silence := quick[i].Sub(quick[i-1]); silence > longest {
			from, longest = quick[i-1], silence
		}
	}
	return from, longest
}

func stamp(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z") }
