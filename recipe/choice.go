package recipe

import (
	"fmt"
	"math"

	"github.com/goccy/go-yaml/ast"
)

// Choice is a name, with or without a number: glorot, or {normal: 0.01}.
type Choice struct {
	Name  string
	Value *float64
}

// String returns the choice as YAML has it in one line.
func (c Choice) String() string {
	if c.Value == nil {
		return c.Name
	}
	return fmt.Sprintf("{%s: %g}", c.Name, *c.Value)
}

// MarshalYAML returns what the encoder writes for the choice.
func (c Choice) MarshalYAML() (any, error) {
	if c.Value == nil {
		return c.Name, nil
	}
	return map[string]float64{c.Name: *c.Value}, nil
}

// UnmarshalYAML reads the choice from a name or from a mapping of one name to a number.
func (c *Choice) UnmarshalYAML(n ast.Node) error {
	*c = Choice{}
	switch n := n.(type) {
	case *ast.StringNode:
		c.Name = n.Value
		return nil
	case *ast.MappingNode:
		if len(n.Values) == 1 {
			return c.pair(n.Values[0])
		}
	case *ast.MappingValueNode:
		return c.pair(n)
	}
	return misplaced(n, fmt.Sprintf("%s is neither a name nor one {name: number}", excerpt(n)))
}

func (c *Choice) pair(n *ast.MappingValueNode) error {
	c.Name = n.Key.GetToken().Value
	v, ok := numberOf(n.Value)
	if !ok {
		return misplaced(n.Value, fmt.Sprintf("%s: %s is no number", c.Name, excerpt(n.Value)))
	}
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return misplaced(n, fmt.Sprintf("%s: %v is not a finite number", c.Name, v))
	}
	c.Value = &v
	return nil
}
