package experiment

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"mattis/bm"
	"mattis/compute"
	"mattis/eval"
	"mattis/recipe"
	"mattis/view"
)

// trainedFor are machines of MNIST that the figure quality trains for so many minutes each.
type trainedFor struct {
	name, label string // of its arms, and in legends
	recipe      string
	settings    []string
	cost        float64 // of an update, milliseconds of one thread
	rate        float64 // of the trainings of a minute, in place of the recipe's
}

// qualityMinutes are the lengths of the trainings. A machine of one minute is no checkpoint of one of
// ten: its learning rate comes to the floor in its own last epochs.
var qualityMinutes = [...]int{1, 3, 10}

// qualityUpdates are those of an epoch: 60 000 rows in the batches of 100 of the recipes digits and digits-dense.
const qualityUpdates = 600

// The costs were measured beforehand, two trainings at a time on the two cores of a Xeon (docs/models.md). With them the numbers of
// epochs are settings and results can be repeated. The seconds of the figure are the updates times what an update takes on
// the machine where updatesArm timed it: what else a machine does for a while in a training is in none of them. The
// costs of dense couplings are a little below what was measured, so that the longest trainings are those of the recipe.
// That of K = 100, H = 500 is of another machine (docs/models.md). The rates of a minute were chosen with it and with dense couplings,
// H = 500, and are those of the others on its side too: the recipes' are for ten.
var qualityMethods = []trainedFor{
	{name: "k50", label: "K = 50", recipe: "digits", settings: []string{"couplings.patterns=50"}, cost: 4.8, rate: 0.006},
	{name: "k100", label: "K = 100", recipe: "digits", settings: []string{"couplings.patterns=100"}, cost: 7.2, rate: 0.006},
	{name: "k100-narrow", label: "K = 100, H = 500", recipe: "digits", settings: []string{"couplings.patterns=100", "machine.hidden=500"}, cost: 6, rate: 0.006},
	{name: axonsOfRecipe, label: "K = 200", recipe: "digits", cost: 13.4, rate: 0.006},
	{name: axonsWider, label: "K = 200, H = 2000", recipe: "digits", settings: []string{"machine.hidden=2000"}, cost: 20.7, rate: 0.006},
	{name: densely, label: "dense", recipe: "digits-dense", cost: 13.4, rate: 0.004},
	{name: denselyWide, label: "dense, H = 1000", recipe: "digits-dense", settings: []string{"machine.hidden=1000"}, cost: 28, rate: 0.004},
}

// epochs returns the epochs that so many minutes are enough for.
func (m trainedFor) epochs(minutes int) int {
	return int(math.Round(float64(minutes) * 60_000 / (qualityUpdates * m.cost)))
}

// The methods that claims are about.
const (
	axonsOfRecipe = "k200" // of the recipe digits
	axonsWider    = "k200-wide"
	densely       = "dense" // of the recipe digits-dense
	denselyWide   = "dense-wide"
)

// qualities is the figure quality: the likelihood that minutes of training buy.
var qualities = &study{qualityArms()}

// updatesArm times an update of each machine, in turns.
const updatesArm = "update"

func qualityArms() (list []*arm) {
	// It comes first, so that one training of the longest stands beside it on two cores.
	times := &arm{name: updatesArm, seconds: 1000, single: true, timed: true, settings: []string{"rounds=9", "limit=3000"}, miniature: []string{"rounds=1", "limit=0"}}
	for _, m := range qualityMethods { // other machines are to be timed anew
		times.settings = append(times.settings, fmt.Sprintf("%s=%s %s", m.name, m.recipe, strings.Join(m.settings, " ")))
	}
	times.draw = func(w *work) error { return timeUpdates(w, times.settingsOf(w.miniature)) }
	list = append(list, times)
	for _, m := range qualityMethods {
		for i, minutes := range qualityMinutes {
			epochs := m.epochs(minutes)
			settings, rate := m.settings, "the rate"
			if minutes == 1 {
				settings = settingsFrom(settings, []string{fmt.Sprintf("optimizer.rate=%g", m.rate)})
				rate = fmt.Sprintf("a rate for a minute, %g,", m.rate)
			}
			list = append(list, &arm{name: m.arm(minutes), recipe: m.recipe, seconds: 60*float64(minutes) + 150, after: addOperations,
				settings: settingsFrom(settings, []string{"measure.options.ais.betas=8000", fmt.Sprintf("train.epochs=%d", epochs), "measure.test=[]", "measure.train=[]", "measure.last=[nll]",
					fmt.Sprintf("optimizer.decay={kind: cosine, over: %d, floor: 1e-5, per: update}", epochs)}),
				why: fmt.Sprintf("%d epochs, which are %d min where an update takes %g ms of one thread; %s falls along a cosine in all of them", epochs, minutes, m.cost, rate),
				miniature: append(slices.Clone(smallQuality), fmt.Sprintf("train.epochs=%d", 2+i),
					fmt.Sprintf("optimizer.decay={kind: cosine, over: %d, floor: 1e-5, per: update}", 2+i))})
		}
	}
	return list
}

// smallQuality makes a machine of the figure small.
var smallQuality = []string{"data={name: bars, size: 4}", "machine.hidden=4", "negative.chains=10", "negative.steps=1", "train.batch=4"}

// timeUpdates gives the seconds of an update of each machine on one thread: the median over rounds, in
// each of which all have their turn, of an epoch on so many rows.
func timeUpdates(w *work, settings []string) error {
	rounds, limit := whole(setting(settings, "rounds")), setting(settings, "limit")
	trainings, took := make([]*recipe.Training, len(qualityMethods)), make([][]float64, len(qualityMethods))
	for k, m := range qualityMethods {
		list := settingsFrom(m.settings, []string{"measure.test=[]", "measure.train=[]", "measure.last=[]", "data.limit=" + limit})
		if w.miniature {
			list = append(list, smallQuality...)
		}
		r, err := recipe.Load(m.recipe, withPrecision(list, w.precision)...)
		if err != nil {
			return err
		}
		split, err := r.LoadData()
		if err != nil {
			return err
		}
		if trainings[k], err = r.Build(split, w.engine); err != nil {
			return err
		}
	}
	for round := range rounds + 1 { // the first one warms up
		for k, t := range trainings {
			before, start := t.Trainer.Step, time.Now()
			if err := t.Trainer.Run(w.ctx, round+1); err != nil {
				return err
			}
			if round > 0 {
				took[k] = append(took[k], time.Since(start).Seconds()/float64(t.Trainer.Step-before))
			}
		}
		w.progress(float64(round+1) / float64(rounds+1))
	}
	for k, m := range qualityMethods {
		slices.Sort(took[k])
		w.add(m.name, 0, took[k][rounds/2])
	}
	return nil
}

// arm returns the name of the arm of so many minutes.
func (m trainedFor) arm(minutes int) string { return fmt.Sprintf("%s-%dmin", m.name, minutes) }

// addOperations gives the multiply-adds of a training and its updates.
func addOperations(w *work, t *trained) error {
	ops, err := updateOps(t.Recipe, t.Machine)
	w.add("multiply-adds", 0, ops*float64(t.Trainer.Step))
	w.add("updates", 0, float64(t.Trainer.Step))
	return err
}

// updateOps returns the multiply-adds of an update by PCD with fresh chains beside, in the orders of
// contraction that the machine takes: the sweeps of both kinds of chains, the phases of the batch
// and of the chains, and the hidden means of the batch where offsets follow them.
func updateOps(r *recipe.Recipe, m *bm.Machine) (float64, error) {
	n := r.Negative
	if n.Kind != "pcd" || n.Grow != nil || n.Fresh != nil && n.Fresh.Until != nil {
		return 0, fmt.Errorf("multiply-adds are known of pcd with as many sweeps an update, and the negative phase is %s", n.Kind)
	}
	precision, err := compute.ParsePrecision(r.Train.Precision)
	if err != nil {
		return 0, err
	}
	defer m.SetPrecision(m.SetPrecision(precision)) // which decides about the orders
	held, fresh := n.Rows()
	ops := m.PhaseOps(r.Train.Batch) + m.PhaseOps(held+fresh) + float64(*n.Steps)*m.SweepOps(held)
	if fresh > 0 {
		ops += float64(*n.Fresh.Steps) * m.SweepOps(fresh)
	}
	if o := r.Machine.OffsetRate; o != nil && *o > 0 { // the means that offsets move to
		ops += m.SweepOps(r.Train.Batch) / 2
	}
	return ops, nil
}

// gained is what the machines of an arm have come to, in the order of their seeds.
type gained struct {
	minutes            int
	seconds, test, all []float64 // of training; NLL of the test set and of the training set, nats
	operations         float64   // multiply-adds of a training
	updates            float64
	apart              float64 // the largest difference of log Z between two bases of a machine, NaN where there are none
	few                int     // bases left out, for their paths are hardly any
}

// fewPaths is below how many effective paths a base says nothing: the weights' mean is then what a
// few paths happened to bring.
const fewPaths = 10

// gainedBy reads the machines of an arm.
func (r *results) gainedBy(m trainedFor, minutes int) (gained, error) {
	g := gained{minutes: minutes, apart: math.NaN()}
	update := math.NaN() // seconds
	for _, i := range r.of(updatesArm) {
		for _, p := range i.Points {
			if p.Name == m.name {
				update = p.Value
			}
		}
	}
	if math.IsNaN(update) {
		return g, fmt.Errorf("%s has no time of an update of %s", updatesArm, m.name)
	}
	for _, i := range r.of(m.arm(minutes)) {
		seen := false
		for _, x := range i.metrics {
			switch {
			case x.Name != "nll":
			case x.Split == "train":
				g.all = append(g.all, x.Value)
			case x.Split == "test":
				seen = true
				g.test = append(g.test, x.Value)
				apart, few := basesApart(x.Detail)
				g.few += few
				if !(apart <= g.apart) && !math.IsNaN(apart) {
					g.apart = apart
				}
			}
		}
		if !seen {
			return g, fmt.Errorf("%s has no nll of the test set", i.dir)
		}
		for _, p := range i.Points {
			switch p.Name {
			case "multiply-adds":
				g.operations = p.Value
			case "updates":
				g.updates = p.Value
				g.seconds = append(g.seconds, update*p.Value)
			}
		}
	}
	return g, nil
}

// basesApart returns the largest difference between the estimates of log Z from the bases that a
// measure's detail has, NaN of fewer than two, and how many are left out for their few effective
// paths. Pilots, which no full run followed, are estimates of fewer and shorter paths and say nothing here.
func basesApart(detail map[string]any) (apart float64, few int) {
	number := func(of map[string]any, key string) float64 { x, _ := of[key].(float64); return x }
	list, _ := detail["bases"].([]any)
	var z []float64
	for _, x := range list {
		b, _ := x.(map[string]any)
		value, ok := b["log_z"].(float64)
		switch {
		case number(b, "runs") < number(detail, "runs") || number(b, "betas") < number(detail, "betas"):
		case !ok || !(number(b, "ess") >= fewPaths):
			few++
		default:
			z = append(z, value)
		}
	}
	if len(z) < 2 {
		return math.NaN(), few
	}
	return slices.Max(z) - slices.Min(z), few
}

// point is a mean over machines with its standard error, the mean of their seconds, and of how many.
type point struct {
	nll, stderr, seconds float64
	n                    int
}

func pointOf(seconds, nll []float64) point {
	s, _ := moments(seconds)
	mean, sd := moments(nll)
	return point{mean, sd / math.Sqrt(float64(len(nll))), s, len(nll)}
}

// widened returns two points with the standard errors of a difference of theirs: machines are few, so
// they are widened by Student's t.
func widened(a, b point) (point, point) {
	t := eval.Student(float64(a.n + b.n - 1))
	a.stderr *= t
	b.stderr *= t
	return a, b
}

// margin is how many nats more are still no worse.
const margin = 1

// noWorse is the verdict on "a has no higher NLL than b in the same time": it differs where a is above
// by more than chance, agrees where it can't be so by more than the margin, and is open where the
// machines do not decide. A verdict for the one that had over a fifth more time is none.
func noWorse(a, b point) Verdict {
	const more = 1.2
	a, b = widened(a, b)
	v := above(b.nll+margin, a.nll, a.stderr, b.stderr)
	if above(a.nll, b.nll, a.stderr, b.stderr) == Agrees {
		v = Differs
	}
	if v == Agrees && a.seconds > more*b.seconds || v == Differs && b.seconds > more*a.seconds {
		return Open
	}
	return v
}

func (p point) String() string {
	return fmt.Sprintf("%s nats in %.3g s", pm(p.nll, p.stderr, 2), p.seconds)
}

// over returns the NLL of the test set over what is spent: seconds or multiply-adds.
func over(name string, all []gained, spent func(gained) float64) Curve {
	c := Curve{Name: name}
	for _, g := range all {
		mean, sd := moments(g.test)
		c.X, c.Mean, c.SD, c.N = append(c.X, spent(g)), append(c.Mean, mean), append(c.SD, sd), append(c.N, len(g.test))
	}
	return c
}

func meanSeconds(g gained) float64 {
	mean, _ := moments(g.seconds)
	return mean
}

// finishQuality is the figure quality: the test NLL over the time of training and over its
// multiply-adds.
func finishQuality(r *results) error {
	peers, err := readPeers(filepath.Join(r.options.Out, PeersFile))
	if err != nil {
		return err
	}
	bySeconds, byOps := []Curve{}, []Curve{}
	at, choice := map[string]point{}, map[string]float64{} // by arm: the test NLL, and that of the training set, which chooses
	apart, few := math.NaN(), 0
	r.table.Header = []string{"machine", "minutes", "seeds", "updates", "seconds", "10¹² multiply-adds", "NLL, test", "NLL, training", "log Z apart"}
	r.caption = "Nats a row by the measure `nll` with 100 annealing runs of 8000 steps, and of other programs as their table has it; seconds are the updates times what one takes on one thread, the median of nine turns, and of other programs those of their training. The last column has the largest difference between two bases of a machine."
	row := func(name string, minutes int, updates, operations string, g gained, train, apart string) {
		p := pointOf(g.seconds, g.test)
		r.table.Rows = append(r.table.Rows, []string{name, strconv.Itoa(minutes), strconv.Itoa(p.n), updates, fmt.Sprintf("%.0f", p.seconds), operations, pm(p.nll, p.stderr, 2), train, apart})
	}
	for _, m := range qualityMethods {
		var all []gained
		for _, minutes := range qualityMinutes {
			g, err := r.gainedBy(m, minutes)
			if err != nil {
				return err
			}
			all = append(all, g)
			at[m.arm(minutes)] = pointOf(g.seconds, g.test)
			few += g.few
			if !(g.apart <= apart) && !math.IsNaN(g.apart) {
				apart = g.apart
			}
			train, between := pointOf(g.seconds, g.all), "-"
			if !math.IsNaN(g.apart) {
				between = fmt.Sprintf("%.2f", g.apart)
			}
			choice[m.arm(minutes)] = train.nll
			row(m.label, minutes, fmt.Sprintf("%.0f", g.updates), fmt.Sprintf("%.4g", g.operations/1e12), g, pm(train.nll, train.stderr, 2), between)
		}
		seconds, ops := over(m.label, all, meanSeconds), over(m.label+", over multiply-adds", all, func(g gained) float64 { return g.operations })
		r.add(seconds, ops)
		bySeconds = append(bySeconds, seconds)
		ops.Name = m.label
		byOps = append(byOps, ops)
	}
	for _, p := range peers {
		var all []gained
		for _, minutes := range p.minutes {
			all = append(all, *p.of[minutes])
			row(p.name, minutes, "-", "-", *p.of[minutes], "-", "-")
		}
		c := over(p.name, all, meanSeconds)
		r.add(c)
		bySeconds = append(bySeconds, c)
	}
	nats := view.Axis{Label: "NLL of the test set (nats)"}
	if err := r.paint([]view.Panel{
		view.CurvesPanel{Chart: view.Chart{Title: r.title(), X: view.Axis{Label: "seconds of training, one thread", Log: true}, Y: nats}, Series: series(bySeconds...)},
		view.CurvesPanel{Chart: view.Chart{Title: "the same over the work", X: view.Axis{Label: "multiply-adds of the training", Log: true}, Y: nats}, Series: series(byOps...)},
	}); err != nil {
		return err
	}
	r.judgeQuality(at, choice, peers)
	found := fmt.Sprintf("at most %.2f nats apart", apart)
	if math.IsNaN(apart) {
		found = "log Z was summed, or one base alone says anything"
	}
	if few > 0 {
		found += fmt.Sprintf("; left out are %d estimates", few)
	}
	r.claim("all bases of annealing find the same log Z", fmt.Sprintf("of every machine, the estimates from all bases that were run in full and have %d effective paths or more lie within 1 nat", fewPaths), decided(apart <= 1, apart), "%s", found)
	return nil
}

// bestBy returns the label and the point of the machine of lowest mean NLL of the training set among
// those of a recipe: the test set judges what it has not chosen.
func bestBy(at map[string]point, choice map[string]float64, recipe string, minutes int) (label string, best point) {
	least := math.Inf(1)
	for _, m := range qualityMethods {
		if c, ok := choice[m.arm(minutes)]; ok && m.recipe == recipe && c < least {
			label, best, least = m.label, at[m.arm(minutes)], c
		}
	}
	return label, best
}

// judgeQuality judges the claims about points, which are by arm, as is the NLL of the training set.
func (r *results) judgeQuality(at map[string]point, choice map[string]float64, peers []*peer) {
	how := fmt.Sprintf("differs where the mean test NLL is above by two standard errors, widened by Student's t of the machines; agrees where by these it is not above by more than %d nat; open else, and where the better one had over a fifth more time", margin)
	number := func(recipe string) (n int) {
		for _, m := range qualityMethods {
			if m.recipe == recipe {
				n++
			}
		}
		return n
	}
	of := func(name string, minutes int) point { return at[trainedFor{name: name}.arm(minutes)] }
	for _, minutes := range qualityMinutes {
		axons, a := bestBy(at, choice, "digits", minutes)
		dense, b := bestBy(at, choice, "digits-dense", minutes)
		r.claim(fmt.Sprintf("axons are no worse than dense couplings after %d min of training", minutes), fmt.Sprintf("the machines of lowest training NLL on either side, of %d with axons and %d with dense couplings; %s", number("digits"), number("digits-dense"), how), noWorse(a, b), "%s: %s, against %s: %s", axons, a, dense, b)
	}
	for _, p := range peers {
		for _, minutes := range p.minutes {
			if !slices.Contains(qualityMinutes[:], minutes) {
				continue
			}
			axons, a := bestBy(at, choice, "digits", minutes)
			b := pointOf(p.of[minutes].seconds, p.of[minutes].test)
			r.claim(fmt.Sprintf("axons are no worse than %s after %d min of training", p.name, minutes), fmt.Sprintf("the machine of lowest training NLL of %d with axons; %s", number("digits"), how), noWorse(a, b), "%s: %s against %s", axons, a, b)
		}
	}
	last := qualityMinutes[len(qualityMinutes)-1]
	wide, narrow := of(axonsWider, last), of(axonsOfRecipe, last)
	w, n := widened(wide, narrow)
	r.claim(fmt.Sprintf("axons with 2000 hidden spins are better than with 1000 after %d min of training", last), "mean test NLL lower by two standard errors, widened by Student's t of the machines, in no more than a fifth more time", provided(above(n.nll, w.nll, n.stderr, w.stderr), wide.seconds <= 1.2*narrow.seconds), "%s against %s", wide, narrow)
}
