package service

import (
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"mattis/sampler"
)

// The options of requests; they have the names of the commands' flags.
const (
	optRows = iota // the rows, which are an option in JSON alone
	optCount
	optSteps
	optChains
	optFrom
	optSampler
	optSeed
	optKnown
	optLabel
	optLayer
	optThreshold
	optMean
	optSample
	nOptions
)

// kind is what values an option takes.
type kind uint8

const (
	ofRows kind = iota
	whole       // from least to most
	seed        // of 64 bits
	number      // of least to below most
	word        // of some, where choices lists them
	truth
	span // rows:a-b, spins:a-b, or a list of 0 and 1
)

// option is an option of some operations.
type option struct {
	name    string
	kind    kind
	least   float64
	choices []string
	what    string
}

var optionTable = [nOptions]option{
	optRows:      {"rows", ofRows, 0, nil, "rows of 0 and 1, or of -1 and +1; null is a spin that is not known, in reconstruct"},
	optCount:     {"count", whole, 1, nil, "number of samples"},
	optSteps:     {"steps", whole, 0, nil, "sweeps; of sample, before each sample of a chain"},
	optChains:    {"chains", whole, 1, nil, "number of chains, which give their samples in turn; as many as samples if it is left out"},
	optFrom:      {"from", word, 0, []string{"random", "patterns", "data"}, "where chains start"},
	optSampler:   {"sampler", word, 0, sampler.Names(), "how chains move"},
	optSeed:      {"seed", seed, 0, nil, "seed of what is drawn; the same one draws the same"},
	optKnown:     {"known", span, 0, nil, "known spins of all rows: rows:a-b of images, spins:a-b, or a list of 1 (known) and 0"},
	optLabel:     {"label", word, 0, nil, "label of all rows, of machines trained with data.labels_visible"},
	optLayer:     {"layer", word, 0, nil, "name of the hidden layer; the first one if it is left out"},
	optThreshold: {"threshold", number, 0, nil, "grey in [0,1) above which a value of the rows, from 0 to 1, is +1"},
	optMean:      {"mean", truth, 0, nil, "give the means tanh x, which is the default"},
	optSample:    {"sample", truth, 0, nil, "give one draw of the spins"},
}

// value is the value of an option.
type value struct {
	given bool
	place string // body.steps or query.steps
	whole int64
	seed  uint64
	real  float64
	text  string
	truth bool
	mask  []bool
}

// options are the values that a request gives.
type options [nOptions]value

// set takes the text of a value, as a query has it or as a scalar of JSON: quoted is true of its
// strings.
func (o *options) set(op *operation, s *Service, id int, place, text string, quoted, query bool) error {
	v, x := &o[id], optionTable[id]
	if v.given {
		return wrong(place, "is given twice")
	}
	*v = value{given: true, place: place}
	asText := quoted || query
	switch x.kind {
	case whole:
		least, most := op.bounds(id, s)
		n, err := strconv.ParseInt(text, 10, 64)
		if quoted || err != nil || n < int64(least) || n > int64(most) {
			return wrong(place, "%s, want a whole number of %d to %d", shown(text, quoted), least, most)
		}
		v.whole = n
	case seed:
		n, err := strconv.ParseUint(text, 10, 64)
		if quoted || err != nil {
			return wrong(place, "%s, want a whole number of 0 to %d", shown(text, quoted), uint64(math.MaxUint64))
		}
		v.seed = n
	case number:
		n, err := strconv.ParseFloat(text, 64)
		if quoted || err != nil || !(n >= 0 && n < 1) {
			return wrong(place, "%s, want a number of at least 0 and below 1", shown(text, quoted))
		}
		v.real = n
	case truth:
		if quoted || text != "true" && text != "false" {
			return wrong(place, "%s, want true or false", shown(text, quoted))
		}
		v.truth = text == "true"
	case word, span:
		if !asText || text == "" {
			return wrong(place, "%s, want a text", shown(text, quoted))
		}
		v.text = text
		if x.choices == nil {
			return nil
		}
		for _, c := range x.choices {
			if text == c {
				return nil
			}
		}
		return wrong(place, "%s is unknown, want one of %s", shown(text, true), strings.Join(x.choices, ", "))
	default:
		return wrong(place, "rows come in the body")
	}
	return nil
}

// shown returns what was given in an error's words.
func shown(text string, quoted bool) string {
	if len(text) > 60 {
		text = text[:60] + "..."
	}
	if quoted || text == "" {
		return strconv.Quote(text)
	}
	for _, c := range text {
		if c < ' ' || c > '~' {
			return strconv.Quote(text)
		}
	}
	return text
}

// whole, seed and text return the value of an option, or what it is where the request does not say.
func (o *options) whole(id, unset int) int {
	if o[id].given {
		return int(o[id].whole)
	}
	return unset
}

func (o *options) seed(unset uint64) uint64 {
	if o[optSeed].given {
		return o[optSeed].seed
	}
	return unset
}

func (o *options) text(id int, unset string) string {
	if o[id].given {
		return o[id].text
	}
	return unset
}

// at returns where the request gives an option, or would.
func (o *options) at(id int) string {
	if o[id].given {
		return o[id].place
	}
	return "body." + optionTable[id].name
}

// query takes the options of the request's address.
func (o *options) query(op *operation, s *Service, raw string) error {
	if raw == "" {
		return nil
	}
	if len(raw) > 8<<10 {
		return refused(400, "the query has more than %d bytes", 8<<10)
	}
	all, err := url.ParseQuery(raw)
	if err != nil {
		return refused(400, "the query is not understood: %v", err)
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		id, err := op.option(name, "query.")
		if err != nil {
			return err
		}
		for _, text := range all[name] {
			if err := o.set(op, s, id, "query."+name, text, false, true); err != nil {
				return err
			}
		}
	}
	return nil
}

// operation is what a run can be asked for.
type operation struct {
	name   string
	what   string
	rows   bool // it takes rows
	gaps   bool // and unknown spins among them
	takes  []int
	unset  map[int]string // what options are that the request leaves out
	offers []string       // types of its answers, the first one where the client has no wish
	answer string         // the key of the answer, for the document
	do     func(s *Service, r *served, q *request) error
}

// option returns the number of the option of a name.
func (op *operation) option(name, where string) (int, error) {
	var names []string
	for _, id := range op.takes {
		if optionTable[id].name == name {
			return id, nil
		}
		names = append(names, optionTable[id].name)
	}
	if len(name) > 60 {
		name = name[:60] + "..."
	}
	return 0, wrong(where+name, "is no option of %s, want one of %s", op.name, strings.Join(names, ", "))
}

// bounds returns the least and the largest value of an option.
func (op *operation) bounds(id int, s *Service) (least, most int) {
	least, most = int(optionTable[id].least), s.MaxRows
	if id == optSteps {
		most = s.MaxSteps
		if op.rows {
			least = 1
		}
	}
	return least, most
}

var operations = []*operation{
	{name: "score", what: "The free energy F(v) of each row in kT: the higher, the less likely.", rows: true,
		takes: []int{optRows, optLabel, optThreshold}, offers: []string{kindJSON, kindNPY}, answer: "free_energy", do: (*Service).score},
	{name: "features", what: "A hidden layer of each row: its means, or one draw of its spins.", rows: true,
		takes: []int{optRows, optLayer, optMean, optSample, optSeed, optLabel, optThreshold}, unset: map[int]string{optSeed: "1"},
		offers: []string{kindJSON, kindNPY}, answer: "hidden", do: (*Service).features},
	{name: "sample", what: "Samples of the machine, spins -1 and +1.",
		takes:  []int{optCount, optSteps, optChains, optFrom, optSampler, optLabel, optSeed},
		unset:  map[int]string{optCount: "16", optSteps: "100", optFrom: "random", optSampler: "gibbs", optSeed: "1"},
		offers: []string{kindJSON, kindNPY, kindPNG}, answer: "rows", do: (*Service).sample},
	{name: "reconstruct", what: "The rows with their unknown spins drawn given the known ones, spins -1 and +1.", rows: true, gaps: true,
		takes:  []int{optRows, optKnown, optSteps, optSampler, optLabel, optSeed, optThreshold},
		unset:  map[int]string{optSteps: "10", optSampler: "gibbs", optSeed: "1"},
		offers: []string{kindJSON, kindNPY, kindPNG}, answer: "rows", do: (*Service).reconstruct},
	{name: "logz", what: "log Z in nats by the best affordable method; its standard error is null where it is not known.",
		takes: []int{optSeed}, offers: []string{kindJSON}, answer: "value", do: (*Service).logz},
}

// operationOf returns the operation of a name, or nil.
func operationOf(name string) *operation {
	for _, op := range operations {
		if op.name == name {
			return op
		}
	}
	return nil
}
