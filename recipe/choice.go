package recipe

import (
	"fmt"
	"math"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// Choice is a name, with or without a number: glorot, or {normal: 0.01}. In its place one has a
// word: {stochastic: epoch}.
type Choice struct {
	Name  string
	Value *float64
	Word  string
}

// String returns the choice as YAML has it in one line.
func (c Choice) String() string {
	if c.Word != "" {
		return fmt.Sprintf("{%s: %s}", c.Name, c.Word)
	}
	if c.Value == nil {
		return c.Name
	}
	return fmt.Sprintf("{%s: %g}", c.Name, *c.Value)
}

// MarshalYAML returns what the encoder writes for the choice.
func (c Choice) MarshalYAML() (any, error) {
	if c.Word != "" {
		return map[string]string{c.Name: c.Word}, nil
	}
	if c.Value == nil {
		return c.Name, nil
	}
	return map[string]float64{c.Name: *c.Value}, nil
}

// UnmarshalYAML reads the choice from a node that fitChoice takes.
func (c *Choice) UnmarshalYAML(n ast.Node) error {
	var bad *misfit
	if *c, bad = choiceOf(n, ""); bad != nil {
		return &yaml.SyntaxError{Message: bad.message, Token: bad.node.GetToken()}
	}
	return nil
}

// choiceForms are what choices look like, by the beginnings of their paths.
var choiceForms = []struct{ path, form string }{
	{"data.binarize", "stochastic, {stochastic: epoch} or {threshold: 0.3}"},
	{"couplings.init", "a name, such as bernoulli or glorot, or {NAME: NUMBER}, such as {normal: 0.01}"},
	{"train.average", "none, {exponential: 0.999} or {from: EPOCH}"},
	{"project", "a name, such as sign, or {NAME: NUMBER}, such as {clip: 1}"},
}

// choiceOf returns the choice that a node is, a name or a mapping of one name to a number, or what
// is wrong with the field of that path.
func choiceOf(n ast.Node, path string) (Choice, *misfit) {
	bad := func(at ast.Node, format string, args ...any) (Choice, *misfit) {
		text := fmt.Sprintf(format, args...)
		for _, f := range choiceForms {
			if strings.HasPrefix(path, f.path) {
				text += ", want " + f.form
			}
		}
		return Choice{}, &misfit{at, path, text}
	}
	var pair *ast.MappingValueNode
	switch n := n.(type) {
	case *ast.StringNode:
		return Choice{Name: n.Value}, nil
	case *ast.NullNode:
		return bad(n, "has no value")
	case *ast.MappingNode:
		if len(n.Values) == 1 {
			pair = n.Values[0]
		}
	case *ast.MappingValueNode:
		pair = n
	}
	if pair == nil {
		return bad(n, "%s is neither a name nor one {name: number}", excerpt(n))
	}
	name := pair.Key.GetToken().Value
	if _, null := pair.Value.(*ast.NullNode); null {
		return bad(pair.Value, "%s has no value", name)
	}
	if word, is := pair.Value.(*ast.StringNode); is && (path == "" || path == "data.binarize") && word.Value == anew {
		return Choice{Name: name, Word: anew}, nil
	}
	v, ok := numberOf(pair.Value)
	if !ok {
		return bad(pair.Value, "%s: %s is no number", name, excerpt(pair.Value))
	}
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return bad(pair.Value, "%s: %s is not a finite number", name, excerpt(pair.Value))
	}
	return Choice{Name: name, Value: &v}, nil
}
