package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/internal/experiment"
	"mattis/internal/share"
	"mattis/view"
)

func figureCommand() *cobra.Command {
	o := experiment.Options{Seed: 1, Out: "figures"}
	var list bool
	var instances, precision string
	var shared shareFlags
	cmd := &cobra.Command{
		Use:   "figure NAME|all",
		Short: "Make a figure or a table of the paper, with a verdict on each of its claims",
		Long: `Make a figure or a table of the paper: its data as CSV, the picture as PNG and SVG, and the claims
that it tests. A number stands for all parts of a figure: 2 is 2a and 2b.

Instances run side by side, one a thread, each in a run directory OUT/NAME/instances/METHOD-SEED. Those
that are finished are kept: a figure that was interrupted goes on where it was, and more instances are added
to those that are there. Results do not depend on --threads. Of the figure quality, whose trainings take hours,
OUT/quality/instances.jsonl holds the finished ones and stands for directories that are not there; --part
and --shared read it and do not write it.

--instances 100,pcd-10=20 has fewer of a method that is slow; a name stands for that method in every figure asked for.

Several processes may make one figure in one folder, on machines that share it: --part 2/4 makes the second quarter of the
instances, --shared those that no other process makes. They draw nothing; the command without either does, and
makes what is missing. The data have the bytes of one process. docs/cluster.md has job arrays.

--precision bf16 trains the figure's machines with factors of products rounded to bfloat16; measures are float32 as ever. It wants an --out of its own: instances of another precision are not mixed. Of
all, the figures that train nothing are left out.`,
		Example: `  mattis figure --list
  mattis figure crosstalk
  mattis figure 3 --instances 100 --out figures
  mattis figure 3 --instances 100,pcd-10=20 --out figures
  mattis figure 3 --instances 100 --part 2/4 --out figures
  mattis figure 3a --precision bf16 --out figures-bf16`,
		Args: func(cmd *cobra.Command, args []string) error {
			if list {
				return exactly()(cmd, args)
			}
			return exactly("NAME (one of mattis figure --list)")(cmd, args)
		},
		ValidArgs: append(experiment.Names(), "all"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if list {
				return figureList().Write(cmd.OutOrStdout())
			}
			figures, err := experiment.Find(args[0])
			if err != nil {
				return usageError{err}
			}
			if cmd.Flags().Changed("instances") {
				if o.Instances, o.Methods, err = parseInstances(instances); err == nil {
					err = experiment.CheckInstances(figures, o.Instances, o.Methods)
				}
				if err != nil {
					return usageError{fmt.Errorf("--instances %s: %w", instances, err)}
				}
			}
			if o.Precision, err = compute.ParsePrecision(precision); err != nil {
				return usageError{fmt.Errorf("--precision %q is unknown, want float32 or bf16", precision)}
			}
			if args[0] == "all" && o.Precision != compute.Single {
				figures = slices.DeleteFunc(figures, func(f *experiment.Figure) bool {
					return experiment.CheckPrecision([]*experiment.Figure{f}, o.Precision) != nil
				})
			}
			if err := experiment.CheckPrecision(figures, o.Precision); err != nil {
				return usageError{fmt.Errorf("--precision %s: %w", precision, err)}
			}
			if err := shared.read(o.Out); err != nil {
				return err
			}
			o.Part, o.Shared = shared.part, shared.shared
			o.Shares = func(f *experiment.Figure, made, elsewhere int) {
				draw := fmt.Sprintf("mattis figure %s --out %s draws", f.Name, o.Out)
				fmt.Fprintf(cmd.OutOrStdout(), "figure %s: %s\n", f.Name, shared.note("instances", made, elsewhere, draw))
			}
			acceptRequests()
			return makeShared(cmd, figures, o)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&list, "list", false, "list the figures")
	f.StringVar(&instances, "instances", "", "instances of each method, `N`, or N,METHOD=M,... (default as --list says; the paper has 100)")
	f.Uint64Var(&o.Seed, "seed", 1, "seed of the first instance; the others follow it")
	f.IntVar(&o.Threads, "threads", 0, "instances side by side; 0 takes one a core. Results do not depend on it")
	f.StringVar(&o.Out, "out", o.Out, "`folder` of the figures")
	f.StringVar(&precision, "precision", compute.Single.String(), "of the trainings: float32 or bf16")
	shared.add(cmd, "instances")
	return cmd
}

// parseInstances reads "N", "METHOD=N" and lists of them with commas; 0 stands for a default.
func parseInstances(text string) (n int, methods map[string]int, err error) {
	methods = map[string]int{}
	for _, part := range strings.Split(text, ",") {
		name, number, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok {
			name, number = "", part
		}
		k, err := strconv.Atoi(number)
		if err != nil {
			return 0, nil, fmt.Errorf("%q is no number, want N or METHOD=N, with commas between", number)
		}
		if k < 1 {
			return 0, nil, fmt.Errorf("%d instances are out of range, want 1 or more", k)
		}
		_, twice := methods[name]
		if twice || !ok && n > 0 {
			return 0, nil, fmt.Errorf("%s is there twice", part)
		}
		if !ok {
			n = k
			continue
		}
		methods[name] = k
	}
	return n, methods, nil
}

// makeShared makes figures with all processes of a job: each makes a part of the instances, as by
// --part, and rank 0 draws.
func makeShared(cmd *cobra.Command, figures []*experiment.Figure, o experiment.Options) error {
	if processes.Size() > 1 {
		mine := o
		mine.Part = share.Part{I: processes.Rank() + 1, N: processes.Size()}
		mine.Shares = func(*experiment.Figure, int, int) {}
		err := makeFigures(cmd, figures, mine)
		if err != nil && cmd.Context().Err() == nil {
			return err
		}
		// One that was interrupted has its checkpoints, and waits for those of the others.
		interrupted, others := processes.wait(cmd.Context().Err() != nil)
		if others != nil {
			return others
		}
		if processes.agreed = interrupted; interrupted {
			return context.Canceled
		}
		if !processes.first() {
			return nil
		}
	}
	return makeFigures(cmd, figures, o)
}

func makeFigures(cmd *cobra.Command, figures []*experiment.Figure, o experiment.Options) error {
	var arm string
	var err error
	if o.Threads, arm, err = workers(o.Threads); err != nil {
		return err
	}
	o.Engine = func(threads int) compute.Engine { return cpu.New(threads) }
	o.Environment = environment(1, arm)
	o.Miniature = os.Getenv(miniatureVariable) != "" && os.Getenv(miniatureVariable) != "0"

	out, errw := cmd.OutOrStdout(), cmd.ErrOrStderr()
	tty, width := terminal(errw)
	var progress *view.Progress
	var shown *experiment.Figure
	var note string
	o.Progress = func(f *experiment.Figure, share float64, n string) {
		note = n
		if f != shown {
			shown = f
			progress = view.NewProgress(errw, view.ProgressOptions{Label: "figure " + f.Name, Total: parts, Start: int(share * parts), TTY: tty, Width: width})
		}
		progress.Update(int(share*parts), note)
	}
	var failed error
	o.Finished = func(r experiment.Report) {
		progress.Finish(note)
		if err := printReport(out, r); failed == nil {
			failed = err
		}
	}
	shares := o.Shares
	o.Shares = func(f *experiment.Figure, made, elsewhere int) {
		progress.Finish(note)
		shares(f, made, elsewhere)
	}
	var under trainings
	o.Session = under.begin
	defer onRequest(under.ask)()
	outliveReaders()
	announce("stopping after the updates under way; again quits at once")
	if err := experiment.Run(cmd.Context(), figures, o); err != nil {
		if cmd.Context().Err() != nil {
			if progress != nil {
				progress.Finish("interrupted")
			}
			fmt.Fprintln(errw, "stopped; the same command goes on from here")
		}
		return err
	}
	return failed
}

// miniatureVariable, set to anything but 0, makes every machine of a figure tiny and every training
// short: what tests of the command need.
const miniatureVariable = "MATTIS_MINIATURE"

// printReport writes what was made and the table of claims.
func printReport(w io.Writer, r experiment.Report) error {
	unit := "instances"
	if r.Instances == 1 {
		unit = "instance"
	}
	for _, name := range slices.Sorted(maps.Keys(r.Methods)) {
		unit += fmt.Sprintf(", %d of %s", r.Methods[name], name)
	}
	fmt.Fprintf(w, "\nfigure %s: %s (%s), %d %s\n%s\n", r.Figure.Name, r.Figure.Title, r.Figure.Place, r.Instances, unit, strings.Join(r.Files, "  "))
	if len(r.Table.Header) > 0 {
		fmt.Fprintln(w)
		if err := r.Table.Write(w); err != nil {
			return err
		}
	}
	if len(r.Claims) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	t := view.Table{Header: []string{"verdict", "claim", "found"}}
	for _, c := range r.Claims {
		t.Rows = append(t.Rows, []string{string(c.Verdict), c.Claim, c.Ours})
	}
	return t.Write(w)
}

// figureList returns the table of all figures.
func figureList() view.Table {
	t := view.Table{Header: []string{"figure", "instances", "paper", "about"}}
	for _, f := range experiment.Figures {
		paper := "-"
		if f.Paper > 0 {
			paper = fmt.Sprint(f.Paper)
		}
		t.Rows = append(t.Rows, []string{f.Name, fmt.Sprint(f.Instances), paper, f.Title + " (" + f.Place + ")"})
	}
	return t
}
