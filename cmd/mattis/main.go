// Command mattis trains, samples, judges and uses Boltzmann machines.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"mattis/comm/mpi"
	"mattis/compute/cpu"
)

func main() { os.Exit(Main()) }

// Exit codes.
const (
	exitFailure     = 1
	exitUsage       = 2
	exitInterrupted = 130 // 128 + SIGINT
)

// usageError is an error in how a command was called.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// Main runs the command line of this process and returns its exit code.
func Main() int {
	ctx, release := interruptible()
	defer release()
	root := command()
	out := &output{File: os.Stdout}
	root.SetOut(out)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		err = out.failure
	}
	if err == nil || errors.Is(err, context.Canceled) && processes.agreed {
		if closing := processes.Close(); err == nil {
			err = closing
		}
	}
	switch {
	case err == nil:
		return 0
	case errors.Is(err, context.Canceled):
		if processes.agreed {
			return exitInterrupted
		}
		return processes.fail(exitInterrupted, func(string) {})
	}
	var usage usageError
	unknown := strings.HasPrefix(err.Error(), "unknown command")
	if mpi.Launched(os.Getenv).Rank > 0 && processes.Size() == 1 && (errors.As(err, &usage) || unknown) {
		return exitUsage // all have the same command line, and rank 0 says what is wrong
	}
	text := strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; ")
	if unknown {
		text = strings.Join(strings.Fields(err.Error()), " ") // "... Did you mean this? sample"
	}
	code := exitFailure
	if errors.As(err, &usage) || unknown {
		code = exitUsage
	}
	return processes.fail(code, func(rank string) {
		fmt.Fprintf(os.Stderr, "mattis: %s%s\n", rank, text)
		if code == exitUsage {
			fmt.Fprintf(os.Stderr, "see %s --help\n", cmd.CommandPath())
		}
	})
}

// output is the standard output. It remembers the first failure, so that no command that ignores it
// ends well: what was printed is not there.
type output struct {
	*os.File
	failure error
}

func (o *output) Write(b []byte) (int, error) {
	n, err := o.File.Write(b)
	if err != nil && o.failure == nil && !errors.Is(err, syscall.EPIPE) { // who closed a pipe has what they wanted
		o.failure = err
	}
	return n, err
}

// command returns the tree of commands.
func command() *cobra.Command {
	root := &cobra.Command{
		Use:   "mattis",
		Short: "Train, sample, judge and use Boltzmann machines",
		Long: `Mattis trains, samples, judges and uses Boltzmann machines of spins, above all
with regularized axons and pattern-induced correlations (RAPID, arXiv:1910.01592).`,
		Example:       "  mattis train bars\n  mattis sample runs/bars-1 --count 16",
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		// No command has a hook of its own: it would take the place of this one.
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := noEmptyFlag(cmd.Flags()); err != nil {
				return err
			}
			return teamUp(cmd)
		},
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{flagError(err)} })
	root.SetHelpCommand(helpCommand(root))
	root.AddCommand(trainCommand(), resumeCommand(), evalCommand(), sampleCommand(), reconstructCommand(), featuresCommand(),
		scoreCommand(), recipesCommand(), dataCommand(), initCommand(), inspectCommand(), diagnoseCommand(), benchCommand(),
		figureCommand(), sweepCommand(), convertCommand(), watchCommand(), serveCommand(), runsCommand(), versionCommand(),
		workerCommand(), manCommand(root))
	addTeamFlags(root)
	completeAll(root, "")
	layOutHelp(root)
	return root
}

// helpCommand returns the command help, which refuses what is no command.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Help about any command",
		Example: "  mattis help train",
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err != nil {
				return err
			}
			if len(rest) > 0 {
				return fmt.Errorf("unknown command %q for %q", rest[0], cmd.CommandPath())
			}
			return cmd.Help()
		},
	}
}

// flagError says what a flag wants where its value is of another kind.
func flagError(err error) error {
	var invalid *pflag.InvalidValueError
	if !errors.As(err, &invalid) {
		return err
	}
	want, ok := map[string]string{"int": "a whole number", "uint64": "a whole number of 0 or more", "float64": "a number", "bool": "true or false"}[invalid.GetFlag().Value.Type()]
	if !ok {
		return err
	}
	if x, err := strconv.ParseFloat(invalid.GetValue(), 64); err == nil && x == math.Trunc(x) && math.Abs(x) < 1<<53 { // 1e3
		want += fmt.Sprintf(", such as %.0f", x)
	}
	return fmt.Errorf("--%s %s: want %s", invalid.GetFlag().Name, invalid.GetValue(), want)
}

// noEmptyFlag refuses flags of texts that are given without one: each would be as good as not
// given, and silently so.
func noEmptyFlag(flags *pflag.FlagSet) (err error) {
	flags.Visit(func(f *pflag.Flag) {
		empty := f.Value.Type() == "string" && f.Value.String() == ""
		if list, ok := f.Value.(pflag.SliceValue); ok {
			empty = len(list.GetSlice()) == 0 || slices.Contains(list.GetSlice(), "")
		}
		if empty && err == nil {
			err = usageError{fmt.Errorf("--%s is empty: give it a value or leave it out", f.Name)}
		}
	})
	return err
}

// exactly refuses any other number of arguments than those named.
func exactly(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) < len(names) {
			return usageError{fmt.Errorf("%s is missing", names[len(args)])}
		}
		if len(args) > len(names) {
			return usageError{fmt.Errorf("unexpected argument %q", args[len(names)])}
		}
		for i, a := range args {
			if a == "" {
				return usageError{fmt.Errorf("%s is empty", names[i])}
			}
		}
		return nil
	}
}

// atMost refuses more than n arguments.
func atMost(n int) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > n {
			return usageError{fmt.Errorf("unexpected argument %q", args[n])}
		}
		return nil
	}
}

// newEngine returns the engine of so many threads (0: one a core) and the name of its arm.
func newEngine(threads int) (*cpu.Engine, string, error) {
	if threads < 0 || threads > 1024 {
		return nil, "", usageError{fmt.Errorf("--threads %d is out of range, want 1 to 1024, or 0 for one a core", threads)}
	}
	arm, err := cpu.Arch()
	if err != nil {
		return nil, "", err
	}
	return cpu.New(threads), arm, nil
}

// terminal returns whether w is a terminal on which lines can be rewritten, and its width.
func terminal(w io.Writer) (tty bool, width int) {
	f, ok := w.(interface{ Fd() uintptr })
	if !ok || !term.IsTerminal(int(f.Fd())) || os.Getenv("TERM") == "dumb" {
		return false, 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		width = 80
	}
	return true, width
}
