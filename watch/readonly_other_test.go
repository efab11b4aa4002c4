//go:build !linux

package watch

import (
	"errors"
	"testing"
)

func mountReadOnly(*testing.T, string) error { return errors.ErrUnsupported }
