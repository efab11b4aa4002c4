package optim

import "math"

// Decay is the form in which a learning rate falls.
type Decay string

const (
	Exponential Decay = "exponential" // by a factor an epoch
	Linear      Decay = "linear"      // to the floor, by the same amount an epoch
	Cosine      Decay = "cosine"      // to the floor along half a cosine
	Power       Decay = "power"       // as (1 + n/Over)^-Power after n epochs
)

// Decays returns all of them.
func Decays() []string {
	return []string{string(Exponential), string(Linear), string(Cosine), string(Power)}
}

// Schedule is the learning rate in the course of a training. It does not know the training's end:
// one that is made longer goes on as it was.
type Schedule struct {
	Rate      float64 // before it falls
	Decay     Decay   // "" means Exponential
	Factor    float64 // of Exponential, an epoch; 0 and 1 keep the rate
	After     int     // epochs at the full rate before it starts to fall
	Over      int     // epochs in which Linear and Cosine come to the floor, and Exponential where it is not 0; see Power
	Power     float64 // of Power
	Floor     float64 // the rate does not fall below it
	PerUpdate bool    // it falls at every update, and not at the end of epochs alone
	WarmUp    float64 // epochs in which it rises from 0 to Rate
}

// At returns the rate where so many epochs are done.
func (s Schedule) At(epochs float64) float64 {
	n := epochs
	if !s.PerUpdate {
		n = math.Floor(n)
	}
	n = max(0, n-float64(s.After))
	rate := s.Rate
	if n > 0 {
		rate = max(min(s.Floor, s.Rate), s.falling(n))
	}
	if epochs < s.WarmUp {
		rate *= epochs / s.WarmUp
	}
	return rate
}

// falling returns the rate n epochs after it began to fall, the floor left out.
func (s Schedule) falling(n float64) float64 {
	part := min(1, n/float64(s.Over))
	switch s.Decay {
	case Linear:
		return s.Rate + part*(s.Floor-s.Rate)
	case Cosine:
		return s.Floor + (s.Rate-s.Floor)*(1+math.Cos(math.Pi*part))/2
	case Power:
		return s.Rate * math.Pow(1+n/float64(s.Over), -s.Power)
	}
	switch {
	case s.Over > 0:
		return s.Rate * math.Pow(s.Floor/s.Rate, part)
	case s.Factor == 0:
		return s.Rate
	}
	return s.Rate * math.Pow(s.Factor, n)
}
